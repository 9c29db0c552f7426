using System.CommandLine;
using System.Globalization;
using Robotics.Firmware.Servos;
using Robotics.Host.Running;
using Robotics.Packages;

namespace Robotics.Host.Commands;

internal static partial class DeviceCommand
{
    private static Command CreateCalibrate()
    {
        var device = Device();
        var robot = new Option<string>("--robot") { Description = "robot.json whose joints they are", HelpName = "FILE", Required = true };
        var output = new Option<string>("--output", "-o") { Description = "calibration file to write; LeRobot reads it too", HelpName = "FILE", Required = true };
        var ids = new Option<string?>("--ids") { Description = "servo of each joint in the robot's order, for example 1,2,3; default: from 1 up", HelpName = "LIST" };
        var baud = Baud();
        var command = new Command("calibrate", "Finds the middle and the range of every joint while you move them by hand; torque is off meanwhile.") { device, robot, output, ids, baud };
        command.SetGuardedAction(async (parsed, cancellation) =>
        {
            var spec = RobotFile.Load(parsed.GetRequiredValue(robot));
            byte[] servos = Ids(parsed.GetValue(ids), spec);
            string path = parsed.GetRequiredValue(output);
            using var bus = DeviceChoice.Parse(parsed.GetRequiredValue(device), parsed.GetValue(baud)).OpenBusOrExplain();
            var calibrator = new ServoCalibrator(bus, spec.JointNames(), servos);
            Console.WriteLine("Torque is off: hold the arm. Put every joint into the middle of its range, then press Enter.");
            await Console.In.ReadLineAsync(cancellation).ConfigureAwait(false);
            calibrator.SetMiddle();
            Console.WriteLine("Move every joint from end to end, then press Enter.");
            var done = Console.In.ReadLineAsync(cancellation).AsTask();
            while (!done.IsCompleted)
            {
                calibrator.Look();
                await Task.WhenAny(done, Task.Delay(10, cancellation)).ConfigureAwait(false);
            }

            await done.ConfigureAwait(false);
            calibrator.Look();
            foreach (var (name, lowest, _, highest) in calibrator.Ranges)
            {
                Console.WriteLine($"{name,-20} {lowest,5} to {highest,5}");
            }

            await File.WriteAllTextAsync(path, calibrator.Finish(path).Write(), cancellation).ConfigureAwait(false);
            Console.WriteLine($"written: {path}");
            return ExitCode.Done;
        });
        return command;
    }

    private static byte[] Ids(string? list, RobotSpec robot)
    {
        if (list is null)
        {
            return [.. Enumerable.Range(1, robot.Joints.Count).Select(id => (byte)id)];
        }

        var check = new ConfigCheck("command line");
        var ids = new List<byte>();
        foreach (string part in list.Split(','))
        {
            check.That(byte.TryParse(part, CultureInfo.InvariantCulture, out byte id) && id <= 252 && !ids.Contains(id), "--ids", $"has '{part}', expected different numbers from 0 to 252");
            ids.Add(id);
        }

        check.That(ids.Count == robot.Joints.Count, "--ids", $"names {ids.Count} servos, robot '{robot.Name}' has {robot.Joints.Count} joints: {string.Join(", ", robot.JointNames())}");
        check.Throw();
        return [.. ids];
    }

    private static Command CreateMonitor()
    {
        var device = Device();
        var rate = new Option<double>("--rate") { Description = "lines a second, 0.1 to 100", HelpName = "HZ", DefaultValueFactory = _ => 5 };
        var duration = new Option<double?>("--duration", "-d") { Description = "seconds; default: until stopped", HelpName = "S" };
        var baud = Baud();
        var json = new Option<bool>("--json") { Description = "one JSON object a line instead of text" };
        var command = new Command("monitor", "Prints what every joint or servo measures, again and again; moves nothing.") { device, rate, duration, baud, json };
        command.SetGuardedAction(async (parsed, cancellation) =>
        {
            double perSecond = parsed.GetValue(rate);
            var check = new ConfigCheck("command line");
            check.Range(perSecond, 0.1, 100, "--rate");
            check.Throw();
            var choice = DeviceChoice.Parse(parsed.GetRequiredValue(device), parsed.GetValue(baud));
            if (choice.IsDevice)
            {
                return await MonitorDevice(choice, perSecond, parsed.GetValue(duration), parsed.GetValue(json), cancellation).ConfigureAwait(false);
            }

            using var bus = choice.OpenBusOrExplain();
            byte[] ids = [.. Scan(bus, cancellation).Select(servo => servo.Id)];
            if (ids.Length == 0)
            {
                throw new TimeoutException($"nobody answers on {bus.Name}; check power, cable and --baud.");
            }

            var states = new ServoState[ids.Length];
            var start = MonotonicTime.SystemNow();
            var end = parsed.GetValue(duration) is { } seconds ? start + TimeSpan.FromSeconds(seconds) : new MonotonicTime(long.MaxValue);
            while (!cancellation.IsCancellationRequested && MonotonicTime.SystemNow() < end)
            {
                if (bus.ReadStates(ids, states) == ReplyStatus.Gone)
                {
                    throw new IOException($"{bus.Name} is gone.");
                }

                double at = (MonotonicTime.SystemNow() - start).TotalSeconds;
                Console.WriteLine(parsed.GetValue(json) ? StatesJson(bus, at, ids, states) : StatesText(bus, at, ids, states));
                await Task.Delay(TimeSpan.FromSeconds(1 / perSecond), CancellationToken.None).ConfigureAwait(false);
            }

            return ExitCode.Done;
        });
        return command;
    }

    private static string StatesText(IServoBus bus, double at, byte[] ids, ServoState[] states) =>
        string.Create(CultureInfo.InvariantCulture, $"{at,8:F2} s ") + string.Join("  |", ids.Select((id, i) => !states[i].Answered ? $" {id}: no answer" : string.Create(CultureInfo.InvariantCulture,
            $" {id}: {states[i].Position,5} {states[i].Velocity,6:F2} rad/s {states[i].Load * 100,4:F0} % {states[i].Voltage:F1} V {states[i].Temperature:F0} °C{(states[i].Faults != 0 ? " " + bus.Table.NameFaults(states[i].Faults) : "")}")));

    private static string StatesJson(IServoBus bus, double at, byte[] ids, ServoState[] states) => JsonText.Object(writer =>
    {
        writer.WriteNumber("t", Math.Round(at, 3));
        writer.WriteStartArray("servos");
        for (int i = 0; i < ids.Length; i++)
        {
            writer.WriteStartObject();
            writer.WriteNumber("id", ids[i]);
            writer.WriteBoolean("answered", states[i].Answered);
            writer.WriteNumber("position", states[i].Position);
            writer.WriteNumber("velocity", Math.Round(states[i].Velocity, 4));
            writer.WriteNumber("load", Math.Round(states[i].Load, 4));
            writer.WriteNumber("voltage", Math.Round(states[i].Voltage, 2));
            writer.WriteNumber("temperature", states[i].Temperature);
            writer.WriteString("errors", bus.Table.NameFaults(states[i].Faults));
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }, indented: false);
}
