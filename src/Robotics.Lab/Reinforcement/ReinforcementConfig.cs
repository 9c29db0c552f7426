using System.Text.Json;
using System.Text.Json.Nodes;
using Robotics.Learning.Training;
using Robotics.Sim;

namespace Robotics.Lab.Reinforcement;

/// <summary>Everything that makes a reinforcement run: what stands in its folder as <c>config.json</c>.</summary>
internal sealed record ReinforcementConfig
{
    private const string FileName = "config.json";

    public required string Command { get; init; }

    public required string Method { get; init; }

    public required string Task { get; init; }

    /// <summary>What differs in the simulator that it learns in; empty: nothing.</summary>
    public string Dynamics { get; init; } = "";

    /// <summary>What differs where it is evaluated; empty: nothing.</summary>
    public string Gap { get; init; } = "";

    public required JsonObject Settings { get; init; }

    public required RunOptions Run { get; init; }

    /// <summary>Environments stepped together.</summary>
    public int Count { get; init; } = 1;

    public int Threads { get; init; } = 1;

    /// <summary>Records learned from, as they were named; empty: none.</summary>
    public IReadOnlyList<string> Data { get; init; } = [];

    /// <summary>Fingerprint of their transitions; empty: none.</summary>
    public string DataSha256 { get; init; } = "";

    public static bool IsIn(string run) => File.Exists(Path.Combine(run, FileName)) && JsonNode.Parse(File.ReadAllText(Path.Combine(run, FileName)))?["settings"] is not null;

    public static ReinforcementConfig Load(string run)
    {
        string path = Path.Combine(run, FileName);
        return IsIn(run)
            ? JsonSerializer.Deserialize<ReinforcementConfig>(File.ReadAllText(path), TrainingConfig.Json)!
            : throw new ConfigException($"'{run}' holds no {FileName} of a reinforcement run; 'robotics-lab train sac' and its like write one.");
    }

    public void Save(string run)
    {
        Directory.CreateDirectory(run);
        File.WriteAllText(Path.Combine(run, FileName), JsonSerializer.Serialize(this, TrainingConfig.Json) + "\n");
    }

    /// <summary>The settings as the method's own record.</summary>
    public object Options(LearningMethod method) => Settings.Deserialize(method.Options, MethodSettings.Json)!;

    /// <summary>Environments of the task.</summary>
    /// <param name="dynamics">What differs from nominal.</param>
    /// <param name="count">How many.</param>
    /// <param name="flag">Where the dynamics were written, for messages.</param>
    public IVectorEnvironment Open(string dynamics, int count, string flag)
    {
        var ranges = Ranges(dynamics, flag);
        return LearningTasks.Open(Task, new() { Count = count, Threads = Threads, Dynamics = ranges });
    }

    private DynamicsRanges Ranges(string dynamics, string flag) =>
        dynamics != "usual" ? DynamicsRanges.Parse(dynamics, flag)
        : LearningTasks.Find(Task) is { } task ? DynamicsRanges.Usual.Restricted(task)
        : throw new ConfigException("command line", [$"{flag}: 'usual' is for the built-in tasks; '{Task}' has dynamics of its own"]);
}
