using System.Buffers.Binary;
using System.Text;

namespace Robotics.Firmware.Wire;

/// <summary>What a command says besides its targets.</summary>
/// <param name="Session">Of the <see cref="MessageType.Arm"/> that it belongs to; not 0.</param>
/// <param name="ValidForMs">The device brakes by itself when no newer command follows within this time of the arrival.</param>
/// <param name="Sequence">Must be newer than the newest one taken; wraps.</param>
/// <param name="ObservedUs">Low half of the device time of the measurement this answers to.</param>
/// <param name="ExpiresUs">Low half of the device time after which it must not be taken any more; 0: no limit.</param>
/// <param name="RowUs">Time from one row of targets to the next, in steps of 100 us; 0: at once.</param>
public readonly record struct CommandHeader(ushort Session, ushort ValidForMs, uint Sequence, uint ObservedUs, uint ExpiresUs, uint RowUs);

/// <summary>What a state report says besides the joints.</summary>
/// <param name="TimeUs">Low half of the device time of the measurement.</param>
/// <param name="Applied">Sequence of the newest command taken in this session; 0 before the first.</param>
/// <param name="ActionAgeUs">From that command's measurement until it was taken.</param>
/// <param name="Mode">What the device does.</param>
/// <param name="Reason">Why it does not follow.</param>
/// <param name="Dropped">Commands dropped since power-on, low byte.</param>
/// <param name="LastDrop">Why the newest of them was dropped.</param>
public readonly record struct StateHeader(uint TimeUs, uint Applied, uint ActionAgeUs, DeviceMode Mode, DeviceReason Reason, byte Dropped, DeviceReason LastDrop);

/// <summary>A joint as the device describes it; units follow its kind.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Kind">Turns or slides.</param>
/// <param name="Command">What its targets mean unless it is armed otherwise.</param>
/// <param name="PositionScale">rad or m per count on the wire.</param>
/// <param name="VelocityScale">rad/s or m/s per count.</param>
/// <param name="EffortScale">Nm or N per count.</param>
/// <param name="Lower">rad or m.</param>
/// <param name="Upper">rad or m.</param>
/// <param name="Margin">How far outside the range a command is still cut to it; rad or m.</param>
/// <param name="MaxSpeed">rad/s or m/s.</param>
/// <param name="BrakeDeceleration">Of the setpoint when commands run out, rad/s² or m/s².</param>
/// <param name="MaxEffort">Nm or N.</param>
/// <param name="Home">Position in the default pose, rad or m.</param>
public sealed record DeviceJoint(string Name, JointKind Kind, TargetKind Command, float PositionScale, float VelocityScale, float EffortScale,
    float Lower, float Upper, float Margin, float MaxSpeed, float BrakeDeceleration, float MaxEffort, float Home)
{
    /// <summary>Target or measurement per count.</summary>
    public float Scale(TargetKind kind) => kind switch
    {
        TargetKind.Position => PositionScale,
        TargetKind.Velocity => VelocityScale,
        _ => EffortScale,
    };
}

/// <summary>The device's answer to a hello.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Joints">How many.</param>
/// <param name="Boot">Differs from boot to boot.</param>
/// <param name="Id">The chip's own number, hexadecimal.</param>
/// <param name="Firmware">major &lt;&lt; 16 | minor &lt;&lt; 8 | patch.</param>
/// <param name="ServoPeriodUs">Of its servos.</param>
/// <param name="StatePeriodUs">Of its reports.</param>
/// <param name="SlotSize">Bytes of an image slot; 0: no update over the wire.</param>
/// <param name="Registers">How many.</param>
/// <param name="RunningSlot">Image slot that was booted; 255: none.</param>
/// <param name="OnTrial">True while the running image awaits its confirmation.</param>
public sealed record DeviceHello(string Name, int Joints, uint Boot, string Id, uint Firmware, uint ServoPeriodUs, uint StatePeriodUs, uint SlotSize,
    int Registers, byte RunningSlot, bool OnTrial)
{
    /// <summary>The firmware's version as people write it.</summary>
    public string Version => $"{Firmware >> 16}.{(Firmware >> 8) & 0xFF}.{Firmware & 0xFF}";
}

/// <summary>Payloads as PROTOCOL.md lays them out. Readers return false on anything else and never throw.</summary>
public static class Payloads
{
    /// <summary>Bytes of a command's payload before the targets.</summary>
    public const int CommandHeaderLength = 20;

    /// <summary>Bytes of a state's payload before the joints.</summary>
    public const int StateHeaderLength = 16;

    /// <summary>Bytes of a state's payload per joint.</summary>
    public const int StateJointLength = 6;

    /// <summary>Most rows of targets in one command.</summary>
    public const int MaxRows = 8;

    private const int JointFixed = 46;
    private const int HelloFixed = 46;

    /// <summary>Writes a command's payload; returns its length. Allocation-free.</summary>
    /// <param name="into">At least 20 + 2 bytes per target.</param>
    /// <param name="header">All but the targets.</param>
    /// <param name="rows">1 to <see cref="MaxRows"/>.</param>
    /// <param name="counts">[rows * joints], row by row, in counts of each joint's scale.</param>
    public static int WriteCommand(Span<byte> into, in CommandHeader header, int rows, ReadOnlySpan<short> counts)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(into, header.Session);
        BinaryPrimitives.WriteUInt16LittleEndian(into[2..], header.ValidForMs);
        BinaryPrimitives.WriteUInt32LittleEndian(into[4..], header.Sequence);
        BinaryPrimitives.WriteUInt32LittleEndian(into[8..], header.ObservedUs);
        BinaryPrimitives.WriteUInt32LittleEndian(into[12..], header.ExpiresUs);
        BinaryPrimitives.WriteUInt16LittleEndian(into[16..], (ushort)Math.Min(header.RowUs / 100, ushort.MaxValue));
        into[18] = (byte)rows;
        into[19] = 0;
        for (int i = 0; i < counts.Length; i++)
        {
            BinaryPrimitives.WriteInt16LittleEndian(into[(CommandHeaderLength + (2 * i))..], counts[i]);
        }

        return CommandHeaderLength + (2 * counts.Length);
    }

    /// <summary>Reads a state's payload.</summary>
    /// <param name="payload">From the wire.</param>
    /// <param name="header">All but the joints.</param>
    /// <param name="counts">[joints * 3]: position, velocity and effort of each joint, in counts of its scales.</param>
    public static bool ReadState(ReadOnlySpan<byte> payload, out StateHeader header, Span<short> counts)
    {
        header = default;
        if (payload.Length != StateHeaderLength + (2 * counts.Length))
        {
            return false;
        }

        header = new(
            BinaryPrimitives.ReadUInt32LittleEndian(payload),
            BinaryPrimitives.ReadUInt32LittleEndian(payload[4..]),
            BinaryPrimitives.ReadUInt32LittleEndian(payload[8..]),
            (DeviceMode)payload[12],
            (DeviceReason)payload[13],
            payload[14],
            (DeviceReason)payload[15]);
        for (int i = 0; i < counts.Length; i++)
        {
            counts[i] = BinaryPrimitives.ReadInt16LittleEndian(payload[(StateHeaderLength + (2 * i))..]);
        }

        return true;
    }

    /// <summary>Writes a hello's payload: versions 1 to 1, and a number that its answer repeats.</summary>
    public static int WriteHello(Span<byte> into, uint number)
    {
        into[0] = Frame.Version;
        into[1] = Frame.Version;
        into[2] = 0;
        into[3] = 0;
        BinaryPrimitives.WriteUInt32LittleEndian(into[4..], number);
        return 8;
    }

    /// <summary>Reads a device's answer to hello number <paramref name="number"/>.</summary>
    public static bool ReadHello(ReadOnlySpan<byte> payload, uint number, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out DeviceHello? hello)
    {
        hello = null;
        if (payload.Length < HelloFixed || payload[0] != (byte)DeviceResult.Ok || payload[2] != Frame.Version
            || BinaryPrimitives.ReadUInt32LittleEndian(payload[42..]) != number)
        {
            return false;
        }

        hello = new(
            Encoding.ASCII.GetString(payload[HelloFixed..]),
            payload[3],
            BinaryPrimitives.ReadUInt32LittleEndian(payload[6..]),
            Convert.ToHexString(payload.Slice(10, 12)),
            BinaryPrimitives.ReadUInt32LittleEndian(payload[22..]),
            BinaryPrimitives.ReadUInt32LittleEndian(payload[26..]),
            BinaryPrimitives.ReadUInt32LittleEndian(payload[30..]),
            BinaryPrimitives.ReadUInt32LittleEndian(payload[34..]),
            BinaryPrimitives.ReadUInt16LittleEndian(payload[38..]),
            payload[40],
            payload[41] != 0);
        return true;
    }

    /// <summary>Reads a device's description of a joint.</summary>
    public static bool ReadJoint(ReadOnlySpan<byte> payload, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out DeviceJoint? joint)
    {
        joint = null;
        if (payload.Length < JointFixed || payload[0] != (byte)DeviceResult.Ok || payload[3] > (byte)JointKind.Prismatic || payload[4] > (byte)TargetKind.Effort)
        {
            return false;
        }

        joint = new(
            Encoding.ASCII.GetString(payload[JointFixed..]),
            (JointKind)payload[3],
            (TargetKind)payload[4],
            Float(payload, 0),
            Float(payload, 1),
            Float(payload, 2),
            Float(payload, 3),
            Float(payload, 4),
            Float(payload, 5),
            Float(payload, 6),
            Float(payload, 7),
            Float(payload, 8),
            Float(payload, 9));
        return true;

        static float Float(ReadOnlySpan<byte> payload, int index) => BinaryPrimitives.ReadSingleLittleEndian(payload[(6 + (4 * index))..]);
    }
}
