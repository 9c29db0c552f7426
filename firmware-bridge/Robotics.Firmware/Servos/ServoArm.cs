using Robotics.Firmware.Serial;
using Robotics.Safety;

namespace Robotics.Firmware.Servos;

/// <summary>An arm of smart servos: one bus, one servo for each joint, position targets.</summary>
/// <remarks>
/// A thread of its own reads all servos and writes all goals once every servo period; <see cref="Read"/> and <see cref="Send"/>
/// belong to one loop thread and never wait. The arm holds by itself when commands expire, when a servo reports an error (mode
/// fault, until all errors are gone), in an emergency stop, and after it was lost and found again. Whoever was driving when that
/// happened must command a hold, or claim anew, before it drives on: a controller that noticed nothing moves nothing.
/// <para>Holding on position servos: <see cref="HoldMode.Keep"/> keeps the last goal; <see cref="HoldMode.Damp"/> lets the goal follow
/// the joint slowly, which resists in proportion to speed (the servo has no other brake); <see cref="HoldMode.Zero"/> takes the torque
/// off; <see cref="HoldMode.Pose"/> moves the goal to the default pose at the bounded speed.</para>
/// <para>When this program or its machine dies, a Dynamixel X servo stops by its own watchdog; a Feetech servo finishes its last goal
/// and stays there. Torque that is on stays on.</para>
/// </remarks>
public sealed partial class ServoArm : IRobot
{
    private static readonly TimeSpan DampTime = TimeSpan.FromMilliseconds(200);

    private readonly Func<IServoBus> _open;
    private readonly ServoArmOptions _options;
    private readonly ServoMotor[] _motors;
    private readonly byte[] _ids;
    private readonly TimeSpan _period;
    private readonly NewestObservation _observations;
    private readonly TripleBuffer<Order> _orders;
    private readonly Lock _claim = new();
    private readonly Thread _thread;
    private volatile bool _disposed;
    private volatile bool _emergency;
    private volatile bool _up;
    private volatile string? _trouble;
    private bool _claimed;
    private int _claims;
    private int _holds;
    private long _cycles;
    private long _roundTripNs;
    private long _allocated;
    private ulong _dropped;

    private ServoArm(RobotSpec robot, ServoMotor[] motors, ServoArmOptions options, Func<IServoBus> open, IServoBus bus)
    {
        Spec = robot;
        _options = options;
        _open = open;
        _motors = motors;
        _ids = [.. motors.Select(motor => (byte)motor.Id)];
        _period = TimeSpan.FromMilliseconds(robot.ServoPeriodMs);
        int joints = motors.Length;
        _observations = new(robot.Layout.Length);
        _orders = new(() => new Order(joints));
        _active = new Order(joints) { Hold = true };
        _states = new ServoState[joints];
        _goals = new int[joints];
        _angles = new float[joints];
        _values = new int[joints];
        _effort = [.. robot.Joints.Select(joint => robot.Absent.Contains(SignalLayout.JointEffort) ? 0 : joint.MaxEffort ?? 0)];
        _hasVelocity = !robot.Absent.Contains(SignalLayout.JointVelocity);
        _signals = [.. robot.Signals.Select(signal => (robot.Layout.Find(signal.Name)!.Offset, signal.Source))];
        _bus = bus;
        CycleBytes = bus.CycleBytes(joints);
        _thread = new Thread(Run) { Name = "servo arm", IsBackground = true };
    }

    /// <summary>Opens the bus, checks every servo against the calibration, and holds: torque on where the joints are.</summary>
    /// <param name="robot">Joints, limits, rates, and what holding means.</param>
    /// <param name="calibration">Its motors.</param>
    /// <param name="open">Opens the bus; called again after every loss.</param>
    /// <param name="options">Null: the defaults.</param>
    /// <exception cref="ConfigException">The robot cannot be an arm of servos, the calibration is another arm's, the port is not there, or servos are
    /// missing or set up differently: everything at once.</exception>
    public static ServoArm Connect(RobotSpec robot, ServoCalibration calibration, Func<IServoBus> open, ServoArmOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(robot);
        ArgumentNullException.ThrowIfNull(calibration);
        ArgumentNullException.ThrowIfNull(open);
        options = (options ?? new()).Checked(robot, "command line");
        Check(robot);
        var motors = calibration.For(robot);
        IServoBus bus;
        try
        {
            bus = open();
        }
        catch (IOException absent)
        {
            throw SerialPorts.Absent(absent);
        }

        var arm = new ServoArm(robot, motors, options, open, bus);
        var problems = arm.BringUp(bus);
        if (problems.Count > 0)
        {
            bus.Dispose();
            throw new ConfigException(bus.Name, problems);
        }

        arm._up = true;
        arm._thread.Start();
        return arm;
    }

    /// <inheritdoc/>
    public RobotSpec Spec { get; }

    /// <inheritdoc/>
    public LinkStatus Link => new(
        _up, _up ? HoldReason.None : HoldReason.LinkLost, TimeSpan.FromTicks(Volatile.Read(ref _roundTripNs) / 100), TimeSpan.Zero, Volatile.Read(ref _dropped));

    /// <summary>What is wrong, for people: the servo and its error by name, or why the arm is lost; null while nothing is.</summary>
    public string? Trouble => _trouble;

    /// <summary>Bytes on the wire in every servo period, both ways; ten bits each at the servos' baud rate.</summary>
    public int CycleBytes { get; }

    /// <summary>Times that the arm was lost.</summary>
    public int Losses { get; private set; }

    /// <summary>Cycles of the I/O thread that started more than one period late.</summary>
    public ulong Overruns { get; private set; }

    /// <summary>Finished cycles of the I/O thread.</summary>
    public long Cycles => Volatile.Read(ref _cycles);

    /// <summary>Managed bytes that the I/O thread has allocated in its cycles; searching for a lost arm and naming a fault do not count.</summary>
    public long AllocatedBytes => Volatile.Read(ref _allocated);

    /// <inheritdoc/>
    public async Task ClaimAsync(CommandMode mode, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(mode);
        lock (_claim)
        {
            string? refusal = _claimed ? "is already claimed in this process; release it first."
                : !_up ? $"is not reachable: {_trouble}"
                : _trouble is { } trouble ? $"reports a fault: {trouble}. Remove its cause, then 'robotics device info' shows whether it is gone."
                : mode.Mismatch(Spec) is { } mismatch ? $"cannot take this policy: {mismatch}."
                : null;
            if (refusal is not null)
            {
                throw new RobotRefusedException($"Robot '{Spec.Name}' {refusal}");
            }

            _claimed = true;
            Interlocked.Increment(ref _claims);
        }

        // What is measured from here on knows of the claim: a loss of before is over.
        long seen = Cycles;
        while (Cycles < seen + 2 && _up)
        {
            await Task.Delay(1, cancellation).ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public Task ReleaseAsync(CancellationToken cancellation)
    {
        lock (_claim)
        {
            _claimed = false;
        }

        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public ReadStatus Read(Observation into)
    {
        ArgumentNullException.ThrowIfNull(into);
        return _up ? _observations.Read(into) : ReadStatus.Missing;
    }

    /// <inheritdoc/>
    public void Send(in SafeCommand command)
    {
        if (command.IsHold)
        {
            Volatile.Write(ref _holds, _holds + 1); // the newest order wins, but no hold is lost to a command behind it
        }

        var order = _orders.Back;
        order.Hold = command.IsHold;
        order.Claim = Volatile.Read(ref _claims);
        order.Arrived = MonotonicTime.SystemNow();
        order.Stamp = command.Stamp;
        command.Target.CopyTo(order.Target);
        _orders.Publish();
    }

    /// <inheritdoc/>
    public void EmergencyStop() => _emergency = true;

    /// <summary>Releases the latch of <see cref="EmergencyStop"/>; the arm goes on holding.</summary>
    public void ClearEmergencyStop() => _emergency = false;

    /// <summary>Ends the I/O thread and closes the bus. The servos keep what they hold.</summary>
    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        if (_thread.ThreadState.HasFlag(ThreadState.Unstarted))
        {
            return;
        }

        _thread.Join();
    }

    private static void Check(RobotSpec robot)
    {
        var check = new ConfigCheck(robot.Origin);
        for (int j = 0; j < robot.Joints.Count; j++)
        {
            var joint = robot.Joints[j];
            check.That(joint is { Command: TargetKind.Position, Kind: JointKind.Revolute }, $"joints[{j}] '{joint.Name}'",
                $"is {joint.Kind.ToString().ToLowerInvariant()} and takes {joint.Command.ToString().ToLowerInvariant()} targets; smart servos turn and take positions");
            check.That(joint.MaxEffort is not null || robot.Absent.Contains(SignalLayout.JointEffort), $"joints[{j}] '{joint.Name}'",
                "gives no max_effort, so its effort cannot be told from the servo's load; give it, or list joint.effort in 'absent'");
        }

        for (int s = 0; s < robot.Signals.Count; s++)
        {
            var signal = robot.Signals[s];
            check.That(Sources.Contains(signal.Source), $"signals[{s}].source", $"is '{signal.Source}', smart servos have: {string.Join(", ", Sources)}");
            check.That(signal.Length == robot.Joints.Count, $"signals[{s}].length", $"is {signal.Length}, signal '{signal.Name}' has one element for each of the {robot.Joints.Count} joints");
        }

        check.Throw();
    }

    /// <summary>A command as it waits for the next cycle.</summary>
    private sealed class Order(int joints)
    {
        public bool Hold { get; set; }

        public int Claim { get; set; }

        public MonotonicTime Arrived { get; set; }

        public CommandStamp Stamp { get; set; }

        public float[] Target { get; } = new float[joints];
    }
}
