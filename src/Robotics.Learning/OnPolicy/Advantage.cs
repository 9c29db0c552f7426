namespace Robotics.Learning.OnPolicy;

/// <summary>How much better an action was than what was expected of its state.</summary>
internal static class Advantage
{
    /// <summary>Generalised advantages and the returns that the value is to follow.</summary>
    /// <remarks>
    /// Arrays are [T, N], time outermost. δ = r + γ(1 - terminated)V(s') - V(s) and A = δ + γλ(1 - ended)A', where s' is the observation
    /// that the step really led to: where only time ran out its value counts, where the task ended it does not.
    /// <para>Source: Schulman et al. 2016 (arXiv:1506.02438).</para>
    /// </remarks>
    /// <param name="count">N.</param>
    /// <param name="rewards">[T, N].</param>
    /// <param name="values">[T, N] V(s).</param>
    /// <param name="next">[T, N] V(s').</param>
    /// <param name="terminated">[T, N]: the task ended in s'.</param>
    /// <param name="ended">[T, N]: the episode ended in s', by the task or by time.</param>
    /// <param name="gamma">Discount per step.</param>
    /// <param name="lambda">0: one step of reward, then the value; 1: all of it.</param>
    /// <param name="advantages">[T, N] receives A.</param>
    /// <param name="returns">[T, N] receives A + V(s).</param>
    public static void Estimate(
        int count, ReadOnlySpan<float> rewards, ReadOnlySpan<float> values, ReadOnlySpan<float> next, ReadOnlySpan<bool> terminated, ReadOnlySpan<bool> ended,
        double gamma, double lambda, Span<float> advantages, Span<float> returns)
    {
        for (int i = rewards.Length - 1; i >= 0; i--)
        {
            double delta = rewards[i] + (terminated[i] ? 0 : gamma * next[i]) - values[i];
            double later = ended[i] || i + count >= rewards.Length ? 0 : advantages[i + count];
            advantages[i] = (float)(delta + (gamma * lambda * later));
            returns[i] = advantages[i] + values[i];
        }
    }

    /// <summary>Mean 0, deviation 1 (of a sample, as PyTorch takes it); one alone becomes 0.</summary>
    public static void Normalize(Span<float> values)
    {
        double mean = 0, squares = 0;
        foreach (float value in values)
        {
            mean += value / (double)values.Length;
        }

        foreach (float value in values)
        {
            squares += (value - mean) * (value - mean);
        }

        double deviation = Math.Sqrt(squares / Math.Max(1, values.Length - 1)) + 1e-8;
        foreach (ref float value in values)
        {
            value = (float)((value - mean) / deviation);
        }
    }
}
