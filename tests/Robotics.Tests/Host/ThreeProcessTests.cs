using System.Globalization;
using Robotics.Episodes;

namespace Robotics.Tests.Host;

/// <summary>Broker, robot and controller as three processes in real time: go1 walks across MQTT, and holds when the link ages.</summary>
[Collection("real time")]
public sealed class ThreeProcessTests(ITestOutputHelper output)
{
    /// <summary>A machine that stops for 20 ms ends a 50 Hz walk in a hold, rightly: such a run says nothing about the walk and is
    /// repeated. What holds a fifth time is not the machine.</summary>
    private const int Attempts = 5;

    [Theory]
    [InlineData("vx=1.0", 0.95, 1.06)]
    [InlineData("vx=0", -0.05, 0.05)]
    public void Go1_AcrossMqtt_WalksAsItsNotesDemand(string command, double slowest, double fastest)
    {
        using var go1 = new Go1();
        Undisturbed(go1, [], "--command", command, "--duration", "5");
        var walk = Go1.Measure(go1.Record);
        output.WriteLine($"{command}: {walk}");
        Assert.InRange(walk.Seconds, 4.9, 5.1);
        Assert.True(walk.Upright > 0.9, $"fell: {walk}");
        Assert.InRange(walk.Lowest, 0.25, 0.33);
        Assert.InRange(walk.Speed, slowest, fastest);
        Assert.InRange(walk.Aside, 0, 0.4);
        if (slowest < 0)
        {
            Assert.InRange(walk.Moved, 0, 0.05);
        }
    }

    [Fact]
    public void Go1_WhenCommandsAgeBy20Ms_MeasuresItAndWalksOn()
    {
        // 32 ms are tolerated and the path itself takes a few: 20 more pass, and the robot walks as its notes demand. The robot applies
        // commands at its 4 ms steps, so ages come in fours, and which four is a matter of phase. An average over a delay that grows by
        // just one step does not depend on the phase: two such averages, 12 ms of delay apart, measure how much was added.
        const double after = 5, ramp = 5, added = 20, step = 4, first = 2, second = 14;
        using var go1 = new Go1();
        var began = Undisturbed(go1, ["--command-delay", "20", "--delay-after", "5", "--delay-ramp", "5"], "--command", "vx=1.0", "--duration", "11");
        var walk = Go1.Measure(go1.Record);
        using var episode = new EpisodeReader(go1.Record);
        var ticks = episode.Ticks().Where(tick => tick.ActionAgeNs > 0).ToArray();
        double Age(double delay)
        {
            double Delay(EpisodeTick tick) => ((tick.Due - began).TotalSeconds - after) * added / ramp;
            return ticks.Where(tick => Delay(tick) >= delay && Delay(tick) < delay + step).Average(tick => tick.ActionAgeNs / 1e6);
        }

        double measured = (Age(second) - Age(first)) * added / (second - first);
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"20 ms added, {measured:F2} ms measured; {walk}"));
        Assert.InRange(measured, 18, 22);
        Assert.True(walk.Upright > 0.9, $"fell: {walk}");
        Assert.InRange(walk.Speed, 0.95, 1.06);
    }

    [Fact]
    public void Go1_WhenActionsGrowOlderThanTolerated_HoldsBeforeItFalls()
    {
        using var go1 = new Go1();
        AssertHeld(go1, ["--command-delay", "28", "--state-delay", "7", "--delay-after", "5", "--delay-ramp", "1"], "action age exceeded");
        Assert.InRange(ActionAges(go1.Record).Max(), 32, 60);
    }

    [Fact]
    public void Go1_WhenTheLinkSlowsDownBy40MsAtOnceWhileItWalks_HoldsBeforeItFalls()
    {
        using var go1 = new Go1();
        AssertHeld(go1, ["--command-delay", "40", "--delay-after", "5"], "action age exceeded", "command expired");
        Assert.InRange(Go1.Measure(go1.Record).Seconds, 1, 7.5);
    }

    // When the robot's process said that it was ready.
    private MonotonicTime Undisturbed(Go1 go1, string[] robotArgs, params string[] args)
    {
        for (int attempt = 1; ; attempt++)
        {
            using var world = new World(go1.Robot, robotArgs);
            var ready = MonotonicTime.SystemNow();
            using var controller = world.Run(go1.Policy, "go1", go1.Record, args);
            if (controller.WaitForExit(TimeSpan.FromSeconds(40)) == 0)
            {
                return ready;
            }

            string hold = controller.All.Last(line => line.Contains("\"to\":\"holding\"", StringComparison.Ordinal));
            output.WriteLine($"attempt {attempt} was disturbed: {hold}");
            Assert.True(attempt < Attempts, hold);
        }
    }

    private void AssertHeld(Go1 go1, string[] robotArgs, params string[] reasons)
    {
        for (int attempt = 1; ; attempt++)
        {
            using var world = new World(go1.Robot, robotArgs);
            using var controller = world.Run(go1.Policy, "go1", go1.Record, "--command", "vx=1.0", "--duration", "8");
            Assert.Equal(1, controller.WaitForExit(TimeSpan.FromSeconds(40)));
            string reason = (string)controller.Last("summary")["first_reason"]!;
            using var episode = new EpisodeReader(go1.Record);
            var robot = Packages.RobotFile.Parse(episode.Header!.Robot, go1.Record);
            int orientation = robot.Layout.Find("base.orientation")!.Offset;
            double upright = episode.Ticks().Where(tick => tick.State == ControlState.Running).Min(tick => Go1.Up(tick.Signals.AsSpan(orientation, 4)));
            double afterwards = episode.Ticks().Min(tick => Go1.Up(tick.Signals.AsSpan(orientation, 4)));
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"attempt {attempt}: held for '{reason}'; least upright until the hold {upright:F3}, in the hold {afterwards:F3}"));
            if (reasons.Contains(reason) || attempt == Attempts)
            {
                Assert.Contains(reason, reasons);
                Assert.True(upright > 0.9, $"fell before it held: {upright}");
                return;
            }
        }
    }

    // ms, of every tick at which a command had been applied.
    private static double[] ActionAges(string record)
    {
        using var episode = new EpisodeReader(record);
        return [.. episode.Ticks().Where(tick => tick.ActionAgeNs > 0).Select(tick => tick.ActionAgeNs / 1e6)];
    }
}

/// <summary>Tests that need the machine's time for themselves run one after another.</summary>
[CollectionDefinition("real time", DisableParallelization = true)]
public sealed class RealTimeCollection;
