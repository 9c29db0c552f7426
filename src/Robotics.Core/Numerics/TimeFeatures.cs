namespace Robotics.Numerics;

/// <summary>Sines and cosines of a time or a timestep: the form in which networks see it.</summary>
public static class TimeFeatures
{
    /// <summary>Angular frequencies of the transformer's sinusoid, f_k = exp(-k·ln(1e4)/(half - 1)).</summary>
    /// <param name="half">Half of the feature width; at least 2.</param>
    /// <returns>[half], from 1 down to 1e-4.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="half"/> is below 2.</exception>
    public static double[] Sinusoid(int half)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(half, 2);
        return [.. Enumerable.Range(0, half).Select(k => Math.Exp(-k * Math.Log(1e4) / (half - 1)))];
    }

    /// <summary>Angular frequencies 2π/p_k of openpi's features, whose periods p_k are spaced geometrically.</summary>
    /// <param name="half">Half of the feature width; at least 2.</param>
    /// <param name="shortest">Shortest period, above 0.</param>
    /// <param name="longest">Longest period, above <paramref name="shortest"/>.</param>
    /// <returns>[half], shortest period first.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A value is out of range.</exception>
    public static double[] Periods(int half, double shortest = 4e-3, double longest = 4)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(half, 2);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(shortest);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(longest, shortest);
        return [.. Enumerable.Range(0, half).Select(k => 2 * Math.PI / (shortest * Math.Pow(longest / shortest, k / (half - 1.0))))];
    }

    /// <summary>Writes [sin(f·t), cos(f·t)].</summary>
    /// <param name="frequencies">[half], angular.</param>
    /// <param name="time">t.</param>
    /// <param name="features">[2·half], sines first.</param>
    /// <exception cref="ArgumentException">The lengths disagree.</exception>
    public static void Write(ReadOnlySpan<double> frequencies, double time, Span<float> features)
    {
        if (features.Length != 2 * frequencies.Length)
        {
            throw new ArgumentException($"{frequencies.Length} frequencies make {2 * frequencies.Length} features, not {features.Length}.");
        }

        for (int k = 0; k < frequencies.Length; k++)
        {
            (double sin, double cos) = Math.SinCos(frequencies[k] * time);
            features[k] = (float)sin;
            features[k + frequencies.Length] = (float)cos;
        }
    }
}
