using static Robotics.Tests.Policies.Steering.GaussianPackages;

namespace Robotics.Tests.Policies.Steering;

/// <summary>Mean 0.2, deviation 0.1·2 = 0.2 in physical units (a = 2 y), critic -‖a - 1‖².</summary>
public sealed class ImproveTests : IDisposable
{
    private const double Deviation = 0.2;

    private readonly GaussianPackages _packages = new();

    public ImproveTests()
    {
        _packages.Gaussian("actor", 0.1f, MathF.Log(0.1f), m => m with { Action = m.Action with { Normalization = new() { Mode = "mean_std", Mean = [0], Std = [2], Epsilon = 0 } } });
        _packages.Critic("critic", target: 1);
        _packages.Critic("near", target: 0.2f);
    }

    public void Dispose() => _packages.Dispose();

    [Theory]
    [InlineData(1, 1)]
    [InlineData(0.5, 1)]
    [InlineData(0.1, 1)]
    [InlineData(0.1, 4)]
    public void Plan_GoesToTheEdgeOfTheLevelSetAndNotBeyond(double trust, int steps)
    {
        float[] chunk = Improved("critic", trust, steps);
        double radius = Math.Sqrt(2 * Math.Log(1 / trust));
        double distance = Math.Sqrt(chunk.Sum(a => Math.Pow((a - 0.2) / Deviation, 2)));
        Assert.InRange(distance, radius - 1e-4, radius + 1e-6); // never outside
        Assert.All(chunk, a => Assert.Equal(0.2 + (radius * Deviation / Math.Sqrt(Width)), a, 1e-5)); // by hand: Σg/√(gᵀΣg), all elements alike
    }

    [Fact]
    public void Plan_WhenTheMeanIsBest_StaysThere() => Assert.All(Improved("near", 0.1, 3), a => Assert.Equal(0.2f, a, 1e-6f));

    [Fact]
    public void Plan_WhenTheStepOvershoots_KeepsWhatTheCriticPrefers()
    {
        _packages.Critic("close", target: 0.21f); // the edge lies far beyond it
        Assert.All(Improved("close", 0.01, 3), a => Assert.Equal(0.2f, a, 1e-6f));
    }

    [Fact]
    public void Load_WhenThePolicyIsNoGaussian_SaysWhatIsMissing()
    {
        _packages.Denoiser("sampled", 0, 0.1);
        _packages.Steered("s", $"{Parents("sampled")}, 'improve': {{ 'critic': {{ 'package': '../critic' }} }}");
        Assert.Contains("has no output that goes to 'log_std'", Assert.Throws<ConfigException>(() => _packages.Load("s")).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0.6f, 0.4f, 0.7)]   // both components are known well: the one nearer to the critic's wish
    [InlineData(0.999f, 0.001f, 0.2)] // the other is too faint to count
    public void Plan_OfAMixture_TakesTheBestPointOfAnyComponentThatCounts(float first, float second, double from)
    {
        const double trust = 0.2, deviation = 0.05;
        _packages.Mixture("two", [0.2f, 0.7f], MathF.Log((float)deviation), [first, second]);
        using (var bare = _packages.Load("two"))
        {
            Assert.All(Plan(bare.Policy, 1), a => Assert.Equal(0.2f, a, 1e-6f)); // the heaviest is what it does by itself
        }

        double radius = Math.Sqrt(2 * Math.Log(1 / trust));
        float[] chunk = Improved("critic", trust, 1, "two");
        Assert.All(chunk, a => Assert.Equal(from + (radius * deviation / Math.Sqrt(Width)), a, 1e-5));
    }

    [Fact]
    public void Load_OfAMixtureWithTooFewWeights_SaysSo()
    {
        _packages.Mixture("two", [0.2f, 0.7f], 0, [0.5f, 0.3f, 0.2f]);
        Assert.Contains("must be 3, as many as the output to 'log_weight' has", Assert.Throws<ConfigException>(() => _packages.Load("two")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Plan_OfPointsThatRoundOutwards_StaysInside()
    {
        // A radius of a few float steps of the mean, where every second sum rounds away from it.
        const float logStd = -9, gain = 0.7654321f;
        const double trust = 0.9;
        _packages.Gaussian("sharp", gain, logStd);
        _packages.Steered("better", FormattableString.Invariant($"{Parents("sharp")}, 'improve': {{ 'critic': {{ 'package': '../critic' }}, 'trust': {trust} }}"));
        using var bare = _packages.Load("sharp");
        using var tree = _packages.Load("better");
        for (int i = 1; i <= 200; i++)
        {
            float[] mean = Plan(bare.Policy, i / 200f), point = Plan(tree.Policy, i / 200f);
            double distance = Math.Sqrt(mean.Zip(point).Sum(pair => Math.Pow((pair.Second - (double)pair.First) / Math.Exp(logStd), 2)));
            Assert.InRange(distance, 1e-9, Math.Sqrt(2 * Math.Log(1 / trust)));
        }
    }

    [Theory]
    [InlineData(new[] { -0.12f, 0.25f }, 0.25f, 0.25f)]         // the mean is at 0.2
    [InlineData(new[] { -1, 0.25f, -1, 0.21f }, 0.25f, 0.21f)]  // a pair per element
    [InlineData(new[] { -0.12f, 0.12f }, 0.2f, 0.2f)]           // a mean outside stays where it is
    public void Plan_WhereOutputIsClipped_GoesNoFurther(float[] clip, float first, float second)
    {
        _packages.Gaussian("clipped", 0.1f, MathF.Log(0.1f), m => m with { Action = m.Action with { ClipRaw = clip, Normalization = new() { Mode = "mean_std", Mean = [0], Std = [2], Epsilon = 0 } } });
        _packages.Critic("clipping", target: 1, change: m => m with { Action = m.Action with { ClipRaw = clip } });
        float[] chunk = Improved("clipping", 0.1, 1, "clipped");
        Assert.All(Enumerable.Range(0, Width), j => Assert.Equal(j % 2 == 0 ? first : second, chunk[j], 1e-6f));
    }

    private float[] Improved(string critic, double trust, int steps, string actor = "actor")
    {
        _packages.Steered("better", FormattableString.Invariant($"{Parents(actor)}, 'improve': {{ 'critic': {{ 'package': '../{critic}' }}, 'trust': {trust}, 'steps': {steps} }}"));
        using var tree = _packages.Load("better");
        return Plan(tree.Policy, 1);
    }
}
