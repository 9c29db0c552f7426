namespace Robotics.Control;

public sealed partial class ControlLoop
{
    private long _statusTicks;
    private long _statusAt;
    private readonly TripleBuffer<float[]> _shown;

    /// <summary>Copies the newest signal frame; for one thread, which is not the loop's.</summary>
    /// <param name="signals">[frame].</param>
    /// <returns>False when there is none that this thread has not seen.</returns>
    public bool TryReadSignals(Span<float> signals)
    {
        if (!_shown.Take())
        {
            return false;
        }

        _shown.Front.CopyTo(signals);
        return true;
    }

    private void Show()
    {
        _observation.Signals.CopyTo(_shown.Back, 0);
        _shown.Publish();
    }

    /// <summary>Everything a status line needs. Allocates; for one thread, which is not the loop's.</summary>
    /// <remarks>Figures are read while the loop goes on: each is whole, together they may be a tick apart.</remarks>
    public ControlStatus Snapshot()
    {
        long ticks = Volatile.Read(ref _ticks);
        long now = _clock.GetTimestamp();
        double seconds = _statusAt == 0 ? 0 : _clock.GetElapsedTime(_statusAt, now).TotalSeconds;
        double rate = seconds > 0 ? (ticks - _statusTicks) / seconds : 0;
        _statusTicks = ticks;
        _statusAt = now;
        return new()
        {
            State = State,
            Reason = Reason,
            FirstReason = _supervisor.FirstReason,
            Blocking = _blocking,
            Holds = _supervisor.Holds,
            Ticks = ticks,
            TicksMissed = Volatile.Read(ref _missed),
            TickRate = rate,
            RunTime = RunTime,
            Lateness = DurationFigures.Of(Lateness),
            Work = DurationFigures.Of(Work),
            Plan = DurationFigures.Of(PlanDurations),
            Plans = (long)Volatile.Read(ref _plan),
            PlansLate = Volatile.Read(ref _plansLate),
            PlansRefused = Volatile.Read(ref _plansRefused),
            RowsRepeated = Volatile.Read(ref _repeated),
            GateTouched = Volatile.Read(ref _gateTouched),
            GateCounts = _gate.Counts.ToArray(),
            ObservationAge = TimeSpan.FromTicks(Volatile.Read(ref _ageNs) / 100),
            ActionAge = TimeSpan.FromTicks(_observation.ActionAgeNs / 100),
            Link = _robot.Link,
            RecordsDropped = _recorder?.Dropped ?? 0,
            LoopAllocatedBytes = Volatile.Read(ref _allocated),
            PlannerAllocatedBytes = _planner.AllocatedBytes,
            Fault = _planner.Fault ?? _fault ?? _recorder?.Failure,
        };
    }
}
