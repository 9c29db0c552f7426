namespace Robotics.Learning.Networks;

/// <summary>Flattened chunk, condition and time through equally wide layers; the cheapest network, one to a few tens of µs per
/// call.</summary>
/// <remarks>Source: the small MLP of DPPO (Ren et al. 2024, arXiv:2409.00588), with smooth activations so that energies have
/// second derivatives.</remarks>
public sealed record ResidualMlp : NetworkSpec
{
    /// <summary>Width of a hidden layer, 8 to 4096.</summary>
    public int Width { get; init; } = 256;

    /// <summary>Hidden layers, 1 to 16.</summary>
    public int Layers { get; init; } = 3;

    /// <summary>Each hidden layer after the first adds to its input instead of replacing it.</summary>
    public bool Residual { get; init; } = true;

    /// <summary>Activation.</summary>
    public Activation Activation { get; init; } = Activation.Mish;

    /// <summary>Width of the time sinusoid, even, 4 to 512.</summary>
    public int TimeWidth { get; init; } = 32;

    /// <summary>Multiplies the range that the last layer's weights are drawn from; 10 for energies, whose slope must reach the
    /// noise.</summary>
    public double OutputGain { get; init; } = 1;

    /// <inheritdoc/>
    public override T Forward<T>(IOperations<T> ops, T sample, T? time, T condition)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(ops);
        T x = ops.Concat(1, ops.Reshape(sample, (long)Horizon * ActionSize), condition);   // [B, H·Da + C]
        if (Time != TimeSignal.None)
        {
            x = ops.Concat(1, x, TimeFeatures(ops, time, TimeWidth));                      // [B, H·Da + C + time]
        }

        T h = Activate(ops, Activation, Linear(ops, "hidden0", x, Width));                 // [B, width]
        for (int i = 1; i < Layers; i++)
        {
            T y = Activate(ops, Activation, Linear(ops, $"hidden{i}", h, Width));
            h = Residual ? ops.Add(h, y) : y;
        }

        return (Output, Head) == (NetworkOutput.Energy, NetworkHead.Output)
            ? Linear(ops, "energy", h, 1, OutputGain)
            : Finish(ops, sample, time, ops.Reshape(Linear(ops, "output", h, (long)Horizon * ActionSize, OutputGain), Horizon, ActionSize));
    }

    /// <inheritdoc/>
    private protected override void Check(ConfigCheck check)
    {
        check.Range(Width, 8, 4096, "width");
        check.Range(Layers, 1, 16, "layers");
        check.Range(TimeWidth, 4, 512, "time_width");
        check.That(TimeWidth % 2 == 0, "time_width", $"is {TimeWidth}, expected an even number");
        check.That(OutputGain > 0, "output_gain", FormattableString.Invariant($"is {OutputGain}, expected above 0"));
    }
}
