using System.Numerics;
using Robotics.Episodes;
using Robotics.Routes;

namespace Robotics.Control;

/// <summary>What happened to a route while it was followed. A value of fixed size: made in the tick, told elsewhere by
/// <see cref="Describe"/>.</summary>
/// <param name="Time">When.</param>
/// <param name="Kind">What.</param>
/// <param name="Route">Number of the route.</param>
/// <param name="Row">The row that is current now, from 0; the number of rows at the end.</param>
/// <param name="Measured">The figure that decided: m from the way, or ticks without progress.</param>
/// <param name="Limit">What was tolerated, same unit.</param>
public readonly record struct RouteEvent(MonotonicTime Time, RouteNoteKind Kind, ulong Route, int Row, float Measured, float Limit)
{
    /// <summary>One sentence with the figures. Allocates: for recorder and status threads.</summary>
    public string Describe() => Kind switch
    {
        RouteNoteKind.Began => FormattableString.Invariant($"followed from row {Row + 1} on"),
        RouteNoteKind.Stalled => FormattableString.Invariant($"anchored anew, still for row {Row + 1}: no progress for {Measured:F0} ticks"),
        RouteNoteKind.Strayed => FormattableString.Invariant($"anchored anew, still for row {Row + 1}: {Measured:F3} m from the way, tolerated are {Limit:F3} m"),
        _ => FormattableString.Invariant($"{Row} rows achieved"),
    };
}

/// <summary>The route that the policy follows: handed in by any thread, followed by the loop.</summary>
public sealed partial class ControlLoop
{
    private readonly RouteSpec? _routeSpec;
    private readonly RouteGround? _ground;
    private readonly RouteFollower? _follower;
    private readonly RowRing<RouteEvent> _routeEvents = new(256, 0);
    private readonly float[] _route; // what the policy sees of the route
    private Handed? _handed;         // the newest route that the loop has not taken
    private int _refused;            // 1: whoever writes routes has none that can be done
    private MonotonicTime _routeSeen; // checked, or followed
    private volatile bool _given;    // a route came since the last one began
    private bool _anchored;          // the next plan starts from here, whatever the running chunk meant
    private int _rowsAchieved;

    private sealed record Handed(RouteTable Table, ulong Number, MonotonicTime CheckedAt);

    /// <summary>The current row of the route, from 0; -1 without one. Any thread.</summary>
    public int RouteRow => _follower?.Row ?? -1;

    /// <summary>The route that is followed; null without one. Any thread.</summary>
    public RouteTable? Route => _follower?.Table;

    /// <summary>Rows achieved since the start, of all routes. Any thread.</summary>
    public int RouteRowsAchieved => Volatile.Read(ref _rowsAchieved);

    /// <summary>Why a route is wanted now; None when none is. Any thread.</summary>
    public HoldReason RouteWanted => _follower is null || _given ? HoldReason.None : State switch
    {
        ControlState.Armed when _wantsRun && !_follower.HasRow => HoldReason.RouteMissing,
        ControlState.Holding when Reason is HoldReason.RouteMissing or HoldReason.RouteStale or HoldReason.RouteBlocked or HoldReason.RouteTimeout => Reason,
        _ => HoldReason.None,
    };

    /// <summary>Gives the loop a route that was checked just now; it replaces the one before at the next tick. The same route again
    /// means that it was checked again. From any thread; starts nothing by itself.</summary>
    /// <param name="route">Checked against this robot.</param>
    /// <param name="number">Counts the routes of this run, from 1.</param>
    /// <exception cref="InvalidOperationException">The policy follows no route.</exception>
    public void SetRoute(RouteTable route, ulong number)
    {
        if (_follower is null)
        {
            throw new InvalidOperationException("The policy follows no route: its manifest has no 'route' section.");
        }

        _given = true;
        Volatile.Write(ref _handed, new(route, number, MonotonicTime.Now(_clock)));
    }

    /// <summary>Says that there will be no route that can be done: a loop that waits for one holds. From any thread.</summary>
    public void RefuseRoute() => Volatile.Write(ref _refused, 1);

    /// <summary>The oldest thing that happened to the route and was not taken yet; for one status thread.</summary>
    public bool TryReadRouteEvent(out RouteEvent happened)
    {
        if (!_routeEvents.TryPeek(out happened, out _))
        {
            return false;
        }

        _routeEvents.Release();
        return true;
    }

    // Takes what was handed in, and follows while the policy drives.
    private void FollowRoute()
    {
        if (_follower is null)
        {
            return;
        }

        var at = _ground!.Position(_observation.Signals);
        if (Interlocked.Exchange(ref _handed, null) is { } handed)
        {
            bool other = !ReferenceEquals(handed.Table, _follower.Table);
            _follower.Take(handed.Table, handed.Number);
            _routeSeen = handed.CheckedAt;
            Volatile.Write(ref _refused, 0);
            if (other && State == ControlState.Running)
            {
                StartRoute(at);
            }
        }

        if (State != ControlState.Running)
        {
            return;
        }

        int before = _follower.Row;
        var step = _follower.Follow(at, _tick);
        _routeSeen = _woke;
        if (_follower.Row != before)
        {
            _rowsAchieved += _follower.Row - before;
            TellRoute(RouteNoteKind.Advanced);
        }

        switch (step)
        {
            case RouteStep.Strayed or RouteStep.Stalled:
                _anchored = true;
                TellRoute(step == RouteStep.Strayed ? RouteNoteKind.Strayed : RouteNoteKind.Stalled);
                break;

            case RouteStep.TimedOut:
                Cause(HoldReason.RouteTimeout, _follower.Row + 1, _follower.Limit);
                break;

            case RouteStep.Finished:
                Cause(HoldReason.RouteDone, _follower.Row, 0);
                break;

            default:
                Refuse(step);
                break;
        }
    }

    // Whether the run that is about to begin has a route that may move the robot now; causes the hold when it has not.
    private bool HasRoute()
    {
        if (_follower is null)
        {
            return true;
        }

        if (Interlocked.Exchange(ref _refused, 0) != 0 && !_follower.HasRow)
        {
            Cause(HoldReason.RouteRejected);
            return false;
        }

        if (_follower is { Table: { } done, HasRow: false })
        {
            Cause(HoldReason.RouteDone, done.Count, 0); // resumed by a person without another route
            return false;
        }

        if (!_follower.HasRow)
        {
            _waitTick = _waitTick < 0 ? _tick : _waitTick;
            if ((_tick - _waitTick) * _periodNs > _options.FirstPlan.Ticks * 100)
            {
                Cause(HoldReason.RouteMissing);
            }

            return false;
        }

        double age = _woke.NanosecondsSince(_routeSeen) / 1e9;
        if (age > _routeSpec!.MaxAgeS)
        {
            _given = false;
            Cause(HoldReason.RouteStale, age, _routeSpec.MaxAgeS);
            return false;
        }

        return StartRoute(_ground!.Position(_observation.Signals));
    }

    private bool StartRoute(Vector3 at)
    {
        _given = false;
        var step = _follower!.Start(at, _tick);
        TellRoute(RouteNoteKind.Began);
        return Refuse(step);
    }

    private bool Refuse(RouteStep step)
    {
        switch (step)
        {
            case RouteStep.Blocked:
                Cause(HoldReason.RouteBlocked, _follower!.Row + 1, 0);
                return false;

            case RouteStep.Blind:
                Cause(HoldReason.ObservationNotFinite); // Check found it first
                return false;

            default:
                return true;
        }
    }

    private void TellRoute(RouteNoteKind kind)
    {
        var happened = new RouteEvent(_woke, kind, _follower!.Number, _follower.Row, _follower.Measured, _follower.Limit);
        _recorder?.Append(in happened);
        if (_routeEvents.TryReserve(in happened, out _))
        {
            _routeEvents.Publish();
        }
    }

    private ReadOnlySpan<float> SeenRoute()
    {
        _follower?.Observe(_ground!.Position(_observation.Signals), _route);
        return _route;
    }
}
