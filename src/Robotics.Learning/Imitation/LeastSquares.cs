using Robotics.Learning.Networks;
using static TorchSharp.torch;

namespace Robotics.Learning.Imitation;

/// <summary>Plain regression: the chunk that is nearest to all demonstrations on average. The baseline beside every generative
/// method, and the proof that a task has more than one answer.</summary>
public sealed class LeastSquares : IImitation
{
    /// <summary>Takes the network over.</summary>
    /// <param name="network">Puts out a chunk, is told no time; its sample input is all zeros.</param>
    /// <exception cref="ConfigException">The network does not fit.</exception>
    public LeastSquares(Network network)
    {
        Network = Masked.Expect(network, NetworkOutput.Chunk, TimeSignal.None, nameof(LeastSquares));
    }

    /// <inheritdoc/>
    public string Name => "least_squares";

    /// <inheritdoc/>
    public Network Network { get; }

    /// <inheritdoc/>
    public Tensor Loss(Tensor condition, Tensor chunk, Tensor valid, Generator random)
    {
        using var scope = NewDisposeScope();
        var error = Network.forward(zeros_like(chunk), null, condition).Minus(chunk);  // [B, H, Da]
        return Masked.MeanSquare(error, valid).MoveToOuterDisposeScope();
    }
}
