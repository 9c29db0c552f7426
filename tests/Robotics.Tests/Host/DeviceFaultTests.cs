using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using MQTTnet;
using Robotics.Episodes;
using Robotics.Firmware.Wire;
using Robotics.Fleet;
using Robotics.Packages;
using Robotics.Tests.Firmware;
using Robotics.Tests.Fleet;
using Robotics.Tests.Policies;

namespace Robotics.Tests.Host;

/// <summary>Broker, bridge, device and controller, each a process; a policy swings the arm. Whatever happens then, the plant is braked in the time
/// that PROTOCOL.md states, and whoever is left to tell says why on MQTT and in the controller's record, in the device's own words.</summary>
[Collection("real time")]
public sealed class DeviceFaultTests(ITestOutputHelper output) : IDisposable
{
    private const double PeriodMs = 100;
    private const double ValidMs = 1.5 * PeriodMs;
    private const double TickMs = 1; // of the device

    private readonly RoboticsProcess _broker = RoboticsProcess.Start("broker", "--port", "0", "--json");
    private readonly TemporaryFolder _folder = new();
    private readonly ConcurrentQueue<RobotEvent> _events = new();
    private IMqttClient? _listener;

    private string Record => _folder.At("run.mcap");

    public void Dispose()
    {
        _listener?.Dispose();
        _broker.Dispose();
        _folder.Dispose();
    }

    /// <summary>What is done; what the device calls it; what the controller holds for; ms from the end of following to standstill.</summary>
    public static TheoryData<string, string, HoldReason[], double> Faults => new()
    {
        { "device heat 0 95", "joint 'shoulder': the motor is too hot (9", [HoldReason.RobotFault], 300 },
        { "device freeze 0", "joint 'shoulder': the motor pushed and its encoder stood still (5", [HoldReason.RobotFault], 350 },
        { "device silent 1", "joint 'elbow': the encoder does not answer", [HoldReason.RobotFault], 300 },
        { "device press", "the emergency stop button", [HoldReason.EmergencyStop], 300 },
        { "beyond", "a command lay beyond the joint's range (", [HoldReason.LimitViolation], 300 },

        // The line holds what the host goes on sending; when the device looks again it is too late for it.
        { "device stopped", "a command came after its expiry", [HoldReason.ObservationStale, HoldReason.CommandExpired, HoldReason.RobotMissing], 300 },
        { "device cut 20", "the robot cannot be reached: link lost", [HoldReason.ObservationStale, HoldReason.LinkLost], 300 },

        // Nobody hears the device meanwhile; the host that goes on is told.
        { "bridge stopped", "the commands ran out", [HoldReason.ObservationStale, HoldReason.RobotMissing], 300 },
        { "bridge killed", "", [HoldReason.RobotMissing, HoldReason.ObservationStale], 300 }, // the broker tells: nobody else is left
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task Fault_BrakesInTimeAndItsNameReachesMqttAndTheRecord(string cause, string words, HoldReason[] reasons, double withinMs)
    {
        bool beyond = cause == "beyond";
        string port = _folder.At("port");
        using var device = VirtualDevice.Start("--link", port);
        string url = $"mqtt://127.0.0.1:{await Listen()}";
        using var bridge = RoboticsProcess.Start(["bridge", "--device", $"serial:{port}", "--broker", url, "--json", .. beyond ? (string[])["--robot", Wide()] : []]);
        bridge.WaitFor("ready");
        using var controller = RoboticsProcess.Start("run", Swing(beyond), "--robot", "mqtt:virtual-arm", "--broker", url, "--record", Record, "--json");
        controller.WaitFor("\"to\":\"running\"");
        PlantTruth before = device.Truth();
        await FleetRig.Until(() => beyond || Math.Abs((before = device.Truth()).Speed) > 1, "motion");

        await Cause(cause, device, bridge);
        await FleetRig.Until(() => controller.All.Any(line => line.Contains("\"to\":\"holding\"", StringComparison.Ordinal) || line.Contains("\"to\":\"emergency stop\"", StringComparison.Ordinal)), "the hold");
        var end = await Standing(device);
        output.WriteLine($"followed until {(end.LeftActiveUs - before.NowUs) / 1000:F0} ms after the cause and stood {(end.MovingUs - end.LeftActiveUs) / 1000:F1} ms later; stated are {withinMs} ms");
        Assert.InRange((end.MovingUs - end.LeftActiveUs) / 1000, double.MinValue, withinMs);
        if (!beyond && end.Reason == (int)DeviceReason.Expired && cause != "device stopped")
        {
            Assert.InRange((end.LeftActiveUs - end.TakenUs) / 1000, 0, ValidMs + (3 * TickMs));
        }

        if (words.Length > 0)
        {
            await FleetRig.Until(() => _events.Any(Told) && controller.All.Any(line => line.Contains("\"type\":\"robot\"", StringComparison.Ordinal) && line.Contains(Json(words), StringComparison.Ordinal)), "the words on MQTT and at the controller");
        }

        controller.Interrupt();
        controller.WaitForExit(TimeSpan.FromSeconds(20));
        using var episode = new EpisodeReader(Record);
        Assert.True(episode.Finished);
        var events = episode.Events().ToList();
        Assert.Contains(events, happened => happened.From != happened.To && reasons.Contains(happened.Reason));
        Assert.Contains(events, happened => words.Length == 0 || happened.Text.Contains(words, StringComparison.Ordinal));

        bool Told(RobotEvent happened) => happened.Text.Contains(words, StringComparison.Ordinal);
    }

    private static async Task Cause(string cause, VirtualDevice device, RoboticsProcess bridge)
    {
        switch (cause)
        {
            case "beyond":
                await FleetRig.Until(() => device.Truth().Reason == (int)DeviceReason.Range, "a command beyond the range");
                break;
            case "device stopped":
                device.Signal("-STOP");
                await Task.Delay(350, TestContext.Current.CancellationToken);
                device.Signal("-CONT");
                break;
            case "bridge stopped":
                bridge.Signal("-STOP");
                await Task.Delay(700, TestContext.Current.CancellationToken);
                bridge.Signal("-CONT");
                break;
            case "bridge killed":
                bridge.Kill();
                break;
            default:
                device.Tell(cause["device ".Length..]);
                break;
        }
    }

    private static async Task<PlantTruth> Standing(VirtualDevice device)
    {
        PlantTruth truth = device.Truth();
        await FleetRig.Until(() =>
        {
            truth = device.Truth();
            return truth.Mode != (int)DeviceMode.Active && truth.NowUs - truth.MovingUs > 200_000;
        }, "standstill");
        return truth;
    }

    // Hears the event topic as anybody may; returns the broker's port.
    private async Task<int> Listen()
    {
        int port = (int)JsonNode.Parse(_broker.WaitFor("ready"))!["port"]!;
        _listener = new MqttClientFactory().CreateMqttClient();
        _listener.ApplicationMessageReceivedAsync += received =>
        {
            if (Documents.ReadEvent(MqttRobot.Bytes(received.ApplicationMessage)) is { } happened)
            {
                _events.Enqueue(happened);
            }

            return Task.CompletedTask;
        };
        await _listener.ConnectAsync(new MqttClientOptionsBuilder().WithTcpServer("127.0.0.1", port).Build(), TestContext.Current.CancellationToken);
        await _listener.SubscribeAsync(new Topics("virtual-arm").Event, cancellationToken: TestContext.Current.CancellationToken);
        return port;
    }

    // Shoulder and elbow by the sine and cosine of a clock; beyond: by more than the device's range.
    private string Swing(bool beyond)
    {
        string folder = Directory.CreateDirectory(_folder.At("swing")).FullName;
        File.WriteAllBytes(Path.Combine(folder, "policy.onnx"), new TinyOnnx().Input("obs", TinyOnnx.Float, 1, 2).Output("action", TinyOnnx.Float, 1, 2)
            .Constant("reach", [beyond ? 3.0f : 1.2f], 1).Node("Mul", "obs reach", "action").Bytes());
        PolicyPackage.Write(folder, TestPolicies.Manifest(TestPolicies.Simple()) with
        {
            Name = "swing",
            Observations = [new() { Name = "o", Terms = [new() { Name = "clock", Kind = "phase", Frequency = beyond ? 0.25f : 0.5f }] }],
            Timing = new() { PeriodMs = PeriodMs, MaxObservationAgeMs = 2 * PeriodMs, MaxActionAgeMs = 2 * PeriodMs, LateTicks = 3 },
        });
        return folder;
    }

    // A description that says more than the device can.
    private string Wide()
    {
        string file = _folder.At("robot.json");
        File.WriteAllText(file, RobotFile.Write(new RobotSpec
        {
            Name = "virtual-arm",
            Joints = [.. new[] { "shoulder", "elbow" }.Select(name => new JointSpec { Name = name, Lower = -3.2f, Upper = 3.2f, MaxSpeed = 6 })],
        }));
        return file;
    }

    private static string Json(string words) => words.Replace("'", "\\u0027", StringComparison.Ordinal);
}
