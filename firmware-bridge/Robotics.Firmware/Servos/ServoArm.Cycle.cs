namespace Robotics.Firmware.Servos;

public sealed partial class ServoArm
{
    private const int TorqueCheck = 10; // cycles between looks whether one more servo still has its torque

    private static readonly string[] Sources = ["servo:load", "servo:voltage", "servo:temperature"];

    // All of the I/O thread's.
    private readonly Order _active;
    private readonly ServoState[] _states;
    private readonly int[] _goals;      // [Nj] ticks
    private readonly float[] _angles;   // [Nj] rad, the goals
    private readonly int[] _values;     // [Nj] scratch for registers
    private readonly float[] _effort;   // [Nj] Nm of full load
    private readonly bool _hasVelocity;
    private readonly (int Offset, string Source)[] _signals;
    private IServoBus? _bus;
    private RobotMode _mode = RobotMode.Holding;
    private HoldReason _reason = HoldReason.None;
    private HoldReason _block = HoldReason.None; // why no command is followed until a hold or a claim
    private int _claimSeen;
    private int _holdSeen;
    private int _faults;
    private bool _torque;
    private MonotonicTime _whole;   // when every servo answered last
    private ulong _sequence;
    private ulong _applied;
    private long _actionAgeNs;

    private void Run()
    {
        var due = MonotonicTime.SystemNow();
        _whole = due;
        while (!_disposed)
        {
            due += _period;
            PreciseSleep.Until(due);
            var now = MonotonicTime.SystemNow();
            if (now - due > _period)
            {
                Overruns++;
                due = now;
            }

            if (_bus is not { } bus)
            {
                Reconnect();
                due = MonotonicTime.SystemNow();
                continue;
            }

            long before = GC.GetAllocatedBytesForCurrentThread();
            var lost = Cycle(bus, now);
            Volatile.Write(ref _allocated, _allocated + GC.GetAllocatedBytesForCurrentThread() - before);
            if (lost is { } how)
            {
                Lose(bus, how);
            }

            Volatile.Write(ref _cycles, _cycles + 1);
        }

        _bus?.Dispose();
    }

    /// <summary>Reads everything, decides, writes everything. Returns how the arm was lost; null while it is there.</summary>
    private Loss? Cycle(IServoBus bus, MonotonicTime now)
    {
        TakeOrder();
        var status = bus.ReadStates(_ids, _states);
        var measured = MonotonicTime.SystemNow();
        Volatile.Write(ref _roundTripNs, measured.NanosecondsSince(now));
        Volatile.Write(ref _dropped, bus.Skipped);
        if (status == ReplyStatus.Gone)
        {
            return Loss.Line;
        }

        if (status != ReplyStatus.Ok)
        {
            // The goals of before stay; one missed answer is no loss yet.
            return measured - _whole > _options.Silence ? Loss.Silence : null;
        }

        _whole = measured;
        LookForFaults();
        Decide(measured);
        if (!Drive(bus, measured))
        {
            return Loss.Line;
        }

        Publish(measured);
        return _torque && _faults == 0 && _cycles % TorqueCheck == 0 && !StillDrives(bus) ? Loss.Torque : null;
    }

    private void TakeOrder()
    {
        int claim = Volatile.Read(ref _claims);
        if (claim != _claimSeen)
        {
            // Claimed anew: nothing that was commanded before counts.
            _claimSeen = claim;
            _active.Hold = true;
            _block = HoldReason.None;
        }

        int holds = Volatile.Read(ref _holds);
        if (holds != _holdSeen)
        {
            _holdSeen = holds;
            _active.Hold = true;
            _block = HoldReason.None;
        }

        if (_orders.Take() && _orders.Front is var order && order.Claim == claim)
        {
            _active.Hold = order.Hold;
            _active.Arrived = order.Arrived;
            _active.Stamp = order.Stamp;
            order.Target.CopyTo(_active.Target, 0);
        }
    }

    /// <summary>Whoever drives now must hold before it drives on, because it may not have noticed. Who holds already has nothing to
    /// be told: a robot side commands its hold while the stop or the loss lasts, and what it lets through afterwards is meant.</summary>
    private void Block(HoldReason reason) => _block = _active.Hold ? _block : reason;

    private void LookForFaults()
    {
        int faults = 0;
        foreach (ref readonly var state in _states.AsSpan())
        {
            faults |= state.Faults;
        }

        if (faults == _faults)
        {
            return;
        }

        if (faults != 0)
        {
            Block(HoldReason.RobotFault);
            _trouble = string.Join("; ", Enumerable.Range(0, _states.Length).Where(j => _states[j].Faults != 0)
                .Select(j => $"servo {_ids[j]} '{_motors[j].Name}' reports {_bus!.Table.NameFaults(_states[j].Faults)}"));
        }
        else
        {
            // An error may have taken a servo's torque: hold where the joints are now.
            _trouble = null;
            _torque = false;
        }

        _faults = faults;
    }

    private void Decide(MonotonicTime now)
    {
        if (_emergency)
        {
            Block(HoldReason.EmergencyStop);
            (_mode, _reason) = (RobotMode.EmergencyStop, HoldReason.EmergencyStop);
            return;
        }

        (_mode, _reason) = _faults != 0 ? (RobotMode.Fault, HoldReason.RobotFault)
            : _block != HoldReason.None ? (RobotMode.Holding, _block)
            : !Volatile.Read(ref _claimed) || _active.Hold ? (RobotMode.Holding, HoldReason.None)
            : now - _active.Arrived > _active.Stamp.ValidFor ? (RobotMode.Holding, HoldReason.CommandExpired)
            : (RobotMode.Active, HoldReason.None);
    }

    /// <summary>Moves the goals and sends them; false when the line is gone.</summary>
    private bool Drive(IServoBus bus, MonotonicTime now)
    {
        bool limp = _mode != RobotMode.Active && Spec.Hold.Mode == HoldMode.Zero;
        if (limp)
        {
            return !_torque || SetTorque(bus, false);
        }

        if (!_torque)
        {
            // Goals first, torque second: whatever stood in the servos must not be run to.
            StayHere();
            if (!bus.WriteGoals(_ids, _goals) || !SetTorque(bus, true))
            {
                return false;
            }
        }

        for (int j = 0; j < _goals.Length; j++)
        {
            _angles[j] = _mode == RobotMode.Active ? _active.Target[j] : Hold(j);
            _goals[j] = _motors[j].Ticks(_angles[j]);
        }

        if (_mode == RobotMode.Active && _active.Stamp.Sequence != _applied)
        {
            _applied = _active.Stamp.Sequence;
            _actionAgeNs = now.NanosecondsSince(_active.Stamp.ObservedAt);
        }

        return bus.WriteGoals(_ids, _goals);
    }

    private float Hold(int j)
    {
        float dt = (float)_period.TotalSeconds;
        float reach = Spec.Hold.Speed * dt;
        return Spec.Hold.Mode switch
        {
            HoldMode.Damp => _angles[j] + ((_motors[j].Angle(_states[j].Position) - _angles[j]) * Math.Min(1, dt / (float)DampTime.TotalSeconds)),
            HoldMode.Pose => _angles[j] + Math.Clamp(Spec.Joints[j].Default - _angles[j], -reach, reach),
            _ => _angles[j],
        };
    }

    private void StayHere()
    {
        for (int j = 0; j < _goals.Length; j++)
        {
            _goals[j] = _states[j].Position;
            _angles[j] = _motors[j].Angle(_states[j].Position);
        }
    }

    private bool SetTorque(IServoBus bus, bool on)
    {
        _torque = on;
        Array.Fill(_values, on ? 1 : 0);
        return bus.WriteAll(_ids, bus.Table["torque_enable"], _values);
    }

    /// <summary>Asks one servo after the other: a dip of the supply takes the torque without a word, and a watchdog lets no goal in.</summary>
    private bool StillDrives(IServoBus bus) =>
        !bus.ReadDriving(_ids[_cycles / TorqueCheck % _ids.Length], out bool driving).Ok || driving;

    private void Publish(MonotonicTime measured)
    {
        var observation = _observations.Back;
        var signals = observation.Signals;
        int joints = _motors.Length;
        for (int j = 0; j < joints; j++)
        {
            ref readonly var state = ref _states[j];
            signals[j] = _motors[j].Angle(state.Position);
            signals[joints + j] = _hasVelocity ? _motors[j].Sense(state.Velocity) : 0;
            signals[(2 * joints) + j] = _motors[j].Sense(state.Load) * _effort[j];
        }

        foreach (var (offset, source) in _signals)
        {
            for (int j = 0; j < joints; j++)
            {
                signals[offset + j] = source == Sources[0] ? _motors[j].Sense(_states[j].Load) : source == Sources[1] ? _states[j].Voltage : _states[j].Temperature;
            }
        }

        observation.Sequence = ++_sequence;
        observation.MeasuredAt = measured;
        observation.MeasuredAtLocal = measured;
        observation.ReceivedAt = measured;
        observation.Mode = _mode;
        observation.ModeReason = _reason;
        observation.AppliedCommand = _applied;
        observation.ActionAgeNs = _actionAgeNs;
        _observations.Publish();
    }

    private enum Loss
    {
        Line,
        Silence,
        Torque,
    }
}
