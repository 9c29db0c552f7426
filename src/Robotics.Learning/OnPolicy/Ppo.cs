namespace Robotics.Learning.OnPolicy;

/// <summary>Proximal policy optimisation: steps of the policy that stop paying where its ratio to the old one leaves 1 ± ε.</summary>
/// <remarks>
/// Source: Schulman et al. 2017 (arXiv:1707.06347), with the details of CleanRL's <c>ppo_continuous_action.py</c>: a Gaussian whose
/// deviation does not depend on the state, orthogonal weights, advantages normalised per minibatch, Adam's epsilon 1e-5.
/// Differs: the value loss is not clipped; the value of a truncated step is that of the observation it reached (CleanRL takes the next
/// episode's first); a reward's running return restarts at truncations too; episodes are cut (as by a time limit) where a checkpoint is
/// written, so that a resumed run repeats exactly.
/// </remarks>
public sealed class Ppo : OnPolicyLearner
{
    /// <summary>Prepares to learn.</summary>
    /// <param name="environment">Where it acts; borrowed.</param>
    /// <param name="options">Settings.</param>
    /// <exception cref="ConfigException">An option is out of range.</exception>
    public Ppo(IVectorEnvironment environment, OnPolicyOptions options)
        : base("ppo", environment, options, Gaussian, given => new ClippedSurrogate(given.Bound))
    {
    }
}

/// <summary>-min(ρA, clip(ρ, 1 - ε, 1 + ε)A).</summary>
internal sealed class ClippedSurrogate(double bound) : ISurrogate
{
    private readonly float _bound = (float)bound;

    public (float Loss, float Slope) Loss(float ratio, float advantage)
    {
        float free = ratio * advantage, clipped = Math.Clamp(ratio, 1 - _bound, 1 + _bound) * advantage;
        return free <= clipped ? (-free, -advantage) : (-clipped, 0);
    }
}
