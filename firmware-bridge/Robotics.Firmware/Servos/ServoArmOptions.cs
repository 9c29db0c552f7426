namespace Robotics.Firmware.Servos;

/// <summary>How hard and how patient an arm of smart servos is.</summary>
public sealed record ServoArmOptions
{
    /// <summary>Share of the largest effort that every joint may use, 0.05 to 1.</summary>
    public float TorqueLimit { get; init; } = 1;

    /// <summary>The same for single joints by name, for example a gripper that should not crush.</summary>
    public IReadOnlyDictionary<string, float> TorqueLimits { get; init; } = new Dictionary<string, float>();

    /// <summary>How long a servo may be silent before the arm counts as lost, 20 ms to 2 s.</summary>
    public TimeSpan Silence { get; init; } = TimeSpan.FromMilliseconds(250);

    /// <summary>Time between attempts to find a lost arm again, 10 ms to 10 s.</summary>
    public TimeSpan Retry { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>Servos that can (Dynamixel X) stop by themselves when they hear nothing for this long, 40 ms to 2.5 s.</summary>
    public TimeSpan Watchdog { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>Returns this record, or reports everything wrong with it at once.</summary>
    /// <param name="robot">The robot whose joints are named.</param>
    /// <param name="source">Where the values came from, for the message.</param>
    /// <exception cref="ConfigException">One or more values are out of range.</exception>
    public ServoArmOptions Checked(RobotSpec robot, string source)
    {
        ArgumentNullException.ThrowIfNull(robot);
        var check = new ConfigCheck(source);
        check.Range(TorqueLimit, 0.05, 1, "torque limit");
        foreach (var (joint, limit) in TorqueLimits)
        {
            check.Range(limit, 0.05, 1, $"torque limit of '{joint}'");
            check.That(robot.Joints.Any(known => known.Name == joint), $"torque limit of '{joint}'", $"names no joint of robot '{robot.Name}', which has: {string.Join(", ", robot.JointNames())}");
        }

        check.Range(Silence.TotalMilliseconds, 20, 2000, nameof(Silence));
        check.Range(Retry.TotalMilliseconds, 10, 10_000, nameof(Retry));
        check.Range(Watchdog.TotalMilliseconds, 40, 2500, nameof(Watchdog));
        check.That(Watchdog.TotalMilliseconds >= 3 * robot.ServoPeriodMs, nameof(Watchdog), FormattableString.Invariant(
            $"is {Watchdog.TotalMilliseconds} ms, robot '{robot.Name}' has a servo_period_ms of {robot.ServoPeriodMs}: less than three of those would stop it between two packets"));
        check.Throw();
        return this;
    }
}
