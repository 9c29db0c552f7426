using Robotics.Learning.Networks;
using Robotics.Numerics;
using static TorchSharp.torch;

namespace Robotics.Learning.Imitation;

/// <summary>Diffusion policy: learns to tell an action chunk from the noise on it, at every noise level.</summary>
/// <remarks>
/// Source: Ho et al. 2020 (arXiv:2006.11239) as used by Chi et al. 2023 (arXiv:2303.04137).
/// Shared with acting: <see cref="NoiseSchedule"/> and the timestep as the network is told it.
/// </remarks>
public sealed class Diffusion : IImitation, IDisposable
{
    private readonly Prediction _prediction;
    private readonly Tensor _signal;  // [T], √ᾱ
    private readonly Tensor _spread;  // [T], √(1-ᾱ)

    /// <summary>Prepares the schedule.</summary>
    /// <param name="network">Puts out a chunk, is told a timestep.</param>
    /// <param name="schedule">Noise levels.</param>
    /// <param name="prediction">What the network is to put out.</param>
    /// <exception cref="ConfigException">The network does not fit.</exception>
    public Diffusion(Network network, NoiseSchedule schedule, Prediction prediction)
    {
        ArgumentNullException.ThrowIfNull(schedule);
        Network = Masked.Expect(network, NetworkOutput.Chunk, TimeSignal.Timestep, nameof(Diffusion));
        _prediction = prediction;
        double[] alphaBars = schedule.AlphaBars.ToArray();
        _signal = tensor(alphaBars.Select(a => (float)Math.Sqrt(a)).ToArray()).DetachFromDisposeScope();
        _spread = tensor(alphaBars.Select(a => (float)Math.Sqrt(1 - a)).ToArray()).DetachFromDisposeScope();
    }

    /// <inheritdoc/>
    public string Name => $"diffusion({_prediction},{_signal.shape[0]})";

    /// <inheritdoc/>
    public Network Network { get; }

    /// <inheritdoc/>
    public Tensor Loss(Tensor condition, Tensor chunk, Tensor valid, Generator random)
    {
        ArgumentNullException.ThrowIfNull(chunk);
        using var scope = NewDisposeScope();
        var t = randint(_signal.shape[0], [chunk.shape[0]], dtype: ScalarType.Int64, generator: random);  // [B]
        var noise = randn(chunk.shape, generator: random);                                                // [B, H, Da]
        var signal = _signal[t].reshape(-1, 1, 1);                                                        // [B, 1, 1]
        var spread = _spread[t].reshape(-1, 1, 1);                                                        // [B, 1, 1]
        var noisy = (signal * chunk).Plus(spread * noise);                                                // [B, H, Da]
        var target = _prediction switch
        {
            Prediction.Epsilon => noise,
            Prediction.Sample => chunk,
            _ => (signal * noise).Minus(spread * chunk),
        };
        var error = Network.forward(noisy, t.to(ScalarType.Float32), condition).Minus(target);              // [B, H, Da]
        return Masked.MeanSquare(error, valid).MoveToOuterDisposeScope();
    }

    /// <summary>Frees the schedule's tensors; the network stays.</summary>
    public void Dispose()
    {
        _signal.Dispose();
        _spread.Dispose();
    }
}
