using System.Runtime.InteropServices;
using Google.Protobuf;
using Robotics.Learning.Export.Wire;
using Robotics.Learning.Networks;

namespace Robotics.Learning.Export;

/// <summary>A value in a graph under construction.</summary>
/// <param name="Name">Unique in the graph.</param>
/// <param name="Shape">-1 for the batch.</param>
public sealed record OnnxValue(string Name, IReadOnlyList<long> Shape);

/// <summary>Writes an ONNX graph, opset 20, IR version 9; every value's shape is known, with a free batch.</summary>
/// <remarks>
/// float32 throughout. Operators that ONNX Runtime lacks or treats oddly are written in parts: Mish as n·tanh(ln σ(n)) with
/// n = -x, which is x·tanh(softplus x) without ONNX Runtime's slow Softplus; group norm as reshape, layer norm, reshape
/// (InstanceNormalization strays further from libtorch: 2.0e-6 against 1.6e-6 on the small U-Net). A fresh instance per graph; not
/// thread-safe.
/// </remarks>
public sealed class OnnxOperations : IOperations<OnnxValue>
{
    private const int Float = 1, Int64 = 7;

    private readonly GraphProto _graph = new();
    private readonly Dictionary<string, WeightSpec> _weights = [];
    private readonly Func<WeightSpec, float[]>? _values;
    private int _next;

    /// <summary>Starts a graph.</summary>
    /// <param name="values">The elements of each weight, row-major; null: only the shapes are wanted.</param>
    public OnnxOperations(Func<WeightSpec, float[]>? values)
    {
        _values = values;
    }

    /// <summary>The weights asked for so far, in order.</summary>
    public IReadOnlyCollection<WeightSpec> Weights => _weights.Values;

    /// <summary>Declares a float32 input.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="rest">Axes after the batch.</param>
    public OnnxValue Input(string name, params long[] rest) => Declare(name, Float, rest);

    /// <summary>Declares an int64 input and gives it as float32.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="rest">Axes after the batch.</param>
    public OnnxValue IndexInput(string name, params long[] rest)
    {
        var input = Declare(name, Int64, rest);
        return Emit("Cast", input.Shape, [input], Int("to", Float));
    }

    /// <summary>Makes a value an output of the graph.</summary>
    public void Output(string name, OnnxValue value)
    {
        ArgumentNullException.ThrowIfNull(value);
        var node = new NodeProto { OpType = "Identity", Name = name };
        node.Input.Add(value.Name);
        node.Output.Add(name);
        _graph.Node.Add(node);
        _graph.Output.Add(Describe(name, Float, value.Shape));
    }

    /// <summary>The finished model file.</summary>
    /// <param name="name">Name of the graph.</param>
    /// <param name="metadata">Key-value pairs that travel in the file.</param>
    public byte[] ToBytes(string name, IReadOnlyDictionary<string, string> metadata)
    {
        ArgumentNullException.ThrowIfNull(metadata);
        _graph.Name = name;
        var model = new ModelProto { IrVersion = 9, ProducerName = "Robotics.Learning", Graph = _graph };
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = 20 });
        model.MetadataProps.AddRange(metadata.Select(pair => new StringStringEntryProto { Key = pair.Key, Value = pair.Value }));
        return model.ToByteArray();
    }

    /// <summary>x, but at least -<paramref name="limit"/> and at most <paramref name="limit"/>.</summary>
    public OnnxValue Clip(OnnxValue x, double limit) => Emit("Clip", Known(x).Shape, [x, Scalar(-limit), Scalar(limit)]);

    /// <inheritdoc/>
    public IReadOnlyList<long> Shape(OnnxValue x) => Known(x).Shape;

    /// <inheritdoc/>
    public OnnxValue Weight(WeightSpec spec)
    {
        ArgumentNullException.ThrowIfNull(spec);
        if (!_weights.TryAdd(spec.Name, spec))
        {
            // A graph that holds every step of a sampler asks once per step and gets the same weight; the pass that only lists
            // weights sees a network once, so there a second asking is a second layer of the same name.
            return _values is not null && _weights[spec.Name].Shape.SequenceEqual(spec.Shape)
                ? new OnnxValue(spec.Name, spec.Shape)
                : throw new InvalidOperationException($"Two weights are called '{spec.Name}'; names are unique in a network.");
        }

        if (_values is not null)
        {
            float[] values = _values(spec);
            if (values.Length != spec.Count)
            {
                throw new ArgumentException(
                    $"Weight '{spec.Name}' has {values.Length} elements, its shape [{string.Join(", ", spec.Shape)}] wants {spec.Count}.");
            }

            AddInitializer(spec.Name, Float, spec.Shape, MemoryMarshal.AsBytes<float>(values));
        }

        return new OnnxValue(spec.Name, spec.Shape);
    }

    /// <inheritdoc/>
    public OnnxValue Constant(float[] values, params long[] shape)
    {
        string name = NextName("constant");
        AddInitializer(name, Float, shape, MemoryMarshal.AsBytes<float>(values));
        return new OnnxValue(name, shape);
    }

    /// <inheritdoc/>
    public OnnxValue Linear(OnnxValue x, OnnxValue weight, OnnxValue bias)
    {
        long[] shape = MatMulShape(Known(x).Shape, Known(weight).Shape);
        return shape.Length == 2 ? Emit("Gemm", shape, [x, weight, bias]) : Add(MatMul(x, weight), bias);
    }

    /// <inheritdoc/>
    public OnnxValue MatMul(OnnxValue a, OnnxValue b) => Emit("MatMul", MatMulShape(Known(a).Shape, Known(b).Shape), [a, b]);

    /// <inheritdoc/>
    public OnnxValue Add(OnnxValue a, OnnxValue b) => Emit("Add", Broadcast(Known(a).Shape, Known(b).Shape), [a, b]);

    /// <inheritdoc/>
    public OnnxValue Mul(OnnxValue a, OnnxValue b) => Emit("Mul", Broadcast(Known(a).Shape, Known(b).Shape), [a, b]);

    /// <inheritdoc/>
    public OnnxValue Scale(OnnxValue x, double factor) => Mul(x, Constant([(float)factor]));

    /// <inheritdoc/>
    public OnnxValue Shift(OnnxValue x, double offset) => Add(x, Constant([(float)offset]));

    /// <inheritdoc/>
    public OnnxValue Relu(OnnxValue x) => Same("Relu", x);

    /// <inheritdoc/>
    public OnnxValue Positive(OnnxValue x) => Same("Sign", Relu(x));

    /// <inheritdoc/>
    public OnnxValue Sigmoid(OnnxValue x) => Same("Sigmoid", x);

    /// <inheritdoc/>
    public OnnxValue Tanh(OnnxValue x) => Same("Tanh", x);

    /// <inheritdoc/>
    public OnnxValue Softplus(OnnxValue x) => Same("Softplus", x);

    /// <inheritdoc/>
    public OnnxValue Erf(OnnxValue x) => Same("Erf", x);

    /// <inheritdoc/>
    public OnnxValue Exp(OnnxValue x) => Same("Exp", x);

    /// <inheritdoc/>
    public OnnxValue Reciprocal(OnnxValue x) => Same("Reciprocal", x);

    /// <inheritdoc/>
    public OnnxValue Sin(OnnxValue x) => Same("Sin", x);

    /// <inheritdoc/>
    public OnnxValue Cos(OnnxValue x) => Same("Cos", x);

    /// <inheritdoc/>
    public OnnxValue Silu(OnnxValue x) => Mul(x, Sigmoid(x));

    /// <inheritdoc/>
    public OnnxValue Mish(OnnxValue x)
    {
        var negative = Same("Neg", x);
        return Mul(negative, Tanh(Same("Log", Sigmoid(negative))));
    }

    /// <inheritdoc/>
    public OnnxValue Gelu(OnnxValue x) => Same("Gelu", x);

    /// <inheritdoc/>
    public (OnnxValue Value, OnnxValue InverseDeviation) Normalize(OnnxValue x, double epsilon)
    {
        var shape = Known(x).Shape;
        var node = new NodeProto { OpType = "LayerNormalization", Name = NextName("LayerNormalization") };
        node.Input.Add(x.Name);
        node.Input.Add(Constant(Ones(shape[^1]), shape[^1]).Name);
        node.Attribute.Add(Int("axis", -1));
        node.Attribute.Add(Real("epsilon", epsilon));
        var value = new OnnxValue(node.Name + "_y", shape);
        var inverse = new OnnxValue(node.Name + "_inverse", [.. shape.SkipLast(1), 1]);
        node.Output.Add([value.Name, node.Name + "_mean", inverse.Name]);
        node.Input.Add(Constant(new float[shape[^1]], shape[^1]).Name);
        _graph.Node.Add(node);
        return (value, inverse);
    }

    /// <inheritdoc/>
    public OnnxValue LayerNorm(OnnxValue x, OnnxValue gain, OnnxValue bias, double epsilon = 1e-5) =>
        Emit("LayerNormalization", Known(x).Shape, [x, gain, bias], Int("axis", -1), Real("epsilon", epsilon));

    /// <inheritdoc/>
    public OnnxValue GroupNorm(OnnxValue x, int groups, OnnxValue gain, OnnxValue bias, double epsilon = 1e-5)
    {
        var shape = Known(x).Shape;
        long channels = shape[1], length = shape[2];
        var grouped = Reshape(x, groups, channels / groups * length);
        var normal = Normalize(grouped, epsilon).Value;
        return Add(Mul(Reshape(normal, channels, length), Reshape(gain, 1)), Reshape(bias, 1));
    }

    /// <inheritdoc/>
    public OnnxValue Softmax(OnnxValue x) => Emit("Softmax", Known(x).Shape, [x], Int("axis", -1));

    /// <inheritdoc/>
    public OnnxValue Mean(OnnxValue x) => Emit("ReduceMean", [.. Known(x).Shape.SkipLast(1), 1], [x, Indices(-1)], Int("keepdims", 1));

    /// <inheritdoc/>
    public OnnxValue Transpose(OnnxValue x, params int[] order) => Emit(
        "Transpose", [.. order.Select(axis => Known(x).Shape[axis])], [x], Ints("perm", [.. order.Select(axis => (long)axis)]));

    /// <inheritdoc/>
    public OnnxValue Reshape(OnnxValue x, params long[] rest)
    {
        var shape = Known(x).Shape;
        long kept = rest.Aggregate(1L, (a, b) => a * b);
        bool batched = shape.Count > 0 && shape[0] == -1;
        long count = shape.Skip(batched ? 1 : 0).Aggregate(1L, (a, b) => a * b);
        if (batched ? count != kept : count % kept != 0)
        {
            throw new ArgumentException($"[{string.Join(", ", shape)}] cannot become [.., {string.Join(", ", rest)}].");
        }

        return Emit("Reshape", [batched ? -1 : count / kept, .. rest], [x, Indices([-1, .. rest])]);
    }

    /// <inheritdoc/>
    public OnnxValue Concat(int axis, OnnxValue first, OnnxValue second)
    {
        long[] shape = [.. Known(first).Shape];
        shape[axis] += Known(second).Shape[axis];
        return Emit("Concat", shape, [first, second], Int("axis", axis));
    }

    /// <inheritdoc/>
    public OnnxValue Slice(OnnxValue x, int axis, long start, long length)
    {
        long[] shape = [.. Known(x).Shape];
        shape[axis] = length;
        return Emit("Slice", shape, [x, Indices(start), Indices(start + length), Indices(axis)]);
    }

    /// <inheritdoc/>
    public OnnxValue Pad(OnnxValue x, int axis, long before, long after)
    {
        long[] shape = [.. Known(x).Shape];
        shape[axis] += before + after;
        return Emit("Pad", shape, [x, Indices(before, after), Constant([0]), Indices(axis)]);
    }

    /// <inheritdoc/>
    public OnnxValue Conv1d(OnnxValue x, OnnxValue weight, OnnxValue? bias, int stride, int padding)
    {
        var (input, kernel) = (Known(x).Shape, Known(weight).Shape);
        long length = ((input[2] + (2 * padding) - kernel[2]) / stride) + 1;
        return Emit(
            "Conv",
            [input[0], kernel[0], length],
            bias is null ? [x, weight] : [x, weight, bias],
            Ints("kernel_shape", kernel[2]),
            Ints("strides", stride),
            Ints("pads", padding, padding));
    }

    /// <inheritdoc/>
    public OnnxValue ConvTranspose1d(OnnxValue x, OnnxValue weight, OnnxValue? bias, int stride, int padding, int outputPadding)
    {
        var (input, kernel) = (Known(x).Shape, Known(weight).Shape);
        long length = ((input[2] - 1) * stride) - (2 * padding) + kernel[2] + outputPadding;
        return Emit(
            "ConvTranspose",
            [input[0], kernel[1], length],
            bias is null ? [x, weight] : [x, weight, bias],
            Ints("kernel_shape", kernel[2]),
            Ints("strides", stride),
            Ints("pads", padding, padding),
            Ints("output_padding", outputPadding));
    }

    private static OnnxValue Known(OnnxValue x)
    {
        ArgumentNullException.ThrowIfNull(x);
        return x;
    }

    private static float[] Ones(long count)
    {
        var ones = new float[count];
        Array.Fill(ones, 1);
        return ones;
    }

    private static long[] MatMulShape(IReadOnlyList<long> a, IReadOnlyList<long> b)
    {
        if (a.Count < 2 || b.Count < 2 || a[^1] != b[^2])
        {
            throw new ArgumentException($"[{string.Join(", ", a)}] cannot multiply [{string.Join(", ", b)}].");
        }

        return [.. Broadcast([.. a.SkipLast(2)], [.. b.SkipLast(2)]), a[^2], b[^1]];
    }

    private static long[] Broadcast(IReadOnlyList<long> a, IReadOnlyList<long> b)
    {
        var shape = new long[Math.Max(a.Count, b.Count)];
        for (int i = 1; i <= shape.Length; i++)
        {
            long left = i <= a.Count ? a[^i] : 1, right = i <= b.Count ? b[^i] : 1;
            if (left != right && left != 1 && right != 1)
            {
                throw new ArgumentException($"[{string.Join(", ", a)}] and [{string.Join(", ", b)}] do not broadcast.");
            }

            shape[^i] = left == 1 ? right : left;
        }

        return shape;
    }

    private OnnxValue Same(string op, OnnxValue x) => Emit(op, Known(x).Shape, [x]);

    private OnnxValue Emit(string op, IReadOnlyList<long> shape, ReadOnlySpan<OnnxValue> inputs, params ReadOnlySpan<AttributeProto> attributes)
    {
        var node = new NodeProto { OpType = op, Name = NextName(op) };
        foreach (var input in inputs)
        {
            node.Input.Add(input.Name);
        }

        foreach (var attribute in attributes)
        {
            node.Attribute.Add(attribute);
        }

        node.Output.Add(node.Name);
        _graph.Node.Add(node);
        return new OnnxValue(node.Name, shape);
    }

    private OnnxValue Scalar(double value) => Constant([(float)value], []);

    private OnnxValue Indices(params long[] values)
    {
        string name = NextName("indices");
        AddInitializer(name, Int64, [values.Length], MemoryMarshal.AsBytes<long>(values));
        return new OnnxValue(name, [values.Length]);
    }

    private OnnxValue Declare(string name, int type, long[] rest)
    {
        long[] shape = [-1, .. rest];
        _graph.Input.Add(Describe(name, type, shape));
        return new OnnxValue(name, shape);
    }

    // ONNX stores raw data little-endian, as does every machine that this exporter runs on.
    private void AddInitializer(string name, int type, IReadOnlyList<long> shape, ReadOnlySpan<byte> bytes)
    {
        var initializer = new TensorProto { Name = name, DataType = type, RawData = ByteString.CopyFrom(bytes) };
        initializer.Dims.AddRange(shape);
        _graph.Initializer.Add(initializer);
    }

    private static ValueInfoProto Describe(string name, int type, IReadOnlyList<long> shape)
    {
        var described = new TensorShapeProto();
        described.Dim.AddRange(shape.Select(d => d == -1 ? new Dimension { DimParam = "batch" } : new Dimension { DimValue = d }));
        return new ValueInfoProto
        {
            Name = name,
            Type = new TypeProto { TensorType = new TensorType { ElemType = type, Shape = described } },
        };
    }

    private static AttributeProto Int(string name, long value) => new() { Name = name, Type = 2, I = value };

    private static AttributeProto Real(string name, double value) => new() { Name = name, Type = 1, F = (float)value };

    private static AttributeProto Ints(string name, params long[] values)
    {
        var attribute = new AttributeProto { Name = name, Type = 7 };
        attribute.Ints.AddRange(values);
        return attribute;
    }

    private string NextName(string stem) => $"{stem}_{_next++}";
}
