using Robotics.Safety;

namespace Robotics.Fleet;

/// <summary>What stands between bytes from the wire and a robot: lease, sequence, expiry, gate and dead-man.</summary>
/// <remarks>
/// Any thread may call it; one lock orders everything, so the local robot is sent one command at a time. It never waits for the
/// network and never throws on what came over the wire. Only <see cref="TakeOver"/> waits, for the local robot's claim.
/// </remarks>
public sealed partial class CommandIntake
{
    private readonly IRobot _local;
    private readonly RobotServerOptions _options;
    private readonly TimeProvider _clock;
    private readonly Lock _gateway = new(); // all fields below and every Send; held for microseconds
    private readonly float[] _signals;
    private readonly float[] _target;
    private readonly ulong[] _dropped = new ulong[Enum.GetValues<CommandDrop>().Length];
    private Lease? _lease;
    private uint _epochs;
    private bool _measured;
    private MonotonicTime _measuredHere; // when the newest measurement was read, own clock
    private RobotMode _localMode;
    private HoldReason _localReason;
    private (ulong Sequence, long AgeNs) _applied;
    private (ulong Sequence, long AgeNs) _appliedBefore; // of an earlier lease: not this controller's
    private long _maxAgeNs;
    private long _robotAheadNs; // the local robot's clock minus this machine's, which is the one that the wire knows
    private bool _active; // fresh commands drive the robot
    private bool _claimed; // the local robot; only TakeOver and GiveBack touch it
    private HoldReason _block = HoldReason.None; // why commands are not taken until somebody resumes
    private bool _operatorHold; // outlives leases; resume ends it
    private bool _emergency;
    private bool _ended;
    private ulong _accepted;
    private ulong _deadManHolds;
    private ulong _states;

    /// <summary>Guards <paramref name="local"/>; it is neither claimed nor moved yet.</summary>
    public CommandIntake(IRobot local, RobotServerOptions options, TimeProvider clock)
    {
        ArgumentNullException.ThrowIfNull(local);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(clock);
        _local = local;
        _options = options;
        _clock = clock;
        _signals = new float[local.Spec.Layout.Length];
        _target = new float[local.Spec.Joints.Count];

        // A robot side that was restarted must not give out an epoch that a controller of before still sends with.
        _epochs = unchecked((uint)(clock.GetUtcNow().ToUnixTimeMilliseconds() / 10));
    }

    /// <summary>Told of everything a person should read, under the lock: it must not wait.</summary>
    public Action<RobotEvent>? Raised { get; set; }

    /// <summary>True while somebody holds the lease: <see cref="Check"/> is then due every 2 ms.</summary>
    public bool Leased => Volatile.Read(ref _lease) is not null;

    /// <summary>Takes a command frame as it came from the wire, arriving now.</summary>
    /// <param name="frame">Any bytes.</param>
    /// <param name="retained">The broker had kept it.</param>
    /// <returns>None when it reached the local robot.</returns>
    public CommandDrop Take(ReadOnlySpan<byte> frame, bool retained = false)
    {
        var now = MonotonicTime.Now(_clock);
        lock (_gateway)
        {
            var drop = Judge(frame, retained, now);
            if (drop == CommandDrop.None)
            {
                _accepted++;
            }
            else
            {
                _dropped[(int)drop]++;
            }

            return drop;
        }
    }

    /// <summary>Takes note of the local robot's newest measurement and says what a state frame should carry beside it.</summary>
    public StateHeader Observe(Observation measured)
    {
        ArgumentNullException.ThrowIfNull(measured);
        var now = MonotonicTime.Now(_clock);
        lock (_gateway)
        {
            measured.Signals.CopyTo(_signals, 0);
            _measured = true;
            _measuredHere = now;
            _robotAheadNs = measured.MeasuredAt.NanosecondsSince(measured.MeasuredAtLocal);
            bool followed = _localMode == RobotMode.Active;
            (_localMode, _localReason) = (measured.Mode, measured.ModeReason);
            if (_localMode is RobotMode.Fault or RobotMode.EmergencyStop && (_active || (_lease is not null && _block == HoldReason.None)))
            {
                var reason = _localMode == RobotMode.EmergencyStop ? HoldReason.EmergencyStop
                    : _localReason == HoldReason.None ? HoldReason.RobotFault : _localReason;
                HoldFor(reason, "the robot itself reports it" + Because());
            }

            // A robot that was lost and found again, or whose fault is over, follows nothing until a hold is commanded: say so.
            if (_active && _localMode == RobotMode.Holding && (_localReason is HoldReason.LinkLost or HoldReason.RobotFault))
            {
                HoldFor(_localReason, "the robot holds by itself");
            }

            // A command that the robot itself refused ends the run here too: its limits are narrower than its description says.
            if (_active && followed && (_localMode, _localReason) == (RobotMode.Holding, HoldReason.LimitViolation))
            {
                HoldFor(_localReason, "the robot itself refused a command, for its own limits");
            }

            _applied = (measured.AppliedCommand, measured.ActionAgeNs);
            bool ours = _lease is not null && _applied != _appliedBefore;
            if (ours)
            {
                _maxAgeNs = Math.Max(_maxAgeNs, _applied.AgeNs);
            }

            var (mode, reasonNow) = Now();
            return new(
                ++_states, measured.MeasuredAtLocal, now, mode, reasonNow, _lease?.Epoch ?? 0, ours ? _applied.Sequence : 0, ours ? _applied.AgeNs : 0,
                (uint)DroppedInAll());
        }
    }

    /// <summary>Looks at the clock: dead-man, lease and measurement age. Due every 2 ms while <see cref="Leased"/>.</summary>
    /// <returns>True when a lease has just ended and the local robot's claim should be given back.</returns>
    public bool Check()
    {
        lock (_gateway)
        {
            if (_lease is not { } lease)
            {
                return false;
            }

            // The clock is read under the lock: a command that arrived meanwhile must not look late.
            var now = MonotonicTime.Now(_clock);
            if (_active && now - lease.AcceptedAt > lease.ValidFor)
            {
                _deadManHolds++;
                HoldFor(HoldReason.CommandExpired, $"no fresh command for {lease.ValidFor.TotalMilliseconds:F0} ms");
            }

            if (_active && now - _measuredHere > _options.MaxMeasurementAge)
            {
                HoldFor(HoldReason.RobotMissing, $"no measurement for {_options.MaxMeasurementAge.TotalMilliseconds:F0} ms");
            }

            // A robot on a wire that was pulled: what it does when it is back is decided anew.
            if (_active && _local.Link is { Up: false } link)
            {
                HoldFor(link.Reason, $"the robot cannot be reached: {Episodes.Words.Of(link.Reason)}" + Because());
            }

            if (now <= lease.ExpiresAt)
            {
                return false;
            }

            _lease = null;
            HoldFor(HoldReason.LeaseLost, $"the lease of '{lease.Client}' was not renewed for {lease.Length.TotalMilliseconds:F0} ms");
            return true;
        }
    }

    /// <summary>Counters and state now; the caller adds what it knows of the broker.</summary>
    public RobotServerStatus Status()
    {
        lock (_gateway)
        {
            var (mode, reason) = Now();
            return new(
                false, 0, 0, _accepted, [.. _dropped], _deadManHolds, _lease?.Client, _lease?.Epoch ?? 0, mode, reason,
                TimeSpan.FromTicks(_applied.AgeNs / 100), TimeSpan.FromTicks(_maxAgeNs / 100));
        }
    }

    private CommandDrop Judge(ReadOnlySpan<byte> frame, bool retained, MonotonicTime now)
    {
        switch (Frames.ReadCommand(frame, out var header, _target))
        {
            case FrameStatus.Length:
                return CommandDrop.Length;
            case FrameStatus.Checksum:
                return CommandDrop.Checksum;
            case FrameStatus.Foreign:
                return CommandDrop.Foreign;
            case FrameStatus.Version:
                return CommandDrop.Version;
            default:
                break;
        }

        if (retained)
        {
            return CommandDrop.Retained;
        }

        if (_lease is not { } lease || now > lease.ExpiresAt)
        {
            return CommandDrop.NoLease;
        }

        if (header.Epoch != lease.Epoch)
        {
            return CommandDrop.WrongEpoch;
        }

        if (header.Sequence <= lease.Seen)
        {
            return CommandDrop.Sequence;
        }

        lease.Seen = header.Sequence;
        // A hold answers to no observation and is never too late.
        if (!header.Hold && ((header.ExpiresAt.Nanoseconds != 0 && now > header.ExpiresAt)
            || header.ObservedAt.Nanoseconds < now.Nanoseconds - Nanoseconds(_options.MaxObservationAge)
            || header.ObservedAt.Nanoseconds > now.Nanoseconds + Nanoseconds(TimeSpan.FromSeconds(1))))
        {
            return CommandDrop.Expired;
        }

        // The dead-man first: a command that comes after its predecessor ran out must not slip in before the next check.
        if (_active && now - lease.AcceptedAt > lease.ValidFor)
        {
            _deadManHolds++;
            HoldFor(HoldReason.CommandExpired, $"no fresh command for {lease.ValidFor.TotalMilliseconds:F0} ms");
        }

        if (_block != HoldReason.None || _operatorHold || _emergency || _localMode is RobotMode.Fault or RobotMode.EmergencyStop)
        {
            return CommandDrop.NotArmed;
        }

        if (header.Hold)
        {
            lease.Renew(now);
            lease.Gate.Reset();
            _active = false;
            _local.Send(default);
            return CommandDrop.None;
        }

        foreach (float target in _target)
        {
            if (!float.IsFinite(target))
            {
                return CommandDrop.NotFinite;
            }
        }

        return Drive(lease, header, now);
    }

    private CommandDrop Drive(Lease lease, in CommandHeader header, MonotonicTime now)
    {
        if (!_measured || now - _measuredHere > _options.MaxMeasurementAge)
        {
            HoldFor(HoldReason.RobotMissing, "a command came, but the robot is not measured");
            return CommandDrop.Gate;
        }

        // A burst must not add up reach, and a gap must not save it up.
        var since = _active ? now - lease.AcceptedAt : lease.Period;
        var elapsed = since < lease.Period ? lease.Period : since > 2 * lease.Period ? 2 * lease.Period : since;
        var asked = TimeSpan.FromMicroseconds(header.ValidForUs);
        var validFor = asked < _options.MaxValidFor ? asked : _options.MaxValidFor;
        var command = lease.Gate.Apply(_signals, _target, elapsed, new CommandStamp(header.Sequence, new(header.ObservedAt.Nanoseconds + _robotAheadNs), validFor), out var report);
        if (report.Refused)
        {
            HoldFor(HoldReason.LimitViolation, $"the robot side's safety gate refused command {header.Sequence}: {report.Reasons}");
            return CommandDrop.Gate;
        }

        lease.AcceptedAt = now;
        lease.ValidFor = validFor;
        lease.Renew(now);
        _active = true;
        _local.Send(in command);
        return CommandDrop.None;
    }

    private void HoldFor(HoldReason reason, string why)
    {
        _active = false;
        _block = reason;
        _lease?.Gate.Reset();
        _local.Send(default);
        Raise(why);
    }

    private (RobotMode Mode, HoldReason Reason) Now() =>
        _emergency || _localMode == RobotMode.EmergencyStop ? (RobotMode.EmergencyStop, HoldReason.EmergencyStop)
        : _localMode == RobotMode.Fault ? (RobotMode.Fault, _localReason == HoldReason.None ? HoldReason.RobotFault : _localReason)
        : _operatorHold ? (RobotMode.Holding, HoldReason.OperatorStop)
        : _active && _localMode == RobotMode.Holding && _localReason != HoldReason.None ? (RobotMode.Holding, _localReason) // it braked by itself
        : _active ? (RobotMode.Active, HoldReason.None)
        : (RobotMode.Holding, _block);

    /// <summary>What the robot says is wrong, to be put behind a sentence.</summary>
    private string Because() => _options.Trouble?.Invoke() is { } trouble ? $": {trouble}" : "";

    /// <summary>Hands on what the robot itself says, with the mode and reason that it gives; any thread.</summary>
    public void Relay(RobotMode mode, HoldReason reason, string words) => Raised?.Invoke(new(Timestamp(_clock), mode, reason, words));

    private void Raise(string why)
    {
        if (Raised is { } raised)
        {
            var (mode, reason) = Now();
            raised(new(Timestamp(_clock), mode, reason, why));
        }
    }

    private ulong DroppedInAll()
    {
        ulong sum = 0;
        foreach (ulong count in _dropped)
        {
            sum += count;
        }

        return sum;
    }

    private static long Nanoseconds(TimeSpan span) => span.Ticks * 100;

    internal static string Timestamp(TimeProvider clock) =>
        clock.GetUtcNow().ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", System.Globalization.CultureInfo.InvariantCulture);
}
