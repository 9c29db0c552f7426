using System.Text.Json.Nodes;
using Robotics.Episodes;
using Robotics.Fleet;
using Robotics.Sim.Tasks;
using Robotics.Tests.Firmware;
using Robotics.Tests.Fleet;

namespace Robotics.Tests.Host;

/// <summary><c>robotics bridge</c> as a process, with this project's own device: what is on a wire appears on MQTT, and holds when the wire goes.</summary>
[Collection("real time")]
public sealed class DeviceBridgeTests : IDisposable
{
    private const ulong Seed = 300_002; // a PushT start that the committed policy makes quick progress from

    private readonly RoboticsProcess _broker = RoboticsProcess.Start("broker", "--port", "0", "--json");
    private readonly TemporaryFolder _folder = new();
    private readonly int _port;

    public DeviceBridgeTests() => _port = (int)JsonNode.Parse(_broker.WaitFor("ready"))!["port"]!;

    private string Url => $"mqtt://127.0.0.1:{_port}";

    public void Dispose()
    {
        _broker.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task Device_MovesAcrossTheBroker_AndHoldsThroughAReplug()
    {
        string port = _folder.At("port");
        using var device = VirtualDevice.Start("--link", port);
        using var bridge = RoboticsProcess.Start("bridge", "--device", $"serial:{port}", "--broker", Url, "--json");
        bridge.WaitFor("ready");
        using var robot = await Controller("virtual-arm");
        await MovesThenHolds(robot, bridge, () => device.Tell("unplug 300"));
        double after = device.Truth().Position;
        await Task.Delay(300, TestContext.Current.CancellationToken);
        Assert.Equal(after, device.Truth().Position, 0.01); // plugged in again, it does not go on by itself
    }

    [Fact]
    public async Task Device_ThatOverheats_StopsAndTheReasonReachesTheBroker()
    {
        string port = _folder.At("port");
        using var device = VirtualDevice.Start("--link", port);
        using var bridge = RoboticsProcess.Start("bridge", "--device", $"serial:{port}", "--broker", Url, "--json");
        bridge.WaitFor("ready");
        using var robot = await Controller("virtual-arm");
        await robot.ClaimAsync(CommandMode.Native(robot.Spec), TestContext.Current.CancellationToken);
        var hand = new Hand(robot);
        await FleetRig.Until(() =>
        {
            hand.Move();
            return hand.Seen.Mode == RobotMode.Active;
        }, "motion");
        device.Tell("heat 0 120");
        await FleetRig.Until(() => hand.Read() == ReadStatus.Fresh && hand.Seen is { Mode: RobotMode.Fault, ModeReason: HoldReason.RobotFault }, "the fault at the controller");
        Assert.Contains("too hot", bridge.WaitFor("\"fault\""), StringComparison.Ordinal);
    }

    [Fact]
    public void PushT_OnTheDevice_IsDrivenByTheCommittedPolicyAsInTheSimulator()
    {
        string port = _folder.At("port");
        string record = _folder.At("run.mcap");
        using var device = VirtualDevice.Start("--push-t", "--link", port);
        using var table = new PushT();
        float[] start = new float[PushT.Describe().Layout.Length];
        table.Reset(Seed, start);
        device.Tell(FormattableString.Invariant($"place 0 {start[0]}"));
        device.Tell(FormattableString.Invariant($"place 1 {start[1]}"));
        using var bridge = RoboticsProcess.Start("bridge", "--device", $"serial:{port}", "--scene", "push-t", "--seed", $"{Seed}", "--broker", Url, "--json");
        bridge.WaitFor("ready");
        var (code, text, errors) = RoboticsProcess.Run("run", Path.Combine(Repository.Root, "models", "push-t-diffusion"), "--robot", "mqtt:push-t",
            "--broker", Url, "--duration", "20", "--record", record, "--json"); // in real time: some runs go round the block first
        Assert.True(code == 0, $"{text}\n{errors}");

        // The agent's motion is the C plant's, and the block's that of the table around it: pushed, and better off than it was.
        var ticks = new EpisodeReader(record).Ticks().ToList();
        var truth = device.Truth();
        Assert.Equal(truth.Position, ticks[^1].Signals[0], 0.01); // the brake let it glide a little after the last tick
        var layout = PushT.Describe().Layout;
        int coverage = layout.Find("task.coverage")!.Offset;
        var block = layout.Find("block.pose")!;
        Assert.Equal(start[block.Offset], ticks[0].Signals[block.Offset], 1e-6);
        Assert.Contains(ticks, tick => Math.Abs(tick.Signals[block.Offset] - start[block.Offset]) > 0.01);
        Assert.True(ticks.Max(tick => tick.Signals[coverage]) > ticks[0].Signals[coverage] + 0.1, $"coverage {ticks[0].Signals[coverage]} to {ticks.Max(tick => tick.Signals[coverage])}");
    }

    [Theory]
    [InlineData("needs joint 'x' (Prismatic, Position)", "--device", "PORT", "--scene", "push-t")] // an arm at the table
    [InlineData("--scene is 'chess', expected push-t", "--device", "serial:nothing-here", "--scene", "chess")]
    public void Bridge_OfASceneThatCannotBe_EndsWithCode2(string what, params string[] args)
    {
        using var device = VirtualDevice.Start();
        var (code, _, errors) = RoboticsProcess.Run(["bridge", "--broker", Url, .. args.Select(arg => arg == "PORT" ? $"serial:{device.Link}" : arg)]);
        Assert.Equal(2, code);
        Assert.Contains(what, errors, StringComparison.Ordinal);
        Assert.Single(errors.Split('\n'), line => line.StartsWith("robotics: ", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("is none of: serial:PORT", "--device", "can:can0")]
    [InlineData("nothing-here", "--device", "serial:nothing-here")]
    [InlineData("--calibration is missing", "--device", "feetech:nothing-here")]
    [InlineData("--baud is 1, expected", "--device", "serial:nothing-here", "--baud", "1")]
    public void Bridge_WhenTheInputIsWrong_SaysOneErrorAndEndsWithCode2(string what, params string[] args)
    {
        var (code, _, errors) = RoboticsProcess.Run(["bridge", "--broker", Url, .. args]);
        Assert.Equal(2, code);
        Assert.StartsWith("robotics: ", errors, StringComparison.Ordinal);
        Assert.Contains(what, errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", errors, StringComparison.Ordinal);
    }

    private async Task<MqttRobot> Controller(string name)
    {
        var robot = await MqttRobot.ConnectAsync(new() { Port = _port }, name, new(), TimeProvider.System, TestContext.Current.CancellationToken);
        await FleetRig.Until(() => robot.Link.Up, "the first state");
        return robot;
    }

    private static async Task MovesThenHolds(MqttRobot robot, RoboticsProcess bridge, Action replug)
    {
        await robot.ClaimAsync(CommandMode.Native(robot.Spec), TestContext.Current.CancellationToken);
        var hand = new Hand(robot);
        hand.Read();
        float start = hand.Seen.Signals[0];
        await FleetRig.Until(() =>
        {
            hand.Move(start + 0.2f);
            return hand.Seen.Mode == RobotMode.Active && hand.Seen.Signals[0] > start + 0.1f;
        }, "motion");

        replug();
        bridge.WaitFor("\"lost\"");
        bridge.WaitFor("\"found\"");

        // A controller that noticed nothing and goes on sending moves nothing.
        await FleetRig.Until(() => hand.Read() == ReadStatus.Fresh && hand.Seen.Mode != RobotMode.Active, "the robot back, holding");
        float held = hand.Seen.Signals[0];
        for (int i = 0; i < 50; i++)
        {
            hand.Move(start);
            Assert.NotEqual(RobotMode.Active, hand.Seen.Mode);
            await Task.Delay(10, TestContext.Current.CancellationToken);
        }

        Assert.Equal(held, hand.Seen.Signals[0], 0.02f);
    }
}
