using System.Globalization;
using System.Text;
using Robotics.Lab.Reinforcement;
using Robotics.Packages;
using Robotics.Sim;

namespace Robotics.Lab;

/// <summary><c>CARD.md</c> of a package: what it was made from and how, how good it is, and where that ends.</summary>
internal static class ModelCard
{
    public const string FileName = "CARD.md";

    private const string Evaluated = "## Evaluation";

    /// <summary>Writes the card of a freshly packed run; an evaluation of earlier weights goes with them.</summary>
    /// <param name="folder">The package.</param>
    /// <param name="manifest">As packed.</param>
    /// <param name="task">What it was trained for.</param>
    /// <param name="summary">How the training went.</param>
    public static void Write(string folder, PolicyManifest manifest, LabTask task, RunSummary summary)
    {
        var trained = manifest.Trained ?? throw new ArgumentException("The manifest says nothing of its training.", nameof(manifest));
        var text = new StringBuilder();
        Line($"# {manifest.Name}");
        Line($"");
        Line($"{manifest.Description} Trained by `robotics-lab`, runs with `robotics run models/{manifest.Name}`.");
        Line($"");
        Line($"| | |");
        Line($"|---|---|");
        Line($"| method | {trained.Method} |");
        Line($"| network | {summary.Network}, {summary.Weights} weights, their moving average |");
        Line($"| data | {trained.Episodes} episodes of {task.Name}, sha256 `{trained.DataSha256}` |");
        Line($"| command | `{trained.Command}` |");
        Line($"| seed | {trained.Seed} |");
        Line($"| updates | {trained.Steps} of {summary.Batch} windows |");
        Line($"| time | {summary.Minutes:F1} minutes on {summary.Threads} thread{(summary.Threads == 1 ? "" : "s")}{(summary.Resumed ? ", counted from the last resumption" : "")} |");
        Line($"| loss | {string.Join(", ", trained.Metrics.Select(pair => string.Create(CultureInfo.InvariantCulture, $"{pair.Key} {pair.Value:G4}")))} |");
        Line($"");
        Line($"{Evaluated}");
        Line($"");
        Line($"Not evaluated yet: `robotics-lab eval --policy models/{manifest.Name} --task {task.Name} --card`.");
        Line($"");
        Line($"## Limits");
        Line($"");
        Line($"- Learned from a demonstrator in the built-in simulator of robot '{task.Robot.Name}'; nothing was tried on hardware.");
        Line($"- Observations outside the ranges in `policy.json` (`observations[0].normalization`) were never seen.");
        Line($"- The policy does not know when it is lost; the controller's gate, limits and dead-man timer do not depend on it.");
        File.WriteAllText(Path.Combine(folder, FileName), text.ToString());

        void Line(FormattableString line) => text.Append(line.ToString(CultureInfo.InvariantCulture)).Append('\n');
    }

    /// <summary>Writes the card of an actor.</summary>
    /// <param name="folder">The package.</param>
    /// <param name="manifest">As packed.</param>
    /// <param name="config">How it was trained.</param>
    /// <param name="task">What it was trained for.</param>
    public static void WriteActor(string folder, PolicyManifest manifest, ReinforcementConfig config, ILearningTask task)
    {
        var trained = manifest.Trained!;
        var text = new StringBuilder();
        Line($"# {manifest.Name}");
        Line($"");
        Line($"{manifest.Description} Trained by `robotics-lab`, runs with `robotics run PACKAGE --robot sim:{task.Name}`.");
        Line($"");
        Line($"| | |");
        Line($"|---|---|");
        Line($"| method | {trained.Method}: `{config.Settings.ToJsonString()}` |");
        Line($"| learned in | {(config.Dynamics.Length > 0 ? $"task {task.Name} with {config.Dynamics}" : $"task {task.Name}")}{(config.DataSha256.Length > 0 ? $", records with sha256 `{config.DataSha256}`" : "")} |");
        Line($"| command | `{trained.Command}` |");
        Line($"| seed | {trained.Seed} |");
        Line($"| steps | {trained.Steps} |");
        Line($"");
        Line($"{Evaluated}");
        Line($"");
        if (trained.Metrics.TryGetValue("return", out double value))
        {
            Line($"Return {value:g5} without discount: mean of {config.Run.EvaluationEpisodes} episodes, deterministic, {(config.Gap.Length > 0 ? $"on a robot with {config.Gap}" : "nominal dynamics")}. One run of one seed: `robotics-lab compare` sets several side by side.");
        }
        else
        {
            Line($"Not evaluated.");
        }

        Line($"");
        Line($"## Limits");
        Line($"");
        Line($"- Learned in the built-in simulator; nothing was tried on hardware. `robotics-lab judge` looks at it before it moves anything.");
        Line($"- The policy does not know when it is lost; the controller's gate, limits and dead-man timer do not depend on it.");
        File.WriteAllText(Path.Combine(folder, FileName), text.ToString());

        void Line(FormattableString line) => text.Append(line.ToString(CultureInfo.InvariantCulture)).Append('\n');
    }

    /// <summary>Replaces the evaluation of a card.</summary>
    /// <param name="folder">The package.</param>
    /// <param name="table">Markdown.</param>
    /// <exception cref="ConfigException">The package has no card.</exception>
    public static void Evaluation(string folder, string table)
    {
        string path = Path.Combine(folder, FileName);
        string text = File.Exists(path) ? File.ReadAllText(path) : throw new ConfigException($"{folder} has no {FileName}; 'robotics-lab train' and 'export' write one.");
        int from = text.IndexOf(Evaluated, StringComparison.Ordinal);
        if (from < 0)
        {
            throw new ConfigException($"{path} has no '{Evaluated}' section; --card replaces that section and nothing else.");
        }

        int next = text.IndexOf("\n## ", from, StringComparison.Ordinal);
        File.WriteAllText(path, $"{text[..from]}{Evaluated}\n\n{table.Trim()}\n{(next < 0 ? "" : text[next..])}");
    }
}
