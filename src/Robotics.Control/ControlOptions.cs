namespace Robotics.Control;

/// <summary>Who calls the policy.</summary>
public enum PlannerMode
{
    /// <summary>A dedicated inference thread: a slow policy never delays a tick.</summary>
    Thread,

    /// <summary>The caller of the tick, in place: deterministic, for lock-step runs on a clock that somebody holds.</summary>
    Inline,
}

/// <summary>How a control loop is run, beside what the manifest says.</summary>
public sealed record ControlOptions
{
    /// <summary>Who calls the policy.</summary>
    public PlannerMode Planner { get; init; } = PlannerMode.Thread;

    /// <summary>Time from the run's first action to its end, holds included; above 0. Null: until somebody stops it.</summary>
    public TimeSpan? Duration { get; init; }

    /// <summary>Draws everything random about the policy.</summary>
    public ulong Seed { get; init; }

    /// <summary>A tick that wakes later than this many periods is a clock jump; 2 to 100.</summary>
    public int ClockJumpPeriods { get; init; } = 3;

    /// <summary>How long every check must pass without a break between the claim and Armed, 0 to 60 s: a path that has just been
    /// opened stutters. Holds are sent meanwhile.</summary>
    public TimeSpan Settle { get; init; }

    /// <summary>Patience for the first plan of a run, while the robot holds; 10 ms to 60 s.</summary>
    public TimeSpan FirstPlan { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>What is asked of the operating system for the two threads.</summary>
    public SchedulingOptions Scheduling { get; init; } = new();

    /// <summary>Returns this record, or reports everything wrong with it at once.</summary>
    /// <param name="source">Where the values came from, for the message.</param>
    /// <exception cref="ConfigException">One or more values are out of range.</exception>
    public ControlOptions Checked(string source)
    {
        var check = new ConfigCheck(source);
        check.That(Duration is null || Duration > TimeSpan.Zero, "ControlOptions.Duration", FormattableString.Invariant($"is {Duration}, expected above 0, or null"));
        check.Range(ClockJumpPeriods, 2, 100, "ControlOptions.ClockJumpPeriods");
        check.Range(Settle.TotalSeconds, 0, 60, "ControlOptions.Settle (s)");
        check.Range(FirstPlan.TotalMilliseconds, 10, 60_000, "ControlOptions.FirstPlan (ms)");
        check.Range(Scheduling.LoopPriority, 1, 99, "SchedulingOptions.LoopPriority");
        check.Range(Scheduling.PlannerPriority ?? 0, 0, 99, "SchedulingOptions.PlannerPriority");
        check.Range(Scheduling.Spin.TotalMicroseconds, 0, 1000, "SchedulingOptions.Spin (us)");
        check.That(Scheduling.LoopCpu is null or (>= 0 and < 1024), "SchedulingOptions.LoopCpu", $"is {Scheduling.LoopCpu}, expected 0 to 1023, or null");
        check.That(Scheduling.PlannerCpu is null or (>= 0 and < 1024), "SchedulingOptions.PlannerCpu", $"is {Scheduling.PlannerCpu}, expected 0 to 1023, or null");
        check.Throw();
        return this;
    }
}

/// <summary>What is asked of the operating system. Everything is tried, nothing is required; see
/// <see cref="SchedulingReport"/> for what was granted.</summary>
public sealed record SchedulingOptions
{
    private static readonly TimeSpan s_short = TimeSpan.FromMilliseconds(5); // about what an ordinary thread waits for its turn

    /// <summary>False: ordinary threads, nothing asked.</summary>
    public bool RealTime { get; init; } = true;

    /// <summary>SCHED_FIFO priority of the loop thread, 1 to 99.</summary>
    public int LoopPriority { get; init; } = 80;

    /// <summary>SCHED_FIFO priority of the inference thread, 1 to 99, below the loop's; 0: an ordinary thread. Null: what
    /// <see cref="PriorityOf"/> says of a plan that takes its time.</summary>
    public int? PlannerPriority { get; init; }

    /// <summary>The priority that fits a policy: 70 for step policies, which must answer within a tick, and for chunk policies
    /// whose plans are short (5 ms and a twentieth of the time a chunk lasts at most), which an ordinary thread's wait for its next
    /// turn would make late; 0 for slow plans, which have time and would starve the threads that carry commands and observations
    /// (Linux also stops real-time threads that use more than 95 % of a core).</summary>
    /// <param name="spec">The policy.</param>
    /// <param name="plan">What a plan takes, as <see cref="ControlLoop.Rehearse"/> found; null: not known, taken as long.</param>
    public static int PriorityOf(PolicySpec spec, TimeSpan? plan)
    {
        ArgumentNullException.ThrowIfNull(spec);
        return spec.Rows == 1 || (plan is { } took && took <= s_short && took * 20 <= spec.Period * spec.Rows) ? 70 : 0;
    }

    /// <summary>Processor to pin the loop thread to; null: any.</summary>
    public int? LoopCpu { get; init; }

    /// <summary>Processor to pin the inference thread to; null: any.</summary>
    public int? PlannerCpu { get; init; }

    /// <summary>Keep touched pages in memory (mlockall with MCL_ONFAULT).</summary>
    public bool LockMemory { get; init; } = true;

    /// <summary>How long before OBSERVE the loop stops sleeping and spins, 0 to 1 ms. 100 µs at 500 Hz is 5 % of one core.</summary>
    public TimeSpan Spin { get; init; } = TimeSpan.FromMicroseconds(100);
}
