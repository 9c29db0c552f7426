using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Robotics.Numerics;

namespace Robotics.Learning.Data;

/// <summary>Recorded transitions (s, a, r, s') of whole episodes: what offline and hybrid learners and the judge read. Immutable.</summary>
/// <remarks>
/// Flat arrays, row-major, episodes one after the other. Actions are those that were sent, in [-1, 1]. An episode ends with
/// <c>terminated</c> (no value beyond) or <c>truncated</c> (time, or the record, ran out: s' goes on). Built by
/// <see cref="TransitionSetBuilder"/>, by <see cref="TransitionCollection"/> or from a file. Any thread may read it.
/// </remarks>
public sealed partial class TransitionSet
{
    private readonly float[] _observations;
    private readonly float[] _actions;
    private readonly float[] _rewards;
    private readonly float[] _next;
    private readonly bool[] _terminated;
    private readonly float[]? _logPropensities;
    private readonly int[] _starts; // [episodes + 1]: the last is N
    private string? _sha256;

    /// <param name="source">Where it came from, for the message.</param>
    /// <param name="observationSize">Do.</param>
    /// <param name="actionSize">Da.</param>
    /// <param name="observations">[N, Do]; this and the other arrays are taken over.</param>
    /// <param name="actions">[N, Da].</param>
    /// <param name="rewards">[N].</param>
    /// <param name="next">[N, Do].</param>
    /// <param name="terminated">[N].</param>
    /// <param name="starts">First row of every episode, then N.</param>
    /// <param name="logPropensities">[N] or null.</param>
    /// <exception cref="ConfigException">Everything that is wrong with it.</exception>
    internal TransitionSet(string source, int observationSize, int actionSize, float[] observations, float[] actions, float[] rewards, float[] next, bool[] terminated, int[] starts, float[]? logPropensities)
    {
        (ObservationSize, ActionSize, _observations, _actions, _rewards, _next) = (observationSize, actionSize, observations, actions, rewards, next);
        (_terminated, _starts, _logPropensities) = (terminated, starts, logPropensities);
        Check(source);
    }

    /// <summary>Do.</summary>
    public int ObservationSize { get; }

    /// <summary>Da.</summary>
    public int ActionSize { get; }

    /// <summary>N, rows.</summary>
    public int Count => _rewards.Length;

    /// <summary>Episodes; each has one row or more.</summary>
    public int Episodes => _starts.Length - 1;

    /// <summary>[N, Do].</summary>
    public ReadOnlySpan<float> Observations => _observations;

    /// <summary>[N, Da], in [-1, 1].</summary>
    public ReadOnlySpan<float> Actions => _actions;

    /// <summary>[N].</summary>
    public ReadOnlySpan<float> Rewards => _rewards;

    /// <summary>[N, Do]: what each step led to, also at the end of an episode.</summary>
    public ReadOnlySpan<float> Next => _next;

    /// <summary>[N]: the task ended; there is no value beyond.</summary>
    public ReadOnlySpan<bool> Terminated => _terminated;

    /// <summary>[N] log-density of each action under the policy that sent it, with respect to lengths inside (-1, 1) and points at its
    /// ends; empty where the set has none.</summary>
    public ReadOnlySpan<float> LogPropensities => _logPropensities;

    /// <summary>True: every row has a log-propensity.</summary>
    public bool HasPropensities => _logPropensities is not null;

    /// <summary>First row of every episode, then N.</summary>
    public ReadOnlySpan<int> Starts => _starts;

    /// <summary>Fingerprint of everything in it, lower-case hexadecimal.</summary>
    public string Sha256 => _sha256 ??= Hash();

    /// <summary>[Do] of one row.</summary>
    public ReadOnlySpan<float> Observation(int row) => _observations.AsSpan(row * ObservationSize, ObservationSize);

    /// <summary>[Da] of one row.</summary>
    public ReadOnlySpan<float> Action(int row) => _actions.AsSpan(row * ActionSize, ActionSize);

    /// <summary>[Do]: what a row led to.</summary>
    public ReadOnlySpan<float> Reached(int row) => _next.AsSpan(row * ObservationSize, ObservationSize);

    /// <summary>True: the row is an episode's last, and only time or the record ran out.</summary>
    public bool IsTruncated(int row) => !_terminated[row] && Array.BinarySearch(_starts, row + 1) >= 0;

    /// <summary>[episodes] sums of rewards.</summary>
    /// <param name="discount">Per step; 1: none.</param>
    public double[] Returns(double discount = 1)
    {
        double[] returns = new double[Episodes];
        for (int e = 0; e < returns.Length; e++)
        {
            for (int row = _starts[e + 1] - 1; row >= _starts[e]; row--)
            {
                returns[e] = _rewards[row] + (discount * returns[e]);
            }
        }

        return returns;
    }

    /// <summary>Mean and deviation of the observations, for networks that learn from this set.</summary>
    public RunningNormalizer Normalizer()
    {
        var normalizer = new RunningNormalizer(ObservationSize);
        normalizer.Update(_observations);
        return normalizer;
    }

    /// <summary>One line for people.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"{Count} transitions in {Episodes} episodes, mean return {Returns().Average():g5}, {_terminated.Count(t => t)} ended by the task{(HasPropensities ? ", with propensities" : "")}");

    /// <summary>Several sets after one another. Propensities stay where every one has them.</summary>
    /// <exception cref="ConfigException">There is none, or their sizes differ.</exception>
    public static TransitionSet Concat(IReadOnlyList<TransitionSet> sets)
    {
        ArgumentNullException.ThrowIfNull(sets);
        if (sets.Count == 0)
        {
            throw new ConfigException("There is no set of transitions to join.");
        }

        var check = new ConfigCheck("sets of transitions");
        for (int i = 1; i < sets.Count; i++)
        {
            check.That(
                (sets[i].ObservationSize, sets[i].ActionSize) == (sets[0].ObservationSize, sets[0].ActionSize),
                $"number {i + 1}",
                $"has {sets[i].ObservationSize} observations and {sets[i].ActionSize} actions, the first has {sets[0].ObservationSize} and {sets[0].ActionSize}: they are of different tasks or robots");
        }

        check.Throw();
        var starts = new List<int> { 0 };
        foreach (var set in sets)
        {
            int from = starts[^1];
            starts.AddRange(set._starts.Skip(1).Select(start => from + start));
        }

        return new TransitionSet(
            "sets of transitions", sets[0].ObservationSize, sets[0].ActionSize, [.. sets.SelectMany(s => s._observations)], [.. sets.SelectMany(s => s._actions)],
            [.. sets.SelectMany(s => s._rewards)], [.. sets.SelectMany(s => s._next)], [.. sets.SelectMany(s => s._terminated)], [.. starts],
            sets.All(s => s.HasPropensities) ? [.. sets.SelectMany(s => s._logPropensities!)] : null);
    }

    /// <exception cref="ConfigException">The environment has other sizes than the record.</exception>
    internal void RequireTask(IVectorEnvironment environment)
    {
        if ((environment.ObservationSize, environment.ActionSize) != (ObservationSize, ActionSize))
        {
            throw new ConfigException(
                $"The record has {ObservationSize} observations and {ActionSize} actions, task '{environment.Name}' {environment.ObservationSize} and {environment.ActionSize}: they are of different tasks or robots.");
        }
    }

    /// <summary>Copies one row into a batch, through a normaliser.</summary>
    internal void Read(int row, Batch batch, int into, RunningNormalizer normalizer, double gamma)
    {
        normalizer.Apply(Observation(row), batch.Observations[into]);
        normalizer.Apply(Reached(row), batch.Next[into]);
        Action(row).CopyTo(batch.Actions[into]);
        batch.Rewards[into] = _rewards[row];
        batch.Discounts[into] = _terminated[row] ? 0 : (float)gamma;
    }

    /// <summary>Draws rows [from, from + count) of a batch, each uniform over the set.</summary>
    internal void Sample(SeededRandom random, Batch batch, int from, int count, RunningNormalizer normalizer, double gamma)
    {
        for (int i = from; i < from + count; i++)
        {
            Read(random.NextInt(0, Count), batch, i, normalizer, gamma);
        }
    }

    private string Hash()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(MemoryMarshal.AsBytes<int>([ObservationSize, ActionSize, _logPropensities is null ? 0 : 1]));
        hash.AppendData(MemoryMarshal.AsBytes<int>(_starts));
        foreach (float[] column in new[] { _observations, _actions, _rewards, _next, _logPropensities ?? [] })
        {
            hash.AppendData(MemoryMarshal.AsBytes<float>(column));
        }

        hash.AppendData(MemoryMarshal.AsBytes<bool>(_terminated));
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
