using Robotics.Learning.Networks;
using static TorchSharp.torch;

namespace Robotics.Learning.Imitation;

/// <summary>Which times a flow is trained at most.</summary>
public enum FlowTime
{
    /// <summary>All alike.</summary>
    Uniform,

    /// <summary>s = 0.999·(1 - b), b ~ Beta(1.5, 1): more of the noisy end, never s = 1.</summary>
    Beta,
}

/// <summary>Flow matching: learns the velocity that carries noise to a demonstrated action chunk along a straight line.</summary>
/// <remarks>
/// Source: Lipman et al. 2023 (arXiv:2210.02747), the optimal-transport path with sigma_min = 0; Beta times as in π0 (Black et
/// al. 2024, arXiv:2410.24164), drawn as u^(2/3) because Beta(1.5, 1) has the distribution function b^1.5.
/// Differs for a network whose last layer says the action (<see cref="NetworkHead.Action"/>): the error of the velocity is weighted
/// with 1 - s, which makes it the error of the action; unweighted, the last steps before s = 1 would drown all others.
/// Shared with acting: time runs from 0 (noise) to 1 (action), as in <see cref="Robotics.Numerics.FlowSampler"/>.
/// </remarks>
public sealed class FlowMatching : IImitation
{
    private readonly FlowTime _times;

    /// <summary>Takes the network over.</summary>
    /// <param name="network">Puts out a chunk, is told a continuous time.</param>
    /// <param name="times">Which times are trained most.</param>
    /// <exception cref="ConfigException">The network does not fit.</exception>
    public FlowMatching(Network network, FlowTime times)
    {
        Network = Masked.Expect(network, NetworkOutput.Chunk, TimeSignal.Continuous, nameof(FlowMatching));
        _times = times;
    }

    /// <inheritdoc/>
    public string Name => $"flow_matching({_times})";

    /// <inheritdoc/>
    public Network Network { get; }

    /// <inheritdoc/>
    public Tensor Loss(Tensor condition, Tensor chunk, Tensor valid, Generator random)
    {
        ArgumentNullException.ThrowIfNull(chunk);
        using var scope = NewDisposeScope();
        var s = Times(chunk.shape[0], _times, random);                           // [B]
        var along = s.reshape(-1, 1, 1);                                         // [B, 1, 1]
        var noise = randn(chunk.shape, generator: random);                       // [B, H, Da]
        var point = (along.OneMinus() * noise).Plus(along * chunk);              // [B, H, Da]
        var error = Network.forward(point, s, condition).Minus(chunk.Minus(noise)); // [B, H, Da]
        if (Network.Spec.Head == NetworkHead.Action)
        {
            error *= along.OneMinus();
        }

        return Masked.MeanSquare(error, valid).MoveToOuterDisposeScope();
    }

    /// <summary>[B], times to train at.</summary>
    internal static Tensor Times(long count, FlowTime times, Generator random)
    {
        var u = rand([count], generator: random);
        return times == FlowTime.Uniform ? u : u.Power(2 / 3.0).OneMinus().Times(0.999);
    }
}
