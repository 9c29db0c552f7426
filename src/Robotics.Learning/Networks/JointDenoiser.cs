using System.Text.Json.Serialization;

namespace Robotics.Learning.Networks;

/// <summary>How many of the blocks of z, from the first, are given.</summary>
public enum JointMode
{
    /// <summary>None: chunk, future and value are denoised together.</summary>
    Policy,

    /// <summary>The chunk: future and value are denoised.</summary>
    WorldModel,

    /// <summary>Chunk and future: the value is denoised.</summary>
    Value,
}

/// <summary>One multilayer perceptron over z = [chunk | future | value] that is policy, world model and value function: flags say which
/// blocks are given, and masks inside the network keep noise and given values apart.</summary>
/// <remarks>
/// As a network its chunk is z, a column of Z rows, and its condition is [observation window | given z | three flags]; see
/// <see cref="Of"/>. Noise at given blocks and given values at open ones are multiplied by 0 before anything sees them.
/// <para>Source: "Cosmos Policy" (NVlabs/cosmos-policy), whose video transformer does the same with frames.</para>
/// </remarks>
public sealed record JointDenoiser : NetworkSpec
{
    /// <summary>Blocks of z.</summary>
    public const int Blocks = 3;

    /// <summary>Elements of the chunk, Tp·Da.</summary>
    public required int Chunk { get; init; }

    /// <summary>Elements of the future.</summary>
    public required int Future { get; init; }

    /// <summary>Elements of the value.</summary>
    public int Value { get; init; } = 1;

    /// <summary>Width of a hidden layer, 8 to 4096.</summary>
    public int Width { get; init; } = 256;

    /// <summary>Hidden layers, 1 to 16.</summary>
    public int Layers { get; init; } = 3;

    /// <summary>Z.</summary>
    [JsonIgnore]
    public int Size => Chunk + Future + Value;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int ObservationSize => ConditionSize - Size - Blocks;

    /// <summary>Puts the sizes together.</summary>
    /// <param name="chunk">Tp·Da.</param>
    /// <param name="future">Elements of the future.</param>
    /// <param name="observation">Elements of the observation window.</param>
    /// <param name="head">What the last layer says.</param>
    public static JointDenoiser Of(int chunk, int future, int observation, NetworkHead head) => new()
    {
        Chunk = chunk,
        Future = future,
        Horizon = chunk + future + 1,
        ActionSize = 1,
        ConditionSize = observation + chunk + future + 1 + Blocks,
        Time = TimeSignal.Continuous,
        TimeScale = 100,
        Head = head,
    };

    /// <summary>First element of z that is not given.</summary>
    public int FirstOpen(JointMode mode) => mode switch
    {
        JointMode.Policy => 0,
        JointMode.WorldModel => Chunk,
        _ => Chunk + Future,
    };

    /// <summary>[3], 1 where a block is given.</summary>
    public static float[] Flags(JointMode mode) => [mode >= JointMode.WorldModel ? 1 : 0, mode == JointMode.Value ? 1 : 0, 0];

    /// <inheritdoc/>
    public override T Forward<T>(IOperations<T> ops, T sample, T? time, T condition)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(ops);
        int seen = ObservationSize;
        T observation = ops.Slice(condition, 1, 0, seen);                                     // [B, C]
        T given = ops.Slice(condition, 1, seen, Size);                                        // [B, Z]
        T flags = ops.Slice(condition, 1, seen + Size, Blocks);                               // [B, 3]
        T known = ops.MatMul(flags, ops.Constant(Expansion(), Blocks, Size));                 // [B, Z], 1 where given
        T noisy = ops.Mul(ops.Reshape(sample, Size), ops.Shift(ops.Scale(known, -1), 1));
        T clean = ops.Mul(given, known);
        return Inner().Forward(ops, ops.Reshape(noisy, Size, 1), time, ops.Concat(1, ops.Concat(1, clean, flags), observation));
    }

    /// <inheritdoc/>
    private protected override void Check(ConfigCheck check)
    {
        check.That(Chunk > 0 && Future > 0 && Value > 0, "chunk", $"{Chunk}, future {Future} and value {Value} are not all above 0");
        check.That(Horizon == Size && ActionSize == 1, "horizon", $"is {Horizon} x {ActionSize}, expected {Size} x 1: chunk {Chunk} + future {Future} + value {Value}");
        check.That(ObservationSize > 0, "condition_size", $"is {ConditionSize}, expected more than z and its flags, {Size + Blocks}");
        check.That(Output == NetworkOutput.Chunk && Time == TimeSignal.Continuous, "time", $"is {Time} with output {Output}; a joint model gives a velocity: expected Continuous and Chunk");
        check.Range(Width, 8, 4096, "width");
        check.Range(Layers, 1, 16, "layers");
    }

    private ResidualMlp Inner() => new()
    {
        Horizon = Size, ActionSize = 1, ConditionSize = ConditionSize, Time = Time, TimeScale = TimeScale, Head = Head, Width = Width, Layers = Layers,
    };

    // [3, Z]: which elements belong to each block.
    private float[] Expansion()
    {
        var rows = new float[Blocks * Size];
        rows.AsSpan(0, Chunk).Fill(1);
        rows.AsSpan(Size + Chunk, Future).Fill(1);
        rows.AsSpan((2 * Size) + Chunk + Future, Value).Fill(1);
        return rows;
    }
}
