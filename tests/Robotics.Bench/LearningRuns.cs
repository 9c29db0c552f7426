using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Robotics.Learning.Evaluation;
using Robotics.Learning.Training;
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
        new(args is ["--work", var named, ..] ? named : Path.Combine(Bench.Root, "artifacts", "learning"));

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
    /// <param name="run">Which.</param>
    /// <param name="after">Shown the trained learner before it goes; null: nobody.</param>
    public LearningResult Result(LearningRun run, Action<IReinforcement>? after = null)
    {
        string folder = Folder(run), file = Path.Combine(folder, "result.json");
        if (File.Exists(file) && after is null)
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
        var result = new LearningResult(untrained, Judge(method, judging, run), Stopwatch.GetElapsedTime(start).TotalSeconds);
        File.WriteAllText(file, JsonSerializer.Serialize(result));
        after?.Invoke(method);
        return result;
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
