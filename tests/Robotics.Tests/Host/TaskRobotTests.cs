using System.Globalization;
using System.Security.Cryptography;
using Robotics.Episodes;
using Robotics.Tests.Policies;

namespace Robotics.Tests.Host;

/// <summary>Learning tasks as robots of the program: driven by a package, with and without a gap.</summary>
public sealed class TaskRobotTests
{
    // Holds the pole up: action = 0.1 x + 0.17 v + 3.5 angle + 0.7 turning, ±10 N at ±1; hand-tuned.
    private static readonly float[] Balance = [0.1f, 0.17f, 3.5f, 0.7f];

    [Theory]
    [InlineData("", 0)]
    [InlineData("gravity=2,latency=1", 0)]
    [InlineData("gravity=2,mass=1.5,latency=1", 1)] // too heavy for these gains: it falls after some 2.5 s, and the task starts again
    [InlineData("motor=0", 1)]
    public void Run_InLockStep_BalancesThePoleAsFarAsTheGapAllows(string gap, int falls)
    {
        using var folder = new TemporaryFolder();
        string record = folder.At("run.mcap");
        var (code, output, errors) = RoboticsProcess.Run("run", Package(folder), "--robot", "sim:cart-pole", "--gap", gap, "--seed", "5", "--duration", "8", "--lock-step", "--record", record);
        Assert.True(code == 0, $"{output}\n{errors}");
        using var reader = new EpisodeReader(record);
        var robot = Packages.RobotFile.Parse(reader.Header!.Robot, record);
        Assert.Equal("cart-pole", robot.Name);
        int episode = robot.Layout.Find("task.episode")!.Offset;
        float[] episodes = [.. reader.Ticks().Where(tick => tick.State == ControlState.Running).Select(tick => tick.Signals[episode])];
        Assert.True(episodes.Length > 390, $"{episodes.Length} ticks");
        Assert.True(falls == 0 ? episodes[^1] == episodes[0] : episodes[^1] >= falls, $"episodes {episodes[0]} to {episodes[^1]}");
    }

    [Fact]
    public void SimRobot_PlaysATaskWithAGapOnMqtt()
    {
        using var folder = new TemporaryFolder();
        using var world = new World("sim:pendulum", "--gap", "gravity=2,latency=0..2");
        var (code, output, errors) = RoboticsProcess.Run("check", "push-t-reference", "--robot", "mqtt:pendulum", "--broker", world.Url);
        Assert.Equal(2, code);
        Assert.Contains("pivot", output + errors, StringComparison.Ordinal); // the pendulum's own joint came across
    }

    [Theory]
    [InlineData("sim:pendulum", "friction=2", "friction means nothing to task 'pendulum'; it has: gravity, mass, motor")]
    [InlineData("sim:push-t", "gravity=2", "--gap changes a learning task, and 'sim:push-t' is none; tasks: sim:cart-pole")]
    [InlineData("sim:pendulm", null, "the tasks are cart-pole, gates, hopper")]
    public void Run_WhenTheGapIsWrong_SaysWhatThereIs(string robot, string? gap, string expected)
    {
        var (code, _, errors) = RoboticsProcess.Run(["run", "--robot", robot, "--no-record", .. gap is null ? Array.Empty<string>() : ["--gap", gap]]);
        Assert.Equal(2, code);
        Assert.Contains(expected, errors, StringComparison.Ordinal);
    }

    private static string Package(TemporaryFolder folder)
    {
        byte[] network = new TinyOnnx().Input("obs", TinyOnnx.Float, 1, 4).Output("action", TinyOnnx.Float, 1, 1)
            .Constant("gains", Balance, 4, 1).Node("MatMul", "obs gains", "action").Bytes();
        File.WriteAllBytes(folder.At("policy.onnx"), network);
        string hash = Convert.ToHexStringLower(SHA256.HashData(network));
        File.WriteAllText(folder.At("policy.json"), string.Create(CultureInfo.InvariantCulture, $$"""
            {
              "format": "policy-package", "version": 1, "name": "balance",
              "files": [{ "path": "policy.onnx", "sha256": "{{hash}}" }],
              "models": [{ "file": "policy.onnx", "inputs": [{ "name": "obs", "from": "observation:observation" }], "outputs": [{ "name": "action", "to": "action" }] }],
              "observations": [{ "name": "observation", "terms": [
                { "name": "cart", "kind": "joint_position" }, { "name": "cart_speed", "kind": "joint_velocity" },
                { "name": "pole", "kind": "signal", "signal": "pole.angle" }, { "name": "pole_speed", "kind": "signal", "signal": "pole.angular_velocity" }
              ] }],
              "action": { "joints": ["cart"], "kind": ["effort"], "clip_raw": [-1, 1], "scale": 10 },
              "timing": { "period_ms": 20 }
            }
            """));
        return folder.Path;
    }
}
