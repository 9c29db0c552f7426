using Robotics.Learning.OnPolicy;
using Robotics.Learning.Tests.Training;
using Robotics.Learning.Training;

namespace Robotics.Learning.Tests.OnPolicy;

public sealed class OnPolicyTests : IDisposable
{
    private static readonly PolicyFlowOptions _small = new()
    {
        Hidden = [16], Horizon = 8, Epochs = 2, Minibatches = 3, LearningRate = 1e-3, IntegrationSteps = 3, TargetKl = 0.05,
    };

    private static readonly RunOptions _run = new() { Steps = 400, LogEvery = 20, EvaluateEvery = 100, EvaluationEpisodes = 2, CheckpointEvery = 80 };

    private readonly string _folder = Directory.CreateTempSubdirectory("robotics-on-policy-").FullName;

    public static TheoryData<string> Methods => ["ppo", "spo", "policy-flow"];

    [Theory]
    [MemberData(nameof(Methods))]
    public void Run_CutOffAndResumed_GivesTheSameMetrics(string method)
    {
        string whole = Path.Combine(_folder, "whole"), cut = Path.Combine(_folder, "cut");
        float[] expected = Train(method, whole, long.MaxValue), untrained = Train(method, null, 0);
        foreach (long until in new long[] { 30, 200, 250, 251 }) // before the first checkpoint, between two, on one, at once
        {
            Train(method, cut, until);
            File.AppendAllText(Path.Combine(cut, "metrics.csv"), "299,0.1"); // a line that the kill tore
        }

        Assert.Equal(expected, Train(method, cut, long.MaxValue));
        Assert.NotEqual(expected, untrained);
        foreach (string file in new[] { "metrics.csv", "evaluation.csv" })
        {
            Assert.Equal(File.ReadAllText(Path.Combine(whole, file)), File.ReadAllText(Path.Combine(cut, file)));
        }
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void Run_WithAnotherSeed_IsAnotherRun(string method)
    {
        float[] one = Train(method, null, 100), same = Train(method, null, 100), other = Train(method, null, 100, _small with { Seed = 2 });
        Assert.Equal(one, same);
        Assert.NotEqual(one, other);
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void Run_WhenARewardIsNoNumber_SaysSoAndKeepsTheCheckpoint(string method)
    {
        using var environment = new TinyPendulum(2) { BreaksAt = 99 };
        using var learner = Create(method, environment, _small);
        var error = Assert.Throws<InvalidOperationException>(() =>
            new ReinforcementTrainer(learner, null, _run, _folder).Run(cancellation: TestContext.Current.CancellationToken));
        Assert.StartsWith("Task 'tiny-pendulum' gave a reward of NaN in environment 0: nothing can be learned from it.", error.Message, StringComparison.Ordinal);
        using var healthy = new TinyPendulum(2);
        using var again = Create(method, healthy, _small);
        _ = new ReinforcementTrainer(again, null, _run, _folder);
        Assert.Equal(160, again.Steps);
    }

    // Every step is rewarded by 1 and ends the episode. Where the task ended it is worth 1; where only time ran out, 1 + 1/2 + 1/4 ... = 2.
    [Theory]
    [InlineData(true, 1)]
    [InlineData(false, 2)]
    public void Value_OfAStateThatEnds_DependsOnWhatEndedIt(bool terminated, double worth)
    {
        using var environment = new OneStep(terminated);
        using var ppo = new Ppo(environment, new OnPolicyOptions
        {
            Hidden = [8], Horizon = 16, Minibatches = 1, Gamma = 0.5, LearningRate = 0.01, ScaleRewards = false, NormalizeObservations = false,
        });
        ppo.Begin();
        double[] line = new double[ppo.Columns.Count];
        for (int i = 0; i < 60; i++)
        {
            ppo.Advance();
            ppo.Report(line);
        }

        Assert.Equal(worth, line[ppo.Columns.ToList().IndexOf("value")], 0.05);
    }

    [Fact]
    public void Run_WithAnnealing_EndsAtNothing()
    {
        using var environment = new TinyPendulum(2, limit: 30);
        using var ppo = new Ppo(environment, new OnPolicyOptions { Hidden = [8], Horizon = 8, Minibatches = 2, Epochs = 1, LearningRate = 0.01, AnnealOver = 64 });
        ppo.Begin();
        List<double> rates = [];
        double[] line = new double[ppo.Columns.Count];
        for (int i = 0; i < 5; i++)
        {
            ppo.Advance();
            ppo.Report(line);
            rates.Add(line[ppo.Columns.ToList().IndexOf("learning_rate")]);
        }

        Assert.Equal([0.01, 0.0075, 0.005, 0.0025, 0], rates, (a, b) => Math.Abs(a - b) < 1e-12);
    }

    [Fact]
    public void Spo_OverManyEpochs_KeepsRatiosWherePpoDoesNot()
    {
        Assert.True(Farthest("ppo") > 0.2, "PPO stayed inside: the comparison says nothing");
        Assert.InRange(Farthest("spo"), 0, 0.2);

        // The largest mean |ρ - 1| of a few updates with far too many epochs.
        static double Farthest(string method)
        {
            using var environment = new TinyPendulum(4);
            using var learner = Create(method, environment, _small with
            {
                Hidden = [64, 64], Horizon = 128, Epochs = 60, Minibatches = 8, LearningRate = 1e-2, TargetKl = null, AdaptTo = null, MostLogRatio = null,
            });
            learner.Begin();
            double[] line = new double[learner.Columns.Count];
            double farthest = 0;
            for (int i = 0; i < 4; i++)
            {
                learner.Advance();
                learner.Report(line);
                farthest = Math.Max(farthest, line[learner.Columns.ToList().IndexOf("ratio_mean")]);
            }

            TestContext.Current.SendDiagnosticMessage($"{method}: {farthest:F3}");
            return farthest;
        }
    }

    [Fact]
    public void Checked_WithSeveralBadOptions_ReportsAllOfThem()
    {
        var bad = new OnPolicyOptions { Hidden = [], Gamma = 1, Bound = 0, Epochs = 0, AdaptTo = 0.01, AnnealOver = 1000 };
        Assert.Equal(5, Assert.Throws<ConfigException>(() => bad.Checked("ppo.json")).Problems.Count);
        var flow = new PolicyFlowOptions { Lambda = 2, InitialDeviation = 2, BrownianWeight = -1 };
        Assert.Equal(3, Assert.Throws<ConfigException>(() => flow.Checked("flow.json")).Problems.Count);
        using var environment = new TinyPendulum(2);
        var error = Assert.Throws<ConfigException>(() => new Ppo(environment, new OnPolicyOptions { Horizon = 4, Minibatches = 9 }));
        Assert.Equal("ppo: minibatches is 9, expected 1 to the 8 steps of horizon 4 x 2 environments", error.Message);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static OnPolicyLearner Create(string method, IVectorEnvironment environment, PolicyFlowOptions options) => method switch
    {
        "ppo" => new Ppo(environment, options),
        "spo" => new Spo(environment, options),
        _ => new PolicyFlow(environment, options),
    };

    private static float[] Train(string method, string? folder, long until, PolicyFlowOptions? options = null)
    {
        using var environment = new TinyPendulum(2, limit: 30);
        using var evaluation = new TinyPendulum(2, limit: 30);
        using var learner = Create(method, environment, options ?? _small);
        using var cut = new CutShort(learner, until);
        new ReinforcementTrainer(cut, evaluation, _run, folder).Run(cancellation: cut.Token);
        return [.. learner.Actor.Network.Values];
    }

    private sealed class OneStep(bool terminated) : IVectorEnvironment
    {
        public string Name => "one-step";

        public int Count => 1;

        public int ObservationSize => 1;

        public int ActionSize => 1;

        public void Reset(ulong seed, Span<float> observations) => observations.Fill(1);

        public void Step(ReadOnlySpan<float> actions, VectorStep step)
        {
            step.Observations[0] = step.Reached[0] = step.Rewards[0] = 1;
            (step.Terminated[0], step.Truncated[0]) = (terminated, !terminated);
        }

        public void Dispose()
        {
        }
    }
}
