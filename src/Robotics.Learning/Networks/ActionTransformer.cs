namespace Robotics.Learning.Networks;

/// <summary>One token per chunk row; each layer looks at the chunk, then at the observations and the time.</summary>
/// <remarks>
/// Pre-norm decoder. Differs from the paper's code: no dropout, and no encoder layers over the condition (its small MLP instead,
/// as there when there are none).
/// <para>Source: Chi et al. 2023 (arXiv:2303.04137), <c>transformer_for_diffusion.py</c>.</para>
/// </remarks>
public sealed record ActionTransformer : NetworkSpec
{
    // Far below any logit, yet finite: a masked weight is exactly 0 in float32.
    private const float Hidden = -1e9f;

    /// <summary>To: observation steps in the condition, oldest first; divides the condition size.</summary>
    public int ObservationSteps { get; init; } = 1;

    /// <summary>Width of a token, a multiple of <see cref="Heads"/>, 8 to 1024.</summary>
    public int Width { get; init; } = 128;

    /// <summary>Layers, 1 to 24.</summary>
    public int Layers { get; init; } = 4;

    /// <summary>Attention heads, 1 to 16.</summary>
    public int Heads { get; init; } = 4;

    /// <summary>A row sees only earlier rows, and observations up to its own time.</summary>
    public bool Causal { get; init; } = true;

    /// <inheritdoc/>
    public override T Forward<T>(IOperations<T> ops, T sample, T? time, T condition)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(ops);
        T memory = Linear(
            ops, "observation", ops.Reshape(condition, ObservationSteps, ConditionSize / ObservationSteps), Width);   // [B, To, width]
        if (Time != TimeSignal.None)
        {
            memory = ops.Concat(1, ops.Reshape(TimeFeatures(ops, time, Width), 1, Width), memory);                    // [B, 1 + To, width]
        }

        memory = ops.Add(memory, Position(ops, "memory_position", MemoryLength));
        memory = Linear(ops, "memory1", ops.Mish(Linear(ops, "memory0", memory, 4L * Width)), Width);
        T? future = Causal ? ops.Constant(Mask(Horizon, (row, column) => row >= column), Horizon, Horizon) : null;
        int first = MemoryLength - ObservationSteps;
        T? unseen = Causal
            ? ops.Constant(Mask(MemoryLength, (row, column) => column < first || row >= column - first), Horizon, MemoryLength)
            : null;

        T x = ops.Add(Linear(ops, "action", sample, Width), Position(ops, "action_position", Horizon));               // [B, H, width]
        for (int i = 0; i < Layers; i++)
        {
            T y = Normal(ops, $"layer{i}_norm0", x);
            x = ops.Add(x, Attention(ops, $"layer{i}_self", y, y, future));
            y = Normal(ops, $"layer{i}_norm1", x);
            x = ops.Add(x, Attention(ops, $"layer{i}_cross", y, memory, unseen));
            y = Normal(ops, $"layer{i}_norm2", x);
            x = ops.Add(x, Linear(ops, $"layer{i}_down", ops.Gelu(Linear(ops, $"layer{i}_up", y, 4L * Width)), Width));
        }

        return Finish(ops, sample, time, Linear(ops, "output", Normal(ops, "last_norm", x), ActionSize));                           // [B, H, Da]
    }

    /// <inheritdoc/>
    private protected override void Check(ConfigCheck check)
    {
        check.Range(Width, 8, 1024, "width");
        check.Range(Layers, 1, 24, "layers");
        check.Range(Heads, 1, 16, "heads");
        check.Range(ObservationSteps, 1, 64, "observation_steps");
        check.That(Heads > 0 && Width % Heads == 0 && Width % 2 == 0, "width", $"is {Width}, expected an even multiple of heads, {Heads}");
        check.That(
            ObservationSteps > 0 && ConditionSize % ObservationSteps == 0,
            "condition_size",
            $"is {ConditionSize}, expected a multiple of observation_steps, {ObservationSteps}");
    }

    private int MemoryLength => ObservationSteps + (Time == TimeSignal.None ? 0 : 1);

    private float[] Mask(int columns, Func<int, int, bool> visible)
    {
        var mask = new float[Horizon * columns];
        for (int i = 0; i < mask.Length; i++)
        {
            mask[i] = visible(i / columns, i % columns) ? 0 : Hidden;
        }

        return mask;
    }

    private T Position<T>(IOperations<T> ops, string name, int length)
        where T : class => ops.Weight(new WeightSpec(name, [length, Width], WeightDraw.Normal, 0.02));

    private T Normal<T>(IOperations<T> ops, string name, T x)
        where T : class
    {
        (T gain, T bias) = Norm(ops, name, Width);
        return ops.LayerNorm(x, gain, bias);
    }

    private T Attention<T>(IOperations<T> ops, string name, T query, T memory, T? mask)
        where T : class
    {
        T q = Split(ops, Linear(ops, name + "_query", query, Width), 0, 2, 1, 3);      // [B, heads, H, d]
        T k = Split(ops, Linear(ops, name + "_key", memory, Width), 0, 2, 3, 1);       // [B, heads, d, M]
        T v = Split(ops, Linear(ops, name + "_value", memory, Width), 0, 2, 1, 3);     // [B, heads, M, d]
        T logits = ops.Scale(ops.MatMul(q, k), 1 / Math.Sqrt((double)Width / Heads));  // [B, heads, H, M]
        T weights = ops.Softmax(mask is null ? logits : ops.Add(logits, mask));
        T mixed = ops.Transpose(ops.MatMul(weights, v), 0, 2, 1, 3);                   // [B, H, heads, d]
        return Linear(ops, name + "_mix", ops.Reshape(mixed, ops.Shape(query)[1], Width), Width);
    }

    private T Split<T>(IOperations<T> ops, T x, params int[] order)
        where T : class => ops.Transpose(ops.Reshape(x, ops.Shape(x)[1], Heads, Width / Heads), order);
}
