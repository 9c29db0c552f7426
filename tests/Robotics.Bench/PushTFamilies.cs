using System.Globalization;
using System.Text;
using Robotics.Lab;

namespace Robotics.Bench;

/// <summary>The three families on PushT, over the number of network calls.</summary>
internal sealed class PushTFamilies : IBenchmark
{
    private static readonly string[] s_families = ["diffusion", "flow", "energy"];
    private static readonly int[] s_calls = [1, 2, 4, 8, 16, 100];

    public string Name => "push-t-families";

    public string Claim => "PushT, 100 unseen starts, three training seeds: the best family scores 0.90 or more, every family above 0.80";

    public int Run(string[] args)
    {
        var runs = PushTRuns.From(args);
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"State observations; {PushTRuns.Episodes} starts from seed {PushTRuns.FirstStart}, which no demonstration began from and no setting was chosen on; training seeds {string.Join(", ", PushTRuns.Seeds)}.");
        text.AppendLine("Score: highest reward of an episode (coverage/0.95, at most 1), mean over episodes: all seeds, and each. Solved: coverage above 0.95 within 30 s, all seeds, with its 95 % interval (Wilson).");
        text.AppendLine(CultureInfo.InvariantCulture, $"Data: `robotics-lab {string.Join(' ', PushTRuns.Collect)}`. Runs: `robotics-lab {string.Join(' ', PushTRuns.Train("METHOD", 1))}` (energy with `--layers 3`).").AppendLine();
        text.AppendLine("Diffusion predicts the clean chunk: DDIM on trailing timesteps, DDPM at 100 calls. Flow: Euler for 1, midpoint otherwise. Energy: the lowest of eight descents side by side, every step the same share of what is left, three tenths at ten calls.");
        text.AppendLine("The ms of a plan are wall time while the machine did other work besides; for speed see plan-torch and plan-deadline.").AppendLine();
        text.AppendLine("| family | calls | score | seeds | solved | ms per plan |").AppendLine("|---|---|---|---|---|---|");
        var best = s_families.ToDictionary(family => family, _ => 0.0);
        foreach (string family in s_families)
        {
            foreach (int calls in s_calls)
            {
                var scores = PushTRuns.Seeds.Select(seed => runs.Package(family, seed)).Select(package => PushTRuns.Score(package, Evaluation.WithCalls(package.Manifest.Sampler!, calls))).ToArray();
                var all = PushTRuns.Pool(scores);
                best[family] = Math.Max(best[family], all.Best);
                text.AppendLine(Row(family, calls.ToString(CultureInfo.InvariantCulture), all, string.Join(" ", scores.Select(score => score.Best.ToString("F3", CultureInfo.InvariantCulture)))));
            }
        }

        text.AppendLine(Row("demonstrator (knows the simulator)", "", Evaluation.Run(LabTask.Named("push-t"), () => LabTask.Named("push-t").Demonstrator(100), PushTRuns.Episodes, PushTRuns.FirstStart, Environment.ProcessorCount, null, CancellationToken.None), ""));
        text.AppendLine().AppendLine("Published, human demonstrations, trained on a GPU, same score, best checkpoint / mean of the last ten: Diffusion Policy 0.95 / 0.91, IBC 0.90 / 0.84, BET 0.79 / 0.70, LSTM-GMM 0.67 / 0.61.").AppendLine();
        bool holds = best.Values.Max() >= 0.90 && best.Values.Min() > 0.80;
        text.AppendLine(CultureInfo.InvariantCulture, $"{(holds ? "Holds" : "Falls short")}: best family {best.Values.Max():F3} (0.90), weakest family {best.Values.Min():F3} (0.80).");
        Bench.Report(Name, [], text.ToString());
        return holds ? 0 : 1;
    }

    internal static string Row(string label, string calls, Evaluation score, string seeds)
    {
        var (low, high) = score.Interval();
        return string.Create(CultureInfo.InvariantCulture, $"| {label} | {calls} | **{score.Best:F3}** ± {score.BestError():F3} | {seeds} | {score.Success:F2} ({low:F2} to {high:F2}) | {score.PlanMs:F2} |");
    }
}
