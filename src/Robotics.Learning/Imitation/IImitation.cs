using Robotics.Learning.Networks;
using static TorchSharp.torch;

namespace Robotics.Learning.Imitation;

/// <summary>A way to learn action chunks from demonstrations: one network and one loss.</summary>
public interface IImitation
{
    /// <summary>Method and its choices, for records and messages: <c>diffusion(epsilon)</c>.</summary>
    string Name { get; }

    /// <summary>What is trained.</summary>
    Network Network { get; }

    /// <summary>The loss of one batch; a scalar that can be differentiated.</summary>
    /// <param name="condition">[B, C], normalised.</param>
    /// <param name="chunk">[B, H, Da], normalised.</param>
    /// <param name="valid">[B, H]; 1 where demonstrated, 0 where padded. At least one is 1.</param>
    /// <param name="random">Draws times and noise, so a seed repeats the run.</param>
    Tensor Loss(Tensor condition, Tensor chunk, Tensor valid, Generator random);
}

/// <summary>What the losses share.</summary>
internal static class Masked
{
    /// <summary>Mean square over demonstrated rows; rows padded past the end of an episode carry no loss.</summary>
    /// <param name="error">[B, H, Da].</param>
    /// <param name="valid">[B, H].</param>
    public static Tensor MeanSquare(Tensor error, Tensor valid) => (error.square().mean([-1L]) * valid).sum() / valid.sum();

    /// <summary>Refuses a network that puts out, or is told, something else than the loss needs.</summary>
    public static Network Expect(Network network, NetworkOutput output, TimeSignal time, string method)
    {
        ArgumentNullException.ThrowIfNull(network);
        if (network.Spec.Output != output || network.Spec.Time != time)
        {
            throw new ConfigException(
                $"{method} trains a network with output {output} and time {time}; this one has output {network.Spec.Output} and time "
                + $"{network.Spec.Time}. Change 'output' and 'time' of the network.");
        }

        return network;
    }
}
