namespace Robotics.Learning.Training;

/// <summary>How long a reinforcement learner runs and how often it is looked at. Steps are environment steps where there is an
/// environment, updates where there is only data.</summary>
public sealed record RunOptions
{
    /// <summary>Steps, 1 to a billion.</summary>
    public long Steps { get; init; } = 100_000;

    /// <summary>Steps per line of metrics, 1 or more.</summary>
    public long LogEvery { get; init; } = 1000;

    /// <summary>Steps per evaluation, 1 or more; also one at the end.</summary>
    public long EvaluateEvery { get; init; } = 10_000;

    /// <summary>Episodes of an evaluation, deterministic actor; 0: none.</summary>
    public int EvaluationEpisodes { get; init; } = 10;

    /// <summary>Steps per checkpoint, a multiple of <see cref="LogEvery"/>. Environments start new episodes there, whether the run is interrupted or not.</summary>
    public long CheckpointEvery { get; init; } = 10_000;

    /// <summary>Draws everything.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Returns this record, or reports everything wrong with it at once.</summary>
    /// <param name="source">Where the values came from: a file path or "code".</param>
    /// <exception cref="ConfigException">One or more values are out of range.</exception>
    public RunOptions Checked(string source)
    {
        var check = new ConfigCheck(source);
        check.Range(Steps, 1, 1e9, "steps");
        check.That(LogEvery >= 1, "log_every", $"is {LogEvery}, expected 1 or more");
        check.That(EvaluateEvery >= 1, "evaluate_every", $"is {EvaluateEvery}, expected 1 or more");
        check.Range(EvaluationEpisodes, 0, 10_000, "evaluation_episodes");
        check.That(
            LogEvery >= 1 && CheckpointEvery >= 1 && CheckpointEvery % LogEvery == 0, "checkpoint_every", $"is {CheckpointEvery}, expected a multiple of log_every, {LogEvery}");
        check.Throw();
        return this;
    }
}
