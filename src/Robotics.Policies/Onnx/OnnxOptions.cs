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
public sealed record PolicyCost(int Calls, TimeSpan Median, TimeSpan P99, TimeSpan Max)
{
    /// <summary>Times plans of an all-zero observation, back to back, and resets the policy.</summary>
    /// <param name="policy">Any.</param>
    /// <param name="calls">1 to 1,000,000.</param>
    public static PolicyCost Measure(IPolicy policy, int calls)
    {
        ArgumentNullException.ThrowIfNull(policy);
        float[] observation = new float[policy.Spec.ObservationLength];
        float[] chunk = new float[policy.Spec.Rows * policy.Spec.ActionLength];
        var whenever = new MonotonicTime(long.MaxValue);
        var cost = Measure(() => policy.Plan(observation, whenever, chunk), calls);
        policy.Reset(0);
        return cost;
    }

    /// <summary>Times anything that is called again and again.</summary>
    internal static PolicyCost Measure(Action call, int calls)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(calls, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(calls, 1_000_000);
        long[] nanoseconds = new long[calls];
        for (int i = 0; i < calls; i++)
        {
            var start = MonotonicTime.SystemNow();
            call();
            nanoseconds[i] = MonotonicTime.SystemNow().NanosecondsSince(start);
        }

        Array.Sort(nanoseconds);
        return new(calls, At(0.5), At(0.99), At(1));

        TimeSpan At(double fraction) => TimeSpan.FromTicks(nanoseconds[Math.Clamp((int)Math.Ceiling(fraction * calls) - 1, 0, calls - 1)] / 100);
    }
}

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
