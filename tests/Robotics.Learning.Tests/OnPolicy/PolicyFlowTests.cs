using Robotics.Learning.Data;
using Robotics.Learning.Dense;
using Robotics.Learning.Evaluation;
using Robotics.Learning.OnPolicy;
using Robotics.Numerics;

namespace Robotics.Learning.Tests.OnPolicy;

/// <summary>The ratio tests and the fidelity probe of PolicyFlow's card, on its bandit.</summary>
public sealed class PolicyFlowTests
{
    private const int Batch = 1024;

    private static readonly PolicyFlowOptions _card = new() { BrownianWeight = 0, InitialDeviation = 0.3 };

    [Fact]
    public void LogRatios_OfAnUnchangedPolicy_AreZeroExactly()
    {
        var policy = new FlowPolicy(1, 2, _card, Batch, new RunningNormalizer(1), new SeededRandom(1));
        var (observations, traces, _) = Drawn(policy);
        float[] logs = new float[Batch];
        policy.LogRatios(observations, traces, Batch, new SeededRandom(3), logs);
        Assert.All(logs, log => Assert.Equal(0, log));
    }

    // The card measured 0.92 to 0.98 while steps are small beside σ.
    [Fact]
    public void LogRatios_AfterOneEpoch_FollowTheExactShiftOfTheEndpoint()
    {
        var policy = new FlowPolicy(1, 2, _card, Batch, new RunningNormalizer(1), new SeededRandom(1));
        var surrogate = new ClippedSurrogate(0.2);
        float[] logs = new float[Batch], slopes = new float[Batch], advantages;
        Matrix observations = new(0, 1), traces = new(0, 6);
        for (int round = 0; round < 10; round++) // the probe is of the last; the field has a shape by then
        {
            policy.Freeze();
            (observations, traces, advantages) = Drawn(policy, (ulong)round);
            for (int epoch = 0; epoch < 4; epoch++)
            {
                policy.LogRatios(observations, traces, Batch, new SeededRandom((ulong)epoch), logs);
                for (int i = 0; i < Batch; i++)
                {
                    slopes[i] = surrogate.Loss(MathF.Exp(logs[i]), advantages[i]).Slope * MathF.Exp(logs[i]) / Batch;
                }

                policy.Backward(traces, Batch, slopes, 0);
                policy.Network.Step(1e-3);
            }
        }

        double[] exact = Exact(policy, observations, traces);
        policy.LogRatios(observations, traces, Batch, new SeededRandom(99), logs);
        double correlation = Correlation(exact, [.. logs.Select(log => (double)log)]);
        TestContext.Current.SendDiagnosticMessage($"correlation {correlation:F3}, mean size {logs.Average(Math.Abs):F3}");
        Assert.InRange(correlation, 0.9, 1);
        Assert.InRange(logs.Average(Math.Abs), 1e-3, 0.2);
    }

    [Fact]
    public void Integrate_OfTheExactFieldOfOneAction_LandsOnIt()
    {
        // A network of zeros but for the last bias gives one velocity everywhere: from z it lands on z + v.
        var policy = new FlowPolicy(1, 2, _card, 4, new RunningNormalizer(1), new SeededRandom(1));
        policy.Network.Values.Clear();
        var (velocity, last) = (new[] { 0.5f, -0.25f }, policy.Network.Values.Length - 4); // then come the two free numbers
        for (int j = 0; j < 2; j++)
        {
            policy.Network.Values[last + j] = 4 * MathF.Atanh(velocity[j] / 4);
        }

        float[] middle = new float[2];
        policy.Actor.Act([0], middle, random: null);
        Assert.Equal(velocity, middle, (a, b) => Math.Abs(a - b) < 1e-5);
        Matrix observations = new(4, 1), traces = new(4, 6);
        float[] actions = new float[8];
        policy.Draw(observations, 0, 4, new SeededRandom(2), actions, traces);
        for (int i = 0; i < 4; i++)
        {
            for (int j = 0; j < 2; j++)
            {
                Assert.Equal(traces[i][j] + velocity[j], traces[i][2 + j], 1e-5);
                Assert.Equal(traces[i][2 + j] + traces[i][4 + j], actions[(2 * i) + j], 1e-6);
            }
        }
    }

    [Fact]
    public void Run_OnTheBandit_FindsAGoal()
    {
        using var environment = new SixGoals(256);
        using var flow = new PolicyFlow(environment, new()
        {
            Horizon = 1, Minibatches = 2, Epochs = 5, LearningRate = 3e-3, AdaptTo = null, NormalizeObservations = false, ScaleRewards = false, Hidden = [32, 32], Gamma = 0,
        });
        flow.Begin();
        double before = Rollout.Returns(environment, flow.Actor, 256, 1, new SeededRandom(1)).Average();
        for (int i = 0; i < 120; i++)
        {
            flow.Advance();
        }

        double after = Rollout.Returns(environment, flow.Actor, 256, 1, new SeededRandom(1)).Average();
        TestContext.Current.SendDiagnosticMessage($"{before:F3} to {after:F3}");
        Assert.True(after > 0.4 && before < 0.2, $"the reward went from {before} to {after}");
    }

    private static (Matrix Observations, Matrix Traces, float[] Advantages) Drawn(FlowPolicy policy, ulong seed = 2)
    {
        Matrix observations = new(Batch, 1), traces = new(Batch, 6);
        float[] actions = new float[2 * Batch];
        policy.Draw(observations, 0, Batch, new SeededRandom(seed), actions, traces);
        float[] advantages = [.. Enumerable.Range(0, Batch).Select(i => SixGoals.Reward(actions[2 * i], actions[(2 * i) + 1]))];
        Advantage.Normalize(advantages);
        return (observations, traces, advantages);
    }

    // ln ρ with the endpoint integrated anew from the same z.
    private static double[] Exact(FlowPolicy policy, Matrix observations, Matrix traces)
    {
        Matrix points = new(Batch, 2);
        var pass = new MlpPass(policy.Network.Spec, Batch);
        for (int i = 0; i < Batch; i++)
        {
            observations[i].CopyTo(pass.Input[i]);
            traces[i][..2].CopyTo(points[i]);
        }

        var field = policy.Actor.Field!;
        field.Integrate(pass, Batch, points);
        double[] exact = new double[Batch];
        for (int i = 0; i < Batch; i++)
        {
            for (int j = 0; j < 2; j++)
            {
                double sigma = field.Deviation(j), before = field.Deviation(j, Weights.Target), n = traces[i][4 + j], left = n - (points[i][j] - traces[i][2 + j]);
                exact[i] += (n * n / (2 * before * before)) - (left * left / (2 * sigma * sigma)) - Math.Log(sigma) + Math.Log(before);
            }
        }

        return exact;
    }

    private static double Correlation(double[] x, double[] y)
    {
        double mx = x.Average(), my = y.Average(), xy = 0, xx = 0, yy = 0;
        for (int i = 0; i < x.Length; i++)
        {
            (xy, xx, yy) = (xy + ((x[i] - mx) * (y[i] - my)), xx + ((x[i] - mx) * (x[i] - mx)), yy + ((y[i] - my) * (y[i] - my)));
        }

        return xy / Math.Sqrt(xx * yy);
    }
}
