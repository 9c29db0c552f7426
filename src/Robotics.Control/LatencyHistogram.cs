using System.Numerics;

namespace Robotics.Control;

/// <summary>Durations in buckets that grow with the value: 32 per power of two. Allocation-free after construction.</summary>
/// <remarks>
/// Percentiles answer with the upper edge of a bucket: never too low, too high by at most 1/32 (3.2 %). Maximum and count are
/// exact. One writer; readers on other threads may see the newest samples late, never a wrong bucket.
/// <para>Source: the bucket layout of HdrHistogram (Tene), one power of two halved five times.</para>
/// </remarks>
public sealed class LatencyHistogram
{
    private const int Bits = 5;
    private const int PerOctave = 1 << Bits;

    private readonly long[] _counts = new long[(64 - Bits) * PerOctave];
    private long _count;
    private long _max;

    /// <summary>Samples so far.</summary>
    public long Count => Volatile.Read(ref _count);

    /// <summary>Longest sample, ns; 0 before the first.</summary>
    public long MaxNs => Volatile.Read(ref _max);

    /// <summary>Adds a sample; negative counts as 0.</summary>
    public void Record(long nanoseconds)
    {
        long value = Math.Max(0, nanoseconds);
        _counts[Index(value)]++;
        if (value > _max)
        {
            Volatile.Write(ref _max, value);
        }

        Volatile.Write(ref _count, _count + 1);
    }

    /// <summary>The duration that <paramref name="fraction"/> (0 to 1) of the samples do not exceed, ns; 0 before the first.</summary>
    public long PercentileNs(double fraction)
    {
        long count = Count;
        long rank = Math.Clamp((long)Math.Ceiling(fraction * count), 1, Math.Max(1, count));
        long seen = 0;
        for (int i = 0; i < _counts.Length; i++)
        {
            seen += _counts[i];
            if (seen >= rank)
            {
                return Math.Min(Upper(i), MaxNs);
            }
        }

        return MaxNs;
    }

    /// <summary>Every bucket that has samples, as (upper edge in ns, count). Allocates.</summary>
    public IReadOnlyList<(long UpperNs, long Count)> Buckets() =>
        [.. from i in Enumerable.Range(0, _counts.Length) where _counts[i] > 0 select (Upper(i), _counts[i])];

    /// <summary>Forgets every sample. Only for the writer.</summary>
    public void Clear()
    {
        Array.Clear(_counts);
        Volatile.Write(ref _max, 0);
        Volatile.Write(ref _count, 0);
    }

    // Below 32 every value has its bucket; above, the five bits after the leading one choose within its octave.
    private static int Index(long value)
    {
        int shift = Math.Max(0, BitOperations.Log2((ulong)value | 1) - Bits);
        return (shift << Bits) + (int)(value >> shift);
    }

    private static long Upper(int index)
    {
        if (index < 2 * PerOctave)
        {
            return index;
        }

        int shift = (index >> Bits) - 1;
        return (((long)(index - (shift << Bits)) + 1) << shift) - 1;
    }
}
