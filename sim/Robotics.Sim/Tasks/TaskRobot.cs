using Robotics.Packages;

namespace Robotics.Sim.Tasks;

/// <summary>What the built-in learning tasks write alike: the robot around joints and signals, and the wiring to it.</summary>
internal static class TaskRobot
{
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
