namespace Robotics.Control;

/// <summary>A change of state, or a request that was not granted (<see cref="From"/> equals <see cref="To"/>), with its figures.
/// A value of fixed size: made in the tick, told elsewhere by <see cref="Describe"/>.</summary>
/// <param name="Time">When.</param>
/// <param name="From">State before.</param>
/// <param name="To">State after.</param>
/// <param name="Reason">Why.</param>
/// <param name="Measured">The figure that decided, in the unit that <see cref="Describe"/> prints; 0 where there is none.</param>
/// <param name="Limit">What was tolerated, same unit.</param>
public readonly record struct ControlEvent(MonotonicTime Time, ControlState From, ControlState To, HoldReason Reason, double Measured, double Limit)
{
    /// <summary>One sentence with the figures. Allocates: for recorder and status threads.</summary>
    public string Describe()
    {
        string cause = Reason switch
        {
            HoldReason.ObservationStale => F($"the newest observation is {Measured:F1} ms old, tolerated are {Limit:F1} ms"),
            HoldReason.RobotMissing => "the robot is not there: no observation can be read",
            HoldReason.RobotClockFrozen => F($"new observations arrive but the robot's clock moved {Measured:F3} ms, expected forward"),
            HoldReason.ObservationNotFinite => F($"element {Measured:F0} of the signal frame is NaN or infinite"),
            HoldReason.ActionNotFinite => "the policy produced NaN or infinity",
            HoldReason.PlanOverdue => F($"no row to execute for {Measured:F0} ticks, tolerated are {Limit:F0}"),
            HoldReason.ActionAgeExceeded => F($"the robot applied an action {Measured:F1} ms after the measurement behind it, tolerated are {Limit:F1} ms"),
            HoldReason.LimitViolation => F($"the gate refused: {(Safety.GateReasons)(ushort)Measured}"),
            HoldReason.ClockJump => F($"the tick woke {Measured:F1} ms after it was due, tolerated are {Limit:F1} ms (negative: time ran backwards)"),
            HoldReason.OperatorStop => "an operator asked for it",
            HoldReason.LeaseLost => "the lease on the robot was lost; claim it again before resuming",
            HoldReason.LinkLost => "the link to the robot is gone",
            HoldReason.EmergencyStop => "emergency stop; clear it before resuming",
            HoldReason.PolicyFault => "the policy's runtime failed",
            HoldReason.RobotFault => "the robot reports a fault, or its driver failed",
            HoldReason.RecorderFailed => "the record cannot be written any more",
            HoldReason.CommandExpired => F($"the robot has held by itself for {Measured:F1} ms: no command reached it in time"),
            HoldReason.EndOfRun => F($"the run is over after {Measured:F2} s"),
            HoldReason.PolicyRefused => "the policy refused to act",
            HoldReason.Ready => "the robot is claimed and everything checks out",
            HoldReason.Started => "started by the operator or the program",
            HoldReason.SimulationDiverged => "the simulation diverged",
            HoldReason.RouteMissing => "the policy follows a route and there is none; write one",
            HoldReason.RouteStale => F($"the route was checked {Measured:F1} s ago, tolerated are {Limit:F1} s"),
            HoldReason.RouteRejected => "the check refused the route; the record says why",
            HoldReason.RouteBlocked => F($"the way to row {Measured:F0} of the route enters a region that is kept out of"),
            HoldReason.RouteTimeout => F($"row {Measured:F0} of the route was not achieved in its {Limit:F1} s"),
            HoldReason.RouteDone => F($"all {Measured:F0} rows of the route are achieved"),
            _ => Reason.ToString(),
        };
        return From == To ? F($"stays {From}: {cause}.") : F($"{From} to {To}: {cause}.");

        static string F(FormattableString text) => FormattableString.Invariant(text);
    }
}

/// <summary>Which state may follow which, and nothing else: no clock, no threads, no allocation.</summary>
/// <remarks>
/// <code>
/// Idle ──Arm──▶ Armed ──Begin──▶ Running
///                │  ▲               │
///               Hold└──Resume──┐   Hold      Stop: from anywhere but EmergencyStop, final
///                └──────▶ Holding ◀─┘        EmergencyStop: from anywhere, latched
///                           ▲
///                           └──Clear── EmergencyStop
/// </code>
/// Holding never ends by itself. The first reason is kept until a resume or a clear. Owner: the loop thread.
/// </remarks>
public sealed class Supervisor
{
    /// <summary>Where the loop stands.</summary>
    public ControlState State { get; private set; } = ControlState.Idle;

    /// <summary>Why it stands there. While Holding: the first cause, whatever came after it.</summary>
    public HoldReason Reason { get; private set; }

    /// <summary>The first cause of the newest hold or stop of this run; survives <see cref="Stop"/>. None when it never held.</summary>
    public HoldReason FirstReason { get; private set; }

    /// <summary>Times it went from Armed or Running to Holding.</summary>
    public long Holds { get; private set; }

    /// <summary>Claimed and checked: Idle to Armed.</summary>
    public bool Arm() => State == ControlState.Idle && Go(ControlState.Armed, HoldReason.Ready);

    /// <summary>The first plan is there: Armed to Running.</summary>
    public bool Begin() => State == ControlState.Armed && Go(ControlState.Running, HoldReason.Started);

    /// <summary>Armed or Running to Holding; anywhere else nothing changes, so the first reason stays.</summary>
    public bool Hold(HoldReason reason)
    {
        if (State is not (ControlState.Armed or ControlState.Running))
        {
            return false;
        }

        Holds++;
        FirstReason = reason;
        return Go(ControlState.Holding, reason);
    }

    /// <summary>Holding to Armed, asked for by a person or the program; the caller has checked everything again.</summary>
    public bool Resume()
    {
        if (State != ControlState.Holding)
        {
            return false;
        }

        FirstReason = HoldReason.None;
        return Go(ControlState.Armed, HoldReason.Started);
    }

    /// <summary>The run is over; final. Not out of an emergency stop, which stays latched.</summary>
    public bool Stop(HoldReason reason)
    {
        if (State is ControlState.Stopped or ControlState.EmergencyStop)
        {
            return false;
        }

        FirstReason = FirstReason == HoldReason.None ? reason : FirstReason;
        return Go(ControlState.Stopped, reason);
    }

    /// <summary>From anywhere; latched.</summary>
    public bool EmergencyStop()
    {
        if (State == ControlState.EmergencyStop)
        {
            return false;
        }

        FirstReason = FirstReason == HoldReason.None ? HoldReason.EmergencyStop : FirstReason;
        return Go(ControlState.EmergencyStop, HoldReason.EmergencyStop);
    }

    /// <summary>EmergencyStop to Holding: unlatched, still not moving; a resume must follow.</summary>
    public bool Clear() => State == ControlState.EmergencyStop && Go(ControlState.Holding, HoldReason.EmergencyStop);

    private bool Go(ControlState to, HoldReason reason)
    {
        State = to;
        Reason = reason;
        return true;
    }
}
