namespace Robotics.Fleet;

/// <summary>Why the robot side dropped a command. Ordinary results; each has its counter.</summary>
public enum CommandDrop
{
    /// <summary>It was not dropped.</summary>
    None,

    /// <summary>Truncated or too long.</summary>
    Length,

    /// <summary>The checksum does not hold.</summary>
    Checksum,

    /// <summary>No command frame of this protocol.</summary>
    Foreign,

    /// <summary>A newer version of this protocol.</summary>
    Version,

    /// <summary>The broker had kept it: nobody may command a robot from the past.</summary>
    Retained,

    /// <summary>Nobody holds the lease.</summary>
    NoLease,

    /// <summary>Of another lease than the one in force.</summary>
    WrongEpoch,

    /// <summary>Not newer than the newest command seen: a duplicate, or out of order.</summary>
    Sequence,

    /// <summary>Too late: it had expired when it arrived, or answers to an observation too old or from the future.</summary>
    Expired,

    /// <summary>NaN or infinity among the targets.</summary>
    NotFinite,

    /// <summary>The robot side holds until it is resumed.</summary>
    NotArmed,

    /// <summary>The robot side's own safety gate refused it.</summary>
    Gate,
}

/// <summary>Counters and state of the robot side at one instant.</summary>
/// <param name="Connected">The broker is there.</param>
/// <param name="StatesSent">State frames given to the broker.</param>
/// <param name="StatesSkipped">State frames left out because the one before had not left yet, or no broker was there.</param>
/// <param name="Accepted">Commands that reached the local robot.</param>
/// <param name="Dropped">Commands dropped, indexed by <see cref="CommandDrop"/>.</param>
/// <param name="DeadManHolds">Times the robot side held because no fresh command came.</param>
/// <param name="Holder">Client that holds the lease; null for nobody.</param>
/// <param name="Epoch">Epoch of the lease in force; 0 for none.</param>
/// <param name="Mode">What the robot side is doing.</param>
/// <param name="Reason">Why it holds.</param>
/// <param name="ActionAge">Newest action age.</param>
/// <param name="MaxActionAge">Oldest action age of the lease in force.</param>
public sealed record RobotServerStatus(
    bool Connected, ulong StatesSent, ulong StatesSkipped, ulong Accepted, IReadOnlyList<ulong> Dropped, ulong DeadManHolds, string? Holder,
    uint Epoch, RobotMode Mode, HoldReason Reason, TimeSpan ActionAge, TimeSpan MaxActionAge)
{
    /// <summary>Commands dropped for <paramref name="why"/>.</summary>
    public ulong DroppedFor(CommandDrop why) => Dropped[(int)why];

    /// <summary>Commands dropped for any reason.</summary>
    public ulong DroppedInAll => Dropped.Aggregate(0UL, (sum, count) => sum + count);
}
