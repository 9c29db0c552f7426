using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using Robotics.Packages;

namespace Robotics.Policies.Onnx;

/// <summary>One network and its session; <see cref="Wire"/> makes what is called.</summary>
internal sealed class OnnxModel : IDisposable
{
    private readonly InferenceSession _session;

    /// <summary>Opens the graph under one provider.</summary>
    /// <param name="spec">From the manifest.</param>
    /// <param name="path">Path of <paramref name="spec"/> in the manifest.</param>
    /// <param name="graph">The ONNX file.</param>
    /// <param name="options">Session options with the provider appended.</param>
    /// <exception cref="OnnxRuntimeException">Not a graph that this build can run.</exception>
    public OnnxModel(ModelSpec spec, string path, ReadOnlyMemory<byte> graph, SessionOptions options)
    {
        (Spec, Path) = (spec, path);
        _session = new InferenceSession(graph.ToArray(), options);
        Inputs = [.. _session.InputNames.Select(name => Describe(name, _session.InputMetadata[name], spec.Inputs.FirstOrDefault(input => input.Name == name)?.From))];
        Outputs = [.. _session.OutputNames.Select(name => Describe(name, _session.OutputMetadata[name], spec.Outputs.FirstOrDefault(output => output.Name == name)?.To))];
        Description = new(spec.File, graph.Length, Inputs, Outputs);
    }

    /// <summary>What the manifest says.</summary>
    public ModelSpec Spec { get; }

    /// <summary>Where it says it.</summary>
    public string Path { get; }

    /// <summary>Inputs of the graph.</summary>
    public IReadOnlyList<GraphTensor> Inputs { get; }

    /// <summary>Outputs of the graph.</summary>
    public IReadOnlyList<GraphTensor> Outputs { get; }

    /// <summary>For people.</summary>
    public GraphDescription Description { get; }

    /// <summary>The graph's names for free dimensions, "" where it has none.</summary>
    public string[] Symbols(string name) =>
        _session.InputMetadata.TryGetValue(name, out var input) ? input.SymbolicDimensions : _session.OutputMetadata[name].SymbolicDimensions;

    /// <summary>Settles the tensors of every later call.</summary>
    /// <param name="inputs">Every input of the graph.</param>
    /// <param name="outputs">The outputs that are used.</param>
    /// <param name="bind">Bind once (cpu), or hand the tensors over on every call.</param>
    public OnnxCall Wire(IReadOnlyList<(string Name, OnnxTensor Tensor)> inputs, IReadOnlyList<(string Name, OnnxTensor Tensor)> outputs, bool bind) =>
        new(this, _session, inputs, outputs, bind);

    /// <inheritdoc/>
    public void Dispose() => _session.Dispose();

    private static GraphTensor Describe(string name, NodeMetadata node, string? wire) =>
        new(name, node.IsTensor ? Dtype(node.ElementDataType) : node.OnnxValueType.ToString(), node.IsTensor ? [.. node.Dimensions.Select(d => (long)d)] : [], wire);

    private static string Dtype(TensorElementType type) => type switch
    {
        TensorElementType.Float => "float32",
        TensorElementType.Double => "float64",
        _ => type.ToString().ToLowerInvariant(),
    };
}

/// <summary>A network with the tensors that each of its passes reads and fills: one batch size of it. Dispose it before its model.</summary>
internal sealed class OnnxCall : IDisposable
{
    private readonly InferenceSession _session;
    private readonly RunOptions _run = new();
    private readonly OrtIoBinding? _binding;
    private readonly string[] _inputNames = [];
    private readonly string[] _outputNames = [];
    private readonly OrtValue[] _inputs = [];
    private readonly OrtValue[] _outputs = [];

    public OnnxCall(OnnxModel model, InferenceSession session, IReadOnlyList<(string Name, OnnxTensor Tensor)> inputs, IReadOnlyList<(string Name, OnnxTensor Tensor)> outputs, bool bind)
    {
        (Model, _session) = (model, session);
        if (bind)
        {
            _binding = session.CreateIoBinding();
            foreach ((string name, var tensor) in inputs)
            {
                _binding.BindInput(name, tensor.Value);
            }

            foreach ((string name, var tensor) in outputs)
            {
                _binding.BindOutput(name, tensor.Value);
            }

            return;
        }

        _inputNames = [.. inputs.Select(input => input.Name)];
        _inputs = [.. inputs.Select(input => input.Tensor.Value)];
        _outputNames = [.. outputs.Select(output => output.Name)];
        _outputs = [.. outputs.Select(output => output.Tensor.Value)];
    }

    /// <summary>What is called.</summary>
    public OnnxModel Model { get; }

    /// <summary>One pass.</summary>
    /// <exception cref="OnnxRuntimeException">The graph failed on these inputs.</exception>
    public void Run()
    {
        if (_binding is not null)
        {
            _session.RunWithBinding(_run, _binding);
        }
        else
        {
            _session.Run(_run, _inputNames, _inputs, _outputNames, _outputs);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _binding?.Dispose();
        _run.Dispose();
    }
}
