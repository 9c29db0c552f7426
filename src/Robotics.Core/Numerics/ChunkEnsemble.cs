namespace Robotics.Numerics;

/// <summary>Averages what several overlapping chunks say about one instant, the older ones weighing slightly more.</summary>
/// <remarks>
/// With i counting the chunks that have a row for the instant from 0, the oldest: action = Σ wᵢ·aᵢ / Σ wᵢ, wᵢ = exp(-m·i). For policies
/// with one right answer per observation: the average of two ways round an obstacle leads into it.
/// Allocation-free after construction. Not thread-safe.
/// <para>Source: temporal ensembling, Zhao et al. 2023 (arXiv:2304.13705, ACT); m = 0.01 there.</para>
/// </remarks>
public sealed class ChunkEnsemble
{
    private readonly int _rows;
    private readonly int _length;
    private readonly int _ticksPerRow;
    private readonly double _decay;
    private readonly float[] _chunks; // [Ta chunks, Ta, Da], a ring: a chunk lasts Ta rows, so at most Ta overlap when one comes per row
    private readonly long[] _starts;  // [Ta chunks]
    private int _oldest;
    private int _count;

    /// <summary>Allocates room for <paramref name="rows"/> chunks.</summary>
    /// <param name="rows">Ta, at least 1.</param>
    /// <param name="actionLength">Da, at least 1.</param>
    /// <param name="ticksPerRow">Ticks that one row lasts, at least 1.</param>
    /// <param name="decay">m, 0 (all alike) or above.</param>
    /// <exception cref="ArgumentOutOfRangeException">A value is out of range.</exception>
    public ChunkEnsemble(int rows, int actionLength, int ticksPerRow, double decay)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(rows, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(actionLength, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(ticksPerRow, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(decay);
        (_rows, _length, _ticksPerRow, _decay) = (rows, actionLength, ticksPerRow, decay);
        _chunks = new float[rows * rows * actionLength];
        _starts = new long[rows];
    }

    /// <summary>Chunks that are remembered, whether or not they still have a row.</summary>
    public int Count => _count;

    /// <summary>Forgets every chunk.</summary>
    public void Clear() => (_oldest, _count) = (0, 0);

    /// <summary>Remembers a chunk; the oldest makes room.</summary>
    /// <param name="start">Tick at which its row 0 is due; not before the last one's.</param>
    /// <param name="chunk">[Ta, Da].</param>
    /// <exception cref="ArgumentException">The length differs.</exception>
    public void Add(long start, ReadOnlySpan<float> chunk)
    {
        if (chunk.Length != _rows * _length)
        {
            throw new ArgumentException($"The chunk has {chunk.Length} elements, the ensemble's have {_rows} x {_length}.", nameof(chunk));
        }

        int at = (_oldest + _count) % _rows;
        if (_count == _rows)
        {
            _oldest = (_oldest + 1) % _rows;
        }
        else
        {
            _count++;
        }

        _starts[at] = start;
        chunk.CopyTo(_chunks.AsSpan(at * _rows * _length));
    }

    /// <summary>The average row at a tick.</summary>
    /// <param name="now">The tick.</param>
    /// <param name="row">[Da]; untouched when the answer is 0.</param>
    /// <returns>How many chunks have a row there.</returns>
    public int Mix(long now, Span<float> row)
    {
        int used = 0;
        double weight = 1, sum = 0, shrink = Math.Exp(-_decay);
        for (int i = 0; i < _count; i++)
        {
            int at = (_oldest + i) % _rows;
            long due = Math.DivRem(now - _starts[at], _ticksPerRow, out long rest);
            if (due < 0 || rest < 0 || due >= _rows)
            {
                continue;
            }

            // A running mean: the row holds the average of what came before, so it needs no memory beside itself.
            sum += weight;
            var mine = _chunks.AsSpan((int)((at * _rows) + due) * _length, _length);
            for (int j = 0; j < _length; j++)
            {
                row[j] = used == 0 ? mine[j] : (float)(row[j] + ((mine[j] - row[j]) * weight / sum));
            }

            weight *= shrink;
            used++;
        }

        return used;
    }
}
