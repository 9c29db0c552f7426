using Robotics.Numerics;
using Robotics.Tests;

namespace Robotics.Learning.Tests.Lab;

/// <summary>kill -9 leaves a training that the same command finishes as if nothing had happened.</summary>
public sealed class KilledTrainingTests(ITestOutputHelper output)
{
    private const int Kills = 5;

    // About ten seconds of training: room for five kills, each up to half a second after the first line of metrics.
    private static readonly string[] _train =
    [
        "train", "diffusion", "--task", "detour", "--data", "../data", "--run", "run", "--width", "64", "--layers", "2", "--batch", "32",
        "--steps", "12000", "--validation", "0.1",
    ];

    [Fact]
    public void Train_KilledFiveTimes_EndsWithTheBytesOfARunThatWasNot()
    {
        using var folder = new TemporaryFolder();
        var (code, _, errors) = LabProcess.Run(folder.Path, "collect", "--task", "detour", "--episodes", "40", "--out", "data");
        Assert.True(code == 0, errors);
        string whole = Directory.CreateDirectory(folder.At("whole")).FullName, killed = Directory.CreateDirectory(folder.At("killed")).FullName;
        (code, _, errors) = LabProcess.Run(whole, _train);
        Assert.True(code == 0, errors);

        var random = new SeededRandom((ulong)Environment.TickCount64); // any time at all; printed, so that a failure can be told
        string metrics = Path.Combine(killed, "run", "metrics.csv"), checkpoint = Path.Combine(killed, "run", "checkpoint.bin");
        for (int kill = 0; kill < Kills; kill++)
        {
            var delay = TimeSpan.FromMilliseconds(random.NextDouble(0, 500));
            string before = File.Exists(metrics) ? File.ReadAllText(metrics) : "";
            using var process = LabProcess.Start(killed, _train);
            Assert.True(
                SpinWait.SpinUntil(() => process.HasExited || (File.Exists(metrics) && File.ReadAllText(metrics).Length > before.Length), TimeSpan.FromSeconds(30)),
                "no line of metrics within 30 s");
            Thread.Sleep(delay);
            Assert.False(process.HasExited, "the training was over before it was killed: give it more steps");
            process.Kill();
            process.WaitForExit();
            output.WriteLine($"killed {delay.TotalMilliseconds:F0} ms after its first line, at {File.ReadLines(metrics).Last()}");
        }

        Assert.True(File.Exists(checkpoint), "every kill came before the first checkpoint: nothing was resumed");
        (code, _, errors) = LabProcess.Run(killed, _train);
        Assert.True(code == 0, errors);
        foreach (string file in new[] { "metrics.csv", "checkpoint.bin", "config.json", "loss.svg", "package/step.onnx", "package/golden.csv", "package/policy.json" })
        {
            Assert.True(
                File.ReadAllBytes(Path.Combine(whole, "run", file)).AsSpan().SequenceEqual(File.ReadAllBytes(Path.Combine(killed, "run", file))), $"{file} differs");
        }
    }
}
