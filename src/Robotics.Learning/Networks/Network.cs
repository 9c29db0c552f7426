using Robotics.Numerics;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Robotics.Learning.Networks;

/// <summary>A <see cref="NetworkSpec"/> with weights: a TorchSharp module.</summary>
/// <remarks>Not thread-safe. Weights are drawn from a seed with the house's own generator, so they do not depend on libtorch.</remarks>
public sealed class Network : nn.Module<Tensor, Tensor?, Tensor, Tensor>
{
    private readonly Dictionary<string, Parameter> _weights = [];
    private readonly TorchOperations _ops;

    /// <summary>Draws the weights.</summary>
    /// <param name="spec">What to build.</param>
    /// <param name="seed">Same seed, same weights.</param>
    /// <exception cref="ConfigException">The sizes do not fit together.</exception>
    public Network(NetworkSpec spec, ulong seed)
        : base(nameof(Network))
    {
        ArgumentNullException.ThrowIfNull(spec);
        Spec = spec.Checked("network");
        var random = new SeededNoise(seed);
        foreach (var weight in spec.Weights())
        {
            var values = new float[weight.Count];
            for (int i = 0; i < values.Length; i++)
            {
                values[i] = (float)(weight.Draw switch
                {
                    WeightDraw.Uniform => random.Uniform(-weight.Scale, weight.Scale),
                    WeightDraw.Normal => weight.Scale * random.Normal(),
                    _ => weight.Scale,
                });
            }

            var parameter = new Parameter(tensor(values, [.. weight.Shape]).DetachFromDisposeScope());
            register_parameter(weight.Name, parameter);
            _weights.Add(weight.Name, parameter);
        }

        _ops = new TorchOperations(weight => _weights[weight.Name]);
    }

    /// <summary>What was built.</summary>
    public NetworkSpec Spec { get; }

    /// <summary>Weights by name, in the order the network asks for them.</summary>
    public IReadOnlyDictionary<string, Parameter> Weights => _weights;

    /// <summary>Runs the network; differentiable.</summary>
    /// <param name="sample">[B, H, Da].</param>
    /// <param name="time">[B], float32; null for energies.</param>
    /// <param name="condition">[B, C].</param>
    public override Tensor forward(Tensor sample, Tensor? time, Tensor condition) => Spec.Forward(_ops, sample, time, condition);

    /// <summary>Energy and its gradient with respect to the sample, by autograd.</summary>
    /// <param name="sample">[B, H, Da]; need not require a gradient.</param>
    /// <param name="condition">[B, C].</param>
    /// <param name="keepGraph">Whether the gradient itself can be differentiated, as training an energy needs.</param>
    /// <returns>[B, 1] and [B, H, Da].</returns>
    public (Tensor Energy, Tensor Gradient) EnergyGradient(Tensor sample, Tensor condition, bool keepGraph)
    {
        ArgumentNullException.ThrowIfNull(sample);
        using var enabled = enable_grad();
        var point = sample.requires_grad ? sample : sample.detach().requires_grad_();
        var energy = forward(point, null, condition);
        var gradient = autograd.grad([energy.sum()], [point], retain_graph: keepGraph, create_graph: keepGraph)[0];
        return keepGraph ? (energy, gradient) : (energy.detach(), gradient.detach());
    }

    /// <summary>The elements of a weight, row-major: what an exporter asks for.</summary>
    public float[] Values(WeightSpec weight)
    {
        ArgumentNullException.ThrowIfNull(weight);
        return [.. _weights[weight.Name].detach().contiguous().data<float>()];
    }
}
