using Robotics.Learning.Data;
using Robotics.Learning.Networks;
using static TorchSharp.torch;

namespace Robotics.Learning.Imitation;

/// <summary>Flow matching of chunk, future and value at once: half of a batch learns to act from demonstrations, a quarter learns from
/// rollouts what a given chunk leads to, a quarter what chunk and future are worth.</summary>
/// <remarks>
/// Source: "Cosmos Policy" (NVlabs/cosmos-policy): batch mix 50/25/25 and flags. Differs: a straight flow in the place of EDM, times as
/// in <see cref="FlowMatching"/>, and a weight per block, or the many elements of a chunk would drown the one of the value.
/// Given blocks carry no loss, nor do rows padded past the end of an episode. Rollouts never train the chunk: their mistakes are not to
/// be imitated.
/// </remarks>
public sealed class JointMatching : IImitation
{
    private readonly JointDenoiser _spec;
    private readonly FlowTime _times;

    /// <summary>Takes the network over.</summary>
    /// <param name="network">Built from a <see cref="JointDenoiser"/>.</param>
    /// <param name="times">Which times are trained most.</param>
    /// <exception cref="ConfigException">It is another network.</exception>
    public JointMatching(Network network, FlowTime times)
    {
        ArgumentNullException.ThrowIfNull(network);
        Network = network;
        _spec = network.Spec as JointDenoiser ?? throw new ConfigException($"A joint model trains a {nameof(JointDenoiser)}; this network is a {network.Spec.GetType().Name}.");
        _times = times;
    }

    /// <summary>Loss of one chunk element; the unit of the other weights.</summary>
    public const float ChunkWeight = 1;

    /// <summary>Loss of one future element.</summary>
    public const float FutureWeight = 4;

    /// <summary>Loss of one value element.</summary>
    public const float ValueWeight = 8;

    /// <inheritdoc/>
    public string Name => $"joint({_times})";

    /// <inheritdoc/>
    public Network Network { get; }

    /// <summary>What row <paramref name="row"/> of a batch learns: the first half acting, the rest what comes of it.</summary>
    public static JointMode Mode(int row, int batch)
    {
        int demonstrations = ChunkSet.Demonstrations(batch);
        return row < demonstrations ? JointMode.Policy : row < demonstrations + ((batch - demonstrations + 1) / 2) ? JointMode.WorldModel : JointMode.Value;
    }

    /// <inheritdoc/>
    /// <param name="condition">[B, C], observation windows; the first half of the rows demonstrations, the rest rollouts.</param>
    /// <param name="chunk">[B, Z, 1], z.</param>
    /// <param name="valid">[B, Z]; 0 where padded.</param>
    /// <param name="random">Draws times and noise.</param>
    public Tensor Loss(Tensor condition, Tensor chunk, Tensor valid, Generator random)
    {
        ArgumentNullException.ThrowIfNull(chunk);
        using var scope = NewDisposeScope();
        long batch = chunk.shape[0], size = chunk.shape[1];
        var z = chunk.reshape(batch, size);                                               // [B, Z]
        var (flags, open) = Masks((int)batch);                                            // [B, 3], [B, Z]
        var s = FlowMatching.Times(batch, _times, random);                                // [B]
        var along = s.reshape(-1, 1);                                                     // [B, 1]
        var noise = randn(z.shape, generator: random);                                    // [B, Z]
        var point = (along.OneMinus() * noise).Plus(along * z);                           // [B, Z]
        var said = Network.forward(point.reshape(batch, size, 1), s, cat([condition, z, flags], 1)).reshape(batch, size);
        var error = said.Minus(z.Minus(noise));                                           // [B, Z]
        if (_spec.Head == NetworkHead.Action)
        {
            error *= along.OneMinus();
        }

        var weight = open * valid * Weights();                                            // [B, Z]
        return ((error.square() * weight).sum() / weight.sum()).MoveToOuterDisposeScope();
    }

    private Tensor Weights() => tensor(
        (float[])[.. Enumerable.Repeat(ChunkWeight, _spec.Chunk), .. Enumerable.Repeat(FutureWeight, _spec.Future), .. Enumerable.Repeat(ValueWeight, _spec.Value)]);

    private (Tensor Flags, Tensor Open) Masks(int batch)
    {
        var flags = new float[batch * JointDenoiser.Blocks];
        var open = new float[batch * _spec.Size];
        for (int row = 0; row < batch; row++)
        {
            var mode = Mode(row, batch);
            JointDenoiser.Flags(mode).CopyTo(flags, row * JointDenoiser.Blocks);
            open.AsSpan((row * _spec.Size) + _spec.FirstOpen(mode), _spec.Size - _spec.FirstOpen(mode)).Fill(1);
        }

        return (tensor(flags, batch, JointDenoiser.Blocks), tensor(open, batch, _spec.Size));
    }
}
