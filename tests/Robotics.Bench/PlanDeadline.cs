using System.Globalization;
using System.Text;
using Robotics.Control;
using Robotics.Lab;
using Robotics.Learning.Networks;
using Robotics.Numerics;
using Robotics.Packages;
using Robotics.Policies.Onnx;

namespace Robotics.Bench;

/// <summary>Plans against real deadlines while the other core is busy: none late, fewer steps instead.</summary>
internal sealed class PlanDeadline : IBenchmark
{
    private const int RealTime = 70; // SCHED_FIFO, as the runtime's inference thread has it for plans this short
    private const int Gap = 1; // ms of sleep between plans: as on a robot, each finds its caches cold

    public string Name => "plan-deadline";

    public string Claim => "with 20, 10, 5 and 2 ms per plan and a busy second core, no plan of 10,000 is late";

    public int Run(string[] args)
    {
        int plans = 10_000, episodes = 50;
        string package = Path.Combine(Bench.Root, "models", "push-t-diffusion");
        double[] budgets = [20, 10, 5, 2];
        foreach (var pair in args.Chunk(2))
        {
            switch (pair)
            {
                case ["--plans", var count]:
                    plans = int.Parse(count, CultureInfo.InvariantCulture);
                    break;
                case ["--episodes", var count]:
                    episodes = int.Parse(count, CultureInfo.InvariantCulture);
                    break;
                case ["--package", var folder]:
                    package = folder;
                    break;
                default:
                    throw new ArgumentException($"{string.Join(' ', pair)} is none of --plans N, --episodes N, --package FOLDER");
            }
        }

        var read = PolicyPackage.Load(package);
        var table = new StringBuilder();
        using var transformer = new Network(new ActionTransformer { Horizon = 16, ActionSize = 2, ConditionSize = 40, ObservationSteps = 2 }, seed: 1);
        using var busy = new BusyCore(Environment.ProcessorCount - 1);
        var rows = new List<string>();
        bool holds = true;
        foreach (double budget in budgets)
        {
            using var policy = OnnxPolicy.Load(read, new OnnxOptions());
            var run = Time(policy, budget, plans, RealTime);
            var score = Score(read, budget, episodes);
            var (low, high) = score.Interval();
            rows.Add(run.Row(read.Manifest.Name, budget, RealTime, string.Create(CultureInfo.InvariantCulture, $"{score.Best:F3} ± {score.BestError():F3} | {score.Success:F2} ({low:F2} to {high:F2}) | {score.Late}")));
            holds &= run.Late == 0 && score.Late == 0;
        }

        // A network whose ten steps do not fit, so that the deadline has something to cut: its weights say nothing, its time does.
        using (var policy = PlanTorch.Load(transformer))
        {
            var run = Time(policy, budgets[^1], plans, RealTime);
            rows.Add(run.Row("transformer 4 x 128, untrained", budgets[^1], RealTime, "- | - | -"));
            holds &= run.Late == 0;
        }

        using (var policy = OnnxPolicy.Load(read, new OnnxOptions()))
        {
            rows.Add(Time(policy, budgets[^1], plans, 0).Row(read.Manifest.Name, budgets[^1], 0, "- | - | -"));
        }

        table.AppendLine(CultureInfo.InvariantCulture, $"{plans} plans per budget on a thread scheduled as the runtime's own inference thread is where plans are as short as these (SCHED_FIFO 70, not pinned; the last row: as it is for slow plans, whose lateness is no part of the claim), {Gap} ms of sleep between them, while another thread spins on processor {Environment.ProcessorCount - 1} of {Environment.ProcessorCount}. Late: no plan in hand at the deadline, or handed over after it. Observations are drawn over the range the policy was trained on.");
        table.AppendLine(CultureInfo.InvariantCulture, $"Best reward and solved: PushT from {episodes} unseen starts with the same real deadline on every plan and the same busy core; a late plan would leave the last target standing for a step.");
        table.AppendLine();
        table.AppendLine("| policy | scheduling | budget, ms | late | steps, mean | fewest | plan, ms, median | p99.9 | longest | best reward | solved | late there |");
        table.AppendLine("|---|---|---|---|---|---|---|---|---|---|---|---|");
        rows.ForEach(row => table.AppendLine(row));
        table.AppendLine();
        table.AppendLine(holds ? "Holds: no plan was late." : "Falls short: a plan was late.");
        Bench.Report(Name, args, table.ToString());
        return holds ? 0 : 1;
    }

    private static Evaluation Score(PolicyPackage package, double budgetMs, int episodes) => Evaluation.Run(
        LabTask.Named("push-t"),
        () =>
        {
            var (policy, manifest) = Evaluation.Load(package, null, null);
            return (new InferenceThread(policy, TimeSpan.FromMilliseconds(budgetMs)), manifest);
        },
        episodes, LabTask.FirstEvaluation, 1, null, CancellationToken.None, TimeSpan.FromMilliseconds(budgetMs));

    private static Outcome Time(OnnxPolicy policy, double budgetMs, int plans, int priority)
    {
        var outcome = new Outcome(plans);
        var budget = TimeSpan.FromMilliseconds(budgetMs);
        float[] observation = new float[policy.Spec.ObservationLength], chunk = new float[policy.Spec.Rows * policy.Spec.ActionLength];
        var random = new SeededRandom(1);
        var thread = RealTimeThread.Start("inference", priority, null, new SchedulingOptions(), () =>
        {
            for (int i = -100; i < plans; i++) // the first hundred settle the clock of the plans, as the first second of a run does
            {
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
                    outcome.Add(i, result, end.NanosecondsSince(start), budget.Ticks * 100);
                }
            }
        });
        thread.Join(TimeSpan.FromMinutes(10));
        return outcome;
    }

    private sealed class Outcome(int plans)
    {
        private readonly double[] _ms = new double[plans];
        private long _calls;
        private int _fewest = int.MaxValue;

        public int Late { get; private set; }

        public void Add(int i, PlanResult result, long ns, long budgetNs)
        {
            _ms[i] = ns / 1e6;
            _calls += result.Calls;
            _fewest = Math.Min(_fewest, result.Calls);
            Late += result.Status != PlanStatus.Planned || ns > budgetNs ? 1 : 0;
        }

        public string Row(string policy, double budget, int priority, string task) => string.Create(CultureInfo.InvariantCulture,
            $"| {policy} | {(priority > 0 ? $"FIFO {priority}" : "ordinary")} | {budget:F0} | **{Late}** | {_calls / (double)plans:F2} | {_fewest} | {Bench.Median(_ms):F2} | {Bench.Percentile(_ms, 0.999):F2} | {_ms.Max():F2} | {task} |");
    }

    /// <summary>A policy that plans on a real-time thread of its own, as the runtime lets it: its caller, the simulator, has none to
    /// give. The budget runs from when that thread takes the request up.</summary>
    private sealed class InferenceThread : IPolicy
    {
        private readonly IPolicy _policy;
        private readonly SemaphoreSlim _asked = new(0), _answered = new(0);
        private readonly RealTimeThread _thread;
        private readonly float[] _observation;
        private readonly float[] _chunk;
        private readonly TimeSpan _budget;
        private PlanResult _result;
        private volatile bool _ending;

        public InferenceThread(IPolicy policy, TimeSpan budget)
        {
            (_policy, _budget) = (policy, budget);
            _observation = new float[policy.Spec.ObservationLength];
            _chunk = new float[policy.Spec.Rows * policy.Spec.ActionLength];
            _thread = RealTimeThread.Start("inference", RealTime, null, new SchedulingOptions(), Serve);
        }

        public PolicySpec Spec => _policy.Spec;

        public string? LastFault => _policy.LastFault;

        public void Reset(ulong seed) => _policy.Reset(seed);

        public PlanResult Plan(ReadOnlySpan<float> observation, MonotonicTime deadline, Span<float> chunk)
        {
            observation.CopyTo(_observation);
            _asked.Release();
            _answered.Wait();
            if (_result.Status == PlanStatus.Planned)
            {
                _chunk.CopyTo(chunk);
            }

            return _result;
        }

        public void Dispose()
        {
            _ending = true;
            _asked.Release();
            _thread.Join(TimeSpan.FromSeconds(5));
            _policy.Dispose();
            _asked.Dispose();
            _answered.Dispose();
        }

        private void Serve()
        {
            for (_asked.Wait(); !_ending; _asked.Wait())
            {
                _result = _policy.Plan(_observation, MonotonicTime.SystemNow() + _budget, _chunk);
                _answered.Release();
            }
        }
    }
}
