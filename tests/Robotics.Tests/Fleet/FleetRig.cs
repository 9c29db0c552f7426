using System.Buffers;
using MQTTnet;
using Robotics.Fleet;
using Robotics.Packages;
using Robotics.Safety;

namespace Robotics.Tests.Fleet;

/// <summary>A clock that runs like the system's, elsewhere.</summary>
internal sealed class ShiftedClock(TimeSpan shift) : TimeProvider
{
    public override long GetTimestamp() => base.GetTimestamp() + (long)(shift.TotalSeconds * TimestampFrequency);
}

/// <summary>A broker, a robot side with a <see cref="BodyRobot"/>, and controllers, all in this process over the loopback interface.</summary>
internal sealed class FleetRig : IAsyncDisposable
{
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly List<IDisposable> _more = [];
    private EmbeddedBrokerOptions _brokerOptions;

    private FleetRig(EmbeddedBrokerOptions options, TimeProvider clock) =>
        (_brokerOptions, Clock, Body) = (options, clock, new BodyRobot(clock));

    public TimeProvider Clock { get; }

    public BodyRobot Body { get; }

    public EmbeddedBroker Broker { get; private set; } = null!;

    public RobotServer Server { get; private set; } = null!;

    /// <summary>How to get to the broker.</summary>
    public BrokerOptions At { get; private set; } = null!;

    public Topics Topics { get; } = new("body");

    public static async Task<FleetRig> Start(
        EmbeddedBrokerOptions? broker = null, Func<BrokerOptions, BrokerOptions>? at = null, RobotServerOptions? robotSide = null, TimeProvider? clock = null)
    {
        var rig = new FleetRig(broker ?? new() { Port = 0 }, clock ?? TimeProvider.System);
        await rig.StartBroker();
        rig.At = new BrokerOptions { Port = rig.Broker.Port };
        rig.At = at?.Invoke(rig.At) ?? rig.At;
        await rig.StartRobot(robotSide);
        return rig;
    }

    public async Task StartBroker()
    {
        Broker = new EmbeddedBroker(_brokerOptions);
        await Broker.StartAsync(CancellationToken.None);
        _brokerOptions = _brokerOptions with { Port = Broker.Port };
    }

    public async Task StartRobot(RobotServerOptions? options = null)
    {
        Server = new RobotServer(Body, RobotFile.Write(Body.Spec), At, options, Clock);
        using var patience = new CancellationTokenSource(Patience);
        await Server.StartAsync(patience.Token);
    }

    /// <summary>A controller whose first state has come.</summary>
    public async Task<MqttRobot> Controller(MqttRobotOptions? options = null)
    {
        var robot = await MqttRobot.ConnectAsync(At, "body", options ?? new(), TimeProvider.System, CancellationToken.None);
        _more.Add(robot);
        await Until(() => robot.Link.Up, "the first state");
        return robot;
    }

    /// <summary>A plain client that hears <paramref name="topic"/>.</summary>
    public async Task<IMqttClient> Listener(string topic, Action<byte[]> heard)
    {
        var client = new MqttClientFactory().CreateMqttClient();
        _more.Add(client);
        client.ApplicationMessageReceivedAsync += received =>
        {
            heard(BuffersExtensions.ToArray(received.ApplicationMessage.Payload));
            return Task.CompletedTask;
        };
        await client.ConnectAsync(new MqttClientOptionsBuilder().WithTcpServer("127.0.0.1", At.Port).Build());
        await client.SubscribeAsync(topic);
        return client;
    }

    public static async Task Until(Func<bool> condition, string what)
    {
        var giveUp = MonotonicTime.SystemNow() + Patience;
        while (!condition())
        {
            Assert.True(MonotonicTime.SystemNow() < giveUp, $"waited {Patience.TotalSeconds} s in vain for {what}");
            await Task.Delay(2);
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var one in _more)
        {
            one.Dispose();
        }

        await Server.DisposeAsync();
        await Broker.DisposeAsync();
    }
}

/// <summary>A loop in miniature: reads a robot and sends it what a gate sealed.</summary>
internal sealed class Hand(IRobot robot)
{
    private readonly SafetyGate _gate = new(robot.Spec, CommandMode.Native(robot.Spec));
    private readonly float[] _target = new float[robot.Spec.Joints.Count];
    private ulong _sequence;

    public Observation Seen { get; } = new(robot.Spec.Layout.Length);

    public ReadStatus Read() => robot.Read(Seen);

    /// <summary>Reads, then sends; every joint to <paramref name="target"/>, or where it is.</summary>
    public void Move(float? target = null, double validForMs = 500)
    {
        robot.Read(Seen);
        for (int j = 0; j < _target.Length; j++)
        {
            _target[j] = target ?? Seen.Signals[j];
        }

        var command = _gate.Apply(
            Seen.Signals, _target, TimeSpan.FromMilliseconds(20), new(++_sequence, Seen.MeasuredAt, TimeSpan.FromMilliseconds(validForMs)), out var report);
        if (report.Refused)
        {
            Assert.Fail($"the test's own gate refused: {report.Reasons}"); // no text is built otherwise: this may not allocate
        }

        robot.Send(in command);
    }

    public void Hold() => robot.Send(default);
}
