using Robotics.Learning.Data;
using Robotics.Learning.Evaluation;
using Robotics.Learning.Offline;
using Robotics.Learning.Networks;

namespace Robotics.Learning.Tests.Evaluation;

public sealed class FittedQTests
{
    private static readonly FittedQOptions _small = new() { Hidden = [16], Batch = 64, Updates = 1500, Tau = 0.05, LearningRate = 3e-3, Resamples = 4, Probes = 50 };

    // Every step pays 1; an episode has 3 steps and then the task ends, or time runs out: 1 + γ + γ², or 1/(1 - γ).
    [Theory]
    [InlineData(true, 1 + 0.5 + 0.25)]
    [InlineData(false, 2)]
    public void Evaluate_OfAConstantReward_KnowsWhatEndsAnEpisode(bool terminated, double expected)
    {
        var data = Chain(terminated);
        var judged = Judge(data, Cloned(data), _small with { Gamma = 0.5 });
        Assert.Equal(expected, judged.Estimate, 0.05);
        Assert.InRange(judged.Estimate, judged.Low - 0.05, judged.High + 0.05);
        Assert.Equal(1.75, judged.Recorded, 1e-6);
        Assert.Equal((60, 20), (judged.Rows, judged.Episodes));
        Assert.Equal(judged, Judge(data, Cloned(data), _small with { Gamma = 0.5 }));
    }

    // Actions are uniform and each episode is one step that pays 1 - (a - 0.5)²: a policy that always sends x earns 1 - (x - 0.5)².
    [Fact]
    public void Evaluate_OfAnotherPolicyThanTheRecords_ToldByValuesAndByWeights()
    {
        var data = Recorded.Bandit(2000);
        using var td3 = new Td3Bc(data, new() { Hidden = [24], LearningRate = 1e-3 });
        for (int i = 0; i < 1500; i++)
        {
            td3.Advance();
        }

        float[] sent = new float[1];
        td3.Actor.Act([1], sent, null);
        double truth = 1 - ((sent[0] - 0.5) * (sent[0] - 0.5));
        var judged = Judge(data, td3.Actor, _small with { Kernel = 0.1 });
        Assert.Equal(1 - (1 / 3.0) - 0.25, judged.Recorded, 0.05);
        Assert.Equal(truth, judged.Estimate, 0.06);
        Assert.Equal(truth, judged.Weights!.Ordinary, 0.06);
        Assert.Equal(truth, judged.Weights.Weighted, 0.06);
        Assert.Equal(truth, judged.Weights.DoublyRobust, 0.06);
        Assert.InRange(judged.Weights.EffectiveEpisodes, 100, 600);
        Assert.Equal(0, judged.Outside);
    }

    [Fact]
    public void Evaluate_OfAPolicyThatLeavesTheRecord_SaysHowOften()
    {
        TransitionSet data = Right(0.9f), other = Right(-0.5f);
        using var cloned = new BehaviourCloning(other, new() { Hidden = [4], LearningRate = 1e-2 });
        for (int i = 0; i < 200; i++)
        {
            cloned.Advance();
        }

        var judged = Judge(data, cloned.Actor, _small with { Updates = 1 });
        Assert.Equal(1, judged.Outside);
        Assert.Null(judged.Weights); // nobody wrote down how likely the actions were
        Assert.Equal(0, Judge(other, cloned.Actor, _small with { Updates = 1 }).Outside);

        static TransitionSet Right(float action)
        {
            var builder = new TransitionSetBuilder(1, 1);
            for (int i = 0; i < 50; i++)
            {
                builder.Add([i / 50f], [action], 0, [0], terminated: true);
            }

            return builder.Build();
        }
    }

    [Fact]
    public void Evaluate_OfAPolicyOfAnotherRobot_SaysBothSides()
    {
        var error = Assert.Throws<ConfigException>(() => Judge(Recorded.Pendulum(), Cloned(Chain(true)), _small));
        Assert.Equal("The policy has 1 observations and 1 actions, the record 3 and 1: they are of different tasks or robots.", error.Message);
    }

    [Fact]
    public void Checked_WithSeveralBadOptions_ReportsAllOfThem() =>
        Assert.Equal(4, Assert.Throws<ConfigException>(() => new FittedQOptions { Gamma = 1, Kernel = 0, Updates = 0, Neighbours = 0 }.Checked("x")).Problems.Count);

    private static Judgement Judge(TransitionSet data, Actor actor, FittedQOptions options) =>
        FittedQ.Evaluate(data, actor, options, cancellation: TestContext.Current.CancellationToken);

    private static TransitionSet Chain(bool terminated)
    {
        var builder = new TransitionSetBuilder(1, 1);
        for (int e = 0; e < 20; e++)
        {
            for (int t = 0; t < 3; t++)
            {
                builder.Add([t], [(e % 5 / 2f) - 1], 1, [t + 1], terminated && t == 2);
            }

            builder.EndEpisode();
        }

        return builder.Build();
    }

    private static Actor Cloned(TransitionSet data)
    {
        using var cloned = new BehaviourCloning(data, new() { Hidden = [8], Seed = 3 });
        return cloned.Actor;
    }
}
