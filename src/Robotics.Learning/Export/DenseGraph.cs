using System.Globalization;
using Robotics.Learning.Dense;
using Robotics.Learning.Networks;

namespace Robotics.Learning.Export;

/// <summary>A hand-written network, or one of an ensemble, in the network vocabulary: what its export is made of.</summary>
/// <param name="network">The network.</param>
/// <param name="copy">Which of the ensemble.</param>
internal sealed class DenseGraph(Mlp network, int copy = 0)
{
    private readonly Dictionary<string, float[]> _values = [];

    /// <summary>The elements of a weight that <see cref="Forward"/> asked for.</summary>
    public float[]? Values(string weight) => _values.GetValueOrDefault(weight);

    /// <summary>[B, in] to [B, out], with the operations in the order of <see cref="Mlp.Forward"/>.</summary>
    public T Forward<T>(IOperations<T> ops, T x)
        where T : class
    {
        var spec = network.Spec;
        for (int l = 0; l < spec.Layers; l++)
        {
            var (weight, bias) = network.LayerValues(copy, l);
            x = ops.Linear(x, Weight(ops, l, "weight", weight, spec.In(l), spec.Out(l)), Weight(ops, l, "bias", bias, spec.Out(l)));
            if (spec.Normed(l))
            {
                var (gain, shift) = network.NormValues(copy, l);
                x = ops.LayerNorm(x, Weight(ops, l, "gain", gain, spec.Out(l)), Weight(ops, l, "shift", shift, spec.Out(l)));
            }

            if (l < spec.Layers - 1)
            {
                x = spec.Activation == HiddenActivation.Relu ? ops.Relu(x) : ops.Tanh(x);
            }
        }

        return x;
    }

    private T Weight<T>(IOperations<T> ops, int layer, string part, float[] values, params long[] shape)
        where T : class
    {
        string name = string.Create(CultureInfo.InvariantCulture, $"net{copy}_layer{layer}_{part}");
        _values[name] = values;
        return ops.Weight(new WeightSpec(name, shape, WeightDraw.Constant, 0));
    }
}
