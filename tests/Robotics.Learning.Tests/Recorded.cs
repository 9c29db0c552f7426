using Robotics.Learning.Data;

namespace Robotics.Learning.Tests;

/// <summary>Small records.</summary>
internal static class Recorded
{
    /// <summary>A uniform policy on the pendulum.</summary>
    public static TransitionSet Pendulum(int rows = 400, ulong seed = 1, int limit = 50)
    {
        using var environment = new TinyPendulum(2, limit);
        return TransitionCollection.Collect(environment, Behaviours.Uniform(1), rows, seed);
    }

    /// <summary>One observation that never changes, one uniform action; each episode is one step that pays 1 - (a - 0.5)².</summary>
    public static TransitionSet Bandit(int rows)
    {
        var random = new Robotics.Numerics.SeededRandom(3);
        var builder = new TransitionSetBuilder(1, 1);
        for (int i = 0; i < rows; i++)
        {
            float a = (float)random.NextDouble(-1, 1);
            builder.Add([1], [a], 1 - ((a - 0.5f) * (a - 0.5f)), [1], terminated: true, -MathF.Log(2));
        }

        return builder.Build();
    }
}
