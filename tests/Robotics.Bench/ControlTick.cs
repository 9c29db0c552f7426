using System.Globalization;
using Robotics.Control;
using Robotics.Observations;
using Robotics.Packages;
using Robotics.Policies.Onnx;
using Robotics.Tests.Policies;

namespace Robotics.Bench;

/// <summary>The control tick with an inference per tick: what it allocates, and how punctually it wakes beside a C program that
/// sleeps the same way. Segments of the two alternate, so that both meet the same neighbours.</summary>
internal sealed class ControlTick : IBenchmark
{
    private const double PeriodMs = 2;
    private const double ActAfterMs = 0.5;
    private const int Spin = 100; // us

    public string Name => "control-tick";

    public string Claim => "D: 500 Hz, inference per tick: 0 bytes allocated, 0 collections; p99.9 wake-up lateness at most 1.5 of C's (--seconds 60)";

    public int Run(string[] args)
    {
        int at = Array.IndexOf(args, "--seconds");
        double seconds = at >= 0 ? double.Parse(args[at + 1], CultureInfo.InvariantCulture) : 60;
        int segments = Math.Max(2, (int)Math.Round(seconds / 10));
        double each = seconds / segments;
        string peer = Bench.CompilePeer("jitter.c");
        var ours = new List<LatencyHistogram>();
        var theirs = new List<LatencyHistogram>();
        var runs = new List<Segment>();
        for (int i = 0; i < segments; i++)
        {
            runs.Add(Drive(each));
            ours.Add(runs[^1].Lateness);
            string text = Bench.Capture(peer, FormattableString.Invariant($"{PeriodMs * 1000}"), FormattableString.Invariant($"{each}"), "80", $"{Spin}",
                FormattableString.Invariant($"{ActAfterMs * 1000}"));
            theirs.Add(new());
            foreach (string line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
            {
                theirs[^1].Record(long.Parse(line, CultureInfo.InvariantCulture)); // the same buckets for both
            }
        }

        double[] ratios = [.. ours.Zip(theirs, (a, b) => a.PercentileNs(0.999) / Math.Max(1.0, b.PercentileNs(0.999)))];
        double ratio = Bench.Median(ratios);
        long loopBytes = runs.Sum(run => run.LoopBytes);
        long plannerBytes = runs.Sum(run => run.PlannerBytes);
        int collections = runs.Sum(run => run.Collections);
        bool clean = runs.All(run => run.Final == ControlState.Running);
        bool holds = loopBytes == 0 && plannerBytes == 0 && collections == 0 && ratio <= 1.5 && clean;
        Bench.Report(Name, args, FormattableString.Invariant($"""
            {segments} segments of {each:F0} s each, C# and C in turn; {1000 / PeriodMs:F0} Hz, one plan per tick on the inference thread
            (ONNX Runtime on the processor, MLP 48-256-256-256-12), beside `peers/jitter.c`, which sleeps with the same calls and does nothing else.
            Percentiles of both from the same buckets (at most 3.2 % too high).

            | | C# | C |
            |---|---|---|
            | wake-up lateness p50, us (median of segments) | {Each(ours, 0.5)} | {Each(theirs, 0.5)} |
            | p99, us | {Each(ours, 0.99)} | {Each(theirs, 0.99)} |
            | p99.9, us | {Each(ours, 0.999)} | {Each(theirs, 0.999)} |
            | max of all, us | {ours.Max(values => values.MaxNs) / 1000.0:F1} | {theirs.Max(values => values.MaxNs) / 1000.0:F1} |

            Ratio of p99.9, C#/C: **{ratio:F2}** (limit 1.5; per segment {string.Join(", ", ratios.Select(r => r.ToString("F2", CultureInfo.InvariantCulture)))}).
            Managed bytes while driving: loop thread {loopBytes}, inference thread {plannerBytes}; collections {collections}.
            Ticks {runs.Sum(run => run.Ticks)}, plans {runs.Sum(run => run.Plans)}, plans late {runs.Sum(run => run.Late)}, rows repeated {runs.Sum(run => run.Repeated)},
            ticks missed {runs.Sum(run => run.Missed)}; plan p50 {runs[^1].PlanP50Us:F0} us, p99 {runs[^1].PlanP99Us:F0} us. Every segment ended in: {string.Join(", ", runs.Select(run => run.End).Distinct())}.
            Scheduling: {runs[0].Scheduling}.
            {(holds ? "The claim holds." : "The claim FALLS SHORT.")}
            """));
        return holds ? 0 : 1;
    }

    private static string Each(List<LatencyHistogram> segments, double fraction) =>
        Bench.Median(segments.Select(values => values.PercentileNs(fraction) / 1000.0)).ToString("F1", CultureInfo.InvariantCulture);

    private static Segment Drive(double seconds)
    {
        using var robot = new FollowingRobot(joints: 12, stateMs: 2);
        var manifest = Describe();
        byte[] network = TinyOnnx.Mlp(1, 48, 256, 256, 256, 12);
        using var policy = OnnxPolicy.Load(manifest, _ => network, new OnnxOptions());
        var assembler = new ObservationAssembler(manifest, robot.Spec);
        using var loop = new ControlLoop(manifest, robot, policy, assembler, new ActionMap(manifest, robot.Spec),
            new ControlOptions { ClockJumpPeriods = 100, Scheduling = new() { Spin = TimeSpan.FromMicroseconds(Spin) } });
        loop.Start();
        loop.ArmAsync(CancellationToken.None).GetAwaiter().GetResult();
        loop.Run();
        Thread.Sleep(1000); // compiled, warm, driving

        GC.Collect();
        GC.WaitForPendingFinalizers();
        var before = loop.Snapshot();
        var warm = loop.Lateness.Buckets().ToDictionary(bucket => bucket.UpperNs, bucket => bucket.Count);
        int collections = GC.CollectionCount(0);
        Thread.Sleep(TimeSpan.FromSeconds(seconds));
        collections = GC.CollectionCount(0) - collections;
        var after = loop.Snapshot();
        var lateness = new LatencyHistogram();
        foreach (var (upper, count) in loop.Lateness.Buckets())
        {
            for (long i = count - warm.GetValueOrDefault(upper); i > 0; i--)
            {
                lateness.Record(upper); // the warm-up does not count, in C it is not measured either
            }
        }

        return new(lateness, after.LoopAllocatedBytes - before.LoopAllocatedBytes, after.PlannerAllocatedBytes - before.PlannerAllocatedBytes,
            collections, after.Ticks - before.Ticks, after.Plans - before.Plans, after.PlansLate - before.PlansLate, after.RowsRepeated - before.RowsRepeated,
            after.TicksMissed - before.TicksMissed, after.Plan.P50.TotalMicroseconds, after.Plan.P99.TotalMicroseconds, after.State,
            after.State == ControlState.Running ? "Running" : $"{after.State} ({after.Reason})", string.Join("; ", loop.Scheduling));
    }

    private static PolicyManifest Describe() => new()
    {
        Name = "bench",
        Files = [new() { Path = "policy.onnx", Sha256 = "" }],
        Models = [new() { File = "policy.onnx", Inputs = [new() { Name = "obs", From = "observation:o" }], Outputs = [new() { Name = "action", To = "action" }] }],
        Observations =
        [
            new()
            {
                Name = "o",
                Terms =
                [
                    new() { Name = "q", Kind = "joint_position" }, new() { Name = "dq", Kind = "joint_velocity" },
                    new() { Name = "tau", Kind = "joint_effort" }, new() { Name = "last", Kind = "previous_action" },
                ],
            },
        ],
        Action = new() { Scale = [0.1f] },

        // Patience for the neighbours of a shared machine: a hold would end the measurement.
        Timing = new() { PeriodMs = PeriodMs, ActAfterMs = ActAfterMs, LateTicks = 50, MaxObservationAgeMs = 100, MaxActionAgeMs = 200 },
    };

    private sealed record Segment(LatencyHistogram Lateness, long LoopBytes, long PlannerBytes, int Collections, long Ticks, long Plans, long Late, long Repeated,
        long Missed, double PlanP50Us, double PlanP99Us, ControlState Final, string End, string Scheduling);
}
