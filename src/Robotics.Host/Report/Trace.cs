namespace Robotics.Host.Report;

/// <summary>Several values over time, thinned while they arrive: each bucket keeps the lowest and the highest value of its rows,
/// so a single spike in an hour stays visible. Memory is fixed however long the run.</summary>
/// <param name="series">Values per row.</param>
/// <param name="capacity">Buckets; even. When they are full, neighbours merge and each holds twice the rows.</param>
public sealed class Trace(int series, int capacity)
{
    private readonly double[] _first = new double[capacity];
    private readonly double[] _last = new double[capacity];
    private readonly float[] _low = new float[capacity * series];
    private readonly float[] _high = new float[capacity * series];
    private int _count;
    private int _rowsInLast;

    /// <summary>Values per row.</summary>
    public int Series { get; } = series;

    /// <summary>Rows that one bucket holds; 1 while nothing was thinned.</summary>
    public int RowsPerBucket { get; private set; } = 1;

    /// <summary>Rows added.</summary>
    public long Rows { get; private set; }

    /// <summary>Adds a row.</summary>
    /// <param name="time">s; not before the last row's.</param>
    /// <param name="values">[series]; what is not finite leaves a gap.</param>
    public void Add(double time, ReadOnlySpan<float> values)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(values.Length, Series);
        if (_count == 0 || _rowsInLast == RowsPerBucket)
        {
            if (_count == capacity)
            {
                Merge();
            }

            if (_count == 0 || _rowsInLast == RowsPerBucket)
            {
                _first[_count] = time;
                _low.AsSpan(_count * Series, Series).Fill(float.NaN);
                _high.AsSpan(_count * Series, Series).Fill(float.NaN);
                _count++;
                _rowsInLast = 0;
            }
        }

        int at = (_count - 1) * Series;
        for (int s = 0; s < Series; s++)
        {
            if (float.IsFinite(values[s]))
            {
                // MinNumber takes the other where one is NaN.
                _low[at + s] = float.MinNumber(_low[at + s], values[s]);
                _high[at + s] = float.MaxNumber(_high[at + s], values[s]);
            }
        }

        _last[_count - 1] = time;
        _rowsInLast++;
        Rows++;
    }

    /// <summary>Times to draw, s: one per row, or two per bucket once rows were merged.</summary>
    public IEnumerable<double> Times() => Enumerable.Range(0, _count)
        .SelectMany(b => RowsPerBucket == 1 ? new[] { _first[b] } : [_first[b], (_first[b] + _last[b]) / 2]);

    /// <summary>Values of one series to draw, beside <see cref="Times"/>; NaN for a gap.</summary>
    public IEnumerable<float> Values(int index) => Enumerable.Range(0, _count)
        .Select(b => (b * Series) + index)
        .SelectMany(at => RowsPerBucket == 1 ? new[] { _low[at] } : [_low[at], _high[at]]);

    /// <summary>True when a series never had a finite value.</summary>
    public bool IsEmpty(int index) => !Values(index).Any(float.IsFinite);

    private void Merge()
    {
        for (int b = 0; b < _count / 2; b++)
        {
            _first[b] = _first[2 * b];
            _last[b] = _last[(2 * b) + 1];
            for (int s = 0; s < Series; s++)
            {
                int left = (2 * b * Series) + s;
                _low[(b * Series) + s] = float.MinNumber(_low[left], _low[left + Series]);
                _high[(b * Series) + s] = float.MaxNumber(_high[left], _high[left + Series]);
            }
        }

        _count /= 2;
        RowsPerBucket *= 2;
        _rowsInLast = RowsPerBucket;
    }
}
