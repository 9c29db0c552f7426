using System.Diagnostics;
using Robotics.Lab.Reinforcement;
using Robotics.Learning.Data;
using Robotics.Sim;
using Robotics.Tests;

namespace Robotics.Learning.Tests.Lab;

/// <summary>From nothing to a judged package by command lines, small.</summary>
public sealed class ReinforcementLabTests : IDisposable
{
    private static readonly string[] s_small = ["--set", "hidden=8,8", "batch=16", "--log-every", "100", "--evaluate-every", "200", "--episodes", "2", "--checkpoint-every", "200"];

    private readonly TemporaryFolder _folder = new();

    [Fact]
    public void Train_KilledAndStartedAgain_EndsWithTheSameMetricsAndPackage()
    {
        string[] command = ["train", "sac", "--task", "pendulum", "--steps", "1200", .. s_small, "--set", "random_steps=100"];
        Assert.Equal(0, LabProcess.Run(_folder.Path, [.. command, "--run", "whole"]).Code);
        using (var killed = LabProcess.Start(_folder.Path, [.. command, "--run", "killed"]))
        {
            var patience = Stopwatch.StartNew();
            while (!File.Exists(_folder.At("killed/checkpoint.bin")) && patience.Elapsed < TimeSpan.FromMinutes(1))
            {
                Thread.Sleep(20);
            }

            killed.Kill();
            killed.WaitForExit();
        }

        Assert.True(File.Exists(_folder.At("killed/checkpoint.bin")), "no checkpoint before it was killed");
        Assert.Equal(0, LabProcess.Run(_folder.Path, [.. command, "--run", "killed"]).Code);
        foreach (string file in (string[])["metrics.csv", "evaluation.csv", "package/policy.onnx", "package-critic/critic.onnx"])
        {
            Assert.Equal(File.ReadAllBytes(_folder.At("whole/" + file)), File.ReadAllBytes(_folder.At("killed/" + file)));
        }

        var (code, output, _) = LabProcess.Run(_folder.Path, "compare", "whole", "killed", "--picture", "curves.svg");
        Assert.Equal(0, code);
        Assert.Contains("| sac | 2 | 1200 |", output, StringComparison.Ordinal);
        Assert.StartsWith("<svg", File.ReadAllText(_folder.At("curves.svg")), StringComparison.Ordinal);

        (code, output, _) = LabProcess.Run(_folder.Path, "export", "--run", "whole", "--package", "drawn", "--drawn", "--single-graph", "actor.onnx");
        Assert.Equal(0, code);
        Assert.Contains("drawing its actions", output, StringComparison.Ordinal);
        Assert.True(File.Exists(_folder.At("actor.onnx")));
    }

    [Fact]
    public void Train_OfflineThenJudge_EndsInAPageAndACode()
    {
        using (var environment = new VectorEnvironment(LearningTasks.Named("pendulum")))
        {
            TransitionCollection.Collect(environment, Behaviours.Uniform(1), 1000, 1).Save(_folder.At("random" + RecordedTransitions.Extension));
        }

        string[] data = ["--task", "pendulum", "--data", "random" + RecordedTransitions.Extension];
        var (code, _, errors) = LabProcess.Run(_folder.Path, ["train", "bc", .. data, "--run", "bc", "--steps", "200", .. s_small]);
        Assert.True(code == 0, errors);
        (code, string output, errors) = LabProcess.Run(_folder.Path, ["judge", "bc/package", "--against", "bc/package", .. data, "--updates", "50", "--episodes", "3"]);
        Assert.True(code == 0, errors); // a policy is not worse than itself
        Assert.Contains("May be deployed", output, StringComparison.Ordinal);
        string page = File.ReadAllText(_folder.At("verdict.html"));
        Assert.Contains("pendulum-bc", page, StringComparison.Ordinal);
        Assert.Contains("doubly robust", page, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(new[] { "train", "iql", "--task", "runner", "--data", "random.transitions", "--run", "r" }, "has 3 observations and 1 actions, task 'runner' has")]
    [InlineData(new[] { "train", "sac", "--task", "runer", "--run", "r" }, "there is no task 'runer'; there are: cart-pole")]
    [InlineData(new[] { "train", "sac", "--task", "pendulum", "--run", "r", "--dynamics", "friction=2" }, "friction means nothing to task 'pendulum'")]
    [InlineData(new[] { "train", "sac", "--task", "pendulum", "--run", "r", "--log-every", "3", "--checkpoint-every", "10" }, "checkpoint_every is 10, expected a multiple of log_every, 3")]
    [InlineData(new[] { "compare", "nowhere" }, "'nowhere' holds no config.json of a reinforcement run")]
    [InlineData(new[] { "judge", "nowhere", "--task", "pendulum", "--data", "random.transitions" }, "nowhere")]
    [InlineData(new[] { "loop", "nowhere", "--task", "pendulum", "--run", "r" }, "nowhere")]
    [InlineData(new[] { "loop", "x", "--task", "pendulum", "--run", "r", "--robot", "mqtt:arm" }, "--robot and --broker are given together")]
    public void Commands_OnBadInput_SayOneErrorAndWriteNothing(string[] command, string expected)
    {
        using (var environment = new VectorEnvironment(LearningTasks.Named("pendulum")))
        {
            TransitionCollection.Collect(environment, Behaviours.Uniform(1), 20, 1).Save(_folder.At("random.transitions"));
        }

        var (code, _, errors) = LabProcess.Run(_folder.Path, command);
        Assert.True(code == 2, errors);
        Assert.Contains(expected, errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", errors, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_folder.At("r")) && Directory.EnumerateFileSystemEntries(_folder.At("r")).Any(), "something was written");
    }

    [Fact]
    public void Train_InASimulatorThatIsNotThere_SaysSoAndFails()
    {
        var (code, _, errors) = LabProcess.Run(_folder.Path, "train", "sac", "--task", "external:tcp:127.0.0.1:1", "--run", "r");
        Assert.Equal(1, code);
        Assert.Contains("Nobody listens at tcp:127.0.0.1:1", errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", errors, StringComparison.Ordinal);
    }

    public void Dispose() => _folder.Dispose();
}
