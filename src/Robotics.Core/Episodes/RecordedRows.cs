using Robotics.Safety;

namespace Robotics.Episodes;

/// <summary>A <see cref="TickRow"/> read back, on the heap.</summary>
public sealed class EpisodeTick
{
    /// <summary>Counts ticks of the run from 0.</summary>
    public ulong Tick { get; set; }

    /// <summary>When the tick was due.</summary>
    public MonotonicTime Due { get; set; }

    /// <summary>How late the loop woke, ns.</summary>
    public long LatenessNs { get; set; }

    /// <summary>Time the tick's own work took, ns, waiting excluded.</summary>
    public long WorkNs { get; set; }

    /// <summary>State after the tick.</summary>
    public ControlState State { get; set; }

    /// <summary>Why it holds; None while running.</summary>
    public HoldReason Reason { get; set; }

    /// <summary>Sequence of the observation used.</summary>
    public ulong Observation { get; set; }

    /// <summary>Age of the observation at the tick, ns.</summary>
    public long ObservationAgeNs { get; set; }

    /// <summary>Newest action age reported by the robot, ns.</summary>
    public long ActionAgeNs { get; set; }

    /// <summary>Plan that the row came from; 0 for none.</summary>
    public ulong Plan { get; set; }

    /// <summary>Row of the plan; -1 for none.</summary>
    public int Row { get; set; } = -1;

    /// <summary>Number of the route that is followed; 0 for none.</summary>
    public ulong Route { get; set; }

    /// <summary>Current row of the route, from 0; -1 for none.</summary>
    public int RouteRow { get; set; } = -1;

    /// <summary>Bit j: the gate changed joint j.</summary>
    public ulong GateTouched { get; set; }

    /// <summary>Why the gate changed or refused.</summary>
    public GateReasons GateReasons { get; set; }

    /// <summary>[frame] the robot's signal frame.</summary>
    public float[] Signals { get; set; } = [];

    /// <summary>[Nj] targets before the gate; empty when there were none.</summary>
    public float[] Wanted { get; set; } = [];

    /// <summary>[Nj] targets sent; empty for a hold.</summary>
    public float[] Sent { get; set; } = [];

    /// <summary>Operator command vector.</summary>
    public float[] Command { get; set; } = [];
}

/// <summary>A <see cref="PlanRow"/> read back, on the heap.</summary>
public sealed class EpisodePlan
{
    /// <summary>Counts plans from 1.</summary>
    public ulong Plan { get; set; }

    /// <summary>When the loop asked.</summary>
    public MonotonicTime RequestedAt { get; set; }

    /// <summary>When the inference thread began.</summary>
    public MonotonicTime StartedAt { get; set; }

    /// <summary>When it ended.</summary>
    public MonotonicTime FinishedAt { get; set; }

    /// <summary>When it had to be there.</summary>
    public MonotonicTime Deadline { get; set; }

    /// <summary>How it ended.</summary>
    public PlanStatus Status { get; set; }

    /// <summary>Network calls.</summary>
    public int Calls { get; set; }

    /// <summary>Energy of the planned chunk; NaN when the policy has none.</summary>
    public float Energy { get; set; } = float.NaN;

    /// <summary>True when the policy was reset before this plan.</summary>
    public bool AfterReset { get; set; }

    /// <summary>[Do] the observation vector it planned from.</summary>
    public float[] Observation { get; set; } = [];

    /// <summary>[Ta, Da] the plan; empty unless planned.</summary>
    public float[] Chunk { get; set; } = [];
}

/// <summary>The state of the link at an instant.</summary>
/// <param name="Time">When.</param>
/// <param name="Link">The state.</param>
public sealed record EpisodeLink(MonotonicTime Time, LinkStatus Link);
