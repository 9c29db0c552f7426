using Robotics.Numerics;

namespace Robotics.Tests.Core.Numerics;

public sealed class FlowSamplerTests
{
    [Theory]
    [InlineData(FlowSolver.Euler, 10)]
    [InlineData(FlowSolver.Euler, 1)]
    [InlineData(FlowSolver.Midpoint, 3)]
    [InlineData(FlowSolver.Heun, 4)]
    public void Run_AlongTheExactField_LandsOnTheAction(FlowSolver solver, int steps)
    {
        // The field of a single known action: a sign or time error walks away from it instead.
        float[] action = [0.2f, -1.7f, 0.55f, 3f];
        float[] x = new float[4], v = new float[4], anchor = new float[4], clean = new float[4];
        for (ulong seed = 0; seed < 20; seed++)
        {
            new SeededRandom(seed).FillGaussian(x);
            var sampler = new FlowSampler(solver, steps);
            for (int i = 0; i < sampler.Calls; i++)
            {
                for (int j = 0; j < 4; j++)
                {
                    v[j] = (float)((action[j] - x[j]) / (1 - sampler.Time(i)));
                }

                sampler.Step(i, x, v, anchor, clean);
                Assert.Equal(action, clean, Close.Element(1e-5f)); // a plan at every call
            }

            Assert.Equal(action, x, Close.Element(1e-5f));
        }
    }

    [Theory]
    [InlineData(FlowSolver.Euler, 5, new[] { 0, .2, .4, .6, .8 })]
    [InlineData(FlowSolver.Midpoint, 2, new[] { 0, .25, .5, .75 })]
    [InlineData(FlowSolver.Heun, 3, new[] { 0, 1 / 3.0, 1 / 3.0, 2 / 3.0, 2 / 3.0 })] // the fifth call is the Euler step
    public void Time_OfEveryCall_MatchesTheSolver(FlowSolver solver, int steps, double[] expected)
    {
        var sampler = new FlowSampler(solver, steps);
        Assert.Equal(expected.Length, sampler.Calls);
        Assert.All(expected, (s, i) => Assert.Equal(s, sampler.Time(i), 1e-12));
    }

    [Fact]
    public void Time_NeverReachesTheEnd_WhereNoNetworkWasTrained()
    {
        // Heun that asks at s = 1 was measured at 0.000 valid chunks on Detour.
        foreach (var solver in Enum.GetValues<FlowSolver>())
        {
            for (int steps = 1; steps <= 100; steps++)
            {
                var sampler = new FlowSampler(solver, steps, start: 0.3);
                Assert.All(Enumerable.Range(0, sampler.Calls), call => Assert.InRange(sampler.Time(call), 0.3, 0.9995));
            }
        }
    }

    [Theory]
    [InlineData(FlowSolver.Euler, 1)]    // global order of the method
    [InlineData(FlowSolver.Midpoint, 2)]
    public void Run_WithTwiceTheSteps_ErrsAsTheOrderSays(FlowSolver solver, int order)
    {
        // dx/ds = x + s from 1 has x(1) = 2e - 2.
        double ratio = Error(20) / Error(40);
        Assert.InRange(ratio, Math.Pow(2, order) * 0.85, Math.Pow(2, order) * 1.15);

        double Error(int steps)
        {
            var sampler = new FlowSampler(solver, steps);
            float[] x = [1], anchor = [0], clean = [0];
            for (int i = 0; i < sampler.Calls; i++)
            {
                sampler.Step(i, x, [(float)(x[0] + sampler.Time(i))], anchor, clean);
            }

            return Math.Abs(x[0] - ((2 * Math.E) - 2));
        }
    }

    [Fact]
    public void Start_OfAWarmRun_MixesChunkAndNoise()
    {
        var sampler = new FlowSampler(FlowSolver.Euler, 2, start: 0.6);
        float[] x = [0];
        sampler.Start([1f], [-1f], x);
        Assert.Equal(0.2f, x[0], 1e-6f);
        Assert.Equal(0.8, sampler.Time(1), 1e-12);
    }

    [Fact]
    public void Constructor_WithValuesOutOfRange_Throws()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new FlowSampler(FlowSolver.Euler, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new FlowSampler(FlowSolver.Euler, 5, start: 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new FlowSampler(FlowSolver.Euler, 5, start: double.NaN));
    }
}
