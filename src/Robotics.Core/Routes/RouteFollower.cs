using System.Numerics;

namespace Robotics.Routes;

/// <summary>What a look at the robot's position means for its route.</summary>
public enum RouteStep : byte
{
    /// <summary>On the way; <see cref="RouteFollower.Row"/> may have gone on.</summary>
    Followed,

    /// <summary>Off the way: it was anchored anew, from here to the first row not yet achieved.</summary>
    Strayed,

    /// <summary>Without progress: anchored anew as for <see cref="Strayed"/>.</summary>
    Stalled,

    /// <summary>The last row is achieved.</summary>
    Finished,

    /// <summary>The way from here enters a region that is kept out of.</summary>
    Blocked,

    /// <summary>The row's time is over.</summary>
    TimedOut,

    /// <summary>The position is not finite.</summary>
    Blind,
}

/// <summary>Goes along a route: which row is the current one, and whether the robot has left the way (stage 2 of Spatial Policy).</summary>
/// <remarks>
/// A row is achieved when the robot comes nearer to its target than the row's tolerance; rows are never skipped, also not after an
/// overshoot, so the current row is always the first one not yet achieved. The robot has left the way when it is farther than
/// <see cref="RouteSpec.DeviationEnterM"/> from the straight line between where the row began and its target, until it is nearer than
/// <see cref="RouteSpec.DeviationExitM"/>, or when it comes no nearer for <see cref="RouteSpec.ProgressTicks"/>; the way is then anchored
/// anew where the robot is, at most once per <see cref="RouteSpec.ReplanGapS"/>.
/// Owner: the loop thread. No clock, no allocation.
/// </remarks>
/// <param name="spec">When a deviation is one.</param>
/// <param name="ground">Regions.</param>
/// <param name="period">Of the ticks.</param>
public sealed class RouteFollower(RouteSpec spec, RouteGround ground, TimeSpan period)
{
    private readonly long _gapTicks = (long)Math.Ceiling(spec.ReplanGapS / period.TotalSeconds);
    private Vector3 _anchor;  // where the way of the current row begins, m
    private long _rowTick;    // when the row became the current one
    private long _anchorTick; // of the newest deviation that was answered
    private float _best;      // m, nearest to the target since the way was anchored
    private int _stalled;     // ticks since then without progress
    private bool _off;

    /// <summary>The route; null before the first.</summary>
    public RouteTable? Table { get; private set; }

    /// <summary>Number that the route was given; 0 before the first.</summary>
    public ulong Number { get; private set; }

    /// <summary>The current row, from 0; the number of rows once the last is achieved; -1 without a route.</summary>
    public int Row { get; private set; } = -1;

    /// <summary>Whether there is a row to go for.</summary>
    public bool HasRow => Table is { } table && Row < table.Count;

    /// <summary>The figure that decided the newest step: m from the way, ticks without progress, or s in the row.</summary>
    public float Measured { get; private set; }

    /// <summary>What was tolerated, same unit.</summary>
    public float Limit { get; private set; }

    /// <summary>Takes a route over. The one that is followed already goes on where it is, however often it is given.</summary>
    public void Take(RouteTable table, ulong number)
    {
        if (!ReferenceEquals(table, Table))
        {
            (Table, Number, Row) = (table, number, 0);
        }
    }

    /// <summary>Begins, or goes on after a hold, from where the robot is.</summary>
    /// <param name="at">m.</param>
    /// <param name="tick">Now.</param>
    /// <returns><see cref="RouteStep.Followed"/>, <see cref="RouteStep.Blocked"/> or <see cref="RouteStep.Blind"/>.</returns>
    public RouteStep Start(Vector3 at, long tick)
    {
        if (!RouteGround.Finite(at))
        {
            return RouteStep.Blind;
        }

        _anchorTick = tick - _gapTicks;
        Anchor(at, tick);
        return IsBlocked(at) ? RouteStep.Blocked : RouteStep.Followed;
    }

    /// <summary>One look, every tick.</summary>
    /// <param name="at">m.</param>
    /// <param name="tick">Now; larger than before.</param>
    public RouteStep Follow(Vector3 at, long tick)
    {
        if (!RouteGround.Finite(at))
        {
            return RouteStep.Blind;
        }

        int before = Row;
        while (HasRow && Vector3.Distance(at, Current.Target) < Current.Tolerance)
        {
            Row++;
        }

        if (!HasRow)
        {
            return RouteStep.Finished;
        }

        if (Row != before)
        {
            Anchor(at, tick);
        }

        if (IsInside(at) || (Row != before && IsBlocked(at)))
        {
            return RouteStep.Blocked;
        }

        float seconds = (float)((tick - _rowTick) * period.TotalSeconds);
        return seconds >= Current.Timeout ? Said(RouteStep.TimedOut, seconds, Current.Timeout) : Judge(at, tick);
    }

    /// <summary>What a policy sees of the route: the current target and the one behind it, both relative to the robot, m, and the verb
    /// as a one-hot vector. Of the last row the one behind it is itself.</summary>
    /// <param name="at">m.</param>
    /// <param name="into">[6 + verbs]; zeros without a row.</param>
    public void Observe(Vector3 at, Span<float> into)
    {
        into.Clear();
        if (!HasRow)
        {
            return;
        }

        (Current.Target - at).CopyTo(into);
        (Table!.Rows[Math.Min(Row + 1, Table.Count - 1)].Target - at).CopyTo(into[3..]);
        for (int verb = 0; verb < spec.Verbs.Count; verb++)
        {
            into[6 + verb] = spec.Verbs[verb] == Current.Verb ? 1 : 0;
        }
    }

    private ref readonly RouteRow Current => ref Table!.Rows[Row];

    private RouteStep Judge(Vector3 at, long tick)
    {
        float off = RouteGround.FromWay(at, _anchor, Current.Target), distance = Vector3.Distance(at, Current.Target);
        _stalled = distance < _best - spec.ProgressM ? 0 : _stalled + 1;
        _best = _stalled == 0 ? distance : _best;
        _off = off > (_off ? spec.DeviationExitM : spec.DeviationEnterM);
        bool stalls = _stalled >= spec.ProgressTicks;
        if (!(_off || stalls) || tick - _anchorTick < _gapTicks)
        {
            return RouteStep.Followed;
        }

        var why = _off ? Said(RouteStep.Strayed, off, spec.DeviationEnterM) : Said(RouteStep.Stalled, _stalled, spec.ProgressTicks);
        _anchorTick = tick;
        long began = _rowTick; // the row's time goes on: standing still must not last for ever
        Anchor(at, tick);
        _rowTick = began;
        return IsBlocked(at) ? RouteStep.Blocked : why;
    }

    private void Anchor(Vector3 at, long tick)
    {
        _anchor = at;
        _rowTick = tick;
        _best = float.PositiveInfinity;
        _stalled = 0;
        _off = false;
    }

    private bool IsBlocked(Vector3 at) => HasRow && ground.Entered(at, Current.Target) is not null;

    private bool IsInside(Vector3 at) => ground.Entered(at, at) is not null;

    private RouteStep Said(RouteStep step, float measured, float limit)
    {
        (Measured, Limit) = (measured, limit);
        return step;
    }
}
