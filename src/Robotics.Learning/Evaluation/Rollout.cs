using Robotics.Learning.Networks;
using Robotics.Numerics;

namespace Robotics.Learning.Evaluation;

/// <summary>Whole episodes of an actor in its task.</summary>
public static class Rollout
{
    private const int Longest = 200_000;

    /// <summary>Returns of so many episodes, without discount.</summary>
    /// <param name="environment">Restarted by this call. Of its N copies each gives its first episodes, the same number but for the rest,
    /// so that short episodes do not count more often.</param>
    /// <param name="actor">Who acts.</param>
    /// <param name="episodes">How many, 1 or more.</param>
    /// <param name="seed">Of the starts.</param>
    /// <param name="random">Draws; null: the deterministic actor.</param>
    /// <returns>[episodes].</returns>
    /// <exception cref="InvalidOperationException">The environment gave no number, or an episode never ends.</exception>
    public static double[] Returns(IVectorEnvironment environment, IActor actor, int episodes, ulong seed, SeededRandom? random = null)
    {
        ArgumentNullException.ThrowIfNull(environment);
        ArgumentNullException.ThrowIfNull(actor);
        int count = environment.Count;
        var step = new VectorStep(count, environment.ObservationSize);
        var actions = new float[count * environment.ActionSize];
        double[] sums = new double[count], returns = new double[episodes];
        int[] finished = new int[count];
        environment.Reset(seed, step.Observations);
        for (int done = 0, length = 0; done < episodes; length++)
        {
            if (length > (long)Longest * (1 + (episodes / count)))
            {
                throw new InvalidOperationException(
                    $"Task '{environment.Name}' has not ended {episodes - done} of {episodes} episodes after {length} steps: give it a time limit (truncated), or a state that ends it.");
            }

            actor.Act(step.Observations, actions, random);
            environment.Step(actions, step);
            OffPolicy.Finite.Check(environment.Name, step, environment.ObservationSize);
            for (int i = 0; i < count; i++)
            {
                sums[i] += step.Rewards[i];
                if (step.Terminated[i] || step.Truncated[i])
                {
                    int number = (finished[i]++ * count) + i;
                    if (number < episodes)
                    {
                        returns[number] = sums[i];
                        done++;
                    }

                    sums[i] = 0;
                }
            }
        }

        return returns;
    }
}
