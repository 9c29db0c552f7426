using System.Text.Json.Nodes;
using Robotics.Episodes;
using Robotics.Lab;
using Robotics.Learning.Data;
using Robotics.Packages;
using Robotics.Tests;

namespace Robotics.Learning.Tests.Lab;

/// <summary>What a person can hand to <c>robotics-lab</c> that cannot be learned from or run: one error that says what, where and what
/// to do, exit code 2, and nothing written.</summary>
public sealed class BadDataTests : IDisposable
{
    private static readonly RobotSpec _robot = LabTask.Named("detour").Robot;

    private readonly TemporaryFolder _folder = new();

    /// <summary>What is wrong, and what the message must name.</summary>
    public static TheoryData<string, string[]> Bad => new()
    {
        { "no folder", ["no record or folder 'data'"] },
        { "empty", ["no record (*.mcap) in data", "robotics-lab collect"] },
        { "no tick", ["1 records", "no tick of those drove the robot"] },
        { "unlabelled", ["b.mcap", "'outcome'", "--assume"] },
        { "odd label", ["b.mcap", "'maybe'", "success or failure"] },
        { "not a number", ["b.mcap", "tick 3: observation element 0 is NaN"] },
        { "infinite action", ["b.mcap", "tick 3: action element 0 is Infinity"] },
        { "short signals", ["b.mcap", "tick 3", "7 signals", "'detour'", "have 8"] },
        { "long action", ["b.mcap", "tick 3", "3 targets", "'detour'", "have 2"] },
        { "another task", ["situation"] },
        { "two robots", ["b.mcap", "robot 'other'", "a.mcap on 'detour'"] },
        { "truncated", ["b.mcap", "--allow-truncated"] },
        { "cut to nothing", ["b.mcap", "no readable header"] },
        { "too few", ["episodes are 1, of which 1 would validate"] },
    };

    [Theory]
    [MemberData(nameof(Bad))]
    public void Train_OnBadData_SaysOneErrorAndWritesNothing(string what, string[] named)
    {
        string data = _folder.At("data");
        string task = "detour";
        if (what != "no folder")
        {
            Directory.CreateDirectory(data);
        }

        if (what is not ("no folder" or "empty" or "no tick"))
        {
            Record("a.mcap");
        }

        switch (what)
        {
            case "no tick":
                Record("b.mcap", ticks: 0);
                break;
            case "unlabelled":
                Record("b.mcap", outcome: null);
                break;
            case "odd label":
                Record("b.mcap", outcome: "maybe");
                break;
            case "not a number":
                Record("b.mcap", (signals, sent) => ([.. signals[..^2], float.NaN, 0], sent));
                break;
            case "infinite action":
                Record("b.mcap", (signals, sent) => (signals, [float.PositiveInfinity, 0]));
                break;
            case "short signals":
                Record("b.mcap", (signals, sent) => (signals[..^1], sent));
                break;
            case "long action":
                Record("b.mcap", (signals, sent) => (signals, [.. sent, 0]));
                break;
            case "another task":
                task = "push-t";
                named = ["block.keypoints", "'detour'"];
                break;
            case "two robots":
                Record("b.mcap", robot: _robot with { Name = "other" });
                break;
            case "truncated":
                Record("b.mcap");
                Cut("b.mcap", keep: 0.9);
                break;
            case "cut to nothing":
                Record("b.mcap");
                Cut("b.mcap", keep: 0.01);
                break;
        }

        var (code, _, errors) = LabProcess.Run(_folder.Path, "train", "diffusion", "--task", task, "--data", "data", "--run", "run", "--steps", "10");
        OneError(code, errors, named);
        Assert.False(Directory.Exists(_folder.At("run")), "the run's folder was made");
    }

    [Theory]
    [InlineData("another family", "kind", "\"velocity\"", "sampler.diffusion is given, which belongs to kind 'denoiser'")]
    [InlineData("another horizon", "sampler.horizon", "32", "float32[1,16,2] is not [K, Tp, Da] with K 1 (sampler.candidates) and Tp 32 (sampler.horizon)")]
    [InlineData("another time", "models.0.inputs.1.name", "\"time\"", "the graph's inputs are")]
    [InlineData("another prediction", "sampler.diffusion.prediction", "\"epsilon\"", "golden.csv differs by up to")]
    public void Eval_OfAPackageWhoseSamplerAndGraphDisagree_SaysOneError(string what, string path, string value, string named)
    {
        string package = _folder.At("package");
        Directory.CreateDirectory(package);
        foreach (string file in Directory.EnumerateFiles(Path.Combine(Repository.Root, "models", "push-t-diffusion")))
        {
            File.Copy(file, Path.Combine(package, Path.GetFileName(file)));
        }

        string manifest = Path.Combine(package, "policy.json");
        var root = JsonNode.Parse(File.ReadAllText(manifest))!;
        string[] parts = path.Split('.');
        var at = parts[..^1].Aggregate(root, (node, part) => (int.TryParse(part, out int index) ? node[index] : node[part])!);
        at[parts[^1]] = JsonNode.Parse(value);
        File.WriteAllText(manifest, root.ToJsonString());
        var (code, _, errors) = LabProcess.Run(_folder.Path, "eval", "--policy", "package", "--episodes", "1");
        OneError(code, errors, named);
        Assert.NotEmpty(what);
    }

    [Fact]
    public void Export_OfANetworkThatIsNoStepOfASampler_SaysOneError()
    {
        Record("a.mcap");
        Record("b.mcap");
        var (code, _, errors) = LabProcess.Run(
            _folder.Path, "train", "diffusion", "--task", "detour", "--data", "data", "--run", "run", "--steps", "10", "--width", "16", "--layers", "2", "--batch", "4", "--validation", "0");
        Assert.True(code == 0, errors);
        string config = _folder.At("run/config.json");
        var root = JsonNode.Parse(File.ReadAllText(config))!;
        root["network"]!["time"] = "none";
        File.WriteAllText(config, root.ToJsonString());
        (code, _, errors) = LabProcess.Run(_folder.Path, "export", "--run", "run", "--package", "package");
        OneError(code, errors, "config.json", "cannot be exported", "told no time");
        Assert.False(Directory.Exists(_folder.At("package")), "a package was begun");
    }

    public void Dispose() => _folder.Dispose();

    private static void OneError(int code, string errors, params string[] named)
    {
        Assert.True(code == 2, $"code {code}\n{errors}");
        Assert.Single(errors.Split('\n'), line => line.StartsWith("robotics-lab: ", StringComparison.Ordinal));
        Assert.DoesNotContain("   at ", errors, StringComparison.Ordinal); // no stack trace
        Assert.All(named, word => Assert.Contains(word, errors, StringComparison.Ordinal));
    }

    // Half a path past the obstacle; tick 3 as the caller wants it.
    private void Record(
        string name, Func<float[], float[], (float[] Signals, float[] Sent)>? third = null, string? outcome = "success", RobotSpec? robot = null, int ticks = 8)
    {
        Directory.CreateDirectory(_folder.At("data"));
        using var writer = new EpisodeWriter(new FileStream(Path.Combine(_folder.At("data"), name), FileMode.Create), new EpisodeHeader
        {
            Program = "test",
            StartedUtc = DateTimeOffset.UnixEpoch,
            StartedAt = new(0),
            Robot = RobotFile.Write(robot ?? _robot),
            Properties = outcome is null ? new Dictionary<string, string>() : new() { [EpisodeSet.Outcome] = outcome },
        });
        for (int i = 0; i < ticks; i++)
        {
            float[] signals = [.. Enumerable.Range(0, _robot.Layout.Length).Select(j => 0.01f * (i + j))], sent = [0.1f * i, 0.2f * i];
            (signals, sent) = i == 3 && third is not null ? third(signals, sent) : (signals, sent);
            writer.Write(new TickRow { Tick = (ulong)i, Due = new(i * 100_000_000L), State = ControlState.Running, Signals = signals, Wanted = sent, Sent = sent });
        }
    }

    private void Cut(string name, double keep)
    {
        string path = Path.Combine(_folder.At("data"), name);
        byte[] bytes = File.ReadAllBytes(path);
        File.WriteAllBytes(path, bytes[..(int)(keep * bytes.Length)]);
    }
}
