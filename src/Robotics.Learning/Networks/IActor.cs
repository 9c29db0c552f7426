using Robotics.Numerics;

namespace Robotics.Learning.Networks;

/// <summary>Whoever answers an observation with an action: a learner's actor, or a package of any other origin.</summary>
/// <remarks>Not thread-safe.</remarks>
public interface IActor
{
    /// <summary>Do.</summary>
    int ObservationSize { get; }

    /// <summary>Da.</summary>
    int ActionSize { get; }

    /// <summary>Acts.</summary>
    /// <param name="observations">[N, Do], physical.</param>
    /// <param name="actions">[N, Da] receives actions in [-1, 1]; what lies outside counts as the nearest end.</param>
    /// <param name="random">Draws; null: the deterministic action.</param>
    void Act(ReadOnlySpan<float> observations, Span<float> actions, SeededRandom? random);
}
