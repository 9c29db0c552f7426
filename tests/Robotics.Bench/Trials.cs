using System.Diagnostics;
using System.Globalization;
using Robotics.Learning.Data;
using Robotics.Learning.Evaluation;
using Robotics.Learning.Networks;
using Robotics.Learning.OffPolicy;
using Robotics.Learning.Training;
using Robotics.Sim;

namespace Robotics.Bench;

/// <summary>The finished parts of a long trial, kept in a folder so that a second start goes on where the first ended.</summary>
/// <remarks>A part is named by its row, method and seed. Delete a part's file to have it run again.</remarks>
internal sealed class Trials
{
    private readonly string _folder;
    private readonly long _started = Stopwatch.GetTimestamp();

    /// <param name="name">Of the benchmark.</param>
    /// <param name="args">Its arguments: <c>--work FOLDER</c>, otherwise a temporary one.</param>
    public Trials(string name, string[] args)
    {
        _folder = Option(args, "--work") is { } folder ? Path.Combine(folder, name) : Directory.CreateTempSubdirectory($"robotics-{name}-").FullName;
        Directory.CreateDirectory(_folder);
        Console.Error.WriteLine($"parts are kept in {_folder}");
    }

    /// <summary>The value behind an option, or null.</summary>
    public static string? Option(string[] args, string name) => Array.IndexOf(args, name) is >= 0 and var at && at + 1 < args.Length ? args[at + 1] : null;

    /// <summary>What is measured is kept with the trial, not the folder it was kept in.</summary>
    public static string[] Shown(string[] args) => Array.IndexOf(args, "--work") is >= 0 and var at ? [.. args[..at], .. args[Math.Min(at + 2, args.Length)..]] : args;

    /// <summary>A folder of a part's own.</summary>
    public string Folder(string part) => Path.Combine(_folder, part);

    /// <summary>Numbers that one part gives.</summary>
    public double[] Numbers(string part, Func<double[]> run)
    {
        string path = Folder(part + ".txt");
        if (!File.Exists(path))
        {
            double[] numbers = run();
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllLines(path, numbers.Select(number => number.ToString("r", CultureInfo.InvariantCulture)));
            Console.Error.WriteLine(FormattableString.Invariant($"{Stopwatch.GetElapsedTime(_started).TotalSeconds,6:F0} s  {part}: {numbers.Average():F2}"));
        }

        return [.. File.ReadAllLines(path).Select(line => double.Parse(line, CultureInfo.InvariantCulture))];
    }

    /// <summary>A record that one part gives.</summary>
    public TransitionSet Record(string part, Func<TransitionSet> run)
    {
        string path = Folder(part + ".bin");
        if (!File.Exists(path))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            run().Save(path);
            Console.Error.WriteLine(FormattableString.Invariant($"{Stopwatch.GetElapsedTime(_started).TotalSeconds,6:F0} s  {part}: {TransitionSet.Load(path)}"));
        }

        return TransitionSet.Load(path);
    }

    /// <summary>One task, with a gap or without.</summary>
    public static VectorEnvironment Open(string task, int count, string gap = "") =>
        new(LearningTasks.Named(task), new VectorOptions { Count = count, Dynamics = DynamicsRanges.Parse(gap, "gap") });

    /// <summary>Trains SAC to so many steps, going on from what the part's folder holds, and uses the actor.</summary>
    public T Sac<T>(string part, string task, string gap, SacOptions options, long steps, Func<Actor, T> use)
    {
        const int every = 1000;
        using var environment = Open(task, 1, gap);
        using var sac = new Sac(environment, options, Folder(part), every);
        var trainer = new ReinforcementTrainer(sac, null, new RunOptions { Steps = steps, LogEvery = every, CheckpointEvery = every, EvaluateEvery = every, EvaluationEpisodes = 0, Seed = options.Seed }, Folder(part));
        trainer.Run();
        return use(sac.Actor);
    }

    /// <summary>Trains a method to the end and looks at its policy.</summary>
    public static double[] Learn(IReinforcement method, long steps, Func<Actor, double[]> look)
    {
        using (method)
        {
            new ReinforcementTrainer(method, null, new RunOptions { Steps = steps, LogEvery = steps, CheckpointEvery = steps, EvaluateEvery = steps, EvaluationEpisodes = 0 }, null).Run();
            return look(method.Actor);
        }
    }

    /// <summary>Returns of a policy that acts without noise.</summary>
    public static double[] Returns(string task, string gap, Actor actor, int episodes, ulong seed)
    {
        using var environment = Open(task, Math.Min(episodes, 10), gap);
        return Rollout.Returns(environment, actor, episodes, seed);
    }

    /// <summary>Mean over all runs' episodes and a 95 % bootstrap interval that draws runs, then episodes of each.</summary>
    public static (double Mean, double Low, double High) Bootstrap(IReadOnlyList<double[]> runs)
    {
        var random = new Robotics.Numerics.SeededRandom(1);
        double[] means = [.. Enumerable.Range(0, 2000).Select(_ => Enumerable.Range(0, runs.Count).Average(_ =>
        {
            double[] run = runs[random.NextInt(0, runs.Count)];
            return Enumerable.Range(0, run.Length).Average(_ => run[random.NextInt(0, run.Length)]);
        }))];
        return (runs.Average(run => run.Average()), Bench.Percentile(means, 0.025), Bench.Percentile(means, 0.975));
    }
}
