using System.Globalization;
using System.Text;
using Robotics.Learning.Data;
using Robotics.Learning.Hybrid;
using Robotics.Learning.Networks;
using Robotics.Learning.OffPolicy;
using Robotics.Learning.Offline;

namespace Robotics.Bench;

/// <summary>A record of a robot and a simulator that is wrong: H2O beside each alone and beside both without gap weights.</summary>
/// <remarks><c>--row gravity|friction|none</c> runs one row; <c>--steps</c> and <c>--seeds</c> size the trial.</remarks>
internal sealed class HybridGap : IBenchmark
{
    private const string Task = "runner";
    private const int Rows = 50_000, MediumSteps = 40_000, Episodes = 20;

    private static readonly int[] s_hidden = [64, 64];

    private static readonly string[] s_methods = ["SAC in the simulator", "IQL on the record", "mixed batches, no gap weights", "H2O"];

    public string Name => "hybrid-gap";

    public string Claim => "H2O earns at least 10 % more on the robot than SAC in the simulator, IQL on the record, and mixed batches";

    public int Run(string[] args)
    {
        var trials = new Trials(Name, args);
        string? only = Trials.Option(args, "--row");
        int seeds = int.Parse(Trials.Option(args, "--seeds") ?? "3", CultureInfo.InvariantCulture);
        int steps = int.Parse(Trials.Option(args, "--steps") ?? "40000", CultureInfo.InvariantCulture);
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"""
            Robot: the runner with a gap; simulator: the nominal runner. Record: {Rows} transitions of a medium policy (SAC after {MediumSteps} steps on the robot, as it draws).
            Every method: {steps} simulator steps with an update each, or {steps} updates of the record; hidden 64 x 2, batch 128, learning rate 1e-3, everything else as by default.
            {seeds} seeds, of the medium policy, the record and the learning. Returns of {Episodes} episodes on the robot without noise. Intervals: 95 %, bootstrap over seeds and then
            episodes.

            """);
        bool holds = true;
        foreach (var (row, gap) in new[] { ("gravity", "gravity=2"), ("friction", "friction=0.3"), ("none", "") }.Where(one => only is null ? one.Item1 != "none" : one.Item1 == only))
        {
            var recorded = new List<double[]>();
            var runs = s_methods.Select(_ => new List<double[]>()).ToArray();
            for (int seed = 1; seed <= seeds; seed++)
            {
                var data = Record(trials, row, gap, (ulong)seed);
                recorded.Add(data.Returns());
                for (int method = 0; method < s_methods.Length; method++)
                {
                    int which = method;
                    ulong number = (ulong)seed;
                    runs[method].Add(trials.Numbers($"{row}-{seed}/{method}-{steps}", () => Learn(trials, which, data, number, steps, actor => Trials.Returns(Task, gap, actor, Episodes, 8000 + number))));
                }
            }

            holds &= Table(text, gap, seeds, recorded, runs);
        }

        text.AppendLine(holds ? "Holds: at least 10 % above each, in every row (with no gap: at most 5 % below mixed batches)." : "Falls short where a line says **no**.");
        Bench.Report(Name, Trials.Shown(args), text.ToString());
        return holds ? 0 : 1;
    }

    private static TransitionSet Record(Trials trials, string row, string gap, ulong seed) => trials.Record($"{row}-{seed}/record", () =>
        trials.Sac($"{row}-{seed}/medium", Task, gap, Settings(seed), MediumSteps, actor =>
        {
            using var robot = Trials.Open(Task, 10, gap);
            return TransitionCollection.Collect(robot, Behaviours.Of(actor), Rows, 500 + seed);
        }));

    private static SacOptions Settings(ulong seed) => new() { Hidden = s_hidden, Batch = 128, LearningRate = 1e-3, RandomSteps = 2000, Replay = 200_000, Seed = seed };

    private static double[] Learn(Trials trials, int method, TransitionSet data, ulong seed, int steps, Func<Actor, double[]> look)
    {
        if (method == 0)
        {
            // The same for every robot: the folder belongs to no row.
            return trials.Sac($"simulator-{seed}", Task, "", Settings(seed + 10), steps, look);
        }

        using var simulator = Trials.Open(Task, 1);
        return Trials.Learn(method switch
        {
            1 => new Iql(data, new() { Hidden = s_hidden, Batch = 128, LearningRate = 1e-3, Seed = seed, CosineOver = steps }),
            2 => new Rlpd(simulator, data, RlpdOptions.Naive with { Hidden = s_hidden, Batch = 128, LearningRate = 1e-3, Seed = seed, Normalize = true, Replay = 200_000 }),
            _ => new H2o(simulator, data, new() { Hidden = s_hidden, Batch = 128, LearningRate = 1e-3, Seed = seed }),
        }, steps, look);
    }

    private static bool Table(StringBuilder text, string gap, int seeds, List<double[]> recorded, List<double[]>[] runs)
    {
        text.AppendLine(CultureInfo.InvariantCulture, $"""
            ## {(gap.Length == 0 ? "no gap" : gap)}

            | learned from | return on the robot | 95 % | {string.Join(" | ", Enumerable.Range(1, seeds).Select(seed => $"seed {seed}"))} | H2O at least 10 % above |
            |---|---|---|{string.Concat(Enumerable.Repeat("---|", seeds))}---|
            """);
        double best = Mean(runs[^1]);
        Line("the record itself", recorded, "");
        bool holds = true;
        for (int method = 0; method < runs.Length; method++)
        {
            double other = Mean(runs[method]);
            bool enough = gap.Length == 0 ? method != 2 || best >= other - (0.05 * Math.Abs(other)) : method == runs.Length - 1 || best >= other + (0.1 * Math.Abs(other));
            holds &= enough;
            Line(s_methods[method], runs[method], method == runs.Length - 1 ? "" : enough ? "yes" : "**no**");
        }

        text.AppendLine();
        return holds;

        static double Mean(List<double[]> of) => of.Average(run => run.Average());

        void Line(string name, List<double[]> of, string verdict)
        {
            var interval = Trials.Bootstrap(of);
            text.AppendLine(CultureInfo.InvariantCulture,
                $"| {name} | {interval.Mean:F1} | {interval.Low:F1} to {interval.High:F1} | {string.Join(" | ", of.Select(run => run.Average().ToString("F1", CultureInfo.InvariantCulture)))} | {verdict} |");
        }
    }
}
