using System.Globalization;
using Robotics.Host;
using Robotics.Learning.Export;
using Robotics.Learning.Networks;
using Robotics.Learning.Training;
using Robotics.Sim;

namespace Robotics.Lab.Reinforcement;

/// <summary>A reinforcement run in its folder: learning, and what is written when it ends.</summary>
internal static class ReinforcementRun
{
    private const int EvaluatedTogether = 10;

    private static readonly int[] s_exampleSteps = [0, 10, 40];

    /// <summary>Learns to the end, or as far as it gets; the same call goes on.</summary>
    /// <param name="config">What, where and from what.</param>
    /// <param name="records">The records it names; null: none.</param>
    /// <param name="folder">The run's.</param>
    /// <param name="name">Of the policy.</param>
    /// <param name="cancellation">Stops between two rounds.</param>
    /// <returns>The exit code.</returns>
    /// <exception cref="IOException">The task or a loss gave no number; the checkpoint is from before.</exception>
    public static int Execute(ReinforcementConfig config, RecordedTransitions? records, string folder, string name, CancellationToken cancellation)
    {
        var method = LearningMethod.Named(config.Method);
        using var simulator = method.From.HasFlag(LearnsFrom.Simulator) ? config.Open(config.Dynamics, config.Count, "--dynamics") : null;
        using var robot = config.Open(config.Gap, Math.Clamp(config.Run.EvaluationEpisodes, 1, EvaluatedTogether), "--gap");
        Directory.CreateDirectory(folder);
        using var learner = method.Create(new(simulator, records?.Set, folder, config.Run.CheckpointEvery), config.Options(method));
        var trainer = new ReinforcementTrainer(learner, robot, config.Run, folder);
        config.Save(folder);
        try
        {
            using var line = new ProgressLine(method.From.HasFlag(LearnsFrom.Simulator) ? "steps" : "updates", config.Run.Steps);
            trainer.Run(new Each(progress => line.Report(progress.Step, string.Create(CultureInfo.InvariantCulture,
                $"{Told(learner.Columns, progress.Values)}evaluated {progress.Evaluation:g4}  {progress.StepsPerSecond:F0}/s"))), cancellation);
        }
        catch (InvalidOperationException error)
        {
            // A number that is none, from the task or from a loss: the message says which.
            throw new IOException(error.Message, error);
        }

        if (learner.Steps < config.Run.Steps)
        {
            Console.Error.WriteLine($"Interrupted after {learner.Steps} steps; the same command goes on from the last checkpoint in {folder}.");
            return ExitCode.Interrupted;
        }

        Pack(config, learner, robot, folder, Path.Combine(folder, "package"), name, drawn: false);
        string unit = method.From.HasFlag(LearnsFrom.Simulator) ? "steps" : "updates";
        var curve = config.Run.EvaluationEpisodes > 0 ? Curve.Read(folder) : null;
        if (curve is not null)
        {
            File.WriteAllText(Path.Combine(folder, "curve.svg"), CurvePicture.Draw([new(config.Method, [curve])], $"{name}: return of {config.Run.EvaluationEpisodes} episodes", unit));
        }

        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Path.Combine(folder, "package")}: {learner.Steps} {unit}{(curve is null ? "" : $", return {curve[^1].Return:g5}")}"));
        return ExitCode.Done;
    }

    /// <summary>The learner as its last checkpoint left it.</summary>
    /// <exception cref="ConfigException">The run has no checkpoint.</exception>
    public static IReinforcement Load(ReinforcementConfig config, RecordedTransitions? records, string folder, IVectorEnvironment? simulator)
    {
        if (!File.Exists(Path.Combine(folder, "checkpoint.bin")))
        {
            throw new ConfigException($"'{folder}' holds no checkpoint: the training has not come to its first one.");
        }

        var method = LearningMethod.Named(config.Method);
        var learner = method.Create(new(simulator, records?.Set, folder, config.Run.CheckpointEvery), config.Options(method));
        _ = new ReinforcementTrainer(learner, null, config.Run, folder);
        return learner;
    }

    /// <summary>Writes the policy's package, and beside it the critic's, <c>NAME-critic</c>, where there is one; for a simulator that has no
    /// wiring <c>policy.onnx</c> alone.</summary>
    /// <param name="config">How it was trained.</param>
    /// <param name="learner">What was.</param>
    /// <param name="environment">For examples; restarted.</param>
    /// <param name="folder">The run's.</param>
    /// <param name="package">The package's.</param>
    /// <param name="name">Of the policy.</param>
    /// <param name="drawn">True: it draws its actions.</param>
    public static void Pack(ReinforcementConfig config, IReinforcement learner, IVectorEnvironment environment, string folder, string package, string name, bool drawn)
    {
        if (LearningTasks.Find(config.Task) is not { } task)
        {
            Directory.CreateDirectory(package);
            File.WriteAllBytes(Path.Combine(package, "policy.onnx"), ActorWriter.Graph(learner.Actor, drawn));
            return;
        }

        var contents = new ActorContents
        {
            Name = name,
            Wiring = task.Wiring with { Description = Sentence(task.Description) },
            Examples = Examples(learner.Actor, environment),
            Trained = new()
            {
                Method = config.Method,
                Command = config.Command,
                Seed = config.Run.Seed,
                Steps = config.Run.Steps,
                DataSha256 = config.DataSha256,
                Metrics = config.Run.EvaluationEpisodes == 0 || !File.Exists(Path.Combine(folder, "evaluation.csv")) ? new Dictionary<string, double>() : new() { ["return"] = Math.Round(Curve.Read(folder)[^1].Return, 4) },
            },
        };
        var manifest = ActorWriter.Write(package, learner.Actor, contents, drawn);
        ModelCard.WriteActor(package, manifest, config, task);
        if (learner is IActorCritic critical)
        {
            ActorWriter.Write(package.TrimEnd('/') + "-critic", critical.Q, contents with { Name = name + "-critic", Wiring = task.Wiring with { Description = $"What an action is worth: {task.Description}." } });
        }
    }

    private static string Sentence(string text) => char.ToUpperInvariant(text[0]) + text[1..] + ".";

    // The first numbers of a line of metrics, by name.
    private static string Told(IReadOnlyList<string> columns, double[] values) => string.Concat(columns.Zip(values).Where(pair => double.IsFinite(pair.Second)).Take(3)
        .Select(pair => string.Create(CultureInfo.InvariantCulture, $"{pair.First.Replace('_', ' ')} {pair.Second:g4}  ")));

    // What the actor meets early and later in an episode: what the golden vectors are made from.
    private static List<float[]> Examples(Actor actor, IVectorEnvironment environment)
    {
        var step = new VectorStep(environment.Count, environment.ObservationSize);
        var actions = new float[environment.Count * environment.ActionSize];
        environment.Reset(1, step.Observations);
        var examples = new List<float[]>();
        for (int t = 0; t <= s_exampleSteps[^1]; t++)
        {
            if (s_exampleSteps.Contains(t))
            {
                examples.Add(step.Observations[..environment.ObservationSize]);
            }

            actor.Act(step.Observations, actions, null);
            environment.Step(actions, step);
        }

        return examples;
    }

    private sealed class Each(Action<RunProgress> tell) : IProgress<RunProgress>
    {
        public void Report(RunProgress value) => tell(value);
    }
}
