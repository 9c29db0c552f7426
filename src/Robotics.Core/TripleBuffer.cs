namespace Robotics;

/// <summary>Hands the newest value from one thread to another without locks, waiting or allocation: the writer always has a
/// slot to fill, the reader always has the newest finished one. Values in between are lost on purpose.</summary>
/// <remarks>Exactly one writing and one reading thread.</remarks>
/// <typeparam name="T">A preallocated buffer.</typeparam>
public sealed class TripleBuffer<T>
    where T : class
{
    private const int Fresh = 4; // set in _middle while the reader has not seen it

    private readonly T[] _slots;
    private int _back;       // the writer's
    private int _middle = 1; // nobody's: the newest finished slot
    private int _front = 2;  // the reader's

    /// <summary>Makes three slots with <paramref name="create"/>.</summary>
    public TripleBuffer(Func<T> create)
    {
        ArgumentNullException.ThrowIfNull(create);
        _slots = [create(), create(), create()];
    }

    /// <summary>The slot the writer fills.</summary>
    public T Back => _slots[_back];

    /// <summary>The slot the reader took last.</summary>
    public T Front => _slots[_front];

    /// <summary>Finishes <see cref="Back"/>; the writer gets another slot.</summary>
    public void Publish() => _back = Interlocked.Exchange(ref _middle, _back | Fresh) & ~Fresh;

    /// <summary>Moves the newest finished slot to <see cref="Front"/>; false when there is nothing newer.</summary>
    public bool Take()
    {
        if ((Volatile.Read(ref _middle) & Fresh) == 0)
        {
            return false;
        }

        _front = Interlocked.Exchange(ref _middle, _front) & ~Fresh;
        return true;
    }
}
