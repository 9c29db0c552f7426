using Robotics.Numerics;
using Robotics.Packages;

namespace Robotics.Sim.Tasks;

/// <summary>Go to any of six goals on a circle: six right answers from one start. A policy that can keep several ways open reaches all of
/// them over many episodes; a single Gaussian settles for one or two.</summary>
/// <remarks>
/// A point starts at the centre (seeded: within a normal deviation of 0.1 m) and moves at up to 1 m/s along each axis for 100 ms a
/// step, 200 steps at most. The goals lie 5 m from the centre at 0°, 60°, ... 300°; within 0.5 m of one the episode ends with a
/// reward of 10. Every other step is rewarded by the way it made towards the nearest goal, m, minus 0.05 · |action|²: no
/// goal is worth more than another.
/// <para>Source: the multi-goal task of Haarnoja et al. 2017 (arXiv:1702.08165) with six goals as in PolicyFlow; rewards are our own.</para>
/// </remarks>
public sealed class MultiGoal : ILearningTask
{
    /// <summary>Goals on the circle.</summary>
    public const int Goals = 6;

    private const double Radius = 5, Reach = 0.5, MaxSpeed = 1, Farthest = 8;

    private static readonly RobotSpec s_robot = TaskRobot.Of("multi-goal", 100, 100,
        [.. from axis in new[] { "x", "y" } select new JointSpec
        {
            Name = axis, Kind = JointKind.Prismatic, Command = TargetKind.Velocity, Lower = -(float)Farthest - 2, Upper = (float)Farthest + 2, MaxSpeed = (float)MaxSpeed,
        }],
        []);

    /// <inheritdoc/>
    public string Name => "multi-goal";

    /// <inheritdoc/>
    public string Description => "go to any of six goals on a circle";

    /// <inheritdoc/>
    public RobotSpec Robot => s_robot;

    /// <inheritdoc/>
    public PolicyManifest Wiring { get; } = TaskRobot.Wiring(s_robot, 100, [new() { Name = "position", Kind = "joint_position" }], [(float)MaxSpeed]);

    /// <inheritdoc/>
    public TimeSpan Period { get; } = TimeSpan.FromMilliseconds(100);

    /// <inheritdoc/>
    public int StepLimit => 200;

    /// <inheritdoc/>
    public IReadOnlyList<DynamicsParameter> Dynamics { get; } = [DynamicsParameter.Motor];

    /// <summary>The goal, 0 to 5, within whose reach a position lies; -1: none. An observation is such a position.</summary>
    /// <param name="position">[2] m, or a whole signal frame.</param>
    public static int GoalAt(ReadOnlySpan<float> position) => Nearest(position, out int goal) <= Reach ? goal : -1;

    /// <inheritdoc/>
    public float Reward(ReadOnlySpan<float> previous, ReadOnlySpan<float> targets, ReadOnlySpan<float> reached)
    {
        if (IsOver(reached))
        {
            return 10;
        }

        double effort = targets.IsEmpty ? 0 : ((targets[0] * targets[0]) + (targets[1] * targets[1])) / (MaxSpeed * MaxSpeed);
        return (float)(Nearest(previous, out _) - Nearest(reached, out _) - (0.05 * effort));
    }

    /// <inheritdoc/>
    public bool IsOver(ReadOnlySpan<float> reached) => GoalAt(reached) >= 0;

    /// <inheritdoc/>
    public ITaskWorld CreateWorld(TimeSpan period) => new World(period.TotalSeconds);

    private static double Nearest(ReadOnlySpan<float> position, out int goal)
    {
        double angle = Math.Atan2(position[1], position[0]);
        goal = ((int)Math.Round(angle / (Math.Tau / Goals)) + Goals) % Goals;
        var (sin, cos) = Math.SinCos(goal * (Math.Tau / Goals));
        return double.Hypot(position[0] - (Radius * cos), position[1] - (Radius * sin));
    }

    private sealed class World(double dt) : ITaskWorld
    {
        private double _x, _y, _strength = 1;

        public void SetDynamics(Dynamics dynamics) => _strength = dynamics.Motor;

        public void SetMode(CommandMode mode) => TaskRobot.RequireNative(s_robot, mode);

        public void Begin(SeededRandom? random, Span<float> signals)
        {
            _x = 0.1 * (random?.NextGaussian() ?? 0);
            _y = 0.1 * (random?.NextGaussian() ?? 0);
            Write(0, 0, signals);
        }

        public void Advance(ReadOnlySpan<float> targets, Span<float> signals)
        {
            double vx = targets.IsEmpty ? 0 : _strength * Math.Clamp(targets[0], -MaxSpeed, MaxSpeed);
            double vy = targets.IsEmpty ? 0 : _strength * Math.Clamp(targets[1], -MaxSpeed, MaxSpeed);
            _x = Math.Clamp(_x + (vx * dt), -Farthest, Farthest);
            _y = Math.Clamp(_y + (vy * dt), -Farthest, Farthest);
            Write(vx, vy, signals);
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
            signals[4] = 0;
            signals[5] = 0;
        }
    }
}
