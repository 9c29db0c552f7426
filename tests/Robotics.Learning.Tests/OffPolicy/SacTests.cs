using Robotics.Learning.Evaluation;
using Robotics.Learning.OffPolicy;
using Robotics.Learning.Tests.Training;
using Robotics.Learning.Training;

namespace Robotics.Learning.Tests.OffPolicy;

public sealed class SacTests : IDisposable
{
    private static readonly SacOptions _small = new() { Hidden = [16, 16], Batch = 16, RandomSteps = 50, Replay = 150, LearningRate = 1e-3 };
    private static readonly RunOptions _run = new() { Steps = 400, LogEvery = 20, EvaluateEvery = 100, EvaluationEpisodes = 2, CheckpointEvery = 80 };

    private readonly string _folder = Directory.CreateTempSubdirectory("robotics-sac-").FullName;

    [Fact]
    public void Run_OnThePendulum_SwingsItUp()
    {
        // A short version of what the trial online-learning shows.
        using var environment = new TinyPendulum(1);
        using var evaluation = new TinyPendulum(10);
        using var sac = new Sac(environment, new SacOptions { Hidden = [64, 64], Batch = 64, LearningRate = 2e-3, RandomSteps = 500, Seed = 1 });
        double before = Rollout.Returns(evaluation, sac.Actor, 20, seed: 5).Average();
        double after = new ReinforcementTrainer(sac, evaluation, new RunOptions { Steps = 5000, EvaluateEvery = 5000, EvaluationEpisodes = 20 }, null)
            .Run(cancellation: TestContext.Current.CancellationToken);
        TestContext.Current.SendDiagnosticMessage($"{before} to {after}");
        Assert.True(after > -250 && after > before + 500, $"the return went from {before} to {after}");
    }

    [Theory]
    [InlineData(30)]  // before the first checkpoint: everything again
    [InlineData(199)] // between checkpoints and lines, the replay has gone round
    [InlineData(240)] // on one
    public void Run_CutOffAndResumed_GivesTheSameMetrics(int cutAt)
    {
        string whole = Path.Combine(_folder, "whole"), cut = Path.Combine(_folder, "cut");
        float[] expected = Train(whole, long.MaxValue, _small with { NStep = 3 });
        Train(cut, cutAt, _small with { NStep = 3 });
        File.AppendAllText(Path.Combine(cut, "metrics.csv"), "241,0.1"); // a line that the kill tore
        float[] resumed = Train(cut, long.MaxValue, _small with { NStep = 3 });
        Assert.Equal(expected, resumed);
        foreach (string file in new[] { "metrics.csv", "evaluation.csv" })
        {
            Assert.Equal(File.ReadAllText(Path.Combine(whole, file)), File.ReadAllText(Path.Combine(cut, file)));
        }
    }

    [Fact]
    public void Run_WithAnotherSeed_IsAnotherRun()
    {
        float[] one = Train(null, long.MaxValue, _small), same = Train(null, long.MaxValue, _small), other = Train(null, long.MaxValue, _small with { Seed = 2 });
        Assert.Equal(one, same);
        Assert.NotEqual(one, other);
    }

    [Fact]
    public void Run_WhenARewardIsNoNumber_SaysSoAndKeepsTheCheckpoint()
    {
        using var environment = new TinyPendulum(1) { BreaksAt = 199 };
        using var sac = new Sac(environment, _small, _folder, _run.CheckpointEvery);
        var trainer = new ReinforcementTrainer(sac, null, _run, _folder);
        var error = Assert.Throws<InvalidOperationException>(() => trainer.Run(cancellation: TestContext.Current.CancellationToken));
        Assert.Equal(
            "Task 'tiny-pendulum' gave a reward of NaN in environment 0: nothing can be learned from it. The last checkpoint is from before; "
            + "look at the task's reward and its simulation.",
            error.Message);
        using var healthy = new TinyPendulum(1);
        using var again = new Sac(healthy, _small, _folder, _run.CheckpointEvery);
        _ = new ReinforcementTrainer(again, null, _run, _folder);
        Assert.Equal(160, again.Steps);
    }

    [Fact]
    public void Constructor_OverAnotherRunsCheckpoint_Refuses()
    {
        Train(_folder, 100, _small);
        var error = Assert.Throws<ConfigException>(() => Train(_folder, 100, _small with { Gamma = 0.9 }));
        Assert.Contains("checkpoint.bin belongs to another run", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Checked_WithSeveralBadOptions_ReportsAllOfThem()
    {
        var bad = new SacOptions { Hidden = [], Gamma = 1, Batch = 0, Tau = 0 };
        Assert.Equal(4, Assert.Throws<ConfigException>(() => bad.Checked("sac.json")).Problems.Count);
    }

    [Fact]
    public void Returns_OfAnEpisodeThatNeverEnds_SaysSo()
    {
        using var endless = new TinyPendulum(1, limit: int.MaxValue);
        using var sac = new Sac(endless, _small with { Hidden = [1] });
        var error = Assert.Throws<InvalidOperationException>(() => Rollout.Returns(endless, sac.Actor, 1, 1));
        Assert.StartsWith("Task 'tiny-pendulum' has not ended 1 of 1 episodes", error.Message, StringComparison.Ordinal);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    // Trains until so many environment steps are made; stops there as a kill does, without a word to the folder.
    private static float[] Train(string? folder, long until, SacOptions options)
    {
        using var environment = new TinyPendulum(1, limit: 30);
        using var evaluation = new TinyPendulum(2, limit: 30);
        using var sac = new Sac(environment, options, folder, _run.CheckpointEvery);
        using var method = new CutShort(sac, until);
        new ReinforcementTrainer(method, evaluation, _run, folder).Run(cancellation: method.Token);
        return [.. sac.Actor.Network.Values];
    }
}
