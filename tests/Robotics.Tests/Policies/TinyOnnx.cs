using System.Globalization;
using System.Runtime.InteropServices;
using Google.Protobuf;
using TinyOnnxFormat;

namespace Robotics.Tests.Policies;

/// <summary>Writes small ONNX graphs (opset 20, IR 9): nodes in running order, then the bytes.</summary>
internal sealed class TinyOnnx
{
    public const int Float = 1;
    public const int Long = 7;
    public const int Bool = 9;
    public const int Half = 10;

    private readonly Graph _graph = new() { Name = "tiny" };

    /// <summary>A graph input; a dimension is a number or the name of a free one.</summary>
    public TinyOnnx Input(string name, int type, params object[] shape)
    {
        _graph.Input.Add(Value(name, type, shape));
        return this;
    }

    /// <summary>A graph output.</summary>
    public TinyOnnx Output(string name, int type, params object[] shape)
    {
        _graph.Output.Add(Value(name, type, shape));
        return this;
    }

    /// <summary>A constant.</summary>
    public TinyOnnx Constant<T>(string name, T[] values, params long[] shape)
        where T : unmanaged
    {
        int type = values is float[] ? Float : values is long[] ? Long : Half;
        var tensor = new Tensor { Name = name, DataType = type, RawData = ByteString.CopyFrom(MemoryMarshal.AsBytes(values.AsSpan())) };
        tensor.Dims.AddRange(shape);
        _graph.Initializer.Add(tensor);
        return this;
    }

    /// <summary>A float constant whose bytes lie in another file.</summary>
    public TinyOnnx External(string name, string file, int bytes, params long[] shape)
    {
        var tensor = new Tensor { Name = name, DataType = Float, DataLocation = 1 };
        tensor.Dims.AddRange(shape);
        tensor.ExternalData.Add(new Entry { Key = "location", Value = file });
        tensor.ExternalData.Add(new Entry { Key = "length", Value = bytes.ToString(CultureInfo.InvariantCulture) });
        _graph.Initializer.Add(tensor);
        return this;
    }

    /// <summary>A node: inputs, blank-separated; one output.</summary>
    public TinyOnnx Node(string op, string inputs, string output, params (string Name, long Value)[] attributes)
    {
        var node = new Node { OpType = op, Name = output };
        node.Input.AddRange(inputs.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        node.Output.Add(output);
        node.Attribute.AddRange(attributes.Select(a => new TinyOnnxFormat.Attribute { Name = a.Name, I = a.Value, Type = 2 }));
        _graph.Node.Add(node);
        return this;
    }

    /// <summary>The file.</summary>
    public byte[] Bytes()
    {
        var model = new Model { IrVersion = 9, ProducerName = "tiny", Graph = _graph };
        model.OpsetImport.Add(new OperatorSet { Version = 20 });
        return model.ToByteArray();
    }

    /// <summary><c>obs</c> [1, first] to <c>action</c> [1, last], tanh after every layer; seeded weights.</summary>
    public static byte[] Mlp(int seed, params int[] widths)
    {
        var random = new Random(seed);
        var graph = new TinyOnnx().Input("obs", Float, 1, widths[0]).Output("action", Float, 1, widths[^1]);
        string at = "obs";
        for (int layer = 1; layer < widths.Length; layer++)
        {
            float scale = 1 / MathF.Sqrt(widths[layer - 1]);
            float[] weights = new float[widths[layer - 1] * widths[layer]];
            for (int i = 0; i < weights.Length; i++)
            {
                weights[i] = scale * ((2 * random.NextSingle()) - 1);
            }

            string next = layer == widths.Length - 1 ? "action" : $"h{layer}";
            graph.Constant($"w{layer}", weights, widths[layer - 1], widths[layer])
                .Constant($"b{layer}", new float[widths[layer]], widths[layer])
                .Node("Gemm", $"{at} w{layer} b{layer}", $"z{layer}")
                .Node("Tanh", $"z{layer}", next);
            at = next;
        }

        return graph.Bytes();
    }

    private static ValueInfo Value(string name, int type, object[] shape)
    {
        var dimensions = new Shape();
        dimensions.Dim.AddRange(shape.Select(d => d is string free ? new Dimension { DimParam = free } : new Dimension { DimValue = Convert.ToInt64(d, CultureInfo.InvariantCulture) }));
        return new ValueInfo { Name = name, Type = new TinyOnnxFormat.Type { TensorType = new TensorType { ElemType = type, Shape = dimensions } } };
    }
}
