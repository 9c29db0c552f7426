using Robotics.Firmware.Servos;
using Robotics.Firmware.Virtual;

namespace Robotics.Tests.Firmware;

public sealed class ServoCalibrationTests
{
    // The form in which LeRobot writes an arm (MotorCalibration, four spaces); numbers of our own.
    private const string LeRobot = """
        {
            "shoulder_pan": {
                "id": 1,
                "drive_mode": 0,
                "homing_offset": 123,
                "range_min": 700,
                "range_max": 3300
            },
            "gripper": {
                "id": 6,
                "drive_mode": 1,
                "homing_offset": -45,
                "range_min": 2000,
                "range_max": 3400
            }
        }

        """;

    [Fact]
    public void LeRobotsFile_IsReadAndWrittenBackByteForByte()
    {
        var calibration = ServoCalibration.Parse(LeRobot, "arm.json");
        Assert.Equal([new("shoulder_pan", 1, 0, 123, 700, 3300), new ServoMotor("gripper", 6, 1, -45, 2000, 3400)], calibration.Motors);
        Assert.Equal(LeRobot, calibration.Write());
    }

    [Theory]
    [InlineData(0, 2000, 0)]
    [InlineData(0, 3024, Math.PI / 2)]
    [InlineData(1, 3024, -Math.PI / 2)]
    [InlineData(1, 976, Math.PI / 2)]
    public void Angle_IsZeroInTheMiddleAndFollowsTheDirection(int mode, int ticks, double angle)
    {
        var motor = new ServoMotor("m", 1, mode, 0, 700, 3300);
        Assert.Equal(angle, motor.Angle(ticks), 1e-6);
        Assert.Equal(ticks, motor.Ticks((float)angle));
    }

    [Theory]
    [InlineData(9f, 3300)]
    [InlineData(-9f, 700)]
    [InlineData(float.NaN, 2000)]
    [InlineData(float.PositiveInfinity, 2000)]
    public void Ticks_StayInsideTheRange(float angle, int ticks) => Assert.Equal(ticks, new ServoMotor("m", 1, 0, 0, 700, 3300).Ticks(angle));

    [Theory]
    [InlineData("[1]", "expected an object")]
    [InlineData("{}", "expected an object")]
    [InlineData("{", "not JSON at line 1")]
    [InlineData("""{ "a": { "id": 1, "drive_mode": 0, "homing_offset": 0, "range_min": 5 } }""", "a.range_max")]
    [InlineData("""{ "a": { "id": 1.5, "drive_mode": 0, "homing_offset": 0, "range_min": 5, "range_max": 6 } }""", "a.id")]
    [InlineData("""{ "a": { "id": 1, "drive_mode": 2, "homing_offset": 0, "range_min": 5, "range_max": 6 } }""", "a.drive_mode")]
    [InlineData("""{ "a": { "id": 1, "drive_mode": 0, "homing_offset": 0, "range_min": 6, "range_max": 6 } }""", "not below range_max")]
    [InlineData("""{ "a": { "id": 300, "drive_mode": 0, "homing_offset": 0, "range_min": 5, "range_max": 6 } }""", "0 to 253")]
    public void WrongFiles_AreNamedWithTheirPlace(string json, string named)
    {
        var wrong = Assert.Throws<ConfigException>(() => ServoCalibration.Parse(json, "arm.json"));
        Assert.Contains("arm.json", wrong.Message, StringComparison.Ordinal);
        Assert.Contains(named, wrong.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TwoMotorsWithOneId_AreRefused()
    {
        var wrong = Assert.Throws<ConfigException>(() => ServoCalibration.Parse(LeRobot.Replace("\"id\": 6", "\"id\": 1", StringComparison.Ordinal), "arm.json"));
        Assert.Contains("gripper.id", wrong.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AnotherArmsCalibration_IsRefusedWithTheNamesOfBothSides()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "pseudo-terminals are Linux here");
        using var rig = new ServoRig(ServoProtocol.Feetech);
        var wrong = Assert.Throws<ConfigException>(() => ServoCalibration.Parse(LeRobot, "other.json").For(rig.Robot));
        Assert.Contains("other.json", wrong.Message, StringComparison.Ordinal);
        Assert.Contains("'arm'", wrong.Message, StringComparison.Ordinal);
        Assert.Contains("elbow_flex", wrong.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ARobotThatMayMoveFartherThanItsCalibration_IsRefused()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "pseudo-terminals are Linux here");
        using var rig = new ServoRig(ServoProtocol.Feetech);
        var narrow = rig.Calibration with { Motors = [.. rig.Calibration.Motors.Select(motor => motor with { RangeMax = motor.RangeMax - 600 })] };
        var wrong = Assert.Throws<ConfigException>(() => narrow.For(rig.Robot));
        Assert.Equal(6, wrong.Problems.Count);
        Assert.Contains("may move from", wrong.Message, StringComparison.Ordinal);
    }
}
