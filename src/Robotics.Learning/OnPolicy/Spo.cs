namespace Robotics.Learning.OnPolicy;

/// <summary>Simple policy optimisation: PPO with a parabola in place of the clip.</summary>
/// <remarks>
/// Each draw's gain is best where its ratio is just ε away from 1, and beyond that the gradient points back: the ratio is pulled inside,
/// where PPO's clip only stops pushing.
/// <para>Source: Xie et al. 2024, "Simple Policy Optimization" (arXiv:2401.16025). Everything else as <see cref="Ppo"/>.</para>
/// </remarks>
public sealed class Spo : OnPolicyLearner
{
    /// <summary>Prepares to learn.</summary>
    /// <param name="environment">Where it acts; borrowed.</param>
    /// <param name="options">Settings.</param>
    /// <exception cref="ConfigException">An option is out of range.</exception>
    public Spo(IVectorEnvironment environment, OnPolicyOptions options)
        : base("spo", environment, options, Gaussian, given => new ParabolicSurrogate(given.Bound))
    {
    }
}

/// <summary>-(ρA - |A|/(2ε)·(ρ - 1)²).</summary>
internal sealed class ParabolicSurrogate(double bound) : ISurrogate
{
    private readonly float _bound = (float)bound;

    public (float Loss, float Slope) Loss(float ratio, float advantage)
    {
        float off = ratio - 1, steep = Math.Abs(advantage) / _bound;
        return ((0.5f * steep * off * off) - (ratio * advantage), (steep * off) - advantage);
    }
}
