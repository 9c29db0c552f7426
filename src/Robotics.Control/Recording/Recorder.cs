using System.Collections.Concurrent;
using Robotics.Episodes;

namespace Robotics.Control;

/// <summary>How much a recorder buffers and how often it writes.</summary>
public sealed record RecorderOptions
{
    /// <summary>Ticks that fit before the newest are dropped, 16 to 1,000,000.</summary>
    public int Ticks { get; init; } = 1024;

    /// <summary>Plans that fit before the newest are dropped, 4 to 100,000.</summary>
    public int Plans { get; init; } = 256;

    /// <summary>True: a thread of its own drains. False: whoever calls <see cref="Recorder.Drain"/>, for lock-step runs.</summary>
    public bool Background { get; init; } = true;

    /// <summary>Longest time until rows are flushed to the disk: what a killed process may lose.</summary>
    public TimeSpan Flush { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>Time between two rows of the link's state.</summary>
    public TimeSpan Link { get; init; } = TimeSpan.FromMilliseconds(100);
}

/// <summary>Takes rows from the loop and inference threads without making them wait, and writes them from a third.</summary>
/// <remarks>
/// Rings of fixed size, one per producing thread; full means the newest row is dropped and counted. The first write error ends
/// the record (what was flushed stays readable) and raises <see cref="Failed"/>, which the loop answers with a hold.
/// Dispose it after the loop.
/// </remarks>
public sealed class Recorder : IDisposable
{
    private const int Events = 256;

    private readonly EpisodeWriter _writer;
    private readonly IRobot _robot;
    private readonly TimeProvider _clock;
    private readonly RecorderOptions _options;
    private readonly RowRing<TickHead> _ticks;
    private readonly RowRing<PlanHead> _plans;
    private readonly RowRing<ControlEvent> _events = new(Events, 0);
    private readonly ConcurrentQueue<EventRow> _notes = new();
    private readonly RowRing<RouteEvent> _routes = new(Events, 0);
    private readonly ConcurrentQueue<RouteNote> _routeNotes = new();
    private readonly int _frame;
    private readonly int _joints;
    private readonly int _observation;
    private readonly Thread? _thread;
    private readonly ManualResetEventSlim _stop = new(false);
    private MonotonicTime _flushed;
    private MonotonicTime _linked;
    private volatile bool _failed;
    private bool _disposed;

    /// <summary>Begins the record of one run.</summary>
    /// <param name="stream">Owned by the recorder from here on.</param>
    /// <param name="header">What stands at the front.</param>
    /// <param name="robot">For the frame's size and the link's state.</param>
    /// <param name="policy">For the sizes of observation and chunk.</param>
    /// <param name="commandLength">Elements of the operator command vector.</param>
    /// <param name="options">Sizes and periods; null for the defaults.</param>
    /// <param name="clock">The loop's clock; null for the system's.</param>
    /// <exception cref="IOException">The header cannot be written.</exception>
    public Recorder(Stream stream, EpisodeHeader header, IRobot robot, PolicySpec policy, int commandLength, RecorderOptions? options = null, TimeProvider? clock = null)
    {
        ArgumentNullException.ThrowIfNull(robot);
        ArgumentNullException.ThrowIfNull(policy);
        _options = options ?? new();
        _robot = robot;
        _clock = clock ?? TimeProvider.System;
        _frame = robot.Spec.Layout.Length;
        _joints = robot.Spec.Joints.Count;
        _observation = policy.ObservationLength;
        _ticks = new(Math.Clamp(_options.Ticks, 16, 1_000_000), _frame + (2 * _joints) + commandLength);
        _plans = new(Math.Clamp(_options.Plans, 4, 100_000), _observation + (policy.Rows * policy.ActionLength));
        _writer = new EpisodeWriter(stream, header);
        _flushed = MonotonicTime.Now(_clock);
        _linked = _flushed - _options.Link;
        if (_options.Background)
        {
            _thread = new Thread(Serve) { Name = "recorder", IsBackground = true };
            _thread.Start();
        }
    }

    /// <summary>True after the first write error; any thread.</summary>
    public bool Failed => _failed;

    /// <summary>The first write error; null before.</summary>
    public string? Failure { get; private set; }

    /// <summary>Ticks, plans and events dropped because a ring was full.</summary>
    public long Dropped => _ticks.Dropped + _plans.Dropped + _events.Dropped + _routes.Dropped;

    /// <summary>Adds a message; any thread but the loop's and the inference thread's.</summary>
    public void Note(EventRow row) => _notes.Enqueue(row);

    /// <summary>Adds what happened to a route; any thread but the loop's and the inference thread's.</summary>
    public void NoteRoute(RouteNote note) => _routeNotes.Enqueue(note);

    /// <summary>Loop thread: one tick.</summary>
    internal void Append(in TickRow row)
    {
        var head = new TickHead(row.Tick, row.Due, row.LatenessNs, row.WorkNs, row.State, row.Reason, row.Observation, row.ObservationAgeNs,
            row.ActionAgeNs, row.Plan, row.Row, row.Route, row.RouteRow, row.GateTouched, row.GateReasons, !row.Wanted.IsEmpty, !row.Sent.IsEmpty);
        if (!_ticks.TryReserve(in head, out var floats))
        {
            return;
        }

        row.Signals.CopyTo(floats);
        row.Wanted.CopyTo(floats[_frame..]);
        row.Sent.CopyTo(floats[(_frame + _joints)..]);
        row.Command.CopyTo(floats[(_frame + (2 * _joints))..]);
        _ticks.Publish();
    }

    /// <summary>The planning thread: one plan.</summary>
    internal void Append(in PlanRow row)
    {
        var head = new PlanHead(row.Plan, row.RequestedAt, row.StartedAt, row.FinishedAt, row.Deadline, row.Status, row.Calls, row.Energy, row.AfterReset, row.Chunk.Length);
        if (!_plans.TryReserve(in head, out var floats))
        {
            return;
        }

        row.Observation.CopyTo(floats);
        row.Chunk.CopyTo(floats[_observation..]);
        _plans.Publish();
    }

    /// <summary>Loop thread: a change of state.</summary>
    internal void Append(in ControlEvent happened)
    {
        if (_events.TryReserve(in happened, out _))
        {
            _events.Publish();
        }
    }

    /// <summary>Loop thread: something that happened to the route.</summary>
    internal void Append(in RouteEvent happened)
    {
        if (_routes.TryReserve(in happened, out _))
        {
            _routes.Publish();
        }
    }

    /// <summary>Writes what the rings hold. Called by the recorder's own thread, or by the owner when
    /// <see cref="RecorderOptions.Background"/> is false.</summary>
    public void Drain()
    {
        try
        {
            bool eventful = DrainRings();
            var now = MonotonicTime.Now(_clock);
            if (!_failed && now - _linked >= _options.Link)
            {
                _linked = now;
                _writer.Write(now, _robot.Link);
            }

            if (!_failed && (eventful || now - _flushed >= _options.Flush))
            {
                _flushed = now;
                _writer.Flush();
            }
        }
        catch (Exception error)
        {
            // Whatever the stream throws, the run goes on (holding); the first error is the one to tell.
            Failure ??= error.Message;
            _failed = true;
        }
    }

    /// <summary>Writes the rest, closes the record and the stream.</summary>
    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        _stop.Set();
        _thread?.Join();
        Drain();
        try
        {
            _writer.Dispose();
        }
        catch (Exception error)
        {
            Failure ??= error.Message;
            _failed = true;
        }

        _stop.Dispose();
    }

    private void Serve()
    {
        do
        {
            Drain();
        }
        while (!_stop.Wait(10));
    }

    // After a failure the rings are still emptied, so that their drop counters keep meaning "too slow" and nothing else.
    private bool DrainRings()
    {
        bool eventful = false;
        while (_ticks.TryPeek(out var head, out var floats))
        {
            if (!_failed)
            {
                WriteTick(in head, floats);
            }

            _ticks.Release();
        }

        while (_plans.TryPeek(out var head, out var floats))
        {
            if (!_failed)
            {
                WritePlan(in head, floats);
            }

            _plans.Release();
        }

        while (_events.TryPeek(out var happened, out _))
        {
            if (!_failed)
            {
                _writer.Write(new EventRow(happened.Time, happened.From, happened.To, happened.Reason, happened.Describe()));
                eventful = true;
            }

            _events.Release();
        }

        while (_notes.TryDequeue(out var note))
        {
            if (!_failed)
            {
                _writer.Write(note);
            }
        }

        while (_routeNotes.TryDequeue(out var note))
        {
            if (!_failed)
            {
                _writer.Write(note);
            }
        }

        while (_routes.TryPeek(out var happened, out _))
        {
            if (!_failed)
            {
                _writer.Write(new RouteNote(happened.Time, happened.Kind, happened.Route, happened.Row, happened.Describe()));
            }

            _routes.Release();
        }

        return eventful;
    }

    private void WriteTick(in TickHead head, ReadOnlySpan<float> floats) => _writer.Write(new TickRow
    {
        Tick = head.Tick,
        Due = head.Due,
        LatenessNs = head.LatenessNs,
        WorkNs = head.WorkNs,
        State = head.State,
        Reason = head.Reason,
        Observation = head.Observation,
        ObservationAgeNs = head.ObservationAgeNs,
        ActionAgeNs = head.ActionAgeNs,
        Plan = head.Plan,
        Row = head.Row,
        Route = head.Route,
        RouteRow = head.RouteRow,
        GateTouched = head.GateTouched,
        GateReasons = head.GateReasons,
        Signals = floats[.._frame],
        Wanted = head.HasWanted ? floats.Slice(_frame, _joints) : default,
        Sent = head.HasSent ? floats.Slice(_frame + _joints, _joints) : default,
        Command = floats[(_frame + (2 * _joints))..],
    });

    private void WritePlan(in PlanHead head, ReadOnlySpan<float> floats) => _writer.Write(new PlanRow
    {
        Plan = head.Plan,
        RequestedAt = head.RequestedAt,
        StartedAt = head.StartedAt,
        FinishedAt = head.FinishedAt,
        Deadline = head.Deadline,
        Status = head.Status,
        Calls = head.Calls,
        Energy = head.Energy,
        AfterReset = head.AfterReset,
        Observation = floats[.._observation],
        Chunk = floats.Slice(_observation, head.ChunkLength),
    });

    private readonly record struct TickHead(ulong Tick, MonotonicTime Due, long LatenessNs, long WorkNs, ControlState State, HoldReason Reason, ulong Observation,
        long ObservationAgeNs, long ActionAgeNs, ulong Plan, int Row, ulong Route, int RouteRow, ulong GateTouched, Safety.GateReasons GateReasons, bool HasWanted, bool HasSent);

    private readonly record struct PlanHead(ulong Plan, MonotonicTime RequestedAt, MonotonicTime StartedAt, MonotonicTime FinishedAt, MonotonicTime Deadline,
        PlanStatus Status, int Calls, float Energy, bool AfterReset, int ChunkLength);
}
