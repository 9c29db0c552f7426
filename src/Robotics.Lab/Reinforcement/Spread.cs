using Robotics.Numerics;

namespace Robotics.Lab.Reinforcement;

/// <summary>What a few numbers say together.</summary>
internal static class Spread
{
    private const int Resamples = 2000;

    /// <summary>Interquartile mean: the mean of the middle half, each number as wide as one in N.</summary>
    /// <remarks>Agarwal et al. 2021 (arXiv:2108.13264).</remarks>
    public static double InterquartileMean(IReadOnlyList<double> values)
    {
        double[] sorted = [.. values.Order()];
        double sum = 0, width = 1.0 / sorted.Length;
        for (int i = 0; i < sorted.Length; i++)
        {
            sum += sorted[i] * Math.Max(0, Math.Min(0.75, (i + 1) * width) - Math.Max(0.25, i * width));
        }

        return sum / 0.5;
    }

    /// <summary>Interquartile mean and its 95 % percentile bootstrap interval. With fewer than three numbers the interval is all of them.</summary>
    public static (double Middle, double Low, double High) Bootstrap(IReadOnlyList<double> values, ulong seed = 1)
    {
        double middle = InterquartileMean(values);
        if (values.Count < 3)
        {
            return (middle, values.Min(), values.Max());
        }

        var random = new SeededRandom(seed);
        double[] drawn = new double[values.Count];
        double[] means = new double[Resamples];
        for (int i = 0; i < Resamples; i++)
        {
            for (int j = 0; j < drawn.Length; j++)
            {
                drawn[j] = values[random.NextInt(0, drawn.Length)];
            }

            means[i] = InterquartileMean(drawn);
        }

        Array.Sort(means);
        return (middle, means[(int)(0.025 * Resamples)], means[(int)(0.975 * Resamples)]);
    }

    /// <summary>The value below which a share of the values lies.</summary>
    public static double Quantile(IReadOnlyList<double> values, double share)
    {
        double[] sorted = [.. values.Order()];
        return sorted[(int)Math.Min(sorted.Length - 1, share * sorted.Length)];
    }
}
