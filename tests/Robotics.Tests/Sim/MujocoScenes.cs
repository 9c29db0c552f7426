using Robotics.Sim.Mujoco;

namespace Robotics.Tests.Sim;

/// <summary>Small scenes of our own, and the robots in them.</summary>
internal static class MujocoScenes
{
    private const string Pendulum = """
        <mujoco><compiler angle="radian"/><option timestep="0.002" gravity="0 0 0"/><worldbody>
        <body name="arm"><joint name="hinge" axis="0 1 0" armature="0.1"/><geom type="capsule" size="0.02" fromto="0 0 0 0.3 0 0" mass="0.1"/>
        <site name="tip" pos="0.3 0 0"/></body></worldbody><actuator>ACTUATOR</actuator>
        <sensor><jointpos name="angle" joint="hinge"/></sensor>
        <keyframe><key name="bent" qpos="0.5"/></keyframe></mujoco>
        """;

    public const string Motor = """<motor name="m" joint="hinge" gear="2"/>""";
    public const string Position = """<position name="m" joint="hinge" kp="20"/>""";

    /// <summary>Skips the test when MuJoCo is absent.</summary>
    public static void Require() =>
        Assert.SkipUnless(MujocoLibrary.IsAvailable(out _), "libmujoco is not installed: apt install libmujoco2.2.2");

    public static RobotSpec Arm(string actuator, TargetKind command, HoldSpec? hold = null, params SignalSpec[] signals)
    {
        Require();
        string folder = Directory.CreateTempSubdirectory("mujoco").FullName;
        File.WriteAllText(Path.Combine(folder, "arm.xml"), Pendulum.Replace("ACTUATOR", actuator, StringComparison.Ordinal));
        return new()
        {
            Name = "arm",
            Joints = [new() { Name = "hinge", Command = command, Lower = -3, Upper = 3, MaxSpeed = 10, MaxEffort = 10 }],
            Signals = signals,
            StatePeriodMs = 10,
            ServoPeriodMs = 2,
            Hold = hold ?? new(),
            Simulator = new() { Kind = "mujoco", Model = "arm.xml", Keyframe = "bent" },
            Origin = Path.Combine(folder, "robot.json"),
        };
    }

    public static MujocoEnvironment Open(RobotSpec robot) => new(robot, TimeSpan.FromMilliseconds(10));
}
