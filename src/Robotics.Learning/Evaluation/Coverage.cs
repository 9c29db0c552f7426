using Robotics.Learning.Data;
using Robotics.Learning.Networks;
using Robotics.Learning.Training;
using Robotics.Numerics;

namespace Robotics.Learning.Evaluation;

/// <summary>How far from the record a policy acts.</summary>
internal static class Coverage
{
    private const int Most = 20_000; // recorded rows that are compared with: every probe looks at all of them

    /// <summary>Share of recorded states in which the policy's action is farther than the threshold (root mean square over its elements)
    /// from every action that was recorded in the nearest states (Euclidean, each element in its deviations).</summary>
    public static double Outside(TransitionSet data, IActor actor, FittedQOptions options)
    {
        var random = new SeededRandom(RandomStream.Seed(options.Seed, 0, 32));
        var normalizer = data.Normalizer();
        int o = data.ObservationSize, a = data.ActionSize, count = Math.Min(data.Count, Most), neighbours = Math.Min(options.Neighbours, count);
        int[] rows = [.. Enumerable.Range(0, count).Select(i => count == data.Count ? i : random.NextInt(0, data.Count))];
        float[] states = new float[count * o], here = new float[o], action = new float[a], distance = new float[count];
        for (int i = 0; i < count; i++)
        {
            normalizer.Apply(data.Observation(rows[i]), states.AsSpan(i * o, o));
        }

        int[] order = new int[count];
        int outside = 0;
        for (int probe = 0; probe < options.Probes; probe++)
        {
            var observation = data.Observation(random.NextInt(0, data.Count));
            actor.Act(observation, action, options.Deterministic ? null : random);
            normalizer.Apply(observation, here);
            for (int i = 0; i < count; i++)
            {
                (order[i], distance[i]) = (i, Squared(here, states.AsSpan(i * o, o)));
            }

            Array.Sort(distance, order);
            double nearest = double.PositiveInfinity;
            for (int k = 0; k < neighbours; k++)
            {
                nearest = Math.Min(nearest, Math.Sqrt(Squared(action, data.Action(rows[order[k]])) / a));
            }

            outside += nearest > options.Threshold ? 1 : 0;
        }

        return (double)outside / options.Probes;
    }

    private static float Squared(ReadOnlySpan<float> x, ReadOnlySpan<float> y)
    {
        float sum = 0;
        for (int j = 0; j < x.Length; j++)
        {
            sum += (x[j] - y[j]) * (x[j] - y[j]);
        }

        return sum;
    }
}
