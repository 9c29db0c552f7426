using Robotics.Safety;

namespace Robotics;

/// <summary>The state of the path to a robot. A snapshot; for in-process robots always up with zeros.</summary>
/// <param name="Up">True while the robot is known to be reachable.</param>
/// <param name="Reason">Why it is not up: <see cref="HoldReason.RobotMissing"/>, <see cref="HoldReason.LinkLost"/> or
/// <see cref="HoldReason.LeaseLost"/>; None while up.</param>
/// <param name="RoundTrip">Newest measured round trip.</param>
/// <param name="ClockOffset">Robot clock minus local clock.</param>
/// <param name="Dropped">Frames dropped since the start, for any reason.</param>
public readonly record struct LinkStatus(bool Up, HoldReason Reason, TimeSpan RoundTrip, TimeSpan ClockOffset, ulong Dropped)
{
    /// <summary>A path that cannot fail.</summary>
    public static LinkStatus Direct => new(true, HoldReason.None, TimeSpan.Zero, TimeSpan.Zero, 0);
}

/// <summary>Gains of a PD servo that turns targets into efforts: <c>tau = stiffness (target - q) - damping dq</c>.</summary>
/// <param name="Stiffness">[Nj] Nm/rad or N/m, at least 0.</param>
/// <param name="Damping">[Nj] Nm·s/rad or N·s/m, at least 0.</param>
/// <param name="EffortLimit">[Nj] Nm or N, above 0; the servo clips to it.</param>
public sealed record ServoGains(IReadOnlyList<float> Stiffness, IReadOnlyList<float> Damping, IReadOnlyList<float> EffortLimit);

/// <summary>What the targets of a claim mean, fixed for as long as the claim lasts.</summary>
/// <param name="Kinds">[Nj] what each joint's target is.</param>
/// <param name="Servo">Gains for joints whose drive takes efforts while <see cref="Kinds"/> says position or velocity; the
/// robot's side runs this servo at its servo period. Null: the drives take the targets as they are.</param>
public sealed record CommandMode(IReadOnlyList<TargetKind> Kinds, ServoGains? Servo)
{
    /// <summary>Every joint takes what its own drive takes.</summary>
    public static CommandMode Native(RobotSpec robot)
    {
        ArgumentNullException.ThrowIfNull(robot);
        return new([.. robot.Joints.Select(joint => joint.Command)], null);
    }

    /// <summary>Says why <paramref name="robot"/> cannot take this mode, or null when it can.</summary>
    public string? Mismatch(RobotSpec robot)
    {
        ArgumentNullException.ThrowIfNull(robot);
        int joints = robot.Joints.Count;
        if (Kinds.Count != joints)
        {
            return $"the command names {Kinds.Count} joint kinds, robot '{robot.Name}' has {joints} joints";
        }

        if (Servo is { } servo && (servo.Stiffness.Count != joints || servo.Damping.Count != joints || servo.EffortLimit.Count != joints))
        {
            return $"the servo gains have {servo.Stiffness.Count}, {servo.Damping.Count} and {servo.EffortLimit.Count} elements, "
                + $"robot '{robot.Name}' has {joints} joints";
        }

        for (int j = 0; j < joints; j++)
        {
            var drive = robot.Joints[j].Command;
            bool servoed = Servo is not null && drive == TargetKind.Effort && Kinds[j] != TargetKind.Effort;
            if (Kinds[j] != drive && !servoed)
            {
                return $"joint '{robot.Joints[j].Name}' takes {Word(drive)} targets, the command sends {Word(Kinds[j])} targets"
                    + (drive == TargetKind.Effort ? "; give 'action.servo' gains in the policy's manifest" : "");
            }
        }

        return null;

        static string Word(TargetKind kind) => kind switch
        {
            TargetKind.Position => "position",
            TargetKind.Velocity => "velocity",
            _ => "effort",
        };
    }
}

/// <summary>A robot: read it, send it sealed commands, stop it. Simulated, across MQTT, or behind a wire.</summary>
/// <remarks>
/// <see cref="Read"/> and <see cref="Send"/> belong to the loop thread: they never wait, allocate or throw on what the robot
/// does. Everything else may be called from any other thread. A robot holds by itself whenever its newest command is older
/// than that command's <see cref="SafeCommand.ValidFor"/>.
/// </remarks>
public interface IRobot : IDisposable
{
    /// <summary>The robot's description; constant for the lifetime of this object.</summary>
    RobotSpec Spec { get; }

    /// <summary>State of the path to the robot; cheap, allocation-free, any thread.</summary>
    LinkStatus Link { get; }

    /// <summary>Takes the robot for this controller, or says why not. Nothing moves yet.</summary>
    /// <param name="mode">What the targets will mean.</param>
    /// <param name="cancellation">Gives up waiting.</param>
    /// <exception cref="RobotRefusedException">Another controller holds it, it is faulted, or it cannot take this mode.</exception>
    Task ClaimAsync(CommandMode mode, CancellationToken cancellation);

    /// <summary>Gives the robot back; it holds. Does nothing when not claimed.</summary>
    Task ReleaseAsync(CancellationToken cancellation);

    /// <summary>Copies the newest measurement into <paramref name="into"/>.</summary>
    ReadStatus Read(Observation into);

    /// <summary>Hands over a command; a hold command makes the robot hold now.</summary>
    void Send(in SafeCommand command);

    /// <summary>Stops the robot and latches; cleared on the robot's side by a person.</summary>
    void EmergencyStop();
}

/// <summary>A robot said no to a claim: taken, faulted, or unable. The message names both sides and the next step.</summary>
public sealed class RobotRefusedException : Exception
{
    /// <summary>Creates the refusal.</summary>
    public RobotRefusedException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the refusal with its cause.</summary>
    public RobotRefusedException(string message, Exception inner)
        : base(message, inner)
    {
    }

    /// <summary>Creates an unexplained refusal.</summary>
    public RobotRefusedException()
        : base("The robot refused the claim.")
    {
    }
}
