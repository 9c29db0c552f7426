using Robotics.Learning.Networks;

namespace Robotics.Learning.Export;

/// <summary>Reverse mode over the network vocabulary: a gradient becomes ordinary operations of whatever lies below, so it can be
/// computed by TorchSharp or written into an ONNX graph, whose runtime has no autograd.</summary>
/// <remarks>
/// Gradients flow to inputs, not to weights: a weight is a constant here. Every rule is tested against TorchSharp's autograd.
/// One tape per graph; not thread-safe.
/// </remarks>
/// <param name="ops">What values are made of.</param>
/// <typeparam name="T">A value below.</typeparam>
public sealed class Tape<T>(IOperations<T> ops) : IOperations<TapeValue<T>>
    where T : class
{
    private static readonly double _rootHalf = Math.Sqrt(0.5);
    private readonly List<TapeValue<T>> _values = [];

    /// <summary>A value whose gradient may be asked for.</summary>
    public TapeValue<T> Variable(T value) => Push(value, active: true);

    /// <summary>A value that is held fixed.</summary>
    public TapeValue<T> Fixed(T value) => Push(value, active: false);

    /// <summary>∂(sum of <paramref name="output"/>)/∂<paramref name="input"/>: one gradient per row of the batch, as rows do not
    /// see each other.</summary>
    /// <exception cref="InvalidOperationException">The output does not depend on the input.</exception>
    public T Gradient(TapeValue<T> output, TapeValue<T> input)
    {
        ArgumentNullException.ThrowIfNull(output);
        ArgumentNullException.ThrowIfNull(input);
        var gradients = new Dictionary<TapeValue<T>, T>
        {
            // Ones of the output's shape; 0·y keeps a non-finite energy visible.
            [output] = ops.Shift(ops.Scale(output.Value, 0), 1),
        };
        for (int i = _values.IndexOf(output); i >= 0; i--)
        {
            if (!gradients.TryGetValue(_values[i], out T? gradient))
            {
                continue;
            }

            foreach (var (source, pull) in _values[i].Sources)
            {
                if (source.Active)
                {
                    T part = pull(gradient);
                    gradients[source] = gradients.TryGetValue(source, out T? sum) ? ops.Add(sum, part) : part;
                }
            }
        }

        return gradients.TryGetValue(input, out T? result)
            ? result
            : throw new InvalidOperationException("The output does not depend on the input, so there is no gradient to write.");
    }

    /// <inheritdoc/>
    public IReadOnlyList<long> Shape(TapeValue<T> x) => ops.Shape(x.Value);

    /// <inheritdoc/>
    public TapeValue<T> Weight(WeightSpec spec) => Fixed(ops.Weight(spec));

    /// <inheritdoc/>
    public TapeValue<T> Constant(float[] values, params long[] shape) => Fixed(ops.Constant(values, shape));

    /// <inheritdoc/>
    public TapeValue<T> Linear(TapeValue<T> x, TapeValue<T> weight, TapeValue<T> bias)
    {
        Require(!weight.Active && !bias.Active, nameof(Linear), "its weights are not constant");
        return Push(ops.Linear(x.Value, weight.Value, bias.Value), (x, g => ops.MatMul(g, ops.Transpose(weight.Value, 1, 0))));
    }

    /// <inheritdoc/>
    public TapeValue<T> MatMul(TapeValue<T> a, TapeValue<T> b)
    {
        bool plain = Shape(b).Count == 2 && Shape(a).Count > 2;
        Require(!b.Active || !plain, nameof(MatMul), "a matrix that the whole batch shares depends on the input");
        return Push(
            ops.MatMul(a.Value, b.Value),
            (a, g => ops.MatMul(g, Flip(b.Value))),
            (b, g => ops.MatMul(Flip(a.Value), g)));
    }

    /// <inheritdoc/>
    public TapeValue<T> Add(TapeValue<T> a, TapeValue<T> b)
    {
        T y = ops.Add(a.Value, b.Value);
        RequireWhole(a, y, nameof(Add));
        RequireWhole(b, y, nameof(Add));
        return Push(y, (a, g => g), (b, g => g));
    }

    /// <inheritdoc/>
    public TapeValue<T> Mul(TapeValue<T> a, TapeValue<T> b)
    {
        T y = ops.Mul(a.Value, b.Value);
        RequireWhole(a, y, nameof(Mul));
        RequireWhole(b, y, nameof(Mul));
        return Push(y, (a, g => ops.Mul(g, b.Value)), (b, g => ops.Mul(g, a.Value)));
    }

    /// <inheritdoc/>
    public TapeValue<T> Scale(TapeValue<T> x, double factor) => Push(ops.Scale(x.Value, factor), (x, g => ops.Scale(g, factor)));

    /// <inheritdoc/>
    public TapeValue<T> Shift(TapeValue<T> x, double offset) => Push(ops.Shift(x.Value, offset), (x, g => g));

    /// <inheritdoc/>
    public TapeValue<T> Relu(TapeValue<T> x) => Push(ops.Relu(x.Value), (x, g => ops.Mul(g, ops.Positive(x.Value))));

    /// <inheritdoc/>
    public TapeValue<T> Positive(TapeValue<T> x) => Fixed(ops.Positive(x.Value));

    /// <inheritdoc/>
    public TapeValue<T> Sigmoid(TapeValue<T> x)
    {
        T y = ops.Sigmoid(x.Value);
        return Push(y, (x, g => ops.Mul(g, ops.Mul(y, OneMinus(y)))));
    }

    /// <inheritdoc/>
    public TapeValue<T> Tanh(TapeValue<T> x)
    {
        T y = ops.Tanh(x.Value);
        return Push(y, (x, g => ops.Mul(g, OneMinus(ops.Mul(y, y)))));
    }

    /// <inheritdoc/>
    public TapeValue<T> Softplus(TapeValue<T> x) => Push(ops.Softplus(x.Value), (x, g => ops.Mul(g, ops.Sigmoid(x.Value))));

    /// <inheritdoc/>
    public TapeValue<T> Erf(TapeValue<T> x) => Push(
        ops.Erf(x.Value), (x, g => ops.Mul(g, ops.Scale(ops.Exp(ops.Scale(ops.Mul(x.Value, x.Value), -1)), 2 / Math.Sqrt(Math.PI)))));

    /// <inheritdoc/>
    public TapeValue<T> Exp(TapeValue<T> x)
    {
        T y = ops.Exp(x.Value);
        return Push(y, (x, g => ops.Mul(g, y)));
    }

    /// <inheritdoc/>
    public TapeValue<T> Reciprocal(TapeValue<T> x)
    {
        T y = ops.Reciprocal(x.Value);
        return Push(y, (x, g => ops.Mul(g, ops.Scale(ops.Mul(y, y), -1))));
    }

    /// <inheritdoc/>
    public TapeValue<T> Sin(TapeValue<T> x) => Push(ops.Sin(x.Value), (x, g => ops.Mul(g, ops.Cos(x.Value))));

    /// <inheritdoc/>
    public TapeValue<T> Cos(TapeValue<T> x) => Push(ops.Cos(x.Value), (x, g => ops.Scale(ops.Mul(g, ops.Sin(x.Value)), -1)));

    /// <inheritdoc/>
    /// <remarks>σ·(1 + x·(1 - σ)).</remarks>
    public TapeValue<T> Silu(TapeValue<T> x) => Push(ops.Silu(x.Value), (x, g =>
    {
        T s = ops.Sigmoid(x.Value);
        return ops.Mul(g, ops.Mul(s, ops.Shift(ops.Mul(x.Value, OneMinus(s)), 1)));
    }));

    /// <inheritdoc/>
    /// <remarks>t + x·σ·(1 - t²) with t = tanh(softplus x).</remarks>
    public TapeValue<T> Mish(TapeValue<T> x) => Push(ops.Mish(x.Value), (x, g =>
    {
        T t = ops.Tanh(ops.Softplus(x.Value));
        T slope = ops.Mul(ops.Mul(x.Value, ops.Sigmoid(x.Value)), OneMinus(ops.Mul(t, t)));
        return ops.Mul(g, ops.Add(t, slope));
    }));

    /// <inheritdoc/>
    /// <remarks>Φ(x) + x·φ(x).</remarks>
    public TapeValue<T> Gelu(TapeValue<T> x) => Push(ops.Gelu(x.Value), (x, g =>
    {
        T cumulative = ops.Scale(ops.Shift(ops.Erf(ops.Scale(x.Value, _rootHalf)), 1), 0.5);
        T density = ops.Scale(ops.Exp(ops.Scale(ops.Mul(x.Value, x.Value), -0.5)), 1 / Math.Sqrt(2 * Math.PI));
        return ops.Mul(g, ops.Add(cumulative, ops.Mul(x.Value, density)));
    }));

    /// <inheritdoc/>
    /// <remarks>inverse·(g - mean(g) - y·mean(g·y)).</remarks>
    public (TapeValue<T> Value, TapeValue<T> InverseDeviation) Normalize(TapeValue<T> x, double epsilon)
    {
        (T y, T inverse) = ops.Normalize(x.Value, epsilon);
        var value = Push(y, (x, g =>
        {
            T across = ops.Add(ops.Mean(g), ops.Mul(y, ops.Mean(ops.Mul(g, y))));
            return ops.Mul(inverse, ops.Add(g, ops.Scale(across, -1)));
        }));
        return (value, Push(inverse, (x, g => throw Unsupported(nameof(Normalize), "the inverse deviation has no rule of its own"))));
    }

    /// <inheritdoc/>
    public TapeValue<T> LayerNorm(TapeValue<T> x, TapeValue<T> gain, TapeValue<T> bias, double epsilon = 1e-5) =>
        Add(Mul(Normalize(x, epsilon).Value, gain), bias);

    /// <inheritdoc/>
    public TapeValue<T> GroupNorm(TapeValue<T> x, int groups, TapeValue<T> gain, TapeValue<T> bias, double epsilon = 1e-5)
    {
        long channels = Shape(x)[1], length = Shape(x)[2];
        var normal = Normalize(Reshape(x, groups, channels / groups * length), epsilon).Value;
        return Add(Mul(Reshape(normal, channels, length), Reshape(gain, 1)), Reshape(bias, 1));
    }

    /// <inheritdoc/>
    /// <remarks>y·(g - Σ g·y), the sum over the last axis as n times its mean.</remarks>
    public TapeValue<T> Softmax(TapeValue<T> x)
    {
        T y = ops.Softmax(x.Value);
        return Push(y, (x, g => ops.Mul(y, ops.Add(g, ops.Scale(ops.Mean(ops.Mul(g, y)), -ops.Shape(y)[^1])))));
    }

    /// <inheritdoc/>
    public TapeValue<T> Mean(TapeValue<T> x)
    {
        long count = Shape(x)[^1];
        return Push(ops.Mean(x.Value), (x, g =>
        {
            var share = new float[count];
            Array.Fill(share, 1f / count);
            return ops.Mul(g, ops.Constant(share, count));
        }));
    }

    /// <inheritdoc/>
    public TapeValue<T> Transpose(TapeValue<T> x, params int[] order)
    {
        int[] back = [.. Enumerable.Range(0, order.Length).Select(axis => Array.IndexOf(order, axis))];
        return Push(ops.Transpose(x.Value, order), (x, g => ops.Transpose(g, back)));
    }

    /// <inheritdoc/>
    public TapeValue<T> Reshape(TapeValue<T> x, params long[] rest)
    {
        long[] before = [.. Shape(x).Skip(1)];
        return Push(ops.Reshape(x.Value, rest), (x, g => ops.Reshape(g, before)));
    }

    /// <inheritdoc/>
    public TapeValue<T> Concat(int axis, TapeValue<T> first, TapeValue<T> second)
    {
        long a = Shape(first)[axis], b = Shape(second)[axis];
        return Push(
            ops.Concat(axis, first.Value, second.Value),
            (first, g => ops.Slice(g, axis, 0, a)),
            (second, g => ops.Slice(g, axis, a, b)));
    }

    /// <inheritdoc/>
    public TapeValue<T> Slice(TapeValue<T> x, int axis, long start, long length)
    {
        long after = Shape(x)[axis] - start - length;
        return Push(ops.Slice(x.Value, axis, start, length), (x, g => ops.Pad(g, axis, start, after)));
    }

    /// <inheritdoc/>
    public TapeValue<T> Pad(TapeValue<T> x, int axis, long before, long after)
    {
        long length = Shape(x)[axis];
        return Push(ops.Pad(x.Value, axis, before, after), (x, g => ops.Slice(g, axis, before, length)));
    }

    /// <inheritdoc/>
    public TapeValue<T> Conv1d(TapeValue<T> x, TapeValue<T> weight, TapeValue<T>? bias, int stride, int padding)
    {
        Require(!weight.Active && bias is not { Active: true }, nameof(Conv1d), "its weights are not constant");
        T y = ops.Conv1d(x.Value, weight.Value, bias?.Value, stride, padding);
        long covered = ((ops.Shape(y)[2] - 1) * stride) - (2 * padding) + Shape(weight)[2];
        int missed = (int)(Shape(x)[2] - covered);
        return Push(y, (x, g => ops.ConvTranspose1d(g, weight.Value, null, stride, padding, missed)));
    }

    /// <inheritdoc/>
    public TapeValue<T> ConvTranspose1d(
        TapeValue<T> x, TapeValue<T> weight, TapeValue<T>? bias, int stride, int padding, int outputPadding)
    {
        Require(!weight.Active && bias is not { Active: true }, nameof(ConvTranspose1d), "its weights are not constant");
        return Push(
            ops.ConvTranspose1d(x.Value, weight.Value, bias?.Value, stride, padding, outputPadding),
            (x, g => ops.Conv1d(g, weight.Value, null, stride, padding)));
    }

    private static NotSupportedException Unsupported(string op, string why) =>
        new($"{op} has no gradient rule for this use: {why}. Write the network so that only activations depend on the action.");

    private static void Require(bool holds, string op, string why)
    {
        if (!holds)
        {
            throw Unsupported(op, why);
        }
    }

    private void RequireWhole(TapeValue<T> x, T y, string op) =>
        Require(!x.Active || Shape(x).SequenceEqual(ops.Shape(y)), op, "an operand that depends on the input is broadcast");

    private T OneMinus(T x) => ops.Shift(ops.Scale(x, -1), 1);

    private T Flip(T x)
    {
        int rank = ops.Shape(x).Count;
        return ops.Transpose(x, [.. Enumerable.Range(0, rank - 2), rank - 1, rank - 2]);
    }

    private TapeValue<T> Push(T value, bool active)
    {
        _values.Add(new TapeValue<T>(value, active, []));
        return _values[^1];
    }

    private TapeValue<T> Push(T value, params (TapeValue<T> Source, Func<T, T> Pull)[] sources)
    {
        _values.Add(new TapeValue<T>(value, sources.Any(s => s.Source.Active), sources));
        return _values[^1];
    }
}

/// <summary>A value on a <see cref="Tape{T}"/>.</summary>
/// <typeparam name="T">A value below.</typeparam>
public sealed class TapeValue<T>
    where T : class
{
    internal TapeValue(T value, bool active, IReadOnlyList<(TapeValue<T> Source, Func<T, T> Pull)> sources)
    {
        Value = value;
        Active = active;
        Sources = sources;
    }

    /// <summary>What it is below.</summary>
    public T Value { get; }

    /// <summary>Whether it depends on a variable.</summary>
    internal bool Active { get; }

    internal IReadOnlyList<(TapeValue<T> Source, Func<T, T> Pull)> Sources { get; }
}
