using Robotics.Firmware;
using Robotics.Firmware.Dynamixel;
using Robotics.Firmware.Feetech;
using Robotics.Firmware.Serial;
using Robotics.Firmware.Servos;

namespace Robotics.Host.Running;

/// <summary>Which device at the end of a wire a person named.</summary>
/// <param name="Text">As written.</param>
/// <param name="Kind"><c>serial</c> (this project's own protocol), <c>dynamixel</c> or <c>feetech</c>.</param>
/// <param name="Port">The serial port.</param>
/// <param name="Baud">Bits per second.</param>
internal sealed record DeviceChoice(string Text, string Kind, string Port, int Baud)
{
    /// <summary>Help text of every argument that names a device.</summary>
    public const string Help = "serial:PORT, dynamixel:PORT or feetech:PORT; 'robotics device list' names the ports";

    // As devices come from the factory.
    private static readonly Dictionary<string, int> FactoryBaud = new() { [Own] = 115_200, ["dynamixel"] = 57_600, ["feetech"] = 1_000_000 };

    private const string Own = "serial";

    /// <summary>True: a device that speaks firmware-bridge/PROTOCOL.md; false: servos.</summary>
    public bool IsDevice => Kind == Own;

    /// <summary>Reads what a person wrote.</summary>
    /// <param name="text">The device.</param>
    /// <param name="baud">Bits per second; null: as the device comes from the factory.</param>
    /// <exception cref="ConfigException">It names no device of these kinds, or the rate makes no sense.</exception>
    public static DeviceChoice Parse(string text, int? baud)
    {
        ArgumentNullException.ThrowIfNull(text);
        string[] parts = text.Split(':', 2);
        var check = new ConfigCheck("command line");
        check.That(parts.Length == 2 && parts[1].Length > 0 && FactoryBaud.ContainsKey(parts[0]), "", $"device '{text}' is none of: {Help}");
        check.Range(baud ?? 50, 50, 16_000_000, "--baud");
        check.Throw();
        return new(text, parts[0], parts[1], baud ?? FactoryBaud[parts[0]]);
    }

    /// <summary>Connects the device that speaks this project's protocol.</summary>
    /// <param name="spec">What it should be; null: as it describes itself.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <exception cref="ConfigException">The port is not there, nobody answers, or it is not that robot.</exception>
    public Task<FirmwareRobot> ConnectAsync(RobotSpec? spec, CancellationToken cancellation) =>
        FirmwareRobot.ConnectAsync(() => SerialLine.Open(Port, Baud), Text, new() { Spec = spec }, TimeProvider.System, cancellation);

    /// <summary>Opens the servos' wire.</summary>
    /// <exception cref="IOException">The port is not there, in use, or not a serial port.</exception>
    public IServoBus OpenBus()
    {
        var line = SerialLine.Open(Port, Baud);
        return Kind == "dynamixel" ? new DynamixelBus(line) : new FeetechBus(line);
    }

    /// <summary>Says that the wire cannot carry what a servo period needs; null when it can. A tenth of the period is left for the servos' own pauses.</summary>
    /// <param name="bytes">In every period, both ways; ten bits each.</param>
    /// <param name="periodMs">The servo period.</param>
    public string? TooSlow(int bytes, double periodMs)
    {
        double needsMs = bytes * 10_000.0 / Baud;
        return needsMs <= 0.9 * periodMs ? null : string.Create(System.Globalization.CultureInfo.InvariantCulture,
            $"{Text} is too slow: {bytes} bytes a cycle take {needsMs:F1} ms at {Baud} bit/s, the robot asks for one every {periodMs} ms. Set a faster baud rate in the servos ('robotics device set') and --baud, or a longer servo_period_ms.");
    }

    /// <summary>The same for a person who may have mistyped the port.</summary>
    /// <exception cref="ConfigException">The port is not there, in use, or not a serial port.</exception>
    public IServoBus OpenBusOrExplain()
    {
        if (IsDevice)
        {
            throw new ConfigException("command line", [$"device '{Text}' is no servo bus; this command is for dynamixel:PORT and feetech:PORT"]);
        }

        try
        {
            return OpenBus();
        }
        catch (IOException absent)
        {
            throw SerialPorts.Absent(absent);
        }
    }
}
