using System.Globalization;
using System.Text;

namespace Robotics.Bench;

/// <summary>SPO beside PPO with the same settings: how far one update moves the policy, and what it earns.</summary>
internal sealed class RatioBound : IBenchmark
{
    private const double Bound = 0.2;

    private static readonly ulong[] s_seeds = [1, 2, 3];

    public string Name => "ratio-bound";

    public string Claim => "SPO keeps the mean ratio deviation inside its bound in every update where PPO leaves it, at equal or better return";

    public int Run(string[] args)
    {
        var runs = LearningRuns.From(args);
        var text = new StringBuilder();
        text.AppendLine("""
            Same settings, seeds and environments for both, those of online-learning (its PPO runs are these). The deviation |ρ - 1| is the mean over all
            draws of an update, new policy to the one that collected, after the update's last step; ε = 0.2. Returns as there: 100 evaluation episodes
            of the deterministic actor, interquartile mean of three seeds, 95 % bootstrap interval.

            | task | method | mean deviation, largest of all updates | updates outside the bound | return by seed | interquartile mean |
            |---|---|---|---|---|---|
            """);
        bool holds = true;
        int outside = 0;
        var less = new List<string>();
        foreach (string task in OnlineLearning.Tasks)
        {
            LearningRun[] ppo = [.. s_seeds.Select(seed => OnlineLearning.Ppo(task, seed))], spo = [.. s_seeds.Select(seed => OnlineLearning.Spo(task, seed))];
            LearningResult[] left = [.. ppo.Select(runs.Result)], right = [.. spo.Select(runs.Result)];
            int leaves = Row(text, runs, ppo, left), stays = Row(text, runs, spo, right);
            var (mean, low, high) = LearningRuns.Difference(right, left);
            outside += leaves;
            bool one = stays == 0 && high >= 0;
            text.AppendLine(string.Create(CultureInfo.InvariantCulture, $"| {task} | SPO less PPO | | | | {mean:F1} ({low:F1} to {high:F1}){(one ? "" : " **no**")} |"));
            less.AddRange(mean < 0 ? [task] : []);
            holds &= one;
        }

        holds &= outside > 0;
        text.AppendLine();
        text.AppendLine(holds ? $"Holds: PPO leaves the bound, SPO never does, and no interval says that it earns less. {(less.Count == 0 ? "" : $"But on {string.Join(" and ", less)} its mean is lower, and three seeds cannot tell whether that is chance.")}" : "Falls short where a line says **no**.");
        Bench.Report(Name, Trials.Shown(args), text.ToString());
        return holds ? 0 : 1;
    }

    // How many updates of all seeds left the bound.
    private static int Row(StringBuilder text, LearningRuns runs, LearningRun[] seeds, LearningResult[] results)
    {
        double[] deviations = [.. seeds.SelectMany(run => runs.Column(run, "ratio_mean"))];
        int outside = deviations.Count(deviation => deviation > Bound);
        var (mean, low, high) = LearningRuns.Interval(results);
        text.AppendLine(string.Create(CultureInfo.InvariantCulture,
            $"| {seeds[0].Task} | {seeds[0].Method[..3].ToUpperInvariant()} | {deviations.Max():F3} | {outside} of {deviations.Length} | {string.Join(", ", results.Select(r => r.Mean.ToString("F1", CultureInfo.InvariantCulture)))} | **{mean:F1}** ({low:F1} to {high:F1}) |"));
        return outside;
    }
}
