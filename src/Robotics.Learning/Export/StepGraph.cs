using Robotics.Learning.Networks;

namespace Robotics.Learning.Export;

/// <summary>Writes the network of one sampler step as an ONNX file; the sampler stays with the caller.</summary>
/// <remarks>
/// Inputs and outputs by kind, all float32 unless said, batch free:
/// <list type="bullet">
/// <item>denoiser: <c>sample</c> [B, H, Da], <c>timestep</c> int64 [B], <c>cond</c> [B, C] to <c>prediction</c> [B, H, Da];</item>
/// <item>velocity: <c>sample</c>, <c>time</c> [B], <c>cond</c> to <c>velocity</c> [B, H, Da];</item>
/// <item>energy: <c>sample</c>, <c>cond</c> to <c>energy</c> [B] and <c>gradient</c> [B, H, Da];</item>
/// <item>joint: <c>sample</c> [B, Z], <c>given</c> [B, Z], <c>flags</c> [B, 3], <c>time</c>, <c>cond</c> to <c>velocity</c> [B, Z].</item>
/// </list>
/// </remarks>
public static class StepGraph
{
    /// <summary>The kind of graph a network becomes: <c>denoiser</c>, <c>velocity</c>, <c>energy</c> or <c>joint</c>.</summary>
    /// <exception cref="NotSupportedException">A chunk network without time, which no sampler here can use.</exception>
    public static string Kind(NetworkSpec spec)
    {
        ArgumentNullException.ThrowIfNull(spec);
        return spec is JointDenoiser ? "joint" : (spec.Output, spec.Time) switch
        {
            (NetworkOutput.Energy, _) => "energy",
            (_, TimeSignal.Timestep) => "denoiser",
            (_, TimeSignal.Continuous) => "velocity",
            _ => throw new NotSupportedException("A network that puts out a chunk and is told no time is not a step of any sampler."),
        };
    }

    /// <summary>Writes the file.</summary>
    /// <param name="spec">The network.</param>
    /// <param name="values">Elements of each weight: the averaged ones, where training keeps an average.</param>
    /// <param name="metadata">Key-value pairs that travel in the file; null: none.</param>
    /// <exception cref="ConfigException">The network's sizes do not fit together.</exception>
    public static byte[] Write(NetworkSpec spec, Func<WeightSpec, float[]> values, IReadOnlyDictionary<string, string>? metadata = null)
    {
        string kind = Kind(spec);
        spec.Checked("network");
        var ops = new OnnxOperations(values);
        var sample = kind == "joint" ? ops.Input("sample", spec.Horizon) : ops.Input("sample", spec.Horizon, spec.ActionSize);
        switch (kind)
        {
            case "denoiser":
                var timestep = ops.IndexInput("timestep");
                ops.Output("prediction", spec.Forward(ops, sample, timestep, ops.Input("cond", spec.ConditionSize)));
                break;
            case "velocity":
                var time = ops.Input("time");
                ops.Output("velocity", spec.Forward(ops, sample, time, ops.Input("cond", spec.ConditionSize)));
                break;
            case "joint":
                int size = spec.Horizon;
                var given = ops.Input("given", size);
                var flags = ops.Input("flags", JointDenoiser.Blocks);
                var at = ops.Input("time");
                var condition = ops.Concat(1, ops.Concat(1, ops.Input("cond", spec.ObservationSize), given), flags);
                ops.Output("velocity", ops.Reshape(spec.Forward(ops, ops.Reshape(sample, size, 1), at, condition), size));
                break;
            default:
                var tape = new Tape<OnnxValue>(ops);
                var point = tape.Variable(sample);
                var energy = spec.Forward(tape, point, null, tape.Fixed(ops.Input("cond", spec.ConditionSize)));
                ops.Output("energy", ops.Reshape(energy.Value));
                ops.Output("gradient", tape.Gradient(energy, point));
                break;
        }

        return ops.ToBytes(kind, metadata ?? new Dictionary<string, string>());
    }
}
