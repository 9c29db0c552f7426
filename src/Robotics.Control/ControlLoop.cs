using Robotics.Observations;
using Robotics.Packages;
using Robotics.Safety;

namespace Robotics.Control;

/// <summary>Drives one robot with one policy at a fixed rate: observe, plan when due, gate, act, record.</summary>
/// <remarks>
/// <para>A tick has two moments. OBSERVE at <c>start + k period</c> reads the robot, checks everything and hands the observation
/// to the planner; ACT, <see cref="ControlTiming.ActAfter"/> later, takes a finished plan if there is one, sends the row that is
/// due now through the gate, and records. The loop never waits for the planner, and the tick never allocates, locks or logs.</para>
/// <para>Two ways to run it. <see cref="Start"/>: on a real-time thread, on the system's clock. Or
/// <see cref="Tick"/> (or <see cref="Observe"/> and <see cref="Act"/>) by hand, with <see cref="PlannerMode.Inline"/> and a
/// clock that the caller holds: deterministic, as fast as it goes. Not both.</para>
/// <para>Requests (<see cref="Run"/>, <see cref="Hold"/>, <see cref="Resume"/>, <see cref="Stop"/>, <see cref="EmergencyStop"/>,
/// <see cref="SetCommand"/>) come from any thread and are seen by the next OBSERVE.</para>
/// </remarks>
public sealed partial class ControlLoop : IDisposable
{
    private const double ArrivalMargin = 0.15; // of a state period, for the jitter of arrivals
    private static readonly TimeSpan s_poll = TimeSpan.FromMicroseconds(100);

    private readonly IRobot _robot;
    private readonly ObservationAssembler _assembler;
    private readonly ActionMap _actions;
    private readonly SafetyGate _gate;
    private readonly TimeProvider _clock;
    private readonly Recorder? _recorder;
    private readonly ControlOptions _options;
    private readonly Planner _planner;
    private readonly ActionSchedule _schedule;
    private readonly Supervisor _supervisor = new();
    private readonly OperatorCommand _operator;
    private readonly RowRing<ControlEvent> _events = new(256, 0);

    private readonly Observation _observation;
    private readonly float[] _vector;   // [Do] observation vector of this tick
    private readonly float[] _command;  // operator command of this tick
    private readonly float[] _raw;      // [Da] row executed last
    private readonly float[] _wanted;   // [Nj] targets before the gate
    private readonly float[] _target;   // [Nj] targets after the gate
    private readonly int _joints;
    private readonly long _periodNs;
    private readonly long _actAfterNs;
    private readonly int _rows;

    private RealTimeThread? _thread;
    private volatile bool _ending;
    private bool _ended;
    private string? _fault;

    /// <summary>Puts the parts together; nothing moves and no robot is claimed yet.</summary>
    /// <param name="manifest">For timings and operator commands.</param>
    /// <param name="robot">Not owned.</param>
    /// <param name="policy">Not owned, but used by the inference thread alone until <see cref="Dispose"/> has returned.</param>
    /// <param name="assembler">Built from the same manifest and robot; owned by the loop thread from here on.</param>
    /// <param name="actions">Built from the same manifest and robot; owned by the loop thread from here on.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <param name="clock">Null for the system's; <see cref="Start"/> needs that one.</param>
    /// <param name="recorder">Not owned; dispose it after the loop. Null: no record.</param>
    /// <exception cref="ConfigException">The parts do not fit each other, all at once, both sides named.</exception>
    public ControlLoop(PolicyManifest manifest, IRobot robot, IPolicy policy, ObservationAssembler assembler, ActionMap actions,
        ControlOptions? options = null, TimeProvider? clock = null, Recorder? recorder = null)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        ArgumentNullException.ThrowIfNull(robot);
        ArgumentNullException.ThrowIfNull(policy);
        ArgumentNullException.ThrowIfNull(assembler);
        ArgumentNullException.ThrowIfNull(actions);
        Timing = ControlTiming.From(manifest, robot.Spec);
        _options = (options ?? new()).Checked("code");
        var check = new ConfigCheck(manifest.Origin);
        Fit(manifest, policy.Spec, assembler, actions, check);
        check.Throw();

        var spec = policy.Spec;
        _robot = robot;
        _assembler = assembler;
        _actions = actions;
        _clock = clock ?? TimeProvider.System;
        _recorder = recorder;
        _gate = new SafetyGate(robot.Spec, actions.Mode);
        _operator = new OperatorCommand(manifest.Commands);
        _joints = robot.Spec.Joints.Count;
        _rows = spec.Rows;
        _periodNs = Timing.Period.Ticks * 100;
        _actAfterNs = Timing.ActAfter.Ticks * 100;
        _schedule = new ActionSchedule(spec.Rows, spec.ActionLength, Timing.TicksPerRow, Timing.LateTicks, manifest.Action.Ensemble);
        _observation = new Observation(robot.Spec.Layout.Length);
        _shown = new(() => new float[robot.Spec.Layout.Length]);
        _vector = new float[assembler.Length];
        _command = new float[_operator.Length];
        _operator.TryRead(_command);
        if (manifest.Route is { } route)
        {
            (_routeSpec, _ground) = (route, new(route, robot.Spec));
            _follower = new(route, _ground, Timing.Period);
        }

        _route = new float[assembler.RouteLength];
        _raw = new float[spec.ActionLength];
        _wanted = new float[_joints];
        _target = new float[_joints];
        _planner = new Planner(policy, _clock, recorder, _options);
    }

    /// <summary>Says where a policy's networks and its wiring disagree, before anything else is touched.</summary>
    public static void Fit(PolicyManifest manifest, PolicySpec spec, ObservationAssembler assembler, ActionMap actions, ConfigCheck check)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        ArgumentNullException.ThrowIfNull(spec);
        ArgumentNullException.ThrowIfNull(assembler);
        ArgumentNullException.ThrowIfNull(actions);
        ArgumentNullException.ThrowIfNull(check);
        foreach (var (described, taken) in assembler.Groups.Zip(spec.Observation).Where(pair => pair.First.Length != pair.Second.Length))
        {
            check.Add("observations", $"'{described.Name}' describes {described.Length} elements, the network's input that it feeds takes {taken.Length}; compare its terms with what the network was trained on");
        }

        check.That(assembler.Groups.Count == spec.Observation.Count, "observations",
            $"have {assembler.Groups.Count} groups, policy '{spec.Name}' takes {spec.Observation.Count}");
        check.That(spec.ActionLength == actions.ActionLength, "action",
            $"describes {actions.ActionLength} elements, policy '{spec.Name}' gives {spec.ActionLength}; compare 'action.joints' with the network's output");
        check.That(assembler.CommandElements.Count == manifest.Commands.Sum(command => command.Default.Count), "commands",
            $"have {manifest.Commands.Sum(command => command.Default.Count)} defaults for {assembler.CommandElements.Count} elements");
        check.That(spec.Rows >= 1, "action.rows", $"is {spec.Rows}, expected at least 1");
    }

    /// <summary>Periods, ages and patience of this run.</summary>
    public ControlTiming Timing { get; }

    /// <summary>Where the loop stands; any thread.</summary>
    public ControlState State => _supervisor.State;

    /// <summary>Why it stands there; any thread.</summary>
    public HoldReason Reason => _supervisor.Reason;

    /// <summary>True after <see cref="Dispose"/> when the policy had not returned within a second: its thread was left behind, and
    /// disposing the policy under it would pull memory from under native code.</summary>
    public bool PolicyIsStuck { get; private set; }

    /// <summary>Names of the operator command vector's elements, <c>COMMAND.ELEMENT</c>.</summary>
    public IReadOnlyList<string> CommandNames => _operator.Names;

    /// <summary>What the two threads asked of the system and got; the loop's only after <see cref="Start"/>.</summary>
    public IReadOnlyList<SchedulingReport> Scheduling =>
        [.. new[] { _thread?.Report, _planner.Scheduling }.OfType<SchedulingReport>()];

    /// <summary>Wake-up lateness at OBSERVE, since the start.</summary>
    public LatencyHistogram Lateness { get; } = new();

    /// <summary>Work of one tick, since the start.</summary>
    public LatencyHistogram Work { get; } = new();

    /// <summary>Time of one call of the policy, since the start.</summary>
    public LatencyHistogram PlanDurations => _planner.Durations;

    /// <summary>True while a finished plan waits for the next half tick; lock-step tests wait for it.</summary>
    internal bool PlanIsThere => _planner.Slot.IsAnswered;

    /// <summary>Plans asked for so far; for the thread that ticks.</summary>
    internal ulong PlansAsked => _plan;

    /// <summary>Starts ticking on a real-time thread; the loop reads the robot and commands nothing until it is armed.</summary>
    /// <exception cref="InvalidOperationException">Already started, or the loop has a clock of its own.</exception>
    public void Start()
    {
        if (_thread is not null)
        {
            throw new InvalidOperationException("The loop runs already.");
        }

        if (!ReferenceEquals(_clock, TimeProvider.System))
        {
            throw new InvalidOperationException("A loop on a clock of its own cannot sleep on it: call Tick, or build it with TimeProvider.System.");
        }

        var scheduling = _options.Scheduling;
        _thread = RealTimeThread.Start("control", scheduling.LoopPriority, scheduling.LoopCpu, scheduling, Serve);
    }

    /// <summary>Claims the robot for this policy's kind of targets; Idle becomes Armed at the next tick that passes every check.
    /// While Holding it only claims again (after a lost lease): a resume must follow.</summary>
    /// <exception cref="RobotRefusedException">The robot said no; the message says why.</exception>
    public async Task ArmAsync(CancellationToken cancellation)
    {
        await _robot.ClaimAsync(_actions.Mode, cancellation).ConfigureAwait(false);
        Ask(Requests.Arm);
    }

    /// <summary>Starts the run: from Armed, the first plan that arrives drives the robot. May be asked before the loop is Armed.</summary>
    public void Run() => Ask(Requests.Run);

    /// <summary>An operator's stop: the robot holds, the loop goes on, <see cref="Resume"/> continues.</summary>
    public void Hold() => Ask(Requests.Hold);

    /// <summary>Ends a hold, when every check passes at the next tick: the policy starts afresh from where the robot is. Otherwise
    /// the request is dropped and an event says what stands in the way.</summary>
    public void Resume() => Ask(Requests.Resume);

    /// <summary>Ends the run for good at the next tick; the robot holds.</summary>
    public void Stop() => Ask(Requests.Stop);

    /// <summary>Ends the run because its task is done; the robot holds. From any thread.</summary>
    public void Finish() => Ask(Requests.Finish);

    /// <summary>Stops the robot at once, from the calling thread, and latches.</summary>
    public void EmergencyStop()
    {
        _robot.EmergencyStop();
        Ask(Requests.EmergencyStop);
    }

    /// <summary>Unlatches an emergency stop once the robot has left its own; the loop then holds until resumed.</summary>
    public void ClearEmergencyStop() => Ask(Requests.Clear);

    /// <summary>Sets the operator's command vector from the next tick on, clipped to the ranges the policy was trained with.</summary>
    /// <param name="values">[<see cref="CommandNames"/>.Count].</param>
    /// <exception cref="ArgumentException">Wrong length, NaN or infinity; the old vector stays.</exception>
    public void SetCommand(ReadOnlySpan<float> values) => _operator.Set(values);

    /// <summary>The oldest change of state not taken yet; for one status thread. Kept even when a recorder takes them too.</summary>
    public bool TryReadEvent(out ControlEvent happened)
    {
        if (!_events.TryPeek(out happened, out _))
        {
            return false;
        }

        _events.Release();
        return true;
    }

    /// <summary>Stops the run, waits for the tick that holds the robot, ends the threads and gives the robot back.</summary>
    public async Task StopAsync(CancellationToken cancellation)
    {
        Stop();
        if (_thread is not null)
        {
            // A few periods are plenty; a loop that does not answer is ended all the same, and the robot's own timer holds it.
            var patience = (Timing.Period * 5) + TimeSpan.FromMilliseconds(200);
            long begun = _clock.GetTimestamp();
            while (State is not (ControlState.Stopped or ControlState.EmergencyStop) && _clock.GetElapsedTime(begun) < patience)
            {
                await Task.Delay(1, cancellation).ConfigureAwait(false);
            }
        }

        End();
        await _robot.ReleaseAsync(cancellation).ConfigureAwait(false);
    }

    /// <summary>Ends both threads; the robot holds. Does not release the claim: that is <see cref="StopAsync"/>.</summary>
    public void Dispose() => End();

    private void End()
    {
        if (_ended)
        {
            return;
        }

        _ended = true;
        _ending = true;
        if (_thread is { } thread)
        {
            thread.Join(TimeSpan.FromSeconds(2) + (Timing.Period * 2));
        }
        else
        {
            _robot.Send(default);
        }

        PolicyIsStuck = !_planner.Stop(TimeSpan.FromSeconds(1));
    }

    private void Serve()
    {
        var start = Align();
        var spin = _options.Scheduling.Spin;
        for (long k = 0; !_ending;)
        {
            var due = new MonotonicTime(start.Nanoseconds + (k * _periodNs));
            PreciseSleep.Until(due, spin);
            try
            {
                Observe(due);
                PreciseSleep.Until(new(due.Nanoseconds + _actAfterNs), TimeSpan.Zero);
                Act();
            }
            catch (Exception error)
            {
                // Robot and parts promise not to throw here. When one does, hold and say so rather than take the process down.
                _fault ??= error.Message;
                Cause(HoldReason.RobotFault);
                HoldAnyway();
            }

            // The grid stays where it is: ticks that went by while this one was late are skipped, not caught up.
            k = Math.Max(k + 1, (MonotonicTime.Now(_clock).NanosecondsSince(start) / _periodNs) + 1);
        }

        HoldAnyway();
    }

    // Ticks start shortly after measurements arrive: where the control period is a multiple of the state period, every tick then finds
    // one that is fresh, instead of one up to a whole state period old, by chance. Two machines' clocks drift apart and lose this
    // again within minutes, which costs nothing but the gain.
    private MonotonicTime Align()
    {
        var state = TimeSpan.FromMilliseconds(_robot.Spec.StatePeriodMs);
        var now = MonotonicTime.Now(_clock);
        var patience = now + (state * 3);
        int arrived = 0;
        while (now < patience && !_ending)
        {
            // The first one may have waited for us; the next one has just arrived.
            arrived += _robot.Read(_observation) == ReadStatus.Fresh ? 1 : 0;
            if (arrived == 2)
            {
                return now + state + (state * ArrivalMargin);
            }

            PreciseSleep.Until(now + s_poll);
            now = MonotonicTime.Now(_clock);
        }

        return now + Timing.Period;
    }

    private void HoldAnyway()
    {
        try
        {
            _robot.Send(default);
        }
        catch (Exception error)
        {
            _fault ??= error.Message; // the robot's own timer holds it from here on
        }
    }
}
