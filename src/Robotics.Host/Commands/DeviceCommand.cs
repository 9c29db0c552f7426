using System.CommandLine;
using System.Globalization;
using Robotics.Firmware.Serial;
using Robotics.Firmware.Servos;
using Robotics.Host.Running;

namespace Robotics.Host.Commands;

/// <summary><c>robotics device</c>: for people at the bench.</summary>
internal static class DeviceCommand
{
    public static Command Create() => new("device", "Looks at what is on a serial line, sets it up, calibrates it, watches it.")
    {
        List(),
        Info(),
        Set(),
        Calibrate(),
        Monitor(),
    };

    private static Command List()
    {
        var json = Json();
        var command = new Command("list", "The serial ports of this machine, by names that outlive a replug.") { json };
        command.SetGuardedAction((parsed, _) =>
        {
            var ports = SerialPorts.List();
            foreach (var port in ports)
            {
                Console.WriteLine(parsed.GetValue(json)
                    ? JsonText.Object(writer =>
                    {
                        writer.WriteString("path", port.Path);
                        writer.WriteString("device", port.Device);
                        writer.WriteString("by_id", port.ById);
                        writer.WriteString("by_path", port.ByPath);
                        writer.WriteString("vendor_id", port.VendorId);
                        writer.WriteString("product_id", port.ProductId);
                        writer.WriteString("product", port.Product);
                    }, indented: false)
                    : $"{port.Path}  ({port.Device}{(port.VendorId is null ? "" : $", {port.VendorId}:{port.ProductId}")}{(port.Product is null ? "" : $", {port.Product}")})");
            }

            if (ports.Count == 0 && !parsed.GetValue(json))
            {
                Console.WriteLine("no serial port here");
            }

            return Task.FromResult(ExitCode.Done);
        });
        return command;
    }

    private static Command Info()
    {
        var (device, baud) = (DeviceChoice.Option(), DeviceChoice.BaudOption());
        var command = new Command("info", "What a device says of itself, with every register; of servos: which answer, and what is wrong with them.") { device, baud };
        command.SetGuardedAction(async (parsed, cancellation) =>
        {
            var choice = DeviceChoice.Parse(parsed.GetRequiredValue(device), parsed.GetValue(baud));
            if (choice.Protocol == DeviceProtocol.Serial)
            {
                using var robot = await choice.ConnectAsync(null, cancellation).ConfigureAwait(false);
                Console.WriteLine($"device {robot.Device.Id}, robot '{robot.Spec.Name}', joints {string.Join(", ", robot.Spec.JointNames())}");
                foreach (var register in await robot.ListRegistersAsync(cancellation).ConfigureAwait(false))
                {
                    double value = await robot.ReadRegisterAsync(register.Id, cancellation).ConfigureAwait(false);
                    string name = register.Joint is { } joint ? $"{robot.Spec.Joints[joint].Name}.{register.Name}" : register.Name;
                    Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                        $"0x{register.Id:X4}  {name,-28} {value,12:G6} {register.Unit,-8} {(register.Writable ? $"{register.Lowest:G6} to {register.Highest:G6}" : "read only")}"));
                }

                return ExitCode.Done;
            }

            using var bus = choice.ServoBus();
            var there = Scan(bus, cancellation);
            foreach (byte id in there)
            {
                bus.Ping(id, out int model);
                var values = bus.Table.Registers.Where(register => register.IsPersistent || register.IsReadOnly)
                    .Select(register => bus.Read(id, register, out int value).Ok ? string.Create(CultureInfo.InvariantCulture, $"{register.Name} {value * register.Scale:G6}{register.Unit}") : $"{register.Name} ?");
                bool read = bus.Read(id, bus.Table["hardware_error"], out int bits).Ok;
                Console.WriteLine($"servo {id}, model {model}: {(!read ? "does not tell its errors" : bits == 0 ? "no error" : bus.Table.NameFaults(bits))}");
                Console.WriteLine($"  {string.Join(", ", values)}");
            }

            Console.WriteLine(there.Count == 0 ? $"no servo answers on {choice} at {choice.Baud} baud; check power, wiring and --baud" : $"{there.Count} servos");
            return there.Count == 0 ? ExitCode.Failed : ExitCode.Done;
        });
        return command;
    }

    private static Command Set()
    {
        var (device, baud) = (DeviceChoice.Option(), DeviceChoice.BaudOption());
        var what = new Argument<string>("what") { Description = "of servos ID.REGISTER, for example 3.homing_offset or 1.id; of a device JOINT.REGISTER or REGISTER" };
        var to = new Argument<double>("value") { Description = "of servos in the register's counts; of a device in its unit" };
        var command = new Command("set", "Sets one register. Of servos with the torque off, or they do not take it.") { what, to, device, baud };
        command.SetGuardedAction(async (parsed, cancellation) =>
        {
            var choice = DeviceChoice.Parse(parsed.GetRequiredValue(device), parsed.GetValue(baud));
            string name = parsed.GetRequiredValue(what);
            double value = parsed.GetRequiredValue(to);
            string[] parts = name.Split('.', 2);
            if (choice.Protocol == DeviceProtocol.Serial)
            {
                using var robot = await choice.ConnectAsync(null, cancellation).ConfigureAwait(false);
                var all = await robot.ListRegistersAsync(cancellation).ConfigureAwait(false);
                string[] joints = robot.Spec.JointNames();
                var register = all.FirstOrDefault(known => (known.Joint is { } joint ? $"{joints[joint]}.{known.Name}" : known.Name) == name)
                    ?? throw new ConfigException("command line", [$"'{name}' is no register of '{robot.Spec.Name}'; 'robotics device info --device {choice}' lists them"]);
                await robot.WriteRegisterAsync(register.Id, value, cancellation).ConfigureAwait(false);
                double now = await robot.ReadRegisterAsync(register.Id, cancellation).ConfigureAwait(false);
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name} is {now:G6} now"));
                return ExitCode.Done;
            }

            using var bus = choice.ServoBus();
            if (parts.Length != 2 || !byte.TryParse(parts[0], out byte id) || bus.Table.Find(parts[1]) is not { IsReadOnly: false } field)
            {
                string known = string.Join(", ", bus.Table.Registers.Where(register => !register.IsReadOnly).Select(register => register.Name));
                throw new ConfigException("command line", [$"'{name}' is no ID.REGISTER; registers of {bus.Table.Model}: {known}"]);
            }

            var check = new ConfigCheck("command line");
            check.Range(value, field.Minimum, field.Maximum, name);
            check.Throw();
            var reply = bus.Write(id, field, (int)Math.Round(value));
            Console.WriteLine(reply.Ok ? string.Create(CultureInfo.InvariantCulture, $"{name} is {value} now") : $"servo {id}: {bus.Explain(reply)}");
            return reply.Ok ? ExitCode.Done : ExitCode.Failed;
        });
        return command;
    }

    private static Command Calibrate()
    {
        var (device, baud) = (DeviceChoice.Option(), DeviceChoice.BaudOption());
        var names = new Option<string[]>("--joints") { Description = "names of the joints, in the order of the servos' ids", Required = true, AllowMultipleArgumentsPerToken = true };
        var output = new Option<FileInfo>("--out", "-o") { Description = "file to write, as LeRobot reads it", Required = true };
        var seconds = new Option<double>("--seconds") { Description = "how long to record", DefaultValueFactory = _ => 30 };
        var command = new Command("calibrate", """
            Takes the torque off and records how far every joint is moved by hand; the middle of each range becomes zero.

            Move every joint slowly from one end to the other while it counts down. Nothing is written to the servos.
            """)
        { device, baud, names, output, seconds };
        command.SetGuardedAction(async (parsed, cancellation) =>
        {
            string[] joints = parsed.GetRequiredValue(names);
            using var bus = DeviceChoice.Parse(parsed.GetRequiredValue(device), parsed.GetValue(baud)).ServoBus();
            byte[] ids = [.. Scan(bus, cancellation)];
            if (ids.Length != joints.Length)
            {
                throw new ConfigException("command line", [$"--joints names {joints.Length} ({string.Join(", ", joints)}); {ids.Length} servos answer on {bus.Name} (ids {string.Join(", ", ids)})"]);
            }

            bus.WriteAll(ids, bus.Table["torque_enable"], new int[ids.Length]);
            var states = new ServoState[ids.Length];
            int[] low = [.. Enumerable.Repeat(int.MaxValue, ids.Length)], high = [.. Enumerable.Repeat(int.MinValue, ids.Length)];
            var end = MonotonicTime.SystemNow() + TimeSpan.FromSeconds(parsed.GetValue(seconds));
            var next = MonotonicTime.SystemNow();
            while (MonotonicTime.SystemNow() < end && !cancellation.IsCancellationRequested)
            {
                bus.ReadStates(ids, states);
                for (int i = 0; i < ids.Length; i++)
                {
                    if (states[i].Answered)
                    {
                        (low[i], high[i]) = (Math.Min(low[i], states[i].Position), Math.Max(high[i], states[i].Position));
                    }
                }

                if (MonotonicTime.SystemNow() >= next)
                {
                    next += TimeSpan.FromSeconds(1);
                    Console.WriteLine($"{(end - MonotonicTime.SystemNow()).TotalSeconds,4:F0} s left  {string.Join("  ", joints.Select((joint, i) => $"{joint} {low[i]}..{high[i]}"))}");
                }

                await Task.Delay(20, CancellationToken.None).ConfigureAwait(false);
            }

            var check = new ConfigCheck(bus.Name);
            for (int i = 0; i < ids.Length; i++)
            {
                check.That(high[i] - low[i] > 50, joints[i], $"was moved by {Math.Max(high[i] - low[i], 0)} ticks only; move every joint from end to end");
            }

            check.Throw();
            var motors = joints.Select((joint, i) =>
            {
                bool read = bus.Read(ids[i], bus.Table["homing_offset"], out int offset).Ok;
                return new ServoMotor(joint, ids[i], 0, read ? offset : 0, low[i], high[i]);
            });
            var file = parsed.GetRequiredValue(output);
            File.WriteAllText(file.FullName, new ServoCalibration(file.ToString(), [.. motors]).Write());
            Console.WriteLine($"wrote {file}");
            return ExitCode.Done;
        });
        return command;
    }

    private static Command Monitor()
    {
        var (device, baud, json) = (DeviceChoice.Option(), DeviceChoice.BaudOption(), Json());
        var seconds = new Option<double?>("--seconds") { Description = "how long; until stopped when left out" };
        var command = new Command("monitor", "What every joint measures, ten times a second; nothing is commanded.") { device, baud, seconds, json };
        command.SetGuardedAction(async (parsed, cancellation) =>
        {
            var choice = DeviceChoice.Parse(parsed.GetRequiredValue(device), parsed.GetValue(baud));
            var end = parsed.GetValue(seconds) is { } limit ? MonotonicTime.SystemNow() + TimeSpan.FromSeconds(limit) : new MonotonicTime(long.MaxValue);
            using var robot = choice.Protocol == DeviceProtocol.Serial ? await choice.ConnectAsync(null, cancellation).ConfigureAwait(false) : null;
            using var bus = robot is null ? choice.ServoBus() : null;
            byte[] ids = bus is null ? [] : [.. Scan(bus, cancellation)];
            var states = new ServoState[ids.Length];
            var seen = robot is null ? null : new Observation(robot.Spec.Layout.Length);
            while (MonotonicTime.SystemNow() < end && !cancellation.IsCancellationRequested)
            {
                var joints = new List<(string Name, double Position, double Velocity, string Words)>();
                if (robot is not null)
                {
                    robot.Read(seen!);
                    int count = robot.Spec.Joints.Count;
                    joints.AddRange(robot.Spec.JointNames().Select((name, j) => (name, (double)seen!.Signals[j], (double)seen.Signals[count + j], robot.Trouble ?? Episodes.Words.Of(seen.Mode))));
                }
                else
                {
                    bus!.ReadStates(ids, states);
                    joints.AddRange(ids.Select((id, i) => (id.ToString(CultureInfo.InvariantCulture), (double)states[i].Position, (double)states[i].Velocity,
                        states[i].Answered ? string.Create(CultureInfo.InvariantCulture, $"{states[i].Voltage:F1} V {states[i].Temperature:F0} C {bus.Table.NameFaults(states[i].Faults)}").TrimEnd() : "silent")));
                }

                Console.WriteLine(parsed.GetValue(json)
                    ? JsonText.Object(writer =>
                    {
                        foreach (var (name, position, velocity, words) in joints)
                        {
                            writer.WriteStartObject(name);
                            writer.WriteNumber("position", position);
                            writer.WriteNumber("velocity", velocity);
                            writer.WriteString("state", words);
                            writer.WriteEndObject();
                        }
                    }, indented: false)
                    : string.Join("  |  ", joints.Select(joint => string.Create(CultureInfo.InvariantCulture, $"{joint.Name} {joint.Position,9:F3} {joint.Velocity,8:F3} {joint.Words}"))));
                await Task.Delay(100, CancellationToken.None).ConfigureAwait(false);
            }

            return ExitCode.Done;
        });
        return command;
    }

    private static Option<bool> Json() => new("--json") { Description = "one JSON object a line instead of text" };

    private static List<byte> Scan(IServoBus bus, CancellationToken cancellation)
    {
        var there = new List<byte>();
        for (int id = 0; id <= Math.Min(bus.HighestId, 30) && !cancellation.IsCancellationRequested; id++)
        {
            if (bus.Ping((byte)id, out _).Ok)
            {
                there.Add((byte)id);
            }
        }

        return there;
    }
}
