using Robotics.Learning.Data;
using Robotics.Learning.Imitation;
using Robotics.Learning.Networks;
using Robotics.Learning.Training;
using Robotics.Numerics;

namespace Robotics.Bench;

/// <summary>A task that does not wait: pass an obstacle on either side and meet a goal that moves, with unforeseen turns, along a line
/// beyond it. The side is decided late, so that two plans in a row may disagree about it.</summary>
/// <remarks>
/// Lengths in m, steps of 50 ms. The agent starts at (0, -1) and goes to its target, at most 0.08 m a step. The goal moves along y = 1
/// at up to 0.025 m a step and draws a new speed with probability 0.06 at every step. Solved: 0.3 m clear of the obstacle throughout,
/// and within 0.12 m of the goal when y passes 0.93. Observation: agent x, y, obstacle x, goal x, goal speed x 20.
/// </remarks>
internal sealed class MovingGoal
{
    public const int Rows = 16, ActionSize = 2, ObservationSize = 5;

    private const int Steps = 48;      // of a demonstration
    private const int TimeLimit = 100;
    private const double Reach = 0.08, Radius = 0.3, Near = 0.12, Line = 0.93, Fastest = 0.025, Edge = 0.6, Turns = 0.06;

    private readonly SeededRandom _random = new(0);
    private double _x, _y, _obstacle, _goal, _speed;
    private bool _clear;

    public int Time { get; private set; }

    /// <summary>Whether it ended well; false before the end.</summary>
    public bool Solved { get; private set; }

    public bool Done { get; private set; }

    public void Reset(ulong seed)
    {
        _random.Reset(seed);
        (_x, _y) = (0, -1);
        _obstacle = _random.NextDouble(-0.15, 0.15);
        _goal = _random.NextDouble(-0.4, 0.4);
        _speed = _random.NextDouble(-Fastest, Fastest);
        (_clear, Solved, Done, Time) = (true, false, false, 0);
    }

    public void Observe(Span<float> observation) =>
        (observation[0], observation[1], observation[2], observation[3], observation[4]) = ((float)_x, (float)_y, (float)_obstacle, (float)_goal, (float)(20 * _speed));

    public void Step(double x, double y)
    {
        double dx = x - _x, dy = y - _y, length = double.Hypot(dx, dy), share = length > Reach ? Reach / length : 1;
        _x += share * dx;
        _y += share * dy;
        _speed = _random.NextDouble() < Turns ? _random.NextDouble(-Fastest, Fastest) : _speed;
        _goal += _speed;
        if (Math.Abs(_goal) > Edge)
        {
            _goal = Math.CopySign((2 * Edge) - Math.Abs(_goal), _goal);
            _speed = -_speed;
        }

        Time++;
        _clear &= double.Hypot(_x - _obstacle, _y) > Radius;
        Done = _y > Line || Time >= TimeLimit;
        Solved = _y > Line && _clear && Math.Abs(_x - _goal) < Near;
    }

    /// <summary>A flow that learned from a script which knows the goal's speed and not its turns.</summary>
    public static Network Train(ulong seed, int episodes, int updates)
    {
        var random = new SeededRandom(seed);
        var world = new MovingGoal();
        float[] seen = new float[episodes * Steps * ObservationSize], chunks = new float[episodes * Steps * Rows * ActionSize];
        float[] path = new float[(Steps + Rows) * ActionSize];
        for (int e = 0; e < episodes; e++)
        {
            world.Reset((1_000_000 * seed) + (ulong)e);
            int side = random.NextDouble() < 0.5 ? -1 : 1;
            for (int t = 0; t < Steps + Rows; t++)
            {
                if (t < Steps)
                {
                    world.Observe(seen.AsSpan(((e * Steps) + t) * ObservationSize, ObservationSize));
                }

                double along = Math.Min((t + 1.0) / Steps, 1), sine = Math.Sin(Math.PI * along), meet = world._goal + (world._speed * Math.Min(Math.Max(Steps - t, 0), 6));
                double x = (meet * along) + (((0.6 * side) + world._obstacle) * sine * sine * sine) + (0.01 * random.NextGaussian());
                double y = -1 + (2 * along) + (0.01 * random.NextGaussian());
                (path[2 * t], path[(2 * t) + 1]) = ((float)x, (float)y);
                world.Step(x, y);
            }

            for (int t = 0; t < Steps; t++)
            {
                path.AsSpan(2 * t, Rows * ActionSize).CopyTo(chunks.AsSpan(((e * Steps) + t) * Rows * ActionSize));
            }
        }

        var network = new Network(
            new ResidualMlp { Horizon = Rows, ActionSize = ActionSize, ConditionSize = ObservationSize, Width = 160, Time = TimeSignal.Continuous, TimeScale = 100 }, seed);
        using (network)
        {
            var data = new ChunkSet(seen, chunks, null, ObservationSize, Rows, ActionSize, "moving-goal");
            using var trainer = new Trainer(new FlowMatching(network, FlowTime.Beta), data, new TrainingOptions { Steps = updates, Batch = 128, LearningRate = 2e-3, LogEvery = 1000, CheckpointEvery = 1000, Seed = seed }, folder: null);
            trainer.Run();
            return trainer.Averaged();
        }
    }
}
