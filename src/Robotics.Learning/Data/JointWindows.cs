using Robotics.Numerics;
using Robotics.Packages;

namespace Robotics.Learning.Data;

/// <summary>What a joint model's future and value are made of.</summary>
public sealed record OutcomeOptions
{
    /// <summary>Elements of one observation frame whose change, from the newest observation to the end of the chunk, is the future.</summary>
    public required IReadOnlyList<int> Elements { get; init; }

    /// <summary>γ per step: an episode that succeeds k steps later is worth 2·γ^k - 1, one that fails -1. Above 0, at most 1.</summary>
    public double Discount { get; init; } = 0.99;

    /// <summary>Returns this record, or reports everything wrong with it at once.</summary>
    /// <param name="source">Where the values came from: a file path or "code".</param>
    /// <param name="frame">Elements of an observation frame.</param>
    /// <exception cref="ConfigException">One or more values are out of range.</exception>
    public OutcomeOptions Checked(string source, int frame)
    {
        var check = new ConfigCheck(source);
        check.That(Elements.Count is > 0 and <= 256, "outcome", $"names {Elements.Count} elements, expected 1 to 256");
        check.That(Elements.All(element => element >= 0 && element < frame), "outcome", $"names elements {string.Join(", ", Elements.Where(element => element < 0 || element >= frame))}, an observation frame has 0 to {frame - 1}");
        check.That(Elements.Distinct().Count() == Elements.Count, "outcome", "names an element twice");
        check.That(Discount is > 0 and <= 1, "discount", FormattableString.Invariant($"is {Discount}, expected above 0, up to 1"));
        check.Throw();
        return this;
    }
}

/// <summary>Cuts demonstrations and rollouts into windows of z = [chunk | future | value] for a joint model.</summary>
/// <remarks>
/// The chunk is <see cref="ChunkWindows"/>' own. Its future is where the named elements stand after its last row, less where they stand
/// now; past the end of an episode they stand still. Its value is the discounted return of the episode from now on (Monte Carlo), success
/// or not at the end, brought to [-1, 1]. Rollouts give a window at every step, for the end of an episode is where values are large.
/// </remarks>
public static class JointWindows
{
    /// <summary>Cuts and normalises; rollouts come last, see <see cref="ChunkSet.Rollouts"/>.</summary>
    /// <param name="demonstrations">To act like.</param>
    /// <param name="rollouts">To learn consequences from: what was sent, failures among them.</param>
    /// <param name="cut">How demonstrations are cut.</param>
    /// <param name="outcome">Future and value.</param>
    /// <param name="observations">Normalises one observation, [Do].</param>
    /// <param name="actions">Normalises one action, [Da].</param>
    /// <param name="futures">Normalises one future.</param>
    /// <param name="source">Where they came from, for messages.</param>
    /// <returns>Conditions are observation windows, chunks are z as a column.</returns>
    /// <exception cref="ConfigException">As for <see cref="ChunkWindows.Cut"/>; or an episode does not say how it ended, or none of the
    /// rollouts failed.</exception>
    public static ChunkSet Cut(
        IReadOnlyList<Demonstration> demonstrations, IReadOnlyList<Demonstration> rollouts, WindowOptions cut, OutcomeOptions outcome,
        Normalizer observations, Normalizer actions, Normalizer futures, string source)
    {
        ArgumentNullException.ThrowIfNull(cut);
        ArgumentNullException.ThrowIfNull(outcome);
        ArgumentNullException.ThrowIfNull(futures);
        outcome.Checked(source, observations.Length);
        var check = new ConfigCheck(source);
        check.That(rollouts.Count > 0, "rollouts", "are none; record some with 'robotics-lab collect --policy'");
        check.That(rollouts.Any(episode => episode.Success == false), "rollouts", $"hold no failure among {rollouts.Count} episodes: every value would be the same. Record some of a worse policy, or with --noise");
        foreach (var episode in demonstrations.Concat(rollouts).Where(episode => episode.Success is null).Take(10))
        {
            check.Add(episode.Name, "does not say how it ended: its record went on after it, or carries no outcome. Leave it out");
        }

        check.Throw();
        var everywhere = Everywhere(cut);
        var acting = ChunkWindows.Cut(demonstrations, cut, observations, actions, source);
        var doing = ChunkWindows.Cut(rollouts, everywhere, observations, actions, source);
        int chunk = acting.Horizon * acting.ActionSize, size = chunk + futures.Length + 1;
        var z = new float[(acting.Count + doing.Count) * size];
        var valid = new float[z.Length];
        Fill(acting, ChunkWindows.Starts(demonstrations, cut), 0);
        Fill(doing, ChunkWindows.Starts(rollouts, everywhere), acting.Count);
        return new ChunkSet([.. acting.Conditions, .. doing.Conditions], z, valid, acting.ConditionSize, size, 1, source) { Rollouts = doing.Count };

        void Fill(ChunkSet from, IEnumerable<(Demonstration Episode, int Start)> starts, int row)
        {
            foreach (var (n, (episode, start)) in starts.Index())
            {
                int at = (row + n) * size, now = Math.Clamp(start + cut.ObservationSteps - 1, 0, episode.Steps - 1);
                from.Chunks.AsSpan(n * chunk, chunk).CopyTo(z.AsSpan(at));
                for (int j = 0; j < chunk; j++)
                {
                    valid[at + j] = from.Valid[(n * from.Horizon) + (j / from.ActionSize)];
                }

                var future = z.AsSpan(at + chunk, futures.Length);
                Future(episode, start, cut, outcome, future);
                futures.Normalize(future, future);
                z[at + size - 1] = Value(episode, now, outcome.Discount);
                valid.AsSpan(at + chunk, size - chunk).Fill(1);
            }
        }
    }

    /// <summary>Statistics of the futures, for their normaliser.</summary>
    /// <param name="episodes">Demonstrations and rollouts.</param>
    /// <param name="cut">How they are cut.</param>
    /// <param name="outcome">Which elements.</param>
    public static NormalizationSpec FitFutures(IReadOnlyList<Demonstration> episodes, WindowOptions cut, OutcomeOptions outcome)
    {
        ArgumentNullException.ThrowIfNull(cut);
        ArgumentNullException.ThrowIfNull(outcome);
        return Statistics.Fit("mean_std", ChunkWindows.Starts(episodes, Everywhere(cut)).Select(window =>
        {
            var future = new float[outcome.Elements.Count];
            Future(window.Episode, window.Start, cut, outcome, future);
            return future;
        }), outcome.Elements.Count);
    }

    /// <summary>What an episode is worth from a step on, -1 to 1.</summary>
    public static float Value(Demonstration episode, int step, double discount)
    {
        ArgumentNullException.ThrowIfNull(episode);
        return episode.Success == true ? (float)((2 * Math.Pow(discount, episode.Steps - 1 - step)) - 1) : -1;
    }

    // A window at every step.
    private static WindowOptions Everywhere(WindowOptions cut) => cut with { Executed = cut.Horizon - cut.ObservationSteps + 1 };

    private static void Future(Demonstration episode, int start, WindowOptions cut, OutcomeOptions outcome, Span<float> into)
    {
        int last = episode.Steps - 1, width = episode.ObservationSize;
        int now = Math.Clamp(start + cut.ObservationSteps - 1, 0, last), then = Math.Clamp(start + cut.Horizon, 0, last);
        for (int j = 0; j < into.Length; j++)
        {
            int element = outcome.Elements[j];
            into[j] = episode.Observations[(then * width) + element] - episode.Observations[(now * width) + element];
        }
    }
}
