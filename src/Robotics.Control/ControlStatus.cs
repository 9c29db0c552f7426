namespace Robotics.Control;

/// <summary>A glance at a running loop, for one status line per second. Counters run from the loop's start.</summary>
public sealed record ControlStatus
{
    /// <summary>Where the loop stands.</summary>
    public required ControlState State { get; init; }

    /// <summary>Why; while Holding the first cause.</summary>
    public required HoldReason Reason { get; init; }

    /// <summary>First cause of the newest hold or stop; None when it never held.</summary>
    public required HoldReason FirstReason { get; init; }

    /// <summary>What stands in the way of a resume right now; None when nothing does.</summary>
    public required HoldReason Blocking { get; init; }

    /// <summary>Times it went to Holding.</summary>
    public required long Holds { get; init; }

    /// <summary>Ticks so far.</summary>
    public required long Ticks { get; init; }

    /// <summary>Ticks skipped because the loop woke after the next one was due.</summary>
    public required long TicksMissed { get; init; }

    /// <summary>Ticks per second since the last snapshot.</summary>
    public required double TickRate { get; init; }

    /// <summary>Time since the run's first action, holds included; 0 before it.</summary>
    public required TimeSpan RunTime { get; init; }

    /// <summary>Wake-up lateness at OBSERVE.</summary>
    public required DurationFigures Lateness { get; init; }

    /// <summary>Work of one tick, waiting excluded.</summary>
    public required DurationFigures Work { get; init; }

    /// <summary>Time of one call of the policy.</summary>
    public required DurationFigures Plan { get; init; }

    /// <summary>Plans asked for.</summary>
    public required long Plans { get; init; }

    /// <summary>Plans that came after their last row was over, or that the policy gave up as late.</summary>
    public required long PlansLate { get; init; }

    /// <summary>Plans the policy refused.</summary>
    public required long PlansRefused { get; init; }

    /// <summary>Ticks on which the last row stood in for a late plan.</summary>
    public required long RowsRepeated { get; init; }

    /// <summary>Ticks on which the gate changed or refused something.</summary>
    public required long GateTouched { get; init; }

    /// <summary>[16] times each gate reason applied, in the order of <see cref="Safety.GateReasons"/>' bits.</summary>
    public required IReadOnlyList<ulong> GateCounts { get; init; }

    /// <summary>Age of the newest observation at the newest tick.</summary>
    public required TimeSpan ObservationAge { get; init; }

    /// <summary>Newest action age the robot reported.</summary>
    public required TimeSpan ActionAge { get; init; }

    /// <summary>State of the path to the robot.</summary>
    public required LinkStatus Link { get; init; }

    /// <summary>Rows the recorder dropped; 0 without one.</summary>
    public required long RecordsDropped { get; init; }

    /// <summary>Managed bytes the ticks allocated; 0, unless the robot or the policy's parts allocate.</summary>
    public required long LoopAllocatedBytes { get; init; }

    /// <summary>Managed bytes the plans allocated.</summary>
    public required long PlannerAllocatedBytes { get; init; }

    /// <summary>The policy's, robot driver's or recorder's own words about the newest failure; null when there was none.</summary>
    public required string? Fault { get; init; }
}

/// <summary>A distribution of durations in three numbers; too high by at most 3.2 %, except the maximum, which is exact.</summary>
/// <param name="P50">Median.</param>
/// <param name="P99">99th percentile.</param>
/// <param name="Max">Longest.</param>
public readonly record struct DurationFigures(TimeSpan P50, TimeSpan P99, TimeSpan Max)
{
    internal static DurationFigures Of(LatencyHistogram histogram) => new(
        TimeSpan.FromTicks(histogram.PercentileNs(0.5) / 100),
        TimeSpan.FromTicks(histogram.PercentileNs(0.99) / 100),
        TimeSpan.FromTicks(histogram.MaxNs / 100));
}
