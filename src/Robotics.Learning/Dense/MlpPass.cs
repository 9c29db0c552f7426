namespace Robotics.Learning.Dense;

/// <summary>Everything one pass through a network leaves behind and its way back needs: kept and filled again.</summary>
internal sealed class MlpPass
{
    /// <summary>Room for so many rows.</summary>
    public MlpPass(MlpSpec spec, int capacity)
    {
        Values = [.. Enumerable.Range(0, spec.Layers + 1).Select(l => new Matrix(capacity, l == 0 ? spec.Inputs : spec.Out(l - 1)))];
        Gradients = [.. Values.Select(value => new Matrix(capacity, value.Columns))];
        Normal = [.. Enumerable.Range(0, spec.Layers).Select(l => spec.Normed(l) ? new Matrix(capacity, spec.Out(l)) : null)];
        Inverse = [.. Enumerable.Range(0, spec.Layers).Select(l => spec.Normed(l) ? new float[capacity] : [])];
    }

    /// <summary>[rows, in]: fill before going forward.</summary>
    public Matrix Input => Values[0];

    /// <summary>[rows, out]: what came out.</summary>
    public Matrix Output => Values[^1];

    /// <summary>[rows, out]: fill before going back; used up on the way.</summary>
    public Matrix OutputGradient => Gradients[^1];

    /// <summary>[rows, in]: the gradient of the input, where it was asked for.</summary>
    public Matrix InputGradient => Gradients[0];

    internal Matrix[] Values { get; }

    internal Matrix[] Gradients { get; }

    internal Matrix?[] Normal { get; }

    internal float[][] Inverse { get; }
}
