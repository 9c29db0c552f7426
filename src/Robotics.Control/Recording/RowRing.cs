namespace Robotics.Control;

/// <summary>Rows of a fixed head and a fixed number of floats, from one thread to one other, without locks or allocation.
/// When it is full the newest row is dropped and counted (<c>DropNewest</c>): what is already kept stays whole.</summary>
/// <typeparam name="THead">The row's plain fields.</typeparam>
/// <param name="capacity">Rows it holds, at least 1.</param>
/// <param name="floats">Floats of one row.</param>
internal sealed class RowRing<THead>(int capacity, int floats)
    where THead : struct
{
    private readonly THead[] _heads = new THead[capacity];
    private readonly float[] _floats = new float[(long)capacity * floats];
    private long _written;
    private long _read;
    private long _dropped;

    /// <summary>Rows dropped because it was full.</summary>
    public long Dropped => Volatile.Read(ref _dropped);

    /// <summary>Producer: a slot to fill, or false when full. Follow with <see cref="Publish"/>.</summary>
    public bool TryReserve(in THead head, out Span<float> row)
    {
        long written = _written;
        if (written - Volatile.Read(ref _read) >= capacity)
        {
            Volatile.Write(ref _dropped, _dropped + 1);
            row = default;
            return false;
        }

        int slot = (int)(written % capacity);
        _heads[slot] = head;
        row = _floats.AsSpan(slot * floats, floats);
        return true;
    }

    /// <summary>Producer: hands the reserved slot over.</summary>
    public void Publish() => Volatile.Write(ref _written, _written + 1);

    /// <summary>Consumer: the oldest row, or false when empty. Follow with <see cref="Release"/>.</summary>
    public bool TryPeek(out THead head, out ReadOnlySpan<float> row)
    {
        long read = _read;
        if (read >= Volatile.Read(ref _written))
        {
            head = default;
            row = default;
            return false;
        }

        int slot = (int)(read % capacity);
        head = _heads[slot];
        row = _floats.AsSpan(slot * floats, floats);
        return true;
    }

    /// <summary>Consumer: gives the peeked slot back.</summary>
    public void Release() => Volatile.Write(ref _read, _read + 1);
}
