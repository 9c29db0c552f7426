using System.Threading.Channels;
using MQTTnet;
using MQTTnet.Protocol;

namespace Robotics.Fleet;

/// <summary>Offers a local robot on an MQTT broker: the robot side of PROTOCOL.md.</summary>
/// <remarks>
/// Threads: one measures and watches the dead-man by absolute deadlines; MQTTnet's receiver hands in commands and requests and
/// never waits; one task sends what must arrive (documents, answers, events); one keeps the connection. The server does not own
/// the local robot; nobody else may call its Read and Send meanwhile. Losing the broker stops nothing here: the dead-man does.
/// </remarks>
public sealed partial class RobotServer : IAsyncDisposable
{
    private static readonly TimeSpan DeadManPeriod = TimeSpan.FromMilliseconds(2);
    private static readonly TimeSpan IdlePeriod = TimeSpan.FromMilliseconds(20);

    private const double Creep = 0.97;
    private const double Again = 0.05;

    private readonly IRobot _local;
    private readonly byte[] _description;
    private readonly BrokerOptions _broker;
    private readonly TimeProvider _clock;
    private readonly Topics _topics;
    private readonly CommandIntake _intake;
    private readonly IMqttClient _client = new MqttClientFactory().CreateMqttClient();
    private readonly CancellationTokenSource _stopping = new();
    private readonly TaskCompletionSource _connectedOnce = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Channel<MqttApplicationMessage> _outbox = Channel.CreateBounded<MqttApplicationMessage>(
        new BoundedChannelOptions(1024) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true });
    private readonly Channel<Request> _requests = Channel.CreateBounded<Request>(
        new BoundedChannelOptions(64) { SingleReader = true });
    private readonly DelayLine? _lateStates;
    private readonly DelayLine? _lateCommands;
    private readonly Thread _states;
    private Task[] _tasks = [];
    private Task _leaving = Task.CompletedTask; // the newest state frame on its way out
    private byte[] _frame;
    private ulong _sent;
    private ulong _skipped;
    private uint _headers;
    private volatile bool _disposed;

    /// <summary>Prepares the robot side; nothing is connected or moved yet.</summary>
    /// <param name="local">The robot; stays the caller's, who disposes it after this server.</param>
    /// <param name="descriptionJson">Its robot.json, published retained.</param>
    /// <param name="broker">Where to.</param>
    /// <param name="options">How strict; null: the defaults.</param>
    /// <param name="clock">The robot's clock; null: the system's.</param>
    /// <exception cref="ConfigException">The robot's name cannot stand in a topic, the broker options contradict each other, or a fault rate makes no sense.</exception>
    public RobotServer(IRobot local, string descriptionJson, BrokerOptions broker, RobotServerOptions? options = null, TimeProvider? clock = null)
    {
        ArgumentNullException.ThrowIfNull(local);
        ArgumentNullException.ThrowIfNull(descriptionJson);
        ArgumentNullException.ThrowIfNull(broker);
        options ??= new();
        broker.Check();
        _local = local;
        _description = System.Text.Encoding.UTF8.GetBytes(descriptionJson);
        _broker = broker;
        _clock = clock ?? TimeProvider.System;
        _topics = new Topics(local.Spec.Name);
        _frame = new byte[Frames.StateOverhead + (4 * local.Spec.Layout.Length)];
        _intake = new CommandIntake(local, options, _clock) { Raised = Announce };
        _states = new Thread(RunStates) { Name = "robot states", IsBackground = true };
        if (options.Fault is { } fault)
        {
            fault.Check();
            _delayTime = fault.DelayTime;
            _lateStates = new DelayLine("late states", fault, fault.StateDelay, 1, Leave);
            _lateCommands = new DelayLine("late commands", fault, fault.CommandDelay, 2, frame => _intake.Take(frame.Span));
            if (fault.DelayTime)
            {
                var calm = new LinkFault(); // clocks are estimated under the same delays, but every answer comes
                _lateTimeRequests = new DelayLine("late time requests", calm, fault.CommandDelay, 3, request => AnswerTime(request.Span));
                _lateTimeReplies = new DelayLine("late time answers", calm, fault.StateDelay, 4, LeaveTime);
            }
        }
    }

    /// <summary>Told of everything a person should read, besides the <c>event</c> topic; called from a task of the server.</summary>
    public Action<RobotEvent>? Raised { get; set; }

    /// <summary>The robot's topics.</summary>
    public Topics Topics => _topics;

    /// <summary>Why the broker was not reached, or was lost, the last time; null before that.</summary>
    public string? LinkFailure { get; private set; }

    /// <summary>Publishes what the local robot says of itself, in its own words, on the <c>event</c> topic; any thread, never waits.</summary>
    /// <param name="mode">What it does now.</param>
    /// <param name="reason">Why.</param>
    /// <param name="words">One sentence without a full stop.</param>
    public void Relay(RobotMode mode, HoldReason reason, string words) => _intake.Relay(mode, reason, words);

    /// <summary>Counters and state now; any thread.</summary>
    public RobotServerStatus Status => _intake.Status() with
    {
        Connected = _client.IsConnected,
        StatesSent = Volatile.Read(ref _sent),
        StatesSkipped = Volatile.Read(ref _skipped),
    };

    /// <summary>Measures, watches and connects; returns when the broker was reached for the first time. Keeps trying by itself,
    /// also after <paramref name="cancellation"/> has ended the wait.</summary>
    public Task StartAsync(CancellationToken cancellation)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_tasks.Length > 0)
        {
            throw new InvalidOperationException("The robot side already runs.");
        }

        _client.ApplicationMessageReceivedAsync += Receive;
        _tasks = [Task.Run(KeepConnected, CancellationToken.None), Task.Run(SendOutbox, CancellationToken.None), Task.Run(ServeRequests, CancellationToken.None)];
        _states.Start();
        return _connectedOnce.Task.WaitAsync(cancellation);
    }

    /// <summary>Holds, says OFFLINE, disconnects, gives the local robot back.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        if (_tasks.Length > 0)
        {
            _states.Join();
            _intake.Stop("the robot side ends");
            await SayGoodBye().ConfigureAwait(false);
            await _stopping.CancelAsync().ConfigureAwait(false);
            await Task.WhenAll(_tasks).ConfigureAwait(false);
            await _intake.GiveBack(CancellationToken.None).ConfigureAwait(false);
        }

        foreach (var line in new[] { _lateStates, _lateCommands, _lateTimeRequests, _lateTimeReplies })
        {
            line?.Dispose();
        }

        _client.Dispose();
        _stopping.Dispose();
    }

    private void RunStates()
    {
        var observation = new Observation(_local.Spec.Layout.Length);
        var period = TimeSpan.FromMilliseconds(_local.Spec.StatePeriodMs);
        var due = MonotonicTime.SystemNow();
        while (!_disposed)
        {
            var now = MonotonicTime.SystemNow();
            if (_intake.Check())
            {
                _requests.Writer.TryWrite(Request.GiveBack);
            }

            if (now >= due)
            {
                // Due a little before a whole period, and again soon when nothing is new yet: so the schedule creeps to the
                // instant at which the robot measures, instead of adding up to a whole period of age by chance.
                bool fresh = _local.Read(observation) == ReadStatus.Fresh;
                if (fresh)
                {
                    SendState(_intake.Observe(observation), observation.Signals);
                }

                due = now + (period * (fresh ? Creep : Again));
            }

            var next = now + (_intake.Leased ? DeadManPeriod : IdlePeriod);
            PreciseSleep.Until(due < next ? due : next);
        }
    }

    private void SendState(in StateHeader header, ReadOnlySpan<float> signals)
    {
        if (_lateStates is { } late)
        {
            Span<byte> frame = stackalloc byte[_frame.Length <= 4096 ? _frame.Length : 0];
            frame = frame.Length > 0 ? frame : new byte[_frame.Length];
            Frames.WriteState(frame, in header, signals);
            late.Add(frame);
            return;
        }

        // Newest wins: while one frame waits in a full socket the next ones are left out.
        if (!_leaving.IsCompleted || !_client.IsConnected)
        {
            Interlocked.Increment(ref _skipped);
            return;
        }

        Frames.WriteState(_frame, in header, signals);
        Leave(_frame);
    }

    private void Leave(Memory<byte> frame)
    {
        if (!_client.IsConnected)
        {
            Interlocked.Increment(ref _skipped);
            return;
        }

        var message = new MqttApplicationMessage
        {
            Topic = _topics.State,
            PayloadSegment = System.Runtime.InteropServices.MemoryMarshal.TryGetArray<byte>(frame, out var bytes) ? bytes : frame.ToArray(),
            QualityOfServiceLevel = MqttQualityOfServiceLevel.AtMostOnce,
            ContentType = BrokerOptions.SpeaksVersion5(_client) ? Topics.FrameContentType : null,
        };
        _leaving = SendQuietly(message);
        Interlocked.Increment(ref _sent);
    }

    private void Announce(RobotEvent robotEvent) => _requests.Writer.TryWrite(new(null, null, robotEvent));

    private readonly record struct Request(ControlRequest? Control, MqttApplicationMessage? Message, RobotEvent? Event)
    {
        public static Request GiveBack => default;
    }
}
