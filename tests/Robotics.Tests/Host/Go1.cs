using Robotics.Episodes;
using Robotics.Sim.Mujoco;

namespace Robotics.Tests.Host;

/// <summary>go1-joystick as a user would lay it out: a policy package and a robot file, in a folder of their own.</summary>
internal sealed class Go1 : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public Go1()
    {
        Assert.SkipUnless(MujocoLibrary.IsAvailable(out string? problem), problem ?? "");
        string described = Path.Combine(Repository.Root, "tests", "Robotics.Tests", "Cases", "go1-joystick");
        Directory.CreateDirectory(Policy);
        Directory.CreateDirectory(_folder.At("robot"));
        File.Copy(Path.Combine(described, "policy.json"), Path.Combine(Policy, "policy.json"));
        File.Copy(Repository.Case("go1-joystick/policy.onnx"), Path.Combine(Policy, "policy.onnx"));
        File.Copy(Path.Combine(described, "robot.json"), Robot);
        File.Copy(Repository.Case("go1-joystick/scene.xml"), _folder.At("robot/scene.xml"));
    }

    public string Policy => _folder.At("policy");

    public string Robot => _folder.At("robot/robot.json");

    public string Record => _folder.At("run.mcap");

    public void Dispose() => _folder.Dispose();

    /// <summary>What the trunk did while the policy drove, from the record.</summary>
    public static Walk Measure(string record)
    {
        using var episode = new EpisodeReader(record);
        var robot = Packages.RobotFile.Parse(episode.Header!.Robot, record);
        int position = robot.Layout.Find("base.position")!.Offset;
        int orientation = robot.Layout.Find("base.orientation")!.Offset;
        var driven = episode.Ticks().Where(tick => tick.State == ControlState.Running).ToList();
        var first = driven[0];
        var second = driven.First(tick => (tick.Due - first.Due).TotalSeconds >= 1);
        var last = driven[^1];
        double seconds = (last.Due - second.Due).TotalSeconds;
        return new(
            (last.Due - first.Due).TotalSeconds,
            (last.Signals[position] - second.Signals[position]) / seconds,
            driven.Max(tick => Math.Abs(tick.Signals[position + 1])),
            driven.Min(tick => tick.Signals[position + 2]),
            driven.Max(tick => tick.Signals[position + 2]),
            driven.Min(tick => Up(tick.Signals.AsSpan(orientation, 4))),
            Math.Sqrt(Math.Pow(last.Signals[position] - first.Signals[position], 2) + Math.Pow(last.Signals[position + 1] - first.Signals[position + 1], 2)));
    }

    /// <summary>The trunk's z axis times the world's, from a quaternion w, x, y, z.</summary>
    public static double Up(ReadOnlySpan<float> q) => 1 - (2 * ((q[1] * q[1]) + (q[2] * q[2])));
}

/// <summary>How it walked: seconds driven, mean forward speed after the first second, largest |y|, lowest and highest trunk, least
/// upright, and how far it got from its start.</summary>
internal sealed record Walk(double Seconds, double Speed, double Aside, double Lowest, double Highest, double Upright, double Moved);
