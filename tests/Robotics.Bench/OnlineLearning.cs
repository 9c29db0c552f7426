using System.Globalization;
using System.Text;
using Robotics.Learning.OffPolicy;
using Robotics.Learning.OnPolicy;

namespace Robotics.Bench;

/// <summary>SAC and PPO on the pendulum, the hopper and the runner.</summary>
internal sealed class OnlineLearning : IBenchmark
{
    private static readonly ulong[] s_seeds = [1, 2, 3];

    /// <summary>What is learned.</summary>
    public static IReadOnlyList<string> Tasks { get; } = ["pendulum", "hopper", "runner"];

    public string Name => "online-learning";

    public string Claim => "SAC and PPO solve the pendulum (-165, -172) and clearly improve the hopper and the runner in 300,000 steps";

    public int Run(string[] args)
    {
        var runs = LearningRuns.From(args);
        var text = new StringBuilder();
        text.AppendLine("""
            Mean return of 100 evaluation episodes by the deterministic actor, from starts of their own, never the best checkpoint; three seeds, then
            their interquartile mean with its 95 % bootstrap interval (draws runs, then episodes). One thread each. Pendulum returns compare with
            published ones (rl-baselines3-zoo: SAC -157 ± 89, PPO -172); hopper and runner have scenes of our own, so theirs do not.
            SAC: pendulum 10,000 steps (64 x 2, batch 128, learning rate 2e-3); hopper and runner 300,000 steps with an update in every fourth
            (128 x 2, batch 128, learning rate 1e-3, 10,000 random steps), a quarter of the usual updates, to save time.
            PPO: card 1 with 64 x 2, learning rate 1e-3 annealed to 0, four environments; pendulum 200,000 steps (γ 0.95: card 1 has 0.9, which gave -185 on seed 101; T 1024, minibatches of 64),
            hopper and runner 300,000 steps (T 512). PPO's rate, γ and number of environments were chosen on seed 101 and its starts, SAC's settings before any run.

            | task | method | steps | untrained | seed 1 | seed 2 | seed 3 | interquartile mean | limit | holds |
            |---|---|---|---|---|---|---|---|---|---|
            """);
        bool holds = true;
        foreach (string task in Tasks)
        {
            foreach (var create in new Func<string, ulong, LearningRun>[] { Sac, Ppo })
            {
                holds &= Row(text, runs, [.. s_seeds.Select(seed => create(task, seed))]);
            }
        }

        text.AppendLine();
        text.AppendLine("On the hopper all of them learn to stay up, which earns 500, and lean forward a little; none of them hops far in so few steps.");
        text.AppendLine("Limit of hopper and runner: the interval's lower end above twice the best of the untrained actors' means and above 100.");
        text.AppendLine(holds ? "Holds: every line." : "Falls short where a line says **no**.");
        Bench.Report(Name, Trials.Shown(args), text.ToString());
        return holds ? 0 : 1;
    }

    /// <summary>PPO as the other trials compare with it.</summary>
    public static LearningRun Ppo(string task, ulong seed) => new(task, "ppo", seed)
    {
        Count = 4,
        Steps = Options(task, seed).AnnealOver!.Value,
        Every = Options(task, seed).Horizon * 4,
        Create = (environment, _) => new Ppo(environment, Options(task, seed)),
    };

    /// <summary>SPO with the settings of <see cref="Ppo"/>.</summary>
    public static LearningRun Spo(string task, ulong seed) => Ppo(task, seed) with { Method = "spo", Create = (environment, _) => new Spo(environment, Options(task, seed)) };

    private static OnPolicyOptions Options(string task, ulong seed) => task == "pendulum"
        ? new() { Gamma = 0.95, LearningRate = 1e-3, Horizon = 1024, Minibatches = 64, AnnealOver = 200_000, Seed = seed }
        : new() { LearningRate = 1e-3, Horizon = 512, AnnealOver = 300_000, Seed = seed };

    private static LearningRun Sac(string task, ulong seed) => task == "pendulum"
        ? new(task, "sac", seed)
        {
            Steps = 10_000,
            Every = 1000,
            Create = (environment, folder) => new Sac(environment, new() { Hidden = [64, 64], Batch = 128, LearningRate = 2e-3, RandomSteps = 1000, Seed = seed }, folder, 1000),
        }
        : new(task, "sac", seed)
        {
            Steps = 300_000,
            Every = 10_000,
            Create = (environment, folder) => new Sac(
                environment, new() { Hidden = [128, 128], Batch = 128, LearningRate = 1e-3, UpdateEvery = 4, RandomSteps = 10_000, Replay = 300_000, Seed = seed }, folder, 10_000),
        };

    private static bool Row(StringBuilder text, LearningRuns runs, LearningRun[] seeds)
    {
        LearningResult[] results = [.. seeds.Select(runs.Result)];
        var (mean, low, high) = LearningRuns.Interval(results);
        var (task, method) = (seeds[0].Task, seeds[0].Method);
        double limit = task == "pendulum" ? (method == "sac" ? -165 : -172) : Math.Max(100, 2 * results.Max(result => result.Untrained));
        bool holds = task == "pendulum" ? mean >= limit : low > limit;
        text.AppendLine(string.Create(CultureInfo.InvariantCulture,
            $"| {task} | {method} | {seeds[0].Steps} | {results.Average(r => r.Untrained):F1} | {string.Join(" | ", results.Select(r => r.Mean.ToString("F1", CultureInfo.InvariantCulture)))} | **{mean:F1}** ({low:F1} to {high:F1}) | {(task == "pendulum" ? "mean at least" : "interval above")} {limit:F0} | {(holds ? "yes" : "**no**")} |"));
        return holds;
    }
}
