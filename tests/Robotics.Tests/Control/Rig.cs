using Robotics.Control;
using Robotics.Observations;
using Robotics.Packages;
using Robotics.Safety;

namespace Robotics.Tests.Control;

/// <summary>A clock that the test holds in its hand.</summary>
internal sealed class HeldClock : TimeProvider
{
    private long _ns = 1_000_000_000;

    public override long TimestampFrequency => 1_000_000_000;

    public MonotonicTime Instant => new(Volatile.Read(ref _ns));

    public override long GetTimestamp() => Volatile.Read(ref _ns);

    public void Advance(TimeSpan span) => Volatile.Write(ref _ns, _ns + (span.Ticks * 100));
}

/// <summary>Two joints that follow their targets like a first-order lag, and everything that can break about a robot.</summary>
internal sealed class PlantRobot(TimeProvider clock) : IRobot
{
    public const float TimeConstant = 0.05f; // s
    public const int StatePeriodMs = 20;

    private readonly float[] _q = new float[2];
    private readonly float[] _target = new float[2];
    private ulong _sequence;
    private MonotonicTime _measured;

    public RobotSpec Spec { get; } = new()
    {
        Name = "plant",
        Joints =
        [
            new() { Name = "a", Lower = -1, Upper = 1, MaxSpeed = 20 },
            new() { Name = "b", Lower = -1, Upper = 1, MaxSpeed = 20 },
        ],
        StatePeriodMs = StatePeriodMs,
        ServoPeriodMs = 1,
    };

    public LinkStatus Link { get; set; } = LinkStatus.Direct;

    public bool Missing { get; set; }

    public bool ClockFrozen { get; set; }

    public bool Silent { get; set; } // no new measurement arrives, the link says nothing

    public TimeSpan Delay { get; set; }

    public long ActionAgeNs { get; set; } = 5_000_000;

    public RobotMode? Reports { get; set; }

    public HoldReason ReportsReason { get; set; }

    public bool Throws { get; set; }

    public float[] Position => _q;

    public int Sent { get; private set; }

    public int Holds { get; private set; }

    public bool HoldsNow { get; private set; } = true;

    public CommandStamp Stamp { get; private set; }

    public float[] Target => _target;

    public int Claims { get; private set; }

    public int Releases { get; private set; }

    public int EmergencyStops { get; private set; }

    public Task ClaimAsync(CommandMode mode, CancellationToken cancellation)
    {
        Claims++;
        return Task.CompletedTask;
    }

    public Task ReleaseAsync(CancellationToken cancellation)
    {
        Releases++;
        return Task.CompletedTask;
    }

    public ReadStatus Read(Observation into)
    {
        if (Throws)
        {
            throw new InvalidOperationException("the driver broke");
        }

        if (Missing)
        {
            return ReadStatus.Missing;
        }

        if (Silent)
        {
            return ReadStatus.Repeated;
        }

        var now = MonotonicTime.Now(clock);
        _measured = ClockFrozen ? _measured : now - Delay;
        into.Sequence = ++_sequence;
        into.MeasuredAt = _measured;
        into.MeasuredAtLocal = now - Delay;
        into.ReceivedAt = now;
        into.Mode = Reports ?? (EmergencyStops > 0 ? RobotMode.EmergencyStop : HoldsNow ? RobotMode.Holding : RobotMode.Active);
        into.ModeReason = ReportsReason;
        into.AppliedCommand = Stamp.Sequence;
        into.ActionAgeNs = ActionAgeNs;
        _q.CopyTo(into.Signals, 0);
        return ReadStatus.Fresh;
    }

    public void Send(in SafeCommand command)
    {
        HoldsNow = command.IsHold;
        if (command.IsHold)
        {
            Holds++;
            return;
        }

        Sent++;
        Stamp = command.Stamp;
        command.Target.CopyTo(_target);
    }

    public void EmergencyStop() => EmergencyStops++;

    /// <summary>What a person does at the robot.</summary>
    public void Unlatch() => EmergencyStops = 0;

    public void Step(TimeSpan dt)
    {
        for (int j = 0; j < _q.Length && !HoldsNow; j++)
        {
            _q[j] += (_target[j] - _q[j]) * Math.Min(1, (float)dt.TotalSeconds / TimeConstant);
        }
    }

    public void Dispose()
    {
    }
}

/// <summary>A policy that pulls both joints to a goal, and everything that can break about a policy. Row r of its chunk is the
/// goal plus r thousandths, so that a test can see which row was executed.</summary>
internal sealed class ScriptedPolicy(int rows = 1) : IContinuingPolicy
{
    public PolicySpec Spec { get; } = new("scripted", [new("policy", 0, 2)], rows, 2, TimeSpan.FromMilliseconds(20));

    public string? LastFault => "the runtime broke";

    public float Goal { get; set; } = 0.3f;

    public PlanStatus Answer { get; set; } = PlanStatus.Planned;

    public bool SaysNan { get; set; }

    public bool Throws { get; set; }

    /// <summary>Held: the policy does not return. Only with a planner thread.</summary>
    public ManualResetEventSlim Free { get; } = new(true);

    public int Calls;

    public int Resets { get; private set; }

    public int Disposals { get; private set; }

    public MonotonicTime Deadline { get; private set; }

    /// <summary>What it was told of the running chunk before its last plan.</summary>
    public ChunkInExecution Running { get; private set; }

    public void Continue(ChunkInExecution running) => Running = running;

    public void Reset(ulong seed) => Resets++;

    public PlanResult Plan(ReadOnlySpan<float> observation, MonotonicTime deadline, Span<float> chunk)
    {
        Deadline = deadline;
        Interlocked.Increment(ref Calls);
        Free.Wait();
        if (Throws)
        {
            throw new InvalidOperationException("a policy that throws");
        }

        if (Answer == PlanStatus.Planned)
        {
            for (int i = 0; i < chunk.Length; i++)
            {
                chunk[i] = Goal + (i / 2 * 0.001f);
            }

            chunk[^1] = SaysNan ? float.NaN : chunk[^1];
        }

        return new(Answer, 1);
    }

    public void Dispose() => Disposals++;
}

/// <summary>Plant, policy and loop in lock-step on a held clock.</summary>
internal sealed class Rig : IDisposable
{
    public static readonly TimeSpan Period = TimeSpan.FromMilliseconds(20);

    private readonly PlannerMode _planner;

    public Rig(PlannerMode planner = PlannerMode.Inline, int rows = 1, int lateTicks = 1, Func<Rig, Recorder>? record = null, ControlOptions? options = null, double? ensemble = null, IPolicy? policy = null)
    {
        _planner = planner;
        Robot = new PlantRobot(Clock);
        Policy = new ScriptedPolicy(rows);
        Manifest = Describe(rows, lateTicks) with { Action = new() { Rows = rows, Ensemble = ensemble } };
        Recorder = record?.Invoke(this);
        Policed = policy ?? Policy;
        Loop = new ControlLoop(Manifest, Robot, Policed, new ObservationAssembler(Manifest, Robot.Spec), new ActionMap(Manifest, Robot.Spec),
            (options ?? new()) with { Planner = planner, Scheduling = new() { RealTime = false } }, Clock, Recorder);
    }

    public HeldClock Clock { get; } = new();

    public PlantRobot Robot { get; }

    public ScriptedPolicy Policy { get; }

    /// <summary>What the loop runs: <see cref="Policy"/>, unless the test brought its own.</summary>
    public IPolicy Policed { get; }

    public PolicyManifest Manifest { get; }

    public Recorder? Recorder { get; }

    public ControlLoop Loop { get; }

    public static PolicyManifest Describe(int rows = 1, int lateTicks = 1, double periodMs = 20) => new()
    {
        Name = "scripted",
        Files = [],
        Models = [],
        Observations = [new() { Name = "policy", Terms = [new() { Name = "q", Kind = "joint_position" }] }],
        Action = new() { Rows = rows },
        Timing = new() { PeriodMs = periodMs, LateTicks = lateTicks },
        Commands = [new() { Name = "velocity", Elements = ["vx", "vy"], Lower = [-1, -0.5f], Upper = [1, 0.5f], Default = [0.25f, 0] }],
    };

    /// <summary>The plant answers a claim at once.</summary>
    public void Arm() => Loop.ArmAsync(CancellationToken.None).GetAwaiter().GetResult();

    /// <summary>Claimed, started, and driving.</summary>
    public Rig Driving()
    {
        Arm();
        Loop.Run();
        Step(3);
        Assert.Equal(ControlState.Running, Loop.State);
        Assert.False(Robot.HoldsNow);
        return this;
    }

    public void Step(int ticks = 1)
    {
        for (int i = 0; i < ticks; i++)
        {
            ulong asked = Loop.PlansAsked;
            Loop.Observe(Clock.Instant);
            if (_planner == PlannerMode.Thread && Loop.PlansAsked > asked && Policy.Free.IsSet)
            {
                // A threaded plan takes no time on the held clock, but some on the real one.
                SpinWait.SpinUntil(() => Loop.PlanIsThere, TimeSpan.FromSeconds(2));
            }

            Loop.Act();
            Robot.Step(Period);
            Clock.Advance(Period);
        }
    }

    public List<ControlEvent> Events()
    {
        List<ControlEvent> events = [];
        while (Loop.TryReadEvent(out var happened))
        {
            events.Add(happened);
        }

        return events;
    }

    public void Dispose()
    {
        Policy.Free.Set();
        Loop.Dispose();
        Recorder?.Dispose();
        Policy.Free.Dispose();
    }
}
