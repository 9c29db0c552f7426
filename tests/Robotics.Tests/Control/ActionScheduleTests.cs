using Robotics.Control;

namespace Robotics.Tests.Control;

/// <summary>Which row is due now. Rows carry their own index, so the number executed is the number expected.</summary>
public sealed class ActionScheduleTests
{
    [Theory]
    // start 10, 4 rows of 2 ticks, 1 late tick: rows are due at 10..17, 18 is bridged, 19 is overdue
    [InlineData(10, RowStatus.Due, 0, 0)]
    [InlineData(11, RowStatus.Due, 0, 0)]      // woke on the row's second tick: still that row
    [InlineData(12, RowStatus.Due, 1, 0)]
    [InlineData(16, RowStatus.Due, 3, 0)]      // arrived six ticks late: rows 0 to 2 are past and skipped
    [InlineData(17, RowStatus.Due, 3, 0)]
    [InlineData(18, RowStatus.Due, 3, 1)]      // slept over row 3: executed once, though its time is over
    [InlineData(19, RowStatus.Overdue, -1, 2)]
    [InlineData(1000, RowStatus.Overdue, -1, 983)]
    public void Next_AnswersByTimeAlone(long now, RowStatus status, int row, long late)
    {
        var schedule = Chunk();
        Assert.Equal(status, schedule.Next(now, out var values, out long lateTicks));
        Assert.Equal(late, lateTicks);
        Assert.Equal(row, values.IsEmpty ? -1 : (int)values[0]);
    }

    [Fact]
    public void Next_TickByTick_NeverReplaysARow()
    {
        var schedule = Chunk();
        List<(RowStatus, int)> seen = [];
        for (long now = 10; now < 20; now++)
        {
            var status = schedule.Next(now, out var row, out _);
            seen.Add((status, row.IsEmpty ? -1 : (int)row[0]));
        }

        Assert.Equal(
            [(RowStatus.Due, 0), (RowStatus.Same, 0), (RowStatus.Due, 1), (RowStatus.Same, 1), (RowStatus.Due, 2), (RowStatus.Same, 2),
                (RowStatus.Due, 3), (RowStatus.Same, 3), (RowStatus.Repeated, 3), (RowStatus.Overdue, -1)],
            seen);
    }

    [Theory]
    [InlineData(10, true)]
    [InlineData(17, true)]   // its last row is due now
    [InlineData(18, false)]  // its last row is over
    public void Accept_TakesOnlyPlansThatStillHaveARow(long now, bool taken)
    {
        var schedule = new ActionSchedule(4, 1, 2, 1);
        Assert.Equal(taken, schedule.Accept(1, 10, now, [0, 1, 2, 3]));
        Assert.Equal(taken ? 1ul : 0ul, schedule.Plan);
    }

    [Fact]
    public void Accept_InTheMiddleOfAnOlderPlan_GoesOnWithTheRowDueNow()
    {
        var schedule = new ActionSchedule(4, 1, 1, 1);
        schedule.Accept(1, 0, 0, [0, 1, 2, 3]);
        schedule.Next(0, out _, out _);
        schedule.Next(1, out _, out _);
        Assert.True(schedule.Accept(2, 1, 3, [10, 11, 12, 13])); // observed at tick 1, arrived for tick 3
        Assert.Equal(RowStatus.Due, schedule.Next(3, out var row, out _));
        Assert.Equal(12, row[0]);
        Assert.Equal(5, schedule.End);
    }

    [Fact]
    public void Next_WhenEmptyOrCleared_IsOverdue()
    {
        var schedule = Chunk();
        schedule.Clear();
        Assert.Equal(RowStatus.Overdue, schedule.Next(10, out var row, out _));
        Assert.True(row.IsEmpty);
    }

    [Fact]
    public void Loop_WithAChunkPolicy_ExecutesEveryRowOnceAndPlansOncePerChunk()
    {
        using var rig = new Rig(rows: 4).Driving();
        List<float> sent = [];
        for (int i = 0; i < 8; i++)
        {
            sent.Add(MathF.Round((rig.Robot.Target[0] - rig.Policy.Goal) * 1000));
            rig.Step();
        }

        // Driving() ends after three ticks, on row 2.
        Assert.Equal([2, 3, 0, 1, 2, 3, 0, 1], sent);
        Assert.Equal(3, rig.Policy.Calls);
    }

    [Fact]
    public void Loop_WithAChunkPolicy_HasUntilTheChunkRunsOut()
    {
        using var rig = new Rig(PlannerMode.Thread, rows: 4).Driving();

        // A slow plan teaches the loop to ask earlier; its rows whose time has passed are skipped.
        rig.Step(); // row 3: the chunk is over after it
        rig.Policy.Free.Reset();
        int asked = rig.Policy.Calls;
        rig.Step(); // asked now, bridged
        Assert.True(SpinWait.SpinUntil(() => rig.Policy.Calls == asked + 1, TimeSpan.FromSeconds(2)));
        Assert.Equal(1, rig.Loop.Snapshot().RowsRepeated);
        Assert.Equal(rig.Clock.Instant - Rig.Period + rig.Loop.Timing.ActAfter, rig.Policy.Deadline);
        rig.Policy.Free.Set();
        Assert.True(SpinWait.SpinUntil(() => rig.Loop.PlanIsThere, TimeSpan.FromSeconds(2)));
        rig.Step();
        Assert.Equal(ControlState.Running, rig.Loop.State);
        Assert.Equal(1, MathF.Round((rig.Robot.Target[0] - rig.Policy.Goal) * 1000)); // row 1, not row 0

        int calls = rig.Policy.Calls;
        rig.Step(); // row 2: one tick of lead is known to be needed by now, so the next request goes out with rows left
        rig.Step();
        Assert.True(rig.Policy.Calls > calls);
        Assert.True(rig.Policy.Deadline > rig.Clock.Instant - Rig.Period + rig.Loop.Timing.ActAfter);
    }

    [Fact]
    public void Next_WithAnEnsemble_AveragesTheRowsThatOverlappingPlansHaveForTheTick()
    {
        var schedule = new ActionSchedule(3, 1, 1, 2, ensemble: 0);
        schedule.Accept(1, 0, 0, [0, 1, 2]);
        Assert.Equal((3, 1, 1), (schedule.End, schedule.Wanted, schedule.Needed(0)));
        schedule.Next(0, out _, out _);
        schedule.Accept(2, 1, 1, [11, 12, 13]);
        Assert.Equal(RowStatus.Due, schedule.Next(1, out var row, out _));
        Assert.Equal(6, row[0]);                   // 1 and 11
        schedule.Next(2, out row, out _);          // no new plan for this tick: the old ones go on
        Assert.Equal(7, row[0]);                   // 2 and 12
        schedule.Next(3, out row, out _);
        Assert.Equal(13, row[0]);                  // only the newer one is left
        Assert.Equal(RowStatus.Repeated, schedule.Next(4, out row, out _));
        Assert.Equal(13, row[0]);
        schedule.Clear();
        schedule.Accept(3, 5, 5, [20, 21, 22]);
        schedule.Next(5, out row, out _);
        Assert.Equal(20, row[0]);                  // nothing is left of the plans before
    }

    [Fact]
    public void Next_WithAnEnsembleWhoseMixIsRepeated_GoesOnWithWhatWasDoneLast()
    {
        var schedule = new ActionSchedule(2, 1, 2, 2, ensemble: 0);
        schedule.Accept(1, 0, 0, [0, 10]);
        schedule.Accept(2, 1, 1, [20, 30]);
        schedule.Next(2, out _, out _);
        Assert.Equal(RowStatus.Due, schedule.Next(3, out var row, out _));
        Assert.Equal(20, row[0]);                  // 10 and 30
        Assert.Equal(RowStatus.Same, schedule.Next(4, out row, out _));
        Assert.Equal(20, row[0]);                  // mapped once: a row lasts two ticks
        Assert.Equal(RowStatus.Repeated, schedule.Next(5, out row, out _));
        Assert.Equal(20, row[0]);
    }

    [Fact]
    public void Loop_WithAnEnsemble_PlansAtEveryRowAndExecutesTheAverage()
    {
        using var rig = new Rig(rows: 4, ensemble: 0.01).Driving();
        rig.Step(3);
        int calls = rig.Policy.Calls;
        var loop = rig.Loop;
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
        {
            loop.Observe(rig.Clock.Instant);
            loop.Act();
            rig.Clock.Advance(Rig.Period);
        }

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
        Assert.Equal(100, rig.Policy.Calls - calls);

        // Rows 3, 2, 1 and 0 of four plans, oldest first, with the weights of the cards' appendix, A.8.
        double expected = ((.253762 * 3) + (.251237 * 2) + .248738) * 0.001;
        Assert.Equal(rig.Policy.Goal + expected, rig.Robot.Target[0], 1e-6);
    }

    private static ActionSchedule Chunk()
    {
        var schedule = new ActionSchedule(4, 1, 2, 1);
        Assert.True(schedule.Accept(7, 10, 10, [0, 1, 2, 3]));
        return schedule;
    }
}
