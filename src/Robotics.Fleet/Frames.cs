using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Robotics.Numerics;

namespace Robotics.Fleet;

/// <summary>What a decoder made of bytes from the wire. Ordinary results; nothing here throws.</summary>
public enum FrameStatus
{
    /// <summary>A whole frame with a right checksum.</summary>
    Ok,

    /// <summary>Shorter or longer than its own header says, or than the robot needs.</summary>
    Length,

    /// <summary>The checksum does not hold.</summary>
    Checksum,

    /// <summary>Not a frame of this protocol, or of another type.</summary>
    Foreign,

    /// <summary>A frame of a newer version of this protocol.</summary>
    Version,
}

/// <summary>Fields of a state frame besides the signal frame.</summary>
/// <param name="Sequence">Counts states from 1.</param>
/// <param name="MeasuredAt">Robot clock.</param>
/// <param name="SentAt">Robot clock.</param>
/// <param name="Mode">What the robot side is doing.</param>
/// <param name="Reason">Why it holds.</param>
/// <param name="Epoch">Epoch of the lease in force; 0 for none.</param>
/// <param name="AppliedCommand">Newest command applied; 0 for none.</param>
/// <param name="ActionAgeNs">Action age of that command.</param>
/// <param name="Dropped">Command frames dropped since the start (wraps).</param>
public readonly record struct StateHeader(
    ulong Sequence, MonotonicTime MeasuredAt, MonotonicTime SentAt, RobotMode Mode, HoldReason Reason, uint Epoch,
    ulong AppliedCommand, long ActionAgeNs, uint Dropped);

/// <summary>Fields of a command frame besides the targets.</summary>
/// <param name="Epoch">Epoch of the sender's lease.</param>
/// <param name="Sequence">Counts commands of the epoch from 1.</param>
/// <param name="ObservedAt">Robot clock: the observation this command answers to.</param>
/// <param name="SentAt">Sender's clock.</param>
/// <param name="ExpiresAt">Robot clock, as the sender estimates it: dropped when it arrives later than this. 0: no such limit.</param>
/// <param name="ValidForUs">Microseconds after the arrival until the robot side holds by itself.</param>
/// <param name="Hold">Hold now; carries no targets.</param>
public readonly record struct CommandHeader(
    uint Epoch, ulong Sequence, MonotonicTime ObservedAt, MonotonicTime SentAt, MonotonicTime ExpiresAt, uint ValidForUs, bool Hold);

/// <summary>Binary state and command frames, version 1; PROTOCOL.md has the layout and a frame of each byte by byte.</summary>
/// <remarks>Little-endian. Allocation-free; thread-safe (no state).</remarks>
public static class Frames
{
    /// <summary>Version that this build writes and reads.</summary>
    public const byte Version = 1;

    /// <summary>Bytes of a state frame besides the signal floats.</summary>
    public const int StateOverhead = 68;

    /// <summary>Bytes of a command frame besides the target floats.</summary>
    public const int CommandOverhead = 56;

    private const ushort Magic = 0x4252; // "RB"
    private const byte StateType = 1;
    private const byte CommandType = 2;
    private const byte HoldFlag = 1;

    /// <summary>Writes a state frame; returns its length, <see cref="StateOverhead"/> + 4 per signal.</summary>
    public static int WriteState(Span<byte> into, in StateHeader header, ReadOnlySpan<float> signals)
    {
        int length = StateOverhead + (4 * signals.Length);
        var frame = into[..length];
        Begin(frame, StateType, 0, signals.Length);
        frame[6] = (byte)header.Mode;
        frame[7] = (byte)header.Reason;
        BinaryPrimitives.WriteUInt32LittleEndian(frame[8..], header.Epoch);
        BinaryPrimitives.WriteUInt64LittleEndian(frame[12..], header.Sequence);
        BinaryPrimitives.WriteInt64LittleEndian(frame[20..], header.MeasuredAt.Nanoseconds);
        BinaryPrimitives.WriteInt64LittleEndian(frame[28..], header.SentAt.Nanoseconds);
        BinaryPrimitives.WriteUInt64LittleEndian(frame[36..], header.AppliedCommand);
        BinaryPrimitives.WriteInt64LittleEndian(frame[44..], header.ActionAgeNs);
        BinaryPrimitives.WriteUInt32LittleEndian(frame[52..], header.Dropped);
        frame[56..64].Clear();
        WriteFloats(frame[64..^4], signals);
        return End(frame);
    }

    /// <summary>Reads a state frame.</summary>
    /// <param name="frame">Bytes from the wire.</param>
    /// <param name="header">Valid only with <see cref="FrameStatus.Ok"/>.</param>
    /// <param name="signals">[Layout.Length] receives the signal frame; untouched unless Ok.</param>
    public static FrameStatus ReadState(ReadOnlySpan<byte> frame, out StateHeader header, Span<float> signals)
    {
        header = default;
        var status = Check(frame, StateType, StateOverhead);
        if (status != FrameStatus.Ok || frame.Length != StateOverhead + (4 * signals.Length))
        {
            return status == FrameStatus.Ok ? FrameStatus.Length : status;
        }

        header = new(
            BinaryPrimitives.ReadUInt64LittleEndian(frame[12..]),
            new(BinaryPrimitives.ReadInt64LittleEndian(frame[20..])),
            new(BinaryPrimitives.ReadInt64LittleEndian(frame[28..])),
            (RobotMode)frame[6],
            (HoldReason)frame[7],
            BinaryPrimitives.ReadUInt32LittleEndian(frame[8..]),
            BinaryPrimitives.ReadUInt64LittleEndian(frame[36..]),
            BinaryPrimitives.ReadInt64LittleEndian(frame[44..]),
            BinaryPrimitives.ReadUInt32LittleEndian(frame[52..]));
        ReadFloats(frame[64..^4], signals);
        return FrameStatus.Ok;
    }

    /// <summary>Writes a command frame; returns its length, <see cref="CommandOverhead"/> + 4 per target.</summary>
    public static int WriteCommand(Span<byte> into, in CommandHeader header, ReadOnlySpan<float> targets)
    {
        var sent = header.Hold ? [] : targets;
        int length = CommandOverhead + (4 * sent.Length);
        var frame = into[..length];
        Begin(frame, CommandType, header.Hold ? HoldFlag : (byte)0, sent.Length);
        frame[6..8].Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(frame[8..], header.Epoch);
        BinaryPrimitives.WriteUInt64LittleEndian(frame[12..], header.Sequence);
        BinaryPrimitives.WriteInt64LittleEndian(frame[20..], header.ObservedAt.Nanoseconds);
        BinaryPrimitives.WriteInt64LittleEndian(frame[28..], header.SentAt.Nanoseconds);
        BinaryPrimitives.WriteInt64LittleEndian(frame[36..], header.ExpiresAt.Nanoseconds);
        BinaryPrimitives.WriteUInt32LittleEndian(frame[44..], header.ValidForUs);
        frame[48..52].Clear();
        WriteFloats(frame[52..^4], sent);
        return End(frame);
    }

    /// <summary>Reads a command frame.</summary>
    /// <param name="frame">Bytes from the wire.</param>
    /// <param name="header">Valid only with <see cref="FrameStatus.Ok"/>.</param>
    /// <param name="targets">[Nj] receives the targets; untouched unless Ok and not a hold.</param>
    public static FrameStatus ReadCommand(ReadOnlySpan<byte> frame, out CommandHeader header, Span<float> targets)
    {
        header = default;
        var status = Check(frame, CommandType, CommandOverhead);
        if (status != FrameStatus.Ok)
        {
            return status;
        }

        bool hold = (frame[3] & 0xF0 & (HoldFlag << 4)) != 0;
        if (frame.Length != CommandOverhead + (hold ? 0 : 4 * targets.Length))
        {
            return FrameStatus.Length;
        }

        header = new(
            BinaryPrimitives.ReadUInt32LittleEndian(frame[8..]),
            BinaryPrimitives.ReadUInt64LittleEndian(frame[12..]),
            new(BinaryPrimitives.ReadInt64LittleEndian(frame[20..])),
            new(BinaryPrimitives.ReadInt64LittleEndian(frame[28..])),
            new(BinaryPrimitives.ReadInt64LittleEndian(frame[36..])),
            BinaryPrimitives.ReadUInt32LittleEndian(frame[44..]),
            hold);
        if (!hold)
        {
            ReadFloats(frame[52..^4], targets);
        }

        return FrameStatus.Ok;
    }

    /// <summary>Bytes of a time answer.</summary>
    public const int TimeReplyLength = 24;

    /// <summary>Writes a time request: the sender's clock, then its client name (the answer's topic); returns its length.</summary>
    public static int WriteTimeRequest(Span<byte> into, MonotonicTime sentAt, ReadOnlySpan<byte> client)
    {
        BinaryPrimitives.WriteInt64LittleEndian(into, sentAt.Nanoseconds);
        client.CopyTo(into[8..]);
        return 8 + client.Length;
    }

    /// <summary>Reads a time request; false when it cannot be one.</summary>
    public static bool ReadTimeRequest(ReadOnlySpan<byte> frame, out MonotonicTime sentAt, out ReadOnlySpan<byte> client)
    {
        bool ok = frame.Length is > 8 and <= 72;
        sentAt = ok ? new(BinaryPrimitives.ReadInt64LittleEndian(frame)) : default;
        client = ok ? frame[8..] : default;
        return ok;
    }

    /// <summary>Writes a time answer: the request's instant, then when it arrived and when the answer left, on the robot's clock.</summary>
    public static void WriteTimeReply(Span<byte> into, MonotonicTime sentAt, MonotonicTime arrivedAt, MonotonicTime answeredAt)
    {
        BinaryPrimitives.WriteInt64LittleEndian(into, sentAt.Nanoseconds);
        BinaryPrimitives.WriteInt64LittleEndian(into[8..], arrivedAt.Nanoseconds);
        BinaryPrimitives.WriteInt64LittleEndian(into[16..], answeredAt.Nanoseconds);
    }

    /// <summary>Reads a time answer; false when it cannot be one.</summary>
    public static bool ReadTimeReply(ReadOnlySpan<byte> frame, out MonotonicTime sentAt, out MonotonicTime arrivedAt, out MonotonicTime answeredAt)
    {
        bool ok = frame.Length == TimeReplyLength;
        sentAt = ok ? new(BinaryPrimitives.ReadInt64LittleEndian(frame)) : default;
        arrivedAt = ok ? new(BinaryPrimitives.ReadInt64LittleEndian(frame[8..])) : default;
        answeredAt = ok ? new(BinaryPrimitives.ReadInt64LittleEndian(frame[16..])) : default;
        return ok;
    }

    // Bytes 0-1 magic, 2 version, 3 type (low nibble) and flags (high nibble), 4-5 number of floats.
    private static void Begin(Span<byte> frame, byte type, byte flags, int floats)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(frame, Magic);
        frame[2] = Version;
        frame[3] = (byte)(type | (flags << 4));
        BinaryPrimitives.WriteUInt16LittleEndian(frame[4..], checked((ushort)floats));
    }

    private static int End(Span<byte> frame)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(frame[^4..], Crc32.Compute(frame[..^4]));
        return frame.Length;
    }

    private static FrameStatus Check(ReadOnlySpan<byte> frame, byte type, int overhead)
    {
        if (frame.Length < overhead)
        {
            return FrameStatus.Length;
        }

        if (BinaryPrimitives.ReadUInt16LittleEndian(frame) != Magic)
        {
            return FrameStatus.Foreign;
        }

        if (frame.Length != overhead + (4 * BinaryPrimitives.ReadUInt16LittleEndian(frame[4..])))
        {
            return FrameStatus.Length;
        }

        // The checksum before the version: only a whole frame may claim to be of a newer one.
        if (Crc32.Compute(frame[..^4]) != BinaryPrimitives.ReadUInt32LittleEndian(frame[^4..]))
        {
            return FrameStatus.Checksum;
        }

        return frame[2] != Version ? FrameStatus.Version : (frame[3] & 0x0F) != type ? FrameStatus.Foreign : FrameStatus.Ok;
    }

    private static void WriteFloats(Span<byte> into, ReadOnlySpan<float> values)
    {
        if (BitConverter.IsLittleEndian)
        {
            MemoryMarshal.AsBytes(values).CopyTo(into);
            return;
        }

        for (int i = 0; i < values.Length; i++)
        {
            BinaryPrimitives.WriteSingleLittleEndian(into[(4 * i)..], values[i]);
        }
    }

    private static void ReadFloats(ReadOnlySpan<byte> from, Span<float> values)
    {
        if (BitConverter.IsLittleEndian)
        {
            from.CopyTo(MemoryMarshal.AsBytes(values));
            return;
        }

        for (int i = 0; i < values.Length; i++)
        {
            values[i] = BinaryPrimitives.ReadSingleLittleEndian(from[(4 * i)..]);
        }
    }
}
