using System.Text.Json.Nodes;
using Robotics.Firmware.Virtual;
using Robotics.Fleet;
using Robotics.Tests.Firmware;
using Robotics.Tests.Fleet;

namespace Robotics.Tests.Host;

/// <summary><c>robotics bridge</c> and <c>robotics device</c> in their own processes, virtual servos at the end of their wire.</summary>
[Collection("real time")]
public sealed class BridgeTests : IDisposable
{
    private const float Target = 1.4f; // rad; at 0.5 rad/s nearly 3 s away

    private ServoRig? _rig;

    [Theory]
    [InlineData(ServoProtocol.Dynamixel)]
    [InlineData(ServoProtocol.Feetech)]
    public async Task Bridge_DrivesAnArmFromMqtt_AndHoldsWhenTheCableGoesAndComesBack(ServoProtocol protocol)
    {
        var rig = Start(protocol);
        using var broker = RoboticsProcess.Start("broker", "--port", "0", "--json");
        int port = (int)JsonNode.Parse(broker.WaitFor("ready"))!["port"]!;
        using var bridge = RoboticsProcess.Start([.. Bridge(rig), "--broker", $"mqtt://127.0.0.1:{port}", "--json"]);
        bridge.WaitFor("ready");

        // Six at 100 Hz: 268 bytes a cycle at the Dynamixels' factory rate of 57,600 bit/s, 136 at the Feetechs' 1 Mbit/s.
        string slow = "268 bytes a cycle take 46.5 ms at 57600 bit/s, the robot asks for one every 10 ms";
        Assert.Equal(protocol == ServoProtocol.Dynamixel, bridge.Errors.Contains(slow, StringComparison.Ordinal));
        using var controller = await MqttRobot.ConnectAsync(new() { Port = port }, "arm", new(), TimeProvider.System, CancellationToken.None);
        await FleetRig.Until(() => controller.Link.Up, "the first state");
        await controller.ClaimAsync(CommandMode.Native(controller.Spec), CancellationToken.None);
        var hand = new Hand(controller);
        await FleetRig.Until(() =>
        {
            hand.Move(Target);
            return hand.Seen.Mode == RobotMode.Active && hand.Seen.Signals[0] > 0.1f;
        }, "motion");

        // The cable goes on the way; a controller that notices nothing goes on commanding.
        rig.Wire.Unplug();
        await FleetRig.Until(() => Commanded(hand) && Said(bridge, "lost"), "word of the loss");
        double[] stood = Encoders(rig);
        ulong seen = hand.Seen.Sequence;
        rig.Wire.Plug();
        await FleetRig.Until(() => Commanded(hand) && Said(bridge, "found") && hand.Seen.Sequence > seen + 3, "states after the return");
        for (int i = 0; i < 20; i++)
        {
            Commanded(hand);
            Assert.Equal(RobotMode.Holding, hand.Seen.Mode);
            await Task.Delay(10, TestContext.Current.CancellationToken);
        }

        // A servo finishes the goal it had, a fraction of a second ahead; the commanded place is 900 ticks away.
        Assert.All(Encoders(rig).Zip(stood), pair => Assert.InRange(pair.First, pair.Second - 200, pair.Second + 200));
        bridge.Interrupt();
        Assert.Equal(0, bridge.WaitForExit(TimeSpan.FromSeconds(20)));
    }

    public static TheoryData<string, string[]> Wrong => new()
    {
        { "unknown device", ["spi:/dev/x", "dynamixel:PORT"] },
        { "no port", ["Serial line", "Ports here:"] },
        { "another arm's calibration", ["shoulder_pan", "other_joint", "calibration.json"] },
        { "no calibration", ["nowhere.json", "device calibrate"] },
        { "missing servos", ["servo 2 'shoulder_lift'", "servo 5 'wrist_roll'", "no answer"] },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public void Bridge_WhenTheInputIsWrong_SaysOneErrorAndEndsWithCode2(string what, string[] named)
    {
        var rig = Start(ServoProtocol.Feetech);
        string[] args = Bridge(rig);
        switch (what)
        {
            case "unknown device":
                args[2] = "spi:/dev/x";
                break;
            case "no port":
                rig.Wire.Unplug();
                break;
            case "another arm's calibration":
                File.WriteAllText(rig.CalibrationPath, rig.Calibration.Write().Replace("shoulder_pan", "other_joint", StringComparison.Ordinal));
                break;
            case "no calibration":
                args[6] = "nowhere.json";
                break;
            default:
                rig.Bus.Servos[1].IsSilent = true;
                rig.Bus.Servos[4].IsSilent = true;
                break;
        }

        var (code, text, errors) = RoboticsProcess.Run(args);
        Assert.True(code == 2, $"code {code}\n{text}\n{errors}");
        Assert.All(named, word => Assert.Contains(word, errors, StringComparison.Ordinal));
        Assert.Single(errors.Split('\n'), line => line.StartsWith("robotics: ", StringComparison.Ordinal));
        Assert.All(rig.Bus.Servos, servo => Assert.False(servo.HasTorque));
    }

    [Fact]
    public void Device_InfoSetAndMonitor_TellWhatTheServosSay()
    {
        var rig = Start(ServoProtocol.Feetech);
        string device = "feetech:" + rig.Port;
        rig.Bus.Servos[2].Broken = 1 << 5;
        var (code, text, errors) = RoboticsProcess.Run("device", "info", device, "--json");
        Assert.True(code == 0, errors);
        var servos = JsonNode.Parse(text)!["servos"]!.AsArray();
        Assert.Equal([1, 2, 3, 4, 5, 6], servos.Select(servo => (int)servo!["id"]!));
        Assert.Equal("overload", (string)servos[2]!["errors"]!);

        Assert.Equal(0, RoboticsProcess.Run("device", "set", device, "--id", "4", "homing_offset", "-77").Code);
        rig.Bus.Servos[3].PowerCycle();
        (code, text, _) = RoboticsProcess.Run("device", "info", device, "--id", "4", "--json");
        Assert.Equal(0, code);
        Assert.Equal(-77, (int)JsonNode.Parse(text)!["homing_offset"]!);

        (code, text, _) = RoboticsProcess.Run("device", "monitor", device, "--duration", "0.2", "--json");
        Assert.Equal(0, code);
        Assert.Equal(6, JsonNode.Parse(text.Split('\n')[0])!["servos"]!.AsArray().Count);
    }

    [Theory]
    [InlineData("homing_offset", "3000", "-2047 to 2047")]
    [InlineData("present_position", "5", "measured by the servo")]
    [InlineData("homing_ofset", "5", "no register")]
    public void Device_SetOfWhatCannotBe_EndsWithCode2(string register, string value, string named)
    {
        var rig = Start(ServoProtocol.Feetech);
        var (code, _, errors) = RoboticsProcess.Run("device", "set", "feetech:" + rig.Port, "--id", "4", register, value);
        Assert.Equal(2, code);
        Assert.Contains(named, errors, StringComparison.Ordinal);
    }

    [Fact]
    public void Device_List_IsJsonForPrograms()
    {
        var (code, text, errors) = RoboticsProcess.Run("device", "list", "--json");
        Assert.True(code == 0, errors);
        Assert.NotNull(JsonNode.Parse(text)!["ports"]!.AsArray());
    }

    public void Dispose() => _rig?.Dispose();

    private ServoRig Start(ServoProtocol protocol)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "pseudo-terminals are Linux here");
        return _rig = new(protocol, maxSpeed: 0.5f);
    }

    private static string[] Bridge(ServoRig rig) =>
    [
        "bridge", "--device", $"{rig.Bus.Protocol.ToString().ToLowerInvariant()}:{rig.Port}", "--robot", rig.RobotPath, "--calibration", rig.CalibrationPath, "--duration", "60",
    ];

    private static bool Commanded(Hand hand)
    {
        hand.Move(Target);
        return true;
    }

    private static bool Said(RoboticsProcess process, string type) => process.All.Any(line => line.Contains($"\"type\":\"{type}\"", StringComparison.Ordinal));

    private static double[] Encoders(ServoRig rig) => [.. rig.Bus.Servos.Select(servo => servo.Encoder)];
}
