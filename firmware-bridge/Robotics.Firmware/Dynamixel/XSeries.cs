using Robotics.Firmware.Servos;

namespace Robotics.Firmware.Dynamixel;

/// <summary>The control table of Dynamixel's X series (XL430, XC, XM, XH, XW; position by a 4096-tick encoder).</summary>
/// <remarks>Source: Robotis e-Manual, XM430-W210 and XL430-W250, "Control Table of RAM/EEPROM Area".</remarks>
public static class XSeries
{
    /// <summary>Model number of the XM430-W210, which the manual's examples use.</summary>
    public const int Xm430W210 = 1030;

    /// <summary>Operating mode: the goal is a position within one turn.</summary>
    public const int PositionMode = 3;

    /// <summary>The bit of an answer's error byte that says: look into the hardware error register.</summary>
    public const int Alert = 0x80;

    /// <summary>Memory and error bits.</summary>
    public static ServoTable Table { get; } = new("Dynamixel X", Registers(), ["input voltage", "", "overheating", "motor encoder", "electrical shock", "overload"])
    {
        HomingSign = 1,
        PositionMode = PositionMode,
    };

    private static ServoRegister[] Registers() =>
    [
        ServoRegister.Measured("model_number", 0, 2) with { IsPersistent = true, Initial = Xm430W210 },
        ServoRegister.Measured("firmware_version", 6, 1) with { IsPersistent = true, Initial = 38 },
        ServoRegister.Kept("id", 7, 1, 0, DynamixelFrame.HighestId, 1),
        ServoRegister.Kept("baud_rate", 8, 1, 0, 7, 1),
        ServoRegister.Kept("return_delay_time", 9, 1, 0, 254, 250) with { Scale = 2e-6, Unit = "s" },
        ServoRegister.Kept("drive_mode", 10, 1, 0, 13, 0),
        ServoRegister.Kept("operating_mode", 11, 1, 0, 16, PositionMode),
        ServoRegister.Kept("homing_offset", 20, 4, -1_044_479, 1_044_479, 0) with { IsSigned = true },
        ServoRegister.Kept("moving_threshold", 24, 4, 0, 1023, 10),
        ServoRegister.Kept("temperature_limit", 31, 1, 0, 100, 80) with { Unit = "°C" },
        ServoRegister.Kept("max_voltage_limit", 32, 2, 95, 160, 160) with { Scale = 0.1, Unit = "V" },
        ServoRegister.Kept("min_voltage_limit", 34, 2, 95, 160, 95) with { Scale = 0.1, Unit = "V" },
        ServoRegister.Kept("pwm_limit", 36, 2, 0, 885, 885),
        ServoRegister.Kept("current_limit", 38, 2, 0, 1193, 1193) with { Scale = 2.69e-3, Unit = "A" },
        ServoRegister.Kept("velocity_limit", 44, 4, 0, 1023, 200) with { Scale = VelocityUnit, Unit = "rad/s" },
        ServoRegister.Kept("max_position_limit", 48, 4, 0, 4095, 4095),
        ServoRegister.Kept("min_position_limit", 52, 4, 0, 4095, 0),
        ServoRegister.Kept("shutdown", 63, 1, 0, 63, 52),
        ServoRegister.Set("torque_enable", 64, 1, 0, 1, 0),
        ServoRegister.Set("led", 65, 1, 0, 1, 0),
        ServoRegister.Set("status_return_level", 68, 1, 0, 2, 2),
        ServoRegister.Measured("registered_instruction", 69, 1),
        ServoRegister.Measured("hardware_error", 70, 1),
        ServoRegister.Set("velocity_i_gain", 76, 2, 0, 16383, 1920),
        ServoRegister.Set("velocity_p_gain", 78, 2, 0, 16383, 100),
        ServoRegister.Set("position_d_gain", 80, 2, 0, 16383, 0),
        ServoRegister.Set("position_i_gain", 82, 2, 0, 16383, 0),
        ServoRegister.Set("position_p_gain", 84, 2, 0, 16383, 800),
        ServoRegister.Set("bus_watchdog", 98, 1, -1, 127, 0) with { IsSigned = true, Scale = 0.02, Unit = "s" },
        ServoRegister.Set("torque_limit", 100, 2, 0, 885, 885) with { IsSigned = true, Scale = 1.0 / 885 }, // the manual's Goal PWM
        ServoRegister.Set("goal_current", 102, 2, -1193, 1193, 1193) with { IsSigned = true, Scale = 2.69e-3, Unit = "A" },
        ServoRegister.Set("goal_velocity", 104, 4, -1023, 1023, 200) with { IsSigned = true, Scale = VelocityUnit, Unit = "rad/s" },
        ServoRegister.Set("profile_acceleration", 108, 4, 0, 32767, 0),
        ServoRegister.Set("profile_velocity", 112, 4, 0, 32767, 0),
        ServoRegister.Set("goal_position", 116, 4, 0, 4095, 0) with { IsSigned = true },
        ServoRegister.Measured("moving", 122, 1),
        ServoRegister.Measured("present_pwm", 124, 2) with { IsSigned = true, Scale = 1.0 / 885 },
        ServoRegister.Measured("present_load", 126, 2) with { IsSigned = true }, // XL, XC: 0.1 % of the load; XM, XH: 2.69 mA of current
        ServoRegister.Measured("present_velocity", 128, 4) with { IsSigned = true, Scale = VelocityUnit, Unit = "rad/s" },
        ServoRegister.Measured("present_position", 132, 4) with { IsSigned = true },
        ServoRegister.Measured("present_voltage", 144, 2) with { Scale = 0.1, Unit = "V" },
        ServoRegister.Measured("present_temperature", 146, 1) with { Unit = "°C" },
    ];

    private const double VelocityUnit = 0.229 * 2 * Math.PI / 60; // 0.229 revolutions a minute
}
