using System.Collections.Concurrent;
using Robotics.Control;
using Robotics.Episodes;
using Robotics.Routes;

namespace Robotics.Host.Running;

/// <summary>Looks after the route of a run: who writes it, who checks it, and what of it stands on the status line.</summary>
/// <remarks>A route comes from <c>--route</c>, else from the manifest's own file, else from the simulated task's planner; over the broker
/// an operator may write another one at any time. Owner: the thread that watches the run; <see cref="Offer"/> is for any thread.</remarks>
internal sealed class RouteWatch : IDisposable
{
    private readonly RouteSpec _spec;
    private readonly ControlLoop _loop;
    private readonly RouteDesk _desk;
    private readonly PolicyChoice? _copy; // what rehearses
    private readonly ConcurrentQueue<string> _said = new();
    private readonly float[] _signals;
    private bool _seen;
    private Task _attending = Task.CompletedTask;

    private RouteWatch(RouteSpec spec, ControlLoop loop, RouteDesk desk, PolicyChoice? copy, int frame)
    {
        (_spec, _loop, _desk, _copy, _signals) = (spec, loop, desk, copy, new float[frame]);
        desk.Told = note => _said.Enqueue($"route {note.Route}, {Words.Of(note.Kind)}: {note.Text}");
    }

    /// <summary>The route that stands in a file: what <c>--route</c> names, else the manifest's own; null for neither.</summary>
    /// <exception cref="ConfigException">No such file, no route in it, or a policy that follows none.</exception>
    public static RouteTable? Given(string? file, PolicyChoice policy)
    {
        var manifest = policy.Manifest;
        if (file is null)
        {
            return policy.RouteText is { } text ? RouteText.Read(text, $"{manifest.Origin}: {manifest.Route!.File}", manifest.Route) : null;
        }

        if (manifest.Route is not { } spec)
        {
            throw new ConfigException("command line", [$"--route is '{file}', and policy '{manifest.Name}' ({manifest.Origin}) follows none: its manifest has no 'route' section"]);
        }

        try
        {
            return RouteText.Read(File.ReadAllText(file), file, spec);
        }
        catch (Exception wrong) when (wrong is IOException or UnauthorizedAccessException)
        {
            throw new ConfigException($"{file}: the route cannot be read: {wrong.Message}", wrong);
        }
    }

    /// <summary>Begins; null for a policy that follows no route.</summary>
    /// <param name="request">What a person asked for.</param>
    /// <param name="policy">The policy of the run.</param>
    /// <param name="robot">Its robot.</param>
    /// <param name="loop">Not started yet.</param>
    /// <param name="recorder">Keeps it; null: nobody does.</param>
    /// <param name="clock">The loop's.</param>
    /// <param name="resume">Ends a hold; null: the loop's own way.</param>
    public static RouteWatch? Open(RunRequest request, PolicyChoice policy, RobotSpec robot, ControlLoop loop, Recorder? recorder, TimeProvider clock, Action? resume)
    {
        if (policy.Manifest.Route is not { } spec)
        {
            return null;
        }

        var planner = Given(request.Route, policy) is { } given ? new WrittenRoute(given) : request.Robot.Task?.Routes;
        PolicyChoice? copy = null;
        RouteRehearsal? rehearsal = null;
        if (spec.Rehearse ?? RouteRehearsal.IsPossible(policy.Manifest, robot))
        {
            var time = new ManualClock();
            copy = PolicyChoice.Load(request.Policy, request.Providers, time);
            rehearsal = new(policy.Manifest, robot, copy.Policy, time, request.Seed);
        }

        var desk = new RouteDesk(loop, spec, new RouteGround(spec, robot), planner, rehearsal, recorder, clock, resume);
        return new(spec, loop, desk, copy, robot.Layout.Length);
    }

    /// <summary>Takes what an operator wrote; what is no route is said and changes nothing. From any thread.</summary>
    public void Offer(string text)
    {
        try
        {
            _desk.Offer(RouteText.Read(text, "operator", _spec));
        }
        catch (ConfigException wrong)
        {
            _said.Enqueue(wrong.Message);
        }
    }

    /// <summary>One look.</summary>
    /// <param name="newest">[frame] a measurement that is newer than the last one; empty for none.</param>
    /// <param name="wait">True: checked here and now. False: on another thread, because a rehearsal takes its time.</param>
    public void Look(ReadOnlySpan<float> newest, bool wait)
    {
        if (!_attending.IsCompleted)
        {
            return;
        }

        _attending.GetAwaiter().GetResult(); // a planner that broke ends the run
        newest.CopyTo(_signals);
        _seen |= !newest.IsEmpty;
        if (!_seen || !_desk.HasWork)
        {
            return;
        }

        if (wait)
        {
            _desk.Attend(_signals);
        }
        else
        {
            _attending = Task.Run(() => _desk.Attend(_signals));
        }
    }

    /// <summary>Says what happened since the last look.</summary>
    public void Say(StatusLine line)
    {
        while (_said.TryDequeue(out string? text))
        {
            line.Route(text);
        }

        while (_loop.TryReadRouteEvent(out var happened))
        {
            line.Route($"route {happened.Route}, {Words.Of(happened.Kind)}: {happened.Describe()}");
        }
    }

    public void Dispose()
    {
        // The copy is used until the check has ended, however it ends.
        Task.WaitAny(_attending);
        _copy?.Dispose();
    }

    /// <summary>A route that somebody wrote down: there is no other one behind it.</summary>
    private sealed class WrittenRoute(RouteTable table) : IRoutePlanner
    {
        public string Name => table.Source;

        public RouteTable? Write(in RouteRequest request, RouteSpec spec) => request.Reason == HoldReason.RouteMissing ? table : null;
    }
}
