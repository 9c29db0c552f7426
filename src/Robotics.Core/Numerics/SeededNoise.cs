using System.Numerics;

namespace Robotics.Numerics;

/// <summary>Random numbers that repeat: same seed, same bytes, on every platform and every version of .NET.</summary>
/// <remarks>
/// Not thread-safe: one owner. Allocation-free after construction.
/// <para>Source: xoshiro256** seeded by SplitMix64 (Blackman and Vigna 2018, arXiv:1805.01407); normals by Box and Muller.</para>
/// </remarks>
public sealed class SeededNoise
{
    private ulong _a;
    private ulong _b;
    private ulong _c;
    private ulong _d;
    private double _spare = double.NaN;

    /// <summary>Starts a stream.</summary>
    /// <param name="seed">Any value; neighbouring seeds give unrelated streams.</param>
    public SeededNoise(ulong seed)
    {
        Reseed(seed);
    }

    /// <summary>Starts the stream of another seed, without allocating.</summary>
    public void Reseed(ulong seed)
    {
        _a = Mix(ref seed);
        _b = Mix(ref seed);
        _c = Mix(ref seed);
        _d = Mix(ref seed);
        _spare = double.NaN;

        static ulong Mix(ref ulong state)
        {
            ulong z = state += 0x9E3779B97F4A7C15;
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
            return z ^ (z >> 31);
        }
    }

    /// <summary>64 random bits.</summary>
    public ulong NextBits()
    {
        ulong result = BitOperations.RotateLeft(_b * 5, 7) * 9;
        ulong t = _b << 17;
        _c ^= _a;
        _d ^= _b;
        _b ^= _c;
        _a ^= _d;
        _c ^= t;
        _d = BitOperations.RotateLeft(_d, 45);
        return result;
    }

    /// <summary>Uniform in [0, 1).</summary>
    public double Uniform() => (NextBits() >> 11) * (1.0 / (1UL << 53));

    /// <summary>Uniform in [<paramref name="low"/>, <paramref name="high"/>).</summary>
    public double Uniform(double low, double high) => low + ((high - low) * Uniform());

    /// <summary>Standard normal.</summary>
    public double Normal()
    {
        if (!double.IsNaN(_spare))
        {
            double kept = _spare;
            _spare = double.NaN;
            return kept;
        }

        double radius = Math.Sqrt(-2 * Math.Log(1 - Uniform())); // 1 - u is never 0
        (double sin, double cos) = Math.SinCos(2 * Math.PI * Uniform());
        _spare = radius * sin;
        return radius * cos;
    }

    /// <summary>Fills a buffer with standard normals.</summary>
    public void Fill(Span<float> noise)
    {
        for (int j = 0; j < noise.Length; j++)
        {
            noise[j] = (float)Normal();
        }
    }
}
