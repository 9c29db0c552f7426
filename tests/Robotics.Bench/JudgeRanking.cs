using System.Globalization;
using System.Text;
using Robotics.Learning.Evaluation;
using Robotics.Learning.Networks;

namespace Robotics.Bench;

/// <summary>What logged data say about twelve policies beside what they really earn.</summary>
internal sealed class JudgeRanking : IBenchmark
{
    private const int Seeds = 3, Episodes = 50;

    public string Name => "judge-ranking";

    public string Claim => "rank correlation of fitted Q's estimate with the true return over 12 policies: at least 0.8";

    public int Run(string[] args)
    {
        // The records and policies of the offline trial.
        var trials = new Trials("offline-mixed", args);
        string? only = Trials.Option(args, "--task");
        var text = new StringBuilder();
        bool holds = true;
        foreach (var (task, milestones, options, _) in OfflineMixed.Tasks.Where(one => only is null || one.Name == only))
        {
            var data = OfflineMixed.Record(trials, task, milestones, options, 1);
            var lines = new List<(string Name, double[] Numbers)>();
            for (int seed = 1; seed <= Seeds; seed++)
            {
                OfflineMixed.Record(trials, task, milestones, options, seed);
                foreach (int milestone in milestones)
                {
                    string part = $"{task}-{seed}/sac-{milestone}";
                    lines.Add(($"SAC {seed}, {milestone} steps", trials.Numbers($"{task}-{seed}/judged-{milestone}", () =>
                        trials.Sac(part, task, "", options with { Seed = (ulong)seed }, milestone, actor => Judge(task, data, actor)))));
                }
            }

            holds &= Table(text, task, data.Count, data.Episodes, lines);
        }

        text.AppendLine(holds ? "Holds: at least 0.8 on every task." : "Falls short of 0.8 where a line says so.");
        Bench.Report(Name, Trials.Shown(args), text.ToString());
        return holds ? 0 : 1;
    }

    // True discounted and undiscounted return, estimate, interval, ordinary, weighted, doubly robust, effective episodes, outside.
    private static double[] Judge(string task, Robotics.Learning.Data.TransitionSet data, Actor actor)
    {
        var options = new FittedQOptions { Resamples = 8, Hidden = [48, 48], Updates = 6000, Gamma = task == "pendulum" ? 0.98 : 0.99 };
        using var environment = Trials.Open(task, 10);
        var truth = Robotics.Learning.Data.TransitionCollection.Collect(
            environment, Robotics.Learning.Data.Behaviours.Of(actor, deviation: 0), Episodes * (task == "pendulum" ? 200 : 500), 9000);
        var judged = FittedQ.Evaluate(data, actor, options);
        return [truth.Returns(options.Gamma).Average(), truth.Returns().Average(), judged.Estimate, judged.Low, judged.High,
            judged.Weights!.Ordinary, judged.Weights.Weighted, judged.Weights.DoublyRobust, judged.Weights.EffectiveEpisodes, judged.Outside];
    }

    private static bool Table(StringBuilder text, string task, int rows, int episodes, List<(string Name, double[] Numbers)> lines)
    {
        double[] truth = [.. lines.Select(line => line.Numbers[0])], plain = [.. lines.Select(line => line.Numbers[1])];
        double Rank(int column) => Spearman([.. lines.Select(line => line.Numbers[column])], truth);
        double Error(int column) => Bench.Median(lines.Select(line => Math.Abs(line.Numbers[column] - line.Numbers[0])));
        double rank = Rank(2), undiscounted = Spearman([.. lines.Select(line => line.Numbers[2])], plain);
        text.AppendLine(CultureInfo.InvariantCulture, $"""
            ## {task}

            Record: seed 1's of the offline trial, {rows} transitions in {episodes} episodes with propensities, a fifth of them by a uniform policy. Policies: three SAC runs at four
            stages, without noise; eight of them never wrote into the record. Discounted returns; truth from {Episodes} episodes. Fitted Q: 48 x 2, 6000 updates, 8 resamples. Weights:
            a Gaussian of 0.2 around the policy's action.

            | policy | true | fitted Q | 95 % | ordinary weights | weighted | doubly robust | episodes left | outside | true, undiscounted |
            |---|---|---|---|---|---|---|---|---|---|
            """);
        foreach (var (name, n) in lines)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"| {name} | {n[0]:F1} | {n[2]:F1} | {n[3]:F1} to {n[4]:F1} | {n[5]:G3} | {n[6]:F1} | {n[7]:F1} | {n[8]:F1} | {n[9]:P0} | {n[1]:F1} |");
        }

        text.AppendLine(CultureInfo.InvariantCulture, $"""

            | | fitted Q | ordinary weights | weighted | doubly robust |
            |---|---|---|---|---|
            | rank correlation with the true return | **{rank:F2}** | {Rank(5):F2} | {Rank(6):F2} | {Rank(7):F2} |
            | median error | {Error(2):F1} | {Error(5):G3} | {Error(6):F1} | {Error(7):F1} |

            Rank correlation of fitted Q with the undiscounted return: {undiscounted:F2}. {(rank >= 0.8 ? "" : "**Short of 0.8.**")}

            """);
        return rank >= 0.8;
    }

    private static double Spearman(double[] x, double[] y)
    {
        double[] a = Ranks(x), b = Ranks(y);
        double mean = a.Average(), covariance = a.Zip(b, (p, q) => (p - mean) * (q - mean)).Sum();
        return covariance / Math.Sqrt(a.Sum(p => (p - mean) * (p - mean)) * b.Sum(q => (q - mean) * (q - mean)));
    }

    // Equal values share their mean rank.
    private static double[] Ranks(double[] values) => [.. values.Select(value => values.Count(other => other < value) + ((values.Count(other => other == value) - 1) / 2.0))];
}
