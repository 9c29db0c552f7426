using Robotics.Learning.Data;
using Robotics.Learning.Evaluation;
using Robotics.Learning.Imitation;
using Robotics.Learning.Networks;
using Robotics.Learning.Training;
using Robotics.Numerics;
using Robotics.Packages;
using Robotics.Sim.Tasks;

namespace Robotics.Learning.Tests.Imitation;

/// <summary>How a joint model is trained on Detour: the tests and the <c>detour-planning</c> benchmark share it.</summary>
/// <remarks>The future is what the chunk comes to: how clear of the obstacle, how near to the goal, how long its longest step. A chunk is
/// worth 1 when it is valid, -1 when it is not.</remarks>
internal static class JointRecipe
{
    public const int Chunk = Detour.Rows * Detour.ActionSize, Future = 3;

    /// <summary>Demonstrations, and rollouts bent and shaken so that most of them fail.</summary>
    /// <param name="demonstrations">How many.</param>
    /// <param name="rollouts">How many.</param>
    /// <param name="seed">Draws them.</param>
    /// <param name="futures">What futures were normalised with.</param>
    /// <param name="valid">Share of the rollouts that are valid.</param>
    public static ChunkSet Data(int demonstrations, int rollouts, ulong seed, out NormalizationSpec futures, out double valid)
    {
        var random = new SeededRandom(seed);
        int count = demonstrations + rollouts, size = Chunk + Future + 1, good = 0;
        float[] observations = new float[2 * count], z = new float[size * count];
        var outcomes = new List<float[]>();
        for (int i = 0; i < count; i++)
        {
            var observation = observations.AsSpan(2 * i, 2);
            var chunk = z.AsSpan(size * i, Chunk);
            Detour.Observe(random, observation);
            Detour.Demonstrate(random, observation, chunk);
            if (i >= demonstrations)
            {
                Disturb(random, observation, chunk);
            }

            bool ok = Detour.IsValid(observation, chunk);
            good += ok && i >= demonstrations ? 1 : 0;
            outcomes.Add(Outcome(observation, chunk));
            z[(size * i) + size - 1] = ok ? 1 : -1;
        }

        futures = Statistics.Fit("mean_std", outcomes, Future);
        var normalizer = new Normalizer(futures, Future);
        for (int i = 0; i < count; i++)
        {
            normalizer.Normalize(outcomes[i], z.AsSpan((size * i) + Chunk, Future));
        }

        valid = good / (double)rollouts;
        return new ChunkSet(observations, z, null, Detour.ObservationSize, size, 1, "detour") { Rollouts = rollouts };
    }

    /// <summary>The sampler of the card: S steps for a chunk, three futures of five steps, five values of one.</summary>
    public static SamplerSpec Sampler(int steps, int candidates, NormalizationSpec? futures = null) => new()
    {
        Horizon = Detour.Rows, Flow = new() { Steps = steps }, Candidates = candidates, Joint = new() { Future = Future, Normalization = futures },
    };

    /// <summary>The averaged network of a training; the caller disposes it.</summary>
    public static Network Train(ChunkSet data, long steps, int batch, double rate, ulong seed)
    {
        using var network = new Network(JointDenoiser.Of(Chunk, Future, Detour.ObservationSize, NetworkHead.Output), seed);
        var options = new TrainingOptions { Steps = steps, Batch = batch, LearningRate = rate, LogEvery = 100, CheckpointEvery = 100, Seed = seed };
        using var trainer = new Trainer(new JointMatching(network, FlowTime.Beta), data, options, folder: null);
        trainer.Run();
        return trainer.Averaged();
    }

    /// <summary>Shares of situations whose executed chunk is valid: the first one, the best by the joint value, the best by planned values,
    /// and any of them (the oracle).</summary>
    public static (double Single, double Joint, double Planned, double Oracle) Score(Network network, SamplerSpec sampler, float[] observations, ulong seed)
    {
        var random = new SeededRandom(seed);
        int n = sampler.Candidates, situations = observations.Length / 2, size = Chunk + Future + 1;
        float[] conditions = [.. Enumerable.Range(0, n * situations).SelectMany(i => new[] { observations[i / n * 2], observations[(i / n * 2) + 1] })];
        var noise = new float[n * situations * size];
        random.FillGaussian(noise);
        float[] z = JointSampling.Sample(network, JointMode.Policy, new(sampler.Flow!.Solver, sampler.Flow.Steps), conditions, noise, noise);
        double[] beside = [.. Enumerable.Range(0, n * situations).Select(i => (double)z[(i * size) + size - 1])];
        double[] planned = JointKnowledge.Imagine(network, sampler, conditions, z, random).Values;
        bool[] valid = [.. Enumerable.Range(0, n * situations).Select(i => Detour.IsValid(conditions.AsSpan(2 * i, 2), z.AsSpan(i * size, Chunk)))];
        double Share(Func<int, int> choose) => Enumerable.Range(0, situations).Average(s => valid[(s * n) + choose(s * n)] ? 1.0 : 0);
        int Best(double[] values, int at) => Array.IndexOf(values, values.AsSpan(at, n).ToArray().Max(), at, n) - at;
        return (Share(_ => 0), Share(at => Best(beside, at)), Share(at => Best(planned, at)), Share(at => Math.Max(Array.IndexOf(valid, true, at, n) - at, 0)));
    }

    // Bent by up to its own size, drifting off its goal, and shaken.
    private static void Disturb(SeededRandom random, ReadOnlySpan<float> observation, Span<float> chunk)
    {
        double bend = random.NextDouble(0, 1.5), shake = 0.12 * random.NextDouble(), drift = 0.2 * random.NextGaussian();
        for (int k = 0; k < Detour.Rows; k++)
        {
            double along = k / (Detour.Rows - 1.0), line = observation[1] * along / Detour.Scale;
            chunk[2 * k] = (float)(line + (bend * (chunk[2 * k] - line)) + (drift * along) + (shake * random.NextGaussian()));
            chunk[(2 * k) + 1] += (float)(shake * random.NextGaussian());
        }
    }

    private static float[] Outcome(ReadOnlySpan<float> observation, ReadOnlySpan<float> chunk)
    {
        double clear = double.PositiveInfinity, longest = 0, centre = observation[0] + (observation[1] / 2);
        for (int k = 0; k < Detour.Rows; k++)
        {
            double x = chunk[2 * k] * Detour.Scale, y = chunk[(2 * k) + 1] * Detour.Scale;
            clear = Math.Min(clear, double.Hypot(x - centre, y));
            longest = k == 0 ? 0 : Math.Max(longest, double.Hypot(x - (chunk[(2 * k) - 2] * Detour.Scale), y - (chunk[(2 * k) - 1] * Detour.Scale)));
        }

        return [(float)clear, (float)double.Hypot((chunk[^2] * Detour.Scale) - observation[1], (chunk[^1] * Detour.Scale) - 1), (float)longest];
    }
}
