namespace Robotics.Policies.Onnx;

/// <summary>How a policy is loaded and which provider may serve it.</summary>
public sealed record OnnxOptions
{
    /// <summary>Execution providers in order of preference: <c>tensorrt</c>, <c>cuda</c>, <c>cpu</c>. Null: the environment variable
    /// ROBOTICS_PROVIDERS, else the manifest, else cpu.</summary>
    public IReadOnlyList<string>? Providers { get; init; }

    /// <summary>The clock that deadlines are compared with.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>Whether inputs and outputs are bound once, at load. Null: yes on cpu; no elsewhere, because there a binding copies
    /// its inputs to the device when it is made and would answer every later call with the first observation.</summary>
    public bool? Bind { get; init; }
}

/// <summary>What one plan costs on this machine, calls back to back; paced calls find colder caches and take longer.</summary>
/// <param name="Calls">Plans measured.</param>
/// <param name="Median">Half of the plans took at most this.</param>
/// <param name="P99">99 of 100 plans took at most this.</param>
/// <param name="Max">The slowest.</param>
public sealed record PolicyCost(int Calls, TimeSpan Median, TimeSpan P99, TimeSpan Max);

/// <summary>One network as it was found, for <c>robotics check</c>.</summary>
/// <param name="File">Path in the package.</param>
/// <param name="Bytes">Size of the ONNX file, external data excluded.</param>
/// <param name="Inputs">Inputs of the graph, in its order.</param>
/// <param name="Outputs">Outputs of the graph, in its order.</param>
public sealed record GraphDescription(string File, long Bytes, IReadOnlyList<GraphTensor> Inputs, IReadOnlyList<GraphTensor> Outputs);

/// <summary>One input or output of a network.</summary>
/// <param name="Name">Name in the graph.</param>
/// <param name="Dtype"><c>float32</c>, <c>float16</c>, <c>int64</c>, or what else the graph says.</param>
/// <param name="Shape">As the graph says; -1 where it leaves a dimension free.</param>
/// <param name="Wire">Where the manifest wires it (<c>observation:GROUP</c>, <c>action</c>); null: not used.</param>
public sealed record GraphTensor(string Name, string Dtype, IReadOnlyList<long> Shape, string? Wire)
{
    /// <summary><c>name float32[1,48]</c>.</summary>
    public override string ToString() => $"{Name} {Dtype}[{string.Join(',', Shape)}]";
}
