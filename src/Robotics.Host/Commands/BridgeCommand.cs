using System.CommandLine;
using Robotics.Firmware.Servos;
using Robotics.Fleet;
using Robotics.Host.Running;
using Robotics.Packages;

namespace Robotics.Host.Commands;

/// <summary><c>robotics bridge</c>: a robot at the end of a wire, on MQTT like any other.</summary>
internal static class BridgeCommand
{
    public static Command Create()
    {
        var device = new Option<string>("--device") { Description = DeviceChoice.Help, HelpName = "KIND:PORT", Required = true };
        var robot = new Option<string>("--robot") { Description = "robot.json: joints, limits, and what holding means", HelpName = "FILE", Required = true };
        var calibration = new Option<string>("--calibration") { Description = "the arm's calibration, also LeRobot's; 'robotics device calibrate' makes one", HelpName = "FILE", Required = true };
        var baud = new Option<int?>("--baud") { Description = "bits per second; default: as the servos come from the factory", HelpName = "N" };
        var torque = new Option<float>("--torque-limit") { Description = "share of the largest torque that every joint may use, 0.05 to 1", HelpName = "P", DefaultValueFactory = _ => 1 };
        var duration = new Option<double?>("--duration", "-d") { Description = "seconds; default: until stopped", HelpName = "S" };
        var json = new Option<bool>("--json") { Description = "one JSON object a line instead of text" };
        var command = new Command("bridge", """
            Exposes a robot at the end of a wire on MQTT, with its own gate and dead-man timer; it holds whenever anything is missing.

            A cable that is pulled and plugged in again is found again; the robot then holds until somebody resumes.

            Example:
              robotics broker &
              robotics bridge --device feetech:/dev/serial/by-id/usb-... --robot robot.json --calibration arm.json &
              robotics run my-policy --robot mqtt:my-arm
            """)
        { device, robot, calibration, baud, torque, duration, json };
        var broker = new BrokerFlags(command);
        command.SetGuardedAction(async (parsed, cancellation) =>
        {
            var choice = DeviceChoice.Parse(parsed.GetRequiredValue(device), parsed.GetValue(baud));
            var at = broker.ReadOrLocal(parsed);
            var spec = RobotFile.Load(parsed.GetRequiredValue(robot));
            var motors = ServoCalibration.Load(parsed.GetRequiredValue(calibration));
            ProcessPriority.Raise();
            using var arm = ServoArm.Connect(spec, motors, choice.OpenBus, new ServoArmOptions { TorqueLimit = parsed.GetValue(torque) });
            string? told = null;
            bool up = true;
            return await RobotOnBroker.ServeAsync(arm, at, new RobotServerOptions { ClearEmergencyStop = arm.ClearEmergencyStop },
                parsed.GetValue(json), parsed.GetValue(duration), say =>
                {
                    if (arm.Link.Up != up)
                    {
                        up = !up;
                        say(up ? "found" : "lost", up
                            ? $"{choice.Text} is there again; the robot holds"
                            : $"{arm.Trouble}; looking for it");
                    }

                    string? trouble = up ? arm.Trouble : null;
                    if (trouble != told)
                    {
                        told = trouble;
                        say("fault", trouble ?? "no servo reports an error any more");
                    }
                }, cancellation).ConfigureAwait(false);
        });
        return command;
    }
}
