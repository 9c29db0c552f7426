using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Robotics.Fleet;
using static Robotics.Tests.Fleet.FleetRig;

namespace Robotics.Tests.Fleet;

/// <summary>What the controller sees when the robot side or the broker goes, and what may come after it returns: nothing old.</summary>
public sealed class MqttOutageTests
{
    [Fact]
    public async Task RobotSide_ThatLeavesAndReturns_IsMissingThenThereWithoutItsLease()
    {
        await using var rig = await Start();
        var robot = await rig.Controller();
        await Claim(robot);
        await rig.Server.DisposeAsync();

        await Until(() => robot.Link.Reason == HoldReason.RobotMissing, "the loss");
        Assert.Equal(ReadStatus.Missing, new Hand(robot).Read());

        await rig.StartRobot();
        await Until(() => robot.Link.Reason == HoldReason.LeaseLost, "the robot without the lease");
        var hand = new Hand(robot);
        hand.Move(0.1f);
        await Until(() => rig.Server.Status.DroppedFor(CommandDrop.NoLease) == 1, "the refusal");
        await Claim(robot);
        Assert.True(robot.Link.Up);
        hand.Move(0.1f);
        await Until(() => rig.Body.Sent == 1, "the command under the new lease");
    }

    [Fact]
    public async Task RobotSide_Restarted_GivesOutNoEpochOfBefore()
    {
        await using var rig = await Start();
        var robot = await rig.Controller();
        await Claim(robot);
        uint before = rig.Server.Status.Epoch;
        await rig.Server.DisposeAsync();
        await rig.StartRobot();
        await Until(() => robot.Link.Reason == HoldReason.LeaseLost, "the robot without the lease");
        await Claim(robot);
        Assert.NotEqual(before, rig.Server.Status.Epoch);
    }

    [Fact]
    public async Task Broker_ThatRestarts_IsFoundAgain_AndNothingOfBeforeArrives()
    {
        await using var rig = await Start();
        var robot = await rig.Controller(new() { Lease = TimeSpan.FromSeconds(20) });
        await Claim(robot);
        await Outage(rig.Server, rig.At, robot, () => rig.Body.Sent, () => rig.Broker.DisposeAsync(), rig.StartBroker);
    }

    [Fact]
    public async Task Dispose_WhileTheBrokerIsAway_Ends()
    {
        await using var rig = await Start();
        var robot = await rig.Controller();
        await Claim(robot);
        await rig.Broker.DisposeAsync();
        await Until(() => robot.Link.Reason == HoldReason.LinkLost, "the loss");
        robot.EmergencyStop(); // reaches nobody, breaks nothing
        await robot.ReleaseAsync(CancellationToken.None);
        await Task.Run(robot.Dispose, CancellationToken.None).WaitAsync(Patience, TestContext.Current.CancellationToken);
        robot.Dispose();
        await Until(() => rig.Body.HoldsNow, "the robot's own hold");
    }

    [Fact]
    public async Task Mosquitto_KilledAndRestarted_IsFoundAgain_AndNothingOfBeforeArrives()
    {
        const string Mosquitto = "/usr/sbin/mosquitto";
        Assert.SkipUnless(File.Exists(Mosquitto), "mosquitto is not installed: apt install mosquitto");
        int port = FreePort();
        Process broker = StartMosquitto();
        try
        {
            var at = new BrokerOptions { Port = port };
            var body = new BodyRobot(TimeProvider.System);
            await using var server = new RobotServer(body, Packages.RobotFile.Write(body.Spec), at);
            using var patience = new CancellationTokenSource(Patience);
            await server.StartAsync(patience.Token);
            using var robot = await MqttRobot.ConnectAsync(at, "body", new() { Lease = TimeSpan.FromSeconds(20) }, TimeProvider.System, CancellationToken.None);
            await Until(() => robot.Link.Up, "the first state");
            await Claim(robot);
            await Outage(server, at, robot, () => body.Sent, Kill, () =>
            {
                broker = StartMosquitto();
                return Task.CompletedTask;
            });
        }
        finally
        {
            await Kill();
        }

        async ValueTask Kill()
        {
            if (!broker.HasExited)
            {
                broker.Kill(); // SIGKILL: nobody is told
            }

            await broker.WaitForExitAsync(CancellationToken.None);
        }

        Process StartMosquitto() => Process.Start(new ProcessStartInfo(Mosquitto, ["-p", port.ToString(CultureInfo.InvariantCulture)])
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        })!;
    }

    [Fact]
    public async Task LinkFault_BeginsAfterItsTimeAndDropsWhatItSays()
    {
        await using var rig = await Start(robotSide: new() { Fault = new() { DropRate = 1, After = TimeSpan.FromMilliseconds(700) } });
        var robot = await rig.Controller();
        await Claim(robot);
        var hand = new Hand(robot);
        hand.Move(0.1f);
        await Until(() => rig.Body.Sent == 1, "the command of before");

        // Then nothing comes either way: states stop, commands vanish without a trace.
        await Until(() => QuietFor(hand, TimeSpan.FromMilliseconds(200)), "silence");
        hand.Move(0.2f);
        await Task.Delay(100, TestContext.Current.CancellationToken);
        Assert.Equal((1, 0UL), (rig.Body.Sent, rig.Server.Status.DroppedInAll));
        await Until(() => rig.Body.HoldsNow, "the dead-man");
    }

    [Theory]
    [InlineData(-0.1, 0, 0)]
    [InlineData(0, 1.1, 0)]
    [InlineData(0, 0, double.NaN)]
    public void LinkFault_WithARateThatIsNone_IsRefused(double drop, double duplicate, double reorder) =>
        Assert.Throws<ConfigException>(() => new LinkFault { DropRate = drop, DuplicateRate = duplicate, ReorderRate = reorder }.Check());

    [Fact]
    public void DelayLine_WithASeed_DropsRepeatsAndReordersTheSameAgain()
    {
        var first = Run(7);
        Assert.Equal(first, Run(7));
        Assert.NotEqual(first, Run(8));
        Assert.InRange(first.Distinct().Count(), 100, 180); // 30 % of 200 vanish
        Assert.True(first.Count > first.Distinct().Count());
        Assert.NotEqual(first.Order(), first);

        static List<byte> Run(ulong seed)
        {
            var came = new ConcurrentQueue<byte>();
            var fault = new LinkFault { DropRate = 0.3, DuplicateRate = 0.2, ReorderRate = 0.2, ReorderBy = TimeSpan.FromMilliseconds(400), Seed = seed };
            using var line = new DelayLine("test", fault, TimeSpan.Zero, 1, frame => came.Enqueue(frame.Span[0]));
            for (int i = 0; i < 200; i++)
            {
                line.Add([(byte)i]);
            }

            // Everything that was reordered comes 400 ms later, long after the rest.
            Thread.Sleep(600);
            return [.. came];
        }
    }

    // Commands go on all the time; their targets say which side of the outage they were sent on.
    private static async Task Outage(RobotServer server, BrokerOptions at, MqttRobot robot, Func<int> moved, Func<ValueTask> stop, Func<Task> start)
    {
        const float Before = 0.25f;
        const float During = 0.5f;
        const float After = 0.75f;
        var heard = new ConcurrentQueue<float>();
        var hand = new Hand(robot);
        for (int i = 0; i < 20; i++)
        {
            hand.Move(Before, validForMs: 200);
            await Task.Delay(5, TestContext.Current.CancellationToken);
        }

        await Until(() => moved() > 0, "motion");
        for (int i = 0; i < 50; i++)
        {
            hand.Move(Before, validForMs: 200); // a burst just before, so that some are on their way
        }

        await stop();
        await Until(() => robot.Link.Reason == HoldReason.LinkLost, "the loss");
        Assert.Equal(ReadStatus.Missing, hand.Read());
        hand.Move(During);
        await Until(() => server.Status.Reason == HoldReason.CommandExpired && !server.Status.Connected, "the dead-man");
        int movedBefore = moved();

        await start();
        using var listener = await Listen(at, heard);
        for (int i = 0; i < 20; i++)
        {
            hand.Move(During);
            await Task.Delay(1, TestContext.Current.CancellationToken);
            if (robot.Link.Reason != HoldReason.LinkLost)
            {
                break;
            }
        }

        await Until(() => robot.Link.Up, "the reconnect");
        Assert.DoesNotContain(Before, heard);
        Assert.Equal(HoldReason.CommandExpired, server.Status.Reason);
        hand.Move(After);
        await Until(() => server.Status.DroppedFor(CommandDrop.NotArmed) > 0 && heard.Contains(After), "the refusal: nothing resumes by itself");
        Assert.Equal(movedBefore, moved());
        Assert.DoesNotContain(Before, heard);

        await Claim(robot);
        hand.Move(After);
        await Until(() => moved() == movedBefore + 1, "motion after a claim");
    }

    private static async Task<MQTTnet.IMqttClient> Listen(BrokerOptions at, ConcurrentQueue<float> heard)
    {
        var client = new MQTTnet.MqttClientFactory().CreateMqttClient();
        client.ApplicationMessageReceivedAsync += received =>
        {
            var target = new float[2];
            Assert.Equal(FrameStatus.Ok, Frames.ReadCommand(System.Buffers.BuffersExtensions.ToArray(received.ApplicationMessage.Payload), out _, target));
            heard.Enqueue(target[0]);
            return Task.CompletedTask;
        };
        for (int attempt = 0; ; attempt++)
        {
            try
            {
                await at.ConnectAsync(client, "listener", null, CancellationToken.None);
                break;
            }
            catch (BrokerException) when (attempt < 500)
            {
                await Task.Delay(10, CancellationToken.None); // the broker's process is still starting
            }
        }

        await MQTTnet.MqttClientExtensions.SubscribeAsync(client, new Topics("body").Command, cancellationToken: CancellationToken.None);
        return client;
    }

    private static bool QuietFor(Hand hand, TimeSpan span)
    {
        hand.Read();
        Thread.Sleep(span);
        return hand.Read() == ReadStatus.Repeated;
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static Task Claim(MqttRobot robot) => robot.ClaimAsync(CommandMode.Native(robot.Spec), CancellationToken.None);
}
