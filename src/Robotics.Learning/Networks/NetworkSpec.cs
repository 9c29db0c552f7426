using System.Text.Json.Serialization;
using Robotics.Learning.Export;

namespace Robotics.Learning.Networks;

/// <summary>How a network is told the time.</summary>
public enum TimeSignal
{
    /// <summary>Not at all: energies.</summary>
    None,

    /// <summary>An integer timestep, 0 to T - 1: diffusion.</summary>
    Timestep,

    /// <summary>A real number, 0 to 1: flow.</summary>
    Continuous,
}

/// <summary>What comes out of a network.</summary>
public enum NetworkOutput
{
    /// <summary>[B, H, Da]: noise, velocity or a clean chunk.</summary>
    Chunk,

    /// <summary>[B, 1]: one scalar per chunk, low where the chunk is good.</summary>
    Energy,
}

/// <summary>What the last layer says.</summary>
public enum NetworkHead
{
    /// <summary>The output itself.</summary>
    Output,

    /// <summary>The action that the sample comes from. A velocity is read off it as (action - sample)/(1 - s), an energy as half the
    /// squared distance between sample and action: the layer never has to tell the sample's noise back, which a narrow network does
    /// badly.</summary>
    Action,
}

/// <summary>Activation function.</summary>
public enum Activation
{
    /// <summary>x·tanh(softplus x).</summary>
    Mish,

    /// <summary>x·sigmoid x.</summary>
    Silu,

    /// <summary>x·Φ(x).</summary>
    Gelu,
}

/// <summary>A network described: its sizes, and one generic forward pass that training, export and gradients all follow.</summary>
/// <remarks>Letters: <c>H</c> chunk rows, <c>Da</c> action elements, <c>C</c> condition elements, <c>B</c> batch.</remarks>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "network")]
[JsonDerivedType(typeof(ResidualMlp), "mlp")]
[JsonDerivedType(typeof(UNet1d), "unet1d")]
[JsonDerivedType(typeof(ActionTransformer), "transformer")]
[JsonDerivedType(typeof(JointDenoiser), "joint")]
public abstract record NetworkSpec
{
    /// <summary>H, 1 to 1024.</summary>
    public required int Horizon { get; init; }

    /// <summary>Da, 1 to 256.</summary>
    public required int ActionSize { get; init; }

    /// <summary>C, the flattened observation window, 1 to 65536.</summary>
    public required int ConditionSize { get; init; }

    /// <summary>Elements of the observation window in the condition: all of it, unless a network says otherwise.</summary>
    [JsonIgnore]
    public virtual int ObservationSize => ConditionSize;

    /// <summary>How the network is told the time.</summary>
    public TimeSignal Time { get; init; } = TimeSignal.Timestep;

    /// <summary>Multiplies the time before its sinusoid; 1 for timesteps, 100 for flow.</summary>
    public double TimeScale { get; init; } = 1;

    /// <summary>What comes out.</summary>
    public NetworkOutput Output { get; init; } = NetworkOutput.Chunk;

    /// <summary>What the last layer says; <see cref="NetworkHead.Action"/> is for velocities and energies.</summary>
    public NetworkHead Head { get; init; } = NetworkHead.Output;

    /// <summary>Runs (or writes) the network.</summary>
    /// <param name="ops">What the words mean.</param>
    /// <param name="sample">[B, H, Da].</param>
    /// <param name="time">[B]; null when <see cref="Time"/> is None.</param>
    /// <param name="condition">[B, C].</param>
    /// <returns>[B, H, Da] or [B, 1], see <see cref="Output"/>.</returns>
    public abstract T Forward<T>(IOperations<T> ops, T sample, T? time, T condition)
        where T : class;

    /// <summary>Returns this record, or reports everything wrong with it at once.</summary>
    /// <param name="source">Where the values came from: a file path or "code".</param>
    /// <exception cref="ConfigException">One or more values are out of range.</exception>
    public NetworkSpec Checked(string source)
    {
        var check = new ConfigCheck(source);
        check.Range(Horizon, 1, 1024, "horizon");
        check.Range(ActionSize, 1, 256, "action_size");
        check.Range(ConditionSize, 1, 65536, "condition_size");
        check.That(
            TimeScale > 0 && double.IsFinite(TimeScale), "time_scale", FormattableString.Invariant($"is {TimeScale}, expected above 0"));
        check.That(
            Output == NetworkOutput.Chunk || Time == TimeSignal.None, "time", $"is {Time}, but an energy has no time: expected None");
        check.That(
            Head == NetworkHead.Output || Output == NetworkOutput.Energy || Time == TimeSignal.Continuous, "head",
            $"is {Head}, but output {Output} with time {Time} is neither a velocity nor an energy: expected Output");
        Check(check);
        check.Throw();
        return this;
    }

    /// <summary>Every weight in the order the network asks for them.</summary>
    public IReadOnlyList<WeightSpec> Weights()
    {
        var shapes = new OnnxOperations(values: null);
        var time = Time == TimeSignal.None ? null : shapes.Input("time");
        Forward(shapes, shapes.Input("sample", Horizon, ActionSize), time, shapes.Input("condition", ConditionSize));
        return [.. shapes.Weights];
    }

    /// <summary>Adds what is wrong with the sizes of this kind of network.</summary>
    private protected abstract void Check(ConfigCheck check);

    /// <summary>A linear layer, drawn as libtorch does: uniform in ± 1/√in.</summary>
    private protected static T Linear<T>(IOperations<T> ops, string name, T x, long width, double gain = 1)
        where T : class
    {
        long from = ops.Shape(x)[^1];
        double bound = gain / Math.Sqrt(from);
        return ops.Linear(
            x,
            ops.Weight(new WeightSpec(name + "_weight", [from, width], WeightDraw.Uniform, bound)),
            ops.Weight(new WeightSpec(name + "_bias", [width], WeightDraw.Uniform, bound)));
    }

    /// <summary>Gain and bias of a norm: ones and zeros.</summary>
    private protected static (T Gain, T Bias) Norm<T>(IOperations<T> ops, string name, long width)
        where T : class =>
        (ops.Weight(new WeightSpec(name + "_gain", [width], WeightDraw.Constant, 1)),
         ops.Weight(new WeightSpec(name + "_bias", [width], WeightDraw.Constant, 0)));

    /// <summary>[B] to [B, width], sines first.</summary>
    private protected T TimeFeatures<T>(IOperations<T> ops, T? time, int width)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(time);
        float[] frequencies = [.. Numerics.TimeFeatures.Sinusoid(width / 2).Select(f => (float)(f * TimeScale))];
        T angle = ops.Mul(ops.Reshape(time, 1), ops.Constant(frequencies, frequencies.Length));
        return ops.Concat(1, ops.Sin(angle), ops.Cos(angle));
    }

    /// <summary>The activation by name.</summary>
    private protected static T Activate<T>(IOperations<T> ops, Activation activation, T x)
        where T : class => activation switch
        {
            Activation.Mish => ops.Mish(x),
            Activation.Silu => ops.Silu(x),
            _ => ops.Gelu(x),
        };

    /// <summary>What is put out of a chunk-wide last layer: itself, a velocity to it, or an energy, [B, 1]: its distance from the
    /// sample, or its mean over every row and element.</summary>
    /// <param name="ops">What the words mean.</param>
    /// <param name="sample">[B, H, Da].</param>
    /// <param name="time">[B]; null where there is none.</param>
    /// <param name="head">[B, H, Da].</param>
    private protected T Finish<T>(IOperations<T> ops, T sample, T? time, T head)
        where T : class
    {
        long size = (long)Horizon * ActionSize;
        if (Head == NetworkHead.Output)
        {
            return Output == NetworkOutput.Chunk ? head : ops.Mean(ops.Reshape(head, size));
        }

        T way = ops.Add(head, ops.Scale(sample, -1));                                             // [B, H, Da], to the action
        if (Output == NetworkOutput.Energy)
        {
            T flat = ops.Reshape(way, size);
            return ops.Scale(ops.Mean(ops.Mul(flat, flat)), 0.5 * size);                          // [B, 1]
        }

        ArgumentNullException.ThrowIfNull(time);
        return ops.Mul(way, ops.Reciprocal(ops.Reshape(ops.Shift(ops.Scale(time, -1), 1), 1, 1))); // [B, H, Da]
    }
}
