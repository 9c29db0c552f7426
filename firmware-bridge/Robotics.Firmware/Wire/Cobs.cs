namespace Robotics.Firmware.Wire;

/// <summary>Consistent Overhead Byte Stuffing: any bytes become bytes without 0x00, so that 0x00 can end a frame.</summary>
/// <remarks>Allocation-free, any thread.
/// <para>Source: Cheshire and Baker, "Consistent Overhead Byte Stuffing", IEEE/ACM Transactions on Networking 7(2), 1999.</para></remarks>
public static class Cobs
{
    private const byte FullRun = 0xFF; // 254 bytes and no zero after them

    /// <summary>Bytes that <paramref name="count"/> bytes need at most when encoded.</summary>
    public static int Room(int count) => count + (count / 254) + 1;

    /// <summary>Encodes <paramref name="bytes"/>; returns the encoded length.</summary>
    /// <param name="bytes">Anything.</param>
    /// <param name="into">At least <see cref="Room"/> bytes; overlaps nothing.</param>
    public static int Encode(ReadOnlySpan<byte> bytes, Span<byte> into)
    {
        int codeAt = 0; // where the length of the run being written goes
        int length = 1;
        byte code = 1;
        for (int i = 0; i < bytes.Length; i++)
        {
            if (bytes[i] != 0)
            {
                into[length++] = bytes[i];
                code++;
            }

            // A full run ends without a zero; at the very end of the packet nothing follows it.
            if (bytes[i] == 0 || (code == FullRun && i + 1 < bytes.Length))
            {
                into[codeAt] = code;
                codeAt = length++;
                code = 1;
            }
        }

        into[codeAt] = code;
        return length;
    }

    /// <summary>Decodes in place, because the decoded bytes are never longer.</summary>
    /// <returns>The decoded length, or -1 when the bytes are no encoding: a zero inside, or a run that passes the end.</returns>
    public static int Decode(Span<byte> bytes)
    {
        int from = 0;
        int to = 0;
        while (from < bytes.Length)
        {
            byte code = bytes[from++];
            int run = code - 1;
            if (code == 0 || run > bytes.Length - from || bytes.Slice(from, run).Contains((byte)0))
            {
                return -1;
            }

            bytes.Slice(from, run).CopyTo(bytes[to..]);
            from += run;
            to += run;
            if (code != FullRun && from < bytes.Length)
            {
                bytes[to++] = 0;
            }
        }

        return to;
    }
}
