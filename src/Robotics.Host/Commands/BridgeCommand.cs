using System.CommandLine;
using Robotics.Host.Running;
using Robotics.Packages;

namespace Robotics.Host.Commands;

/// <summary><c>robotics bridge</c>: a robot on a serial line, on MQTT like any other.</summary>
internal static class BridgeCommand
{
    public static Command Create()
    {
        var device = DeviceChoice.Option();
        var baud = DeviceChoice.BaudOption();
        var robot = new Option<string?>("--robot", "-r") { Description = "robot.json of the robot; a device on serial: describes itself when left out", HelpName = "FILE" };
        var calibration = new Option<string?>("--calibration") { Description = "of servos, as LeRobot writes it", HelpName = "FILE" };
        var duration = new Option<double?>("--duration", "-d") { Description = "seconds; default: until stopped", HelpName = "S" };
        var json = new Option<bool>("--json") { Description = "one JSON object a line instead of text" };
        var command = new Command("bridge", """
            Puts a robot that is on a serial line on MQTT: a microcontroller that speaks firmware-bridge/PROTOCOL.md, or an arm of smart
            servos. To a controller it looks like 'robotics sim-robot', with the same gate and dead-man timer; the device has its own
            below. A cable that is pulled and plugged in again finds the robot holding.

            Examples:
              robotics bridge --device serial:/dev/serial/by-id/usb-... --broker mqtt://10.0.0.5
              robotics bridge --device feetech:/dev/ttyACM0 --robot so101.json --calibration so101-calibration.json
            """)
        { device, baud, robot, calibration, duration, json };
        var broker = new BrokerFlags(command);
        command.SetGuardedAction(async (parsed, cancellation) =>
        {
            var at = broker.ReadOrLocal(parsed);
            var choice = DeviceChoice.Parse(parsed.GetRequiredValue(device), parsed.GetValue(baud));
            ProcessPriority.Raise();
            using var found = await choice.RobotAsync(parsed.GetValue(robot), parsed.GetValue(calibration), cancellation).ConfigureAwait(false);
            await new RobotSide(found.Robot, RobotFile.Write(found.Robot.Spec), at, parsed.GetValue(json))
            {
                Options = new() { ClearEmergencyStop = found.Clear },
                Trouble = found.Trouble,
            }.RunAsync(parsed.GetValue(duration), cancellation).ConfigureAwait(false);
            return ExitCode.Done;
        });
        return command;
    }
}
