using Robotics.Firmware.Dynamixel;
using Robotics.Firmware.Feetech;
using Robotics.Firmware.Serial;
using Robotics.Firmware.Servos;
using Robotics.Firmware.Virtual;
using Robotics.Packages;

namespace Robotics.Tests.Firmware;

/// <summary>An arm of six virtual servos at the end of a pseudo-terminal, as an SO-101 would be, and what belongs to it: robot
/// description and calibration.</summary>
internal sealed class ServoRig : IDisposable
{
    private static readonly string[] Names = ["shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper"];

    private readonly string _folder = Directory.CreateTempSubdirectory("robotics-servos-").FullName;

    public ServoRig(ServoProtocol protocol, double periodMs = 10, HoldMode hold = HoldMode.Keep, float maxSpeed = 3)
    {
        Robot = new RobotSpec
        {
            Name = "arm",
            Joints = [.. Names.Select(name => new JointSpec { Name = name, Lower = -1.5f, Upper = 1.5f, MaxSpeed = maxSpeed, MaxEffort = 3 })],
            Signals =
            [
                new() { Name = "servo.voltage", Length = Names.Length, Unit = "V", Source = "servo:voltage" },
                new() { Name = "servo.temperature", Length = Names.Length, Unit = "°C", Source = "servo:temperature" },
            ],
            StatePeriodMs = periodMs,
            ServoPeriodMs = periodMs,
            Hold = new() { Mode = hold },
        };
        Calibration = new("calibration.json", [.. Names.Select((name, j) => new ServoMotor(name, j + 1, 0, 0, 1000, 3096))]);
        Bus = new(protocol, [1, 2, 3, 4, 5, 6]);
        Wire = new(Bus, Path.Combine(_folder, "port"));
    }

    public RobotSpec Robot { get; init; }

    public ServoCalibration Calibration { get; init; }

    public VirtualServoBus Bus { get; }

    public VirtualWire Wire { get; }

    /// <summary>The port, plugged in or not.</summary>
    public string Port => Path.Combine(_folder, "port");

    /// <summary>The robot as a file, for another process.</summary>
    public string RobotPath => Written("robot.json", RobotFile.Write(Robot));

    /// <summary>The calibration as a file, for another process.</summary>
    public string CalibrationPath => Written("calibration.json", Calibration.Write());

    public IServoBus Open()
    {
        var line = SerialLine.Open(Port, 1_000_000);
        IServoBus bus = Bus.Protocol == ServoProtocol.Dynamixel ? new DynamixelBus(line) : new FeetechBus(line);
        bus.Patience = TimeSpan.FromMilliseconds(100); // the virtual servos are a thread that a busy machine may keep waiting
        return bus;
    }

    public ServoArm Connect(ServoArmOptions? options = null) => ServoArm.Connect(Robot, Calibration, Open, options);

    public void Dispose()
    {
        Wire.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private string Written(string name, string text)
    {
        string path = Path.Combine(_folder, name);
        File.WriteAllText(path, text);
        return path;
    }
}
