using Robotics.Episodes;

namespace Robotics.Tests.Host;

/// <summary>Processes killed and frozen in mid-motion: the right hold, for the right reason, within two control periods, and a record
/// that reads back. PushT, 10 Hz: two periods are 200 ms; what is added is the operating system's, not ours.</summary>
[Collection("real time")]
public sealed class FaultTests(ITestOutputHelper output) : IDisposable
{
    private const double TwoPeriodsMs = 200;

    private readonly TemporaryFolder _folder = new();

    private string Record => _folder.At("run.mcap");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void BrokerKilledAndRestarted_ControllerHoldsAndNothingMovesAgain()
    {
        using var world = new World("sim:push-t");
        using var controller = Drive(world, "6");
        var killed = MonotonicTime.SystemNow();
        world.Broker.Kill();
        controller.WaitFor("\"holding\"");
        world.RestartBroker();
        controller.WaitForExit(TimeSpan.FromSeconds(30));
        AssertHeld(controller, killed, HoldReason.LinkLost);
        world.Robot.WaitFor("no fresh command"); // the robot's own side held by itself, too
    }

    [Fact]
    public void RobotKilled_ControllerHolds()
    {
        using var world = new World("sim:push-t");
        using var controller = Drive(world, "4");
        var killed = MonotonicTime.SystemNow();
        world.Robot.Kill();
        controller.WaitForExit(TimeSpan.FromSeconds(30));
        AssertHeld(controller, killed, HoldReason.RobotMissing);
    }

    [Theory]
    [InlineData("-KILL")]
    [InlineData("-STOP")] // frozen, for example swapped out: its connection stays, its commands do not come
    public void ControllerGone_RobotSideHoldsByItself(string signal)
    {
        using var world = new World("sim:push-t");
        using var controller = Drive(world, "20");
        var gone = MonotonicTime.SystemNow();
        controller.Signal(signal);
        world.Robot.WaitFor("no fresh command", 5);
        double ms = (MonotonicTime.SystemNow() - gone).TotalMilliseconds;
        output.WriteLine($"robot side held {ms:F0} ms after {signal}");
        Assert.InRange(ms, 0, TwoPeriodsMs + 100);
        controller.Kill();
        using var episode = new EpisodeReader(Record);
        Assert.True(episode.Ticks().Count() > 3, "the record of the killed controller does not read back");
        Assert.False(episode.Finished);
    }

    [Fact]
    public void ControllerInterrupted_StopsTheRobotFirstAndFinishesTheRecord()
    {
        using var world = new World("sim:push-t");
        using var controller = Drive(world, "20");
        controller.Interrupt();
        int code = controller.WaitForExit(TimeSpan.FromSeconds(15));
        Assert.True(code == 0, $"code {code}: {controller.Errors}");
        world.Robot.WaitFor("gave the robot back", 5);
        using var episode = new EpisodeReader(Record);
        Assert.True(episode.Finished);
        Assert.Equal(ControlState.Stopped, episode.Events().Last().To);
    }

    [Fact]
    public void SecondController_IsRefusedAndTheFirstDrivesOn()
    {
        using var world = new World("sim:push-t");
        using var first = Drive(world, "6");
        using var second = world.Run("push-t-reference", "push-t", _folder.At("second.mcap"), "--duration", "2");
        int code = second.WaitForExit(TimeSpan.FromSeconds(20));
        Assert.Equal(2, code);
        Assert.Contains("controller-", second.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain(second.All, line => line.Contains("\"armed\"", StringComparison.Ordinal));
        Assert.Equal(0, first.WaitForExit(TimeSpan.FromSeconds(30)));
    }

    [Fact]
    public void EmergencyStop_FromAnotherTerminal_LatchesUntilCleared()
    {
        using var world = new World("sim:push-t");
        using var controller = Drive(world, "4");
        Assert.Equal(0, RoboticsProcess.Run("control", "push-t", "estop", "--broker", world.Url).Code);
        Assert.Equal(3, controller.WaitForExit(TimeSpan.FromSeconds(30)));
        var refused = RoboticsProcess.Run("run", "push-t-reference", "--robot", "mqtt:push-t", "--broker", world.Url, "--duration", "1", "--no-record");
        Assert.Equal(2, refused.Code);
        Assert.Contains("clear", refused.Errors, StringComparison.Ordinal);
        Assert.Equal(0, RoboticsProcess.Run("control", "push-t", "clear", "--broker", world.Url).Code);
        Assert.Equal(0, RoboticsProcess.Run("run", "push-t-reference", "--robot", "mqtt:push-t", "--broker", world.Url, "--duration", "1", "--no-record").Code);
    }

    private RoboticsProcess Drive(World world, string seconds)
    {
        var controller = world.Run("push-t-reference", "push-t", Record, "--duration", seconds);
        controller.WaitFor("\"to\":\"running\"");
        Thread.Sleep(1000); // in mid-motion
        return controller;
    }

    private void AssertHeld(RoboticsProcess controller, MonotonicTime cause, HoldReason reason)
    {
        using var episode = new EpisodeReader(Record);
        var hold = episode.Events().First(happened => happened.To == ControlState.Holding);
        double ms = (hold.Time - cause).TotalMilliseconds;
        output.WriteLine($"{hold.Reason} {ms:F1} ms after the cause: {hold.Text}");
        Assert.Equal(reason, hold.Reason);
        Assert.InRange(ms, 0, TwoPeriodsMs + 100);
        Assert.True(episode.Finished, "the record is not complete");
        Assert.DoesNotContain(episode.Ticks(), tick => tick.Due > hold.Time && tick.Sent.Length > 0);
        Assert.Equal(1, (int)controller.Last("summary")["exit_code"]!);
    }
}
