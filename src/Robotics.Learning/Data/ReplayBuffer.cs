using System.IO.MemoryMappedFiles;
using Robotics.Learning.Dense;
using Robotics.Numerics;

namespace Robotics.Learning.Data;

/// <summary>A batch of transitions (s, a, r, s'), kept and filled again.</summary>
internal sealed class Batch(int capacity, int observationSize, int actionSize)
{
    /// <summary>[B, Do].</summary>
    public Matrix Observations { get; } = new(capacity, observationSize);

    /// <summary>[B, Da].</summary>
    public Matrix Actions { get; } = new(capacity, actionSize);

    /// <summary>[B, Do].</summary>
    public Matrix Next { get; } = new(capacity, observationSize);

    /// <summary>[B].</summary>
    public float[] Rewards { get; } = new float[capacity];

    /// <summary>[B]: what the value of s' counts: γ per step, 0 where the task ended.</summary>
    public float[] Discounts { get; } = new float[capacity];
}

/// <summary>The newest transitions, in one flat file that is mapped into memory: the operating system keeps what is used, and a process
/// that is killed leaves it as it was.</summary>
/// <remarks>
/// One transition is one row: s, a, s', r, discount; 4·(2·Do + Da + 2) bytes (5 million of a planar runner with 17 observations and 6
/// actions: 840 MB). <c>slack</c> rows are kept beyond the capacity and never drawn, so that a run that goes back to its last
/// checkpoint finds everything that checkpoint could draw. Not thread-safe.
/// </remarks>
internal sealed class ReplayBuffer : IDisposable
{
    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;
    private readonly float[] _row;
    private readonly int _observationSize;
    private readonly int _actionSize;
    private readonly long _places;

    /// <summary>Opens the file, or makes it.</summary>
    /// <param name="capacity">Transitions that are drawn from.</param>
    /// <param name="observationSize">Do.</param>
    /// <param name="actionSize">Da.</param>
    /// <param name="path">Where it lies; null: nowhere, it ends with the process.</param>
    /// <param name="slack">Transitions added between two checkpoints, at most.</param>
    public ReplayBuffer(long capacity, int observationSize, int actionSize, string? path = null, long slack = 0)
    {
        (Capacity, _observationSize, _actionSize, _places) = (capacity, observationSize, actionSize, capacity + slack);
        _row = new float[(2 * observationSize) + actionSize + 2];
        long bytes = _places * _row.Length * sizeof(float);
        _file = path is null ? MemoryMappedFile.CreateNew(null, bytes) : MemoryMappedFile.CreateFromFile(path, FileMode.OpenOrCreate, null, bytes);
        _view = _file.CreateViewAccessor();
    }

    /// <summary>Transitions that are drawn from, at most.</summary>
    public long Capacity { get; }

    /// <summary>Transitions added so far. A resumed run sets it to what its checkpoint knew; what lies beyond is written again.</summary>
    public long Added { get; set; }

    /// <summary>Transitions that are drawn from now.</summary>
    public long Count => Math.Min(Added, Capacity);

    /// <summary>Adds one.</summary>
    public void Add(ReadOnlySpan<float> observation, ReadOnlySpan<float> action, float reward, ReadOnlySpan<float> next, float discount)
    {
        observation.CopyTo(_row);
        action.CopyTo(_row.AsSpan(_observationSize));
        next.CopyTo(_row.AsSpan(_observationSize + _actionSize));
        (_row[^2], _row[^1]) = (reward, discount);
        _view.SafeMemoryMappedViewHandle.WriteSpan<float>(Offset(Added), _row);
        Added++;
    }

    /// <summary>Draws rows [from, from + count) of a batch, each uniform over what there is.</summary>
    public void Sample(SeededRandom random, Batch batch, int from, int count)
    {
        long oldest = Added - Count;
        for (int i = from; i < from + count; i++)
        {
            Read(oldest + random.NextInt(0, (int)Count), batch, i);
        }
    }

    /// <summary>Copies the transition that was added as number <paramref name="index"/> into a row of a batch.</summary>
    public void Read(long index, Batch batch, int row)
    {
        _view.SafeMemoryMappedViewHandle.ReadSpan<float>(Offset(index), _row);
        _row.AsSpan(0, _observationSize).CopyTo(batch.Observations[row]);
        _row.AsSpan(_observationSize, _actionSize).CopyTo(batch.Actions[row]);
        _row.AsSpan(_observationSize + _actionSize, _observationSize).CopyTo(batch.Next[row]);
        (batch.Rewards[row], batch.Discounts[row]) = (_row[^2], _row[^1]);
    }

    /// <summary>Waits until the file holds everything.</summary>
    public void Flush() => _view.Flush();

    public void Dispose()
    {
        _view.Dispose();
        _file.Dispose();
    }

    private ulong Offset(long index) => (ulong)(index % _places * _row.Length * sizeof(float));
}
