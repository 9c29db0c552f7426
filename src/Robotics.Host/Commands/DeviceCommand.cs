using System.CommandLine;
using System.Globalization;
using Robotics.Firmware.Serial;
using Robotics.Firmware.Servos;
using Robotics.Host.Running;

namespace Robotics.Host.Commands;

/// <summary><c>robotics device</c>: what a person at the bench needs before a robot runs.</summary>
internal static partial class DeviceCommand
{
    // Scanning asks every id there is; a servo on a quiet wire answers within 2 ms, a slow adapter holds its answer for some more.
    private static readonly TimeSpan ScanPatience = TimeSpan.FromMilliseconds(8);

    public static Command Create() => new("device", """
        Lists serial ports, and looks into, sets, watches, calibrates and updates what is at the end of one.

        Values of a device on serial: are in SI units (and °C, ms, us), each named by 'info'; those of servos are their own counts.

        Examples:
          robotics device list
          robotics device info serial:/dev/serial/by-id/usb-...
          robotics device set serial:/dev/serial/by-id/usb-... elbow.stiffness 35
          robotics device update serial:/dev/serial/by-id/usb-... arm.bin --image-version 1.2.0
          robotics device info feetech:/dev/serial/by-id/usb-...
          robotics device set feetech:/dev/serial/by-id/usb-... --id 1 id 6
          robotics device calibrate feetech:/dev/serial/by-id/usb-... --robot robot.json --output arm.json
          robotics device monitor feetech:/dev/serial/by-id/usb-...
        """)
    {
        CreateList(), CreateInfo(), CreateSet(), CreateCalibrate(), CreateMonitor(), CreateUpdate(),
    };

    private static Argument<string> Device() => new("device") { Description = DeviceChoice.Help };

    private static Option<int?> Baud() => new("--baud") { Description = "bits per second; default: 115200 for serial:, for servos as they come from the factory", HelpName = "N" };

    private static Option<bool> Json() => new("--json") { Description = "JSON instead of text" };

    private static Command CreateList()
    {
        var json = Json();
        var command = new Command("list", "The serial ports that are there, with names that stay the same when they are replugged.") { json };
        command.SetGuardedAction((parsed, _) =>
        {
            var ports = SerialPorts.List();
            if (parsed.GetValue(json))
            {
                Console.WriteLine(JsonText.Object(writer =>
                {
                    writer.WriteStartArray("ports");
                    foreach (var port in ports)
                    {
                        writer.WriteStartObject();
                        writer.WriteString("path", port.Path);
                        writer.WriteString("device", port.Device);
                        writer.WriteString("by_id", port.ById);
                        writer.WriteString("by_path", port.ByPath);
                        writer.WriteString("vendor_id", port.VendorId);
                        writer.WriteString("product_id", port.ProductId);
                        writer.WriteString("product", port.Product);
                        writer.WriteEndObject();
                    }

                    writer.WriteEndArray();
                }));
                return Task.FromResult(ExitCode.Done);
            }

            foreach (var port in ports)
            {
                Console.WriteLine($"{port.Path}  ({port.Device}{(port.Product is { } product ? ", " + product : "")})");
            }

            if (ports.Count == 0)
            {
                Console.WriteLine("no serial port here; is the cable in, and may you see it ('ls -l /dev/serial/by-id')?");
            }

            return Task.FromResult(ExitCode.Done);
        });
        return command;
    }

    private static Command CreateInfo()
    {
        var device = Device();
        var id = new Option<int?>("--id") { Description = "servos: all registers of this one; default: who is there", HelpName = "N" };
        var baud = Baud();
        var json = Json();
        var command = new Command("info", "A device: what it is and all its registers, with units. Servos: who is there, or all registers of one.") { device, id, baud, json };
        command.SetGuardedAction((parsed, cancellation) =>
        {
            var choice = DeviceChoice.Parse(parsed.GetRequiredValue(device), parsed.GetValue(baud));
            bool asJson = parsed.GetValue(json);
            if (choice.IsDevice)
            {
                NoId(parsed.GetValue(id));
                return InfoOfDevice(choice, asJson, cancellation);
            }

            using var bus = choice.OpenBusOrExplain();
            if (parsed.GetValue(id) is { } one)
            {
                var values = ReadAll(bus, CheckedId(bus, one));
                Console.WriteLine(asJson ? Registers(values) : string.Join(Environment.NewLine, values.Select(pair => $"{pair.Register.Name,-24} {Show(bus, pair.Register, pair.Value)}")));
                return Task.FromResult(ExitCode.Done);
            }

            var found = Scan(bus, cancellation);
            if (asJson)
            {
                Console.WriteLine(JsonText.Object(writer =>
                {
                    writer.WriteStartArray("servos");
                    foreach (var servo in found)
                    {
                        writer.WriteStartObject();
                        writer.WriteNumber("id", servo.Id);
                        writer.WriteNumber("model_number", servo.Model);
                        writer.WriteNumber("position", servo.State.Position);
                        writer.WriteNumber("voltage", Math.Round(servo.State.Voltage, 2));
                        writer.WriteNumber("temperature", servo.State.Temperature);
                        writer.WriteString("errors", bus.Table.NameFaults(servo.State.Faults));
                        writer.WriteEndObject();
                    }

                    writer.WriteEndArray();
                }));
            }
            else
            {
                foreach (var servo in found)
                {
                    string errors = bus.Table.NameFaults(servo.State.Faults);
                    Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                        $"id {servo.Id,3}  model {servo.Model}  at {servo.State.Position,5}  {servo.State.Voltage:F1} V  {servo.State.Temperature:F0} °C  {(errors.Length > 0 ? errors : "no error")}"));
                }
            }

            if (found.Count == 0)
            {
                throw new TimeoutException($"nobody answers on {bus.Name}; check power, cable and --baud.");
            }

            return Task.FromResult(ExitCode.Done);
        });
        return command;
    }

    private static Command CreateSet()
    {
        var device = Device();
        var id = new Option<int?>("--id") { Description = "the servo; not for serial:", HelpName = "N" };
        var register = new Argument<string>("register") { Description = "as 'device info' names it, with --id for servos; 'reboot' ends a servo's hardware error" };
        var value = new Argument<double?>("value") { Description = "in the unit that 'device info' shows; for servos their own counts", Arity = ArgumentArity.ZeroOrOne };
        var baud = Baud();
        var command = new Command("set", "Writes one register and reads it back: a servo keeps it, a device until it restarts.") { device, register, value, id, baud };
        command.SetGuardedAction((parsed, cancellation) =>
        {
            var choice = DeviceChoice.Parse(parsed.GetRequiredValue(device), parsed.GetValue(baud));
            string name = parsed.GetRequiredValue(register);
            if (choice.IsDevice)
            {
                NoId(parsed.GetValue(id));
                return SetOfDevice(choice, name, parsed.GetValue(value), cancellation);
            }

            var check = new ConfigCheck("command line");
            check.That(parsed.GetValue(id) is not null, "--id", "is missing: which servo?");
            check.That(parsed.GetValue(value) is not { } given || given == (int)given, name, string.Create(CultureInfo.InvariantCulture, $"is {parsed.GetValue(value)}, expected a whole number of counts"));
            check.Throw();
            int? counts = (int?)parsed.GetValue(value);
            using var bus = choice.OpenBusOrExplain();
            byte servo = CheckedId(bus, parsed.GetValue(id)!.Value);
            if (name == "reboot")
            {
                Demand(bus, servo, "reboot", ServoReply.Insist(() => bus.Reboot(servo)));
                Console.WriteLine($"servo {servo}: started anew");
                return Task.FromResult(ExitCode.Done);
            }

            var chosen = CheckedRegister(bus, servo, name, counts);
            int asked = counts!.Value;
            Demand(bus, servo, $"take {asked} as its {name}", ServoReply.Insist(() => bus.Write(servo, chosen, asked)));
            byte now = name == "id" ? (byte)asked : servo;
            int read = 0;
            Demand(bus, now, $"tell its {name}", ServoReply.Insist(() => bus.Read(now, chosen, out read)));
            Console.WriteLine($"servo {now}: {name} is {Show(bus, chosen, read)}");
            return Task.FromResult(ExitCode.Done);
        });
        return command;
    }

    private static ServoRegister CheckedRegister(IServoBus bus, byte servo, string name, int? value)
    {
        var check = new ConfigCheck("command line");
        var register = bus.Table.Find(name);
        check.That(register is not null, "", $"'{name}' is no register of a {bus.Table.Model}; 'robotics device info --id {servo}' lists them");
        check.That(register is null || value is not null, name, "needs a value");
        check.That(register is not { IsReadOnly: true }, name, "is measured by the servo and cannot be set");
        if (register is not null && value is { } number)
        {
            check.Range(number, register.Minimum, register.Maximum, name);
        }

        check.Throw();
        if (register!.IsPersistent)
        {
            int torque = 0;
            Demand(bus, servo, "tell its torque_enable", ServoReply.Insist(() => bus.Read(servo, bus.Table["torque_enable"], out torque)));
            check.That(torque == 0, name, $"is kept without power and is set with torque off; first: robotics device set ... --id {servo} torque_enable 0");
            check.Throw();
        }

        return register;
    }

    private static void NoId(int? id)
    {
        if (id is not null)
        {
            throw new ConfigException("command line", ["--id is for servos; a device on serial: names its registers JOINT.NAME"]);
        }
    }

    private static byte CheckedId(IServoBus bus, int id)
    {
        var check = new ConfigCheck("command line");
        check.Range(id, 0, bus.HighestId, "--id");
        check.Throw();
        return (byte)id;
    }

    private static List<(byte Id, int Model, ServoState State)> Scan(IServoBus bus, CancellationToken cancellation)
    {
        var found = new List<(byte, int, ServoState)>();
        var patience = bus.Patience;
        for (int id = 0; id <= bus.HighestId; id++)
        {
            cancellation.ThrowIfCancellationRequested();
            bus.Patience = ScanPatience;
            var reply = bus.Ping((byte)id, out int model);
            bus.Patience = patience;
            var state = new ServoState[1];
            if (reply.Ok && ServoReply.Insist(() => new(bus.ReadStates([(byte)id], state), 0)).Ok)
            {
                found.Add(((byte)id, model, state[0]));
            }

            if (reply.Status == ReplyStatus.Gone)
            {
                throw new IOException($"{bus.Name} is gone.");
            }
        }

        return found;
    }

    private static List<(ServoRegister Register, int Value)> ReadAll(IServoBus bus, byte id)
    {
        var values = new List<(ServoRegister, int)>();
        foreach (var register in bus.Table.Registers)
        {
            int value = 0;
            Demand(bus, id, $"tell its {register.Name}", ServoReply.Insist(() => bus.Read(id, register, out value)));
            values.Add((register, value));
        }

        return values;
    }

    private static void Demand(IServoBus bus, byte id, string what, ServoReply reply)
    {
        if (!reply.Ok)
        {
            throw new IOException($"servo {id} on {bus.Name} does not {what}: {bus.Explain(reply)}.");
        }
    }

    private static string Show(IServoBus bus, ServoRegister register, int value) =>
        register.Name == "hardware_error" && value != 0 ? $"{value} ({bus.Table.NameFaults(value)})"
        : register.Scale != 1 || register.Unit.Length > 0 ? string.Create(CultureInfo.InvariantCulture, $"{value} ({value * register.Scale:G4} {register.Unit})").Replace(" )", ")", StringComparison.Ordinal)
        : value.ToString(CultureInfo.InvariantCulture);

    private static string Registers(List<(ServoRegister Register, int Value)> values) => JsonText.Object(writer =>
    {
        foreach (var (register, value) in values)
        {
            writer.WriteNumber(register.Name, value);
        }
    });
}
