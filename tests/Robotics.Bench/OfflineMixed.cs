using System.Globalization;
using System.Text;
using Robotics.Learning.Data;
using Robotics.Learning.Offline;
using Robotics.Learning.OffPolicy;

namespace Robotics.Bench;

/// <summary>Offline methods on records of mixed quality beside behaviour cloning and the record itself.</summary>
internal sealed class OfflineMixed : IBenchmark
{
    private const int Seeds = 3, Episodes = 30, Rows = 2500;

    private static readonly string[] s_methods = ["behaviour cloning", "TD3+BC, α 2.5", "TD3+BC, α 10", "IQL"];

    public string Name => "offline-mixed";

    public string Claim => "TD3+BC and IQL beat behaviour cloning and the record's mean return on mixed records; intervals apart";

    /// <summary>The runs that records and judged policies come from: a SAC run of each seed, stopped at these steps.</summary>
    public static (string Name, int[] Milestones, SacOptions Sac, int Updates)[] Tasks { get; } =
    [
        ("pendulum", [1000, 2000, 3000, 6000], new SacOptions { Hidden = [64, 64], Batch = 128, LearningRate = 1e-3, RandomSteps = 500, Replay = 100_000 }, 10_000),
        ("runner", [6000, 15_000, 30_000, 50_000], new SacOptions { Hidden = [64, 64], Batch = 128, LearningRate = 1e-3, RandomSteps = 2000, Replay = 100_000 }, 20_000),
    ];

    /// <summary>A record by a random policy and by one SAC run at its milestones, with noise as it draws; propensities included.</summary>
    public static TransitionSet Record(Trials trials, string task, int[] milestones, SacOptions options, int seed) => trials.Record($"{task}-{seed}/record", () =>
    {
        using var environment = Trials.Open(task, 5);
        var parts = new List<TransitionSet> { TransitionCollection.Collect(environment, Behaviours.Uniform(environment.ActionSize), Rows, (ulong)(100 * seed)) };
        for (int i = 0; i < milestones.Length; i++)
        {
            ulong start = (ulong)((100 * seed) + i + 1);
            parts.Add(trials.Sac($"{task}-{seed}/sac", task, "", options with { Seed = (ulong)seed }, milestones[i], actor =>
                TransitionCollection.Collect(environment, Behaviours.Of(actor), Rows, start)));
            string kept = trials.Folder($"{task}-{seed}/sac-{milestones[i]}");
            Directory.CreateDirectory(kept);
            File.Copy(Path.Combine(trials.Folder($"{task}-{seed}/sac"), "checkpoint.bin"), Path.Combine(kept, "checkpoint.bin"), overwrite: true);
        }

        return TransitionSet.Concat(parts);
    });

    public int Run(string[] args)
    {
        var trials = new Trials(Name, args);
        string? only = Trials.Option(args, "--task");
        var text = new StringBuilder();
        bool holds = true;
        foreach (var (task, milestones, options, updates) in Tasks.Where(one => only is null || one.Name == only))
        {
            var recorded = new List<double[]>();
            var learned = s_methods.ToDictionary(method => method, _ => new List<double[]>());
            for (int seed = 1; seed <= Seeds; seed++)
            {
                var data = Record(trials, task, milestones, options, seed);
                recorded.Add(data.Returns());
                foreach (string method in s_methods)
                {
                    int index = Array.IndexOf(s_methods, method);
                    learned[method].Add(trials.Numbers($"{task}-{seed}/{index}", () => Trials.Learn(
                        Create(index, data, (ulong)seed, updates), updates, actor => Trials.Returns(task, "", actor, Episodes, (ulong)(7000 + seed)))));
                }
            }

            holds &= Table(text, task, milestones, updates, recorded, learned);
        }

        text.AppendLine(holds ? "Holds: both intervals lie above those of behaviour cloning and of the record, on every task." : "Falls short where a line says **no**.");
        Bench.Report(Name, Trials.Shown(args), text.ToString());
        return holds ? 0 : 1;
    }

    private static Robotics.Learning.Training.IReinforcement Create(int method, TransitionSet data, ulong seed, int updates) => method switch
    {
        0 => new BehaviourCloning(data, new() { Hidden = [64, 64], LearningRate = 1e-3, Seed = seed }),
        1 => new Td3Bc(data, new() { Hidden = [64, 64], LearningRate = 1e-3, Seed = seed }),
        2 => new Td3Bc(data, new() { Hidden = [64, 64], LearningRate = 1e-3, Alpha = 10, Seed = seed }),
        _ => new Iql(data, new() { Hidden = [64, 64], LearningRate = 1e-3, Seed = seed, CosineOver = updates }),
    };

    private static bool Table(StringBuilder text, string task, int[] milestones, int updates, List<double[]> recorded, Dictionary<string, List<double[]>> learned)
    {
        text.AppendLine(CultureInfo.InvariantCulture, $"""
            ## {task}

            Records: {Rows} transitions each of a uniform policy and of one SAC run (64 x 2) after {string.Join(", ", milestones)} steps, as it draws. {Seeds} seeds: of the run, the record,
            the weights and the draws. {updates} updates of 256, hidden 64 x 2, learning rate 1e-3. {Episodes} episodes without noise per seed, starts that no record has.
            Intervals: 95 %, bootstrap over seeds and then episodes.

            | policy | return | 95 % | {string.Join(" | ", Enumerable.Range(1, Seeds).Select(seed => $"seed {seed}"))} | above both |
            |---|---|---|{string.Concat(Enumerable.Repeat("---|", Seeds))}---|
            """);
        var record = Line("the record", recorded, "");
        var cloned = Line("behaviour cloning", learned["behaviour cloning"], "");
        bool iql = Beats("IQL"), plain = Beats(s_methods[1]), strong = Beats(s_methods[2]);
        text.AppendLine();
        return iql && (plain || strong);

        bool Beats(string method)
        {
            bool above = Trials.Bootstrap(learned[method]).Low > Math.Max(record.High, cloned.High);
            Line(method, learned[method], above ? "yes" : "**no**");
            return above;
        }

        (double Mean, double Low, double High) Line(string name, List<double[]> runs, string verdict)
        {
            var interval = Trials.Bootstrap(runs);
            text.AppendLine(CultureInfo.InvariantCulture,
                $"| {name} | {interval.Mean:F1} | {interval.Low:F1} to {interval.High:F1} | {string.Join(" | ", runs.Select(run => run.Average().ToString("F1", CultureInfo.InvariantCulture)))} | {verdict} |");
            return interval;
        }
    }
}
