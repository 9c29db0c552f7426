using Robotics.Control;
using Robotics.Observations;

namespace Robotics.Tests.Control;

/// <summary>The loop on its own thread and the system's clock. Nothing here asserts a latency: the machine may be busy.</summary>
public sealed class ThreadedLoopTests
{
    [Fact]
    public async Task Start_ThenStop_DrivesThenHoldsAndGivesTheRobotBack()
    {
        var robot = new PlantRobot(TimeProvider.System);
        using var policy = new ScriptedPolicy();
        using var loop = Build(robot, policy);
        loop.Start();
        await loop.ArmAsync(TestContext.Current.CancellationToken);
        loop.Run();
        await Until(() => robot.Sent >= 20);
        var status = loop.Snapshot();
        Assert.Equal(ControlState.Running, status.State);
        Assert.True(status.Plans >= 20);

        await loop.StopAsync(TestContext.Current.CancellationToken);
        Assert.Equal((ControlState.Stopped, HoldReason.OperatorStop), (loop.State, loop.Reason));
        Assert.True(robot.HoldsNow);
        Assert.Equal(1, robot.Releases);
        int sent = robot.Sent;
        await Task.Delay(60, TestContext.Current.CancellationToken);
        Assert.Equal(sent, robot.Sent);
        Assert.False(loop.PolicyIsStuck);
        Assert.Throws<InvalidOperationException>(loop.Start);
    }

    [Fact]
    public async Task Tick_WhenTheDriverThrows_HoldsAndSaysItsWords()
    {
        var robot = new PlantRobot(TimeProvider.System);
        using var policy = new ScriptedPolicy();
        using var loop = Build(robot, policy);
        loop.Start();
        await loop.ArmAsync(TestContext.Current.CancellationToken);
        loop.Run();
        await Until(() => robot.Sent >= 3);
        robot.Throws = true;
        await Until(() => loop.State == ControlState.Holding);
        await Until(() => robot.HoldsNow);
        Assert.Equal(HoldReason.RobotFault, loop.Reason);
        Assert.Equal("the driver broke", loop.Snapshot().Fault);
    }

    [Fact]
    public async Task Dispose_WhenThePolicyDoesNotReturn_SaysSo()
    {
        var robot = new PlantRobot(TimeProvider.System);
        using var policy = new ScriptedPolicy();
        var loop = Build(robot, policy);
        loop.Start();
        await loop.ArmAsync(TestContext.Current.CancellationToken);
        policy.Free.Reset();
        loop.Run();
        await Until(() => policy.Calls == 1);
        loop.Dispose();
        Assert.True(loop.PolicyIsStuck);
        policy.Free.Set();
    }

    [Fact]
    public void Start_OnAHeldClock_IsRefused()
    {
        using var rig = new Rig();
        Assert.StartsWith("A loop on a clock of its own cannot sleep on it", Assert.Throws<InvalidOperationException>(rig.Loop.Start).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Scheduling_IsReportedAsDataWhetherGrantedOrNot()
    {
        SchedulingReport? report = null;
        var thread = new Thread(() => report = RealTimeThread.Ask("test", 1, 1000, new() { LockMemory = false })); // there is no processor 1000 here
        thread.Start();
        thread.Join();
        Assert.NotNull(report);
        Assert.NotEqual("nothing", report.Asked);
        if (OperatingSystem.IsLinux())
        {
            Assert.Equal("SCHED_FIFO 1, timer slack 1 ns, processor 1000", report.Asked);
            Assert.Contains("timer slack 1 ns", report.Granted, StringComparison.Ordinal);
            Assert.Contains(report.Refused, text => text.StartsWith("processor 1000 refused: ", StringComparison.Ordinal));
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(100)]
    public void Until_NeverReturnsEarlyAndNeverAllocates(int spinUs)
    {
        PreciseSleep.Until(MonotonicTime.SystemNow(), TimeSpan.Zero);
        long before = GC.GetAllocatedBytesForCurrentThread();
        int early = 0;
        for (int i = 0; i < 20; i++)
        {
            var instant = MonotonicTime.SystemNow() + TimeSpan.FromMilliseconds(1);
            PreciseSleep.Until(instant, TimeSpan.FromMicroseconds(spinUs));
            early += MonotonicTime.SystemNow() < instant ? 1 : 0;
        }

        long after = GC.GetAllocatedBytesForCurrentThread();
        Assert.Equal(0, early);
        Assert.Equal(before, after);
    }

    // Ages and patience wide open, so that a busy test machine is not a fault of the robot; real-time priorities off.
    private static ControlLoop Build(PlantRobot robot, ScriptedPolicy policy)
    {
        var manifest = Rig.Describe() with
        {
            Timing = new() { PeriodMs = 5, ActAfterMs = 2, LateTicks = 100, MaxObservationAgeMs = 5000, MaxActionAgeMs = 5000 },
        };
        return new(manifest, robot, policy, new ObservationAssembler(manifest, robot.Spec), new ActionMap(manifest, robot.Spec),
            new() { ClockJumpPeriods = 100, Scheduling = new() { RealTime = false } });
    }

    private static async Task Until(Func<bool> condition)
    {
        long begun = TimeProvider.System.GetTimestamp();
        while (!condition())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(begun) < TimeSpan.FromSeconds(10), "nothing happened for 10 s");
            await Task.Delay(2, TestContext.Current.CancellationToken);
        }
    }
}
