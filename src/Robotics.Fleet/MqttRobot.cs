using System.Buffers;
using MQTTnet;
using Robotics.Safety;

namespace Robotics.Fleet;

/// <summary>How patient the controller side is.</summary>
public sealed record MqttRobotOptions
{
    /// <summary>Patience for the robot's description at the start, and for answers to requests.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a claim lasts without a renewal or a command, 100 ms to 60 s.</summary>
    public TimeSpan Lease { get; init; } = TimeSpan.FromSeconds(2);
}

/// <summary>A robot across MQTT: the controller side of PROTOCOL.md.</summary>
/// <remarks>
/// Threads: MQTTnet's receiver fills the newest measurement; one thread sends the newest command; one task keeps the connection,
/// the lease and the clock offset. <see cref="Read"/> and <see cref="Send"/> only exchange preallocated buffers with them. Nothing
/// is queued while the broker is away: old commands are never replayed, and a reconnect resumes no motion by itself.
/// </remarks>
public sealed partial class MqttRobot : IRobot
{
    private readonly BrokerOptions _broker;
    private readonly MqttRobotOptions _options;
    private readonly TimeProvider _clock;
    private readonly Topics _topics;
    private readonly string _name = OperatorClient.NewName();
    private readonly IMqttClient _client = new MqttClientFactory().CreateMqttClient();
    private readonly CancellationTokenSource _stopping = new();
    private readonly ClockOffset _offset = new();
    private readonly WakeUp _wake = new();
    private readonly AppliedSequences _sequences = new();

    private RobotSpec? _spec;
    private NewestObservation? _states;
    private TripleBuffer<Outgoing>? _commands;
    private Thread? _sender;
    private Task _keeping = Task.CompletedTask;

    private volatile bool _disposed;
    private volatile bool _connected;
    private volatile bool _online;
    private volatile bool _measured;
    private volatile uint _epoch;    // 0: not claimed
    private volatile uint _epochSeen; // the lease that state frames were of, once they were ours
    private volatile uint _epochLost; // the lease that the robot side said is over
    private volatile int _connections; // counts them: what was meant for an earlier one never leaves
    private ulong _dropped;
    private ulong _overwritten;

    private MqttRobot(BrokerOptions broker, string robot, MqttRobotOptions options, TimeProvider clock) =>
        (_broker, _topics, _options, _clock) = (broker, new Topics(robot), options, clock);

    /// <inheritdoc/>
    public RobotSpec Spec => _spec!; // set before the object is handed out

    /// <inheritdoc/>
    public LinkStatus Link
    {
        get
        {
            var reason = !_connected ? HoldReason.LinkLost
                : !_online || !_measured ? HoldReason.RobotMissing
                : _epoch is > 0 and var epoch && epoch == _epochLost ? HoldReason.LeaseLost
                : HoldReason.None;
            return new(reason == HoldReason.None, reason, Ticks(_offset.RoundTripNs), Ticks(_offset.OffsetNs), Volatile.Read(ref _dropped));
        }
    }

    /// <summary>Commands that a newer one replaced before they left.</summary>
    public ulong Overwritten => Volatile.Read(ref _overwritten);

    /// <summary>Called from the receiver with what an operator asks over the broker; must not wait.</summary>
    public Action<OperatorRequest>? OperatorAsked { get; set; }

    /// <summary>Called from the receiver with what the robot side says for people to read; must not wait.</summary>
    public Action<RobotEvent>? Said { get; set; }

    /// <summary>Connects and waits until the robot has described itself and is online.</summary>
    /// <exception cref="BrokerException">No broker there, or it refuses.</exception>
    /// <exception cref="ConfigException">No such robot on the broker (the message lists those that are), or its description is
    /// wrong.</exception>
    public static async Task<MqttRobot> ConnectAsync(BrokerOptions broker, string robot, MqttRobotOptions options, TimeProvider clock, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(broker);
        ArgumentNullException.ThrowIfNull(options);
        broker.Check();
        var link = new MqttRobot(broker, robot, options, clock);
        try
        {
            await link.Begin(cancellation).ConfigureAwait(false);
            return link;
        }
        catch
        {
            link.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public ReadStatus Read(Observation into)
    {
        ArgumentNullException.ThrowIfNull(into);
        return !_connected || !_online || !_measured ? ReadStatus.Missing : _states!.Read(into);
    }

    /// <inheritdoc/>
    public void Send(in SafeCommand command)
    {
        uint epoch = _epoch;
        if (epoch == 0 || !_connected)
        {
            return; // nothing waits for a connection: the robot's own timer holds it meanwhile
        }

        var now = MonotonicTime.Now(_clock);
        var header = new CommandHeader(
            epoch,
            _sequences.Next(epoch, command.IsHold ? 0 : command.Stamp.Sequence),
            command.Stamp.ObservedAt,
            now,
            _offset.Known && !command.IsHold ? new MonotonicTime(now.Nanoseconds + _offset.OffsetNs) + command.ValidFor : default,
            (uint)Math.Clamp(command.ValidFor.TotalMicroseconds, 0, uint.MaxValue),
            command.IsHold);
        var slot = _commands!.Back;
        slot.Connection = _connections;
        slot.Length = Frames.WriteCommand(slot.Frame, in header, command.Target);
        _commands.Publish();
        _wake.Signal();
    }

    /// <inheritdoc/>
    public async Task ClaimAsync(CommandMode mode, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(mode);
        var reply = await Ask(new ControlRequest
        {
            Do = "claim",
            Id = NewId(),
            Client = _name,
            LeaseMs = (int)_options.Lease.TotalMilliseconds,
            Kinds = mode.Kinds,
            Servo = mode.Servo,
            PeriodMs = CommandPeriod.TotalMilliseconds,
        }, cancellation).ConfigureAwait(false);
        if (!reply.Ok)
        {
            throw new RobotRefusedException($"Robot '{_topics.Robot}' at {_broker} refused the claim: {reply.Text}");
        }

        _epoch = reply.Epoch;
    }

    /// <summary>Nominal time between commands; the robot side's gate scales its reach with it. Set before a claim.</summary>
    public TimeSpan CommandPeriod { get; set; } = TimeSpan.FromMilliseconds(20);

    /// <inheritdoc/>
    public async Task ReleaseAsync(CancellationToken cancellation)
    {
        uint epoch = _epoch;
        if (epoch == 0)
        {
            return;
        }

        _epoch = 0;
        if (_connected && _online)
        {
            try
            {
                await Ask(new ControlRequest { Do = "release", Id = NewId(), Client = _name, Epoch = epoch }, cancellation).ConfigureAwait(false);
            }
            catch (RobotRefusedException)
            {
                // The link went meanwhile: the lease ends by itself.
            }
        }
    }

    /// <inheritdoc/>
    public void EmergencyStop() => _ = Task.Run(() => Tell(new ControlRequest { Do = "estop", Id = NewId(), Client = _name }));

    /// <summary>Disconnects; the robot's own side holds when commands stop and when the lease runs out.</summary>
    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        _stopping.Cancel();
        _wake.Signal();
        _sender?.Join();
        _keeping.GetAwaiter().GetResult();
        _client.Dispose();
        _wake.Dispose();
        _stopping.Dispose();
    }

    /// <summary>A message's payload as one span.</summary>
    internal static ReadOnlySpan<byte> Bytes(MqttApplicationMessage message) =>
        message.Payload.IsSingleSegment ? message.Payload.FirstSpan : message.Payload.ToArray();

    private static TimeSpan Ticks(long nanoseconds) => TimeSpan.FromTicks(nanoseconds / 100);

    private static string NewId() => Guid.NewGuid().ToString("N");

    /// <summary>A command frame on its way out.</summary>
    private sealed class Outgoing(int joints)
    {
        public byte[] Frame { get; } = new byte[Frames.CommandOverhead + (4 * joints)];

        public int Length { get; set; }

        public int Connection { get; set; }
    }
}
