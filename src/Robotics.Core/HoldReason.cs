namespace Robotics;

/// <summary>Where the supervised control loop stands.</summary>
public enum ControlState : byte
{
    /// <summary>Reads the robot, commands nothing.</summary>
    Idle,

    /// <summary>Holds the robot's lease and everything checks out; the first plan is awaited.</summary>
    Armed,

    /// <summary>The policy drives.</summary>
    Running,

    /// <summary>The robot holds as its description says, for a stated reason; a person or the program may resume.</summary>
    Holding,

    /// <summary>The run is over; the robot holds and the lease is given back.</summary>
    Stopped,

    /// <summary>Emergency stop: latched until cleared.</summary>
    EmergencyStop,
}

/// <summary>Why the robot holds (or the run changed state). Every transition carries one; stable numbers, they go on the wire
/// and into records.</summary>
public enum HoldReason : byte
{
    /// <summary>No reason: it does not hold.</summary>
    None = 0,

    /// <summary>The newest observation is older than the policy tolerates.</summary>
    ObservationStale = 1,

    /// <summary>The robot is not there: offline, broken connection, or never seen.</summary>
    RobotMissing = 2,

    /// <summary>New observations arrive but the robot's clock stands still or runs backwards.</summary>
    RobotClockFrozen = 3,

    /// <summary>NaN or infinity in an observation.</summary>
    ObservationNotFinite = 4,

    /// <summary>NaN or infinity from the policy.</summary>
    ActionNotFinite = 5,

    /// <summary>The schedule ran out of rows and the next plan is overdue.</summary>
    PlanOverdue = 6,

    /// <summary>Actions reach the robot later than the policy tolerates.</summary>
    ActionAgeExceeded = 7,

    /// <summary>A measurement lies outside the limits by more than the gate can correct.</summary>
    LimitViolation = 8,

    /// <summary>This machine's clock jumped, or the loop was suspended for several periods.</summary>
    ClockJump = 9,

    /// <summary>An operator asked for it.</summary>
    OperatorStop = 10,

    /// <summary>The lease on the robot was lost to another controller or expired.</summary>
    LeaseLost = 11,

    /// <summary>The broker or the wire is gone.</summary>
    LinkLost = 12,

    /// <summary>Emergency stop, here or on the robot.</summary>
    EmergencyStop = 13,

    /// <summary>The policy failed: its runtime reported an error.</summary>
    PolicyFault = 14,

    /// <summary>The robot's own side reports a fault.</summary>
    RobotFault = 15,

    /// <summary>The record cannot be written any more.</summary>
    RecorderFailed = 16,

    /// <summary>The robot side's dead-man timer: no fresh command within its validity.</summary>
    CommandExpired = 17,

    /// <summary>The run's time is over or its task is done.</summary>
    EndOfRun = 18,

    /// <summary>The policy refused to act (a result, not an error).</summary>
    PolicyRefused = 19,

    /// <summary>The robot was claimed and everything checked out.</summary>
    Ready = 20,

    /// <summary>The operator or the program started or resumed the run.</summary>
    Started = 21,

    /// <summary>The simulation diverged.</summary>
    SimulationDiverged = 22,

    /// <summary>The policy follows a route and there is none yet.</summary>
    RouteMissing = 23,

    /// <summary>The route was checked too long ago to move the robot now.</summary>
    RouteStale = 24,

    /// <summary>The check refused the route, and those that were written instead.</summary>
    RouteRejected = 25,

    /// <summary>The way from where the robot is enters a region that is kept out of.</summary>
    RouteBlocked = 26,

    /// <summary>A row of the route was not achieved in its time.</summary>
    RouteTimeout = 27,

    /// <summary>The last row of the route is achieved.</summary>
    RouteDone = 28,
}
