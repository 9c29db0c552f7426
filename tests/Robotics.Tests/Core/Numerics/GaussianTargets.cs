using Robotics.Numerics;

namespace Robotics.Tests.Core.Numerics;

/// <summary>Samplers against a target whose score is known in closed form: a correlated Gaussian N(m, C) in two dimensions.</summary>
/// <remarks>With this score every step is affine in the sample and its noise, so mean and covariance of the result are read off
/// exactly, by pushing the origin and unit vectors through: no Monte Carlo tolerance hides a wrong coefficient.</remarks>
public sealed class GaussianTargets
{
    private const double M0 = 0.3, M1 = -0.5;                 // mean
    private const double C00 = 0.25, C01 = 0.1, C11 = 0.16;   // covariance

    [Theory]
    [InlineData(DiffusionSolver.Ddpm, 1000, 1000, 0, 0.004)]
    [InlineData(DiffusionSolver.Ddim, 1000, 1000, 0, 0.004)]
    [InlineData(DiffusionSolver.Ddim, 1000, 1000, 1, 0.004)]
    [InlineData(DiffusionSolver.DpmSolver, 1000, 1000, 0, 0.004)]
    [InlineData(DiffusionSolver.Ddpm, 100, 100, 0, 0.02)]
    [InlineData(DiffusionSolver.Ddim, 100, 100, 0, 0.03)]
    [InlineData(DiffusionSolver.DpmSolver, 100, 20, 0, 0.03)]
    public void Diffusion_OfTheExactScore_RecoversMeanAndCovariance(
        DiffusionSolver solver, int trainSteps, int steps, double eta, double tolerance)
    {
        var schedule = NoiseSchedule.SquaredCosine(trainSteps);
        foreach (var spacing in Enum.GetValues<GridSpacing>())
        {
            var options = new DiffusionOptions { Solver = solver, Steps = steps, Spacing = spacing, Clip = null, Eta = eta };
            if (spacing == GridSpacing.Leading && steps < trainSteps)
            {
                continue; // starts where noise is not yet pure: its error is the grid's, not the solver's
            }

            AssertTarget(RunDiffusion(schedule, new DiffusionSampler(schedule, options)), tolerance);
        }
    }

    [Theory]
    [InlineData(FlowSolver.Euler, 400, 0.01)]
    [InlineData(FlowSolver.Midpoint, 20, 0.003)]
    [InlineData(FlowSolver.Heun, 40, 0.003)]
    public void Flow_OfTheExactVelocity_RecoversMeanAndCovariance(FlowSolver solver, int steps, double tolerance)
    {
        var sampler = new FlowSampler(solver, steps);
        AssertTarget(Moments(x =>
        {
            float[] anchor = new float[2], clean = new float[2], v = new float[2];
            for (int i = 0; i < sampler.Calls; i++)
            {
                double s = sampler.Time(i);
                (double a0, double a1) = Clean(x[0], x[1], s, 1 - s);
                v[0] = (float)((a0 - x[0]) / (1 - s));
                v[1] = (float)((a1 - x[1]) / (1 - s));
                sampler.Step(i, x, v, anchor, clean);
            }
        }), tolerance);
    }

    [Fact]
    public void DpmSolver_WithFewSteps_IsNearerThanDdim()
    {
        var schedule = NoiseSchedule.SquaredCosine(1000);
        var options = new DiffusionOptions { Steps = 15, Spacing = GridSpacing.Trailing, Clip = null };
        double ddim = Error(RunDiffusion(schedule, new DiffusionSampler(schedule, options)));
        double second = Error(RunDiffusion(schedule, new DiffusionSampler(schedule, options with { Solver = DiffusionSolver.DpmSolver })));
        Assert.True(second < 0.5 * ddim, $"DPM-Solver errs by {second}, DDIM by {ddim}");
    }

    private static void AssertTarget(double[] found, double tolerance)
    {
        double[] wanted = [M0, M1, C00, C01, C11];
        Assert.All(wanted, (w, i) => Assert.Equal(w, found[i], tolerance));
    }

    private static double Error(double[] found)
    {
        double[] wanted = [M0, M1, C00, C01, C11];
        return wanted.Zip(found, (w, f) => Math.Abs(w - f)).Max();
    }

    // E[a | x = signal·a + spread·n] for the Gaussian target.
    private static (double A0, double A1) Clean(double x0, double x1, double signal, double spread)
    {
        double s00 = (signal * signal * C00) + (spread * spread), s01 = signal * signal * C01;
        double s11 = (signal * signal * C11) + (spread * spread), det = (s00 * s11) - (s01 * s01);
        double r0 = x0 - (signal * M0), r1 = x1 - (signal * M1);
        double w0 = ((s11 * r0) - (s01 * r1)) / det, w1 = ((s00 * r1) - (s01 * r0)) / det;
        return (M0 + (signal * ((C00 * w0) + (C01 * w1))), M1 + (signal * ((C01 * w0) + (C11 * w1))));
    }

    // Affine map x -> A x + b of a deterministic run: mean b, covariance A Aᵀ (the start is N(0, I)).
    private static double[] Moments(Action<float[]> run)
    {
        float[] origin = [0, 0], first = [1, 0], second = [0, 1];
        run(origin);
        run(first);
        run(second);
        double a00 = first[0] - origin[0], a10 = first[1] - origin[1];
        double a01 = second[0] - origin[0], a11 = second[1] - origin[1];
        return [origin[0], origin[1], (a00 * a00) + (a01 * a01), (a00 * a10) + (a01 * a11), (a10 * a10) + (a11 * a11)];
    }

    // Without noise the whole run is one affine map. With it, each step is x' = A x + b + draw·ξ, and mean and covariance are
    // carried through: C' = A C Aᵀ + draw²·I.
    private static double[] RunDiffusion(NoiseSchedule schedule, DiffusionSampler sampler)
    {
        bool draws = Enumerable.Range(0, sampler.Steps).Any(sampler.DrawsNoise);
        if (!draws)
        {
            return Moments(x =>
            {
                float[] clean = new float[2];
                for (int i = 0; i < sampler.Steps; i++)
                {
                    One(schedule, sampler, i, x, [], clean);
                }
            });
        }

        double m0 = 0, m1 = 0, c00 = 1, c01 = 0, c11 = 1;
        for (int i = 0; i < sampler.Steps; i++)
        {
            float[] origin = [0, 0], first = [1, 0], second = [0, 1], noisy = [0, 0], clean = new float[2];
            One(schedule, sampler, i, origin, [0, 0], clean);
            One(schedule, sampler, i, first, [0, 0], clean);
            One(schedule, sampler, i, second, [0, 0], clean);
            One(schedule, sampler, i, noisy, [1, 0], clean);
            double a00 = first[0] - origin[0], a10 = first[1] - origin[1];
            double a01 = second[0] - origin[0], a11 = second[1] - origin[1];
            double added = Math.Pow(noisy[0] - origin[0], 2);
            Assert.Equal(origin[1], noisy[1]); // noise enters element by element
            (m0, m1) = ((a00 * m0) + (a01 * m1) + origin[0], (a10 * m0) + (a11 * m1) + origin[1]);
            double p00 = (a00 * c00) + (a01 * c01), p01 = (a00 * c01) + (a01 * c11);
            double p10 = (a10 * c00) + (a11 * c01), p11 = (a10 * c01) + (a11 * c11);
            (c00, c01, c11) = ((p00 * a00) + (p01 * a01) + added, (p00 * a10) + (p01 * a11), (p10 * a10) + (p11 * a11) + added);
        }

        return [m0, m1, c00, c01, c11];
    }

    private static void One(NoiseSchedule schedule, DiffusionSampler sampler, int i, float[] x, float[] noise, float[] clean)
    {
        double signal = Math.Sqrt(schedule.AlphaBars[sampler.Timesteps[i]]), spread = Math.Sqrt(1 - (signal * signal));
        (double a0, double a1) = Clean(x[0], x[1], signal, spread);
        float[] output = [(float)((x[0] - (signal * a0)) / spread), (float)((x[1] - (signal * a1)) / spread)];
        sampler.Step(i, x, output, noise, clean);
    }
}
