using Robotics.Packages;
using Robotics.Sim.Mujoco;

namespace Robotics.Sim.Tasks;

/// <summary>A chain of four links swims along x through a thick fluid.</summary>
/// <remarks>
/// Three motors, 40 ms a step of four physics steps, 500 steps (20 s). Reward per step: speed of the head along x, m/s, minus
/// 0.0001 · |action|². It never ends early. Observed: heading, joint angles and all speeds, not the place. It has no gravity and touches
/// nothing, so those two parameters mean nothing to it.
/// <para>In the manner of Gym's Swimmer (Coulom 2002) with a scene of our own, so returns compare with nobody else's.</para>
/// </remarks>
public sealed class Swimmer : ILearningTask
{
    private const float MaxTorque = 120; // as in the scene

    private static readonly RobotSpec s_robot = TaskRobot.Of("swimmer", 10, 10,
        [.. new[] { "neck", "waist", "rump" }.Select(name => TaskRobot.Motor(name, MaxTorque))],
        [
            new() { Name = "base.x", Length = 1, Unit = "m", Frame = "world", Source = "joint_position:x" },
            new() { Name = "base.y", Length = 1, Unit = "m", Frame = "world", Source = "joint_position:y" },
            new() { Name = "base.heading", Length = 1, Unit = "rad", Frame = "world", Source = "joint_position:heading" },
            new() { Name = "base.speed", Length = 1, Unit = "m/s", Frame = "world", Source = "joint_velocity:x" },
            new() { Name = "base.drift", Length = 1, Unit = "m/s", Frame = "world", Source = "joint_velocity:y" },
            new() { Name = "base.turning", Length = 1, Unit = "rad/s", Frame = "world", Source = "joint_velocity:heading" },
        ]);

    private static readonly int s_x = s_robot.Layout.Find("base.x")!.Offset;

    /// <inheritdoc/>
    public string Name => "swimmer";

    /// <inheritdoc/>
    public string Description => "a chain of four links swims through a thick fluid";

    /// <inheritdoc/>
    public RobotSpec Robot => s_robot;

    /// <inheritdoc/>
    public PolicyManifest Wiring { get; } = TaskRobot.Wiring(s_robot, 40,
        [
            TaskRobot.Signal("base.heading"), new() { Name = "joints", Kind = "joint_position" }, TaskRobot.Signal("base.speed"), TaskRobot.Signal("base.drift"),
            TaskRobot.Signal("base.turning"), new() { Name = "joint_speeds", Kind = "joint_velocity" },
        ],
        [MaxTorque]);

    /// <inheritdoc/>
    public TimeSpan Period { get; } = TimeSpan.FromMilliseconds(40);

    /// <inheritdoc/>
    public int StepLimit => 500;

    /// <inheritdoc/>
    public IReadOnlyList<DynamicsParameter> Dynamics { get; } = [DynamicsParameter.Mass, DynamicsParameter.Damping, DynamicsParameter.Motor];

    /// <inheritdoc/>
    public float Reward(ReadOnlySpan<float> previous, ReadOnlySpan<float> targets, ReadOnlySpan<float> reached) =>
        ((reached[s_x] - previous[s_x]) / 0.04f) - (0.0001f * TaskRobot.SquaredEffort(targets, [MaxTorque, MaxTorque, MaxTorque]));

    /// <inheritdoc/>
    public bool IsOver(ReadOnlySpan<float> reached) => false;

    /// <inheritdoc/>
    public ITaskWorld CreateWorld(TimeSpan period) => new MujocoWorld(this, period, new() { JointFraction = 0, BaseSpeed = 0, PositionSpread = 0.1, SpeedSpread = 0.1 });
}
