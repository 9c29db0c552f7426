using System.Buffers.Binary;
using Robotics.Numerics;

namespace Robotics.Firmware.Wire;

/// <summary>Finds frames in whatever comes over the wire.</summary>
/// <remarks>
/// Never throws and never allocates after construction, whatever the bytes are. After garbage the next 0x00 starts afresh, so at
/// most the frame that the garbage ran into is lost. Owner: one reading thread.
/// </remarks>
public sealed class FrameReader
{
    private readonly byte[] _bytes = new byte[Frame.MaxPacket + 1];
    private int _count;
    private bool _skipping; // too long for a frame: wait for the 0x00
    private int _payload;   // length of the newest frame's payload

    /// <summary>Type of the newest frame.</summary>
    public MessageType Type => (MessageType)_bytes[1];

    /// <summary>Its sequence.</summary>
    public ushort Sequence => BinaryPrimitives.ReadUInt16LittleEndian(_bytes.AsSpan(2));

    /// <summary>Its payload; valid until more bytes are fed.</summary>
    public ReadOnlySpan<byte> Payload => _bytes.AsSpan(Frame.Header, _payload);

    /// <summary>Frames that passed every check.</summary>
    public ulong Good { get; private set; }

    /// <summary>Refused: not COBS.</summary>
    public ulong BadStuffing { get; private set; }

    /// <summary>Refused: too long or too short.</summary>
    public ulong BadLength { get; private set; }

    /// <summary>Refused: the checksum is another.</summary>
    public ulong BadChecksum { get; private set; }

    /// <summary>Refused: whole, and of another version.</summary>
    public ulong BadVersion { get; private set; }

    /// <summary>Refused, for any reason.</summary>
    public ulong Bad => BadStuffing + BadLength + BadChecksum + BadVersion;

    /// <summary>Takes bytes until they complete a good frame or end.</summary>
    /// <param name="bytes">From the wire; moved past what was taken.</param>
    /// <returns>True when <see cref="Type"/>, <see cref="Sequence"/> and <see cref="Payload"/> describe a new frame; call again
    /// for the rest.</returns>
    public bool Next(ref ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            int end = bytes.IndexOf((byte)0);
            var run = end < 0 ? bytes : bytes[..end];
            bytes = end < 0 ? default : bytes[(end + 1)..];
            if (run.Length > _bytes.Length - _count)
            {
                _skipping = true;
            }
            else
            {
                run.CopyTo(_bytes.AsSpan(_count));
                _count += run.Length;
            }

            if (end >= 0 && Complete())
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Forgets a half-received frame, for a line that was opened anew.</summary>
    public void Reset() => (_count, _skipping) = (0, false);

    private bool Complete()
    {
        int encoded = _count;
        bool skipped = _skipping;
        Reset();
        if (encoded == 0 && !skipped)
        {
            return false; // two delimiters in a row say nothing
        }

        int length = skipped ? 0 : Cobs.Decode(_bytes.AsSpan(0, encoded));
        if (length < 0)
        {
            BadStuffing++;
            return false;
        }

        if (length is < Frame.Overhead or > Frame.MaxPacket)
        {
            BadLength++;
            return false;
        }

        // The checksum before the version: only a whole frame may claim to be of a newer one.
        var packet = _bytes.AsSpan(0, length);
        if (Crc32.Compute(packet[..^4]) != BinaryPrimitives.ReadUInt32LittleEndian(packet[^4..]))
        {
            BadChecksum++;
            return false;
        }

        if (packet[0] != Frame.Version)
        {
            BadVersion++;
            return false;
        }

        _payload = length - Frame.Overhead;
        Good++;
        return true;
    }
}

/// <summary>Sizes of a frame, and how one is written: COBS(version, type, sequence, payload, CRC-32) 0x00.</summary>
public static class Frame
{
    /// <summary>Protocol version of every frame.</summary>
    public const byte Version = 1;

    /// <summary>Bytes before the payload.</summary>
    public const int Header = 4;

    /// <summary>Header and CRC.</summary>
    public const int Overhead = 8;

    /// <summary>Longest payload.</summary>
    public const int MaxPayload = 244;

    /// <summary>Longest packet, unstuffed.</summary>
    public const int MaxPacket = Overhead + MaxPayload;

    /// <summary>Longest frame on the wire, with its one COBS byte and its delimiter.</summary>
    public const int MaxWire = MaxPacket + 2;

    /// <summary>Writes a frame; returns its length on the wire, which is the payload's plus 10. Allocation-free.</summary>
    /// <param name="wire">At least <see cref="MaxWire"/> bytes.</param>
    /// <param name="type">What it is.</param>
    /// <param name="sequence">The sender's count; a reply repeats its request's.</param>
    /// <param name="payload">At most <see cref="MaxPayload"/> bytes.</param>
    /// <exception cref="ArgumentException">The payload is too long.</exception>
    public static int Write(Span<byte> wire, MessageType type, ushort sequence, ReadOnlySpan<byte> payload)
    {
        if (payload.Length > MaxPayload)
        {
            throw new ArgumentException($"A payload of {payload.Length} bytes does not fit a frame, which holds {MaxPayload}.", nameof(payload));
        }

        Span<byte> packet = stackalloc byte[MaxPacket];
        packet[0] = Version;
        packet[1] = (byte)type;
        BinaryPrimitives.WriteUInt16LittleEndian(packet[2..], sequence);
        payload.CopyTo(packet[Header..]);
        int body = Header + payload.Length;
        BinaryPrimitives.WriteUInt32LittleEndian(packet[body..], Crc32.Compute(packet[..body]));
        int encoded = Cobs.Encode(packet[..(body + 4)], wire);
        wire[encoded] = 0;
        return encoded + 1;
    }
}
