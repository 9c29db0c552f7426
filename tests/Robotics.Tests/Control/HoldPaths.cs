using Robotics.Control;

namespace Robotics.Tests.Control;

/// <summary>Every cause of a hold, caused.</summary>
public sealed class HoldPaths
{
    public static TheoryData<HoldReason, string> Causes => new()
    {
        { HoldReason.ObservationStale, "silent" },
        { HoldReason.ObservationStale, "delayed" },
        { HoldReason.ObservationStale, "future" },
        { HoldReason.RobotMissing, "missing" },
        { HoldReason.RobotMissing, "offline" },
        { HoldReason.LinkLost, "link" },
        { HoldReason.LeaseLost, "lease" },
        { HoldReason.RobotClockFrozen, "frozen" },
        { HoldReason.ObservationNotFinite, "nan observed" },
        { HoldReason.ActionNotFinite, "nan planned" },
        { HoldReason.ActionNotFinite, "says not finite" },
        { HoldReason.PolicyFault, "fault" },
        { HoldReason.PolicyFault, "policy throws" },
        { HoldReason.PolicyRefused, "refused" },
        { HoldReason.PlanOverdue, "gives up late" },
        { HoldReason.ActionAgeExceeded, "action age" },
        { HoldReason.LimitViolation, "out of range" },
        { HoldReason.ClockJump, "jump" },
        { HoldReason.OperatorStop, "operator" },
        { HoldReason.RobotFault, "robot fault" },
        { HoldReason.SimulationDiverged, "diverged" },
    };

    [Theory]
    [MemberData(nameof(Causes))]
    public void Tick_WhenSomethingIsWrong_HoldsWithinTwoPeriodsForThatReason(HoldReason reason, string cause)
    {
        using var rig = new Rig().Driving();
        Break(rig, cause);

        // A cause that is only a cause once an age has passed (silence) starts to count when the age is over.
        rig.Step(cause == "silent" ? 4 : 2);

        Assert.Equal(ControlState.Holding, rig.Loop.State);
        Assert.Equal(reason, rig.Loop.Reason);
        Assert.True(rig.Robot.HoldsNow);
        var told = rig.Events()[^1];
        Assert.Equal((ControlState.Running, ControlState.Holding, reason), (told.From, told.To, told.Reason));
        Assert.StartsWith("Running to Holding: ", told.Describe(), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Causes))]
    public void Tick_WhenTheCauseIsGone_StillHoldsUntilResumed(HoldReason reason, string cause)
    {
        using var rig = new Rig().Driving();
        Break(rig, cause);
        rig.Step(4);
        Mend(rig);
        int sent = rig.Robot.Sent;

        rig.Step(50);
        Assert.Equal((ControlState.Holding, reason, sent), (rig.Loop.State, rig.Loop.Reason, rig.Robot.Sent));

        int resets = rig.Policy.Resets;
        rig.Loop.Resume();
        rig.Step(2);
        Assert.Equal(ControlState.Running, rig.Loop.State);
        Assert.False(rig.Robot.HoldsNow);
        Assert.Equal(resets + 1, rig.Policy.Resets);
    }

    [Fact]
    public void Resume_WhenTheCausePersists_IsDroppedAndSaysWhatStandsInTheWay()
    {
        using var rig = new Rig().Driving();
        rig.Robot.Missing = true;
        rig.Step(2);
        rig.Events();

        rig.Loop.Resume();
        rig.Step();
        rig.Robot.Missing = false;
        rig.Step(20);

        Assert.Equal(ControlState.Holding, rig.Loop.State);
        Assert.Equal("stays Holding: the robot is not there: no observation can be read.", rig.Events().Single().Describe());
    }

    [Fact]
    public void Hold_WhenMoreGoesWrong_KeepsTheFirstReason()
    {
        using var rig = new Rig().Driving();
        rig.Robot.ActionAgeNs = 500_000_000;
        rig.Step(2);
        rig.Robot.Position[0] = float.NaN;
        rig.Robot.Link = LinkStatus.Direct with { Up = false, Reason = HoldReason.LinkLost };
        rig.Loop.Hold();
        rig.Step(5);
        Assert.Equal(HoldReason.ActionAgeExceeded, rig.Loop.Reason);

        rig.Loop.Stop();
        rig.Step();
        var status = rig.Loop.Snapshot();
        Assert.Equal((ControlState.Stopped, HoldReason.ActionAgeExceeded), (status.State, status.FirstReason));
    }

    [Fact]
    public void Tick_WhenThePlanIsTenPeriodsLate_RepeatsTheLastRowThenHolds()
    {
        using var rig = new Rig(PlannerMode.Thread).Driving();
        float last = rig.Robot.Target[0];
        var answered = rig.Robot.Stamp.ObservedAt;
        rig.Policy.Goal = 0.9f;
        rig.Policy.Free.Reset();

        rig.Step(); // late_ticks is 1: one tick is bridged
        Assert.Equal(ControlState.Running, rig.Loop.State);
        Assert.False(rig.Robot.HoldsNow);
        Assert.Equal(last, rig.Robot.Target[0]);
        Assert.Equal(1, rig.Loop.Snapshot().RowsRepeated);
        Assert.Equal(answered, rig.Robot.Stamp.ObservedAt); // the row that stands in is as old as it is

        rig.Step();
        Assert.Equal((ControlState.Holding, HoldReason.PlanOverdue), (rig.Loop.State, rig.Loop.Reason));
        Assert.True(rig.Robot.HoldsNow);
        Assert.Equal("Running to Holding: no row to execute for 2 ticks, tolerated are 1.", rig.Events()[^1].Describe());

        rig.Step(8);
        rig.Policy.Free.Set();
        rig.Step(10);
        Assert.Equal(ControlState.Holding, rig.Loop.State); // the plan that came at last drives nothing
        Assert.Equal(last, rig.Robot.Target[0]);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(5)]
    public void Tick_WhenAPlanIsLate_BridgesExactlyLateTicks(int lateTicks)
    {
        using var rig = new Rig(PlannerMode.Thread, lateTicks: lateTicks).Driving();
        rig.Policy.Free.Reset();
        rig.Step(lateTicks);
        Assert.Equal(ControlState.Running, rig.Loop.State);
        rig.Step();
        Assert.Equal(HoldReason.PlanOverdue, rig.Loop.Reason);
    }

    [Fact]
    public void Resume_WhileTheOldPlanStillRuns_WaitsForItAndNeverExecutesIt()
    {
        using var rig = new Rig(PlannerMode.Thread, rows: 8).Driving();
        rig.Step(5); // rows 3 to 7
        rig.Policy.Free.Reset();
        rig.Step(2); // asked, bridged, overdue
        Assert.Equal(HoldReason.PlanOverdue, rig.Loop.Reason);
        rig.Loop.Resume();
        rig.Step(2);
        Assert.Equal(ControlState.Armed, rig.Loop.State);
        Assert.True(rig.Robot.HoldsNow);

        rig.Policy.Free.Set();
        Assert.True(SpinWait.SpinUntil(() => rig.Loop.PlanIsThere, TimeSpan.FromSeconds(2)));
        rig.Step();

        // The old plan would still have rows (its row 4 is due now), but it answers a run that is over.
        Assert.Equal(ControlState.Running, rig.Loop.State);
        Assert.Equal(0, MathF.Round((rig.Robot.Target[0] - rig.Policy.Goal) * 1000));
        Assert.Equal(2, rig.Policy.Resets);
    }

    [Fact]
    public void Run_WhenTheFirstPlanNeverComes_HoldsPlanOverdue()
    {
        using var rig = new Rig(PlannerMode.Thread, options: new() { FirstPlan = TimeSpan.FromMilliseconds(100) });
        rig.Policy.Answer = PlanStatus.Late;
        rig.Arm();
        rig.Loop.Run();
        rig.Step(12);
        Assert.Equal((ControlState.Holding, HoldReason.PlanOverdue), (rig.Loop.State, rig.Loop.Reason));
        Assert.Equal(0, rig.Robot.Sent);
    }

    [Fact]
    public void EmergencyStop_IsLatchedUntilRobotAndLoopAreCleared()
    {
        using var rig = new Rig().Driving();
        rig.Loop.EmergencyStop();
        Assert.Equal(1, rig.Robot.EmergencyStops); // at once, from the calling thread
        rig.Step();
        Assert.Equal((ControlState.EmergencyStop, HoldReason.EmergencyStop), (rig.Loop.State, rig.Loop.Reason));

        rig.Loop.Resume();
        rig.Loop.Run();
        rig.Loop.Stop();
        rig.Step(5);
        Assert.Equal(ControlState.EmergencyStop, rig.Loop.State);

        rig.Loop.ClearEmergencyStop(); // the robot's own latch is still set
        rig.Step();
        Assert.Equal(ControlState.EmergencyStop, rig.Loop.State);

        rig.Robot.Unlatch();
        rig.Loop.ClearEmergencyStop();
        rig.Step(5);
        Assert.Equal((ControlState.Holding, HoldReason.EmergencyStop), (rig.Loop.State, rig.Loop.Reason));
        Assert.True(rig.Robot.HoldsNow);

        rig.Loop.Resume();
        rig.Step(2);
        Assert.Equal(ControlState.Running, rig.Loop.State);
    }

    [Fact]
    public void EmergencyStop_WhenPressedAtTheRobot_LatchesHere()
    {
        using var rig = new Rig().Driving();
        rig.Robot.EmergencyStop();
        rig.Step();
        Assert.Equal(ControlState.EmergencyStop, rig.Loop.State);
        rig.Robot.Unlatch();
        rig.Step(5);
        Assert.Equal(ControlState.EmergencyStop, rig.Loop.State);
    }

    [Fact]
    public void Tick_WhenTheRobotHearsNothingOfUs_HoldsToo()
    {
        using var rig = new Rig().Driving();
        rig.Robot.Reports = RobotMode.Holding;
        rig.Robot.ReportsReason = HoldReason.CommandExpired;
        rig.Step(4); // a stutter of a few ticks is the robot's own affair
        Assert.Equal(ControlState.Running, rig.Loop.State);
        rig.Step(3);
        Assert.Equal((ControlState.Holding, HoldReason.CommandExpired), (rig.Loop.State, rig.Loop.Reason));
    }

    [Fact]
    public async Task Arm_WhenThePathStutters_WaitsUntilItHasBeenSteady()
    {
        using var rig = new Rig(options: new() { Settle = Rig.Period * 5 });
        await rig.Loop.ArmAsync(TestContext.Current.CancellationToken);
        rig.Step(4);
        rig.Robot.Delay = TimeSpan.FromSeconds(1);
        rig.Step();
        rig.Robot.Delay = TimeSpan.Zero;
        rig.Step(4);
        Assert.Equal(ControlState.Idle, rig.Loop.State); // the stutter began it anew
        rig.Step();
        Assert.Equal(ControlState.Armed, rig.Loop.State);
        Assert.True(rig.Robot.Holds > 0);
    }

    [Fact]
    public void Tick_WhenOneActionIsTooOld_DrivesOnAsTheManifestAllows()
    {
        using var rig = new Rig().Driving(); // late_ticks is 1
        rig.Robot.ActionAgeNs = 500_000_000;
        rig.Step();
        rig.Robot.ActionAgeNs = 5_000_000;
        rig.Step(3);
        Assert.Equal(ControlState.Running, rig.Loop.State);
    }

    [Fact]
    public void Tick_WhenAnOlderClaimsActionAgeIsReported_IgnoresIt()
    {
        using var rig = new Rig();
        rig.Robot.ActionAgeNs = 900_000_000; // before the first command of this run nothing has been applied
        rig.Arm();
        rig.Loop.Run();
        rig.Step();
        Assert.Equal(ControlState.Running, rig.Loop.State);
    }

    [Fact]
    public void Tick_WhenTheDurationIsOver_StopsAndHolds()
    {
        using var rig = new Rig(options: new() { Duration = TimeSpan.FromMilliseconds(200) }).Driving();
        rig.Step(20);
        Assert.Equal((ControlState.Stopped, HoldReason.EndOfRun), (rig.Loop.State, rig.Loop.Reason));
        Assert.Equal(10, rig.Robot.Sent); // 200 ms of 20 ms
        Assert.True(rig.Robot.HoldsNow);
        rig.Loop.Run();
        rig.Loop.Resume();
        rig.Step(5);
        Assert.Equal(ControlState.Stopped, rig.Loop.State);
    }

    [Fact]
    public void Finish_WhenTheTaskIsDone_EndsTheRunAndHolds()
    {
        using var rig = new Rig().Driving();
        rig.Loop.Finish();
        rig.Step(2);
        Assert.Equal((ControlState.Stopped, HoldReason.EndOfRun), (rig.Loop.State, rig.Loop.Reason));
        Assert.True(rig.Robot.HoldsNow);
    }

    [Fact]
    public void Tick_WhenNothingWasAskedFor_CommandsNothing()
    {
        using var rig = new Rig();
        rig.Step(5);
        Assert.Equal((ControlState.Idle, 0, 0), (rig.Loop.State, rig.Robot.Sent, rig.Robot.Holds));
        Assert.Equal(0, rig.Policy.Calls);

        rig.Arm();
        rig.Step(5);
        Assert.Equal((ControlState.Armed, 0), (rig.Loop.State, rig.Robot.Sent));
        Assert.Equal(0, rig.Policy.Calls);
    }

    [Fact]
    public void Arm_WhenTheRobotIsMissing_StaysIdle()
    {
        using var rig = new Rig();
        rig.Robot.Missing = true;
        rig.Arm();
        rig.Loop.Run();
        rig.Step(5);
        Assert.Equal((ControlState.Idle, HoldReason.RobotMissing), (rig.Loop.State, rig.Loop.Snapshot().Blocking));
        rig.Robot.Missing = false;
        rig.Step(2);
        Assert.Equal(ControlState.Running, rig.Loop.State);
    }

    [Fact]
    public void Command_SaysWhatItAnswersAndForHowLongItIsGood()
    {
        using var rig = new Rig();
        rig.Robot.Delay = TimeSpan.FromMilliseconds(7);
        rig.Driving();
        var measured = rig.Clock.Instant - TimeSpan.FromMilliseconds(7);
        rig.Step();
        Assert.Equal(new(4, measured, TimeSpan.FromMilliseconds(30)), rig.Robot.Stamp);
    }

    private static void Break(Rig rig, string cause)
    {
        var robot = rig.Robot;
        var policy = rig.Policy;
        switch (cause)
        {
            case "silent": robot.Silent = true; break;
            case "delayed": robot.Delay = TimeSpan.FromMilliseconds(41); robot.Silent = false; rig.Clock.Advance(TimeSpan.FromMilliseconds(25)); break;
            case "future": robot.Delay = TimeSpan.FromMilliseconds(-41); break;
            case "missing": robot.Missing = true; break;
            case "offline": robot.Link = LinkStatus.Direct with { Up = false, Reason = HoldReason.RobotMissing }; break;
            case "link": robot.Link = LinkStatus.Direct with { Up = false, Reason = HoldReason.LinkLost }; break;
            case "lease": robot.Link = LinkStatus.Direct with { Up = false, Reason = HoldReason.LeaseLost }; break;
            case "frozen": robot.ClockFrozen = true; break;
            case "nan observed": robot.Position[1] = float.NaN; break;
            case "nan planned": policy.SaysNan = true; break;
            case "says not finite": policy.Answer = PlanStatus.NotFinite; break;
            case "fault": policy.Answer = PlanStatus.Fault; break;
            case "policy throws": policy.Throws = true; break;
            case "refused": policy.Answer = PlanStatus.Refused; break;
            case "gives up late": policy.Answer = PlanStatus.Late; break;
            case "action age": robot.ActionAgeNs = 40_100_000; break; // tolerated: two periods, 40 ms
            case "out of range": robot.Position[0] = 1.2f; break;     // range 1, margin 5 % of 2
            case "jump": rig.Loop.Tick(rig.Clock.Instant - TimeSpan.FromMilliseconds(61)); break; // woke 61 ms after it was due
            case "operator": rig.Loop.Hold(); break;
            case "robot fault": robot.Reports = RobotMode.Fault; break;
            case "diverged": robot.Reports = RobotMode.Fault; robot.ReportsReason = HoldReason.SimulationDiverged; break;
            default: throw new ArgumentOutOfRangeException(nameof(cause), cause, "unknown");
        }
    }

    private static void Mend(Rig rig)
    {
        var robot = rig.Robot;
        robot.Silent = robot.Missing = robot.ClockFrozen = false;
        robot.Delay = TimeSpan.Zero;
        robot.Link = LinkStatus.Direct;
        robot.Position.AsSpan().Clear();
        robot.ActionAgeNs = 5_000_000;
        robot.Reports = null;
        robot.ReportsReason = HoldReason.None;
        rig.Policy.SaysNan = rig.Policy.Throws = false;
        rig.Policy.Answer = PlanStatus.Planned;
    }
}
