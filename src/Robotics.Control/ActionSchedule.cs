using Robotics.Numerics;

namespace Robotics.Control;

/// <summary>What the schedule has for a tick.</summary>
public enum RowStatus
{
    /// <summary>A row that has not been executed yet.</summary>
    Due,

    /// <summary>The row of the tick before, which lasts several ticks.</summary>
    Same,

    /// <summary>No row is due; the last one stands in while the next plan is late.</summary>
    Repeated,

    /// <summary>No row is due and patience is over, or there never was a plan.</summary>
    Overdue,
}

/// <summary>Which row of which plan is due at a tick. Time decides, never a queue: rows whose time has passed are skipped,
/// not replayed.</summary>
/// <remarks>Row r of a plan whose observation was taken at tick s is due from tick <c>s + r TicksPerRow</c>. With an ensemble the
/// newest plan says when a row is due, and every plan that has one for that tick has a say in it. Owner: the loop thread.
/// Allocation-free after construction.</remarks>
/// <param name="rows">Ta, at least 1.</param>
/// <param name="actionLength">Da, at least 1.</param>
/// <param name="ticksPerRow">Control ticks one row lasts, at least 1.</param>
/// <param name="lateTicks">Ticks the last row may stand in for a late plan.</param>
/// <param name="ensemble">m of temporal ensembling, see <see cref="ChunkEnsemble"/>; null: each plan replaces the one before.</param>
public sealed class ActionSchedule(int rows, int actionLength, int ticksPerRow, int lateTicks, double? ensemble = null)
{
    private readonly ChunkEnsemble? _ensemble = ensemble is { } decay ? new(rows, actionLength, ticksPerRow, decay) : null;
    private readonly float[] _mixed = new float[actionLength];        // [Da], the ensemble's row
    private readonly float[] _chunk = new float[rows * actionLength]; // [Ta, Da]
    private long _start;
    private bool _empty = true;

    /// <summary>Plan being executed; 0 for none.</summary>
    public ulong Plan { get; private set; }

    /// <summary>Row given last; -1 for none.</summary>
    public int Row { get; private set; } = -1;

    /// <summary>First tick that has no row any more.</summary>
    public long End => _empty ? long.MinValue : _start + ((long)rows * ticksPerRow);

    /// <summary>First tick for which another plan is wanted: the end, or with an ensemble the row after the newest plan's first.</summary>
    public long Wanted => _empty || _ensemble is null ? End : _start + ticksPerRow;

    /// <summary>Tick by which a plan that is asked for now must be there: the end, or with an ensemble at most a row from now.</summary>
    /// <param name="now">The tick that asks.</param>
    public long Needed(long now) => Math.Min(Math.Max(now, End), _ensemble is null ? long.MaxValue : now + ticksPerRow);

    /// <summary>Forgets the plan.</summary>
    public void Clear()
    {
        _ensemble?.Clear();
        _empty = true;
        Plan = 0;
        Row = -1;
    }

    /// <summary>Takes a plan over from now on, or refuses it because its last row is over.</summary>
    /// <param name="plan">Its number, from 1.</param>
    /// <param name="start">Tick of the observation it was planned from.</param>
    /// <param name="now">The tick that acts next.</param>
    /// <param name="chunk">[Ta, Da].</param>
    public bool Accept(ulong plan, long start, long now, ReadOnlySpan<float> chunk)
    {
        if (now >= start + ((long)rows * ticksPerRow))
        {
            return false;
        }

        chunk.CopyTo(_chunk);
        _ensemble?.Add(start, chunk);
        _start = start;
        _empty = false;
        Plan = plan;
        Row = -1;
        return true;
    }

    /// <summary>The row for tick <paramref name="now"/>.</summary>
    /// <param name="now">Tick number; never smaller than before.</param>
    /// <param name="row">[Da]; empty when overdue.</param>
    /// <param name="late">Ticks without a due row up to now; 0 while rows are due.</param>
    public RowStatus Next(long now, out ReadOnlySpan<float> row, out long late)
    {
        late = _empty ? 1 : Math.Max(0, now - End + 1);
        if (_empty || late > lateTicks)
        {
            row = default;
            return RowStatus.Overdue;
        }

        int due = (int)Math.Clamp((now - _start) / ticksPerRow, 0, rows - 1);
        var status = late > 0 ? RowStatus.Repeated : due == Row ? RowStatus.Same : RowStatus.Due;
        if (late > 0 && Row != due)
        {
            // The loop slept over the last row's own ticks: it is the nearest thing to what was meant.
            status = RowStatus.Due;
        }

        Row = due;
        row = _chunk.AsSpan(due * actionLength, actionLength);
        if (_ensemble is not null)
        {
            // What stands in for a late plan is what was done last, which is what the last mix left.
            row = status == RowStatus.Due && _ensemble.Mix(now, _mixed) == 0 ? row : _mixed;
        }

        return status;
    }
}
