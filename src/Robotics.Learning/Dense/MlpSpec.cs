namespace Robotics.Learning.Dense;

/// <summary>What stands between two layers.</summary>
public enum HiddenActivation
{
    /// <summary>max(0, x).</summary>
    Relu,

    /// <summary>Hyperbolic tangent.</summary>
    Tanh,
}

/// <summary>The sizes of a fully connected network: linear, norm where asked for, activation, and so on; the last layer is linear.</summary>
/// <param name="Inputs">Numbers in.</param>
/// <param name="Hidden">Widths of the hidden layers.</param>
/// <param name="Outputs">Numbers out.</param>
/// <param name="Activation">Of every hidden layer.</param>
/// <param name="LayerNorm">True: every hidden layer is normalised before its activation (gain, bias, epsilon 1e-5).</param>
/// <param name="Free">Trainable numbers that no layer uses, such as a deviation that does not depend on the state.</param>
internal sealed record MlpSpec(
    int Inputs, IReadOnlyList<int> Hidden, int Outputs, HiddenActivation Activation = HiddenActivation.Relu, bool LayerNorm = false, int Free = 0)
{
    /// <summary>Linear layers.</summary>
    public int Layers => Hidden.Count + 1;

    /// <summary>Trainable numbers.</summary>
    public int Count { get; } = Enumerable.Range(0, Hidden.Count + 1).Sum(layer =>
        ((layer == 0 ? Inputs : Hidden[layer - 1]) + 1 + (LayerNorm && layer < Hidden.Count ? 2 : 0)) * (layer == Hidden.Count ? Outputs : Hidden[layer])) + Free;

    /// <summary>Numbers that go into a layer.</summary>
    public int In(int layer) => layer == 0 ? Inputs : Hidden[layer - 1];

    /// <summary>Numbers that come out of it.</summary>
    public int Out(int layer) => layer == Hidden.Count ? Outputs : Hidden[layer];

    /// <summary>True: it ends in a norm.</summary>
    public bool Normed(int layer) => LayerNorm && layer < Hidden.Count;

    /// <summary>Where a layer's numbers begin: weights [in, out], bias [out], then gain [out] and bias [out] of its norm.</summary>
    public int Start(int layer)
    {
        int at = 0;
        for (int l = 0; l < layer; l++)
        {
            at += (In(l) + 1 + (Normed(l) ? 2 : 0)) * Out(l);
        }

        return at;
    }
}
