using System.CommandLine;
using Robotics.Firmware;
using Robotics.Firmware.Servos;
using Robotics.Firmware.Wire;
using Robotics.Fleet;
using Robotics.Host.Running;
using Robotics.Packages;
using Robotics.Sim.Tasks;

namespace Robotics.Host.Commands;

/// <summary><c>robotics bridge</c>: a robot at the end of a wire, on MQTT like any other.</summary>
internal static class BridgeCommand
{
    private const string Scene = "push-t";

    public static Command Create()
    {
        var device = new Option<string>("--device") { Description = DeviceChoice.Help, HelpName = "KIND:PORT", Required = true };
        var robot = new Option<string?>("--robot") { Description = "robot.json: joints, limits, and what holding means; a device on serial: describes itself when left out", HelpName = "FILE" };
        var calibration = new Option<string?>("--calibration") { Description = "of servos, also LeRobot's; 'robotics device calibrate' makes one", HelpName = "FILE" };
        var baud = new Option<int?>("--baud") { Description = "bits per second; default: as the device comes from the factory", HelpName = "N" };
        var torque = new Option<float>("--torque-limit") { Description = "share of the largest torque that every joint may use, 0.05 to 1", HelpName = "P", DefaultValueFactory = _ => 1 };
        var scene = new Option<string?>("--scene") { Description = "simulates what stands around the measured robot: push-t is a table with a block, for slides x and y", HelpName = "NAME" };
        var seed = new Option<ulong>("--seed") { Description = "start of the scene; 0 is the nominal one", HelpName = "N" };
        var duration = new Option<double?>("--duration", "-d") { Description = "seconds; default: until stopped", HelpName = "S" };
        var json = new Option<bool>("--json") { Description = "one JSON object a line instead of text" };
        var command = new Command("bridge", """
            Exposes a robot at the end of a wire on MQTT, with its own gate and dead-man timer; it holds whenever anything is missing.

            A cable that is pulled and plugged in again is found again; the robot then holds until somebody resumes.

            Examples:
              robotics broker &
              robotics bridge --device feetech:/dev/serial/by-id/usb-... --robot robot.json --calibration arm.json &
              robotics run my-policy --robot mqtt:my-arm
              robotics bridge --device serial:/dev/serial/by-id/usb-...      # firmware-bridge/PROTOCOL.md
            """)
        { device, robot, calibration, baud, torque, scene, seed, duration, json };
        var broker = new BrokerFlags(command);
        command.SetGuardedAction(async (parsed, cancellation) =>
        {
            var choice = DeviceChoice.Parse(parsed.GetRequiredValue(device), parsed.GetValue(baud));
            var at = broker.ReadOrLocal(parsed);
            string? file = parsed.GetValue(robot), motors = parsed.GetValue(calibration);
            var check = new ConfigCheck("command line");
            check.That(parsed.GetValue(scene) is null or Scene, "--scene", $"is '{parsed.GetValue(scene)}', expected {Scene}");
            if (!choice.IsDevice)
            {
                check.That(file is not null, "--robot", "is missing: servos do not say what robot they are");
                check.That(motors is not null, "--calibration", "is missing; 'robotics device calibrate' makes one, LeRobot's files work as well");
            }

            check.Throw();
            ProcessPriority.Raise();
            using var wired = choice.IsDevice
                ? WiredRobot.Of(await choice.ConnectAsync(file is null ? null : RobotFile.Load(file), cancellation).ConfigureAwait(false))
                : WiredRobot.Of(ServoArm.Connect(RobotFile.Load(file!), ServoCalibration.Load(motors!), choice.OpenBus, new ServoArmOptions { TorqueLimit = parsed.GetValue(torque) }));
            string? told = null;
            bool up = true;
            if (wired.Robot is ServoArm arm && choice.TooSlow(arm.CycleBytes, arm.Spec.ServoPeriodMs) is { } slow)
            {
                await Console.Error.WriteLineAsync($"robotics: {slow}").ConfigureAwait(false);
            }

            IRobot shown = parsed.GetValue(scene) is null ? wired.Robot : new PushTTable(wired.Robot, parsed.GetValue(seed));
            await using var server = new RobotServer(shown, RobotFile.Write(shown.Spec), at, new() { ClearEmergencyStop = wired.Clear, Trouble = wired.Trouble });
            wired.Relay(server);
            return await RobotOnBroker.ServeAsync(server, at,
                parsed.GetValue(json), parsed.GetValue(duration), say =>
                {
                    // A claim that was lost with the wire or a fault is no lost robot: it is there, and holds.
                    if (wired.Robot.Link.Reason is not (HoldReason.LinkLost or HoldReason.RobotMissing) != up)
                    {
                        up = !up;
                        say(up ? "found" : "lost", up
                            ? $"{choice.Text} is there again; the robot holds"
                            : $"{wired.Trouble()}; looking for it");
                    }

                    string? trouble = up ? wired.Trouble() : null;
                    if (trouble != told)
                    {
                        told = trouble;
                        say("fault", trouble ?? "no error is reported any more");
                    }
                }, cancellation).ConfigureAwait(false);
        });
        return command;
    }

    /// <summary>What the bridge needs of a robot at the end of a wire, whatever is spoken there.</summary>
    /// <param name="Robot">The robot.</param>
    /// <param name="Clear">Releases its emergency stop.</param>
    /// <param name="Trouble">What is wrong with it, in its own words; null: nothing.</param>
    /// <param name="Relay">From here on the server is told, at once, what the robot says by itself.</param>
    private sealed record WiredRobot(IRobot Robot, Action Clear, Func<string?> Trouble, Action<RobotServer> Relay) : IDisposable
    {
        // Servos are asked and tell nothing by themselves: what is wrong with them stands in the server's own events.
        public static WiredRobot Of(ServoArm arm) => new(arm, arm.ClearEmergencyStop, () => arm.Trouble, _ => { });

        public static WiredRobot Of(FirmwareRobot device)
        {
            string? fault = null;
            RobotServer? listener = null;
            device.Told = happened =>
            {
                fault = happened.Mode != DeviceMode.Fault ? null : happened.Dropped > 0 ? fault : happened.ToString();
                listener?.Relay(happened.Meaning.Mode, happened.Meaning.Reason, $"the device: {happened}");
            };
            return new(device, () => device.ClearAsync(CancellationToken.None).GetAwaiter().GetResult(), () => device.Trouble ?? fault, server => listener = server);
        }

        public void Dispose() => Robot.Dispose();
    }
}
