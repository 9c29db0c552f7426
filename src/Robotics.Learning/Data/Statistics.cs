using Robotics.Packages;

namespace Robotics.Learning.Data;

/// <summary>What a normaliser needs to know about the training episodes; it travels in the package.</summary>
/// <remarks>Computed in float64, over training episodes only. The runtime applies it with <see cref="Numerics.Normalizer"/>, and so
/// does the trainer.</remarks>
public static class Statistics
{
    /// <summary>Fits one frame.</summary>
    /// <param name="mode"><c>min_max</c> (to ±1, for samplers that clip) or <c>mean_std</c>.</param>
    /// <param name="frames">Each [T, <paramref name="width"/>], finite.</param>
    /// <param name="width">Elements of a frame.</param>
    /// <returns>Statistics of <paramref name="width"/> numbers. An element whose deviation is below 1e-6 is a constant of the data and
    /// gets deviation 1.</returns>
    /// <exception cref="ConfigException">The mode is unknown, there is no frame, or a number is not finite.</exception>
    public static NormalizationSpec Fit(string mode, IEnumerable<float[]> frames, int width)
    {
        ArgumentNullException.ThrowIfNull(frames);
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        if (mode is not ("min_max" or "mean_std"))
        {
            throw new ConfigException($"The normalisation mode is '{mode}', expected min_max or mean_std.");
        }

        float[] min = [.. Enumerable.Repeat(float.MaxValue, width)], max = [.. Enumerable.Repeat(float.MinValue, width)];
        double[] mean = new double[width], squares = new double[width];
        long count = 0;
        foreach (float[] episode in frames)
        {
            for (int at = 0; at + width <= episode.Length; at += width)
            {
                count++;
                for (int j = 0; j < width; j++)
                {
                    float value = episode[at + j];
                    if (!float.IsFinite(value))
                    {
                        throw new ConfigException($"Element {j} of a frame is {value}: an episode with such a value cannot train a policy.");
                    }

                    (min[j], max[j]) = (Math.Min(min[j], value), Math.Max(max[j], value));

                    // Welford's update: no cancellation far from zero.
                    double before = value - mean[j];
                    mean[j] += before / count;
                    squares[j] += before * (value - mean[j]);
                }
            }
        }

        if (count == 0)
        {
            throw new ConfigException("There is no frame to take statistics of; collect episodes first.");
        }

        return mode == "min_max"
            ? new NormalizationSpec { Mode = mode, Min = min, Max = max }
            : new NormalizationSpec
            {
                Mode = mode,
                Mean = [.. mean.Select(m => (float)m)],
                Std = [.. squares.Select(s => Math.Sqrt(s / count)).Select(d => d < 1e-6 ? 1f : (float)d)],
            };
    }
}
