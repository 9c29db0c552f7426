using Robotics.Firmware.Servos;

namespace Robotics.Firmware.Feetech;

/// <summary>What a packet asks for.</summary>
public enum FeetechInstruction : byte
{
    /// <summary>Are you there?</summary>
    Ping = 0x01,

    /// <summary>Address u8, length u8.</summary>
    Read = 0x02,

    /// <summary>Address u8, data.</summary>
    Write = 0x03,

    /// <summary>As write, but done at the next <see cref="Action"/>.</summary>
    RegWrite = 0x04,

    /// <summary>Does what was registered.</summary>
    Action = 0x05,

    /// <summary>Address u8, length u8, ids.</summary>
    SyncRead = 0x82,

    /// <summary>Address u8, length u8, then id and data of each.</summary>
    SyncWrite = 0x83,
}

/// <summary>A received packet. The parameters lie in the receiver's buffer and last until its next call.</summary>
public readonly ref struct FeetechPacket
{
    internal FeetechPacket(byte id, byte code, ReadOnlySpan<byte> parameters)
    {
        Id = id;
        Code = code;
        Parameters = parameters;
    }

    /// <summary>Whom it is for, or, in an answer, whom it is from.</summary>
    public byte Id { get; }

    /// <summary>A request's <see cref="FeetechInstruction"/>, an answer's error bits: only the side that reads knows which.</summary>
    public byte Code { get; }

    /// <summary>Everything between code and checksum.</summary>
    public ReadOnlySpan<byte> Parameters { get; }
}

/// <summary>Packets of Feetech's STS and SCS servos to and from bytes. Allocation-free; never throws on what came over the wire.</summary>
/// <remarks>
/// <c>FF FF · id · length · code · parameters · checksum</c>; length = parameters + 2, checksum = the inverted sum of everything
/// from id on. Eight bits and no stuffing: one random packet in 256 passes, so a receiver says how many parameters it expects,
/// and whoever asked checks the id too. After a false packet the search goes on behind its first byte: a good packet inside is
/// still found.
/// <para>Source: Feetech, communication protocol manual of the SMS/STS series.</para>
/// </remarks>
public static class FeetechFrame
{
    /// <summary>Everybody; nobody answers.</summary>
    public const byte Broadcast = 0xFE;

    /// <summary>Highest id of a single servo.</summary>
    public const byte HighestId = 253;

    /// <summary>Bytes of a packet beside its parameters.</summary>
    public const int Overhead = 6;

    /// <summary>Most parameters of one packet.</summary>
    public const int MaxParameters = 253;

    /// <summary>Writes a packet; returns its length.</summary>
    /// <param name="into">Room for <see cref="Overhead"/> and the parameters.</param>
    /// <param name="id">0 to 253, or <see cref="Broadcast"/>.</param>
    /// <param name="code">A request's <see cref="FeetechInstruction"/>, an answer's error bits.</param>
    /// <param name="parameters">At most <see cref="MaxParameters"/>.</param>
    public static int Write(Span<byte> into, byte id, byte code, ReadOnlySpan<byte> parameters)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(parameters.Length, MaxParameters);
        into[0] = 0xFF;
        into[1] = 0xFF;
        into[2] = id;
        into[3] = (byte)(parameters.Length + 2);
        into[4] = code;
        parameters.CopyTo(into[5..]);
        int end = 5 + parameters.Length;
        into[end] = Checksum(into[2..end]);
        return end + 1;
    }

    /// <summary>Takes the next whole packet out of <paramref name="received"/>, skipping what is none.</summary>
    /// <param name="received">Bytes from the wire.</param>
    /// <param name="parameters">How many parameters it must have; -1: any number.</param>
    /// <param name="packet">The packet.</param>
    /// <returns>False: more bytes are needed.</returns>
    public static bool TryTake(FrameBuffer received, int parameters, out FeetechPacket packet)
    {
        ArgumentNullException.ThrowIfNull(received);
        packet = default;
        while (true)
        {
            var bytes = received.Bytes;
            if (bytes.Length < 4)
            {
                return false;
            }

            // An id of FF is a third FF before the real id: the header begins one byte later.
            int length = bytes[3];
            bool header = bytes[0] == 0xFF && bytes[1] == 0xFF && bytes[2] != 0xFF && length >= 2;
            if (!header || (parameters >= 0 && length != parameters + 2))
            {
                received.Skip(1);
                continue;
            }

            int whole = 4 + length;
            if (bytes.Length < whole)
            {
                return false;
            }

            if (bytes[whole - 1] != Checksum(bytes[2..(whole - 1)]))
            {
                received.Skip(1);
                continue;
            }

            packet = new(bytes[2], bytes[4], bytes[5..(whole - 1)]);
            received.Take(whole);
            return true;
        }
    }

    private static byte Checksum(ReadOnlySpan<byte> bytes)
    {
        int sum = 0;
        foreach (byte value in bytes)
        {
            sum += value;
        }

        return (byte)~sum;
    }
}
