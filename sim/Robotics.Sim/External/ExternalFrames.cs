using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace Robotics.Sim.External;

/// <summary>Types of frames; EXTERNAL.md says what each carries.</summary>
internal enum FrameType : byte
{
    Hello = 1,
    Welcome = 2,
    Reset = 3,
    Started = 4,
    Step = 5,
    Stepped = 6,
    Failed = 7,
    Bye = 8,
}

/// <summary>What a simulator says it is.</summary>
internal sealed record Welcome(string Name, int Count, int ObservationSize, int ActionSize, int StepLimit)
{
    /// <summary>Floats of a stepped frame, and its bytes of ends.</summary>
    public long SteppedLength => ((((long)2 * Count * ObservationSize) + Count) * sizeof(float)) + Count;
}

/// <summary>Bytes and numbers of the protocol in EXTERNAL.md. Nothing here throws on what a simulator sends.</summary>
internal static class ExternalFrames
{
    public const int HeaderLength = 16;
    public const int LongestPayload = 64 << 20;

    private static readonly SearchValues<byte> NameBytes = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"u8);

    private const uint Magic = 0x4D495352; // "RSIM"
    private const byte Version = 1;

    public static void WriteHeader(Span<byte> frame, FrameType type, uint sequence, int length)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(frame, Magic);
        frame[4] = Version;
        frame[5] = (byte)type;
        BinaryPrimitives.WriteUInt16LittleEndian(frame[6..], 0);
        BinaryPrimitives.WriteUInt32LittleEndian(frame[8..], sequence);
        BinaryPrimitives.WriteUInt32LittleEndian(frame[12..], (uint)length);
    }

    /// <summary>Says what is wrong with a header, or null; a failed frame is never wrong for its type.</summary>
    public static string? ReadHeader(ReadOnlySpan<byte> header, FrameType expected, uint sequence, long longest, out FrameType type, out int length)
    {
        type = (FrameType)header[5];
        uint given = BinaryPrimitives.ReadUInt32LittleEndian(header[12..]);
        length = (int)Math.Min(given, LongestPayload);
        uint answered = BinaryPrimitives.ReadUInt32LittleEndian(header[8..]);
        return BinaryPrimitives.ReadUInt32LittleEndian(header) != Magic ? $"its answer starts with {Convert.ToHexString(header[..4])}, expected 5253494D (\"RSIM\")"
            : header[4] != Version ? $"it speaks version {header[4]}, expected {Version}"
            : type != expected && type != FrameType.Failed ? $"it answered with frame type {header[5]}, expected {(byte)expected} ({expected})"
            : answered != sequence ? $"it answered request {answered}, expected {sequence}"
            : given > longest ? $"its answer says {given} bytes, expected at most {longest}"
            : null;
    }

    /// <summary>Reads a welcome; null with a problem where it is out of bounds.</summary>
    public static Welcome? ReadWelcome(ReadOnlySpan<byte> payload, out string problem)
    {
        problem = "";
        if (payload.Length < 18)
        {
            problem = $"its welcome has {payload.Length} bytes, expected at least 18";
            return null;
        }

        uint count = BinaryPrimitives.ReadUInt32LittleEndian(payload);
        uint observation = BinaryPrimitives.ReadUInt32LittleEndian(payload[4..]);
        uint action = BinaryPrimitives.ReadUInt32LittleEndian(payload[8..]);
        uint limit = BinaryPrimitives.ReadUInt32LittleEndian(payload[12..]);
        int length = BinaryPrimitives.ReadUInt16LittleEndian(payload[16..]);
        bool named = payload.Length == 18 + length && length is >= 1 and <= 64
            && payload[18..].IndexOfAnyExcept(NameBytes) < 0;
        problem = count is < 1 or > 65_536 ? $"it offers {count} environments, expected 1 to 65536"
            : observation is < 1 or > 65_536 ? $"it offers {observation} observation elements, expected 1 to 65536"
            : action is < 1 or > 1024 ? $"it offers {action} action elements, expected 1 to 1024"
            : limit is < 1 or > int.MaxValue ? $"it says episodes have at most {limit} steps, expected 1 to {int.MaxValue}"
            : !named ? "its name is not 1 to 64 of A-Z a-z 0-9 _ . - filling the rest of the welcome"
            : "";
        if (problem.Length > 0)
        {
            return null;
        }

        var welcome = new Welcome(Encoding.ASCII.GetString(payload[18..]), (int)count, (int)observation, (int)action, (int)limit);
        problem = welcome.SteppedLength > LongestPayload ? $"its {count} environments of {observation} elements need {welcome.SteppedLength} bytes a step, expected at most {LongestPayload}" : "";
        return problem.Length > 0 ? null : welcome;
    }


    /// <summary>Reads floats; the place of the first one that is not finite, or -1.</summary>
    public static int ReadFloats(ReadOnlySpan<byte> from, Span<float> into)
    {
        int wrong = -1;
        for (int i = into.Length - 1; i >= 0; i--)
        {
            into[i] = BinaryPrimitives.ReadSingleLittleEndian(from[(i * sizeof(float))..]);
            wrong = float.IsFinite(into[i]) ? wrong : i;
        }

        return wrong;
    }
}
