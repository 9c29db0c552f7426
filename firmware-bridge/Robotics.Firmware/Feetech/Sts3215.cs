using Robotics.Firmware.Servos;

namespace Robotics.Firmware.Feetech;

/// <summary>The memory table of Feetech's STS3215, the servo of the SO-100 and SO-101 arms.</summary>
/// <remarks>Source: Feetech, STS3215 memory table.</remarks>
public static class Sts3215
{
    /// <summary>Model number.</summary>
    public const int ModelNumber = 777;

    /// <summary>Operating mode: the goal is a position.</summary>
    public const int PositionMode = 0;

    /// <summary>What "torque_enable" takes to make the present position the middle.</summary>
    public const int SetMiddle = 128;

    /// <summary>Memory and error bits.</summary>
    public static ServoTable Table { get; } = new("Feetech STS3215", Registers(), ["voltage", "angle sensor", "overheating", "over-current", "", "overload"])
    {
        HomingSign = -1,
        PositionMode = PositionMode,
    };

    private static ServoRegister[] Registers() =>
    [
        ServoRegister.Measured("firmware_version", 0, 2) with { IsPersistent = true, Initial = 0x0903 },
        ServoRegister.Measured("model_number", 3, 2) with { IsPersistent = true, Initial = ModelNumber },
        ServoRegister.Kept("id", 5, 1, 0, FeetechFrame.HighestId, 1),
        ServoRegister.Kept("baud_rate", 6, 1, 0, 7, 0),
        ServoRegister.Kept("return_delay_time", 7, 1, 0, 254, 0) with { Scale = 2e-6, Unit = "s" },
        ServoRegister.Kept("status_return_level", 8, 1, 0, 1, 1),
        ServoRegister.Kept("min_position_limit", 9, 2, 0, 4095, 0),
        ServoRegister.Kept("max_position_limit", 11, 2, 0, 4095, 4095),
        ServoRegister.Kept("temperature_limit", 13, 1, 0, 100, 70) with { Unit = "°C" },
        ServoRegister.Kept("max_voltage_limit", 14, 1, 0, 254, 80) with { Scale = 0.1, Unit = "V" },
        ServoRegister.Kept("min_voltage_limit", 15, 1, 0, 254, 40) with { Scale = 0.1, Unit = "V" },
        ServoRegister.Kept("max_torque_limit", 16, 2, 0, 1000, 1000) with { Scale = 0.001 },
        ServoRegister.Kept("unloading_condition", 19, 1, 0, 254, 44),
        ServoRegister.Kept("led_alarm_condition", 20, 1, 0, 254, 47),
        ServoRegister.Kept("position_p_gain", 21, 1, 0, 254, 32),
        ServoRegister.Kept("position_d_gain", 22, 1, 0, 254, 32),
        ServoRegister.Kept("position_i_gain", 23, 1, 0, 254, 0),
        ServoRegister.Kept("protection_current", 28, 2, 0, 511, 500) with { Scale = 6.5e-3, Unit = "A" },
        ServoRegister.Kept("homing_offset", 31, 2, -2047, 2047, 0) with { SignBit = 11 },
        ServoRegister.Kept("operating_mode", 33, 1, 0, 3, PositionMode),
        ServoRegister.Kept("protective_torque", 34, 1, 0, 100, 20) with { Scale = 0.01 },
        ServoRegister.Kept("protection_time", 35, 1, 0, 254, 200) with { Scale = 0.01, Unit = "s" },
        ServoRegister.Kept("overload_torque", 36, 1, 0, 100, 80) with { Scale = 0.01 },
        ServoRegister.Set("torque_enable", 40, 1, 0, SetMiddle, 0),
        ServoRegister.Set("acceleration", 41, 1, 0, 254, 0),
        ServoRegister.Set("goal_position", 42, 2, -32766, 32766, 0) with { SignBit = 15 },
        ServoRegister.Set("goal_time", 44, 2, 0, 1000, 0),
        ServoRegister.Set("goal_speed", 46, 2, -3400, 3400, 0) with { SignBit = 15, Scale = 2 * Math.PI / ServoTable.TicksPerTurn, Unit = "rad/s" },
        ServoRegister.Set("torque_limit", 48, 2, 0, 1000, 1000) with { Scale = 0.001 },
        ServoRegister.Set("lock", 55, 1, 0, 1, 1),
        ServoRegister.Measured("present_position", 56, 2) with { SignBit = 15 },
        ServoRegister.Measured("present_velocity", 58, 2) with { SignBit = 15, Scale = 2 * Math.PI / ServoTable.TicksPerTurn, Unit = "rad/s" },
        ServoRegister.Measured("present_load", 60, 2) with { SignBit = 10, Scale = 0.001 },
        ServoRegister.Measured("present_voltage", 62, 1) with { Scale = 0.1, Unit = "V" },
        ServoRegister.Measured("present_temperature", 63, 1) with { Unit = "°C" },
        ServoRegister.Measured("hardware_error", 65, 1),
        ServoRegister.Measured("moving", 66, 1),
        ServoRegister.Measured("present_current", 69, 2) with { SignBit = 15, Scale = 6.5e-3, Unit = "A" },
    ];
}
