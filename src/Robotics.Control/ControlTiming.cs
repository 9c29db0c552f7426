using Robotics.Packages;

namespace Robotics.Control;

/// <summary>Every period, age and patience of one run, resolved once from the manifest and the robot. Immutable.</summary>
/// <remarks>A tick has two moments on one absolute clock: OBSERVE at <c>start + k Period</c> and ACT <see cref="ActAfter"/>
/// later. The plan of a step policy has that long; the loop never waits for it.</remarks>
public sealed record ControlTiming
{
    /// <summary>Control period, 0.5 to 1000 ms.</summary>
    public required TimeSpan Period { get; init; }

    /// <summary>From OBSERVE to ACT; at least 0 and less than <see cref="Period"/>.</summary>
    public required TimeSpan ActAfter { get; init; }

    /// <summary>Oldest observation that may be acted on, seen at OBSERVE.</summary>
    public required TimeSpan MaxObservationAge { get; init; }

    /// <summary>Oldest action age the robot may report.</summary>
    public required TimeSpan MaxActionAge { get; init; }

    /// <summary>Ticks that the last row may be repeated while a plan is late; 0 to 100.</summary>
    public required int LateTicks { get; init; }

    /// <summary>Control ticks that one action row lasts; at least 1.</summary>
    public required int TicksPerRow { get; init; }

    /// <summary>What every command says it is good for: one and a half periods, so that a robot which hears nothing more holds
    /// by itself within two.</summary>
    public TimeSpan ValidFor => Period * 1.5;

    /// <summary>Resolves the defaults that <see cref="TimingSpec"/> documents.</summary>
    /// <exception cref="ConfigException">Everything that cannot work, at once, with both sides' figures.</exception>
    public static ControlTiming From(PolicyManifest policy, RobotSpec robot)
    {
        ArgumentNullException.ThrowIfNull(policy);
        ArgumentNullException.ThrowIfNull(robot);
        var timing = policy.Timing;
        double period = timing.PeriodMs;
        double actAfter = timing.ActAfterMs ?? Math.Min(period / 4, 4);
        double observationAge = timing.MaxObservationAgeMs ?? (period + robot.StatePeriodMs);
        double actionAge = timing.MaxActionAgeMs ?? (2 * period);
        double rowPeriod = policy.Action.RowPeriodMs ?? period;
        double ticksPerRow = Math.Round(rowPeriod / period);

        var check = new ConfigCheck(policy.Origin);
        check.Range(period, 0.5, 1000, "timing.period_ms");
        check.Range(timing.LateTicks, 0, 100, "timing.late_ticks");
        check.That(actAfter >= 0 && actAfter < period, "timing.act_after_ms",
            FormattableString.Invariant($"is {actAfter}, expected at least 0 and less than period_ms {period}"));
        check.That(period >= robot.ServoPeriodMs * (1 - 1e-6), "timing.period_ms",
            FormattableString.Invariant($"is {period}, shorter than robot '{robot.Name}' can follow: its servo_period_ms is {robot.ServoPeriodMs} ({robot.Origin})"));
        check.That(observationAge >= robot.StatePeriodMs, "timing.max_observation_age_ms",
            FormattableString.Invariant($"is {observationAge}, but robot '{robot.Name}' measures only every state_period_ms {robot.StatePeriodMs} ({robot.Origin}): it would always be stale"));
        check.That(actionAge > actAfter, "timing.max_action_age_ms",
            FormattableString.Invariant($"is {actionAge}, expected more than act_after_ms {actAfter}: every action is at least that old"));
        check.That(ticksPerRow >= 1 && Math.Abs(rowPeriod - (ticksPerRow * period)) <= 1e-6 * period, "action.row_period_ms",
            FormattableString.Invariant($"is {rowPeriod}, expected a multiple of timing.period_ms {period}"));
        check.Throw();

        return new()
        {
            Period = TimeSpan.FromMilliseconds(period),
            ActAfter = TimeSpan.FromMilliseconds(actAfter),
            MaxObservationAge = TimeSpan.FromMilliseconds(observationAge),
            MaxActionAge = TimeSpan.FromMilliseconds(actionAge),
            LateTicks = timing.LateTicks,
            TicksPerRow = (int)ticksPerRow,
        };
    }
}
