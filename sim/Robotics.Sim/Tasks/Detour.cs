using Robotics.Numerics;

namespace Robotics.Sim.Tasks;

/// <summary>Draw a path past an obstacle, on its left or on its right: two right answers whose average is wrong. Whether a path is
/// valid is a geometric fact, so policies are compared by more than a loss.</summary>
/// <remarks>
/// A bench for action chunks, not an environment: one observation, one chunk of <see cref="Rows"/> points, done. Lengths are in m;
/// chunks are divided by <see cref="Scale"/>, so that nearly all of them lie in ±1.
/// Observation: obstacle offset in ±0.3, goal x in ±0.5. With side q = ±1 and τ = k/15 a demonstration is
/// x = goal·τ + (0.6·q + offset)·sin(πτ), y = -1 + 2τ, plus 1 cm of noise.
/// </remarks>
public static class Detour
{
    /// <summary>H: points of a path.</summary>
    public const int Rows = 16;

    /// <summary>Da: x, y.</summary>
    public const int ActionSize = 2;

    /// <summary>Do: obstacle offset, goal x.</summary>
    public const int ObservationSize = 2;

    /// <summary>m per normalised unit.</summary>
    public const float Scale = 1.3f;

    private const double Clearance = 0.35, GoalRadius = 0.15, LongestStep = 0.45;

    /// <summary>Draws a situation.</summary>
    /// <param name="random">Draws it.</param>
    /// <param name="observation">[2], m.</param>
    public static void Observe(SeededRandom random, Span<float> observation)
    {
        ArgumentNullException.ThrowIfNull(random);
        Check(observation.Length, ObservationSize, nameof(observation));
        observation[0] = (float)random.NextDouble(-0.3, 0.3);
        observation[1] = (float)random.NextDouble(-0.5, 0.5);
    }

    /// <summary>Draws what the expert does there.</summary>
    /// <param name="random">Draws the noise, and the side where none is given.</param>
    /// <param name="observation">[2], m.</param>
    /// <param name="chunk">[16, 2], normalised.</param>
    /// <param name="side">+1 or -1; null: either, equally likely.</param>
    public static void Demonstrate(SeededRandom random, ReadOnlySpan<float> observation, Span<float> chunk, int? side = null)
    {
        ArgumentNullException.ThrowIfNull(random);
        Check(observation.Length, ObservationSize, nameof(observation));
        Check(chunk.Length, Rows * ActionSize, nameof(chunk));
        int q = side ?? (random.NextDouble() < 0.5 ? -1 : 1);
        for (int k = 0; k < Rows; k++)
        {
            double along = k / (Rows - 1.0);
            double x = (observation[1] * along) + (((0.6 * q) + observation[0]) * Math.Sin(Math.PI * along));
            double y = -1 + (2 * along);
            chunk[2 * k] = (float)((x + (0.01 * random.NextGaussian())) / Scale);
            chunk[(2 * k) + 1] = (float)((y + (0.01 * random.NextGaussian())) / Scale);
        }
    }

    /// <summary>Whether the path stays 0.35 m clear of the obstacle, ends within 0.15 m of the goal, and has no step of 0.45 m or
    /// more. A non-finite path is not valid.</summary>
    /// <param name="observation">[2], m.</param>
    /// <param name="chunk">[16, 2], normalised.</param>
    public static bool IsValid(ReadOnlySpan<float> observation, ReadOnlySpan<float> chunk)
    {
        Check(observation.Length, ObservationSize, nameof(observation));
        Check(chunk.Length, Rows * ActionSize, nameof(chunk));
        bool valid = true;
        for (int k = 0; k < Rows; k++)
        {
            double x = chunk[2 * k] * Scale, y = chunk[(2 * k) + 1] * Scale;
            valid &= double.Hypot(x - Centre(observation), y) > Clearance;
            if (k > 0)
            {
                valid &= double.Hypot(x - (chunk[(2 * k) - 2] * Scale), y - (chunk[(2 * k) - 1] * Scale)) < LongestStep;
            }
        }

        return valid && double.Hypot((chunk[^2] * Scale) - observation[1], (chunk[^1] * Scale) - 1) < GoalRadius;
    }

    /// <summary>On which side of the obstacle the middle of the path lies: +1, -1, or 0 exactly above it.</summary>
    /// <param name="observation">[2], m.</param>
    /// <param name="chunk">[16, 2], normalised; finite.</param>
    public static int Side(ReadOnlySpan<float> observation, ReadOnlySpan<float> chunk)
    {
        Check(observation.Length, ObservationSize, nameof(observation));
        Check(chunk.Length, Rows * ActionSize, nameof(chunk));
        return Math.Sign((chunk[Rows] * Scale) - Centre(observation));
    }

    private static double Centre(ReadOnlySpan<float> observation) => observation[0] + (observation[1] / 2);

    private static void Check(int length, int expected, string name)
    {
        if (length != expected)
        {
            throw new ArgumentException($"{name} has {length} elements, Detour has {expected}.", name);
        }
    }
}
