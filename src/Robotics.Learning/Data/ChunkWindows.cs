using Robotics.Numerics;

namespace Robotics.Learning.Data;

/// <summary>How episodes are cut into training windows.</summary>
public sealed record WindowOptions
{
    /// <summary>To: observation steps the policy sees; 1 to 64.</summary>
    public int ObservationSteps { get; init; } = 2;

    /// <summary>H: rows of a chunk; 1 to 1024.</summary>
    public int Horizon { get; init; } = 16;

    /// <summary>Ta: rows executed before the next chunk; at most H - To + 1.</summary>
    public int Executed { get; init; } = 8;

    /// <summary>Returns this record, or reports everything wrong with it at once.</summary>
    /// <param name="source">Where the values came from: a file path or "code".</param>
    /// <exception cref="ConfigException">One or more values are out of range.</exception>
    public WindowOptions Checked(string source)
    {
        var check = new ConfigCheck(source);
        check.Range(ObservationSteps, 1, 64, "observation_steps");
        check.Range(Horizon, 1, 1024, "horizon");
        check.That(
            Executed >= 1 && Executed <= Horizon - ObservationSteps + 1,
            "executed",
            $"is {Executed}, expected 1 to {Horizon - ObservationSteps + 1}, horizon - observation_steps + 1");
        check.Throw();
        return this;
    }
}

/// <summary>Cuts episodes into windows: To observations, and the H actions that begin at the oldest of them.</summary>
/// <remarks>
/// Row To - 1 of a chunk is simultaneous with the newest observation; that is the first row a robot executes. A window may begin
/// To - 1 steps before its episode and end Ta - 1 steps after it; there the nearest step is repeated, and the row is marked as
/// padded. Windows never cross episodes.
/// <para>Source: the sequence sampler of Diffusion Policy, Chi et al. 2023 (arXiv:2303.04137); the mask is this house's.</para>
/// </remarks>
public static class ChunkWindows
{
    /// <summary>Cuts and normalises every window of every episode.</summary>
    /// <param name="episodes">At least one, all of the same sizes.</param>
    /// <param name="options">How windows are cut.</param>
    /// <param name="observations">Normalises one observation, [Do].</param>
    /// <param name="actions">Normalises one action, [Da].</param>
    /// <param name="source">Where the episodes came from, for messages.</param>
    /// <exception cref="ConfigException">There is no episode, one does not fit the normalisers or is shorter than it says, or a value
    /// is not finite.</exception>
    public static ChunkSet Cut(
        IReadOnlyList<Demonstration> episodes, WindowOptions options, Normalizer observations, Normalizer actions, string source)
    {
        ArgumentNullException.ThrowIfNull(episodes);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(observations);
        ArgumentNullException.ThrowIfNull(actions);
        options.Checked(source);
        Check(episodes, observations.Length, actions.Length, source);
        int width = observations.Length, size = actions.Length, horizon = options.Horizon, seen = options.ObservationSteps;
        int rows = Starts(episodes, options).Count();
        var conditions = new float[rows * seen * width];
        var chunks = new float[rows * horizon * size];
        var valid = new float[rows * horizon];
        int row = 0;
        foreach (var (episode, start) in Starts(episodes, options))
        {
            for (int i = 0; i < seen; i++)
            {
                int step = Math.Clamp(start + i, 0, episode.Steps - 1);
                observations.Normalize(
                    episode.Observations.AsSpan(step * width, width), conditions.AsSpan(((row * seen) + i) * width, width));
            }

            for (int i = 0; i < horizon; i++)
            {
                int step = Math.Clamp(start + i, 0, episode.Steps - 1);
                actions.Normalize(episode.Actions.AsSpan(step * size, size), chunks.AsSpan(((row * horizon) + i) * size, size));
                valid[(row * horizon) + i] = step == start + i ? 1 : 0;
            }

            row++;
        }

        return new ChunkSet(conditions, chunks, valid, seen * width, horizon, size, source);
    }

    /// <summary>Where each window begins, in the order of <see cref="Cut"/>: from To - 1 before the start to the last window that ends
    /// no later than Ta - 1 after the end. An episode shorter than that still gives its first window.</summary>
    internal static IEnumerable<(Demonstration Episode, int Start)> Starts(IReadOnlyList<Demonstration> episodes, WindowOptions options)
    {
        foreach (var episode in episodes)
        {
            int first = 1 - options.ObservationSteps;
            int last = Math.Max(first, episode.Steps - options.Horizon + options.Executed - 1);
            for (int start = first; start <= last; start++)
            {
                yield return (episode, start);
            }
        }
    }

    private static void Check(IReadOnlyList<Demonstration> episodes, int width, int size, string source)
    {
        var check = new ConfigCheck(source);
        check.That(episodes.Count > 0, "", "there are no episodes to cut windows from; collect some first, or loosen the filter");
        foreach (var episode in episodes)
        {
            check.That(
                episode.ObservationSize == width && episode.ActionSize == size,
                episode.Name,
                $"has {episode.ObservationSize} observation and {episode.ActionSize} action elements, the others have {width} and {size}: "
                + "episodes of different robots do not mix");
            check.That(
                episode.Steps > 0 && episode.Actions.Length == episode.Steps * episode.ActionSize
                    && episode.Observations.Length == episode.Steps * episode.ObservationSize,
                episode.Name,
                $"holds {episode.Observations.Length} observation and {episode.Actions.Length} action numbers, which are not as many whole steps");
        }

        check.Throw();
    }
}
