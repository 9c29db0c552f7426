namespace Robotics.Firmware.Wire;

/// <summary>Types of frames. The reply to a request has its type with <see cref="Messages.Reply"/> set.</summary>
public enum MessageType : byte
{
    /// <summary>Who are you, which version do you speak; ends the session before.</summary>
    Hello = 0x01,

    /// <summary>Describe a joint.</summary>
    Joint = 0x02,

    /// <summary>What time is it.</summary>
    Time = 0x03,

    /// <summary>Read a register.</summary>
    Read = 0x04,

    /// <summary>Describe a register, by its running number.</summary>
    Describe = 0x05,

    /// <summary>Write a register.</summary>
    Write = 0x06,

    /// <summary>Begin a session: the servos hold.</summary>
    Arm = 0x10,

    /// <summary>End the session: the motors brake.</summary>
    Disarm = 0x11,

    /// <summary>Targets; never answered.</summary>
    Command = 0x12,

    /// <summary>Stop following and hold.</summary>
    Hold = 0x13,

    /// <summary>Emergency stop, latched.</summary>
    EmergencyStop = 0x14,

    /// <summary>Release the latch of a fault or an emergency stop.</summary>
    Clear = 0x15,

    /// <summary>Announce an image, or go on with it.</summary>
    UpdateBegin = 0x20,

    /// <summary>A block of it.</summary>
    UpdateBlock = 0x21,

    /// <summary>Slots, trial and progress.</summary>
    UpdateStatus = 0x22,

    /// <summary>Check the hash and make it the trial of the next boot.</summary>
    UpdateFinish = 0x23,

    /// <summary>The running trial image works.</summary>
    UpdateConfirm = 0x24,

    /// <summary>Start over.</summary>
    Reboot = 0x25,

    /// <summary>The device's state report.</summary>
    State = 0xC0,

    /// <summary>The device's mode or reason changed.</summary>
    Event = 0xC1,

    /// <summary>A line of text for people.</summary>
    Log = 0xC2,
}

/// <summary>How the device answered a request.</summary>
public enum DeviceResult : byte
{
    /// <summary>Done.</summary>
    Ok = 0,

    /// <summary>No request of that type.</summary>
    UnknownRequest = 1,

    /// <summary>The payload has another length.</summary>
    WrongLength = 2,

    /// <summary>No such joint or register.</summary>
    NoSuchItem = 3,

    /// <summary>The value lies outside its range.</summary>
    OutOfRange = 4,

    /// <summary>The register cannot be written.</summary>
    ReadOnly = 5,

    /// <summary>Not in this mode.</summary>
    WrongMode = 6,

    /// <summary>A joint cannot take targets of that kind.</summary>
    WrongKind = 7,

    /// <summary>Not the block that is due.</summary>
    WrongBlock = 8,

    /// <summary>The image in flash is not the one announced.</summary>
    WrongHash = 9,

    /// <summary>The flash failed.</summary>
    Flash = 10,

    /// <summary>Session 0, or another one.</summary>
    WrongSession = 11,

    /// <summary>No common protocol version.</summary>
    WrongVersion = 12,
}

/// <summary>The device's state machine.</summary>
public enum DeviceMode : byte
{
    /// <summary>Just started; motors braked.</summary>
    Boot = 0,

    /// <summary>Nobody armed it; motors braked.</summary>
    Idle = 1,

    /// <summary>The servos hold.</summary>
    Armed = 2,

    /// <summary>The servos follow commands.</summary>
    Active = 3,

    /// <summary>A latched fault; motors braked.</summary>
    Fault = 4,

    /// <summary>A latched emergency stop; motors braked.</summary>
    EmergencyStop = 5,
}

/// <summary>Why the device does not follow, or why it dropped a command. 32 and up are faults, latched until cleared. Stable
/// numbers: they are on the wire and in records.</summary>
public enum DeviceReason : byte
{
    /// <summary>No reason.</summary>
    None = 0,

    /// <summary>The newest command ran out.</summary>
    Expired = 1,

    /// <summary>The host asked to hold.</summary>
    HostHold = 2,

    /// <summary>A command lay outside a joint's range by more than the margin.</summary>
    Range = 3,

    /// <summary>A command came after its expiry.</summary>
    Stale = 4,

    /// <summary>No good frame for too long: disarmed.</summary>
    HostLost = 5,

    /// <summary>The host disarmed.</summary>
    Disarmed = 6,

    /// <summary>A hello ended the session.</summary>
    NewHost = 7,

    /// <summary>A command was not newer than the newest one.</summary>
    Sequence = 8,

    /// <summary>A command of another session, or while not armed.</summary>
    Session = 9,

    /// <summary>A command of the wrong length or shape.</summary>
    Malformed = 10,

    /// <summary>Emergency stop from the host.</summary>
    EmergencyStopHost = 16,

    /// <summary>Emergency stop button.</summary>
    EmergencyStopInput = 17,

    /// <summary>A motor pushed and its encoder did not change: frozen, or stalled.</summary>
    EncoderFrozen = 32,

    /// <summary>A motor or driver is too hot, or its thermometer broken.</summary>
    OverTemperature = 33,

    /// <summary>Measured outside the range by more than the margin.</summary>
    PositionRange = 34,

    /// <summary>Measured too far from the setpoint for too long.</summary>
    Following = 35,

    /// <summary>The encoder does not answer, or says no number.</summary>
    EncoderInvalid = 36,

    /// <summary>The firmware's own configuration is wrong.</summary>
    Configuration = 37,
}

/// <summary>What the types share.</summary>
public static class Messages
{
    /// <summary>Set in the type of every frame that the device sends.</summary>
    public const byte Reply = 0x80;

    /// <summary>Joint number that means the whole device.</summary>
    public const byte AllJoints = 255;

    /// <summary>The reason in words, for people.</summary>
    public static string Text(DeviceReason reason) => reason switch
    {
        DeviceReason.None => "nothing",
        DeviceReason.Expired => "the commands ran out",
        DeviceReason.HostHold => "the host asked to hold",
        DeviceReason.Range => "a command lay beyond the joint's range",
        DeviceReason.Stale => "a command came after its expiry",
        DeviceReason.HostLost => "the host fell silent",
        DeviceReason.Disarmed => "the host disarmed it",
        DeviceReason.NewHost => "a new host said hello",
        DeviceReason.Sequence => "a command was repeated or out of order",
        DeviceReason.Session => "a command belonged to no session of now",
        DeviceReason.Malformed => "a command was malformed",
        DeviceReason.EmergencyStopHost => "emergency stop from the host",
        DeviceReason.EmergencyStopInput => "the emergency stop button",
        DeviceReason.EncoderFrozen => "the motor pushed and its encoder stood still",
        DeviceReason.OverTemperature => "the motor is too hot",
        DeviceReason.PositionRange => "the joint is outside its range",
        DeviceReason.Following => "the joint does not follow its setpoint",
        DeviceReason.EncoderInvalid => "the encoder does not answer",
        DeviceReason.Configuration => "the firmware's configuration is wrong",
        _ => $"reason {(byte)reason}",
    };
}
