using Robotics.Learning.Data;
using Robotics.Learning.Evaluation;
using Robotics.Learning.Hybrid;
using Robotics.Numerics;

namespace Robotics.Learning.Tests.Hybrid;

public sealed class H2oTests
{
    // The robot: s' ~ N(0, 1). The simulator: s' ~ N(a, 1). The true log ratio is a·s' - a²/2.
    [Fact]
    public void LogRatio_OfTwoGaussians_FollowsTheTruth()
    {
        const int half = 64;
        var random = new SeededRandom(1);
        var batch = new Batch(2 * half, 1, 1);
        var discriminators = new Discriminators(1, 1, [32, 32], 2 * half, inputNoise: 0.1, random);
        for (int i = 0; i < 1500; i++)
        {
            Draw(batch, half, random);
            discriminators.Train(batch, half, 2 * half, 2e-3, random);
        }

        double[] estimated = new double[20 * half], truth = new double[20 * half];
        float[] ratio = new float[half];
        for (int i = 0; i < 20; i++)
        {
            Draw(batch, half, random);
            discriminators.LogRatio(batch, half, ratio, null);
            for (int row = 0; row < half; row++)
            {
                double a = batch.Actions[half + row][0];
                estimated[(i * half) + row] = ratio[row];
                truth[(i * half) + row] = (a * batch.Next[half + row][0]) - (0.5 * a * a);
            }
        }

        double correlation = Correlation(estimated, truth);
        TestContext.Current.SendDiagnosticMessage($"correlation {correlation:F3}");
        Assert.True(correlation >= 0.9, $"the correlation is {correlation}");

        static void Draw(Batch batch, int half, SeededRandom random)
        {
            for (int i = 0; i < 2 * half; i++)
            {
                batch.Observations[i][0] = (float)random.NextGaussian();
                batch.Actions[i][0] = (float)random.NextDouble(-1, 1);
                batch.Next[i][0] = (float)random.NextGaussian() + (i < half ? 0 : batch.Actions[i][0]);
            }
        }
    }

    [Fact]
    public void Train_OnAFixedBatch_LowersTheLossByItsOwnGradient()
    {
        var random = new SeededRandom(2);
        var batch = new Batch(8, 2, 1);
        for (int i = 0; i < 8; i++)
        {
            random.FillGaussian(batch.Observations[i]);
            random.FillGaussian(batch.Actions[i]);
            random.FillGaussian(batch.Next[i]);
        }

        var discriminators = new Discriminators(2, 1, [16], 8, inputNoise: 0, random);
        double first = discriminators.Train(batch, 4, 8, 1e-2, random), last = first;
        Assert.Equal(2 * Math.Log(2), first, 0.5); // two fair coins
        for (int i = 0; i < 200; i++)
        {
            last = discriminators.Train(batch, 4, 8, 1e-2, random);
        }

        Assert.True(last < 0.2, $"the loss went from {first} to {last}"); // separable: 2·tanh leaves 0.018 and 0.0003
    }

    [Fact]
    public void LogWeights_OfGaps_AreSharesOfWhatIsClamped()
    {
        double[] gaps = [1, 3, -2, 100]; // clamped: 1, 3, 1e-45, 10
        DynamicsGap.LogWeights(gaps);
        Assert.Equal([Math.Log(1 / 14.0), Math.Log(3 / 14.0), Math.Log(1e-45) - Math.Log(14), Math.Log(10 / 14.0)], gaps, (x, y) => Math.Abs(x - y) < 1e-9);
    }

    [Theory]
    [InlineData(0, 1)]            // as likely: fully
    [InlineData(-3, 1)]           // likelier on the robot: not more than fully
    [InlineData(2, 0.1353353f)]   // e^-2
    [InlineData(50, 1e-5f)]       // never nothing
    public void Trust_IsTheClampedRatio(float logRatio, float expected) => Assert.Equal(expected, DynamicsGap.Trust(logRatio), 1e-6f);

    // By hand: Q = (1, 2), ω = (1/4, 3/4), mean real 0.5: ln(e/4 + 3e²/4) - 0.5.
    [Fact]
    public void Conservative_OnTwoRows_IsTheHandCalculation()
    {
        double[] q = [1, 2], log = [Math.Log(0.25), Math.Log(0.75)];
        double a = Math.E / 4, b = 3 * Math.E * Math.E / 4;
        double term = DynamicsGap.Conservative(q, log, 0.5, temperature: 1, out double slope);
        Assert.Equal(Math.Log(a + b) - 0.5, term, 1e-12);
        Assert.Equal([a / (a + b), b / (a + b)], q, (x, y) => Math.Abs(x - y) < 1e-12);
        Assert.Equal(-1, slope);
    }

    [Fact]
    public void Conservative_BeyondItsLimit_PushesNobody()
    {
        double[] q = [5000, 4000], log = [0, 0];
        Assert.Equal(1000, DynamicsGap.Conservative(q, log, 0, temperature: 1, out double slope));
        Assert.Equal([0, 0, 0], [.. q, slope]);
    }

    // The simulator is the robot: weights and penalty may not cost much beside mixed batches without them.
    [Fact]
    public void Run_WithoutAGap_DoesNoHarm()
    {
        var data = Recorded.Pendulum(2000, limit: 200);
        double with = Learned(new H2oOptions()), without = Learned(new H2oOptions { Trust = false, Penalty = 0 });
        TestContext.Current.SendDiagnosticMessage($"{with} with, {without} without");
        Assert.True(with > without - 150 && with > -500, $"{with} with weights, {without} without");

        double Learned(H2oOptions options)
        {
            using TinyPendulum simulator = new(1), evaluation = new(10);
            using var h2o = new H2o(simulator, data, options with { Hidden = [32, 32], Batch = 64, LearningRate = 3e-3, StartSteps = 200 });
            h2o.Begin();
            while (h2o.Steps < 4000)
            {
                h2o.Advance();
            }

            return Rollout.Returns(evaluation, h2o.Actor, 20, seed: 5).Average();
        }
    }

    private static double Correlation(double[] x, double[] y)
    {
        double a = x.Average(), b = y.Average(), both = x.Zip(y, (p, q) => (p - a) * (q - b)).Sum();
        return both / Math.Sqrt(x.Sum(p => (p - a) * (p - a)) * y.Sum(q => (q - b) * (q - b)));
    }
}
