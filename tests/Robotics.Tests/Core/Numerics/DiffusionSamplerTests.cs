using Robotics.Numerics;

namespace Robotics.Tests.Core.Numerics;

/// <summary>Expected numbers: the policy cards' appendix (A.2, A.3), x = .3 and network output .5.</summary>
public sealed class DiffusionSamplerTests
{
    private readonly NoiseSchedule _schedule = NoiseSchedule.SquaredCosine(100);

    [Theory]
    [InlineData(99, -1, -0.0060837657, 0.9987576282)] // x̂0 is far outside and clipped
    [InlineData(50, -0.0884314532, 0.2826570821, 0.0306043693)]
    [InlineData(10, 0.2123451269, 0.2856340040, 0.0046370854)]
    [InlineData(1, 0.2793425483, 0.2868007688, 0.0004034886)]
    public void Step_OfDdpm_MatchesHandDerivedMeanAndVariance(int t, double clean, double mean, double variance)
    {
        var sampler = Ddpm(t, t - 1);
        (double quiet, double estimate) = StepOnce(sampler, noise: 0);
        (double noisy, _) = StepOnce(sampler, noise: 1);
        Assert.Equal(clean, estimate, 1e-6);
        Assert.Equal(mean, quiet, 1e-6);
        Assert.Equal(Math.Sqrt(variance), noisy - quiet, 1e-6);
    }

    [Fact]
    public void Step_OfDdpmAtZero_IsTheEstimateWithoutNoise()
    {
        var sampler = Ddpm(0);
        Assert.False(sampler.DrawsNoise(0));
        Assert.Equal((0.2875281110, 0.2875281110), StepOnce(sampler, noise: 1), Close.To(1e-6));
    }

    [Theory]
    [InlineData(90, 80, -1, 0.1864417211)] // the noise estimate is the raw output even where x̂0 is clipped
    [InlineData(50, 40, -0.0884314532, 0.2327721022)]
    [InlineData(10, 0, 0.2123451269, 0.2248407504)]
    [InlineData(0, null, 0.2875281110, 0.2875281110)]
    public void Step_OfDdim_MatchesHandDerivedValue(int t, int? next, double clean, double moved)
    {
        int[] grid = next is { } n ? [t, n] : [t];
        var sampler = new DiffusionSampler(_schedule, new DiffusionOptions { Solver = DiffusionSolver.Ddim }, grid);
        Assert.Equal((moved, next is null ? moved : clean), StepOnce(sampler, noise: 0), Close.To(1e-6));
    }

    [Fact]
    public void Step_OfDpmSolver_MatchesHandDerivedRun()
    {
        var sampler = new DiffusionSampler(_schedule, new DiffusionOptions
        {
            Solver = DiffusionSolver.DpmSolver,
            Steps = 5,
            Spacing = GridSpacing.Trailing,
            FinalAlphaBar = 1 - 1e-8, // the table ends at sigma 1e-4
        });
        double[] expected = [.591744454, .826960572, .898975251, .869800691, .771547022];
        float[] x = [.3f];
        float[] clean = [float.NaN]; // nobody may read what the last plan left here
        for (int i = 0; i < 5; i++)
        {
            sampler.Step(i, x, [.5f * x[0]], [], clean);
            Assert.Equal(expected[i], x[0], 1e-6);
        }
    }

    [Theory]
    [InlineData(Prediction.Sample)]
    [InlineData(Prediction.Velocity)]
    public void Step_ForEveryPrediction_AgreesWithEpsilon(Prediction prediction)
    {
        // The same action and noise, told in another way, must move the sample to the same place.
        const double action = 0.4, noise = -0.7;
        foreach (var solver in Enum.GetValues<DiffusionSolver>())
        {
            var options = new DiffusionOptions { Solver = solver, Steps = 4, Clip = null };
            var byEpsilon = new DiffusionSampler(_schedule, options);
            var byOther = new DiffusionSampler(_schedule, options with { Prediction = prediction });
            float[] a = [0], b = [0], cleanA = [0], cleanB = [0];
            for (int i = 0; i < 4; i++)
            {
                double root = Math.Sqrt(_schedule.AlphaBars[byEpsilon.Timesteps[i]]);
                double spread = Math.Sqrt(1 - (root * root));
                a[0] = b[0] = (float)((root * action) + (spread * noise));
                double told = prediction == Prediction.Sample ? action : (root * noise) - (spread * action);
                byEpsilon.Step(i, a, [(float)noise], [0.3f], cleanA);
                byOther.Step(i, b, [(float)told], [0.3f], cleanB);
                Assert.Equal(a[0], b[0], 2e-6f);
                Assert.Equal(cleanA[0], cleanB[0], 2e-6f);
            }
        }
    }

    [Fact]
    public void Step_OfDdimWithEtaOne_IsDdpm()
    {
        // Song et al. 2021, section 4.2: the two agree on any grid as long as nothing is clipped.
        var options = new DiffusionOptions { Steps = 10, Clip = null, Spacing = GridSpacing.Trailing };
        var ddim = new DiffusionSampler(_schedule, options with { Solver = DiffusionSolver.Ddim, Eta = 1 });
        var ddpm = new DiffusionSampler(_schedule, options with { Solver = DiffusionSolver.Ddpm });
        for (int i = 1; i < 10; i++) // step 0 starts at √ᾱ = 5e-4, where x̂0 is 1e3 and float32 ends at 1e-4
        {
            float[] a = [.3f], b = [.3f];
            ddim.Step(i, a, [.5f], [.8f], [0]);
            ddpm.Step(i, b, [.5f], [.8f], [0]);
            Assert.Equal(a[0], b[0], 1e-6f);
        }
    }

    [Theory]
    [InlineData(DiffusionSolver.Ddpm)]
    [InlineData(DiffusionSolver.Ddim)]
    [InlineData(DiffusionSolver.DpmSolver)]
    public void Run_WithTheExactNoise_LandsOnTheAction(DiffusionSolver solver)
    {
        float[] action = [0.2f, -0.9f, 0.55f];
        float[] x = new float[3], noise = new float[3], output = new float[3], clean = new float[3];
        var random = new SeededRandom(7);
        var sampler = new DiffusionSampler(_schedule, new DiffusionOptions { Solver = solver, Steps = 10 });
        random.FillGaussian(noise);
        sampler.Start(action, noise, x);
        for (int i = 0; i < sampler.Steps; i++)
        {
            double root = Math.Sqrt(_schedule.AlphaBars[sampler.Timesteps[i]]);
            for (int j = 0; j < 3; j++)
            {
                output[j] = (float)((x[j] - (root * action[j])) / Math.Sqrt(1 - (root * root)));
            }

            random.FillGaussian(noise);
            sampler.Step(i, x, output, noise, clean);
            Assert.Equal(action, clean, Close.Element(1e-4f)); // a plan at every step, not only at the end
        }

        Assert.Equal(action, x, Close.Element(1e-5f));
        Assert.Equal(x, clean);
    }

    [Fact]
    public void Step_WithANonFiniteOutput_NeverHidesItBehindTheClip()
    {
        var sampler = new DiffusionSampler(_schedule, new DiffusionOptions());
        float[] x = [0.1f], clean = [0];
        sampler.Step(0, x, [float.NaN], [], clean);
        Assert.True(float.IsNaN(x[0]) && float.IsNaN(clean[0]));
    }

    [Fact]
    public void Step_AllocatesNothing()
    {
        var sampler = new DiffusionSampler(_schedule, new DiffusionOptions { Solver = DiffusionSolver.DpmSolver });
        var flow = new FlowSampler(FlowSolver.Heun, 5);
        var energy = new EnergyDescent(new EnergyOptions());
        float[] x = new float[32], output = new float[32], memory = new float[32], clean = new float[32];
        var random = new SeededRandom(1);
        Plan();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
        {
            Plan();
        }

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());

        void Plan()
        {
            random.FillGaussian(x);
            for (int i = 0; i < sampler.Steps; i++)
            {
                sampler.Step(i, x, output, [], clean);
            }

            for (int i = 0; i < flow.Calls; i++)
            {
                flow.Step(i, x, output, memory, clean);
            }

            energy.Step(x, output, memory);
        }
    }

    [Fact]
    public void Constructor_WithSeveralBadOptions_ReportsAllOfThem()
    {
        var error = Assert.Throws<ConfigException>(() => new DiffusionSampler(
            _schedule, new DiffusionOptions { Steps = 101, Clip = 0, Eta = 2, FinalAlphaBar = 0 }));
        Assert.Equal(4, error.Problems.Count);
        Assert.Contains("steps is 101, expected 1 to 100", error.Problems);
    }

    [Theory]
    [InlineData(new int[0])]
    [InlineData(new[] { 10, 30 })]
    [InlineData(new[] { 100 })]
    [InlineData(new[] { 5, -1 })]
    public void Constructor_WithAGridThatDoesNotDescendInTheSchedule_Throws(int[] grid) =>
        Assert.Throws<ArgumentException>(() => new DiffusionSampler(_schedule, new DiffusionOptions(), grid));

    [Fact]
    public void Step_WithBuffersOfDifferentLengths_Throws()
    {
        var sampler = new DiffusionSampler(_schedule, new DiffusionOptions());
        Assert.Throws<ArgumentException>(() => sampler.Step(0, new float[3], new float[2], [], new float[3]));
    }

    private static (double Moved, double Clean) StepOnce(DiffusionSampler sampler, float noise)
    {
        float[] x = [.3f], clean = [0];
        sampler.Step(0, x, [.5f], [noise], clean);
        return (x[0], clean[0]);
    }

    private DiffusionSampler Ddpm(params int[] grid) =>
        new(_schedule, new DiffusionOptions { Solver = DiffusionSolver.Ddpm }, grid);
}

/// <summary>Comparers that say how close is close enough.</summary>
internal static class Close
{
    public static IEqualityComparer<(double, double)> To(double tolerance) =>
        EqualityComparer<(double A, double B)>.Create(
            (p, q) => Math.Abs(p.A - q.A) <= tolerance && Math.Abs(p.B - q.B) <= tolerance, _ => 0);

    public static IEqualityComparer<float> Element(float tolerance) =>
        EqualityComparer<float>.Create((p, q) => Math.Abs(p - q) <= tolerance, _ => 0);
}
