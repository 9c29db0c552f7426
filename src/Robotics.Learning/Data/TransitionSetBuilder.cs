namespace Robotics.Learning.Data;

/// <summary>Gathers transitions row by row into a <see cref="TransitionSet"/>.</summary>
/// <remarks>Not thread-safe. Nothing is checked before <see cref="Build"/> but lengths, which are the caller's.</remarks>
/// <param name="observationSize">Do.</param>
/// <param name="actionSize">Da.</param>
public sealed class TransitionSetBuilder(int observationSize, int actionSize)
{
    private readonly List<float> _observations = [];
    private readonly List<float> _actions = [];
    private readonly List<float> _rewards = [];
    private readonly List<float> _next = [];
    private readonly List<bool> _terminated = [];
    private readonly List<float> _log = [];
    private readonly List<int> _starts = [0];

    /// <summary>Rows so far.</summary>
    public int Count => _rewards.Count;

    /// <summary>Adds one row to the episode in progress.</summary>
    /// <param name="observation">[Do].</param>
    /// <param name="action">[Da], as it was sent, in [-1, 1].</param>
    /// <param name="reward">Of this step.</param>
    /// <param name="next">[Do], what it led to.</param>
    /// <param name="terminated">The task ended; ends the episode.</param>
    /// <param name="logPropensity">Log-density of the action; null: unknown, and then for the whole set.</param>
    /// <exception cref="ArgumentException">A length is wrong.</exception>
    public void Add(ReadOnlySpan<float> observation, ReadOnlySpan<float> action, float reward, ReadOnlySpan<float> next, bool terminated, float? logPropensity = null)
    {
        if (observation.Length != observationSize || next.Length != observationSize || action.Length != actionSize)
        {
            throw new ArgumentException(
                $"A row has {observation.Length} observations, {action.Length} actions and {next.Length} next observations; this set takes {observationSize}, {actionSize} and {observationSize}.");
        }

        _observations.AddRange(observation);
        _actions.AddRange(action);
        _rewards.Add(reward);
        _next.AddRange(next);
        _terminated.Add(terminated);
        if (logPropensity is { } log)
        {
            _log.Add(log);
        }

        if (terminated)
        {
            EndEpisode();
        }
    }

    /// <summary>Ends the episode in progress, if it has a row: time or the record ran out, unless its last row terminated.</summary>
    public void EndEpisode()
    {
        if (_starts[^1] != Count)
        {
            _starts.Add(Count);
        }
    }

    /// <summary>The set. An episode in progress ends here as by a time limit.</summary>
    /// <param name="source">Where the rows came from, for messages.</param>
    /// <exception cref="ConfigException">Everything that is wrong with it.</exception>
    public TransitionSet Build(string source = "transitions")
    {
        EndEpisode();
        return new TransitionSet(
            source, observationSize, actionSize, [.. _observations], [.. _actions], [.. _rewards], [.. _next], [.. _terminated], [.. _starts], _log.Count == Count ? [.. _log] : null);
    }
}
