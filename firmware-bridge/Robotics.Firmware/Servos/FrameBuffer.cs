namespace Robotics.Firmware.Servos;

/// <summary>Bytes from a wire that wait to become frames. Preallocated; owned by the thread that reads the line.</summary>
/// <param name="capacity">Bytes it holds; longer frames cannot be received.</param>
public sealed class FrameBuffer(int capacity)
{
    private readonly byte[] _bytes = new byte[capacity];
    private int _start;
    private int _end;

    /// <summary>Longest frame that fits.</summary>
    public int Capacity => _bytes.Length;

    /// <summary>What has been received and not taken yet.</summary>
    public Span<byte> Bytes => _bytes.AsSpan(_start, _end - _start);

    /// <summary>Bytes dropped because they belonged to no whole frame, since the start.</summary>
    public ulong Skipped { get; private set; }

    /// <summary>Where the next bytes go; at least one byte as long as frames are taken or skipped when they are due.</summary>
    public Span<byte> Free()
    {
        if (_start > 0)
        {
            Bytes.CopyTo(_bytes);
            _end -= _start;
            _start = 0;
        }

        return _bytes.AsSpan(_end);
    }

    /// <summary>Says how many bytes were put into <see cref="Free"/>.</summary>
    public void Add(int count) => _end += count;

    /// <summary>Adds a copy of <paramref name="bytes"/>, as many as there is room for; returns how many.</summary>
    public int Add(ReadOnlySpan<byte> bytes)
    {
        var free = Free();
        int count = Math.Min(free.Length, bytes.Length);
        bytes[..count].CopyTo(free);
        _end += count;
        return count;
    }

    /// <summary>Takes <paramref name="count"/> bytes off the front.</summary>
    public void Take(int count) => _start += count;

    /// <summary>Drops <paramref name="count"/> bytes that belong to no frame.</summary>
    public void Skip(int count)
    {
        _start += count;
        Skipped += (ulong)count;
    }

    /// <summary>Forgets everything received.</summary>
    public void Clear() => Skip(_end - _start);
}
