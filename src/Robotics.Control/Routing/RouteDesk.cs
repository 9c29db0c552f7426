using Robotics.Episodes;
using Robotics.Routes;

namespace Robotics.Control;

/// <summary>Where routes come in: asks whoever writes them, checks what they wrote, and hands the loop what passed.</summary>
/// <remarks>
/// <para>The check (stage 1 of Spatial Policy): every target in reach, no way through a region that is kept out of, and where the
/// robot's kinematics are known every row achieved in a rehearsal. A route that fails is not followed for a single tick: the planner is
/// asked again, at most <see cref="MostReplans"/> times until a row was achieved, and then the robot holds.</para>
/// <para>A hold whose reason is the route itself ends when a new route has passed: the program that asked for it resumes. Any other hold
/// waits for a person, as ever. A route that is offered while another is followed replaces it, if it passes.</para>
/// Owner: one thread, not the loop's; only <see cref="Offer"/> is for any thread.
/// </remarks>
public sealed class RouteDesk
{
    /// <summary>Times that a planner is asked again without a row achieved in between.</summary>
    public const int MostReplans = 3;

    private readonly ControlLoop _loop;
    private readonly RouteSpec _spec;
    private readonly RouteGround _ground;
    private readonly IRoutePlanner? _planner;
    private readonly RouteRehearsal? _rehearsal;
    private readonly Recorder? _recorder;
    private readonly TimeProvider _clock;
    private readonly Action _resume;
    private RouteTable? _offered; // the newest that nobody has looked at
    private ulong _number;
    private int _asks;            // since a row was achieved
    private int _achieved;
    private MonotonicTime? _asked;

    /// <summary>Opens for one run.</summary>
    /// <param name="loop">Of a policy that follows a route.</param>
    /// <param name="spec">The policy's.</param>
    /// <param name="ground">The same on the robot.</param>
    /// <param name="planner">Is asked when a route is wanted; null: routes are only offered.</param>
    /// <param name="rehearsal">Null: the map alone is checked.</param>
    /// <param name="recorder">Keeps every route and why it was wanted; null: nobody does.</param>
    /// <param name="clock">The loop's clock.</param>
    /// <param name="resume">Ends a hold once a route has passed; null: <see cref="ControlLoop.Resume"/>.</param>
    public RouteDesk(ControlLoop loop, RouteSpec spec, RouteGround ground, IRoutePlanner? planner, RouteRehearsal? rehearsal, Recorder? recorder, TimeProvider clock, Action? resume = null)
    {
        ArgumentNullException.ThrowIfNull(loop);
        (_loop, _spec, _ground, _planner, _rehearsal, _recorder, _clock) = (loop, spec, ground, planner, rehearsal, recorder, clock);
        _resume = resume ?? loop.Resume;
    }

    /// <summary>Called with everything that happens here, for a status line; from the thread that attends.</summary>
    public Action<RouteNote>? Told { get; set; }

    /// <summary>Puts a route forward; the newest one counts. From any thread.</summary>
    public void Offer(RouteTable route) => Volatile.Write(ref _offered, route);

    /// <summary>Whether a look would find something to do. From any thread.</summary>
    public bool HasWork => Volatile.Read(ref _offered) is not null || _loop.RouteWanted != HoldReason.None;

    /// <summary>Looks after the loop once: checks what was offered, or asks for what is wanted. Takes as long as planner and rehearsal.</summary>
    /// <param name="signals">[frame] the robot's newest measurement.</param>
    public void Attend(ReadOnlySpan<float> signals)
    {
        if (_loop.RouteRowsAchieved != _achieved)
        {
            (_achieved, _asks) = (_loop.RouteRowsAchieved, 0);
        }

        if (Interlocked.Exchange(ref _offered, null) is { } offered)
        {
            _asks = 0;
            if (!Passes(offered, 0, signals, out _) && !IsFollowing)
            {
                _loop.RefuseRoute();
            }

            return;
        }

        var wanted = _loop.RouteWanted;
        if (wanted == HoldReason.None || _asks > MostReplans)
        {
            return;
        }

        // Checked too long ago is no reason to write another one.
        if (wanted == HoldReason.RouteStale && _loop.Route is { } followed && Passes(followed, Math.Max(0, _loop.RouteRow), signals, out _))
        {
            return;
        }

        Ask(wanted, signals);
    }

    private bool IsFollowing => _loop.State == ControlState.Running;

    private void Ask(HoldReason reason, ReadOnlySpan<float> signals)
    {
        var now = MonotonicTime.Now(_clock);
        if (_planner is null || (_asked is { } before && (now - before).TotalSeconds < _spec.ReplanGapS))
        {
            return;
        }

        _asked = now;
        string why = Words.Of(reason);
        while (_asks <= MostReplans)
        {
            _asks++;
            Note(RouteNoteKind.Asked, _number, $"{_planner.Name} is asked for a route ({_asks} of {1 + MostReplans}): {why}");
            RouteTable? route;
            try
            {
                route = _planner.Write(new(reason, why, _asks, signals), _spec);
            }
            catch (ConfigException wrong)
            {
                (reason, why) = (HoldReason.RouteRejected, wrong.Message);
                Note(RouteNoteKind.Rejected, ++_number, why);
                continue;
            }

            if (route is null)
            {
                _asks = MostReplans + 1;
                Note(RouteNoteKind.Rejected, _number, $"{_planner.Name} has no route");
                break;
            }

            if (Passes(route, 0, signals, out why))
            {
                return;
            }

            reason = HoldReason.RouteRejected;
        }

        _loop.RefuseRoute();
    }

    // Stage 1; hands the route over and ends the hold that waited for it.
    private bool Passes(RouteTable route, int row, ReadOnlySpan<float> signals, out string why)
    {
        bool again = ReferenceEquals(route, _loop.Route);
        ulong number = again ? _number : ++_number;
        why = string.Join("; ", _ground.Problems(route, row, _ground.Position(signals)));
        if (why.Length == 0 && _rehearsal is not null)
        {
            why = _rehearsal.Play(route.From(row, _spec), signals) ?? "";
        }

        if (why.Length > 0)
        {
            Note(RouteNoteKind.Rejected, number, $"{route.Source}: {why}", route);
            return false;
        }

        Note(RouteNoteKind.Accepted, number, $"{route.Source}: {route.Count} rows{(_rehearsal is null ? "" : ", rehearsed")}{(again ? ", checked again" : "")}", route);
        bool waits = _loop.State == ControlState.Holding && _loop.Reason is >= HoldReason.RouteMissing and <= HoldReason.RouteDone;
        _loop.SetRoute(route, number);
        if (waits)
        {
            _resume();
        }

        return true;
    }

    private void Note(RouteNoteKind kind, ulong number, string text, RouteTable? route = null)
    {
        var note = new RouteNote(MonotonicTime.Now(_clock), kind, number, Math.Max(0, _loop.RouteRow), text, route?.ToString() ?? "");
        _recorder?.NoteRoute(note);
        Told?.Invoke(note);
    }
}
