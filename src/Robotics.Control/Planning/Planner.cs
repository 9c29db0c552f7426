using Robotics.Episodes;

namespace Robotics.Control;

/// <summary>Calls the policy for the loop: on a thread of its own, or in place.</summary>
/// <remarks>The policy belongs to whoever plans; the loop only ever touches <see cref="Slot"/> while it is free or answered.</remarks>
internal sealed class Planner : IDisposable
{
    private readonly IPolicy _policy;
    private readonly TimeProvider _clock;
    private readonly Recorder? _recorder;
    private readonly ulong _seed;
    private readonly bool _inline;
    private readonly WakeUp? _wake;
    private RealTimeThread? _thread;
    private long _allocated;
    private volatile bool _stopping;
    private volatile string? _fault;

    public Planner(IPolicy policy, TimeProvider clock, Recorder? recorder, ControlOptions options)
    {
        _policy = policy;
        _clock = clock;
        _recorder = recorder;
        _seed = options.Seed;
        _inline = options.Planner == PlannerMode.Inline;
        Slot = new PlanExchange(policy.Spec.ObservationLength, policy.Spec.Rows * policy.Spec.ActionLength);
        if (!_inline)
        {
            _wake = new WakeUp();
            int priority = options.Scheduling.PlannerPriority ?? SchedulingOptions.PriorityOf(policy.Spec, null);
            _thread = RealTimeThread.Start("inference", priority, options.Scheduling.PlannerCpu, options.Scheduling, Serve);
        }
    }

    public PlanExchange Slot { get; }

    public LatencyHistogram Durations { get; } = new();

    /// <summary>What the policy's last fault was about, or the exception it should not have thrown.</summary>
    public string? Fault => _fault;

    /// <summary>Managed bytes allocated by the inference thread while planning, all plans together.</summary>
    public long AllocatedBytes => Volatile.Read(ref _allocated);

    public SchedulingReport? Scheduling => _thread?.Report;

    /// <summary>Loop: hands the filled slot over.</summary>
    public void Request()
    {
        Slot.Ask();
        if (_inline)
        {
            Plan();
        }
        else
        {
            _wake!.Signal();
        }
    }

    /// <summary>Waits for a running plan to end and ends the thread. False: the policy does not return; its thread is left
    /// behind as a background thread and the policy must not be disposed.</summary>
    public bool Stop(TimeSpan patience)
    {
        if (_thread is null)
        {
            return true;
        }

        _stopping = true;
        _wake!.Signal();
        if (!_thread.Join(patience))
        {
            return false;
        }

        _thread = null;
        _wake.Dispose();
        return true;
    }

    public void Dispose() => Stop(TimeSpan.FromSeconds(1));

    private void Serve()
    {
        while (!_stopping)
        {
            if (Slot.IsAsked)
            {
                Plan();
            }
            else
            {
                _wake!.Wait();
            }
        }
    }

    private void Plan()
    {
        var slot = Slot;
        long before = GC.GetAllocatedBytesForCurrentThread();
        slot.StartedAt = MonotonicTime.Now(_clock);
        try
        {
            if (slot.Reset)
            {
                _policy.Reset(_seed);
            }

            slot.Result = _policy.Plan(slot.Observation, slot.Deadline, slot.Chunk);
            if (slot.Result.Status == PlanStatus.Fault)
            {
                _fault = _policy.LastFault;
            }
        }
        catch (Exception error)
        {
            // A policy that throws is a broken policy, not a broken program: the loop holds and says why.
            slot.Result = new(PlanStatus.Fault, 0);
            _fault = error.Message;
        }

        if (slot.Result.Status == PlanStatus.Planned && !Finite(slot.Chunk))
        {
            slot.Result = slot.Result with { Status = PlanStatus.NotFinite };
        }

        slot.FinishedAt = MonotonicTime.Now(_clock);
        Durations.Record(slot.FinishedAt.NanosecondsSince(slot.StartedAt));
        _recorder?.Append(new PlanRow
        {
            Plan = slot.Plan,
            RequestedAt = slot.RequestedAt,
            StartedAt = slot.StartedAt,
            FinishedAt = slot.FinishedAt,
            Deadline = slot.Deadline,
            Status = slot.Result.Status,
            Calls = slot.Result.Calls,
            Energy = slot.Result.Energy,
            AfterReset = slot.Reset,
            Observation = slot.Observation,
            Chunk = slot.Result.Status == PlanStatus.Planned ? slot.Chunk : default,
        });
        Volatile.Write(ref _allocated, _allocated + GC.GetAllocatedBytesForCurrentThread() - before);
        slot.Answer();
    }

    private static bool Finite(ReadOnlySpan<float> values)
    {
        foreach (float value in values)
        {
            if (!float.IsFinite(value))
            {
                return false;
            }
        }

        return true;
    }
}
