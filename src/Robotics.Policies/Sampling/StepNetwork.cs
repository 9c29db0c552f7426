using Microsoft.ML.OnnxRuntime;
using Robotics.Numerics;
using Robotics.Packages;
using Robotics.Policies.Onnx;

namespace Robotics.Policies.Sampling;

/// <summary>Where a sampler asks.</summary>
/// <param name="time">Timestep of a diffusion, s of a flow (house time), 0 of an energy.</param>
/// <param name="level">Noise in the sample.</param>
/// <param name="step">The table's coefficients for a step of diffusion; the default for others.</param>
/// <param name="first">The first call of a plan.</param>
/// <param name="noise">[K, Tp, Da], what the step will draw; empty when it draws nothing.</param>
internal readonly ref struct StepPoint(double time, NoiseLevel level, DenoisingStep step, bool first, ReadOnlySpan<float> noise = default)
{
    public double Time { get; } = time;

    public NoiseLevel Level { get; } = level;

    public DenoisingStep Step { get; } = step;

    public bool First { get; } = first;

    public ReadOnlySpan<float> Noise { get; } = noise;
}

/// <summary>What a sampler calls again and again: K chunks in, what is said about them out.</summary>
/// <remarks>Owned by one policy and used on its thread. The condition was written before; it stays for the whole plan.</remarks>
internal abstract class StepNetwork
{
    protected StepNetwork(int candidates, int length)
    {
        (Candidates, Length) = (candidates, length);
        Output = new float[length];
        Energies = new float[candidates];
        Array.Fill(Energies, float.NaN);
    }

    /// <summary>K.</summary>
    public int Candidates { get; }

    /// <summary>K·Tp·Da.</summary>
    public int Length { get; }

    /// <summary>Tp·Da.</summary>
    public int Width => Length / Candidates;

    /// <summary>[K, Tp, Da]: the prediction, the house velocity (action - noise) or the gradient of the last call.</summary>
    public float[] Output { get; }

    /// <summary>[K]: the energies of the last call, where the network has them.</summary>
    public float[] Energies { get; }

    /// <summary>One call.</summary>
    /// <param name="sample">[K, Tp, Da], normalised.</param>
    /// <param name="at">Where the sample stands.</param>
    /// <exception cref="OnnxRuntimeException">A graph failed on these inputs.</exception>
    public abstract void Call(ReadOnlySpan<float> sample, in StepPoint at);
}

/// <summary>One package's step network.</summary>
internal class OnnxStep : StepNetwork
{
    private readonly OnnxCall _call;
    private readonly StepTensors _tensors;
    private readonly FlowSpec? _flow;

    /// <summary>Takes the wired network.</summary>
    public OnnxStep(OnnxCall call, StepTensors tensors, FlowSpec? flow)
        : base(tensors.Candidates, tensors.Input!.Length) => (_call, _tensors, _flow) = (call, tensors, flow);

    /// <inheritdoc/>
    public override void Call(ReadOnlySpan<float> sample, in StepPoint at)
    {
        _tensors.Input!.Write(sample);
        _tensors.Time?.Fill(_flow is null ? at.Time : (_flow.DataAt == 1 ? at.Time : 1 - at.Time) * _flow.TimeScale);
        _call.Run();
        _tensors.Output!.Read(Output);
        _tensors.Energy?.Read(Energies);
        if (_flow is { DataAt: 0 })
        {
            foreach (ref float v in Output.AsSpan())
            {
                v = -v;
            }
        }
    }
}

/// <summary>A joint model with a batch of its own: nothing is given until <see cref="Give"/> says so.</summary>
internal sealed class JointStep(OnnxCall call, StepTensors tensors, FlowSpec flow) : OnnxStep(call, tensors, flow)
{
    private readonly StepTensors _tensors = tensors;
    private readonly float[] _flags = new float[tensors.Flags!.Length];

    /// <summary>For every call from now on.</summary>
    /// <param name="given">[B, Z], normalised; 0 where not given.</param>
    /// <param name="blocks">How many of the three blocks are given, from the first.</param>
    public void Give(ReadOnlySpan<float> given, int blocks)
    {
        for (int j = 0; j < _flags.Length; j++)
        {
            _flags[j] = j % 3 < blocks ? 1 : 0;
        }

        _tensors.Given!.Write(given);
        _tensors.Flags!.Write(_flags);
    }
}

/// <summary>What the wiring found of the step network.</summary>
internal sealed class StepTensors
{
    /// <summary>K, the batch.</summary>
    public int Candidates { get; init; } = 1;

    /// <summary>[K, Tp, Da]: <c>sample</c>, or <c>noise</c> of an unrolled graph; of a joint one [K, Z].</summary>
    public OnnxTensor? Input { get; set; }

    /// <summary>[K], [1] or a scalar; null when the graph takes no time.</summary>
    public OnnxTensor? Time { get; set; }

    /// <summary>[K, Z], of a joint graph.</summary>
    public OnnxTensor? Given { get; set; }

    /// <summary>[K, 3], of a joint graph.</summary>
    public OnnxTensor? Flags { get; set; }

    /// <summary>Like <see cref="Input"/>: <c>prediction</c> or <c>gradient</c>.</summary>
    public OnnxTensor? Output { get; set; }

    /// <summary>[K] or [K, 1]; null when there is none.</summary>
    public OnnxTensor? Energy { get; set; }
}
