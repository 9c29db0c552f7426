using System.Runtime.InteropServices;
using Robotics.Learning.Networks;
using static TorchSharp.torch;

namespace Robotics.Learning.Training;

/// <summary>AdamW over a network's flat weights, with gradient clipping and a moving average of the weights.</summary>
/// <remarks>
/// Evaluate and export the average only. Weight decay reaches every weight, biases and norms too.
/// Not thread-safe; dispose it with the network.
/// <para>Source: Loshchilov and Hutter 2019 (arXiv:1711.05101).</para>
/// </remarks>
public sealed class AveragedAdamW : IDisposable
{
    private readonly Network _network;
    private readonly TrainingOptions _options;
    private readonly Tensor _mean;
    private readonly Tensor _square;

    /// <summary>Starts with empty moments.</summary>
    public AveragedAdamW(Network network, TrainingOptions options)
    {
        ArgumentNullException.ThrowIfNull(network);
        _network = network;
        _options = options;
        _mean = zeros_like(network.Flat).DetachFromDisposeScope();
        _square = zeros_like(network.Flat).DetachFromDisposeScope();
        Average = network.Flat.clone().DetachFromDisposeScope();
    }

    /// <summary>Updates made so far.</summary>
    public long Updates { get; private set; }

    /// <summary>[n], the averaged weights.</summary>
    public Tensor Average { get; }

    /// <summary>Uses the gradients that <c>backward</c> left, and clears them.</summary>
    /// <param name="learningRate">This step's rate.</param>
    /// <returns>Norm of the gradient before clipping, a scalar.</returns>
    public Tensor Step(double learningRate)
    {
        using var off = no_grad();
        using var scope = NewDisposeScope();
        var gradient = _network.FlatGradient;
        var norm = gradient.norm();
        gradient.mul_(norm.Plus(1e-6).reciprocal().Times(_options.GradientClip).AtMost(1));
        Updates++;
        double first = 1 - Math.Pow(_options.Beta1, Updates), second = 1 - Math.Pow(_options.Beta2, Updates);
        _network.Flat.Shrink(1 - (learningRate * _options.WeightDecay));
        _mean.Shrink(_options.Beta1).Gather(gradient, 1 - _options.Beta1);
        _square.Shrink(_options.Beta2).GatherProduct(gradient, gradient, 1 - _options.Beta2);
        var root = _square.sqrt().Shrink(1 / Math.Sqrt(second)).Plus(1e-8);
        _network.Flat.GatherQuotient(_mean, root, -learningRate / first);
        Average.Approach(_network.Flat, 1 - AverageDecay.At(Updates - 1, _options.AveragePower));
        gradient.zero_();
        return norm.MoveToOuterDisposeScope();
    }

    /// <summary>Everything a resumed run needs: updates, weights, both moments, average.</summary>
    internal void Write(BinaryWriter to)
    {
        to.Write(Updates);
        foreach (var state in States())
        {
            using var scope = NewDisposeScope();
            to.Write(MemoryMarshal.AsBytes(new ReadOnlySpan<float>([.. state.data<float>()])));
        }
    }

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    internal void Read(BinaryReader from)
    {
        using var off = no_grad();
        Updates = from.ReadInt64();
        foreach (var state in States())
        {
            using var scope = NewDisposeScope();
            var values = new float[state.shape[0]];
            from.BaseStream.ReadExactly(MemoryMarshal.AsBytes(values.AsSpan()));
            state.copy_(tensor(values));
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _mean.Dispose();
        _square.Dispose();
        Average.Dispose();
    }

    private Tensor[] States() => [_network.Flat, _mean, _square, Average];
}
