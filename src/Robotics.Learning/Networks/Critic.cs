using Robotics.Learning.Data;
using Robotics.Learning.Dense;

namespace Robotics.Learning.Networks;

/// <summary>What a learner believes that states, or actions in them, are worth: one or several networks of the same sizes.</summary>
/// <remarks>Sees observations through the learner's normaliser. Not thread-safe: the learner's thread owns it.</remarks>
public sealed class Critic
{
    private MlpPass _pass;

    internal Critic(Mlp network, RunningNormalizer normalizer, int actionSize)
    {
        (Network, Normalizer, ActionSize) = (network, normalizer, actionSize);
        _pass = new MlpPass(network.Spec, 16);
    }

    /// <summary>Do.</summary>
    public int ObservationSize => Network.Spec.Inputs - ActionSize;

    /// <summary>Da; 0: the value of a state, V(s).</summary>
    public int ActionSize { get; }

    /// <summary>Networks in the ensemble.</summary>
    public int Copies => Network.Copies;

    /// <summary>What the networks see observations through.</summary>
    public RunningNormalizer Normalizer { get; }

    internal Mlp Network { get; }

    /// <summary>Discounted return to come, by every copy.</summary>
    /// <param name="observations">[N, Do], physical.</param>
    /// <param name="actions">[N, Da] in [-1, 1].</param>
    /// <param name="values">[N, <see cref="Copies"/>].</param>
    public void Evaluate(ReadOnlySpan<float> observations, ReadOnlySpan<float> actions, Span<float> values)
    {
        int rows = observations.Length / ObservationSize;
        if (rows > _pass.Input.Rows)
        {
            _pass = new MlpPass(Network.Spec, rows);
        }

        for (int i = 0; i < rows; i++)
        {
            Normalizer.Apply(observations.Slice(i * ObservationSize, ObservationSize), _pass.Input[i]);
            actions.Slice(i * ActionSize, ActionSize).CopyTo(_pass.Input[i][ObservationSize..]);
        }

        for (int copy = 0; copy < Copies; copy++)
        {
            Network.Forward(_pass, rows, copy);
            for (int i = 0; i < rows; i++)
            {
                values[(i * Copies) + copy] = _pass.Output[i][0];
            }
        }
    }
}
