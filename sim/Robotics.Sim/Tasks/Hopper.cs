using Robotics.Packages;
using Robotics.Sim.Mujoco;

namespace Robotics.Sim.Tasks;

/// <summary>A one-legged planar robot hops forward without falling.</summary>
/// <remarks>
/// Three motors, 20 ms a step of five physics steps, 500 steps (10 s). Reward per step: 1 for being up, plus forward speed, m/s,
/// minus 0.001 · |action|². It ends where the torso sinks below 0.7 m or leans by more than 0.3 rad: fallen.
/// <para>In the manner of Gym's Hopper with a scene of our own, so returns compare with nobody else's.</para>
/// </remarks>
public sealed class Hopper : ILearningTask
{
    private static readonly float[] s_motors = [60, 60, 30]; // Nm, as in the scene

    private static readonly RobotSpec s_robot = TaskRobot.Of("hopper", 4, 4,
        [.. new[] { "hip", "knee", "ankle" }.Select((name, j) => TaskRobot.Motor(name, s_motors[j]))], TaskRobot.PlanarBase);

    private static readonly int s_x = s_robot.Layout.Find("base.x")!.Offset;
    private static readonly int s_z = s_robot.Layout.Find("base.z")!.Offset;
    private static readonly int s_pitch = s_robot.Layout.Find("base.pitch")!.Offset;

    /// <inheritdoc/>
    public string Name => "hopper";

    /// <inheritdoc/>
    public string Description => "a one-legged robot hops forward without falling";

    /// <inheritdoc/>
    public RobotSpec Robot => s_robot;

    /// <inheritdoc/>
    public PolicyManifest Wiring { get; } = TaskRobot.Wiring(s_robot, 20, TaskRobot.PlanarTerms, s_motors);

    /// <inheritdoc/>
    public TimeSpan Period { get; } = TimeSpan.FromMilliseconds(20);

    /// <inheritdoc/>
    public int StepLimit => 500;

    /// <inheritdoc/>
    public IReadOnlyList<DynamicsParameter> Dynamics => TaskRobot.AllPhysics;

    /// <inheritdoc/>
    public float Reward(ReadOnlySpan<float> previous, ReadOnlySpan<float> targets, ReadOnlySpan<float> reached) =>
        (IsOver(reached) ? 0 : 1) + ((reached[s_x] - previous[s_x]) / 0.02f) - (0.001f * TaskRobot.SquaredEffort(targets, s_motors));

    /// <inheritdoc/>
    public bool IsOver(ReadOnlySpan<float> reached) => reached[s_z] < 0.7f || Math.Abs(reached[s_pitch]) > 0.3f;

    /// <inheritdoc/>
    public ITaskWorld CreateWorld(TimeSpan period) => new MujocoWorld(this, period, new() { JointFraction = 0, BaseSpeed = 0, PositionSpread = 0.005, SpeedSpread = 0.005 });
}
