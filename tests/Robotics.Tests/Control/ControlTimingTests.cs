using Robotics.Control;

namespace Robotics.Tests.Control;

public sealed class ControlTimingTests
{
    private static readonly RobotSpec Robot = new PlantRobot(new HeldClock()).Spec; // measures every 20 ms, servo 1 ms

    [Fact]
    public void From_WithoutAges_ResolvesTheDocumentedDefaults()
    {
        var timing = ControlTiming.From(Rig.Describe(), Robot);
        Assert.Equal(TimeSpan.FromMilliseconds(20), timing.Period);
        Assert.Equal(TimeSpan.FromMilliseconds(4), timing.ActAfter);           // a quarter would be 5, at most 4
        Assert.Equal(TimeSpan.FromMilliseconds(40), timing.MaxObservationAge); // period + state period
        Assert.Equal(TimeSpan.FromMilliseconds(40), timing.MaxActionAge);      // two periods
        Assert.Equal(TimeSpan.FromMilliseconds(30), timing.ValidFor);
        Assert.Equal(TimeSpan.FromMilliseconds(1), ControlTiming.From(Rig.Describe(periodMs: 4), Robot).ActAfter); // a quarter
    }

    [Fact]
    public void From_WithEverythingWrong_SaysEverythingAtOnceWithBothSides()
    {
        var manifest = Rig.Describe(periodMs: 0.6) with
        {
            Timing = new() { PeriodMs = 0.6, ActAfterMs = 0.7, LateTicks = 101, MaxObservationAgeMs = 5, MaxActionAgeMs = 0.5 },
            Action = new() { RowPeriodMs = 1 },
        };
        var error = Assert.Throws<ConfigException>(() => ControlTiming.From(manifest, Robot));
        Assert.Equal(
            [
                "timing.late_ticks is 101, expected 0 to 100",
                "timing.act_after_ms is 0.7, expected at least 0 and less than period_ms 0.6",
                "timing.period_ms is 0.6, shorter than robot 'plant' can follow: its servo_period_ms is 1 (code)",
                "timing.max_observation_age_ms is 5, but robot 'plant' measures only every state_period_ms 20 (code): it would always be stale",
                "timing.max_action_age_ms is 0.5, expected more than act_after_ms 0.7: every action is at least that old",
                "action.row_period_ms is 1, expected a multiple of timing.period_ms 0.6",
            ],
            error.Problems);
    }

    [Fact]
    public void From_WithARowPeriod_CountsTicksPerRow()
    {
        var manifest = Rig.Describe() with { Action = new() { Rows = 8, RowPeriodMs = 100 } };
        Assert.Equal(5, ControlTiming.From(manifest, Robot).TicksPerRow);
    }

    [Fact]
    public void Loop_WhenThePolicyIsNotTheManifests_SaysBothSides()
    {
        var manifest = Rig.Describe();
        var robot = new PlantRobot(new HeldClock());
        var three = robot.Spec with { Joints = [.. robot.Spec.Joints, robot.Spec.Joints[0] with { Name = "c" }] };
        var error = Assert.Throws<ConfigException>(() => new ControlLoop(manifest, robot, new ScriptedPolicy(),
            new Observations.ObservationAssembler(manifest, three), new Observations.ActionMap(manifest, three)));
        Assert.Equal(
            [
                "observations 'policy' describes 3 elements, the network's input that it feeds takes 2; compare its terms with what the network was trained on",
                "action describes 3 elements, policy 'scripted' gives 2; compare 'action.joints' with the network's output",
            ],
            error.Problems);
    }

    [Fact]
    public void Rehearse_CallsThePolicyAndLeavesItReadyForARun()
    {
        using var policy = new ScriptedPolicy();
        var plan = ControlLoop.Rehearse(Rig.Describe(), new PlantRobot(new HeldClock()).Spec, policy);
        Assert.True(policy.Calls > 0);
        Assert.True(plan > TimeSpan.Zero);
    }

    [Theory]
    [InlineData(1, null, 70)]    // a step policy answers within its tick
    [InlineData(8, null, 0)]     // a chunk policy nobody has timed
    [InlineData(8, 4.9, 70)]     // 160 ms of chunk, a short plan
    [InlineData(8, 5.1, 0)]      // longer than an ordinary thread waits for its turn
    [InlineData(4, 3.9, 70)]
    [InlineData(4, 4.1, 0)]      // more than a twentieth of its 80 ms
    public void PriorityOf_IsRealTimeWherePlansAreShort(int rows, double? planMs, int expected)
    {
        using var policy = new ScriptedPolicy(rows);
        Assert.Equal(expected, SchedulingOptions.PriorityOf(policy.Spec, planMs is { } ms ? TimeSpan.FromMilliseconds(ms) : null));
    }

    [Fact]
    public void Checked_WithOptionsOutOfRange_SaysAllOfThem()
    {
        var error = Assert.Throws<ConfigException>(() => new ControlOptions
        {
            Duration = TimeSpan.Zero, ClockJumpPeriods = 1, Scheduling = new() { LoopPriority = 100, LoopCpu = -1 },
        }.Checked("command line"));
        Assert.Equal(4, error.Problems.Count);
        Assert.StartsWith("command line: 4 problems", error.Message, StringComparison.Ordinal);
    }
}
