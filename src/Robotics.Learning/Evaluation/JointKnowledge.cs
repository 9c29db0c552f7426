using Robotics.Learning.Data;
using Robotics.Learning.Networks;
using Robotics.Numerics;
using Robotics.Packages;

namespace Robotics.Learning.Evaluation;

/// <summary>How much a joint model knows of rollouts it was not trained on.</summary>
/// <param name="OutcomeR2">Share of the futures' variance that the mean of the imagined ones explains; 1 is all, 0 is what their mean says,
/// NaN when the futures are all alike.</param>
/// <param name="ValueAuc">How often a chunk that ended in success is valued above one that did not, from imagined futures; 0.5 is chance,
/// NaN when the rollouts hold only one kind.</param>
public sealed record JointKnowledge(double OutcomeR2, double ValueAuc)
{
    /// <summary>Asks about every rollout of a set, or about so many of them spread over it.</summary>
    /// <param name="network">Built from a <see cref="JointDenoiser"/>.</param>
    /// <param name="sampler">Steps, futures and values.</param>
    /// <param name="rollouts">As <see cref="JointWindows.Cut"/> gives them; only its last rows are looked at.</param>
    /// <param name="most">At most so many.</param>
    /// <param name="seed">Draws the noise.</param>
    public static JointKnowledge Of(Network network, SamplerSpec sampler, ChunkSet rollouts, int most, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(network);
        ArgumentNullException.ThrowIfNull(sampler);
        ArgumentNullException.ThrowIfNull(rollouts);
        var spec = (JointDenoiser)network.Spec;
        int count = Math.Min(most, rollouts.Rollouts), size = spec.Size, first = rollouts.Count - rollouts.Rollouts;
        int[] rows = [.. Enumerable.Range(0, count).Select(i => first + (int)((long)i * rollouts.Rollouts / count))];
        float[] conditions = [.. rows.SelectMany(row => rollouts.Conditions[(row * rollouts.ConditionSize)..((row + 1) * rollouts.ConditionSize)])];
        float[] truth = [.. rows.SelectMany(row => rollouts.Chunks[(row * size)..((row + 1) * size)])];
        var (futures, values) = Imagine(network, sampler, conditions, truth, new SeededRandom(seed));
        double error = 0, spread = 0;
        for (int j = 0; j < spec.Future; j++)
        {
            double mean = Enumerable.Range(0, count).Average(n => (double)truth[(n * size) + spec.Chunk + j]);
            for (int n = 0; n < count; n++)
            {
                double real = truth[(n * size) + spec.Chunk + j];
                error += Math.Pow(futures[(n * spec.Future) + j] - real, 2);
                spread += Math.Pow(real - mean, 2);
            }
        }

        return new(spread > 0 ? 1 - (error / spread) : double.NaN, Auc(values, [.. Enumerable.Range(0, count).Select(n => truth[(n * size) + size - 1] > -1)]));
    }

    /// <summary>Means over the sampled futures of each chunk, and over the sampled values of those.</summary>
    /// <param name="network">Built from a <see cref="JointDenoiser"/>.</param>
    /// <param name="sampler">Steps, futures and values.</param>
    /// <param name="conditions">[N, C], normalised.</param>
    /// <param name="chunks">[N, Z], of which the chunk is read.</param>
    /// <param name="random">Draws the noise.</param>
    /// <returns>[N, future] and [N].</returns>
    public static (float[] Futures, double[] Values) Imagine(Network network, SamplerSpec sampler, float[] conditions, float[] chunks, SeededRandom random)
    {
        ArgumentNullException.ThrowIfNull(network);
        ArgumentNullException.ThrowIfNull(sampler);
        ArgumentNullException.ThrowIfNull(random);
        var spec = (JointDenoiser)network.Spec;
        var joint = sampler.Joint!;
        int count = chunks.Length / spec.Size;
        float[] futures = new float[count * spec.Future], noise = new float[chunks.Length];
        double[] values = new double[count];
        for (int f = 0; f < joint.Futures; f++)
        {
            random.FillGaussian(noise);
            float[] imagined = JointSampling.Sample(network, JointMode.WorldModel, new(FlowSolver.Euler, joint.FutureSteps), conditions, chunks, noise);
            for (int j = 0; j < futures.Length; j++)
            {
                futures[j] += imagined[(j / spec.Future * spec.Size) + spec.Chunk + (j % spec.Future)] / joint.Futures;
            }

            for (int v = 0; v < joint.Values; v++)
            {
                random.FillGaussian(noise);
                float[] judged = JointSampling.Sample(network, JointMode.Value, new(FlowSolver.Euler, joint.ValueSteps), conditions, imagined, noise);
                for (int n = 0; n < count; n++)
                {
                    values[n] += judged[((n + 1) * spec.Size) - 1] / (double)(joint.Futures * joint.Values);
                }
            }
        }

        return (futures, values);
    }

    /// <summary>Area under the ROC curve: the share of pairs, one good and one not, whose good one has the higher score; ties count half.</summary>
    /// <returns>NaN when there is only one kind.</returns>
    public static double Auc(ReadOnlySpan<double> scores, ReadOnlySpan<bool> good)
    {
        double[] sorted = scores.ToArray();
        bool[] kinds = good.ToArray();
        Array.Sort(sorted, kinds);
        double worse = 0, pairs = 0, ties = 0;
        int goods = 0;
        for (int i = 0; i < sorted.Length;)
        {
            int same = 0, sameGood = 0, from = i;
            for (; i < sorted.Length && sorted[i] == sorted[from]; i++)
            {
                (same, sameGood) = (same + 1, sameGood + (kinds[i] ? 1 : 0));
            }

            pairs += sameGood * worse;
            ties += sameGood * (double)(same - sameGood);
            worse += same - sameGood;
            goods += sameGood;
        }

        return goods == 0 || worse == 0 ? double.NaN : (pairs + (0.5 * ties)) / (goods * worse);
    }
}
