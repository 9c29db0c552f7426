using System.Globalization;
using System.Text;
using Robotics.Control;
using Robotics.Learning.Export;
using Robotics.Learning.Networks;
using Robotics.Numerics;
using Robotics.Packages;
using Robotics.Policies.Onnx;
using Robotics.Policies.Steering;

namespace Robotics.Bench;

/// <summary>A composed and guided policy against a real deadline while the other core is busy, and its cost beside that of its network
/// calls alone.</summary>
/// <remarks>The parents are the committed diffusion and flow policies of PushT; the critic is untrained: its verdicts say nothing, its
/// time does.</remarks>
internal sealed class SteeredDeadline : IBenchmark
{
    private const int RealTime = 70; // as the runtime's inference thread has it for plans this short
    private const int Candidates = 10, Rounds = 51, Each = 10, Gap = 1;

    public string Name => "steered-deadline";

    public string Claim => "composed and guided, K = 10, 20 ms, busy core: no plan of 10,000 late, 0 bytes; a plan costs at most 1.05 of its bare network calls";

    public int Run(string[] args)
    {
        int plans = args is ["--plans", var count] ? int.Parse(count, CultureInfo.InvariantCulture) : 10_000;
        string folder = Directory.CreateTempSubdirectory("robotics-deadline-").FullName;
        try
        {
            var table = new StringBuilder();
            bool holds = true;
            using (var tree = Compose(folder))
            {
                double[] ratios = [], plan = [], networks = [];
                RealTimeThread.Start("inference", RealTime, null, new SchedulingOptions(), () =>
                {
                    var pairs = Enumerable.Range(0, Rounds).Select(_ => (Plan: tree.Measure(Each).Median, Networks: tree.MeasureNetworks(Each))).ToArray();
                    (ratios, plan, networks) = ([.. pairs.Select(pair => pair.Plan / pair.Networks)], [.. pairs.Select(pair => pair.Plan.TotalMilliseconds)], [.. pairs.Select(pair => pair.Networks.TotalMilliseconds)]);
                }).Join(TimeSpan.FromMinutes(10));
                double ratio = Bench.Median(ratios);
                holds &= ratio <= 1.05;
                table.AppendLine(CultureInfo.InvariantCulture, $"`{tree.What}`: {string.Join("; ", tree.Parts.Select(part => $"{part.Name}, {part.What}"))}. {tree.MostCalls} network calls of {Candidates} candidates each.");
                table.AppendLine();
                table.AppendLine(CultureInfo.InvariantCulture, $"One plan over its bare network calls, medians of {Each} in turn, median of {Rounds}: **{ratio:F3}** (limit 1.05; quartiles {Quantile(ratios, 0.25):F3} and {Quantile(ratios, 0.75):F3}); {Bench.Median(plan):F2} ms against {Bench.Median(networks):F2} ms, on the same kind of thread as below, no core kept busy by this program.");
                table.AppendLine();
            }

            using var busy = new BusyCore(Environment.ProcessorCount - 1);
            table.AppendLine(CultureInfo.InvariantCulture, $"{plans} plans on a thread scheduled as the runtime's own (SCHED_FIFO {RealTime}, not pinned), {Gap} ms of sleep between them, while another thread spins on processor {Environment.ProcessorCount - 1} of {Environment.ProcessorCount}. Late: no plan in hand at the deadline, or handed over after it. Fewer candidates, then fewer steps, come before a late plan.");
            table.AppendLine();
            table.AppendLine("| budget, ms | late | bytes allocated | plan, ms, median | p99.9 | longest | candidates, mean | fewest | calls, mean |");
            table.AppendLine("|---|---|---|---|---|---|---|---|---|");
            foreach (double budget in (double[])[20, 10, 5])
            {
                using var tree = Compose(folder);
                var run = Time(tree, TimeSpan.FromMilliseconds(budget), plans);
                table.AppendLine(run.Row(budget));
                holds &= budget < 20 || (run.Late == 0 && run.Allocated == 0);
            }

            table.AppendLine();
            table.AppendLine(holds ? "Holds (the claim is about 20 ms)." : "Falls short.");
            Bench.Report(Name, args, table.ToString());
            return holds ? 0 : 1;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static PolicyTree Compose(string folder)
    {
        string[] parents = [.. new[] { "push-t-diffusion", "push-t-flow" }.Select(name => Path.Combine(Bench.Root, "models", name))];
        var first = PolicyPackage.Load(parents[0]).Manifest;
        int condition = first.Observations.Sum(group => 20 * (group.History?.Length ?? 1));
        using var critic = new Network(
            new ResidualMlp { Horizon = first.Action.Rows, ActionSize = 2, ConditionSize = condition, Width = 256, Layers = 2, Time = TimeSignal.None, Output = NetworkOutput.Energy }, seed: 1);
        string judge = Path.Combine(folder, "critic");
        Directory.CreateDirectory(judge);
        File.WriteAllBytes(Path.Combine(judge, "net.onnx"), StepGraph.Write(critic.Spec, critic.Values));
        PolicyPackage.Write(judge, first with
        {
            Name = "critic",
            Kind = PolicyKind.Critic,
            Files = [new() { Path = "net.onnx", Sha256 = "" }],
            Models = [new() { File = "net.onnx", Inputs = [new() { Name = "sample", From = "action" }, new() { Name = "cond", From = $"observation:{first.Observations[0].Name}" }], Outputs = [new() { Name = "energy", To = "q" }] }],
            Action = first.Action with { FirstRow = 0 },
            Sampler = null,
            Golden = null,
            Trained = null,
        });
        string whole = Path.Combine(folder, "whole");
        PolicyPackage.WriteSteered(whole, "whole", "", new()
        {
            Parents = [.. parents.Select(path => new ParentSpec { Package = Path.GetRelativePath(whole, path) })],
            Compose = new() { Weights = [0.5, 0.5] },
            Guide = new() { Critic = new() { Package = "../critic" }, Candidates = Candidates },
        });
        return PolicyTree.Load(PolicyPackage.Load(whole), new OnnxOptions());
    }

    private static double Quantile(double[] values, double at) => Bench.Percentile([.. values], at);

    private static Outcome Time(PolicyTree tree, TimeSpan budget, int plans)
    {
        var policy = (GuidedPolicy)tree.Policy;
        var outcome = new Outcome(plans);
        float[] observation = new float[policy.Spec.ObservationLength], chunk = new float[policy.Spec.Rows * policy.Spec.ActionLength];
        var random = new SeededRandom(1);
        var thread = RealTimeThread.Start("inference", RealTime, null, new SchedulingOptions(), () =>
        {
            long before = 0;
            for (int i = -100; i < plans; i++) // the first hundred settle the clock of the plans, as the first second of a run does
            {
                before = i == 0 ? GC.GetAllocatedBytesForCurrentThread() : before;
                foreach (ref float value in observation.AsSpan())
                {
                    value = (float)random.NextDouble(0, 0.5);
                }

                Thread.Sleep(Gap);
                var start = MonotonicTime.SystemNow();
                var result = policy.Plan(observation, start + budget, chunk);
                var end = MonotonicTime.SystemNow();
                if (i >= 0)
                {
                    outcome.Add(i, result, policy.Candidates, end.NanosecondsSince(start), budget.Ticks * 100);
                }
            }

            outcome.Allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        });
        thread.Join(TimeSpan.FromMinutes(20));
        return outcome;
    }

    private sealed class Outcome(int plans)
    {
        private readonly double[] _ms = new double[plans];
        private long _calls;
        private long _candidates;
        private int _fewest = int.MaxValue;

        public int Late { get; private set; }

        public long Allocated { get; set; } = -1; // the thread did not end

        public void Add(int i, PlanResult result, int candidates, long ns, long budgetNs)
        {
            _ms[i] = ns / 1e6;
            _calls += result.Calls;
            _candidates += candidates;
            _fewest = Math.Min(_fewest, candidates);
            Late += result.Status != PlanStatus.Planned || ns > budgetNs ? 1 : 0;
        }

        public string Row(double budget) => string.Create(CultureInfo.InvariantCulture,
            $"| {budget:F0} | **{Late}** | {Allocated} | {Bench.Median(_ms):F2} | {Bench.Percentile(_ms, 0.999):F2} | {_ms.Max():F2} | {_candidates / (double)plans:F2} | {_fewest} | {_calls / (double)plans:F1} |");
    }
}
