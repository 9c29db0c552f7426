using System.Buffers.Binary;
using Robotics.Firmware.Servos;

namespace Robotics.Firmware.Dynamixel;

/// <summary>What a packet asks for, or that it answers.</summary>
public enum DynamixelInstruction : byte
{
    /// <summary>Are you there?</summary>
    Ping = 0x01,

    /// <summary>Address u16, length u16.</summary>
    Read = 0x02,

    /// <summary>Address u16, data.</summary>
    Write = 0x03,

    /// <summary>As write, but done at the next <see cref="Action"/>.</summary>
    RegWrite = 0x04,

    /// <summary>Does what was registered.</summary>
    Action = 0x05,

    /// <summary>Back to the factory's values.</summary>
    FactoryReset = 0x06,

    /// <summary>Starts again; the only end of a hardware error.</summary>
    Reboot = 0x08,

    /// <summary>An answer: error u8, data.</summary>
    Status = 0x55,

    /// <summary>Address u16, length u16, ids.</summary>
    SyncRead = 0x82,

    /// <summary>Address u16, length u16, then id and data of each.</summary>
    SyncWrite = 0x83,

    /// <summary>Id, address u16, length u16 of each.</summary>
    BulkRead = 0x92,

    /// <summary>Id, address u16, length u16, data of each.</summary>
    BulkWrite = 0x93,
}

/// <summary>A received packet. The parameters lie in the receiver's buffer and last until its next call.</summary>
public readonly ref struct DynamixelPacket
{
    internal DynamixelPacket(byte id, byte instruction, ReadOnlySpan<byte> parameters)
    {
        Id = id;
        Instruction = (DynamixelInstruction)instruction;
        Parameters = parameters;
    }

    /// <summary>Whom it is for, or, in an answer, whom it is from.</summary>
    public byte Id { get; }

    /// <summary>What it asks for.</summary>
    public DynamixelInstruction Instruction { get; }

    /// <summary>Everything after the instruction, without stuffing; an answer's first byte is its error.</summary>
    public ReadOnlySpan<byte> Parameters { get; }
}

/// <summary>Packets of Dynamixel Protocol 2.0 to and from bytes. Allocation-free; never throws on what came over the wire.</summary>
/// <remarks>
/// <c>FF FF FD 00 · id · length u16 · instruction · parameters · CRC u16</c>, little-endian. <c>FF FF FD</c> inside instruction
/// and parameters is sent as <c>FF FF FD FD</c>; length and CRC count what is sent. CRC-16/BUYPASS over everything before it, so a
/// random packet passes with odds of 2^-16. Because of the stuffing a header can only be a header: one that turns up where
/// parameters should be shows that the one before was false, and no good packet is lost or late behind garbage.
/// <para>Source: Robotis e-Manual, Protocol 2.0.</para>
/// </remarks>
public static class DynamixelFrame
{
    /// <summary>Everybody; answers to it do not come, except to a ping.</summary>
    public const byte Broadcast = 0xFE;

    /// <summary>Highest id of a single device.</summary>
    public const byte HighestId = 252;

    /// <summary>Bytes of a packet beside its parameters.</summary>
    public const int Overhead = HeaderLength + 1 + CrcLength;

    private const int HeaderLength = 7; // to the length field, inclusive
    private const int CrcLength = 2;

    private static ReadOnlySpan<byte> Header => [0xFF, 0xFF, 0xFD, 0x00];

    /// <summary>Writes a packet; returns its length.</summary>
    /// <param name="into">Long enough for the stuffing too: <see cref="Overhead"/> and 4/3 of the parameters always are.</param>
    /// <param name="id">0 to 252, or <see cref="Broadcast"/>.</param>
    /// <param name="instruction">What it asks for.</param>
    /// <param name="parameters">Not stuffed.</param>
    public static int Write(Span<byte> into, byte id, DynamixelInstruction instruction, ReadOnlySpan<byte> parameters)
    {
        Header.CopyTo(into);
        into[4] = id;
        into[7] = (byte)instruction;
        int at = HeaderLength + 1;
        for (int i = 0; i < parameters.Length; i++)
        {
            into[at++] = parameters[i];
            if (parameters[i] == 0xFD && into[at - 2] == 0xFF && into[at - 3] == 0xFF && at - 3 > HeaderLength)
            {
                into[at++] = 0xFD;
            }
        }

        BinaryPrimitives.WriteUInt16LittleEndian(into[5..], (ushort)(at - HeaderLength + CrcLength));
        BinaryPrimitives.WriteUInt16LittleEndian(into[at..], Crc(into[..at]));
        return at + CrcLength;
    }

    /// <summary>Takes the next whole packet out of <paramref name="received"/>, skipping what is none.</summary>
    /// <returns>False: more bytes are needed.</returns>
    public static bool TryTake(FrameBuffer received, out DynamixelPacket packet)
    {
        ArgumentNullException.ThrowIfNull(received);
        while (true)
        {
            var bytes = received.Bytes;
            int start = bytes.IndexOf(Header);
            if (start != 0)
            {
                // Without a header the last three bytes may still be the beginning of one.
                int none = start > 0 ? start : bytes.Length - BeginningOfHeader(bytes);
                received.Skip(none);
                if (start < 0)
                {
                    packet = default;
                    return false;
                }

                continue;
            }

            if (bytes.Length < HeaderLength)
            {
                packet = default;
                return false;
            }

            int length = BinaryPrimitives.ReadUInt16LittleEndian(bytes[5..]);
            int whole = HeaderLength + length;
            if (bytes[4] > Broadcast || bytes[4] == 0xFD || length < 1 + CrcLength || whole > received.Capacity)
            {
                received.Skip(1);
                continue;
            }

            // Only up to the CRC, which may look like anything.
            int body = Math.Min(bytes.Length, whole - CrcLength);
            if (bytes[HeaderLength..body].IndexOf(Header) >= 0)
            {
                received.Skip(1);
                continue;
            }

            if (bytes.Length < whole)
            {
                packet = default;
                return false;
            }

            if (BinaryPrimitives.ReadUInt16LittleEndian(bytes[(whole - CrcLength)..]) != Crc(bytes[..(whole - CrcLength)]))
            {
                received.Skip(1);
                continue;
            }

            int parameters = Unstuff(bytes[HeaderLength..(whole - CrcLength)]) - 1;
            packet = new(bytes[4], bytes[HeaderLength], bytes.Slice(HeaderLength + 1, parameters));
            received.Take(whole);
            return true;
        }
    }

    /// <summary>CRC-16/BUYPASS: polynomial 0x8005, start 0, not reflected.</summary>
    public static ushort Crc(ReadOnlySpan<byte> bytes)
    {
        int crc = 0;
        foreach (byte value in bytes)
        {
            crc = (crc << 8) ^ Table[((crc >> 8) ^ value) & 0xFF];
        }

        return (ushort)crc;
    }

    private static readonly ushort[] Table = MakeTable();

    private static ushort[] MakeTable()
    {
        var table = new ushort[256];
        for (int value = 0; value < 256; value++)
        {
            int crc = value << 8;
            for (int bit = 0; bit < 8; bit++)
            {
                crc = (crc & 0x8000) != 0 ? (crc << 1) ^ 0x8005 : crc << 1;
            }

            table[value] = (ushort)crc;
        }

        return table;
    }

    private static int BeginningOfHeader(ReadOnlySpan<byte> bytes)
    {
        for (int length = Math.Min(Header.Length - 1, bytes.Length); length > 0; length--)
        {
            if (Header.StartsWith(bytes[^length..]))
            {
                return length;
            }
        }

        return 0;
    }

    /// <summary>Removes the stuffing in place; returns the length that is left.</summary>
    private static int Unstuff(Span<byte> body)
    {
        int to = 0;
        for (int from = 0; from < body.Length; from++)
        {
            body[to++] = body[from];
            if (to >= 3 && body[to - 1] == 0xFD && body[to - 2] == 0xFF && body[to - 3] == 0xFF && from + 1 < body.Length && body[from + 1] == 0xFD)
            {
                from++;
            }
        }

        return to;
    }
}
