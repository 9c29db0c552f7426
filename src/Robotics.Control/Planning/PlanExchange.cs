namespace Robotics.Control;

/// <summary>The one slot through which the loop asks for a plan and gets it. Lock-free: its state says who owns the fields.</summary>
/// <remarks>
/// <c>Free ──loop: Ask──▶ Asked ──planner──▶ Answered ──loop: Release──▶ Free</c>. Each arrow is one volatile write by the
/// owner, after which it touches nothing until the slot comes back; so neither side ever waits for or copies under the other.
/// </remarks>
internal sealed class PlanExchange(int observation, int chunk)
{
    private const int Free = 0;
    private const int Asked = 1;
    private const int Answered = 2;

    private int _state = Free;

    /// <summary>[Do], written by the loop before <see cref="Ask"/>.</summary>
    public float[] Observation { get; } = new float[observation];

    /// <summary>[Ta, Da], written by the planner before <see cref="Answer"/>.</summary>
    public float[] Chunk { get; } = new float[chunk];

    public ulong Plan { get; set; }

    /// <summary>Tick of the observation.</summary>
    public long Tick { get; set; }

    public bool Reset { get; set; }

    /// <summary>The chunk that runs meanwhile.</summary>
    public ChunkInExecution Running { get; set; }

    public MonotonicTime RequestedAt { get; set; }

    public MonotonicTime Deadline { get; set; }

    public MonotonicTime StartedAt { get; set; }

    public MonotonicTime FinishedAt { get; set; }

    public PlanResult Result { get; set; }

    /// <summary>Loop: the fields may be filled.</summary>
    public bool IsFree => Volatile.Read(ref _state) == Free;

    /// <summary>Planner: a request is there.</summary>
    public bool IsAsked => Volatile.Read(ref _state) == Asked;

    /// <summary>Loop: the answer is there.</summary>
    public bool IsAnswered => Volatile.Read(ref _state) == Answered;

    public void Ask() => Volatile.Write(ref _state, Asked);

    public void Answer() => Volatile.Write(ref _state, Answered);

    public void Release() => Volatile.Write(ref _state, Free);
}
