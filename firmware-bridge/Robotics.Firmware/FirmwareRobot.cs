using Robotics.Firmware.Serial;
using Robotics.Firmware.Wire;
using Robotics.Safety;

namespace Robotics.Firmware;

/// <summary>How patient the host is, and how it sends.</summary>
public sealed record FirmwareRobotOptions
{
    /// <summary>Patience for the first description, and for a claim.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>A device that says nothing for so long is missing.</summary>
    public TimeSpan Silence { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>Pause between two attempts to open a line that is not there.</summary>
    public TimeSpan Retry { get; init; } = TimeSpan.FromMilliseconds(50);

    /// <summary>Patience for a device that restarts after an update; an image that never reports in is given up by the device
    /// itself, after 10 s unless it says otherwise.</summary>
    public TimeSpan RebootPatience { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>Over what time the device interpolates to a new target; zero: at once, inside its own speed limit.</summary>
    public TimeSpan RowTime { get; init; }

    /// <summary>The robot's description, for limits and names that the device does not know; its joints must be the device's.
    /// Null: as the device describes itself.</summary>
    public RobotSpec? Spec { get; init; }
}

/// <summary>Something the device did by itself and why.</summary>
/// <param name="Mode">What it does now.</param>
/// <param name="Reason">Why.</param>
/// <param name="Joint">Name of the joint it concerns; null: all.</param>
/// <param name="Value">What was measured or asked, in the unit of the reason.</param>
/// <param name="Limit">What is allowed.</param>
public sealed record DeviceEvent(DeviceMode Mode, DeviceReason Reason, string? Joint, float Value, float Limit)
{
    /// <summary>Commands it dropped, the newest for <see cref="Reason"/>; 0: it dropped none, it did something.</summary>
    public int Dropped { get; init; }

    /// <summary>What it comes to for a controller.</summary>
    public (RobotMode Mode, HoldReason Reason) Meaning => FirmwareRobot.Meaning(Mode, Reason, claimed: true);

    /// <summary>One line for people.</summary>
    public override string ToString() => (Dropped == 0 ? "" : FormattableString.Invariant($"dropped {Dropped}: ")) + (Joint is null ? "" : $"joint '{Joint}': ") + Messages.Text(Reason)
        + (Limit != 0 || Value != 0 ? FormattableString.Invariant($" ({Value:G4}, limit {Limit:G4})") : "");
}

/// <summary>A robot behind a serial line that speaks the protocol of firmware-bridge/PROTOCOL.md.</summary>
/// <remarks>
/// Threads: one keeps the line (opens it again whenever it went), reads it and asks for the time; one writes the newest command.
/// <see cref="Read"/> and <see cref="Send"/> only exchange preallocated buffers with them. A line that went and came back finds
/// the robot holding: the claim is lost with the line, and nothing moves before the next one.
/// </remarks>
public sealed partial class FirmwareRobot : IRobot
{
    private readonly Func<ISerialLine> _open;
    private readonly string _at;
    private readonly FirmwareRobotOptions _options;
    private readonly TimeProvider _clock;
    private readonly DeviceClock _deviceClock = new();
    private readonly WakeUp _wake = new();
    private readonly Lock _writing = new();

    private RobotSpec? _spec;
    private DeviceJoint[] _joints = [];
    private TargetKind[] _kinds = [];
    private NewestObservation? _states;
    private TripleBuffer<Outgoing>? _commands;
    private Thread? _reader;
    private Thread? _writer;

    private volatile bool _disposed;
    private volatile bool _measured;
    private volatile bool _stopAsked;
    private volatile int _connections;
    private volatile int _session; // 0: not claimed
    private volatile bool _lost;   // the device ended that session

    private FirmwareRobot(Func<ISerialLine> open, string at, FirmwareRobotOptions options, TimeProvider clock) =>
        (_open, _at, _options, _clock) = (open, at, options, clock);

    /// <inheritdoc/>
    public RobotSpec Spec => _spec!; // set before the object is handed out

    /// <summary>What the device said of itself when it was last connected.</summary>
    public DeviceHello Device => _hello!;

    /// <summary>Why the device cannot be reached, in words; null while it can.</summary>
    public string? Trouble { get; private set; }

    /// <summary>Drift of the device's clock against this machine's; 1e-6 is one microsecond per second.</summary>
    public double ClockDrift => _deviceClock.Drift;

    /// <summary>Called from the reading thread with what the device does by itself, dropped commands too (once a second at most for one
    /// reason); must not wait.</summary>
    public Action<DeviceEvent>? Told { get; set; }

    /// <summary>Called from the reading thread with the device's log lines; must not wait.</summary>
    public Action<string>? Logged { get; set; }

    /// <inheritdoc/>
    public LinkStatus Link
    {
        get
        {
            var reason = _phase == Phase.Closed ? HoldReason.LinkLost
                : _phase != Phase.Up || !_measured ? HoldReason.RobotMissing
                : _session != 0 && _lost ? HoldReason.LeaseLost
                : HoldReason.None;
            return new(reason == HoldReason.None, reason, TimeSpan.FromTicks(_deviceClock.RoundTripNs / 100), TimeSpan.FromTicks(_deviceClock.OffsetNs / 100), Volatile.Read(ref _dropped));
        }
    }

    /// <summary>Opens the line and waits until the device has described itself.</summary>
    /// <param name="open">Opens the line; called again after every loss. May throw <see cref="IOException"/>.</param>
    /// <param name="at">What to call the line in messages, for example its path.</param>
    /// <param name="options">Patience.</param>
    /// <param name="clock">This machine's clock.</param>
    /// <param name="cancellation">Gives up waiting.</param>
    /// <exception cref="ConfigException">Nothing there, nobody answers, or the device is not what the description says.</exception>
    public static async Task<FirmwareRobot> ConnectAsync(Func<ISerialLine> open, string at, FirmwareRobotOptions options, TimeProvider clock, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(open);
        ArgumentNullException.ThrowIfNull(options);
        var robot = new FirmwareRobot(open, at, options, clock);
        try
        {
            robot._reader = new Thread(robot.KeepLine) { Name = "firmware link", IsBackground = true };
            robot._reader.Start();
            await robot._described.Task.WaitAsync(options.Patience, cancellation).ConfigureAwait(false);
            return robot;
        }
        catch (TimeoutException)
        {
            string trouble = robot.Trouble ?? "no device answered; is it powered, is the baud rate right, and does it speak this protocol (firmware-bridge/PROTOCOL.md)?";
            robot.Dispose();
            throw new ConfigException(at, [$"within {options.Patience.TotalSeconds} s: {trouble}"]);
        }
        catch
        {
            robot.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public ReadStatus Read(Observation into)
    {
        ArgumentNullException.ThrowIfNull(into);
        return _phase != Phase.Up || !_measured ? ReadStatus.Missing : _states!.Read(into);
    }

    /// <inheritdoc/>
    public void Send(in SafeCommand command)
    {
        int session = _session;
        if (session == 0 || _lost || _phase != Phase.Up)
        {
            return; // nothing waits for a line: the device holds by itself meanwhile
        }

        var slot = _commands!.Back;
        slot.Connection = _connections;
        slot.Length = command.IsHold ? Frame.Write(slot.Wire, MessageType.Hold, NextSequence(), []) : Write(slot, session, in command);
        _commands.Publish();
        _wake.Signal();
    }

    /// <inheritdoc/>
    public async Task ClaimAsync(CommandMode mode, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(mode);
        if (_session != 0 && !_lost && _phase == Phase.Up)
        {
            throw new RobotRefusedException($"Robot '{Spec.Name}' at {_at} is already claimed in this process; release it first.");
        }

        if (mode.Mismatch(Spec) is { } mismatch)
        {
            throw new RobotRefusedException($"Robot '{Spec.Name}' at {_at} cannot take this policy: {mismatch}.");
        }

        if (mode.Servo is { } gains)
        {
            await WriteGains(gains, cancellation).ConfigureAwait(false);
        }

        byte[] payload = new byte[2 + mode.Kinds.Count];
        ushort session = (ushort)(1 + (Interlocked.Increment(ref s_sessions) % ushort.MaxValue));
        System.Buffers.Binary.BinaryPrimitives.WriteUInt16LittleEndian(payload, session);
        for (int j = 0; j < mode.Kinds.Count; j++)
        {
            payload[2 + j] = (byte)mode.Kinds[j];
        }

        _arming = (session, [.. mode.Kinds]);
        var answer = await AskAsync(MessageType.Arm, payload, cancellation).ConfigureAwait(false);
        if (answer.Result != DeviceResult.Ok)
        {
            throw new RobotRefusedException($"Robot '{Spec.Name}' at {_at} refused the claim: {Refusal(answer)}");
        }
    }

    /// <inheritdoc/>
    public async Task ReleaseAsync(CancellationToken cancellation)
    {
        if (_session == 0)
        {
            return;
        }

        _session = 0;
        try
        {
            await AskAsync(MessageType.Disarm, [], cancellation).ConfigureAwait(false);
        }
        catch (RobotRefusedException)
        {
            // The line went meanwhile: the commands run out, and the device disarms by itself.
        }
    }

    /// <inheritdoc/>
    public void EmergencyStop()
    {
        _stopAsked = true; // said again with every report, until the device says so too
        _wake.Signal();
    }

    /// <summary>Releases the latch of a fault or an emergency stop; the robot goes on holding until the next claim.</summary>
    /// <exception cref="RobotRefusedException">The button is still pressed, or the device does not answer.</exception>
    public async Task ClearAsync(CancellationToken cancellation)
    {
        _stopAsked = false;
        var answer = await AskAsync(MessageType.Clear, [], cancellation).ConfigureAwait(false);
        if (answer.Result != DeviceResult.Ok)
        {
            throw new RobotRefusedException($"Robot '{Spec.Name}' at {_at} does not clear: the stop button is still pressed, or its configuration is wrong.");
        }
    }

    /// <summary>Closes the line without a word to the device, as the end of this process does; for tests.</summary>
    internal void Abandon()
    {
        _session = 0;
        Dispose();
    }

    /// <summary>Disarms and closes the line.</summary>
    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        if (_session != 0)
        {
            Span<byte> wire = stackalloc byte[Frame.MaxWire];
            WriteLine(wire[..Frame.Write(wire, MessageType.Disarm, NextSequence(), [])]);
        }

        _disposed = true;
        _wake.Signal();
        _reader?.Join();
        _writer?.Join();
        _wake.Dispose();
        _asking.Dispose();
    }

    private int Write(Outgoing slot, int session, in SafeCommand command)
    {
        var target = command.Target;
        for (int j = 0; j < target.Length; j++)
        {
            // Beyond what a count can say is beyond every range: the device judges it.
            slot.Counts[j] = (short)Math.Clamp(MathF.Round(target[j] / _joints[j].Scale(_kinds[j])), -short.MaxValue, short.MaxValue);
        }

        var now = MonotonicTime.Now(_clock);
        uint expires = (uint)_deviceClock.ToDevice(now + command.ValidFor);
        _newestSent = command.Stamp.Sequence;
        var header = new CommandHeader(
            (ushort)session,
            (ushort)Math.Clamp(command.ValidFor.TotalMilliseconds, 0, ushort.MaxValue),
            (uint)command.Stamp.Sequence,
            (uint)(command.Stamp.ObservedAt.Nanoseconds / 1000),
            expires == 0 ? 1 : expires, // 0 means no limit
            (uint)_options.RowTime.TotalMicroseconds);
        Span<byte> payload = stackalloc byte[Frame.MaxPayload];
        return Frame.Write(slot.Wire, MessageType.Command, NextSequence(), payload[..Payloads.WriteCommand(payload, in header, 1, slot.Counts)]);
    }

    private async Task WriteGains(ServoGains gains, CancellationToken cancellation)
    {
        for (int j = 0; j < _joints.Length; j++)
        {
            await WriteRegisterAsync(DeviceRegister.OfJoint(j, DeviceRegister.Stiffness), gains.Stiffness[j], cancellation).ConfigureAwait(false);
            await WriteRegisterAsync(DeviceRegister.OfJoint(j, DeviceRegister.Damping), gains.Damping[j], cancellation).ConfigureAwait(false);

            // The device's own limit stands: a policy may ask for less, not for more.
            float limit = Math.Min(gains.EffortLimit[j], _joints[j].MaxEffort);
            await WriteRegisterAsync(DeviceRegister.OfJoint(j, DeviceRegister.MaxEffort), limit, cancellation).ConfigureAwait(false);
        }
    }

    private static string Refusal(Answer answer) => answer.Result switch
    {
        DeviceResult.WrongMode => answer.Mode switch
        {
            DeviceMode.Fault => "it is in fault; remove the cause, then clear it.",
            DeviceMode.EmergencyStop => "it is in emergency stop; clear it first.",
            _ => $"it is {answer.Mode}; release it first.",
        },
        DeviceResult.WrongKind => "a joint cannot take targets of that kind.",
        _ => $"it answered {answer.Result}.",
    };

    /// <summary>A frame on its way out.</summary>
    private sealed class Outgoing(int joints)
    {
        public byte[] Wire { get; } = new byte[Frame.MaxWire];

        public short[] Counts { get; } = new short[joints];

        public int Length { get; set; }

        public int Connection { get; set; }
    }
}
