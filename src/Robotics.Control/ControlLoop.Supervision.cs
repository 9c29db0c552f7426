namespace Robotics.Control;

public sealed partial class ControlLoop
{
    private int _requests;
    private bool _arming;   // claimed; Armed follows when every check has passed for as long as it takes to settle
    private long _steadyTicks; // in a row that passed every check since the claim
    private bool _wantsRun; // Run or Resume was asked for and no hold came since
    private HoldReason _blocking;
    private double _measured; // figures of _blocking
    private double _limit;

    private bool _seen; // a measurement has been read
    private ulong _lastSequence;
    private MonotonicTime _lastMeasuredAt;
    private MonotonicTime _lastWoke;
    private long _ageNs;
    private long _selfHoldTick = -1; // first tick of a stretch on which the robot held by itself while we drove; -1: none

    [Flags]
    private enum Requests
    {
        None = 0,
        Arm = 1,
        Run = 2,
        Hold = 4,
        Resume = 8,
        Stop = 16,
        EmergencyStop = 32,
        Clear = 64,
        Finish = 128,
    }

    private void Ask(Requests request) => Interlocked.Or(ref _requests, (int)request);

    // What stands in the way of moving, in the order in which the cause of a cause comes first.
    private HoldReason Check()
    {
        _measured = 0;
        _limit = 0;
        var link = _robot.Link;
        var read = _robot.Read(_observation);

        long lateNs = _woke.NanosecondsSince(_due);
        bool backwards = _ticks > 1 && _woke < _lastWoke;
        _lastWoke = _woke;
        bool frozen = read == ReadStatus.Fresh && Frozen();
        _ageNs = _seen ? _woke.NanosecondsSince(_observation.MeasuredAtLocal) : 0;

        if (backwards || lateNs > _options.ClockJumpPeriods * _periodNs || lateNs < -_periodNs)
        {
            return Found(HoldReason.ClockJump, lateNs / 1e6, _options.ClockJumpPeriods * Timing.Period.TotalMilliseconds);
        }

        if (!link.Up)
        {
            return link.Reason == HoldReason.None ? HoldReason.RobotMissing : link.Reason;
        }

        if (read == ReadStatus.Missing || !_seen)
        {
            return HoldReason.RobotMissing;
        }

        if (frozen)
        {
            return HoldReason.RobotClockFrozen;
        }

        switch (_observation.Mode)
        {
            case RobotMode.EmergencyStop:
                return HoldReason.EmergencyStop;
            case RobotMode.Fault:
                return _observation.ModeReason == HoldReason.None ? HoldReason.RobotFault : _observation.ModeReason;
        }

        int blind = NotFinite(_observation.Signals);
        if (blind >= 0)
        {
            return Found(HoldReason.ObservationNotFinite, blind, 0);
        }

        // A measurement from the future is as wrong as one from the past: the clocks disagree.
        long maxAgeNs = Timing.MaxObservationAge.Ticks * 100;
        if (_ageNs > maxAgeNs || _ageNs < -maxAgeNs)
        {
            return Found(HoldReason.ObservationStale, _ageNs / 1e6, Timing.MaxObservationAge.TotalMilliseconds);
        }

        if (State == ControlState.Running)
        {
            var reason = Following();
            if (reason != HoldReason.None)
            {
                return reason;
            }
        }

        return _recorder is { Failed: true } ? HoldReason.RecorderFailed : HoldReason.None;
    }

    private bool Frozen()
    {
        var at = _observation.MeasuredAt;
        bool frozen = _seen && _observation.Sequence != _lastSequence && at <= _lastMeasuredAt;
        if (frozen)
        {
            _measured = at.NanosecondsSince(_lastMeasuredAt) / 1e6;
        }

        _seen = true;
        _lastSequence = _observation.Sequence;
        _lastMeasuredAt = at;
        return frozen;
    }

    private int _oldTicks; // ticks in a row at which the robot reported an action older than tolerated

    // Does the robot do what this run commands, and soon enough?
    private HoldReason Following()
    {
        // Only commands of this run count: what an older claim left behind says nothing about this one.
        ulong applied = _observation.AppliedCommand;
        bool old = _firstCommand > 0 && applied >= _firstCommand && applied <= _sequence && _observation.ActionAgeNs > Timing.MaxActionAge.Ticks * 100;

        // As many ticks as the manifest lets an old row stand in for a late plan, and no more.
        _oldTicks = old ? _oldTicks + 1 : 0;
        if (_oldTicks > Timing.LateTicks)
        {
            return Found(HoldReason.ActionAgeExceeded, _observation.ActionAgeNs / 1e6, Timing.MaxActionAge.TotalMilliseconds);
        }

        // One late command makes a robot hold for a moment; one that stays there hears nothing of us.
        bool holdsItself = _firstCommand > 0 && _observation.Mode == RobotMode.Holding;
        _selfHoldTick = !holdsItself ? -1 : _selfHoldTick < 0 ? _tick : _selfHoldTick;
        var stretch = Timing.Period * (_selfHoldTick < 0 ? 0 : _tick - _selfHoldTick);
        return stretch <= Timing.MaxActionAge * 2 ? HoldReason.None
            : Found(_observation.ModeReason == HoldReason.None ? HoldReason.CommandExpired : _observation.ModeReason, stretch.TotalMilliseconds, 0);
    }

    private HoldReason Found(HoldReason reason, double measured, double limit)
    {
        _measured = measured;
        _limit = limit;
        return reason;
    }

    // What stops comes before what starts.
    private void Obey(Requests asked)
    {
        if ((asked & Requests.EmergencyStop) != 0)
        {
            var from = State;
            Move(_supervisor.EmergencyStop(), from, HoldReason.EmergencyStop, 0, 0);
        }

        if ((asked & Requests.Stop) != 0)
        {
            End(HoldReason.OperatorStop, 0);
        }

        if ((asked & Requests.Finish) != 0)
        {
            End(HoldReason.EndOfRun, RunTime.TotalSeconds);
        }

        if ((asked & Requests.Hold) != 0)
        {
            Cause(HoldReason.OperatorStop);
            asked &= ~(Requests.Resume | Requests.Run);
        }

        if ((asked & Requests.Clear) != 0 && State == ControlState.EmergencyStop)
        {
            bool cleared = _blocking != HoldReason.EmergencyStop && _supervisor.Clear();
            Tell(cleared ? ControlState.EmergencyStop : State, HoldReason.EmergencyStop, 0, 0);
        }

        if ((asked & Requests.Arm) != 0)
        {
            _sequence = 0; // commands count within one claim
            _arming = true;
        }

        if ((asked & Requests.Run) != 0)
        {
            _wantsRun |= State is ControlState.Idle or ControlState.Armed;
        }

        if ((asked & Requests.Resume) != 0 && State == ControlState.Holding)
        {
            if (_blocking != HoldReason.None)
            {
                Tell(State, _blocking, _measured, _limit); // dropped, not remembered: motion never starts by itself
            }
            else
            {
                Move(_supervisor.Resume(), ControlState.Holding, HoldReason.Started, 0, 0);
                _wantsRun = true;
            }
        }
    }

    private void React()
    {
        if (_blocking == HoldReason.EmergencyStop)
        {
            var from = State;
            Move(_supervisor.EmergencyStop(), from, HoldReason.EmergencyStop, 0, 0);
        }
        else if (_options.Duration is { } duration && _actTick >= 0 && RunTime >= duration)
        {
            End(HoldReason.EndOfRun, RunTime.TotalSeconds); // holding or not
        }
        else if (_blocking != HoldReason.None)
        {
            _steadyTicks = 0;
            Cause(_blocking, _measured, _limit);
        }
        else if (_arming && State == ControlState.Idle && ++_steadyTicks * Timing.Period >= _options.Settle)
        {
            Move(_supervisor.Arm(), ControlState.Idle, HoldReason.Ready, 0, 0);
        }
    }

    private TimeSpan RunTime => _actTick < 0 ? TimeSpan.Zero : Timing.Period * (_tick - _actTick);

    private void Cause(HoldReason reason) => Cause(reason, 0, 0);

    private void Cause(HoldReason reason, double measured, double limit)
    {
        var from = State;
        Move(_supervisor.Hold(reason), from, reason, measured, limit);
    }

    private void End(HoldReason reason, double seconds)
    {
        var from = State;
        Move(_supervisor.Stop(reason), from, reason, seconds, 0);
    }

    // Every change of state passes here. Whatever is not Armed or Running forgets the run, so that the next one starts afresh.
    private void Move(bool moved, ControlState from, HoldReason reason, double measured, double limit)
    {
        if (!moved)
        {
            return;
        }

        if (State is not ControlState.Running)
        {
            _begun = false;
            _waitTick = -1;
            _wantsRun &= State == ControlState.Armed;
        }

        Tell(from, reason, measured, limit);
    }

    private void Tell(ControlState from, HoldReason reason, double measured, double limit)
    {
        var happened = new ControlEvent(MonotonicTime.Now(_clock), from, State, reason, measured, limit);
        _recorder?.Append(in happened);
        if (_events.TryReserve(in happened, out _))
        {
            _events.Publish();
        }
    }

    private static int NotFinite(ReadOnlySpan<float> values)
    {
        for (int i = 0; i < values.Length; i++)
        {
            if (!float.IsFinite(values[i]))
            {
                return i;
            }
        }

        return -1;
    }
}
