using Robotics.Numerics;
using Robotics.Packages;

namespace Robotics.Sim.Tasks;

/// <summary>Steer a mass around the end of a wall to a goal on its other side.</summary>
/// <remarks>
/// A room of ±1.5 m with a thin wall along y = 0 from the left side to x = 0.75. A mass of 1 kg, damped by 1 N·s/m, is pushed by up to
/// 5 N along each axis, 50 ms a step, 200 steps at most; walls stop it without bouncing. Seeded starts lie anywhere below the wall, the
/// nominal one at (-1, -1); the goal is (-1, 1), reached within 0.25 m. Reward: the way made towards the goal around the
/// wall, m, minus 0.01, plus 1 on arrival, which ends the episode.
/// </remarks>
public sealed class PointMaze : ILearningTask
{
    private const double Room = 1.5, WallEnd = 0.75, GoalX = -1, GoalY = 1, Reach = 0.25, MaxForce = 5;

    private static readonly RobotSpec s_robot = TaskRobot.Of("point-maze", 10, 10,
        [.. from axis in new[] { "x", "y" } select new JointSpec
        {
            Name = axis, Kind = JointKind.Prismatic, Command = TargetKind.Effort, Lower = -(float)Room - 1, Upper = (float)Room + 1, MaxSpeed = 10, MaxEffort = (float)MaxForce,
        }],
        [], new() { Mode = HoldMode.Damp, Damping = 5 });

    /// <inheritdoc/>
    public string Name => "point-maze";

    /// <inheritdoc/>
    public string Description => "steer a mass around the end of a wall to a goal";

    /// <inheritdoc/>
    public RobotSpec Robot => s_robot;

    /// <inheritdoc/>
    public PolicyManifest Wiring { get; } = TaskRobot.Wiring(s_robot, 50,
        [new() { Name = "position", Kind = "joint_position" }, new() { Name = "speed", Kind = "joint_velocity" }], [(float)MaxForce]);

    /// <inheritdoc/>
    public TimeSpan Period { get; } = TimeSpan.FromMilliseconds(50);

    /// <inheritdoc/>
    public int StepLimit => 200;

    /// <inheritdoc/>
    public IReadOnlyList<DynamicsParameter> Dynamics { get; } = [DynamicsParameter.Mass, DynamicsParameter.Damping, DynamicsParameter.Motor];

    /// <inheritdoc/>
    public float Reward(ReadOnlySpan<float> previous, ReadOnlySpan<float> targets, ReadOnlySpan<float> reached) =>
        (float)(Way(previous[0], previous[1]) - Way(reached[0], reached[1]) - 0.01 + (IsOver(reached) ? 1 : 0));

    /// <inheritdoc/>
    public bool IsOver(ReadOnlySpan<float> reached) => double.Hypot(reached[0] - GoalX, reached[1] - GoalY) <= Reach;

    /// <inheritdoc/>
    public ITaskWorld CreateWorld(TimeSpan period) => new World(period.TotalSeconds);

    /// <summary>Length of the shortest way to the goal, m.</summary>
    private static double Way(double x, double y)
    {
        // Where the straight line to the goal crosses y = 0; above the wall nothing is in the way.
        bool free = y >= 0 || x + ((GoalX - x) * (-y / (GoalY - y))) >= WallEnd;
        return free ? double.Hypot(x - GoalX, y - GoalY) : double.Hypot(x - WallEnd, y) + double.Hypot(WallEnd - GoalX, GoalY);
    }

    private sealed class World(double dt) : ITaskWorld
    {
        private double _x, _y, _vx, _vy;
        private double _mass = 1, _damping = 1, _strength = 1;

        public void SetDynamics(Dynamics dynamics) => (_mass, _damping, _strength) = (dynamics.Mass, dynamics.Damping, dynamics.Motor);

        public void SetMode(CommandMode mode) => TaskRobot.RequireNative(s_robot, mode);

        public void Begin(SeededRandom? random, Span<float> signals)
        {
            _x = random?.NextDouble(-1.4, 1.4) ?? -1;
            _y = random?.NextDouble(-1.4, -0.1) ?? -1;
            (_vx, _vy) = (0, 0);
            Write(0, 0, signals);
        }

        public void Advance(ReadOnlySpan<float> targets, Span<float> signals)
        {
            bool held = targets.IsEmpty;
            double fx = held ? -s_robot.Hold.Damping * _vx : _strength * Math.Clamp(targets[0], -MaxForce, MaxForce);
            double fy = held ? -s_robot.Hold.Damping * _vy : _strength * Math.Clamp(targets[1], -MaxForce, MaxForce);

            // Damping taken at the new speed: stable at any step.
            double brake = 1 / (1 + (dt * _damping / _mass));
            _vx = (_vx + (dt * fx / _mass)) * brake;
            _vy = (_vy + (dt * fy / _mass)) * brake;
            double x = _x + (dt * _vx), y = _y + (dt * _vy);
            double crossing = y == _y ? x : _x + ((x - _x) * (-_y / (y - _y)));
            if (_y < 0 != y < 0 && crossing < WallEnd)
            {
                (y, _vy) = (_y < 0 ? -1e-9 : 0, 0);
            }

            Stop(ref x, ref _vx);
            Stop(ref y, ref _vy);
            (_x, _y) = (x, y);
            Write(fx, fy, signals);
        }

        public void Dispose()
        {
        }

        private static void Stop(ref double at, ref double speed)
        {
            if (Math.Abs(at) > Room)
            {
                (at, speed) = (Math.CopySign(Room, at), 0);
            }
        }

        private void Write(double fx, double fy, Span<float> signals)
        {
            signals[0] = (float)_x;
            signals[1] = (float)_y;
            signals[2] = (float)_vx;
            signals[3] = (float)_vy;
            signals[4] = (float)fx;
            signals[5] = (float)fy;
        }
    }
}
