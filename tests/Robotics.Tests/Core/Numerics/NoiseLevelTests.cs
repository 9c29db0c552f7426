using Robotics.Numerics;

namespace Robotics.Tests.Core.Numerics;

/// <summary>Expected numbers: the policy cards' appendix A.7; the rest is the Gaussian in closed form.</summary>
public sealed class NoiseLevelTests
{
    private static readonly NoiseSchedule s_schedule = NoiseSchedule.SquaredCosine(100);

    [Theory]
    [InlineData(99, .0004925628, .9995075586)]
    [InlineData(90, .1237199816, .8849707930)]
    [InlineData(50, .4891271774, .7072739483)]
    [InlineData(10, .8434895766, .8578870429)]
    [InlineData(0, .9754829412, .9757909893)]
    public void OfDiffusion_AsAFlowPoint_MatchesTheTable(int step, double s, double c)
    {
        var level = NoiseLevel.OfDiffusion(s_schedule.AlphaBars[step]);
        Assert.Equal(s, level.FlowTime, 1e-9);
        Assert.Equal(c, level.ToFlow, 1e-9);
    }

    [Fact]
    public void NoiseToVelocityAndBack_InFloats_IsExactUpToStep95()
    {
        var random = new SeededRandom(1);
        for (int t = 0; t <= 95; t++)
        {
            var level = NoiseLevel.OfDiffusion(s_schedule.AlphaBars[t]);
            float x = (float)random.NextGaussian(), noise = (float)random.NextGaussian();
            float velocity = Convert(level, ScoreForm.Noise, ScoreForm.FlowVelocity, x, noise);
            Assert.Equal(noise, Convert(level, ScoreForm.FlowVelocity, ScoreForm.Noise, x, velocity), 1e-6f);
        }
    }

    [Fact]
    public void EveryForm_OfOneGaussian_SaysTheSame()
    {
        // a ~ N(m, v): E[a|x] and E[n|x] are linear in x, and every form is made of them.
        const double m = 0.3, v = 0.25, x = 0.7;
        foreach (var level in (NoiseLevel[])[NoiseLevel.OfDiffusion(0.6), NoiseLevel.OfFlow(0.35), new(1, 0.8)]) // the last: EDM with σ = .8
        {
            double whole = (level.Signal * level.Signal * v) + (level.Noise * level.Noise), off = x - (level.Signal * m);
            double action = m + (level.Signal * v / whole * off), noise = level.Noise / whole * off;
            (ScoreForm Form, double Output)[] forms =
            [
                (ScoreForm.Noise, noise), (ScoreForm.Action, action), (ScoreForm.FlowVelocity, action - noise),
                (ScoreForm.DiffusionVelocity, (level.Signal * noise) - (level.Noise * action)),
            ];
            foreach (var (form, output) in forms)
            {
                Assert.Equal(action, level.ActionFrom(form).At(x, output), 1e-12);
                Assert.Equal(output, level.OutputOf(form).At(x, action), 1e-12);
            }

            // The score of the noisy marginal, from the noise and from the flow velocity at the flow point.
            double score = -off / whole;
            Assert.Equal(score, -noise / level.Noise, 1e-12);
            double s = level.FlowTime, flowPoint = x * level.ToFlow, flowScore = ((s * (action - noise)) - flowPoint) / (1 - s);
            Assert.Equal(score, flowScore * level.ToFlow, 1e-12);
        }
    }

    private static float Convert(NoiseLevel level, ScoreForm from, ScoreForm to, float x, float output) =>
        (float)level.OutputOf(to).At(x, level.ActionFrom(from).At(x, output));
}
