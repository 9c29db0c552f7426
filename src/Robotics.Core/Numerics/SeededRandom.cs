namespace Robotics.Numerics;

/// <summary>Repeatable random numbers: the same seed gives the same draws on every machine and in every version.</summary>
/// <remarks>
/// xoshiro256++ whose state is filled by SplitMix64, so that neighbouring seeds are unrelated. Not thread-safe; allocation-free
/// after construction. Integers and uniform numbers are exact everywhere; Gaussian draws use <see cref="Math.Log(double)"/> and
/// may differ in the last bit between platforms.
/// <para>Source: Blackman and Vigna 2019 (arXiv:1805.01407); Steele et al. 2014 for SplitMix64.</para>
/// </remarks>
public sealed class SeededRandom
{
    private ulong _s0, _s1, _s2, _s3;
    private double _spare;
    private bool _hasSpare;

    /// <summary>Starts the sequence of <paramref name="seed"/>.</summary>
    public SeededRandom(ulong seed) => Reset(seed);

    /// <summary>Starts the sequence of <paramref name="seed"/> again.</summary>
    public void Reset(ulong seed)
    {
        _s0 = SplitMix(ref seed);
        _s1 = SplitMix(ref seed);
        _s2 = SplitMix(ref seed);
        _s3 = SplitMix(ref seed);
        _hasSpare = false;
    }

    /// <summary>64 random bits.</summary>
    public ulong NextBits()
    {
        ulong result = ulong.RotateLeft(_s0 + _s3, 23) + _s0;
        ulong t = _s1 << 17;
        _s2 ^= _s0;
        _s3 ^= _s1;
        _s1 ^= _s2;
        _s0 ^= _s3;
        _s2 ^= t;
        _s3 = ulong.RotateLeft(_s3, 45);
        return result;
    }

    /// <summary>Uniform in [0, 1), in steps of 2^-53.</summary>
    public double NextDouble() => (NextBits() >> 11) * (1.0 / (1UL << 53));

    /// <summary>Uniform in [<paramref name="low"/>, <paramref name="high"/>).</summary>
    public double NextDouble(double low, double high) => low + ((high - low) * NextDouble());

    /// <summary>Uniform integer in [<paramref name="low"/>, <paramref name="high"/>).</summary>
    /// <exception cref="ArgumentOutOfRangeException">The range is empty.</exception>
    public int NextInt(int low, int high)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(low, high);
        // The bias of multiply-shift over 64 bits is below 2^-32: nothing a robot could notice.
        return low + (int)Math.BigMul(NextBits(), (ulong)((long)high - low), out _);
    }

    /// <summary>Normal with mean 0 and standard deviation 1 (Marsaglia's polar method).</summary>
    public double NextGaussian()
    {
        if (_hasSpare)
        {
            _hasSpare = false;
            return _spare;
        }

        while (true)
        {
            double u = NextDouble(-1, 1);
            double v = NextDouble(-1, 1);
            double s = (u * u) + (v * v);
            if (s is > 0 and < 1)
            {
                double scale = Math.Sqrt(-2 * Math.Log(s) / s);
                _spare = v * scale;
                _hasSpare = true;
                return u * scale;
            }
        }
    }

    /// <summary>Fills a buffer with normal draws: the noise that samplers start from.</summary>
    public void FillGaussian(Span<float> noise)
    {
        for (int i = 0; i < noise.Length; i++)
        {
            noise[i] = (float)NextGaussian();
        }
    }

    private static ulong SplitMix(ref ulong state)
    {
        ulong z = state += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
