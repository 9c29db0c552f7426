using System.Buffers.Binary;
using System.Text;

namespace Robotics.Episodes;

/// <summary>Record kinds and fixed bytes of MCAP, the container of our records (mcap.dev, version 0). Little-endian; every
/// record is opcode u8, content length u64, content.</summary>
internal static class Mcap
{
    public const byte Header = 0x01, Footer = 0x02, Schema = 0x03, Channel = 0x04, Message = 0x05, Chunk = 0x06,
        MessageIndex = 0x07, ChunkIndex = 0x08, Attachment = 0x09, AttachmentIndex = 0x0A, Statistics = 0x0B, Metadata = 0x0C,
        MetadataIndex = 0x0D, SummaryOffset = 0x0E, DataEnd = 0x0F;

    /// <summary>Opcode and length in front of every record.</summary>
    public const int RecordHead = 9;

    /// <summary>Content of a footer.</summary>
    public const int FooterLength = 20;

    /// <summary>First and last bytes of a file.</summary>
    public static ReadOnlySpan<byte> Magic => [0x89, 0x4D, 0x43, 0x41, 0x50, 0x30, 0x0D, 0x0A];
}

/// <summary>A growing byte buffer that writes MCAP's primitives; reused, so that steady recording allocates nothing.</summary>
internal sealed class McapBuffer(int capacity)
{
    private byte[] _bytes = new byte[capacity];

    /// <summary>Bytes written since the last <see cref="Clear"/>.</summary>
    public int Length { get; private set; }

    public ReadOnlySpan<byte> Written => _bytes.AsSpan(0, Length);

    public void Clear() => Length = 0;

    /// <summary>Room for <paramref name="count"/> bytes at the end, to be filled by the caller.</summary>
    public Span<byte> Take(int count)
    {
        if (_bytes.Length - Length < count)
        {
            Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, Length + count));
        }

        Length += count;
        return _bytes.AsSpan(Length - count, count);
    }

    public void U8(byte value) => Take(1)[0] = value;

    public void U16(ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(Take(2), value);

    public void U32(uint value) => BinaryPrimitives.WriteUInt32LittleEndian(Take(4), value);

    public void U64(ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(Take(8), value);

    public void Bytes(ReadOnlySpan<byte> value) => value.CopyTo(Take(value.Length));

    public void Text(string value)
    {
        int count = Encoding.UTF8.GetByteCount(value);
        U32((uint)count);
        Encoding.UTF8.GetBytes(value, Take(count));
    }

    public void Map(IEnumerable<KeyValuePair<string, string>> pairs)
    {
        int at = Length;
        U32(0);
        foreach (var (key, value) in pairs)
        {
            Text(key);
            Text(value);
        }

        PatchU32(at, (uint)(Length - at - 4));
    }

    /// <summary>Begins a record; <see cref="End"/> takes what this returns.</summary>
    public int Begin(byte opcode)
    {
        U8(opcode);
        U64(0);
        return Length;
    }

    /// <summary>Ends the record whose content begins at <paramref name="content"/>.</summary>
    public void End(int content) => PatchU64(content - 8, (ulong)(Length - content));

    /// <summary>Writes a record head over the first bytes.</summary>
    public void PatchHead(byte opcode, ulong length)
    {
        _bytes[0] = opcode;
        PatchU64(1, length);
    }

    public void PatchU32(int at, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(_bytes.AsSpan(at), value);

    public void PatchU64(int at, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(_bytes.AsSpan(at), value);
}

/// <summary>Reads MCAP's primitives. Never throws and never reads past the end: a value that is not there reads as nothing and
/// clears <see cref="Ok"/>, so that a damaged record is asked once at the end.</summary>
internal ref struct McapCursor(ReadOnlySpan<byte> bytes)
{
    private ReadOnlySpan<byte> _rest = bytes;

    /// <summary>False once anything was missing.</summary>
    public bool Ok { get; private set; } = true;

    public readonly ReadOnlySpan<byte> Rest => _rest;

    public byte U8() => Take(1) is [var only] ? only : (byte)0;

    public ushort U16() => Take(2) is { Length: 2 } at ? BinaryPrimitives.ReadUInt16LittleEndian(at) : (ushort)0;

    public uint U32() => Take(4) is { Length: 4 } at ? BinaryPrimitives.ReadUInt32LittleEndian(at) : 0;

    public ulong U64() => Take(8) is { Length: 8 } at ? BinaryPrimitives.ReadUInt64LittleEndian(at) : 0;

    public string Text() => Encoding.UTF8.GetString(Take(U32()));

    public Dictionary<string, string> Map()
    {
        var pairs = new Dictionary<string, string>();
        var inner = new McapCursor(Take(U32()));
        while (inner.Ok && !inner.Rest.IsEmpty)
        {
            string key = inner.Text();
            pairs[key] = inner.Text();
        }

        Ok &= inner.Ok;
        return pairs;
    }

    public ReadOnlySpan<byte> Take(ulong count)
    {
        if (!Ok || count > (ulong)_rest.Length)
        {
            Ok = false;
            _rest = default;
            return default;
        }

        var taken = _rest[..(int)count];
        _rest = _rest[(int)count..];
        return taken;
    }
}
