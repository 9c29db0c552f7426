namespace Robotics.Learning.Networks;

/// <summary>How a weight is drawn before training.</summary>
public enum WeightDraw
{
    /// <summary>Uniform in ± scale.</summary>
    Uniform,

    /// <summary>Normal with standard deviation scale.</summary>
    Normal,

    /// <summary>Every element is scale.</summary>
    Constant,
}

/// <summary>A trainable array that a network asks for by name.</summary>
/// <param name="Name">Unique in the network, for example <c>block0_weight</c>.</param>
/// <param name="Shape">Row-major.</param>
/// <param name="Draw">How it is drawn.</param>
/// <param name="Scale">See <see cref="WeightDraw"/>.</param>
public sealed record WeightSpec(string Name, IReadOnlyList<long> Shape, WeightDraw Draw, double Scale)
{
    /// <summary>Elements.</summary>
    public long Count => Shape.Aggregate(1L, (a, b) => a * b);
}

/// <summary>The vocabulary in which networks are written: each network is one generic method over it.</summary>
/// <remarks>
/// Interpreters give the words their meaning: <see cref="TorchOperations"/> computes (and trains),
/// <see cref="Export.OnnxOperations"/> writes the graph, and <see cref="Export.Tape{T}"/> stands on either and remembers how to
/// go backwards. So an exported network cannot differ from the trained one in structure.
/// Batch is the first axis of every value that has one. Broadcasting is NumPy's.
/// </remarks>
/// <typeparam name="T">A value: a tensor, or the name of one in a graph.</typeparam>
public interface IOperations<T>
    where T : class
{
    /// <summary>The shape; a graph says -1 for the batch.</summary>
    IReadOnlyList<long> Shape(T x);

    /// <summary>A trainable array.</summary>
    T Weight(WeightSpec spec);

    /// <summary>A fixed array without a batch axis, row-major.</summary>
    T Constant(float[] values, params long[] shape);

    /// <summary>x·W + b: [..., in], [in, out], [out] to [..., out].</summary>
    T Linear(T x, T weight, T bias);

    /// <summary>Matrix product over the last two axes.</summary>
    T MatMul(T a, T b);

    /// <summary>Sum.</summary>
    T Add(T a, T b);

    /// <summary>Product, element by element.</summary>
    T Mul(T a, T b);

    /// <summary>x·factor.</summary>
    T Scale(T x, double factor);

    /// <summary>x + offset.</summary>
    T Shift(T x, double offset);

    /// <summary>max(0, x).</summary>
    T Relu(T x);

    /// <summary>1 where x is above 0, 0 elsewhere; a constant to whoever asks for gradients.</summary>
    T Positive(T x);

    /// <summary>1/(1 + e^-x).</summary>
    T Sigmoid(T x);

    /// <summary>Hyperbolic tangent.</summary>
    T Tanh(T x);

    /// <summary>ln(1 + e^x).</summary>
    T Softplus(T x);

    /// <summary>Error function.</summary>
    T Erf(T x);

    /// <summary>e^x.</summary>
    T Exp(T x);

    /// <summary>1/x; not of 0.</summary>
    T Reciprocal(T x);

    /// <summary>Sine, radians.</summary>
    T Sin(T x);

    /// <summary>Cosine, radians.</summary>
    T Cos(T x);

    /// <summary>x·sigmoid(x).</summary>
    T Silu(T x);

    /// <summary>x·tanh(softplus(x)).</summary>
    T Mish(T x);

    /// <summary>x·Φ(x), exact.</summary>
    T Gelu(T x);

    /// <summary>(x - mean)/√(variance + epsilon) over the last axis, and the inverse root that was used (last axis 1).</summary>
    (T Value, T InverseDeviation) Normalize(T x, double epsilon);

    /// <summary>Normalised over the last axis, times gain [n], plus bias [n].</summary>
    T LayerNorm(T x, T gain, T bias, double epsilon = 1e-5);

    /// <summary>[B, C, L] normalised over each group of channels and L, times gain [C], plus bias [C].</summary>
    T GroupNorm(T x, int groups, T gain, T bias, double epsilon = 1e-5);

    /// <summary>Over the last axis.</summary>
    T Softmax(T x);

    /// <summary>Over the last axis, which stays as 1.</summary>
    T Mean(T x);

    /// <summary>Axes in a new order.</summary>
    T Transpose(T x, params int[] order);

    /// <summary>New axes after the first one, which takes what is left.</summary>
    T Reshape(T x, params long[] rest);

    /// <summary>Two values end to end.</summary>
    T Concat(int axis, T first, T second);

    /// <summary>A piece of one axis.</summary>
    T Slice(T x, int axis, long start, long length);

    /// <summary>Zeros before and after, on one axis.</summary>
    T Pad(T x, int axis, long before, long after);

    /// <summary>[B, in, L] with weights [out, in, k].</summary>
    T Conv1d(T x, T weight, T? bias, int stride, int padding);

    /// <summary>[B, in, L] with weights [in, out, k].</summary>
    T ConvTranspose1d(T x, T weight, T? bias, int stride, int padding, int outputPadding);
}
