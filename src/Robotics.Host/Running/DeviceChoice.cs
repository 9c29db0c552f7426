using System.CommandLine;
using Robotics.Firmware;
using Robotics.Firmware.Dynamixel;
using Robotics.Firmware.Feetech;
using Robotics.Firmware.Serial;
using Robotics.Firmware.Servos;
using Robotics.Packages;

namespace Robotics.Host.Running;

/// <summary>What is spoken on a wire.</summary>
internal enum DeviceProtocol
{
    /// <summary>This project's own, firmware-bridge/PROTOCOL.md.</summary>
    Serial,

    /// <summary>Dynamixel Protocol 2.0, X series.</summary>
    Dynamixel,

    /// <summary>Feetech STS.</summary>
    Feetech,
}

/// <summary>A device on a wire, as a person names it.</summary>
/// <param name="Protocol">What is spoken.</param>
/// <param name="Port">The serial port.</param>
/// <param name="Baud">Bits per second.</param>
internal sealed record DeviceChoice(DeviceProtocol Protocol, string Port, int Baud)
{
    private const string Forms = "serial:PORT, dynamixel:PORT or feetech:PORT";

    /// <summary>The option on every command that opens a wire.</summary>
    public static Option<string> Option() => new("--device", "-D") { Description = Forms + "; 'robotics device list' shows the ports", HelpName = "DEVICE", Required = true };

    /// <summary>The option beside it.</summary>
    public static Option<int> BaudOption() => new("--baud") { Description = "bits per second; USB devices ignore it", DefaultValueFactory = _ => 1_000_000 };

    /// <summary>Reads what a person wrote.</summary>
    /// <exception cref="ConfigException">None of the three forms, or no possible rate.</exception>
    public static DeviceChoice Parse(string text, int baud)
    {
        int colon = text.IndexOf(':', StringComparison.Ordinal);
        var check = new ConfigCheck("command line");
        check.Range(baud, 1200, 12_000_000, "--baud");
        bool known = Enum.TryParse<DeviceProtocol>(text[..Math.Max(colon, 0)], ignoreCase: true, out var protocol) && Enum.IsDefined(protocol);
        check.That(known && colon < text.Length - 1, "--device", $"is '{text}', expected {Forms}; ports here: {Ports()}");
        check.Throw();
        return new(protocol, text[(colon + 1)..], baud);
    }

    /// <summary>The ports that are there, for messages.</summary>
    public static string Ports() => string.Join(", ", SerialPorts.List().Select(port => port.Path)) is { Length: > 0 } list ? list : "none";

    /// <summary>Opens the wire.</summary>
    /// <exception cref="IOException">The port is not there or in use.</exception>
    public ISerialLine Open() => SerialLine.Open(Port, Baud);

    /// <summary>Opens the wire as a servo bus.</summary>
    public IServoBus Bus() => Protocol == DeviceProtocol.Dynamixel ? new DynamixelBus(Open()) : new FeetechBus(Open());

    /// <summary>Opens the servo bus; a port that is not there is what a person got wrong.</summary>
    /// <exception cref="ConfigException">Not a servo bus, or no such port.</exception>
    public IServoBus ServoBus()
    {
        if (Protocol == DeviceProtocol.Serial)
        {
            throw new ConfigException("command line", [$"--device {this} is no servo bus; this command is for dynamixel: and feetech:"]);
        }

        try
        {
            return Bus();
        }
        catch (IOException absent)
        {
            throw new ConfigException($"{absent.Message} Ports here: {Ports()}.", absent);
        }
    }

    /// <summary>Connects a device that speaks this project's protocol.</summary>
    /// <exception cref="ConfigException">Nobody answers, or it is not the robot that is described.</exception>
    public Task<FirmwareRobot> ConnectAsync(RobotSpec? spec, CancellationToken cancellation) =>
        FirmwareRobot.ConnectAsync(Open, ToString(), new() { Spec = spec }, TimeProvider.System, cancellation);

    /// <summary>The robot behind the wire, and how to clear its emergency stop.</summary>
    /// <param name="robotFile">Its description; null: as the device describes itself, which servos do not.</param>
    /// <param name="calibration">Of servos.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <exception cref="ConfigException">Everything that does not fit together.</exception>
    public async Task<DeviceRobot> RobotAsync(string? robotFile, string? calibration, CancellationToken cancellation)
    {
        if (Protocol == DeviceProtocol.Serial)
        {
            var device = await ConnectAsync(robotFile is null ? null : RobotFile.Load(robotFile), cancellation).ConfigureAwait(false);
            return new(device, () => device.ClearAsync(CancellationToken.None).GetAwaiter().GetResult(), () => device.Trouble);
        }

        var check = new ConfigCheck("command line");
        check.That(robotFile is not null, "--robot", "is missing: servos do not say what robot they are");
        check.That(calibration is not null, "--calibration", "is missing; 'robotics device calibrate' makes one, LeRobot's files work as well");
        check.Throw();
        var arm = ServoArm.Connect(RobotFile.Load(robotFile!), ServoCalibration.Load(calibration!), Bus);
        return new(arm, arm.ClearEmergencyStop, () => arm.Trouble);
    }

    public override string ToString() => $"{Protocol.ToString().ToLowerInvariant()}:{Port}";
}

/// <summary>A robot behind a wire.</summary>
/// <param name="Robot">Disposed with this.</param>
/// <param name="Clear">Releases its emergency stop.</param>
/// <param name="Trouble">What is wrong with it now; null: nothing.</param>
internal sealed record DeviceRobot(IRobot Robot, Action Clear, Func<string?> Trouble) : IDisposable
{
    public void Dispose() => (Robot as IDisposable)?.Dispose();
}
