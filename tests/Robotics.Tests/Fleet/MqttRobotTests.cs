using Robotics.Fleet;
using Robotics.Packages;
using static Robotics.Tests.Fleet.FleetRig;

namespace Robotics.Tests.Fleet;

/// <summary>Both sides of the link over a real broker, while everything goes well.</summary>
public sealed class MqttRobotTests : IAsyncLifetime
{
    private FleetRig _rig = null!;

    public async ValueTask InitializeAsync() => _rig = await Start();

    public ValueTask DisposeAsync() => _rig.DisposeAsync();

    [Fact]
    public async Task ConnectAsync_BringsTheRobotsOwnDescription()
    {
        var robot = await _rig.Controller();
        Assert.Equal(RobotFile.Write(_rig.Body.Spec), RobotFile.Write(robot.Spec));
    }

    [Fact]
    public async Task ConnectAsync_ToARobotThatIsNotThere_ListsThoseThatAre()
    {
        var missing = await Assert.ThrowsAsync<ConfigException>(() => MqttRobot.ConnectAsync(
            _rig.At, "arm", new() { Patience = TimeSpan.FromMilliseconds(200) }, TimeProvider.System, CancellationToken.None));
        Assert.Contains($"{_rig.At}", missing.Message, StringComparison.Ordinal);
        Assert.Contains("no robot 'arm' online; online there: body.", missing.Message, StringComparison.Ordinal);

        // A robot that said good-bye left its description behind, but is not there.
        await _rig.Server.DisposeAsync();
        missing = await Assert.ThrowsAsync<ConfigException>(() => MqttRobot.ConnectAsync(
            _rig.At, "body", new() { Patience = TimeSpan.FromMilliseconds(200) }, TimeProvider.System, CancellationToken.None));
        Assert.Contains("no robot is online there. Start its robot side", missing.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ConnectAsync_WithoutABroker_NamesHostAndPort()
    {
        await _rig.Broker.DisposeAsync();
        var refusal = await Assert.ThrowsAsync<BrokerException>(() => MqttRobot.ConnectAsync(_rig.At, "body", new(), TimeProvider.System, CancellationToken.None));
        Assert.Contains($"mqtt://127.0.0.1:{_rig.At.Port}", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ConnectAsync_WithANameThatIsNone_SaysWhatANameIs() =>
        await Assert.ThrowsAsync<ConfigException>(() => MqttRobot.ConnectAsync(_rig.At, "a/+", new(), TimeProvider.System, CancellationToken.None));

    [Fact]
    public async Task ClaimAsync_ByASecondController_NamesTheHolder()
    {
        var (first, _) = await Claimed();
        var second = await _rig.Controller();

        var refusal = await Assert.ThrowsAsync<RobotRefusedException>(() => Claim(second));

        Assert.Contains($"held by '{_rig.Server.Status.Holder}'", refusal.Message, StringComparison.Ordinal);
        await first.ReleaseAsync(CancellationToken.None);
        await Claim(second);
        Assert.Equal(HoldReason.None, second.Link.Reason);
    }

    [Fact]
    public async Task ClaimAsync_OfAModeTheRobotCannotTake_SaysWhy()
    {
        var robot = await _rig.Controller();
        var refusal = await Assert.ThrowsAsync<RobotRefusedException>(() => robot.ClaimAsync(new([TargetKind.Effort, TargetKind.Effort], null), CancellationToken.None));
        Assert.Contains("joint 'a' takes position targets", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Send_MovesTheRobot_AndAHoldCommandHoldsUntilTheNext()
    {
        var (robot, hand) = await Claimed();
        hand.Move(0.25f);
        await Until(() => _rig.Body.Sent == 1, "the command");
        Assert.Equal([0.25f, 0.25f], _rig.Body.Position);
        Assert.False(_rig.Body.HoldsNow);

        hand.Hold();
        await Until(() => _rig.Body.HoldsNow, "the hold");
        await Until(() => hand.Read() == ReadStatus.Fresh && hand.Seen.Mode == RobotMode.Holding, "a state that says so");

        hand.Move(0.5f);
        await Until(() => _rig.Body.Sent == 2, "the next command");
        await Until(() => hand.Read() == ReadStatus.Fresh && hand.Seen.Mode == RobotMode.Active && hand.Seen.AppliedCommand == 2, "its number, without the hold's");
        Assert.InRange(hand.Seen.ActionAgeNs, 1, 10_000_000_000);
        Assert.True(robot.Link.Up);
    }

    [Fact]
    public async Task Send_WithoutAClaim_ReachesNobody()
    {
        var robot = await _rig.Controller();
        int heard = 0;
        await _rig.Listener(_rig.Topics.Command, _ => Interlocked.Increment(ref heard));
        var hand = new Hand(robot);
        hand.Move(0.1f);
        await Claim(robot);
        hand.Move(0.2f);
        await Until(() => _rig.Body.Sent == 1, "the claimed command");
        await robot.ReleaseAsync(CancellationToken.None);
        hand.Move(0.3f);
        await Task.Delay(100, TestContext.Current.CancellationToken);
        Assert.Equal((1, 1), (_rig.Body.Sent, heard));
    }

    [Fact]
    public async Task Silence_IsAnsweredByTheDeadMan_AndSeenByTheController()
    {
        var (robot, hand) = await Claimed();
        hand.Move(0.1f, validForMs: 60);
        await Until(() => _rig.Body.Sent == 1, "the command");
        await Until(() => hand.Read() == ReadStatus.Fresh && hand.Seen.ModeReason == HoldReason.CommandExpired, "the dead-man");
        Assert.Equal(RobotMode.Holding, hand.Seen.Mode);
        Assert.True(_rig.Body.HoldsNow);
        Assert.True(robot.Link.Up); // the lease is renewed without commands

        hand.Move(0.2f);
        await Until(() => _rig.Server.Status.DroppedFor(CommandDrop.NotArmed) == 1, "the refusal: nothing resumes by itself");
        await Claim(robot);
        hand.Move(0.2f);
        await Until(() => _rig.Body.Sent == 2, "the command after the new claim");
    }

    [Fact]
    public async Task EmergencyStop_IsLatchedUntilAPersonClearsIt()
    {
        var (robot, hand) = await Claimed();
        robot.EmergencyStop();
        await Until(() => _rig.Body.Stopped, "the stop");
        await Until(() => hand.Read() == ReadStatus.Fresh && hand.Seen is { Mode: RobotMode.EmergencyStop, ModeReason: HoldReason.EmergencyStop }, "a state that says so");
        hand.Move(0.1f);
        await Until(() => _rig.Server.Status.DroppedFor(CommandDrop.NotArmed) == 1, "the refusal");
        Assert.Contains("emergency stop", (await Assert.ThrowsAsync<RobotRefusedException>(() => Claim(robot))).Message, StringComparison.Ordinal);

        _rig.Body.Stopped = false;
        var reply = new ControlReply("", false, 0, "");
        for (int attempt = 0; !reply.Ok && attempt < 100; attempt++)
        {
            reply = await OperatorClient.AskRobotAsync(_rig.At, "body", "clear", CancellationToken.None); // refused until the robot side has read the release
        }

        Assert.True(reply.Ok, reply.Text);
        await Claim(robot);
        hand.Move(0.1f);
        await Until(() => _rig.Body.Sent == 1, "the first command after it");
    }

    [Fact]
    public async Task ReleaseAsync_HoldsAndGivesTheRobotBack()
    {
        var (robot, hand) = await Claimed();
        hand.Move(0.1f);
        await Until(() => _rig.Body.Sent == 1, "the command");
        await robot.ReleaseAsync(CancellationToken.None);
        Assert.Equal((true, 1, (string?)null), (_rig.Body.HoldsNow, _rig.Body.Releases, _rig.Server.Status.Holder));
        await robot.ReleaseAsync(CancellationToken.None);
    }

    [Fact]
    public async Task Lease_OutlivesSilence_AndItsLossIsSeen()
    {
        var robot = await _rig.Controller(new() { Lease = TimeSpan.FromMilliseconds(200) });
        await Claim(robot);
        await Task.Delay(500, TestContext.Current.CancellationToken);
        Assert.Equal(HoldReason.None, robot.Link.Reason);

        // Somebody else who speaks in its name: the first lease is over.
        var heldBy = _rig.Server.Status.Holder!;
        var other = await _rig.Listener("robotics/v1/nobody", _ => { });
        byte[] claim = Documents.Write(new ControlRequest { Do = "claim", Id = "x", Client = heldBy, LeaseMs = 60_000 });
        await MQTTnet.MqttClientExtensions.PublishBinaryAsync(other, _rig.Topics.Control, claim, cancellationToken: CancellationToken.None);

        await Until(() => robot.Link.Reason == HoldReason.LeaseLost, "the loss");
        Assert.False(robot.Link.Up);
        await Claim(robot);
        await Task.Delay(100, TestContext.Current.CancellationToken);
        Assert.Equal(HoldReason.None, robot.Link.Reason);
    }

    [Fact]
    public async Task States_OutOfOrder_NeverTakeTheControllerBack()
    {
        await _rig.Server.DisposeAsync();
        await _rig.StartRobot(new() { Fault = new() { ReorderRate = 0.3, DuplicateRate = 0.3, ReorderBy = TimeSpan.FromMilliseconds(20), Seed = 3 } });
        var robot = await _rig.Controller();
        var hand = new Hand(robot);
        ulong newest = 0;
        for (int fresh = 0; fresh < 60;)
        {
            if (hand.Read() == ReadStatus.Fresh)
            {
                Assert.True(hand.Seen.Sequence > newest, $"{hand.Seen.Sequence} came after {newest}");
                newest = hand.Seen.Sequence;
                fresh++;
            }

            await Task.Delay(1, TestContext.Current.CancellationToken);
        }

        Assert.True(robot.Link.Dropped > 0);
    }

    [Fact]
    public async Task RetainedMessages_AreNeitherMeasurementsNorOperators()
    {
        var first = await _rig.Controller();
        var listener = await _rig.Listener("robotics/v1/nobody", _ => { });
        var asked = new List<OperatorRequest>();
        first.OperatorAsked = asked.Add;
        await Publish("""{"do":"resume"}""", retain: true);
        await OperatorClient.TellControllerAsync(_rig.At, "body", new("command", new Dictionary<string, float> { ["speed"] = 0.5f }), CancellationToken.None);
        await Until(() => asked.Count == 2, "both words"); // a live message carries no retain flag, whatever the broker keeps
        Assert.Equal(("command", 0.5f), (asked[1].Do, asked[1].Values!["speed"]));

        await _rig.Server.DisposeAsync();
        await _rig.StartRobot();
        var late = await _rig.Controller();
        late.OperatorAsked = asked.Add;
        ulong before = first.Link.Dropped;
        await Publish("no json", retain: false);
        await Until(() => first.Link.Dropped == before + 1, "the count of nonsense");
        await Task.Delay(50, TestContext.Current.CancellationToken);
        Assert.Equal(2, asked.Count);
        Assert.True(late.Link.Dropped >= 2); // the word of yesterday and the nonsense

        async Task Publish(string text, bool retain) => await MQTTnet.MqttClientExtensions.PublishStringAsync(
            listener, _rig.Topics.Operator, text, MQTTnet.Protocol.MqttQualityOfServiceLevel.AtLeastOnce, retain, CancellationToken.None);
    }

    [Fact]
    public async Task ReadAndSend_AllocateNothing()
    {
        var (_, hand) = await Claimed();
        hand.Hold();
        Move(1000); // what the runtime makes once, for code that turns out to be hot, is made here
        Assert.Equal(0, Allocated.ByThisThread(() =>
        {
            Move(10_000);
        }));

        void Move(int times)
        {
            for (int i = 0; i < times; i++)
            {
                hand.Move(0.1f);
            }
        }
    }

    private static Task Claim(MqttRobot robot) => robot.ClaimAsync(CommandMode.Native(robot.Spec), CancellationToken.None);

    private async Task<(MqttRobot Robot, Hand Hand)> Claimed()
    {
        var robot = await _rig.Controller();
        await Claim(robot);
        return (robot, new Hand(robot));
    }
}
