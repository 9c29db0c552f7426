using Robotics.Learning.Networks;
using Robotics.Numerics;
using static TorchSharp.torch;

namespace Robotics.Learning.Evaluation;

/// <summary>Samples chunks from a network in training's own libtorch with acting's own samplers, many observations at once.</summary>
/// <remarks>Noise comes from one seed, in the order [N, H, Da], so two samplers can start from the same points.</remarks>
public static class ChunkSampling
{
    /// <summary>Runs a diffusion sampler.</summary>
    /// <param name="network">Trained by <see cref="Imitation.Diffusion"/>.</param>
    /// <param name="sampler">Its steps.</param>
    /// <param name="conditions">[N, C], normalised.</param>
    /// <param name="seed">Draws the noise.</param>
    /// <param name="previous">[N, H, Da] chunks to start from, normalised: a warm start. Null: noise.</param>
    /// <returns>[N, H, Da], normalised.</returns>
    public static float[] Diffusion(Network network, DiffusionSampler sampler, float[] conditions, ulong seed, float[]? previous = null)
    {
        ArgumentNullException.ThrowIfNull(sampler);
        var batch = new Batch(network, conditions);
        var random = new SeededRandom(seed);
        float[] x = new float[batch.Length], noise = new float[batch.Length], clean = new float[batch.Length];
        random.FillGaussian(x);
        if (previous is not null)
        {
            sampler.Start(previous, x, x);
        }

        for (int i = 0; i < sampler.Steps; i++)
        {
            if (sampler.DrawsNoise(i))
            {
                random.FillGaussian(noise);
            }

            sampler.Step(i, x, batch.Ask(x, sampler.Timesteps[i]), noise, clean);
        }

        return x;
    }

    /// <summary>Integrates a flow.</summary>
    /// <param name="network">Trained by <see cref="Imitation.FlowMatching"/>.</param>
    /// <param name="sampler">Its steps.</param>
    /// <param name="conditions">[N, C], normalised.</param>
    /// <param name="seed">Draws the noise.</param>
    /// <param name="previous">[N, H, Da] chunks to start from, normalised: a warm start. Null: noise.</param>
    /// <returns>[N, H, Da], normalised.</returns>
    public static float[] Flow(Network network, FlowSampler sampler, float[] conditions, ulong seed, float[]? previous = null)
    {
        ArgumentNullException.ThrowIfNull(sampler);
        ArgumentNullException.ThrowIfNull(network);
        ArgumentNullException.ThrowIfNull(conditions);
        var noise = new float[conditions.Length / network.Spec.ConditionSize * network.Spec.Horizon * network.Spec.ActionSize];
        new SeededRandom(seed).FillGaussian(noise);
        if (previous is not null)
        {
            sampler.Start(previous, noise, noise);
        }

        return Flow(network, sampler, conditions, noise);
    }

    /// <summary>The same from given noise, [N, H, Da].</summary>
    internal static float[] Flow(Network network, FlowSampler sampler, float[] conditions, float[] noise)
    {
        var batch = new Batch(network, conditions);
        float[] x = [.. noise], anchor = new float[batch.Length], clean = new float[batch.Length];
        for (int i = 0; i < sampler.Calls; i++)
        {
            sampler.Step(i, x, batch.Ask(x, sampler.Time(i)), anchor, clean);
        }

        return x;
    }

    /// <summary>Walks down an energy; every chunk stops on its own.</summary>
    /// <param name="network">Trained by <see cref="Imitation.EquilibriumMatching"/> or <see cref="Imitation.UnrolledEnergy"/>.</param>
    /// <param name="descent">Its steps.</param>
    /// <param name="conditions">[N, C], normalised.</param>
    /// <param name="seed">Draws the start.</param>
    public static EnergySamples Energy(Network network, EnergyDescent descent, float[] conditions, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(descent);
        var batch = new Batch(network, conditions);
        float[] x = new float[batch.Length], velocity = new float[batch.Length];
        new SeededRandom(seed).FillGaussian(x);
        var calls = new int[batch.Count];
        var settled = new bool[batch.Count];
        (float[] first, float[] gradient) = batch.Slope(x);
        for (int i = 0; i < descent.MaxSteps && !Array.TrueForAll(settled, s => s); i++)
        {
            if (i > 0)
            {
                (_, gradient) = batch.Slope(x);
            }

            for (int n = 0; n < batch.Count; n++)
            {
                if (!settled[n])
                {
                    calls[n]++;
                    var row = new Range(n * batch.Width, (n + 1) * batch.Width);
                    settled[n] = descent.Step(x.AsSpan(row), gradient.AsSpan(row), velocity.AsSpan(row));
                }
            }
        }

        (float[] last, _) = batch.Slope(x); // for the record only, not a call of the policy
        return new EnergySamples(x, calls, first, last);
    }

    /// <summary>Asks a network that needs no sampler.</summary>
    /// <param name="network">Trained by <see cref="Imitation.LeastSquares"/>.</param>
    /// <param name="conditions">[N, C], normalised.</param>
    /// <returns>[N, H, Da], normalised.</returns>
    public static float[] Direct(Network network, float[] conditions)
    {
        var batch = new Batch(network, conditions);
        return batch.Ask(new float[batch.Length], 0);
    }

    private sealed class Batch
    {
        private readonly Network _network;
        private readonly float[] _conditions;

        public Batch(Network network, float[] conditions)
        {
            ArgumentNullException.ThrowIfNull(network);
            ArgumentNullException.ThrowIfNull(conditions);
            _network = network;
            _conditions = conditions;
            Count = conditions.Length / network.Spec.ConditionSize;
            Width = network.Spec.Horizon * network.Spec.ActionSize;
        }

        public int Count { get; }

        public int Width { get; }

        public int Length => Count * Width;

        public float[] Ask(float[] x, double time)
        {
            using var off = no_grad();
            using var scope = NewDisposeScope();
            var (sample, condition) = Tensors(x);
            var answer = _network.forward(sample, tensor(Enumerable.Repeat((float)time, Count).ToArray()), condition);
            return [.. answer.contiguous().data<float>()];
        }

        public (float[] Energy, float[] Gradient) Slope(float[] x)
        {
            using var scope = NewDisposeScope();
            var (sample, condition) = Tensors(x);
            var (energy, gradient) = _network.EnergyGradient(sample, condition, keepGraph: false);
            return ([.. energy.contiguous().data<float>()], [.. gradient.contiguous().data<float>()]);
        }

        private (Tensor Sample, Tensor Condition) Tensors(float[] x) =>
            (tensor(x, Count, _network.Spec.Horizon, _network.Spec.ActionSize), tensor(_conditions, Count, _network.Spec.ConditionSize));
    }
}

/// <summary>Chunks found by descending an energy.</summary>
/// <param name="Chunks">[N, H, Da], normalised.</param>
/// <param name="Calls">[N], network calls of each chunk.</param>
/// <param name="FirstEnergy">[N], at the noise.</param>
/// <param name="LastEnergy">[N], at the chunk.</param>
public sealed record EnergySamples(float[] Chunks, int[] Calls, float[] FirstEnergy, float[] LastEnergy);
