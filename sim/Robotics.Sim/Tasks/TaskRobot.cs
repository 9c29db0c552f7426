using Robotics.Packages;

namespace Robotics.Sim.Tasks;

/// <summary>What the built-in learning tasks write alike: the robot around joints and signals, and the wiring to it.</summary>
internal static class TaskRobot
{
    /// <summary>What every MuJoCo task can change.</summary>
    public static IReadOnlyList<DynamicsParameter> AllPhysics { get; } =
        [DynamicsParameter.Gravity, DynamicsParameter.Friction, DynamicsParameter.Mass, DynamicsParameter.Damping, DynamicsParameter.Motor];

    /// <summary>A body on joints x, z and pitch. A float holds x to 0.1 mm within 1 km.</summary>
    public static IReadOnlyList<SignalSpec> PlanarBase { get; } =
    [
        new() { Name = "base.x", Length = 1, Unit = "m", Frame = "world", Source = "joint_position:x" },
        new() { Name = "base.z", Length = 1, Unit = "m", Frame = "world", Source = "joint_position:z" },
        new() { Name = "base.pitch", Length = 1, Unit = "rad", Frame = "world", Source = "joint_position:pitch" },
        new() { Name = "base.speed", Length = 1, Unit = "m/s", Frame = "world", Source = "joint_velocity:x" },
        new() { Name = "base.lift", Length = 1, Unit = "m/s", Frame = "world", Source = "joint_velocity:z" },
        new() { Name = "base.pitching", Length = 1, Unit = "rad/s", Frame = "world", Source = "joint_velocity:pitch" },
    ];

    /// <summary>Everything about a planar body except where it is.</summary>
    public static IReadOnlyList<ObservationTerm> PlanarTerms { get; } =
    [
        Signal("base.z"), Signal("base.pitch"), new() { Name = "joints", Kind = "joint_position" },
        Signal("base.speed"), Signal("base.lift"), Signal("base.pitching"), new() { Name = "joint_speeds", Kind = "joint_velocity" },
    ];

    /// <summary>The signal as it is.</summary>
    public static ObservationTerm Signal(string name) => new() { Name = name.Replace('.', '_'), Kind = "signal", Signal = name };

    /// <summary>A hinge under a motor. The scene's own stops keep it; the gate's range lies beyond them, so that it never takes an effort
    /// away which the policy was trained with.</summary>
    public static JointSpec Motor(string name, float maxEffort) => new()
    {
        Name = name, Command = TargetKind.Effort, Lower = -4, Upper = 4, MaxSpeed = 100, MaxEffort = maxEffort,
    };

    /// <summary>|action|² of efforts; 0 while holding.</summary>
    public static float SquaredEffort(ReadOnlySpan<float> targets, ReadOnlySpan<float> greatest)
    {
        float sum = 0;
        for (int j = 0; j < targets.Length; j++)
        {
            float action = targets[j] / greatest[j];
            sum += action * action;
        }

        return sum;
    }

    public static RobotSpec Of(string name, double statePeriodMs, double servoPeriodMs, IReadOnlyList<JointSpec> joints, IReadOnlyList<SignalSpec> signals, HoldSpec? hold = null) => new()
    {
        Name = name,
        Joints = joints,
        Signals = [.. signals, new() { Name = TaskEnvironment.EpisodeSignal, Length = 1, Source = "task" }],
        StatePeriodMs = statePeriodMs,
        ServoPeriodMs = servoPeriodMs,
        Hold = hold ?? new() { Mode = HoldMode.Zero },
        Origin = $"{name} (built in)",
    };

    /// <param name="robot">The task's robot.</param>
    /// <param name="periodMs">Control period.</param>
    /// <param name="terms">Of the one observation group.</param>
    /// <param name="scale">Target of an action of 1; one for all joints or one for each.</param>
    /// <param name="relativeTo"><c>default</c>: actions move about the default pose.</param>
    /// <param name="commands">What an operator may ask for.</param>
    public static PolicyManifest Wiring(RobotSpec robot, double periodMs, IReadOnlyList<ObservationTerm> terms, IReadOnlyList<float> scale, string? relativeTo = null,
        IReadOnlyList<CommandSpec>? commands = null) => new()
    {
        Name = robot.Name,
        Files = [],
        Models = [],
        Commands = commands ?? [],
        Observations = [new() { Name = "observation", Terms = terms }],
        Action = new()
        {
            Joints = robot.JointNames(),
            Kind = [.. robot.Joints.Select(joint => joint.Command)],
            ClipRaw = [-1, 1],
            Scale = scale,
            RelativeTo = relativeTo,
        },
        Timing = new() { PeriodMs = periodMs, PhysicsPeriodMs = robot.ServoPeriodMs, LateTicks = 3 },
        Origin = robot.Origin,
    };

    public static void RequireNative(RobotSpec robot, CommandMode mode)
    {
        ArgumentNullException.ThrowIfNull(mode);
        if (mode.Mismatch(robot) is { } mismatch)
        {
            throw new ArgumentException(mismatch, nameof(mode));
        }
    }
}
