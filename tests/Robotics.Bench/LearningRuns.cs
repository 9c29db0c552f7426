using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Robotics.Learning.Evaluation;
using Robotics.Learning.Networks;
using Robotics.Learning.Training;
using Robotics.Numerics;
using Robotics.Sim;

namespace Robotics.Bench;

/// <summary>What one training run came to.</summary>
/// <param name="Untrained">Mean return of the actor it began with.</param>
/// <param name="Returns">[episodes] of the trained, deterministic actor.</param>
/// <param name="Seconds">Of training; of the last stretch where it was interrupted.</param>
internal sealed record LearningResult(double Untrained, double[] Returns, double Seconds)
{
    /// <summary>Mean of the returns.</summary>
    public double Mean => Returns.Average();

    /// <summary>What <see cref="LearningRun.Look"/> saw.</summary>
    public double[] Seen { get; init; } = [];
}

/// <summary>One training run of a trial: which task, by which method, with which seed.</summary>
internal sealed record LearningRun(string Task, string Method, ulong Seed)
{
    /// <summary>Environments.</summary>
    public int Count { get; init; } = 1;

    /// <summary>Environment steps.</summary>
    public required long Steps { get; init; }

    /// <summary>Steps per line of metrics, and between checkpoints.</summary>
    public required long Every { get; init; }

    /// <summary>Episodes that judge the trained actor, from starts of their own.</summary>
    public int Episodes { get; init; } = 100;

    /// <summary>Looks at the trained actor; null: only its returns count.</summary>
    public Func<Actor, double[]>? Look { get; init; }

    /// <summary>Makes the learner.</summary>
    public required Func<IVectorEnvironment, string, IReinforcement> Create { get; init; }
}

/// <summary>The training runs behind a trial, each in a folder of its own: what is done is read, what was interrupted goes on.</summary>
internal sealed class LearningRuns
{
    private const ulong FirstEvaluation = 1_000_000;

    private readonly string _folder;

    private LearningRuns(string folder) => _folder = folder;

    /// <summary>From <c>--work FOLDER</c>; artifacts/learning without it.</summary>
    public static LearningRuns From(string[] args) =>
        new(Trials.Option(args, "--work") ?? Path.Combine(Bench.Root, "artifacts", "learning"));

    /// <summary>The folder of a run, with its metrics.</summary>
    public string Folder(LearningRun run) => Path.Combine(_folder, string.Create(CultureInfo.InvariantCulture, $"{run.Task}-{run.Method}-{run.Seed}"));

    /// <summary>One column of a run's metrics, a number per line; NaN where it has none.</summary>
    public double[] Column(LearningRun run, string name)
    {
        string[] lines = File.ReadAllLines(Path.Combine(Folder(run), "metrics.csv"));
        int at = Array.IndexOf(lines[0].Split(','), name);
        return [.. lines.Skip(1).Select(line => double.TryParse(line.Split(',')[at], CultureInfo.InvariantCulture, out double value) ? value : double.NaN)];
    }

    /// <summary>Trains, or reads what was trained before.</summary>
    public LearningResult Result(LearningRun run)
    {
        string folder = Folder(run), file = Path.Combine(folder, "result.json");
        if (File.Exists(file))
        {
            return JsonSerializer.Deserialize<LearningResult>(File.ReadAllText(file))!;
        }

        using var environment = LearningTasks.Open(run.Task, new() { Count = run.Count });
        using var judging = LearningTasks.Open(run.Task, new() { Count = 10 });
        using var method = run.Create(environment, folder);
        double untrained = Judge(method, judging, run).Average();
        var trainer = new ReinforcementTrainer(
            method, null, new() { Steps = run.Steps, LogEvery = run.Every, CheckpointEvery = run.Every, EvaluateEvery = run.Steps, EvaluationEpisodes = 0 }, folder);
        long start = Stopwatch.GetTimestamp();
        trainer.Run(new Told(run));
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        var result = new LearningResult(untrained, Judge(method, judging, run), seconds) { Seen = run.Look?.Invoke(method.Actor) ?? [] };
        File.WriteAllText(file, JsonSerializer.Serialize(result));
        Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{run.Task} {run.Method} seed {run.Seed}: {result.Untrained:F1} to {result.Mean:F1} in {seconds:F0} s"));
        return result;
    }

    /// <summary>The mean of the middle half: of n numbers the lowest and the highest n/4 do not count, fractions in part.</summary>
    public static double InterquartileMean(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        double cut = sorted.Length / 4.0, sum = 0, weights = 0;
        for (int i = 0; i < sorted.Length; i++)
        {
            double weight = Math.Clamp(Math.Min(i + 1 - cut, sorted.Length - cut - i), 0, 1);
            (sum, weights) = (sum + (weight * sorted[i]), weights + weight);
        }

        return sum / weights;
    }

    /// <summary>The interquartile mean of runs' means with its 95 % bootstrap interval, which draws runs, then episodes of each.</summary>
    public static (double Mean, double Low, double High) Interval(IReadOnlyList<LearningResult> runs)
    {
        double[] draws = Draws(runs);
        return (InterquartileMean(runs.Select(run => run.Mean)), Bench.Percentile(draws, 0.025), Bench.Percentile(draws, 0.975));
    }

    /// <summary>The difference of two such means, first less second, with its interval.</summary>
    public static (double Mean, double Low, double High) Difference(IReadOnlyList<LearningResult> first, IReadOnlyList<LearningResult> second)
    {
        double[] draws = [.. Draws(first, 1).Zip(Draws(second, 2), (a, b) => a - b)];
        return (InterquartileMean(first.Select(run => run.Mean)) - InterquartileMean(second.Select(run => run.Mean)), Bench.Percentile(draws, 0.025), Bench.Percentile(draws, 0.975));
    }

    private static double[] Draws(IReadOnlyList<LearningResult> runs, ulong seed = 1)
    {
        var random = new SeededRandom(seed);
        return [.. Enumerable.Range(0, 2000).Select(_ => InterquartileMean(Enumerable.Range(0, runs.Count).Select(_ =>
        {
            double[] run = runs[random.NextInt(0, runs.Count)].Returns;
            return Enumerable.Range(0, run.Length).Average(_ => run[random.NextInt(0, run.Length)]);
        }).ToArray()))];
    }

    private static double[] Judge(IReinforcement method, IVectorEnvironment environment, LearningRun run) =>
        Rollout.Returns(environment, method.Actor, run.Episodes, FirstEvaluation + run.Seed);

    private sealed class Told(LearningRun run) : IProgress<RunProgress>
    {
        private long _last = Stopwatch.GetTimestamp();

        public void Report(RunProgress value)
        {
            if (Stopwatch.GetElapsedTime(_last).TotalSeconds > 20)
            {
                _last = Stopwatch.GetTimestamp();
                Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"{run.Task} {run.Method} seed {run.Seed}: {value.Step} of {run.Steps} steps, return {value.Values[0]:F0}, {value.StepsPerSecond:F0} steps/s"));
            }
        }
    }
}
