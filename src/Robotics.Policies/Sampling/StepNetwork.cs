using Microsoft.ML.OnnxRuntime;
using Robotics.Policies.Onnx;

namespace Robotics.Policies.Sampling;

/// <summary>The network that a sampler calls again and again: K chunks in, what it says about them out.</summary>
/// <remarks>Owned by one policy and used on its thread. The condition was written before; it stays for the whole plan.</remarks>
internal sealed class StepNetwork
{
    private readonly OnnxModel _model;
    private readonly StepTensors _tensors;

    /// <summary>Takes the model and its wired tensors.</summary>
    public StepNetwork(OnnxModel model, StepTensors tensors)
    {
        (_model, _tensors) = (model, tensors);
        Candidates = tensors.Candidates;
        Length = tensors.Input!.Length;
        Output = new float[Length];
        Energies = new float[Candidates];
        Array.Fill(Energies, float.NaN);
    }

    /// <summary>K.</summary>
    public int Candidates { get; }

    /// <summary>K·Tp·Da.</summary>
    public int Length { get; }

    /// <summary>Tp·Da.</summary>
    public int Width => Length / Candidates;

    /// <summary>[K, Tp, Da]: the prediction, the velocity or the gradient of the last call.</summary>
    public float[] Output { get; }

    /// <summary>[K]: the energies of the last call, where the network has them.</summary>
    public float[] Energies { get; }

    /// <summary>For messages.</summary>
    public string File => _model.Spec.File;

    /// <summary>One call.</summary>
    /// <param name="sample">[K, Tp, Da], normalised.</param>
    /// <param name="time">In the graph's own unit; ignored when it takes none.</param>
    /// <exception cref="OnnxRuntimeException">The graph failed on these inputs.</exception>
    public void Call(ReadOnlySpan<float> sample, double time)
    {
        _tensors.Input!.Write(sample);
        _tensors.Time?.Fill(time);
        _model.Run();
        _tensors.Output!.Read(Output);
        _tensors.Energy?.Read(Energies);
    }
}

/// <summary>What the wiring found of the step network.</summary>
internal sealed class StepTensors
{
    /// <summary>K, the batch.</summary>
    public int Candidates { get; init; } = 1;

    /// <summary>[K, Tp, Da]: <c>sample</c>, or <c>noise</c> of an unrolled graph.</summary>
    public OnnxTensor? Input { get; set; }

    /// <summary>[K], [1] or a scalar; null when the graph takes no time.</summary>
    public OnnxTensor? Time { get; set; }

    /// <summary>[K, Tp, Da]: <c>prediction</c> or <c>gradient</c>.</summary>
    public OnnxTensor? Output { get; set; }

    /// <summary>[K] or [K, 1]; null when there is none.</summary>
    public OnnxTensor? Energy { get; set; }
}
