using System.Globalization;
using System.Text.Json.Nodes;
using Robotics.Episodes;

namespace Robotics.Tests.Host;

/// <summary>Broker, robot and controller as three processes in real time: go1 walks across MQTT, and holds when the link ages.</summary>
[Collection("real time")]
public sealed class ThreeProcessTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData("vx=1.0", 0.95, 1.06)]
    [InlineData("vx=0", -0.05, 0.05)]
    public void Go1_AcrossMqtt_WalksAsItsNotesDemand(string command, double slowest, double fastest)
    {
        using var go1 = new Go1();
        using var world = new World(go1.Robot);
        using var controller = world.Control(go1, "--command", command, "--duration", "5");
        int code = controller.WaitForExit(TimeSpan.FromSeconds(30));
        var walk = Go1.Measure(go1.Record);
        output.WriteLine($"{command}: {walk}");
        Assert.True(code == 0, string.Join('\n', controller.All) + controller.Errors);
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
        // 35 ms are tolerated and the path itself takes a few: 20 more pass, 40 more never do.
        using var go1 = new Go1();
        using var world = new World(go1.Robot, "--command-delay", "20", "--delay-after", "5");
        using var controller = world.Control(go1, "--command", "vx=1.0", "--duration", "8");
        controller.WaitForExit(TimeSpan.FromSeconds(40));
        var (before, after) = ActionAges(go1.Record);
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"action age {before:F2} ms before, {after:F2} ms after 20 ms were added"));
        Assert.InRange(after - before, 18, 22);
    }

    [Fact]
    public void Go1_WhenCommandsAgeBy40Ms_HoldsBeforeItFalls()
    {
        using var go1 = new Go1();
        using var world = new World(go1.Robot, "--command-delay", "40", "--delay-after", "5");
        using var controller = world.Control(go1, "--command", "vx=1.0", "--duration", "8");
        Assert.Equal(1, controller.WaitForExit(TimeSpan.FromSeconds(40)));
        var walk = Go1.Measure(go1.Record);
        output.WriteLine($"{walk}; {controller.Last("summary")["first_reason"]}");
        Assert.Contains((string?)controller.Last("summary")["first_reason"], new[] { "action age exceeded", "command expired" });
        Assert.True(walk.Upright > 0.9, $"fell before it held: {walk}");
    }

    // Median action age while running, in the seconds before and after the largest step in it.
    private static (double BeforeMs, double AfterMs) ActionAges(string record)
    {
        using var episode = new EpisodeReader(record);
        double[] ages = [.. episode.Ticks().Where(tick => tick.State == ControlState.Running && tick.ActionAgeNs > 0).Select(tick => tick.ActionAgeNs / 1e6)];
        double middle = (ages.Min() + ages.Max()) / 2;
        int step = Array.FindIndex(ages, 20, age => age > Median(ages[..20]) + 8);
        Assert.True(step > 0, $"no step in the action age: {ages.Min()} to {ages.Max()}, middle {middle}");
        return (Median(ages[..step]), Median(ages[Math.Min(step + 3, ages.Length - 1)..]));

        static double Median(double[] values)
        {
            double[] sorted = [.. values.Order()];
            return sorted[sorted.Length / 2];
        }
    }

    /// <summary>A broker and a simulated robot, each its own process.</summary>
    internal sealed class World : IDisposable
    {
        private readonly RoboticsProcess _robot;

        public World(string robot, params string[] robotArgs)
        {
            Broker = RoboticsProcess.Start("broker", "--port", "0", "--json");
            Port = (int)JsonNode.Parse(Broker.WaitFor("ready"))!["port"]!;
            _robot = RoboticsProcess.Start(["sim-robot", robot, "--broker", Url, "--json", .. robotArgs]);
            _robot.WaitFor("ready");
        }

        public RoboticsProcess Broker { get; private set; }

        public RoboticsProcess Robot => _robot;

        public int Port { get; }

        public string Url => $"mqtt://127.0.0.1:{Port}";

        public RoboticsProcess Control(Go1 go1, params string[] args) => RoboticsProcess.Start(
            ["run", go1.Policy, "--robot", "mqtt:go1", "--broker", Url, "--json", "--record", go1.Record, .. args]);

        /// <summary>Starts the broker again on the same port.</summary>
        public void RestartBroker()
        {
            Broker.Dispose();
            Broker = RoboticsProcess.Start("broker", "--port", Port.ToString(CultureInfo.InvariantCulture), "--json");
            Broker.WaitFor("ready");
        }

        public void Dispose()
        {
            _robot.Dispose();
            Broker.Dispose();
        }
    }
}

/// <summary>Tests that need the machine's time for themselves run one after another.</summary>
[CollectionDefinition("real time", DisableParallelization = true)]
public sealed class RealTimeCollection;
