namespace Robotics;

/// <summary>How a call of <see cref="IPolicy.Plan"/> ended. All of them are ordinary results.</summary>
public enum PlanStatus : byte
{
    /// <summary>The chunk holds a plan.</summary>
    Planned,

    /// <summary>No plan before the deadline; the chunk is untouched.</summary>
    Late,

    /// <summary>The policy will not act on this observation; the chunk is untouched.</summary>
    Refused,

    /// <summary>The policy produced NaN or infinity; the chunk is untouched.</summary>
    NotFinite,

    /// <summary>The runtime below the policy failed; <see cref="IPolicy.LastFault"/> says how. The chunk is untouched.</summary>
    Fault,
}

/// <summary>What a call of <see cref="IPolicy.Plan"/> did.</summary>
/// <param name="Status">How it ended.</param>
/// <param name="Calls">Network calls it made.</param>
/// <param name="Energy">Energy of the planned chunk, lower is better; NaN when the policy has none.</param>
public readonly record struct PlanResult(PlanStatus Status, int Calls, float Energy = float.NaN);

/// <summary>A slice of the observation vector that feeds one or more network inputs.</summary>
/// <param name="Name">The observation group's name in the manifest.</param>
/// <param name="Offset">First element in the observation vector.</param>
/// <param name="Length">Number of elements.</param>
public sealed record ObservationSlice(string Name, int Offset, int Length);

/// <summary>Shapes and rate of a policy; constant for its lifetime.</summary>
/// <param name="Name">Name of the policy, for messages.</param>
/// <param name="Observation">The observation vector's groups, contiguous, in order.</param>
/// <param name="Rows">Ta: action rows in one chunk that may be executed.</param>
/// <param name="ActionLength">Da: elements of one action row.</param>
/// <param name="Period">Time between two action rows.</param>
public sealed record PolicySpec(string Name, IReadOnlyList<ObservationSlice> Observation, int Rows, int ActionLength, TimeSpan Period)
{
    /// <summary>Do: number of elements in the whole observation vector.</summary>
    public int ObservationLength => Observation.Sum(slice => slice.Length);
}

/// <summary>Turns an observation vector into a plan of future actions.</summary>
/// <remarks>
/// Letters for shapes everywhere in this repository: <c>To</c> observation steps, <c>Do</c> observation elements,
/// <c>Ta</c> action steps, <c>Da</c> action elements, <c>B</c> batch, <c>K</c> candidates. Row-major, time outermost.
/// Not thread-safe: the inference thread that owns a policy is its only caller.
/// <para>Source: receding-horizon action chunks, Chi et al. 2023 (arXiv:2303.04137).</para>
/// </remarks>
public interface IPolicy : IDisposable
{
    /// <summary>Shapes and rate; constant for the policy's lifetime.</summary>
    PolicySpec Spec { get; }

    /// <summary>What the last <see cref="PlanStatus.Fault"/> was about; null before the first.</summary>
    string? LastFault { get; }

    /// <summary>Starts an episode: recurrent states go back to their reset values, random draws to <paramref name="seed"/>.</summary>
    void Reset(ulong seed);

    /// <summary>Plans the next <c>Ta</c> actions without allocating.</summary>
    /// <param name="observation">[Do], the groups of <see cref="PolicySpec.Observation"/> one after another, each with its
    /// history inside, in physical units; not normalised.</param>
    /// <param name="deadline">The plan is worthless after this instant; a sampler that can stop early does.</param>
    /// <param name="chunk">[Ta, Da]; row 0 is due first. Untouched unless the result is <see cref="PlanStatus.Planned"/>.</param>
    /// <exception cref="ArgumentException">A buffer length disagrees with <see cref="Spec"/>.</exception>
    PlanResult Plan(ReadOnlySpan<float> observation, MonotonicTime deadline, Span<float> chunk);
}

/// <summary>What is being executed while a new chunk is planned.</summary>
/// <param name="RowsSince">Rows from the observation that the running chunk was planned from to this one; -1 when the running chunk is
/// not the last one this policy planned.</param>
/// <param name="Delay">d: rows of the running chunk, counted from this observation, that will be executed before the new one takes over.</param>
public readonly record struct ChunkInExecution(int RowsSince, int Delay);

/// <summary>A policy that can plan on from the chunk in execution, so that the new one joins it.</summary>
/// <remarks>Who never tells has a policy that assumes the last chunk was executed to its end, and that planning takes no time.</remarks>
public interface IContinuingPolicy : IPolicy
{
    /// <summary>Tells what will have happened when the next <see cref="IPolicy.Plan"/>'s chunk takes over; holds for that one call.
    /// Allocation-free.</summary>
    void Continue(ChunkInExecution running);
}
