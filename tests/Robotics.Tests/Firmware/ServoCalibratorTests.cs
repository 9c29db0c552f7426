using Robotics.Firmware.Servos;
using Robotics.Firmware.Virtual;

namespace Robotics.Tests.Firmware;

/// <summary>The calibration at the bench, with a hand that moves the joints.</summary>
public sealed class ServoCalibratorTests : IDisposable
{
    private static readonly byte[] Ids = [1, 2, 3, 4, 5, 6];

    private ServoRig? _rig;

    [Theory]
    [InlineData(ServoProtocol.Dynamixel)]
    [InlineData(ServoProtocol.Feetech)]
    public void AfterMovingEveryJoint_TheFileAndTheServosAgree_AndTheArmConnectsWithIt(ServoProtocol protocol)
    {
        var rig = Start(protocol);
        rig.Bus.Servos[0].Keep("homing_offset", 250); // of an earlier life
        for (int j = 0; j < 6; j++)
        {
            rig.Bus.Servos[j].Encoder = 1200 + (300 * j);
        }

        ServoCalibration calibration;
        using (var bus = rig.Open())
        {
            var calibrator = new ServoCalibrator(bus, rig.Robot.JointNames(), Ids);
            calibrator.SetMiddle();
            Assert.All(calibrator.Ranges, range => Assert.Equal(2048, range.Now));
            Move(rig, calibrator, -1000);
            Move(rig, calibrator, 2100);
            Move(rig, calibrator, -1100);
            calibration = calibrator.Finish("arm.json");
        }

        Assert.All(calibration.Motors, motor => Assert.Equal((1048, 3148), (motor.RangeMin, motor.RangeMax)));
        Assert.Equal(rig.Robot.JointNames(), calibration.Motors.Select(motor => motor.Name));
        foreach (var servo in rig.Bus.Servos)
        {
            servo.PowerCycle(); // everything was kept
        }

        using var arm = ServoArm.Connect(rig.Robot, ServoCalibration.Parse(calibration.Write(), "arm.json"), rig.Open);
        Assert.True(arm.Link.Up);
    }

    [Fact]
    public void AJointThatWasForgotten_IsNamed_AndNothingIsWritten()
    {
        var rig = Start(ServoProtocol.Feetech);
        using var bus = rig.Open();
        var calibrator = new ServoCalibrator(bus, rig.Robot.JointNames(), Ids);
        calibrator.SetMiddle();
        rig.Bus.Servos[0].Encoder += 500;
        calibrator.Look();
        var wrong = Assert.Throws<ConfigException>(() => calibrator.Finish("arm.json"));
        Assert.Equal(5, wrong.Problems.Count);
        Assert.Contains("shoulder_lift was moved", wrong.Message, StringComparison.Ordinal);
        Assert.Equal(0, rig.Bus.Servos[0]["min_position_limit"]);
    }

    [Fact]
    public void AServoThatDoesNotAnswer_IsNamed()
    {
        var rig = Start(ServoProtocol.Dynamixel);
        rig.Bus.Servos[3].IsSilent = true;
        using var bus = rig.Open();
        bus.Patience = TimeSpan.FromMilliseconds(20);
        var missing = Assert.Throws<IOException>(() => new ServoCalibrator(bus, rig.Robot.JointNames(), Ids));
        Assert.Contains("servo 4 'wrist_flex'", missing.Message, StringComparison.Ordinal);
    }

    public void Dispose() => _rig?.Dispose();

    private ServoRig Start(ServoProtocol protocol)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "pseudo-terminals are Linux here");
        return _rig = new(protocol);
    }

    private static void Move(ServoRig rig, ServoCalibrator calibrator, int ticks)
    {
        foreach (var servo in rig.Bus.Servos)
        {
            servo.Encoder += ticks;
        }

        calibrator.Look();
    }
}
