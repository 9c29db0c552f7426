using System.Globalization;
using Robotics.Numerics;

namespace Robotics.Tests.Firmware;

/// <summary>Bytes as manuals print them: <c>FF FF 01</c>.</summary>
internal static class Hex
{
    public static byte[] Bytes(string text) =>
        [.. text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(pair => byte.Parse(pair, NumberStyles.HexNumber, CultureInfo.InvariantCulture))];

    public static string Text(ReadOnlySpan<byte> bytes) => Convert.ToHexString(bytes) is { Length: > 0 } digits
        ? string.Join(' ', digits.Chunk(2).Select(pair => new string(pair)))
        : "";

    public static void Fill(SeededRandom random, Span<byte> bytes)
    {
        for (int i = 0; i < bytes.Length; i++)
        {
            bytes[i] = (byte)random.NextInt(0, 256);
        }
    }
}
