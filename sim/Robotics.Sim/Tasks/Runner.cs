using Robotics.Packages;
using Robotics.Sim.Mujoco;

namespace Robotics.Sim.Tasks;

/// <summary>A planar animal with two legs runs as fast as it can.</summary>
/// <remarks>
/// Six motors, 40 ms a step of eight physics steps, 500 steps (20 s). Reward per step: forward speed, m/s, minus 0.1 · |action|².
/// It never ends early; on its back it earns little. Observed: height, pitch, joint angles and all their speeds, not the place.
/// <para>In the manner of HalfCheetah (Wawrzynski 2009) with a scene of our own, so returns compare with nobody else's.</para>
/// </remarks>
public sealed class Runner : ILearningTask
{
    private static readonly float[] s_motors = [100, 80, 50, 100, 60, 30]; // Nm, as in the scene

    private static readonly RobotSpec s_robot = TaskRobot.Of("runner", 5, 5,
        [.. new[] { "rear_hip", "rear_knee", "rear_ankle", "front_hip", "front_knee", "front_ankle" }.Select((name, j) => TaskRobot.Motor(name, s_motors[j]))],
        TaskRobot.PlanarBase);

    private static readonly int s_x = s_robot.Layout.Find("base.x")!.Offset;

    /// <inheritdoc/>
    public string Name => "runner";

    /// <inheritdoc/>
    public string Description => "a planar animal runs as fast as it can";

    /// <inheritdoc/>
    public RobotSpec Robot => s_robot;

    /// <inheritdoc/>
    public PolicyManifest Wiring { get; } = TaskRobot.Wiring(s_robot, 40, TaskRobot.PlanarTerms, s_motors);

    /// <inheritdoc/>
    public TimeSpan Period { get; } = TimeSpan.FromMilliseconds(40);

    /// <inheritdoc/>
    public int StepLimit => 500;

    /// <inheritdoc/>
    public IReadOnlyList<DynamicsParameter> Dynamics => TaskRobot.AllPhysics;

    /// <inheritdoc/>
    public float Reward(ReadOnlySpan<float> previous, ReadOnlySpan<float> targets, ReadOnlySpan<float> reached) =>
        ((reached[s_x] - previous[s_x]) / 0.04f) - (0.1f * TaskRobot.SquaredEffort(targets, s_motors));

    /// <inheritdoc/>
    public bool IsOver(ReadOnlySpan<float> reached) => false;

    /// <inheritdoc/>
    public ITaskWorld CreateWorld(TimeSpan period) => new MujocoWorld(this, period, new() { JointFraction = 0, BaseSpeed = 0, PositionSpread = 0.1, SpeedSpread = 0.1 });
}
