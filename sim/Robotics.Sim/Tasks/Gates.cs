using Robotics.Numerics;
using Robotics.Packages;
using Robotics.Routes;

namespace Robotics.Sim.Tasks;

/// <summary>Pass two gates, each on a side of its own, then reach a goal: a task whose state does not say how far it has come. A policy
/// that follows a route is told which gate is next.</summary>
/// <remarks>
/// A point starts at (±0.2, -1) m and moves at up to 0.08 m a step of 50 ms. The gates lie at y = -0.35 and 0.35 and x = ±0.35 to ±0.65,
/// the goal at (±0.5, 1); each is passed by coming within 0.12 m, in order. Reward: 1 for each, minus 0.01 a step. With a kick the
/// point is pushed aside once, to either side, between steps 6 and 30.
/// <para>Source: the gates variant of Detour, our own.</para>
/// </remarks>
public sealed class Gates : ILearningTask
{
    /// <summary>m that the point moves in one step at most.</summary>
    public const float Reach = 0.08f;

    /// <summary>m from a gate's or the goal's centre that count as passed.</summary>
    public const float Radius = 0.12f;

    /// <summary>Gates and goal.</summary>
    public const int Marks = 3;

    private const double Room = 2, PeriodS = 0.05;

    private static readonly string[] s_marks = ["gate.first", "gate.second", "goal"];

    private static readonly RobotSpec s_robot = TaskRobot.Of("gates", 50, 50,
        [.. from axis in new[] { "x", "y" } select new JointSpec
        {
            Name = axis, Kind = JointKind.Prismatic, Command = TargetKind.Velocity, Lower = -(float)Room - 0.5f, Upper = (float)Room + 0.5f, MaxSpeed = Reach / (float)PeriodS,
        }],
        [.. s_marks.Select(mark => new SignalSpec { Name = mark, Length = 2, Unit = "m", Frame = "world", Source = "task" }), new() { Name = "gates.passed", Length = 1, Source = "task" }]);

    private static readonly int s_marksAt = s_robot.Layout.Find("gate.first")!.Offset, s_passedAt = s_robot.Layout.Find("gates.passed")!.Offset;

    private readonly double _kick;

    /// <summary>Sets the task up.</summary>
    /// <param name="kick">m by which the point is pushed aside once; 0: never.</param>
    public Gates(double kick = 0) => _kick = kick;

    /// <inheritdoc/>
    public string Name => "gates";

    /// <inheritdoc/>
    public string Description => "pass two gates in order, then reach the goal";

    /// <inheritdoc/>
    public RobotSpec Robot => s_robot;

    /// <inheritdoc/>
    public PolicyManifest Wiring { get; } = TaskRobot.Wiring(s_robot, 50,
        [new() { Name = "position", Kind = "joint_position" }, .. s_marks.Select(TaskRobot.Signal)], [Reach / (float)PeriodS]);

    /// <inheritdoc/>
    public TimeSpan Period { get; } = TimeSpan.FromSeconds(PeriodS);

    /// <inheritdoc/>
    public int StepLimit => 200;

    /// <inheritdoc/>
    public IReadOnlyList<DynamicsParameter> Dynamics { get; } = [DynamicsParameter.Motor];

    /// <inheritdoc/>
    public IRoutePlanner Routes { get; } = new Planner();

    /// <summary>Gates and goal passed so far, 0 to 3.</summary>
    /// <param name="signals">[Layout.Length].</param>
    public static int Passed(ReadOnlySpan<float> signals) => (int)signals[s_passedAt];

    /// <summary>Where a gate or the goal lies, m.</summary>
    /// <param name="signals">[Layout.Length].</param>
    /// <param name="mark">0 and 1: gates; 2: the goal.</param>
    public static (float X, float Y) Mark(ReadOnlySpan<float> signals, int mark) => (signals[s_marksAt + (2 * mark)], signals[s_marksAt + (2 * mark) + 1]);

    /// <inheritdoc/>
    public float Reward(ReadOnlySpan<float> previous, ReadOnlySpan<float> targets, ReadOnlySpan<float> reached) => reached[s_passedAt] - previous[s_passedAt] - 0.01f;

    /// <inheritdoc/>
    public bool IsOver(ReadOnlySpan<float> reached) => reached[s_passedAt] >= Marks;

    /// <inheritdoc/>
    public ITaskWorld CreateWorld(TimeSpan period) => new World(period.TotalSeconds, _kick);

    /// <summary>Reads the marks that are left and writes them down.</summary>
    private sealed class Planner : IRoutePlanner
    {
        private const float Timeout = 3; // s; straight on it takes less than one

        public string Name => "the gates' own planner";

        public RouteTable? Write(in RouteRequest request, RouteSpec spec)
        {
            var rows = new List<RouteRow>();
            for (int mark = Passed(request.Signals); mark < Marks; mark++)
            {
                var (x, y) = Mark(request.Signals, mark);
                rows.Add(new(spec.Verbs[0], new(x, y, 0), Radius, Timeout));
            }

            return rows.Count == 0 ? null : new RouteTable(rows, Name, spec);
        }
    }

    private sealed class World(double dt, double kick) : ITaskWorld
    {
        private readonly double[] _marks = new double[2 * Marks];
        private double _x, _y, _strength = 1, _push;
        private long _step, _kickStep;
        private int _passed;

        public void SetDynamics(Dynamics dynamics) => _strength = dynamics.Motor;

        public void SetMode(CommandMode mode) => TaskRobot.RequireNative(s_robot, mode);

        public void Begin(SeededRandom? random, Span<float> signals)
        {
            (_x, _y) = (random?.NextDouble(-0.2, 0.2) ?? 0, -1);
            for (int mark = 0; mark < Marks; mark++)
            {
                bool goal = mark == Marks - 1;
                double side = (random?.NextDouble() ?? mark) < 0.5 ? -1 : 1;
                _marks[2 * mark] = goal ? random?.NextDouble(-0.5, 0.5) ?? 0 : side * (random?.NextDouble(0.35, 0.65) ?? 0.5);
                _marks[(2 * mark) + 1] = goal ? 1 : -0.35 + (0.7 * mark);
            }

            _push = (random?.NextDouble() ?? 0) < 0.5 ? -kick : kick;
            _kickStep = random?.NextInt(6, 31) ?? 15;
            (_step, _passed) = (0, 0);
            Write(0, 0, signals);
        }

        public void Advance(ReadOnlySpan<float> targets, Span<float> signals)
        {
            double dx = targets.IsEmpty ? 0 : targets[0] * _strength * dt, dy = targets.IsEmpty ? 0 : targets[1] * _strength * dt;
            double length = double.Hypot(dx, dy), most = Reach * dt / PeriodS, share = length > most ? most / length : 1;
            (dx, dy) = (share * dx, share * dy);
            _x = Math.Clamp(_x + dx + (_step == _kickStep ? _push : 0), -Room, Room);
            _y = Math.Clamp(_y + dy, -Room, Room);
            _step++;
            _passed += _passed < Marks && double.Hypot(_x - _marks[2 * _passed], _y - _marks[(2 * _passed) + 1]) <= Radius ? 1 : 0;
            Write(dx / dt, dy / dt, signals);
        }

        public void Dispose()
        {
        }

        private void Write(double vx, double vy, Span<float> signals)
        {
            signals[0] = (float)_x;
            signals[1] = (float)_y;
            signals[2] = (float)vx;
            signals[3] = (float)vy;
            (signals[4], signals[5]) = (0, 0);
            for (int i = 0; i < _marks.Length; i++)
            {
                signals[s_marksAt + i] = (float)_marks[i];
            }

            signals[s_passedAt] = _passed;
        }
    }
}
