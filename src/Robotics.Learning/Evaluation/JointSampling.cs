using Robotics.Learning.Networks;
using Robotics.Numerics;
using Robotics.Packages;

namespace Robotics.Learning.Evaluation;

/// <summary>Asks a joint model in training's own libtorch, with acting's own sampler: for golden vectors and for what it knows.</summary>
public static class JointSampling
{
    /// <summary>Denoises the blocks of z that are not given.</summary>
    /// <param name="network">Built from a <see cref="JointDenoiser"/>.</param>
    /// <param name="mode">Which blocks are given.</param>
    /// <param name="sampler">Its steps, from noise.</param>
    /// <param name="conditions">[N, C], observation windows, normalised.</param>
    /// <param name="given">[N, Z]; read where given.</param>
    /// <param name="noise">[N, Z]; read where not.</param>
    /// <returns>[N, Z]: what was given, and what was found.</returns>
    public static float[] Sample(Network network, JointMode mode, FlowSampler sampler, float[] conditions, float[] given, float[] noise)
    {
        ArgumentNullException.ThrowIfNull(network);
        ArgumentNullException.ThrowIfNull(conditions);
        var spec = (JointDenoiser)network.Spec;
        int count = noise.Length / spec.Size, seen = spec.ObservationSize, width = spec.ConditionSize, open = spec.FirstOpen(mode);
        var whole = new float[count * width];
        float[] flags = JointDenoiser.Flags(mode);
        for (int n = 0; n < count; n++)
        {
            var row = whole.AsSpan(n * width, width);
            conditions.AsSpan(n * seen, seen).CopyTo(row);
            given.AsSpan(n * spec.Size, open).CopyTo(row[seen..]);
            flags.CopyTo(row[(seen + spec.Size)..]);
        }

        float[] z = ChunkSampling.Flow(network, sampler, whole, noise);
        for (int n = 0; n < count; n++)
        {
            given.AsSpan(n * spec.Size, open).CopyTo(z.AsSpan(n * spec.Size));
        }

        return z;
    }

    /// <summary>What a plan of one candidate leaves: the chunk, and where chunks are chosen by plan one future of it and one value of
    /// that, all from the same noise.</summary>
    /// <param name="network">Built from a <see cref="JointDenoiser"/>.</param>
    /// <param name="sampler">Flow and joint.</param>
    /// <param name="conditions">[N, C], normalised.</param>
    /// <param name="noise">[N, Z].</param>
    public static float[] Chain(Network network, SamplerSpec sampler, float[] conditions, float[] noise)
    {
        ArgumentNullException.ThrowIfNull(sampler);
        var joint = sampler.Joint!;
        float[] z = Sample(network, JointMode.Policy, new(sampler.Flow!.Solver, sampler.Flow.Steps), conditions, noise, noise);
        if (joint.Selection != JointSelection.Planned || sampler.Candidates == 1)
        {
            return z;
        }

        z = Sample(network, JointMode.WorldModel, new(FlowSolver.Euler, joint.FutureSteps), conditions, z, noise);
        return Sample(network, JointMode.Value, new(FlowSolver.Euler, joint.ValueSteps), conditions, z, noise);
    }
}
