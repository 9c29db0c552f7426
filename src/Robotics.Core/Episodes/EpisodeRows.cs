using Robotics.Safety;

namespace Robotics.Episodes;

/// <summary>One control tick as it is recorded.</summary>
public readonly ref struct TickRow
{
    /// <summary>Counts ticks of the run from 0.</summary>
    public ulong Tick { get; init; }

    /// <summary>When the tick was due.</summary>
    public MonotonicTime Due { get; init; }

    /// <summary>How late the loop woke, ns.</summary>
    public long LatenessNs { get; init; }

    /// <summary>Time the tick's own work took, ns, waiting excluded.</summary>
    public long WorkNs { get; init; }

    /// <summary>State after the tick.</summary>
    public ControlState State { get; init; }

    /// <summary>Why it holds; None while running.</summary>
    public HoldReason Reason { get; init; }

    /// <summary>Sequence of the observation used.</summary>
    public ulong Observation { get; init; }

    /// <summary>Age of the observation at the tick, ns.</summary>
    public long ObservationAgeNs { get; init; }

    /// <summary>Newest action age reported by the robot, ns.</summary>
    public long ActionAgeNs { get; init; }

    /// <summary>Plan that the row came from; 0 for none.</summary>
    public ulong Plan { get; init; }

    /// <summary>Row of the plan; -1 for none.</summary>
    public int Row { get; init; }

    /// <summary>Number of the route that is followed; 0 for none.</summary>
    public ulong Route { get; init; }

    /// <summary>Current row of the route, from 0; -1 for none.</summary>
    public int RouteRow { get; init; }

    /// <summary>Bit j: the gate changed joint j.</summary>
    public ulong GateTouched { get; init; }

    /// <summary>Why the gate changed or refused.</summary>
    public GateReasons GateReasons { get; init; }

    /// <summary>[frame] the robot's signal frame.</summary>
    public ReadOnlySpan<float> Signals { get; init; }

    /// <summary>[Nj] targets before the gate; empty when there were none.</summary>
    public ReadOnlySpan<float> Wanted { get; init; }

    /// <summary>[Nj] targets sent; empty for a hold.</summary>
    public ReadOnlySpan<float> Sent { get; init; }

    /// <summary>Operator command vector, all commands of the policy one after another.</summary>
    public ReadOnlySpan<float> Command { get; init; }
}

/// <summary>One plan as it is recorded.</summary>
public readonly ref struct PlanRow
{
    /// <summary>Counts plans from 1.</summary>
    public ulong Plan { get; init; }

    /// <summary>When the loop asked.</summary>
    public MonotonicTime RequestedAt { get; init; }

    /// <summary>When the inference thread began.</summary>
    public MonotonicTime StartedAt { get; init; }

    /// <summary>When it ended.</summary>
    public MonotonicTime FinishedAt { get; init; }

    /// <summary>When it had to be there.</summary>
    public MonotonicTime Deadline { get; init; }

    /// <summary>How it ended.</summary>
    public PlanStatus Status { get; init; }

    /// <summary>Network calls.</summary>
    public int Calls { get; init; }

    /// <summary>Energy of the planned chunk; NaN when the policy has none.</summary>
    public float Energy { get; init; }

    /// <summary>True when the policy was reset before this plan.</summary>
    public bool AfterReset { get; init; }

    /// <summary>[Do] the observation vector it planned from.</summary>
    public ReadOnlySpan<float> Observation { get; init; }

    /// <summary>[Ta, Da] the plan; empty unless planned.</summary>
    public ReadOnlySpan<float> Chunk { get; init; }
}

/// <summary>A change of state or anything a person should read.</summary>
/// <param name="Time">When.</param>
/// <param name="From">State before.</param>
/// <param name="To">State after; equal to <paramref name="From"/> for plain messages.</param>
/// <param name="Reason">Why.</param>
/// <param name="Text">One sentence with the figures.</param>
public sealed record EventRow(MonotonicTime Time, ControlState From, ControlState To, HoldReason Reason, string Text);

/// <summary>What happened to a route.</summary>
public enum RouteNoteKind : byte
{
    /// <summary>The check took it.</summary>
    Accepted,

    /// <summary>The check refused it.</summary>
    Rejected,

    /// <summary>Whoever writes routes was asked for one.</summary>
    Asked,

    /// <summary>The policy begins to follow it, or goes on after a hold.</summary>
    Began,

    /// <summary>One or more rows were achieved.</summary>
    Advanced,

    /// <summary>The robot had left the way, which was anchored anew where it is.</summary>
    Strayed,

    /// <summary>The robot made no progress; the way was anchored anew where it is.</summary>
    Stalled,
}

/// <summary>Something that happened to a route.</summary>
/// <param name="Time">When.</param>
/// <param name="Kind">What.</param>
/// <param name="Route">Number of the route, from 1; 0 before there is one.</param>
/// <param name="Row">The current row, from 0; the number of rows at the end.</param>
/// <param name="Text">One sentence with the figures.</param>
/// <param name="Table">Of an accepted or rejected route all rows, as <see cref="Routes.RouteText"/> writes them; else empty.</param>
public sealed record RouteNote(MonotonicTime Time, RouteNoteKind Kind, ulong Route, int Row, string Text, string Table = "");

/// <summary>What stands at the front of a record.</summary>
public sealed record EpisodeHeader
{
    /// <summary>Program and version that wrote it.</summary>
    public string Program { get; init; } = "robotics";

    /// <summary>UTC instant of the monotonic zero in <see cref="StartedAt"/> terms: log time = UTC at start + monotonic since start.</summary>
    public required DateTimeOffset StartedUtc { get; init; }

    /// <summary>Monotonic instant that belongs to <see cref="StartedUtc"/>.</summary>
    public required MonotonicTime StartedAt { get; init; }

    /// <summary>robot.json as text.</summary>
    public required string Robot { get; init; }

    /// <summary>policy.json as text; empty when no policy ran.</summary>
    public string Policy { get; init; } = "";

    /// <summary>SHA-256 of policy.json; empty when no policy ran.</summary>
    public string PolicySha256 { get; init; } = "";

    /// <summary>Names and values worth knowing: seed, period_ms, provider, host, arguments.</summary>
    public IReadOnlyDictionary<string, string> Properties { get; init; } = new Dictionary<string, string>();
}
