using System.Numerics;
using Robotics.Episodes;
using Robotics.Routes;
using Robotics.Safety;

namespace Robotics.Host.Report;

/// <summary>A stretch of a run in one state.</summary>
/// <param name="FromS">s since the start.</param>
/// <param name="ToS">s since the start.</param>
/// <param name="State">The state.</param>
/// <param name="Reason">Why it held; None otherwise.</param>
public sealed record Stretch(double FromS, double ToS, ControlState State, HoldReason Reason);

/// <summary>Everything the report shows, gathered in one pass over each topic of a record.</summary>
public sealed class RunSummary
{
    private const int Buckets = 1000; // about the pixels of a chart; merging leaves at least half of them
    private const int ReasonBits = 16;

    private readonly List<Stretch> _stretches = [];
    private readonly List<double> _latenessUs = [];
    private readonly List<double> _workUs = [];
    private readonly List<double> _planMs = [];
    private readonly List<double> _overrunMs = [];
    private readonly List<(double Seconds, System.Numerics.Vector3 At)> _path = [];
    private readonly RouteGround? _ground;
    private int _pathEvery = 1; // ticks

    private RunSummary(EpisodeReader reader)
    {
        Header = reader.Header;
        Robot = new RecordedRobot(Header?.Robot ?? "");
        Policy = new RecordedPolicy(Header?.Policy ?? "");
        Source = System.IO.Path.GetFileName(reader.Source);
        (Route, _ground) = RouteReport.Ground(Header);
    }

    /// <summary>File name of the record.</summary>
    public string Source { get; }

    /// <summary>What stands at the front; null when it was lost.</summary>
    public EpisodeHeader? Header { get; }

    /// <summary>Names of the robot.</summary>
    public RecordedRobot Robot { get; }

    /// <summary>Names of the policy.</summary>
    public RecordedPolicy Policy { get; }

    /// <summary>The policy's route section; null where it follows none.</summary>
    public RouteSpec? Route { get; }

    /// <summary>What of the record is missing, one sentence each.</summary>
    public IReadOnlyList<string> Damage { get; private set; } = [];

    /// <summary>Instant that all times here count from.</summary>
    public MonotonicTime Start { get; private set; }

    /// <summary>From the first tick to the last, s.</summary>
    public double DurationS { get; private set; }

    /// <summary>Number of ticks.</summary>
    public long Ticks { get; private set; }

    /// <summary>State after the last tick or event, whichever came later.</summary>
    public ControlState FinalState { get; private set; }

    /// <summary>Reason beside <see cref="FinalState"/>.</summary>
    public HoldReason FinalReason { get; private set; }

    /// <summary>The states of the run, in order, without gaps.</summary>
    public IReadOnlyList<Stretch> Stretches => _stretches;

    /// <summary>Every event.</summary>
    public IReadOnlyList<EventRow> Events { get; private set; } = [];

    /// <summary>µs, sorted.</summary>
    public IReadOnlyList<double> LatenessUs => _latenessUs;

    /// <summary>µs, sorted.</summary>
    public IReadOnlyList<double> WorkUs => _workUs;

    /// <summary>Duration of every plan, ms, sorted.</summary>
    public IReadOnlyList<double> PlanMs => _planMs;

    /// <summary>End minus deadline of every plan, ms, sorted; negative is in time.</summary>
    public IReadOnlyList<double> OverrunMs => _overrunMs;

    /// <summary>Lateness and work, µs.</summary>
    public Trace Timing { get; } = new(2, Buckets);

    /// <summary>Observation age and action age, ms.</summary>
    public Trace Ages { get; } = new(2, Buckets);

    /// <summary>Wanted, sent and measured of every joint, three series each.</summary>
    public Trace Joints { get; private set; } = new(0, Buckets);

    /// <summary>Number of joints in the rows.</summary>
    public int JointCount { get; private set; }

    /// <summary>Duration and time allowed, ms.</summary>
    public Trace PlanTimes { get; } = new(2, Buckets);

    /// <summary>Round trip and clock offset, ms.</summary>
    public Trace Link { get; } = new(2, Buckets);

    /// <summary>Everything that happened to routes; empty for a policy that follows none.</summary>
    public IReadOnlyList<RouteNote> Routes { get; private set; } = [];

    /// <summary>Current row of the route, from 1.</summary>
    public Trace RouteRow { get; } = new(1, Buckets);

    /// <summary>Where the robot was and since when, m and s, thinned; empty without a route.</summary>
    public IReadOnlyList<(double Seconds, System.Numerics.Vector3 At)> Path => _path;

    /// <summary>Frames dropped at the end.</summary>
    public ulong Dropped { get; private set; }

    /// <summary>How often each plan status came.</summary>
    public SortedDictionary<PlanStatus, int> PlanStatuses { get; } = [];

    /// <summary>Plans that ended after their deadline, whatever their status.</summary>
    public int PlansPastDeadline { get; private set; }

    /// <summary>[reason bit, joint] ticks in which the gate changed that joint with that reason among the reasons.</summary>
    public int[,] GateJoints { get; private set; } = new int[ReasonBits, 0];

    /// <summary>[reason bit] ticks with that reason.</summary>
    public int[] GateTicks { get; } = new int[ReasonBits];

    /// <summary>Ticks in which the gate changed or refused anything.</summary>
    public long GateTotal { get; private set; }

    /// <summary>Reads a record.</summary>
    public static RunSummary Of(EpisodeReader reader)
    {
        ArgumentNullException.ThrowIfNull(reader);
        var summary = new RunSummary(reader) { Events = [.. reader.Events()], Routes = [.. reader.Routes().OrderBy(note => note.Time)] };
        summary.ReadTicks(reader);
        summary.ReadPlans(reader);
        summary.ReadLinks(reader);
        summary._latenessUs.Sort();
        summary._workUs.Sort();
        summary._planMs.Sort();
        summary._overrunMs.Sort();
        summary.Damage = reader.Damage();
        return summary;
    }

    /// <summary>Seconds since the start.</summary>
    public double Seconds(MonotonicTime time) => time.NanosecondsSince(Start) / 1e9;

    /// <summary>The value that a share of the values does not exceed (nearest rank); NaN of nothing.</summary>
    /// <param name="sorted">Ascending.</param>
    /// <param name="share">0 to 1.</param>
    public static double Percentile(IReadOnlyList<double> sorted, double share)
    {
        ArgumentNullException.ThrowIfNull(sorted);
        return sorted.Count == 0 ? double.NaN : sorted[Math.Clamp((int)Math.Ceiling(share * sorted.Count) - 1, 0, sorted.Count - 1)];
    }

    private void ReadTicks(EpisodeReader reader)
    {
        // A record without ticks (a run that was refused) still has its events to count from.
        Start = Header?.StartedAt ?? (Events is [var first, ..] ? first.Time : default);
        EpisodeTick? last = null;
        double from = 0;
        float[] row = [];
        foreach (var tick in reader.Ticks())
        {
            if (last is null)
            {
                Start = tick.Due;
                JointCount = Math.Max(Robot.Joints.Count, Math.Max(tick.Wanted.Length, tick.Sent.Length));
                row = new float[3 * JointCount];
                Joints = new Trace(row.Length, Buckets);
                GateJoints = new int[ReasonBits, JointCount];
            }
            else if (tick.State != last.State || tick.Reason != last.Reason)
            {
                double now = Seconds(tick.Due);
                _stretches.Add(new(from, now, last.State, last.Reason));
                from = now;
            }

            last = tick;
            Ticks++;
            Add(tick, row);
        }

        if (last is not null)
        {
            DurationS = Seconds(last.Due);
            _stretches.Add(new(from, DurationS, last.State, last.Reason));
            (FinalState, FinalReason) = (last.State, last.Reason);
        }

        if (Events is [.., var end] && (last is null || end.Time >= last.Due))
        {
            (FinalState, FinalReason) = (end.To, end.From == end.To ? FinalReason : end.Reason);
        }
    }

    private void Add(EpisodeTick tick, float[] row)
    {
        double time = Seconds(tick.Due);
        _latenessUs.Add(tick.LatenessNs / 1e3);
        _workUs.Add(tick.WorkNs / 1e3);
        Timing.Add(time, [tick.LatenessNs / 1e3f, tick.WorkNs / 1e3f]);
        // Before the first observation or action there is no age: nothing, not zero.
        Ages.Add(time, [tick.ObservationAgeNs == 0 ? float.NaN : tick.ObservationAgeNs / 1e6f, tick.ActionAgeNs == 0 ? float.NaN : tick.ActionAgeNs / 1e6f]);
        for (int j = 0; j < JointCount; j++)
        {
            string joint = j < Robot.Joints.Count ? Robot.Joints[j].Name : "";
            int measured = ((int)Policy.Kind(joint, j) * JointCount) + j; // positions, velocities, efforts: in the kinds' order
            row[3 * j] = j < tick.Wanted.Length ? tick.Wanted[j] : float.NaN;
            row[(3 * j) + 1] = j < tick.Sent.Length ? tick.Sent[j] : float.NaN;
            row[(3 * j) + 2] = measured < tick.Signals.Length ? tick.Signals[measured] : float.NaN;
        }

        Joints.Add(time, row);
        AddRoute(tick, time);
        if (tick.GateReasons == GateReasons.None && tick.GateTouched == 0)
        {
            return;
        }

        GateTotal++;
        for (int reasons = (int)tick.GateReasons; reasons != 0; reasons &= reasons - 1)
        {
            int bit = BitOperations.TrailingZeroCount(reasons);
            GateTicks[bit]++;
            for (ulong touched = tick.GateTouched; touched != 0; touched &= touched - 1)
            {
                int joint = BitOperations.TrailingZeroCount(touched);
                if (joint < JointCount)
                {
                    GateJoints[bit, joint]++;
                }
            }
        }
    }

    private void AddRoute(EpisodeTick tick, double time)
    {
        if (tick.Route > 0)
        {
            RouteRow.Add(time, [tick.RouteRow + 1]);
        }

        if (_ground is null || (Ticks - 1) % _pathEvery != 0)
        {
            return;
        }

        _path.Add((time, _ground.Position(tick.Signals)));
        if (_path.Count >= 2 * Buckets)
        {
            _pathEvery *= 2;
            int kept = 0;
            _path.RemoveAll(_ => kept++ % 2 == 1);
        }
    }

    private void ReadPlans(EpisodeReader reader)
    {
        foreach (var plan in reader.Plans())
        {
            double took = plan.FinishedAt.NanosecondsSince(plan.StartedAt) / 1e6;
            double overrun = plan.FinishedAt.NanosecondsSince(plan.Deadline) / 1e6;
            _planMs.Add(took);
            _overrunMs.Add(overrun);
            PlansPastDeadline += overrun > 0 ? 1 : 0;
            PlanStatuses[plan.Status] = PlanStatuses.GetValueOrDefault(plan.Status) + 1;
            PlanTimes.Add(Seconds(plan.RequestedAt),
                [plan.FinishedAt.NanosecondsSince(plan.RequestedAt) / 1e6f, plan.Deadline.NanosecondsSince(plan.RequestedAt) / 1e6f]);
        }
    }

    private void ReadLinks(EpisodeReader reader)
    {
        foreach (var (time, link) in reader.Links())
        {
            Link.Add(Seconds(time), [(float)link.RoundTrip.TotalMilliseconds, (float)link.ClockOffset.TotalMilliseconds]);
            Dropped = link.Dropped;
        }
    }
}
