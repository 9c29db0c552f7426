using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Robotics.Firmware;
using Robotics.Host.Running;

namespace Robotics.Host.Commands;

/// <summary>The same for a device that speaks firmware-bridge/PROTOCOL.md: it names its registers, their units and ranges itself.</summary>
internal static partial class DeviceCommand
{
    private static async Task<int> InfoOfDevice(DeviceChoice choice, bool json, CancellationToken cancellation)
    {
        using var robot = await choice.ConnectAsync(null, cancellation).ConfigureAwait(false);
        var device = robot.Device;
        var values = new List<(DeviceRegister Register, double Value)>();
        foreach (var register in await robot.ListRegistersAsync(cancellation).ConfigureAwait(false))
        {
            values.Add((register, await robot.ReadRegisterAsync(register.Id, cancellation).ConfigureAwait(false)));
        }

        if (!json)
        {
            Console.WriteLine($"{device.Name}  chip {device.Id}  firmware {device.Version}{(device.OnTrial ? " on trial" : "")}  "
                + $"{(device.SlotSize > 0 ? $"slot {(device.RunningSlot < 2 ? "AB"[device.RunningSlot] : '-')} of {device.SlotSize} bytes" : "no updates over the wire")}");
            foreach (var (register, value) in values)
            {
                string range = register.Writable ? string.Create(CultureInfo.InvariantCulture, $"  ({Exact(register.Lowest)} to {Exact(register.Highest)})") : "";
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{NameOf(robot, register),-32} {value:G6} {UnitOf(robot, register)}").TrimEnd() + range);
            }

            return ExitCode.Done;
        }

        Console.WriteLine(JsonText.Object(writer =>
        {
            writer.WriteString("name", device.Name);
            writer.WriteString("chip", device.Id);
            writer.WriteString("firmware", device.Version);
            writer.WriteBoolean("on_trial", device.OnTrial);
            writer.WriteNumber("slot_bytes", device.SlotSize);
            writer.WriteStrings("joints", robot.Spec.JointNames());
            writer.WriteStartObject("registers");
            foreach (var (register, value) in values)
            {
                writer.WriteStartObject(NameOf(robot, register));
                WriteNumber(writer, "value", value);
                writer.WriteString("unit", UnitOf(robot, register));
                writer.WriteBoolean("writable", register.Writable);
                if (register.Writable)
                {
                    writer.WriteNumber("lowest", Exact(register.Lowest));
                    writer.WriteNumber("highest", Exact(register.Highest));
                }

                writer.WriteEndObject();
            }

            writer.WriteEndObject();
        }));
        return ExitCode.Done;
    }

    private static async Task<int> SetOfDevice(DeviceChoice choice, string name, double? value, CancellationToken cancellation)
    {
        using var robot = await choice.ConnectAsync(null, cancellation).ConfigureAwait(false);
        var all = await robot.ListRegistersAsync(cancellation).ConfigureAwait(false);
        var register = all.FirstOrDefault(one => NameOf(robot, one) == name);
        var check = new ConfigCheck("command line");
        check.That(register is not null, "", $"'{name}' is no register of device '{robot.Spec.Name}'; 'robotics device info {choice.Text}' lists them (a joint's as JOINT.NAME)");
        check.That(register is not { Writable: false }, name, "is told by the device and cannot be set");
        if (register is { Writable: true })
        {
            check.That(value is not null, name, string.Create(CultureInfo.InvariantCulture, $"needs a value, {Exact(register.Lowest)} to {Exact(register.Highest)} {UnitOf(robot, register)}").TrimEnd());
            check.Range(value ?? Exact(register.Lowest), Exact(register.Lowest), Exact(register.Highest), name);
            check.That(register.IsFloat || value is null || value == Math.Round(value.Value), name, string.Create(CultureInfo.InvariantCulture, $"is {value}, expected a whole number"));
        }

        check.Throw();
        await robot.WriteRegisterAsync(register!.Id, value!.Value, cancellation).ConfigureAwait(false);
        double read = await robot.ReadRegisterAsync(register.Id, cancellation).ConfigureAwait(false);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name} is {read:G6} {UnitOf(robot, register)}").TrimEnd() + ", until the device restarts");
        return ExitCode.Done;
    }

    private static async Task<int> MonitorDevice(DeviceChoice choice, double perSecond, double? seconds, bool json, CancellationToken cancellation)
    {
        using var robot = await choice.ConnectAsync(null, cancellation).ConfigureAwait(false);
        var seen = new Observation(robot.Spec.Layout.Length);
        int joints = robot.Spec.Joints.Count;
        double[] temperatures = new double[joints];
        var start = MonotonicTime.SystemNow();
        while (robot.Read(seen) == ReadStatus.Missing && MonotonicTime.SystemNow() - start < TimeSpan.FromSeconds(1))
        {
            await Task.Delay(5, cancellation).ConfigureAwait(false); // its first report is on the way
        }

        start = MonotonicTime.SystemNow();
        while (!cancellation.IsCancellationRequested && (MonotonicTime.SystemNow() - start).TotalSeconds < (seconds ?? double.MaxValue))
        {
            bool there = robot.Read(seen) != ReadStatus.Missing;
            for (int j = 0; there && j < joints; j++)
            {
                temperatures[j] = await robot.ReadRegisterAsync(DeviceRegister.OfJoint(j, DeviceRegister.Temperature), cancellation).ConfigureAwait(false);
            }

            double at = (MonotonicTime.SystemNow() - start).TotalSeconds;
            Console.WriteLine(json ? StateJson(robot, there, at, seen, temperatures) : StateText(robot, there, at, seen, temperatures));
            await Task.Delay(TimeSpan.FromSeconds(1 / perSecond), CancellationToken.None).ConfigureAwait(false);
        }

        return ExitCode.Done;
    }

    private static string StateText(FirmwareRobot robot, bool there, double at, Observation seen, double[] temperatures)
    {
        int n = temperatures.Length;
        string time = string.Create(CultureInfo.InvariantCulture, $"{at,8:F2} s  ");
        return time + (there
            ? $"{Episodes.Words.Of(seen.Mode)}  " + string.Join("  |", robot.Spec.Joints.Select((joint, j) => string.Create(CultureInfo.InvariantCulture,
                $" {joint.Name} {seen.Signals[j]:F4} {joint.Unit} {seen.Signals[n + j]:F3} {joint.Unit}/s {seen.Signals[(2 * n) + j]:F3} {EffortUnit(joint.Kind)} {temperatures[j]:F1} °C")))
            : robot.Trouble ?? "no answer");
    }

    private static string StateJson(FirmwareRobot robot, bool there, double at, Observation seen, double[] temperatures) => JsonText.Object(writer =>
    {
        int n = temperatures.Length;
        writer.WriteNumber("t", Math.Round(at, 3));
        writer.WriteBoolean("answered", there);
        writer.WriteString("trouble", robot.Trouble);
        writer.WriteString("mode", Episodes.Words.Of(seen.Mode));
        writer.WriteString("reason", Episodes.Words.Of(seen.ModeReason));
        writer.WriteStartArray("joints");
        for (int j = 0; there && j < n; j++)
        {
            writer.WriteStartObject();
            writer.WriteString("name", robot.Spec.Joints[j].Name);
            writer.WriteNumber("position", seen.Signals[j]);
            writer.WriteNumber("velocity", seen.Signals[n + j]);
            writer.WriteNumber("effort", seen.Signals[(2 * n) + j]);
            WriteNumber(writer, "temperature", temperatures[j]);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }, indented: false);

    private static Command CreateUpdate()
    {
        var device = new Argument<string>("device") { Description = "serial:PORT; 'robotics device list' names the ports" };
        var image = new Argument<string>("image") { Description = "firmware image file" };
        var version = new Option<string>("--image-version") { Description = "version that the image will report, MAJOR.MINOR.PATCH", HelpName = "X.Y.Z", Required = true };
        var baud = Baud();
        var json = new Option<bool>("--json") { Description = "one JSON object a line instead of text" };
        var command = new Command("update", "Loads firmware into a device, starts it and keeps it if it reports in; the same call again goes on after a break.") { device, image, version, baud, json };
        command.SetGuardedAction(async (parsed, cancellation) =>
        {
            var choice = DeviceChoice.Parse(parsed.GetRequiredValue(device), parsed.GetValue(baud));
            string path = parsed.GetRequiredValue(image);
            bool asJson = parsed.GetValue(json);
            uint number = 0;
            var check = new ConfigCheck("command line");
            check.That(choice.IsDevice, "", $"device '{choice.Text}' takes no images; this command is for serial:PORT");
            check.That(File.Exists(path), "", $"there is no image '{path}'");
            check.That(TryVersion(parsed.GetRequiredValue(version), out number), "--image-version", $"is '{parsed.GetValue(version)}', expected MAJOR.MINOR.PATCH, for example 1.2.0; minor and patch up to 255");
            check.Throw();
            byte[] bytes = await File.ReadAllBytesAsync(path, cancellation).ConfigureAwait(false);
            using var robot = await choice.ConnectAsync(null, cancellation).ConfigureAwait(false);
            check.That(bytes.Length > 0, "", $"image '{path}' is empty");
            check.That(robot.Device.SlotSize > 0, "", $"device '{robot.Spec.Name}' at {choice.Text} takes no updates over the wire");
            check.That(robot.Device.SlotSize == 0 || bytes.Length <= robot.Device.SlotSize, "", $"image '{path}' has {bytes.Length} bytes, a slot of device '{robot.Spec.Name}' {robot.Device.SlotSize}");
            check.Throw();

            Say(asJson, "begin", $"{robot.Spec.Name}: version {robot.Device.Version} runs, {bytes.Length} bytes of {parsed.GetValue(version)} follow", null);
            double told = 0;
            var report = await robot.UpdateAsync(bytes, number, share =>
            {
                if (share - told >= 0.05 || share >= 1)
                {
                    told = share;
                    Say(asJson, "progress", string.Create(CultureInfo.InvariantCulture, $"{share * 100,3:F0} %"), share);
                }
            }, cancellation).ConfigureAwait(false);
            switch (report.Outcome)
            {
                case UpdateOutcome.Installed:
                    Say(asJson, "installed", $"{report.Text}; {report.BlocksSent} blocks sent, what was there already was kept", null);
                    return ExitCode.Done;
                case UpdateOutcome.Refused:
                    throw new RobotRefusedException($"device '{robot.Spec.Name}' at {choice.Text} refused the update: {report.Text}.");
                case UpdateOutcome.RolledBack:
                    throw new IOException($"device '{robot.Spec.Name}' at {choice.Text}: {report.Text}.");
                default:
                    throw new IOException($"the update broke off after {report.BlocksSent} blocks: {report.Text.TrimEnd('.')}. The same call again goes on where it stopped.");
            }
        });
        return command;
    }

    private static void Say(bool json, string type, string text, double? share) => Console.WriteLine(json
        ? JsonText.Object(writer =>
        {
            writer.WriteString("type", type);
            writer.WriteString("text", text);
            if (share is { } done)
            {
                writer.WriteNumber("share", Math.Round(done, 4));
            }
        }, indented: false)
        : text);

    private static bool TryVersion(string text, out uint version)
    {
        version = 0;
        string[] parts = text.Split('.');
        if (parts.Length != 3 || !ushort.TryParse(parts[0], CultureInfo.InvariantCulture, out ushort major)
            || !byte.TryParse(parts[1], CultureInfo.InvariantCulture, out byte minor) || !byte.TryParse(parts[2], CultureInfo.InvariantCulture, out byte patch))
        {
            return false;
        }

        version = ((uint)major << 16) | ((uint)minor << 8) | patch;
        return true;
    }

    private static string NameOf(FirmwareRobot robot, DeviceRegister register) => register.Joint is { } joint ? $"{robot.Spec.Joints[joint].Name}.{register.Name}" : register.Name;

    // The device writes q and t for what depends on the joint.
    private static string UnitOf(FirmwareRobot robot, DeviceRegister register) => register.Joint is { } joint
        ? register.Unit.Replace("t", EffortUnit(robot.Spec.Joints[joint].Kind), StringComparison.Ordinal).Replace("q", robot.Spec.Joints[joint].Unit, StringComparison.Ordinal)
        : register.Unit;

    private static string EffortUnit(JointKind kind) => kind == JointKind.Revolute ? "Nm" : "N";

    // 1e-6 as binary32 is 9.99999997e-7 as binary64; people read the number that was meant.
    private static double Exact(float value) => (double)(decimal)value;

    private static void WriteNumber(Utf8JsonWriter writer, string name, double value)
    {
        if (double.IsFinite(value))
        {
            writer.WriteNumber(name, value);
        }
        else
        {
            writer.WriteNull(name); // a broken sensor says no number, and JSON has none for it
        }
    }
}
