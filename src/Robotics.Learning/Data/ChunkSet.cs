using System.Runtime.InteropServices;
using System.Security.Cryptography;
using static TorchSharp.torch;

namespace Robotics.Learning.Data;

/// <summary>Demonstrated chunks in memory, normalised and ready to train on.</summary>
/// <remarks>Immutable after construction, which refuses what cannot be trained on.</remarks>
public sealed class ChunkSet
{
    /// <summary>Takes the arrays over.</summary>
    /// <param name="conditions">[N, C].</param>
    /// <param name="chunks">[N, H, Da].</param>
    /// <param name="valid">[N, H], 1 where demonstrated and 0 where padded; null: all demonstrated.</param>
    /// <param name="conditionSize">C.</param>
    /// <param name="horizon">H.</param>
    /// <param name="actionSize">Da.</param>
    /// <param name="source">Where they came from, for messages.</param>
    /// <exception cref="ConfigException">The set is empty, the lengths disagree, a value is not finite, or a row is all padding.</exception>
    public ChunkSet(float[] conditions, float[] chunks, float[]? valid, int conditionSize, int horizon, int actionSize, string source)
    {
        ArgumentNullException.ThrowIfNull(conditions);
        ArgumentNullException.ThrowIfNull(chunks);
        var check = new ConfigCheck(source);
        check.That(conditionSize > 0 && horizon > 0 && actionSize > 0, "", $"sizes {conditionSize}, {horizon}, {actionSize} are not all above 0");
        check.Throw();
        Count = conditions.Length / conditionSize;
        valid ??= [.. Enumerable.Repeat(1f, Count * horizon)];
        check.That(Count > 0, "", "there are no chunks to train on; collect episodes first, or loosen the filter");
        check.That(
            conditions.Length == Count * conditionSize && chunks.Length == (long)Count * horizon * actionSize && valid.Length == Count * horizon,
            "",
            $"{conditions.Length} condition, {chunks.Length} action and {valid.Length} mask elements do not make whole rows of {conditionSize}, "
            + $"{horizon} x {actionSize} and {horizon}");
        check.Throw();
        Find(check, conditions, conditionSize, "condition", float.IsFinite, "not finite");
        Find(check, chunks, horizon * actionSize, "chunk", float.IsFinite, "not finite");
        Find(check, valid, horizon, "mask", m => m is 0 or 1, "neither 0 nor 1");
        int empty = Enumerable.Range(0, Count).FirstOrDefault(n => valid.AsSpan(n * horizon, horizon).IndexOf(1f) < 0, -1);
        check.That(empty < 0, "", $"row {empty} is all padding");
        check.Throw();
        (Conditions, Chunks, Valid) = (conditions, chunks, valid);
        (ConditionSize, Horizon, ActionSize) = (conditionSize, horizon, actionSize);
        Source = source;
    }

    /// <summary>N.</summary>
    public int Count { get; }

    /// <summary>C.</summary>
    public int ConditionSize { get; }

    /// <summary>H.</summary>
    public int Horizon { get; }

    /// <summary>Da.</summary>
    public int ActionSize { get; }

    /// <summary>[N, C].</summary>
    public float[] Conditions { get; }

    /// <summary>[N, H, Da].</summary>
    public float[] Chunks { get; }

    /// <summary>[N, H].</summary>
    public float[] Valid { get; }

    /// <summary>Where they came from.</summary>
    public string Source { get; }

    /// <summary>Rows at the end that are rollouts, for a method that learns from both (a joint model): half of each batch is drawn from
    /// them. 0: all rows are demonstrations.</summary>
    public int Rollouts { get; init; }

    /// <summary>Rows of a batch, from the first, that are demonstrations where a set has rollouts.</summary>
    public static int Demonstrations(int batch) => (batch + 1) / 2;

    /// <summary>[batch], rows to train on.</summary>
    internal Tensor Draw(int batch, Generator random)
    {
        if (Rollouts == 0)
        {
            return randint(Count, [batch], dtype: ScalarType.Int64, generator: random);
        }

        int first = Demonstrations(batch);
        var demonstrations = randint(Count - Rollouts, [first], dtype: ScalarType.Int64, generator: random);
        return cat([demonstrations, randint(Count - Rollouts, Count, [batch - first], dtype: ScalarType.Int64, generator: random)]);
    }

    /// <summary>SHA-256 of sizes and elements, 64 lower-case hex digits: what a package says it was trained on.</summary>
    public string Sha256()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(MemoryMarshal.AsBytes<int>(Rollouts == 0 ? [Count, ConditionSize, Horizon, ActionSize] : [Count, ConditionSize, Horizon, ActionSize, Rollouts]));
        hash.AppendData(MemoryMarshal.AsBytes<float>(Conditions));
        hash.AppendData(MemoryMarshal.AsBytes<float>(Chunks));
        hash.AppendData(MemoryMarshal.AsBytes<float>(Valid));
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static void Find(ConfigCheck check, float[] values, int width, string what, Predicate<float> good, string problem)
    {
        int at = Array.FindIndex(values, value => !good(value));
        check.That(at < 0, "", at < 0 ? "" : FormattableString.Invariant($"{what} {at / width}, element {at % width} is {values[at]}, {problem}"));
    }
}
