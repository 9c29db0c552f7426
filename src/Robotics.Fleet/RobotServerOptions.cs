namespace Robotics.Fleet;

/// <summary>How strict the robot side is. The defaults suit a LAN.</summary>
public sealed record RobotServerOptions
{
    /// <summary>Longest validity a command may ask for; a longer one counts as this, so nobody can switch the dead-man off.</summary>
    public TimeSpan MaxValidFor { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Oldest observation a command may answer to, on the robot's clock. A chunk of actions answers to one observation,
    /// so this is the longest chunk plus its inference.</summary>
    public TimeSpan MaxObservationAge { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Oldest measurement that the gate may correct a command with; beyond it the robot side holds.</summary>
    public TimeSpan MaxMeasurementAge { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>What makes the link worse on purpose; null: nothing, and no extra thread.</summary>
    public LinkFault? Fault { get; init; }

    /// <summary>What the local robot says is wrong with it, by name and without a full stop; null, or an answer of null: it says nothing.
    /// Called under the lock: it must not wait.</summary>
    public Func<string?>? Trouble { get; init; }

    /// <summary>Releases the local robot's emergency stop after a <c>clear</c>; null: it is cleared at the robot, and <c>clear</c>
    /// releases the robot side's own latch only.</summary>
    public Action? ClearEmergencyStop { get; init; }
}

/// <summary>Makes a link worse on purpose, repeatably: delays are exact to about a millisecond, chances are drawn from a seed.</summary>
public sealed record LinkFault
{
    /// <summary>Every outgoing state leaves this much later.</summary>
    public TimeSpan StateDelay { get; init; }

    /// <summary>Every incoming command arrives this much later.</summary>
    public TimeSpan CommandDelay { get; init; }

    /// <summary>Time requests are delayed by <see cref="CommandDelay"/> and their answers by <see cref="StateDelay"/> too.</summary>
    public bool DelayTime { get; init; }

    /// <summary>Share of states and commands that vanish, 0 to 1.</summary>
    public double DropRate { get; init; }

    /// <summary>Share that comes twice, 0 to 1.</summary>
    public double DuplicateRate { get; init; }

    /// <summary>Share that comes <see cref="ReorderBy"/> later than the rest, 0 to 1.</summary>
    public double ReorderRate { get; init; }

    /// <summary>How much later a reordered one comes.</summary>
    public TimeSpan ReorderBy { get; init; } = TimeSpan.FromMilliseconds(30);

    /// <summary>Everything goes well until this long after the start.</summary>
    public TimeSpan After { get; init; }

    /// <summary>Delays grow evenly from nothing to their full length over this long; a jump would open a gap between two frames.</summary>
    public TimeSpan Ramp { get; init; }

    /// <summary>Start of the draws.</summary>
    public ulong Seed { get; init; }

    /// <summary>Throws when a rate or a delay makes no sense.</summary>
    /// <exception cref="ConfigException">Everything that is wrong.</exception>
    public void Check()
    {
        var check = new ConfigCheck("link fault");
        check.Range(DropRate, 0, 1, nameof(DropRate));
        check.Range(DuplicateRate, 0, 1, nameof(DuplicateRate));
        check.Range(ReorderRate, 0, 1, nameof(ReorderRate));
        check.Range(StateDelay.TotalSeconds, 0, 60, nameof(StateDelay));
        check.Range(CommandDelay.TotalSeconds, 0, 60, nameof(CommandDelay));
        check.Range(After.TotalSeconds, 0, 1e6, nameof(After));
        check.Range(Ramp.TotalSeconds, 0, 1e6, nameof(Ramp));
        check.Range(ReorderBy.TotalSeconds, 0, 60, nameof(ReorderBy));
        check.Throw();
    }
}
