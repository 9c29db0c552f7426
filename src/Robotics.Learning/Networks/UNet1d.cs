namespace Robotics.Learning.Networks;

/// <summary>Convolutions over the chunk's rows, down and up again with skips; time and condition scale and shift every block
/// (FiLM).</summary>
/// <remarks>
/// Differs from the paper's code: no local conditioning. FiLM multiplies by γ, not 1 + γ, as there.
/// <para>Source: Chi et al. 2023 (arXiv:2303.04137), <c>conditional_unet1d.py</c>.</para>
/// </remarks>
public sealed record UNet1d : NetworkSpec
{
    /// <summary>Channels of each level, 1 to 5 levels, each a multiple of <see cref="Groups"/>.</summary>
    public IReadOnlyList<int> Channels { get; init; } = [64, 128, 256];

    /// <summary>Width of the time embedding, even, 4 to 1024.</summary>
    public int TimeWidth { get; init; } = 64;

    /// <summary>Kernel of the blocks, odd, 1 to 15.</summary>
    public int Kernel { get; init; } = 5;

    /// <summary>Groups of the group norm, 1 to 64.</summary>
    public int Groups { get; init; } = 8;

    /// <inheritdoc/>
    public override T Forward<T>(IOperations<T> ops, T sample, T? time, T condition)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(ops);
        T context = condition;                                                          // [B, C]
        if (Time != TimeSignal.None)
        {
            T wide = ops.Mish(Linear(ops, "time0", TimeFeatures(ops, time, TimeWidth), 4L * TimeWidth));
            context = ops.Concat(1, Linear(ops, "time1", wide, TimeWidth), condition);  // [B, time + C]
        }

        T film = ops.Mish(context);
        T x = ops.Transpose(sample, 0, 2, 1);                                           // [B, Da, H]
        var skips = new Stack<T>();
        for (int level = 0; level < Channels.Count; level++)
        {
            x = Residual(ops, $"down{level}a", x, film, Channels[level]);
            x = Residual(ops, $"down{level}b", x, film, Channels[level]);
            skips.Push(x);
            if (level < Channels.Count - 1)
            {
                x = Convolution(ops, $"shrink{level}", x, Channels[level], kernel: 3, stride: 2);
            }
        }

        x = Residual(ops, "middle0", x, film, Channels[^1]);
        x = Residual(ops, "middle1", x, film, Channels[^1]);
        for (int level = Channels.Count - 2; level >= 0; level--)
        {
            x = ops.Concat(1, x, skips.Pop());
            x = Residual(ops, $"up{level}a", x, film, Channels[level]);
            x = Residual(ops, $"up{level}b", x, film, Channels[level]);
            x = Grow(ops, $"grow{level}", x, Channels[level]);                          // length doubles
        }

        x = Block(ops, "last", x, Channels[0]);
        x = Convolution(ops, "output", x, ActionSize, kernel: 1, stride: 1);            // [B, Da, H]
        return Finish(ops, sample, time, ops.Transpose(x, 0, 2, 1));
    }

    /// <inheritdoc/>
    private protected override void Check(ConfigCheck check)
    {
        check.Range(Channels.Count, 1, 5, "channels.length");
        check.Range(Groups, 1, 64, "groups");
        check.Range(Kernel, 1, 15, "kernel");
        check.Range(TimeWidth, 4, 1024, "time_width");
        check.That(TimeWidth % 2 == 0, "time_width", $"is {TimeWidth}, expected an even number");
        check.That(Kernel % 2 == 1, "kernel", $"is {Kernel}, expected an odd number");
        check.That(
            Groups > 0 && Channels.All(c => c > 0 && c % Groups == 0),
            "channels",
            $"are {string.Join(", ", Channels)}, expected multiples of groups, {Groups}");
        int divisor = 1 << Math.Max(Channels.Count - 1, 0);
        check.That(
            Horizon % divisor == 0, "horizon", $"is {Horizon}, expected a multiple of {divisor} for {Channels.Count} levels of channels");
    }

    // h = block(x); h = γ·h + β; h = block(h); h + x (through a 1×1 convolution where the channels change).
    private T Residual<T>(IOperations<T> ops, string name, T x, T film, int channels)
        where T : class
    {
        T h = Block(ops, name + "_block0", x, channels);
        T both = ops.Reshape(Linear(ops, name + "_film", film, 2L * channels), 2L * channels, 1);   // [B, 2·ch, 1]
        h = ops.Add(ops.Mul(h, ops.Slice(both, 1, 0, channels)), ops.Slice(both, 1, channels, channels));
        h = Block(ops, name + "_block1", h, channels);
        T straight = ops.Shape(x)[1] == channels ? x : Convolution(ops, name + "_skip", x, channels, kernel: 1, stride: 1);
        return ops.Add(h, straight);
    }

    private T Block<T>(IOperations<T> ops, string name, T x, int channels)
        where T : class
    {
        T y = Convolution(ops, name, x, channels, Kernel, stride: 1);
        (T gain, T bias) = Norm(ops, name + "_norm", channels);
        return ops.Mish(ops.GroupNorm(y, Groups, gain, bias));
    }

    private static T Convolution<T>(IOperations<T> ops, string name, T x, int channels, int kernel, int stride)
        where T : class
    {
        long from = ops.Shape(x)[1];
        double bound = 1 / Math.Sqrt(from * kernel);
        return ops.Conv1d(
            x,
            ops.Weight(new WeightSpec(name + "_weight", [channels, from, kernel], WeightDraw.Uniform, bound)),
            ops.Weight(new WeightSpec(name + "_bias", [channels], WeightDraw.Uniform, bound)),
            stride,
            kernel / 2);
    }

    private static T Grow<T>(IOperations<T> ops, string name, T x, int channels)
        where T : class
    {
        double bound = 1 / Math.Sqrt(channels * 4);
        return ops.ConvTranspose1d(
            x,
            ops.Weight(new WeightSpec(name + "_weight", [channels, channels, 4], WeightDraw.Uniform, bound)),
            ops.Weight(new WeightSpec(name + "_bias", [channels], WeightDraw.Uniform, bound)),
            stride: 2,
            padding: 1,
            outputPadding: 0);
    }
}
