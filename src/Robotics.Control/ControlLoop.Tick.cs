using Robotics.Episodes;
using Robotics.Safety;

namespace Robotics.Control;

public sealed partial class ControlLoop
{
    // The grid of ticks.
    private MonotonicTime _start; // due time of tick 0
    private MonotonicTime _due;
    private MonotonicTime _woke;
    private long _tick = -1;
    private long _ticks;
    private long _missed;
    private long _observeNs; // work of OBSERVE
    private long _allocated;

    // The run: from the first request for a plan to the next hold.
    private bool _begun;         // policy, assembler, map and gate were reset for this run
    private bool _fresh;         // the next request resets the policy
    private long _runTick;       // where the policy's time is 0
    private long _actTick = -1;  // first tick that acted since the start; -1 before
    private long _waitTick = -1; // first tick that waited for the first plan; -1 when not waiting
    private long _gateTick;      // tick of the last gated command
    private ulong _sequence;     // commands of this claim
    private ulong _firstCommand; // first command of this run; 0 before
    private CommandStamp _stamp;
    private long _rowLateNs; // how long the row's own time is over; 0 while plans are on time

    private ulong _plan;
    private ulong _planned; // the last one that the policy made, in time or not
    private long _planNs; // slowest recent request-to-answer, decaying
    private long _plansLate;
    private long _plansRefused;
    private long _repeated;
    private long _gateTouched;

    /// <summary>One whole tick, for lock-step runs: OBSERVE and ACT without waiting between them.</summary>
    /// <param name="due">When the tick is due, on the loop's clock; the first call sets the origin of the grid.</param>
    public void Tick(MonotonicTime due)
    {
        Observe(due);
        Act();
    }

    /// <summary>First half of a tick: the robot is read and checked, requests are obeyed, and the observation goes to the planner
    /// when a plan is due.</summary>
    /// <param name="due">When the tick is due, on the loop's clock.</param>
    public void Observe(MonotonicTime due)
    {
        long allocated = GC.GetAllocatedBytesForCurrentThread();
        _woke = MonotonicTime.Now(_clock);
        Advance(due);
        _operator.TryRead(_command);

        _blocking = Check();
        Show();
        Obey((Requests)Interlocked.Exchange(ref _requests, 0));
        React();
        Collect();
        FollowRoute();
        if (_wantsRun && State is ControlState.Armed or ControlState.Running)
        {
            Plan();
        }

        _observeNs = MonotonicTime.Now(_clock).NanosecondsSince(_woke);
        _allocated += GC.GetAllocatedBytesForCurrentThread() - allocated;
    }

    /// <summary>Second half of a tick: the row due now goes through the gate to the robot, and the tick into the record.</summary>
    public void Act()
    {
        long allocated = GC.GetAllocatedBytesForCurrentThread();
        var begun = MonotonicTime.Now(_clock);
        Collect();
        ReadOnlySpan<float> wanted = default;
        SafeCommand command = default;
        GateReport gate = default;
        if (State == ControlState.Running && NextRow())
        {
            wanted = _wanted;
            command = Seal(out gate);
        }

        if (State != ControlState.Idle || _arming)
        {
            _robot.Send(in command); // empty, which means hold, unless a row passed the gate
        }

        long workNs = _observeNs + MonotonicTime.Now(_clock).NanosecondsSince(begun);
        Work.Record(workNs);
        _recorder?.Append(new TickRow
        {
            Tick = (ulong)_tick,
            Due = _due,
            LatenessNs = _woke.NanosecondsSince(_due),
            WorkNs = workNs,
            State = State,
            Reason = State == ControlState.Running ? HoldReason.None : Reason,
            Observation = _observation.Sequence,
            ObservationAgeNs = _ageNs,
            ActionAgeNs = _observation.ActionAgeNs,
            Route = _follower?.Number ?? 0,
            RouteRow = RouteRow,
            Plan = command.IsHold ? 0 : _schedule.Plan,
            Row = command.IsHold ? -1 : _schedule.Row,
            GateTouched = gate.Touched,
            GateReasons = gate.Reasons,
            Signals = _observation.Signals,
            Wanted = wanted,
            Sent = command.Target,
            Command = _command,
        });
        _allocated += GC.GetAllocatedBytesForCurrentThread() - allocated;
    }

    private void Advance(MonotonicTime due)
    {
        if (_ticks == 0)
        {
            _start = due;
        }

        long tick = (due.NanosecondsSince(_start) + (_periodNs / 2)) / _periodNs;
        _missed += _ticks == 0 ? 0 : Math.Max(0, tick - _tick - 1);
        _tick = Math.Max(tick, _tick + 1);
        _due = due;
        _ticks++;
        Lateness.Record(_woke.NanosecondsSince(due));
    }

    // One sample of the observation vector per tick, whether or not a plan is due: histories and phases count ticks.
    private void Plan()
    {
        var slot = _planner.Slot;
        if (!_begun && slot.IsFree && !HasRoute())
        {
            return;
        }

        if (!_begun)
        {
            _waitTick = _waitTick < 0 ? _tick : _waitTick;
            if ((_tick - _waitTick) * _periodNs > _options.FirstPlan.Ticks * 100)
            {
                Cause(HoldReason.PlanOverdue, _tick - _waitTick, _options.FirstPlan / Timing.Period);
                return;
            }

            if (!slot.IsFree)
            {
                return; // an older run's plan is still being computed; it is dropped when it comes, because this run has not begun
            }

            Begin();
        }

        var time = TimeSpan.FromTicks((_tick - _runTick) * Timing.Period.Ticks);
        _assembler.Assemble(_observation.Signals, time, _command, SeenRoute(), _raw, _wanted, _vector);
        if (slot.IsFree && (_anchored || _tick + Lead() >= _schedule.Wanted))
        {
            long end = _schedule.Needed(_tick);
            _vector.CopyTo(slot.Observation, 0);
            slot.Plan = ++_plan;
            slot.Tick = _tick;
            slot.Reset = _fresh;
            slot.Running = Running();
            slot.RequestedAt = MonotonicTime.Now(_clock);
            slot.Deadline = new(_due.Nanoseconds + ((end - _tick) * _periodNs) + _actAfterNs);
            _fresh = false;
            _anchored = false;
            _planner.Request();
        }
    }

    private void Begin()
    {
        var measured = _observation.Signals.AsSpan(0, _joints);
        _begun = true;
        _fresh = true;
        _anchored = false;
        _runTick = _tick;
        _gateTick = _tick - 1;
        _firstCommand = 0;
        _selfHoldTick = -1;
        _assembler.Reset();
        _actions.Reset(measured);
        _gate.Reset();
        _schedule.Clear();
        Array.Clear(_raw);
        measured.CopyTo(_wanted);
    }

    // Ticks before the end of a chunk at which the next plan must be asked for, so that it arrives in time. A step policy, and a
    // chunk policy that plans within ActAfter, need none: their next plan starts from the newest observation there is.
    private long Lead()
    {
        long span = (long)_rows * Timing.TicksPerRow;
        long beyond = _planNs + (_planNs / 4) - _actAfterNs;
        return span == 1 || beyond <= 0 ? 0 : Math.Min(span - 1, (beyond + _periodNs - 1) / _periodNs);
    }

    // Rows of the running chunk go by while the next one is computed; it is told how many, and joins there.
    private ChunkInExecution Running()
    {
        // A way that was anchored anew leads elsewhere than the running chunk: nothing to join.
        bool last = !_anchored && _schedule.Plan != 0 && _schedule.Plan == _planned;
        return new(last ? _schedule.RowsSince(_tick) : -1, (int)((Lead() + Timing.TicksPerRow - 1) / Timing.TicksPerRow));
    }

    // Takes a finished plan, if there is one.
    private void Collect()
    {
        var slot = _planner.Slot;
        if (!slot.IsAnswered)
        {
            return;
        }

        long ns = slot.FinishedAt.NanosecondsSince(slot.RequestedAt);
        _planNs = Math.Max(ns, _planNs - (_planNs / 16));
        if (_begun && State is ControlState.Armed or ControlState.Running)
        {
            Judge(slot);
        }

        slot.Release();
    }

    private void Judge(PlanExchange slot)
    {
        _planned = slot.Result.Status == PlanStatus.Planned ? slot.Plan : _planned;
        switch (slot.Result.Status)
        {
            case PlanStatus.Planned when _schedule.Accept(slot.Plan, slot.Tick, _tick, slot.Chunk):
                if (State == ControlState.Armed)
                {
                    Move(_supervisor.Begin(), ControlState.Armed, HoldReason.Started, 0, 0);
                    _actTick = _actTick < 0 ? _tick : _actTick;
                    _waitTick = -1;
                }

                break;

            case PlanStatus.Planned or PlanStatus.Late:
                _plansLate++;
                _begun = State == ControlState.Running; // a first plan that is late starts from a newer observation
                break;

            case PlanStatus.Refused:
                _plansRefused++;
                Cause(HoldReason.PolicyRefused);
                break;

            case PlanStatus.NotFinite:
                Cause(HoldReason.ActionNotFinite);
                break;

            default:
                Cause(HoldReason.PolicyFault);
                break;
        }
    }

    private bool NextRow()
    {
        var status = _schedule.Next(_tick, out var row, out long late);
        _rowLateNs = late * _periodNs;
        switch (status)
        {
            case RowStatus.Due:
                row.CopyTo(_raw);
                _actions.Map(row, _observation.Signals.AsSpan(0, _joints), _wanted);
                return true;

            case RowStatus.Same:
                return true; // mapped once: an integrating or relative row must not be added again

            case RowStatus.Repeated:
                _repeated++;
                return true;

            default:
                Cause(HoldReason.PlanOverdue, late, Timing.LateTicks);
                return false;
        }
    }

    private SafeCommand Seal(out GateReport report)
    {
        _wanted.CopyTo(_target, 0);
        var elapsed = Timing.Period * Math.Max(1, _tick - _gateTick);
        // A row that stands in for a late plan answers to the observation it was meant for, not to the newest one: its age counts.
        _stamp = new(_sequence + 1, new(_observation.MeasuredAt.Nanoseconds - _rowLateNs), Timing.ValidFor);
        var command = _gate.Apply(_observation.Signals, _target, elapsed, in _stamp, out report);
        _gateTouched += report.Reasons == GateReasons.None ? 0 : 1;
        if (report.Refused)
        {
            Cause((report.Reasons & GateReasons.Blind) != 0 ? HoldReason.ObservationNotFinite : HoldReason.LimitViolation, (double)report.Reasons, 0);
            return default;
        }

        if ((report.Reasons & GateReasons.TargetNotFinite) != 0)
        {
            Cause(HoldReason.ActionNotFinite);
            return default;
        }

        _gateTick = _tick;
        _sequence++;
        _firstCommand = _firstCommand == 0 ? _sequence : _firstCommand;
        return command;
    }
}
