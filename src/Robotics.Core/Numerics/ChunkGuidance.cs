namespace Robotics.Numerics;

/// <summary>Shape of the guidance mask between the rows that are certain and the rows that are free.</summary>
public enum GuidanceDecay
{
    /// <summary>Straight down.</summary>
    Linear,

    /// <summary>c·(e^c - 1)/(e - 1): drops sooner.</summary>
    Exponential,
}

/// <summary>Weights and gain that pull a new chunk towards the one that is still playing.</summary>
/// <remarks>Source: Black et al. 2025, "Real-Time Execution of Action Chunking Flow Policies" (arXiv:2506.07339).</remarks>
public static class ChunkGuidance
{
    /// <summary>Writes the mask: 1 for the rows that will have been executed, 0 for the free rows, decaying between.</summary>
    /// <param name="delay">d, rows executed while the new chunk is computed; 0 to <paramref name="end"/>.</param>
    /// <param name="end">First free row; at most H.</param>
    /// <param name="decay">Shape between.</param>
    /// <param name="mask">[H].</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="delay"/> or <paramref name="end"/> is out of range.</exception>
    public static void Mask(int delay, int end, GuidanceDecay decay, Span<float> mask)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(delay);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(delay, end);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(end, mask.Length);
        for (int i = 0; i < mask.Length; i++)
        {
            double c = i >= end ? 0 : Math.Clamp(((delay - 1.0 - i) / (end - delay + 1)) + 1, 0, 1);
            mask[i] = (float)(decay == GuidanceDecay.Exponential ? c * (Math.Exp(c) - 1) / (Math.E - 1) : c);
        }
    }

    /// <summary>Gain of the correction at time s: (1-s)/s·((1-s)² + s²)/(1-s)², at most <paramref name="cap"/>.</summary>
    /// <param name="s">House time, 0 (noise) to below 1.</param>
    /// <param name="cap">β, above 0; also the gain at s = 0.</param>
    public static double Gain(double s, double cap)
    {
        double left = 1 - s;
        return s <= 0 ? cap : Math.Min(((left * left) + (s * s)) / (s * left), cap);
    }
}
