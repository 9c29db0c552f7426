using System.Globalization;
using Robotics.Learning.OffPolicy;

namespace Robotics.Bench;

/// <summary>SAC on the pendulum, the hopper and the runner.</summary>
internal sealed class OnlineLearning : IBenchmark
{
    private static readonly ulong[] s_seeds = [1, 2, 3];

    public string Name => "online-learning";

    public string Claim => "SAC and PPO solve the pendulum (-165, -172) and improve the hopper and the runner clearly in 300,000 steps";

    public int Run(string[] args)
    {
        var runs = LearningRuns.From(args);
        var only = args.Length > 2 ? args[2..] : [];
        foreach (string task in new[] { "pendulum", "hopper", "runner" })
        {
            foreach (ulong seed in s_seeds)
            {
                var run = Sac(task, seed);
                if (only.Length == 0 || only.Contains(task))
                {
                    var result = runs.Result(run);
                    Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{run.Task} {run.Method} {run.Seed}: {result.Untrained:F1} to {result.Mean:F1}, {result.Seconds:F0} s"));
                }
            }
        }

        return 0;
    }

    private static LearningRun Sac(string task, ulong seed) => task == "pendulum"
        ? new(task, "sac", seed)
        {
            Steps = 10_000, Every = 1000,
            Create = (environment, folder) => new Sac(environment, new() { Hidden = [64, 64], Batch = 128, LearningRate = 2e-3, RandomSteps = 1000, Seed = seed }, folder, 1000),
        }
        : new(task, "sac", seed)
        {
            Steps = 300_000, Every = 10_000,
            Create = (environment, folder) => new Sac(
                environment, new() { Hidden = [128, 128], Batch = 128, LearningRate = 1e-3, UpdateEvery = 4, RandomSteps = 10_000, Replay = 300_000, Seed = seed }, folder, 10_000),
        };
}
