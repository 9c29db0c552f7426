using Robotics.Numerics;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Robotics.Learning.Networks;

/// <summary>A <see cref="NetworkSpec"/> with weights: a TorchSharp module.</summary>
/// <remarks>
/// All weights, and all their gradients, are views of one flat tensor each: an optimiser step is a handful of operations however
/// many layers there are, and a checkpoint is one array. Not thread-safe.
/// </remarks>
public sealed class Network : nn.Module<Tensor, Tensor?, Tensor, Tensor>
{
    private readonly Dictionary<string, Parameter> _weights = [];
    private readonly TorchOperations _ops;

    /// <summary>Draws the weights, with the house's own generator: they do not depend on libtorch.</summary>
    /// <param name="spec">What to build.</param>
    /// <param name="seed">Same seed, same weights.</param>
    /// <exception cref="ConfigException">The sizes do not fit together.</exception>
    public Network(NetworkSpec spec, ulong seed)
        : this(spec, Draw(spec, seed))
    {
    }

    /// <summary>Takes given weights.</summary>
    /// <param name="spec">What to build.</param>
    /// <param name="values">Every weight's elements end to end, in the order of <see cref="NetworkSpec.Weights"/>.</param>
    /// <exception cref="ConfigException">The sizes do not fit together.</exception>
    /// <exception cref="ArgumentException">The number of values is not the number of weights.</exception>
    public Network(NetworkSpec spec, float[] values)
        : base(nameof(Network))
    {
        ArgumentNullException.ThrowIfNull(spec);
        ArgumentNullException.ThrowIfNull(values);
        Spec = spec.Checked("network");
        var wanted = spec.Weights();
        long count = wanted.Sum(w => w.Count);
        if (values.Length != count)
        {
            throw new ArgumentException($"The network has {count} weights, {values.Length} values were given.", nameof(values));
        }

        Flat = tensor(values).DetachFromDisposeScope();
        FlatGradient = zeros(count).DetachFromDisposeScope();
        using var scope = NewDisposeScope();
        long at = 0;
        foreach (var weight in wanted)
        {
            long[] shape = [.. weight.Shape];
            var parameter = new Parameter(Flat.narrow(0, at, weight.Count).view(shape).DetachFromDisposeScope());
            parameter.grad = FlatGradient.narrow(0, at, weight.Count).view(shape);
            register_parameter(weight.Name, parameter);
            _weights.Add(weight.Name, parameter);
            at += weight.Count;
        }

        _ops = new TorchOperations(weight => _weights[weight.Name]);
    }

    /// <summary>What was built.</summary>
    public NetworkSpec Spec { get; }

    /// <summary>Weights by name, in the order the network asks for them.</summary>
    public IReadOnlyDictionary<string, Parameter> Weights => _weights;

    /// <summary>[n], every weight; the parameters are views of it. Change it in place, without recording gradients.</summary>
    public Tensor Flat { get; }

    /// <summary>[n], every gradient; <c>backward</c> adds to it.</summary>
    public Tensor FlatGradient { get; }

    /// <summary>Runs the network; differentiable.</summary>
    /// <param name="sample">[B, H, Da].</param>
    /// <param name="time">[B], float32; null for networks that are told no time.</param>
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
        using var scope = NewDisposeScope();
        return [.. _weights[weight.Name].detach().contiguous().data<float>()];
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            Flat.Dispose();
            FlatGradient.Dispose();
        }

        base.Dispose(disposing);
    }

    private static float[] Draw(NetworkSpec spec, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(spec);
        var random = new SeededRandom(seed);
        var values = new List<float>();
        foreach (var weight in spec.Checked("network").Weights())
        {
            for (long i = 0; i < weight.Count; i++)
            {
                values.Add((float)(weight.Draw switch
                {
                    WeightDraw.Uniform => random.NextDouble(-weight.Scale, weight.Scale),
                    WeightDraw.Normal => weight.Scale * random.NextGaussian(),
                    _ => weight.Scale,
                }));
            }
        }

        return [.. values];
    }
}
