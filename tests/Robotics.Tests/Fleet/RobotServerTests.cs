using System.Buffers;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using MQTTnet;
using MQTTnet.Protocol;
using MQTTnet.Server;
using Robotics.Fleet;

namespace Robotics.Tests.Fleet;

/// <summary>The robot side over a real broker on the loopback interface.</summary>
public sealed class RobotServerTests : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly int _port = FreePort();
    private readonly BodyRobot _robot = new(TimeProvider.System);
    private readonly ConcurrentQueue<(string Topic, byte[] Payload, bool Retain, byte[]? Correlation)> _heard = new();
    private readonly Topics _topics = new("body");
    private MqttServer _broker = null!;
    private RobotServer? _server;
    private IMqttClient _client = null!;

    public async ValueTask InitializeAsync()
    {
        _broker = await StartBroker();
        _client = await Connect("tester");
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }

        _client.Dispose();
        await _broker.StopAsync();
        _broker.Dispose();
    }

    [Fact]
    public async Task Start_PublishesDescriptionOnlineAndStates()
    {
        await Start();
        using var late = await Connect("late");

        Assert.Equal(BodyRobot.Json, Encoding.UTF8.GetString(await Hear(_topics.Description, retained: true)));
        var document = Documents.ReadConnection(await Hear(_topics.Connection, retained: true))!;
        Assert.Equal((ConnectionDocument.Online, "body"), (document.ConnectionState, document.SerialNumber));
        var signals = new float[6];
        Assert.Equal(FrameStatus.Ok, Frames.ReadState(await Hear(_topics.State), out var header, signals));
        Assert.Equal(RobotMode.Holding, header.Mode);
    }

    [Fact]
    public async Task Commands_MoveTheRobotUntilTheyStop_ThenTheDeadManHolds()
    {
        await Start();
        var claim = await Ask(new() { Do = "claim", Id = "c", Client = "tester", LeaseMs = 5000 });
        Assert.True(claim.Ok, claim.Text);

        for (ulong i = 1; i <= 5; i++)
        {
            await Command(claim.Epoch, i);
        }

        await Until(() => _robot.Sent == 5);
        await Until(() => _server!.Status.Reason == HoldReason.CommandExpired);
        Assert.True(_robot.HoldsNow);
        await UntilHeard(_topics.Event, bytes => Documents.ReadEvent(bytes)!.Reason == HoldReason.CommandExpired);
        await Command(claim.Epoch, 6);
        await Until(() => _server!.Status.DroppedFor(CommandDrop.NotArmed) == 1);
        Assert.True((await Ask(new() { Do = "resume", Id = "r", Client = "tester", Epoch = claim.Epoch })).Ok);
        await Command(claim.Epoch, 7);
        await Until(() => _robot.Sent == 6);
        Assert.True((await Ask(new() { Do = "release", Id = "x", Client = "tester", Epoch = claim.Epoch })).Ok);
        Assert.Equal((1, 1), (_robot.Claims, _robot.Releases));
    }

    [Fact]
    public async Task Lease_ThatRunsOut_GivesTheLocalRobotBack()
    {
        await Start();
        Assert.True((await Ask(new() { Do = "claim", Id = "c", Client = "tester", LeaseMs = 100 })).Ok);
        await Until(() => _robot.Releases == 1);
        Assert.Equal(HoldReason.LeaseLost, _server!.Status.Reason);
    }

    [Fact]
    public async Task Request_WithAResponseTopic_IsAnsweredThereOnlyUnderItsOwnReplies()
    {
        await Start();
        byte[] json = Documents.Write(new ControlRequest { Do = "hold", Id = "h", Client = "tester" });
        await Send(new() { Topic = _topics.Control, PayloadSegment = json, ResponseTopic = _topics.Reply("elsewhere"), CorrelationData = [1, 2] });
        await Until(() => _heard.Any(heard => heard.Topic == _topics.Reply("elsewhere") && heard.Correlation is [1, 2]));

        await Send(new() { Topic = _topics.Control, PayloadSegment = json, ResponseTopic = "robotics/v1/other/command" });
        await Until(() => _heard.Any(heard => heard.Topic == _topics.Reply("tester")));
        Assert.DoesNotContain(_heard, heard => heard.Topic == "robotics/v1/other/command");
    }

    [Fact]
    public async Task Nonsense_OnEveryTopic_IsSurvived()
    {
        await Start();
        string[] requests =
        [
            "", "{", "null", "[]", "{}", """{"do":null,"id":"1","client":"a"}""", """{"do":"claim","id":"1","client":"a/b"}""",
            """{"do":"claim","id":"1","client":"tester","kinds":[null]}""", """{"do":"claim","id":"1","client":"tester","servo":{"stiffness":null}}""",
            new('[', 100_000), """{"do":"claim","id":"1","client":"tester","kinds":["sideways"]}""",
        ];
        foreach (string request in requests)
        {
            await Send(new() { Topic = _topics.Control, PayloadSegment = Encoding.UTF8.GetBytes(request) });
        }

        foreach (int length in new[] { 0, 1, 8, 9, 55, 64, 100_000 })
        {
            await Send(new() { Topic = _topics.Command, PayloadSegment = new byte[length] });
            await Send(new() { Topic = _topics.Time, PayloadSegment = Enumerable.Repeat((byte)255, length).ToArray() });
        }

        Assert.True((await Ask(new() { Do = "claim", Id = "after", Client = "tester" })).Ok);
        Assert.Equal(0, _robot.Sent);
        Assert.Equal(7UL, _server!.Status.DroppedInAll);
    }

    [Fact]
    public async Task Time_IsAnsweredWithTheRobotsClock()
    {
        await Start();
        var request = new byte[8 + 6];
        var before = MonotonicTime.SystemNow();
        Frames.WriteTimeRequest(request, before, "tester"u8);
        await Send(new() { Topic = _topics.Time, PayloadSegment = request });

        Assert.True(Frames.ReadTimeReply(await Hear(_topics.TimeReply("tester")), out var sent, out var arrived, out var answered));
        Assert.Equal(before, sent);
        Assert.InRange(arrived.Nanoseconds, before.Nanoseconds, answered.Nanoseconds);
    }

    [Fact]
    public async Task Dispose_SaysOffline_AndALostSocketSaysBroken()
    {
        await Start();
        await _broker.DisconnectClientAsync("body-robot", new MqttServerClientDisconnectOptions { ReasonCode = MqttDisconnectReasonCode.UnspecifiedError });
        await UntilHeard(_topics.Connection, bytes => Documents.ReadConnection(bytes)!.ConnectionState == ConnectionDocument.Broken);
        await Until(() => _heard.Count(heard => heard.Topic == _topics.Connection && Documents.ReadConnection(heard.Payload)!.ConnectionState == ConnectionDocument.Online) == 2);

        await _server!.DisposeAsync();

        await UntilHeard(_topics.Connection, bytes => Documents.ReadConnection(bytes)!.ConnectionState == ConnectionDocument.Offline);
        Assert.True(_robot.HoldsNow);
    }

    [Fact]
    public async Task Broker_ThatRestarts_IsFoundAgainAndTheRobotHeldMeanwhile()
    {
        await Start();
        var claim = await Ask(new() { Do = "claim", Id = "c", Client = "tester", LeaseMs = 60_000 });
        await Command(claim.Epoch, 1);
        await Until(() => _robot.Sent == 1);

        await _broker.StopAsync();
        _broker.Dispose();

        await Until(() => !_server!.Status.Connected && _server.Status.Reason == HoldReason.CommandExpired);
        Assert.True(_robot.HoldsNow);
        Assert.Equal("tester", _server!.Status.Holder);
        _client.Dispose();
        _heard.Clear();
        _broker = await StartBroker();
        _client = await Connect("tester");
        Assert.Equal(BodyRobot.Json, Encoding.UTF8.GetString(await Hear(_topics.Description)));
        Assert.Equal(ConnectionDocument.Online, Documents.ReadConnection(await Hear(_topics.Connection))!.ConnectionState);
        Assert.True((await Ask(new() { Do = "resume", Id = "r", Client = "tester", Epoch = claim.Epoch })).Ok);
    }

    [Fact]
    public async Task LinkFault_DelaysStatesAndRepeatsCommands()
    {
        var delay = TimeSpan.FromMilliseconds(50);
        await Start(new() { Fault = new() { StateDelay = delay, CommandDelay = delay, DuplicateRate = 1 } });
        var claim = await Ask(new() { Do = "claim", Id = "c", Client = "tester", LeaseMs = 5000 });
        var sent = MonotonicTime.SystemNow();
        await Command(claim.Epoch, 1);
        await Until(() => _robot.Sent == 1);

        Assert.True(MonotonicTime.SystemNow() - sent >= delay);
        await Until(() => _server!.Status.DroppedFor(CommandDrop.Sequence) == 1);
        var signals = new float[6];
        await UntilHeard(_topics.State, bytes => Frames.ReadState(bytes, out var header, signals) == FrameStatus.Ok && header.AppliedCommand == 1);
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private async Task<MqttServer> StartBroker()
    {
        var factory = new MqttServerFactory();
        var options = factory.CreateServerOptionsBuilder().WithDefaultEndpoint().WithDefaultEndpointPort(_port)
            .WithDefaultEndpointBoundIPAddress(IPAddress.Loopback).WithDefaultEndpointBoundIPV6Address(IPAddress.None)
            .WithDefaultEndpointReuseAddress().Build();
        var broker = factory.CreateMqttServer(options);
        await broker.StartAsync();
        return broker;
    }

    private async Task<IMqttClient> Connect(string name)
    {
        var client = new MqttClientFactory().CreateMqttClient();
        client.ApplicationMessageReceivedAsync += received =>
        {
            var message = received.ApplicationMessage;
            _heard.Enqueue((message.Topic, message.Payload.ToArray(), message.Retain, message.CorrelationData));
            return Task.CompletedTask;
        };
        var options = new MqttClientOptionsBuilder().WithTcpServer("127.0.0.1", _port).WithClientId(name)
            .WithProtocolVersion(MQTTnet.Formatter.MqttProtocolVersion.V500).Build();
        await client.ConnectAsync(options);
        await client.SubscribeAsync("robotics/v1/#", MqttQualityOfServiceLevel.AtLeastOnce);
        return client;
    }

    private async Task Start(RobotServerOptions? options = null)
    {
        _server = new RobotServer(_robot, BodyRobot.Json, new() { Host = "127.0.0.1", Port = _port }, options);
        using var patience = new CancellationTokenSource(Patience);
        await _server.StartAsync(patience.Token);
    }

    private Task<MqttClientPublishResult> Send(MqttApplicationMessage message) => _client.PublishAsync(message);

    private Task<MqttClientPublishResult> Command(uint epoch, ulong sequence)
    {
        var frame = new byte[Frames.CommandOverhead + 8];
        var header = new CommandHeader(epoch, sequence, MonotonicTime.SystemNow(), MonotonicTime.SystemNow(), default, 300_000, false);
        Frames.WriteCommand(frame, header, [0.1f, 0.1f]);
        return Send(new() { Topic = _topics.Command, PayloadSegment = frame });
    }

    private async Task<ControlReply> Ask(ControlRequest request)
    {
        await Send(new() { Topic = _topics.Control, PayloadSegment = Documents.Write(request), QualityOfServiceLevel = MqttQualityOfServiceLevel.AtLeastOnce });
        ControlReply? reply = null;
        await UntilHeard(_topics.Reply(request.Client), bytes => (reply = Documents.ReadReply(bytes))?.Id == request.Id);
        return reply!;
    }

    private async Task<byte[]> Hear(string topic, bool retained = false)
    {
        await Until(() => _heard.Any(heard => heard.Topic == topic && (!retained || heard.Retain)));
        return _heard.Last(heard => heard.Topic == topic && (!retained || heard.Retain)).Payload;
    }

    private Task UntilHeard(string topic, Func<byte[], bool> what) => Until(() => _heard.Any(heard => heard.Topic == topic && what(heard.Payload)));

    private static async Task Until(Func<bool> condition)
    {
        var giveUp = MonotonicTime.SystemNow() + Patience;
        while (!condition())
        {
            Assert.True(MonotonicTime.SystemNow() < giveUp, "waited 10 s in vain");
            await Task.Delay(5);
        }
    }
}
