namespace Robotics.Learning.Hybrid;

/// <summary>What H2O does with the dynamics gap: which simulated pairs are trusted, and by how much.</summary>
internal static class DynamicsGap
{
    private const double Least = 1e-45; // as in the published code: its logarithm is -103.6, not minus infinity

    /// <summary>ln ω, ω = u / Σ u, of gaps that are clamped to [1e-45, 10].</summary>
    /// <param name="gaps">[n] estimated divergences u; on return ln ω.</param>
    public static void LogWeights(Span<double> gaps)
    {
        double sum = 0;
        foreach (ref double gap in gaps)
        {
            gap = Math.Clamp(gap, Least, 10);
            sum += gap;
        }

        foreach (ref double gap in gaps)
        {
            gap = Math.Log(gap) - Math.Log(sum);
        }
    }

    /// <summary>How much a simulated transition counts in the temporal difference: P_real/P_sim, clamped to [1e-5, 1].</summary>
    public static float Trust(float logSimOverReal) => Math.Clamp(MathF.Exp(-logSimOverReal), 1e-5f, 1);

    /// <summary>The conservative term of one critic: ln Σ exp(Q_sim/T + ln ω)·T - mean Q_real, clamped to ±1000.</summary>
    /// <param name="simulated">[n] Q of the simulated rows; on return the term's derivative by each.</param>
    /// <param name="logWeights">[n] ln ω.</param>
    /// <param name="meanReal">Mean Q of the recorded rows.</param>
    /// <param name="temperature">T, above 0.</param>
    /// <param name="realSlope">The term's derivative by that mean: -1, or 0 where it is clamped.</param>
    public static double Conservative(Span<double> simulated, ReadOnlySpan<double> logWeights, double meanReal, double temperature, out double realSlope)
    {
        double most = double.NegativeInfinity, sum = 0;
        for (int i = 0; i < simulated.Length; i++)
        {
            simulated[i] = (simulated[i] / temperature) + logWeights[i];
            most = Math.Max(most, simulated[i]);
        }

        foreach (double value in simulated)
        {
            sum += Math.Exp(value - most);
        }

        double term = (temperature * (most + Math.Log(sum))) - meanReal;
        bool free = term is > -1000 and < 1000;
        foreach (ref double value in simulated)
        {
            value = free ? Math.Exp(value - most) / sum : 0;
        }

        realSlope = free ? -1 : 0;
        return Math.Clamp(term, -1000, 1000);
    }
}
