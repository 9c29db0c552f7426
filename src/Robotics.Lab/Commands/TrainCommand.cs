using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Robotics.Host;
using Robotics.Lab.Reinforcement;
using Robotics.Learning.Data;
using Robotics.Learning.Export;
using Robotics.Learning.Imitation;
using Robotics.Learning.Networks;
using Robotics.Learning.Training;
using Robotics.Numerics;
using Robotics.Packages;

namespace Robotics.Lab.Commands;

/// <summary><c>robotics-lab train</c>: records to a policy package.</summary>
internal static class TrainCommand
{
    private static readonly (string Name, string Description)[] s_methods =
    [
        ("diffusion", "Diffusion policy on demonstrations (Chi et al. 2023)"),
        ("flow", "Flow matching on demonstrations (Lipman et al. 2023)"),
        ("energy", "An energy whose dips are the demonstrated actions: equilibrium matching (Wang and Du 2025)"),
        ("energy-unrolled", "An energy trained through its own descent"),
    ];

    public static Command Create()
    {
        var command = new Command("train", """
            Trains a policy: on demonstrations, in a simulator, or on records of a robot.

            Each method has its own --help.

            Examples:
              robotics-lab train diffusion --data data/push-t --run runs/push-t-diffusion
              robotics-lab train sac --task pendulum --run runs/pendulum-sac --set learning_rate=1e-3
            """);
        foreach (var (name, description) in s_methods)
        {
            command.Subcommands.Add(Imitation(name, description));
        }

        command.Subcommands.Add(TrainJointCommand.Create());
        foreach (var method in LearningMethod.All)
        {
            command.Subcommands.Add(TrainMethodCommand.Create(method));
        }

        return command;
    }

    private static Command Imitation(string which, string description)
    {
        var data = new Option<string[]>("--data") { Description = "records or folders of them", Required = true, AllowMultipleArgumentsPerToken = true };
        var run = new Option<DirectoryInfo>("--run") { Description = "the run's folder: config, metrics, checkpoint, plot, package", Required = true };
        var network = new Option<string>("--network") { Description = "mlp, unet1d or transformer", DefaultValueFactory = _ => "mlp" };
        var prediction = new Option<Prediction>("--prediction") { Description = "what a diffusion network predicts: epsilon, sample or velocity", DefaultValueFactory = _ => Prediction.Sample };
        var width = new Option<int>("--width") { Description = "of the network's layers", DefaultValueFactory = _ => 512 };
        var layers = new Option<int>("--layers") { Description = "of the network", DefaultValueFactory = _ => 4 };
        var executed = new Option<int?>("--executed") { Description = "Ta: rows executed of each chunk; the task's own when left out" };
        var steps = new Option<long>("--steps") { Description = "updates", DefaultValueFactory = _ => 20000 };
        var batch = new Option<int>("--batch") { Description = "windows per update", DefaultValueFactory = _ => 256 };
        var rate = new Option<double>("--learning-rate") { Description = "at its peak", DefaultValueFactory = _ => 1e-3 };
        var seed = new Option<ulong>("--seed") { Description = "of weights, batches and noise", DefaultValueFactory = _ => 1 };
        var threads = new Option<int>("--threads") { Description = "of libtorch", DefaultValueFactory = _ => 1 };
        var validation = new Option<double>("--validation") { Description = "share of episodes kept for validation", DefaultValueFactory = _ => 0.02 };
        var name = new Option<string?>("--name") { Description = "of the policy; TASK-METHOD when left out" };
        var flags = new DataFlags();
        var command = new Command(which, $"""
            {description}.

            Interrupt it at any time, or kill it: the same command goes on from the last checkpoint and ends with the same bytes.

            Example:
              robotics-lab train {which} --data data/push-t --run runs/push-t-{which}
            """)
        { data, run, network, prediction, width, layers, executed, steps, batch, rate, seed, threads, validation, name };
        flags.AddTo(command);
        command.SetGuardedAction((parsed, cancellation) =>
        {
            var task = flags.Task(parsed);
            var wiring = flags.Wiring(parsed, task);
            var set = EpisodeSet.Read(parsed.GetValue(data)!, wiring, flags.Filter(parsed));
            var (seen, horizon, rows) = task.Windows;
            rows = parsed.GetValue(executed) ?? rows;
            var (training, held) = Demonstration.Split(set.Episodes, parsed.GetValue(validation), parsed.GetValue(seed));
            int frame = set.Episodes[0].ObservationSize, size = set.Episodes[0].ActionSize;
            var observations = Statistics.Fit("min_max", training.Select(episode => episode.Observations), frame);
            var actions = Statistics.Fit("min_max", training.Select(episode => episode.Actions), size);
            var config = new TrainingConfig
            {
                Command = "robotics-lab " + string.Join(' ', parsed.Tokens.Select(token => token.Value)),
                Task = task.Name,
                Method = which,
                Prediction = parsed.GetValue(prediction),
                Network = TrainingConfig.Shape(parsed.GetValue(network)!, which, parsed.GetValue(width), parsed.GetValue(layers), horizon, size, seen * frame, seen),
                Options = Options(parsed.GetValue(steps), parsed.GetValue(batch), parsed.GetValue(rate), parsed.GetValue(seed), parsed.GetValue(threads)),
                ObservationSteps = seen,
                Executed = rows,
                DataSha256 = set.Sha256,
                Episodes = training.Count,
                Observations = observations,
                Actions = actions,
                Examples = Examples(training, seen, frame),
                Sampler = TrainingConfig.DefaultSampler(which, parsed.GetValue(prediction), horizon),
            };
            var cut = new WindowOptions { ObservationSteps = seen, Horizon = horizon, Executed = task.PaddedRows + 1 };
            var (o, a) = (new Normalizer(observations, frame), new Normalizer(actions, size));
            var windows = ChunkWindows.Cut(training, cut, o, a, string.Join(", ", parsed.GetValue(data)!));
            var tests = held.Count == 0 ? null : ChunkWindows.Cut(held, cut, o, a, "validation episodes");
            Console.Error.WriteLine($"{set.Records} records ({set.Successes} succeeded), {training.Count} episodes, {windows.Count} windows; {held.Count} episodes validate");
            string folder = parsed.GetValue(run)!.FullName;
            string policy = parsed.GetValue(name) ?? $"{task.Name}-{which}";
            return Task.FromResult(Train(config, task, wiring, windows, Losses, folder, policy, cancellation));

            IEnumerable<(string, double)> Losses(IImitation method, Network average) =>
                tests is null ? [] : [("validation_loss", Validation.Loss(method, tests))];
        });
        return command;
    }

    /// <summary>What the command line says of a training; the rate rises over its first tenth, 100 updates at most.</summary>
    public static TrainingOptions Options(long steps, int batch, double rate, ulong seed, int threads) =>
        new() { Steps = steps, Batch = batch, LearningRate = rate, WarmUp = Math.Min(100, steps / 10), Seed = seed, Threads = threads };

    /// <summary>Writes the package of a run's averaged weights, and its card.</summary>
    public static void Pack(string folder, TrainingConfig config, LabTask task, PolicyManifest wiring, Network average, string name, RunSummary summary)
    {
        var manifest = PackageWriter.Write(folder, average, new PackageContents
        {
            Name = name,
            Wiring = wiring,
            ObservationSteps = config.ObservationSteps,
            Executed = config.Executed,
            Observations = config.Observations,
            Actions = config.Actions,
            Sampler = config.Sampler,
            Examples = config.Examples,
            Trained = new()
            {
                Method = config.Method == "diffusion" ? $"diffusion({config.Prediction})" : config.Method,
                Command = config.Command,
                Seed = config.Options.Seed,
                Steps = config.Options.Steps,
                Episodes = config.Episodes,
                DataSha256 = config.DataSha256,
                Metrics = summary.Metrics,
            },
        });
        ModelCard.Write(folder, manifest, task, summary);
    }

    /// <summary>Trains, or goes on with it, and packs what came of it.</summary>
    /// <param name="config">The run.</param>
    /// <param name="task">What it is for.</param>
    /// <param name="wiring">What is observed, what an action is.</param>
    /// <param name="windows">What to learn from.</param>
    /// <param name="measure">Numbers for the package, of the method as it ends and of its averaged weights.</param>
    /// <param name="folder">The run's.</param>
    /// <param name="name">Of the policy.</param>
    /// <param name="cancellation">Stops between two updates.</param>
    internal static int Train(
        TrainingConfig config, LabTask task, PolicyManifest wiring, ChunkSet windows, Func<IImitation, Network, IEnumerable<(string Name, double Value)>> measure,
        string folder, string name, CancellationToken cancellation)
    {
        config.CheckExport("command line");
        var method = config.Build();
        using var network = method.Network;
        using var trainer = new Trainer(method, windows, config.Options, folder);
        config.Save(folder);
        long began = trainer.Step;
        long start = Stopwatch.GetTimestamp();
        using (var line = new ProgressLine("updates", config.Options.Steps))
        {
            trainer.Run(new Each(progress =>
                line.Report(progress.Step, string.Create(CultureInfo.InvariantCulture, $"loss {progress.Loss:F4}  {progress.SamplesPerSecond:F0} windows/s"))), cancellation);
        }

        if (trainer.Step < config.Options.Steps)
        {
            Console.Error.WriteLine($"Interrupted after {trainer.Step} updates; the same command goes on from the last checkpoint in {folder}.");
            return ExitCode.Interrupted;
        }

        // The loss from the file and no wall time: a run that was killed and resumed packs the same bytes as one that was not.
        string log = Path.Combine(folder, "metrics.csv");
        double loss = double.Parse(File.ReadLines(log).Last().Split(',')[1], CultureInfo.InvariantCulture);
        var metrics = new Dictionary<string, double> { ["loss"] = Math.Round(loss, 6) };
        using var average = trainer.Averaged();
        foreach (var (number, value) in measure(method, average))
        {
            metrics[number] = Math.Round(value, 6);
        }

        var summary = new RunSummary
        {
            Network = $"{config.Network.GetType().Name} for chunks of {config.Network.Horizon} x {config.Network.ActionSize}",
            Weights = network.Flat.shape[0],
            Batch = config.Options.Batch,
            Threads = config.Options.Threads,
            Minutes = Stopwatch.GetElapsedTime(start).TotalMinutes,
            Resumed = began > 0,
            Metrics = metrics,
        };
        summary.Save(folder);
        File.WriteAllText(Path.Combine(folder, "loss.svg"), LossPicture.Draw(log, name));
        string package = Path.Combine(folder, "package");
        Pack(package, config, task, wiring, average, name, summary);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{package}: {trainer.Step} updates, {string.Join(", ", metrics.Select(pair => string.Create(CultureInfo.InvariantCulture, $"{pair.Key} {pair.Value:F4}")))}"));
        return ExitCode.Done;
    }

    // Early, middle and late in the first episode: what the golden vectors are made from.
    internal static float[][] Examples(IReadOnlyList<Demonstration> episodes, int seen, int width)
    {
        var episode = episodes[0];
        return [.. new[] { 0, episode.Steps / 2, episode.Steps - 1 }.Select(step =>
            (float[])[.. Enumerable.Range(step - seen + 1, seen).SelectMany(at => episode.Observations.AsSpan(Math.Max(at, 0) * width, width).ToArray())])];
    }

    private sealed class Each(Action<TrainingProgress> tell) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value) => tell(value);
    }
}
