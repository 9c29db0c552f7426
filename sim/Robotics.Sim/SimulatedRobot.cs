using Robotics.Safety;

namespace Robotics.Sim;

/// <summary>A simulated robot: an environment that follows sealed commands and holds by itself when they run out.</summary>
/// <remarks>
/// Two ways to let time pass. <see cref="StartRealTime"/> steps the environment on a thread of its own at its period, by the
/// system's clock. <see cref="Advance"/> steps it on the caller's thread by a <see cref="ManualClock"/>: as fast as possible
/// and repeatable. <see cref="Read"/> and <see cref="Send"/> belong to one loop thread and never wait.
/// </remarks>
public sealed class SimulatedRobot : IRobot
{
    private readonly IEnvironment _environment;
    private readonly TimeProvider _clock;
    private readonly NewestObservation _observations;
    private readonly TripleBuffer<Order> _orders;
    private readonly float[] _signals;
    private readonly Lock _claim = new(); // claims, mode changes and the stepping thread; never the loop thread
    private readonly Order _active;
    private Thread? _thread;
    private volatile bool _disposed;
    private volatile bool _emergency;
    private volatile string? _fault;
    private bool _claimed;
    private ulong _sequence;
    private ulong _applied;
    private long _actionAgeNs;
    private RobotMode _mode = RobotMode.Holding;
    private HoldReason _modeReason = HoldReason.None;

    /// <summary>Puts <paramref name="environment"/> at its start; owns it from here on.</summary>
    /// <param name="environment">Its period is the robot's state period: choose the physics step for real time.</param>
    /// <param name="seed">Start of the episode.</param>
    /// <param name="clock">The robot's clock; null: the system's.</param>
    public SimulatedRobot(IEnvironment environment, ulong seed = 0, TimeProvider? clock = null)
    {
        ArgumentNullException.ThrowIfNull(environment);
        _environment = environment;
        _clock = clock ?? TimeProvider.System;
        int frame = environment.Robot.Layout.Length;
        int joints = environment.Robot.Joints.Count;
        _signals = new float[frame];
        _observations = new(frame);
        _orders = new(() => new Order(joints));
        _active = new Order(joints);
        environment.Reset(seed, _signals);
        Publish(MonotonicTime.Now(_clock));
    }

    /// <inheritdoc/>
    public RobotSpec Spec => _environment.Robot;

    /// <inheritdoc/>
    public LinkStatus Link => LinkStatus.Direct;

    /// <summary>What broke the simulation; null while it runs.</summary>
    public string? Fault => _fault;

    /// <summary>Steps that started more than one period late; real time only.</summary>
    public ulong Overruns { get; private set; }

    /// <summary>Called after every step on the stepping thread with the signal frame; for scenes and tests.</summary>
    public Action<ReadOnlyMemory<float>>? Stepped { get; set; }

    /// <summary>Starts the thread that steps the environment in real time; once.</summary>
    public void StartRealTime()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_thread is not null)
        {
            throw new InvalidOperationException("The robot already runs in real time.");
        }

        _thread = new Thread(RunRealTime) { Name = "simulated robot", IsBackground = true };
        _thread.Start();
    }

    /// <summary>Lets <paramref name="span"/> pass: whole steps on this thread, moving <paramref name="clock"/> with them.</summary>
    /// <param name="span">A multiple of the environment's period.</param>
    /// <param name="clock">The clock this robot was built with.</param>
    public void Advance(TimeSpan span, ManualClock clock)
    {
        ArgumentNullException.ThrowIfNull(clock);
        long steps = span.Ticks / _environment.Period.Ticks;
        for (long i = 0; i < steps; i++)
        {
            TakeOrder(MonotonicTime.Now(clock));
            Step();
            clock.Advance(_environment.Period);
            Publish(MonotonicTime.Now(clock));
        }
    }

    /// <inheritdoc/>
    public Task ClaimAsync(CommandMode mode, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(mode);
        lock (_claim)
        {
            if (_claimed)
            {
                throw new RobotRefusedException($"Robot '{Spec.Name}' is already claimed in this process; release it first.");
            }

            if (_fault is { } fault)
            {
                throw new RobotRefusedException($"Robot '{Spec.Name}' is faulted: {fault} Restart the simulation.");
            }

            if (mode.Mismatch(Spec) is { } mismatch)
            {
                throw new RobotRefusedException($"Robot '{Spec.Name}' cannot take this policy: {mismatch}.");
            }

            _environment.SetMode(mode);
            _claimed = true;
        }

        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task ReleaseAsync(CancellationToken cancellation)
    {
        lock (_claim)
        {
            _claimed = false;
            _active.Hold = true;
        }

        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public ReadStatus Read(Observation into)
    {
        ArgumentNullException.ThrowIfNull(into);
        return _observations.Read(into);
    }

    /// <inheritdoc/>
    public void Send(in SafeCommand command)
    {
        var order = _orders.Back;
        order.Hold = command.IsHold;
        order.Arrived = MonotonicTime.Now(_clock);
        order.Stamp = command.Stamp;
        command.Target.CopyTo(order.Target);
        _orders.Publish();
    }

    /// <inheritdoc/>
    public void EmergencyStop() => _emergency = true;

    /// <summary>Releases the latch of <see cref="EmergencyStop"/>; the robot goes on holding.</summary>
    public void ClearEmergencyStop() => _emergency = false;

    /// <inheritdoc/>
    public void Dispose()
    {
        _disposed = true;
        if (_thread is { } thread && thread != Thread.CurrentThread)
        {
            thread.Join();
        }

        _environment.Dispose();
    }

    private void RunRealTime()
    {
        var due = MonotonicTime.Now(_clock);
        while (!_disposed && _fault is null)
        {
            due += _environment.Period;
            PreciseSleep.Until(due);
            var now = MonotonicTime.Now(_clock);
            if (now - due > _environment.Period)
            {
                // A suspended machine does not get its lost seconds back in one burst.
                Overruns++;
                due = now;
            }

            TakeOrder(now);
            Step();
            Publish(MonotonicTime.Now(_clock));
        }
    }

    private void TakeOrder(MonotonicTime now)
    {
        if (_orders.Take())
        {
            var order = _orders.Front;
            _active.Hold = order.Hold;
            _active.Arrived = order.Arrived;
            _active.Stamp = order.Stamp;
            order.Target.CopyTo(_active.Target, 0);
            if (!order.Hold)
            {
                _applied = order.Stamp.Sequence;
                _actionAgeNs = now.NanosecondsSince(order.Stamp.ObservedAt);
            }
        }

        (_mode, _modeReason) = _fault is not null ? (RobotMode.Fault, HoldReason.SimulationDiverged)
            : _emergency ? (RobotMode.EmergencyStop, HoldReason.EmergencyStop)
            : !Volatile.Read(ref _claimed) || _active.Hold ? (RobotMode.Holding, HoldReason.None)
            : now - _active.Arrived > _active.Stamp.ValidFor ? (RobotMode.Holding, HoldReason.CommandExpired)
            : (RobotMode.Active, HoldReason.None);
    }

    private void Step()
    {
        if (_fault is not null)
        {
            return;
        }

        try
        {
            lock (_claim)
            {
                _environment.Step(_mode == RobotMode.Active ? _active.Target : [], _signals);
            }
        }
        catch (SimulationDivergedException diverged)
        {
            _fault = diverged.Message;
            _mode = RobotMode.Fault;
            _modeReason = HoldReason.SimulationDiverged;
        }

        Stepped?.Invoke(_signals);
    }

    private void Publish(MonotonicTime now)
    {
        var observation = _observations.Back;
        _signals.CopyTo(observation.Signals, 0);
        observation.Sequence = ++_sequence;
        observation.MeasuredAt = now;
        observation.MeasuredAtLocal = now;
        observation.ReceivedAt = now;
        observation.Mode = _mode;
        observation.ModeReason = _modeReason;
        observation.AppliedCommand = _applied;
        observation.ActionAgeNs = _actionAgeNs;
        _observations.Publish();
    }

    /// <summary>A command as it waits for the next step.</summary>
    private sealed class Order(int joints)
    {
        public float[] Target { get; } = new float[joints];

        public bool Hold { get; set; } = true;

        public MonotonicTime Arrived { get; set; }

        public CommandStamp Stamp { get; set; }
    }
}
