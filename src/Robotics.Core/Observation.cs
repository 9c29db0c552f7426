namespace Robotics;

/// <summary>What the robot's own side is doing, as it reports it.</summary>
public enum RobotMode : byte
{
    /// <summary>Holding as its description says; nobody commands it.</summary>
    Holding,

    /// <summary>Following fresh commands.</summary>
    Active,

    /// <summary>Something on the robot is broken; it holds and takes no commands.</summary>
    Fault,

    /// <summary>Emergency stop, latched until cleared by a person.</summary>
    EmergencyStop,
}

/// <summary>One measurement of a robot: its signal frame and when it was taken. Preallocated and overwritten.</summary>
/// <remarks>Owned by the thread that reads the robot.</remarks>
/// <param name="length">Number of floats in the robot's signal frame.</param>
public sealed class Observation(int length)
{
    /// <summary>The signal frame, laid out by <see cref="RobotSpec.Layout"/>; SI units.</summary>
    public float[] Signals { get; } = new float[length];

    /// <summary>Counts the robot's measurements; grows by one each.</summary>
    public ulong Sequence { get; set; }

    /// <summary>When it was measured, on the robot's clock.</summary>
    public MonotonicTime MeasuredAt { get; set; }

    /// <summary>When it was measured, translated to this machine's clock; as good as the link's offset estimate.</summary>
    public MonotonicTime MeasuredAtLocal { get; set; }

    /// <summary>When it arrived here, on this machine's clock.</summary>
    public MonotonicTime ReceivedAt { get; set; }

    /// <summary>What the robot's own side is doing.</summary>
    public RobotMode Mode { get; set; }

    /// <summary>Why the robot's own side holds; <see cref="HoldReason.None"/> while it follows.</summary>
    public HoldReason ModeReason { get; set; }

    /// <summary>Sequence of the newest command the robot applied; 0 before the first.</summary>
    public ulong AppliedCommand { get; set; }

    /// <summary>Action age: from the measurement that the applied command answers to the instant the robot applied it,
    /// both on the robot's clock, so no clock offset enters. Nanoseconds; 0 before the first command.</summary>
    public long ActionAgeNs { get; set; }

    /// <summary>Copies everything into <paramref name="into"/>, which has the same length. Allocation-free.</summary>
    public void CopyTo(Observation into)
    {
        ArgumentNullException.ThrowIfNull(into);
        Signals.CopyTo(into.Signals, 0);
        into.Sequence = Sequence;
        into.MeasuredAt = MeasuredAt;
        into.MeasuredAtLocal = MeasuredAtLocal;
        into.ReceivedAt = ReceivedAt;
        into.Mode = Mode;
        into.ModeReason = ModeReason;
        into.AppliedCommand = AppliedCommand;
        into.ActionAgeNs = ActionAgeNs;
    }
}

/// <summary>What <see cref="IRobot.Read"/> found. Ordinary results, not errors.</summary>
public enum ReadStatus
{
    /// <summary>A measurement newer than the last read.</summary>
    Fresh,

    /// <summary>Nothing newer than the last read; the buffer is unchanged.</summary>
    Repeated,

    /// <summary>The robot is not there; the buffer is unchanged.</summary>
    Missing,
}
