using Robotics.Numerics;
using Robotics.Packages;
using Robotics.Sim.Mujoco;

namespace Robotics.Sim.Tasks;

/// <summary>An arm of two links brings its tip to a goal on a table.</summary>
/// <remarks>
/// Two motors of 1 Nm, 20 ms a step of two physics steps, 100 steps (2 s). The goal is drawn evenly over the ring of 0.05 to 0.22 m
/// about the shoulder; the nominal one is (0.1, 0.1). Reward per step: minus the distance of the tip, m, times 10, minus
/// 0.01 · |action|². It never ends early. Observed: cosine and sine of both joints, their speeds, goal, and way from tip to goal.
/// <para>In the manner of Gym's Reacher with a scene of our own, so returns compare with nobody else's.</para>
/// </remarks>
public sealed class Reacher : ILearningTask
{
    private const float Link = 0.12f, MaxTorque = 1; // m, Nm, as in the scene

    private static readonly RobotSpec s_robot = TaskRobot.Of("reacher", 10, 10,
        [TaskRobot.Motor("shoulder", MaxTorque) with { Lower = -1e5f, Upper = 1e5f }, TaskRobot.Motor("elbow", MaxTorque)],
        [
            new() { Name = "arm.directions", Length = 4, Source = "task", Elements = ["shoulder.cos", "shoulder.sin", "elbow.cos", "elbow.sin"] },
            new() { Name = "task.goal", Length = 2, Unit = "m", Frame = "table", Source = "task", Elements = ["x", "y"] },
            new() { Name = "arm.way", Length = 2, Unit = "m", Frame = "table", Source = "task", Elements = ["x", "y"] },
        ]);

    private static readonly int s_directions = s_robot.Layout.Find("arm.directions")!.Offset;
    private static readonly int s_goal = s_robot.Layout.Find("task.goal")!.Offset;
    private static readonly int s_way = s_robot.Layout.Find("arm.way")!.Offset;

    /// <inheritdoc/>
    public string Name => "reacher";

    /// <inheritdoc/>
    public string Description => "an arm of two links brings its tip to a goal";

    /// <inheritdoc/>
    public RobotSpec Robot => s_robot;

    /// <inheritdoc/>
    public PolicyManifest Wiring { get; } = TaskRobot.Wiring(s_robot, 20,
        [
            TaskRobot.Signal("arm.directions"), new() { Name = "joint_speeds", Kind = "joint_velocity" }, TaskRobot.Signal("task.goal"), TaskRobot.Signal("arm.way"),
        ],
        [MaxTorque]);

    /// <inheritdoc/>
    public TimeSpan Period { get; } = TimeSpan.FromMilliseconds(20);

    /// <inheritdoc/>
    public int StepLimit => 100;

    /// <inheritdoc/>
    public IReadOnlyList<DynamicsParameter> Dynamics { get; } = [DynamicsParameter.Mass, DynamicsParameter.Damping, DynamicsParameter.Motor];

    /// <inheritdoc/>
    public float Reward(ReadOnlySpan<float> previous, ReadOnlySpan<float> targets, ReadOnlySpan<float> reached) =>
        (-10 * float.Hypot(reached[s_way], reached[s_way + 1])) - (0.01f * TaskRobot.SquaredEffort(targets, [MaxTorque, MaxTorque]));

    /// <inheritdoc/>
    public bool IsOver(ReadOnlySpan<float> reached) => false;

    /// <inheritdoc/>
    public ITaskWorld CreateWorld(TimeSpan period) =>
        new MujocoWorld(this, period, new() { JointFraction = 0, BaseSpeed = 0, PositionSpread = 1, SpeedSpread = 0.05 }, Draw, Derive);

    private static void Draw(SeededRandom? random, Span<float> signals)
    {
        // Evenly over the area: the square of the radius is even.
        double radius = Math.Sqrt(random?.NextDouble(0.05 * 0.05, 0.22 * 0.22) ?? 0.02);
        var (sin, cos) = Math.SinCos(random?.NextDouble(-Math.PI, Math.PI) ?? Math.PI / 4);
        signals[s_goal] = (float)(radius * cos);
        signals[s_goal + 1] = (float)(radius * sin);
    }

    private static void Derive(Span<float> signals)
    {
        var (shoulderSin, shoulderCos) = MathF.SinCos(signals[0]);
        var (elbowSin, elbowCos) = MathF.SinCos(signals[1]);
        var (tipSin, tipCos) = MathF.SinCos(signals[0] + signals[1]);
        (signals[s_directions], signals[s_directions + 1], signals[s_directions + 2], signals[s_directions + 3]) = (shoulderCos, shoulderSin, elbowCos, elbowSin);
        signals[s_way] = signals[s_goal] - (Link * (shoulderCos + tipCos));
        signals[s_way + 1] = signals[s_goal + 1] - (Link * (shoulderSin + tipSin));
    }
}
