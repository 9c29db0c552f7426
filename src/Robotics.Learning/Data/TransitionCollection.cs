using Robotics.Learning.Networks;
using Robotics.Learning.OffPolicy;
using Robotics.Learning.Training;
using Robotics.Numerics;

namespace Robotics.Learning.Data;

/// <summary>Who acts while transitions are recorded.</summary>
/// <param name="observations">[N, Do].</param>
/// <param name="actions">[N, Da] receives what is sent, in [-1, 1].</param>
/// <param name="logPropensities">[N] receives the log-density of each; NaN: it is unknown.</param>
/// <param name="random">Draws everything.</param>
public delegate void Behaviour(ReadOnlySpan<float> observations, Span<float> actions, Span<float> logPropensities, SeededRandom random);

/// <summary>Behaviours of actors.</summary>
public static class Behaviours
{
    /// <summary>Uniform in [-1, 1].</summary>
    public static Behaviour Uniform(int actionSize) => (_, actions, log, random) =>
    {
        for (int i = 0; i < actions.Length; i++)
        {
            actions[i] = (float)random.NextDouble(-1, 1);
        }

        log.Fill((float)(-actionSize * Math.Log(2)));
    };

    /// <summary>An actor as it draws, or its deterministic action with Gaussian noise; now and then a uniform action instead.</summary>
    /// <param name="actor">Who acts.</param>
    /// <param name="deviation">Null: as it draws. Otherwise the noise on its deterministic action, 0 or more; clamped to [-1, 1] with it.
    /// Without noise there is no density, and no propensity.</param>
    /// <param name="epsilon">Share of uniform actions, 0 to 1, drawn for each row.</param>
    public static Behaviour Of(Actor actor, double? deviation = null, double epsilon = 0)
    {
        ArgumentNullException.ThrowIfNull(actor);
        var density = new ActionDensity(actor, deviation);
        return (observations, actions, log, random) =>
        {
            actor.Act(observations, actions, deviation is null ? random : null);
            int width = actor.ActionSize;
            for (int i = 0; i < log.Length; i++)
            {
                bool uniform = epsilon > 0 && random.NextDouble() < epsilon;
                foreach (ref float action in actions.Slice(i * width, width))
                {
                    float drawn = uniform ? (float)random.NextDouble(-1, 1) : deviation is > 0 ? action + (float)(deviation.Value * random.NextGaussian()) : action;
                    action = Math.Clamp(drawn, -1, 1);
                }
            }

            density.Log(observations, actions, log);
            for (int i = 0; i < log.Length && epsilon > 0; i++)
            {
                // A uniform action is never exactly at an end of its range; the actor's may be, with a probability of its own.
                bool inside = Inside(actions.Slice(i * width, width));
                double other = inside ? Math.Log(epsilon) - (width * Math.Log(2)) : double.NegativeInfinity, own = Math.Log(1 - epsilon) + log[i];
                double most = Math.Max(own, other);
                log[i] = (float)(most + Math.Log(Math.Exp(own - most) + Math.Exp(other - most)));
            }
        };
    }

    private static bool Inside(ReadOnlySpan<float> action)
    {
        foreach (float a in action)
        {
            if (a is <= -1 or >= 1)
            {
                return false;
            }
        }

        return true;
    }
}

/// <summary>Plays a behaviour in a task and keeps everything.</summary>
public static class TransitionCollection
{
    /// <summary>Records so many transitions.</summary>
    /// <param name="environment">Restarted by this call. With several copies each gives the same number of rows; episodes that are in progress
    /// at the end are cut as by a time limit.</param>
    /// <param name="behaviour">Who acts.</param>
    /// <param name="count">Rows, 1 or more; rounded up to a multiple of the environment's copies.</param>
    /// <param name="seed">Of the starts and the draws.</param>
    /// <exception cref="InvalidOperationException">The environment gave no number.</exception>
    /// <exception cref="ConfigException">The behaviour sent something outside [-1, 1].</exception>
    public static TransitionSet Collect(IVectorEnvironment environment, Behaviour behaviour, int count, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(environment);
        ArgumentNullException.ThrowIfNull(behaviour);
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        int n = environment.Count, o = environment.ObservationSize, a = environment.ActionSize, steps = (count + n - 1) / n;
        var random = new SeededRandom(RandomStream.Seed(seed, 0, 21));
        var step = new VectorStep(n, o);
        float[] before = new float[n * o], actions = new float[n * a], log = new float[n];
        var rows = Enumerable.Range(0, n).Select(_ => new TransitionSetBuilder(o, a)).ToArray();
        environment.Reset(RandomStream.Seed(seed, 0, 22), step.Observations);
        for (int t = 0; t < steps; t++)
        {
            step.Observations.CopyTo(before, 0);
            behaviour(before, actions, log, random);
            environment.Step(actions, step);
            Finite.Check(environment.Name, step, o);
            for (int i = 0; i < n; i++)
            {
                rows[i].Add(
                    before.AsSpan(i * o, o), actions.AsSpan(i * a, a), step.Rewards[i], step.Reached.AsSpan(i * o, o), step.Terminated[i], float.IsFinite(log[i]) ? log[i] : null);
                if (step.Truncated[i])
                {
                    rows[i].EndEpisode();
                }
            }
        }

        string source = $"transitions of '{environment.Name}'";
        return n == 1 ? rows[0].Build(source) : TransitionSet.Concat([.. rows.Select(row => row.Build(source))]);
    }
}
