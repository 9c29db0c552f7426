using Robotics.Numerics;
using Robotics.Packages;
using Robotics.Sim.Mujoco;

namespace Robotics.Sim.Tasks;

/// <summary>A robot on four legs walks with the velocity that it is told.</summary>
/// <remarks>
/// Twelve position drives about a stance, 20 ms a step of four physics steps, 500 steps (10 s). The command (forward, sideways, m/s;
/// turning, rad/s) is drawn for each episode from vx -0.5 to 1, vy ±0.3, yaw ±0.6; the nominal one is 0.5 m/s ahead. In simulation it is
/// signal <c>task.velocity</c>, under an operator it is command <c>velocity</c>. Reward per step: exp(-|velocity error|²/0.1) +
/// 0.5 exp(-(turning error)²/0.1) - 0.5 |roll and pitch rate|²/10 - 0.005 · |action|². It ends, with a reward of -1, where the trunk
/// sinks below 0.15 m or tilts by more than 60°.
/// Signals are of the trunk, one physics step old, as MuJoCo gives them.
/// </remarks>
public sealed class Quadruped : ILearningTask
{
    private const float Swing = 0.5f; // rad of an action of 1

    private static readonly float[] s_lower = [-0.5f, -0.3f, -0.6f], s_upper = [1, 0.3f, 0.6f], s_nominal = [0.5f, 0, 0];

    private static readonly (string Name, float Default, float Lower, float Upper)[] s_leg = [("hip", 0, -0.8f, 0.8f), ("thigh", 0.75f, -1, 2.4f), ("shin", -1.5f, -2.6f, -0.5f)];

    private static readonly RobotSpec s_robot = TaskRobot.Of("quadruped", 5, 5,
        [
            .. from leg in new[] { "FL", "FR", "RL", "RR" }
               from joint in s_leg
               select new JointSpec
               {
                   Name = $"{leg}_{joint.Name}", Default = joint.Default, Lower = joint.Lower, Upper = joint.Upper, RangeMargin = 0.3f, MaxSpeed = 60, MaxEffort = 20,
               },
        ],
        [
            new() { Name = "imu.orientation", Length = 4, Frame = "world", Source = "body_orientation:trunk" },
            new() { Name = "imu.angular_velocity", Length = 3, Unit = "rad/s", Frame = "body", Source = "body_angular_velocity:trunk" },
            new() { Name = "base.linear_velocity", Length = 3, Unit = "m/s", Frame = "body", Source = "body_linear_velocity:trunk" },
            new() { Name = "base.position", Length = 3, Unit = "m", Frame = "world", Source = "body_position:trunk" },
            new() { Name = "base.gravity", Length = 3, Frame = "body", Source = "task" },
            new() { Name = "task.velocity", Length = 3, Source = "task", Elements = ["vx", "vy", "yaw_rate"] },
        ],
        new() { Mode = HoldMode.Pose, Speed = 1 }) with
    {
        Simulator = new() { Kind = "mujoco", Model = "Quadruped.xml", Keyframe = "stand" },
    };

    private static readonly int s_orientation = Offset("imu.orientation"), s_turn = Offset("imu.angular_velocity"), s_velocity = Offset("base.linear_velocity"),
        s_height = Offset("base.position") + 2, s_gravity = Offset("base.gravity"), s_command = Offset("task.velocity");

    /// <inheritdoc/>
    public string Name => "quadruped";

    /// <inheritdoc/>
    public string Description => "a robot on four legs walks with the velocity that it is told";

    /// <inheritdoc/>
    public RobotSpec Robot => s_robot;

    /// <inheritdoc/>
    public PolicyManifest Wiring { get; } = TaskRobot.Wiring(s_robot, 20,
        [
            TaskRobot.Signal("base.linear_velocity"), TaskRobot.Signal("imu.angular_velocity"), TaskRobot.Signal("base.gravity"),
            new() { Name = "command", Kind = "command", Command = "velocity" },
            new() { Name = "joints", Kind = "joint_position", RelativeTo = "default" }, new() { Name = "joint_speeds", Kind = "joint_velocity" },
        ],
        [Swing], "default",
        [new() { Name = "velocity", Elements = ["vx", "vy", "yaw_rate"], Units = ["m/s", "m/s", "rad/s"], Lower = s_lower, Upper = s_upper, Default = [0, 0, 0] }]);

    /// <inheritdoc/>
    public TimeSpan Period { get; } = TimeSpan.FromMilliseconds(20);

    /// <inheritdoc/>
    public int StepLimit => 500;

    /// <inheritdoc/>
    public IReadOnlyList<DynamicsParameter> Dynamics => TaskRobot.AllPhysics;

    /// <inheritdoc/>
    public float Reward(ReadOnlySpan<float> previous, ReadOnlySpan<float> targets, ReadOnlySpan<float> reached)
    {
        if (IsOver(reached))
        {
            return -1;
        }

        float forward = reached[s_velocity] - reached[s_command], sideways = reached[s_velocity + 1] - reached[s_command + 1];
        float turning = reached[s_turn + 2] - reached[s_command + 2];
        float rocking = (reached[s_turn] * reached[s_turn]) + (reached[s_turn + 1] * reached[s_turn + 1]);
        float effort = 0;
        for (int j = 0; j < targets.Length; j++)
        {
            float action = (targets[j] - s_leg[j % s_leg.Length].Default) / Swing;
            effort += action * action;
        }

        return MathF.Exp(-((forward * forward) + (sideways * sideways)) / 0.1f) + (0.5f * MathF.Exp(-turning * turning / 0.1f))
            - Math.Min(0.05f * rocking, 1) - (0.005f * effort);
    }

    /// <inheritdoc/>
    public bool IsOver(ReadOnlySpan<float> reached) => reached[s_height] < 0.15f || reached[s_gravity + 2] > -0.5f;

    /// <inheritdoc/>
    public ITaskWorld CreateWorld(TimeSpan period) => new MujocoWorld(this, period, new() { JointFraction = 0.1, BaseSpeed = 0.1 }, Draw, Derive);

    private static int Offset(string signal) => s_robot.Layout.Find(signal)!.Offset;

    private static void Draw(SeededRandom? random, Span<float> signals)
    {
        for (int i = 0; i < 3; i++)
        {
            signals[s_command + i] = random is null ? s_nominal[i] : (float)random.NextDouble(s_lower[i], s_upper[i]);
        }
    }

    /// <summary>Which way is down, in the trunk's frame: minus the third row of the rotation matrix.</summary>
    private static void Derive(Span<float> signals)
    {
        float w = signals[s_orientation], x = signals[s_orientation + 1], y = signals[s_orientation + 2], z = signals[s_orientation + 3];
        signals[s_gravity] = -2 * ((x * z) - (w * y));
        signals[s_gravity + 1] = -2 * ((y * z) + (w * x));
        signals[s_gravity + 2] = (2 * ((x * x) + (y * y))) - 1;
    }
}
