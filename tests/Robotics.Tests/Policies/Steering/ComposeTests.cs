using Robotics.Numerics;
using Robotics.Packages;
using static Robotics.Tests.Policies.Steering.GaussianPackages;

namespace Robotics.Tests.Policies.Steering;

/// <summary>Composition against Gaussians, whose mixed score is known in closed form.</summary>
public sealed class ComposeTests : IDisposable
{
    private readonly GaussianPackages _packages = new();

    public void Dispose() => _packages.Dispose();

    [Theory]
    [InlineData(1, 0)]
    [InlineData(0, 1)]
    public void Plan_WithAllWeightOnOneParent_IsThatParentBitForBit(int first, int second)
    {
        _packages.Denoiser("a", 0.5f, 0.04, "near");
        _packages.Flow("b", -0.3f, 0.09, "far");
        _packages.Steered("mix", $"{Parents("a", "b")}, 'compose': {{ 'weights': [{first}, {second}] }}");
        using var bare = _packages.Load(first == 1 ? "a" : "b");
        using var mixed = _packages.Load("mix");
        bare.Policy.Reset(5);
        mixed.Policy.Reset(5);
        for (int i = 0; i < 5; i++)
        {
            float[] own = [0.1f * i], whole = first == 1 ? [0.1f * i, 9] : [9, 0.1f * i];
            Assert.Equal(Plan(bare.Policy, own), Plan(mixed.Policy, whole));
        }
    }

    [Theory]
    [InlineData(0)] // the denoiser drives, the flow is asked at its own times
    [InlineData(1)] // the other way round
    public void Plan_OfTwoFamilies_IsTheGeometricMeanOfTheirGaussians(int driver)
    {
        // Equal variances: the geometric mean of N(m1, v) and N(m2, v) is N(w m1 + (1-w) m2, v) at every noise level. A parent with
        // that very mean and the driver's own sampler must give the same chunk from the same noise.
        _packages.Denoiser("a", 0.6f, 0.05, change: Fine);
        _packages.Flow("b", -0.2f, 0.05, change: Fine);
        float mean = (0.7f * 0.6f) + (0.3f * -0.2f);
        _packages.Denoiser("same-a", mean, 0.05, change: Fine);
        _packages.Flow("same-b", mean, 0.05, change: Fine);
        _packages.Steered("mix", $"{Parents("a", "b")}, 'compose': {{ 'weights': [0.7, 0.3], 'driver': {driver} }}");
        using var expected = _packages.Load(driver == 0 ? "same-a" : "same-b");
        using var mixed = _packages.Load("mix");
        expected.Policy.Reset(1);
        mixed.Policy.Reset(1);

        // The flow asks at times between a denoiser's thousand steps, and is answered by the nearest.
        Assert.Equal(Plan(expected.Policy, 1.5f), Plan(mixed.Policy, 1.5f), Core.Numerics.Close.Element(driver == 0 ? 1e-4f : 2e-3f));
    }

    [Theory]
    [InlineData(Prediction.Epsilon, 100)]
    [InlineData(Prediction.Sample, 100)]
    [InlineData(Prediction.Epsilon, 1000)] // another grid of noise levels
    public void Plan_OfTwoDenoisers_IsExactWhateverTheyPredict(Prediction prediction, int trainSteps)
    {
        _packages.Denoiser("a", 0.6f, 0.05);
        _packages.Denoiser("b", -0.2f, 0.05, prediction: prediction, change: m => m with { Sampler = m.Sampler! with { Diffusion = m.Sampler.Diffusion! with { TrainSteps = trainSteps } } });
        _packages.Denoiser("same", 0.2f, 0.05);
        _packages.Steered("mix", $"{Parents("a", "b")}, 'compose': {{ 'weights': [0.5, 0.5], 'driver': 0 }}");
        using var expected = _packages.Load("same");
        using var mixed = _packages.Load("mix");
        Assert.Equal(Plan(expected.Policy, 1.5f), Plan(mixed.Policy, 1.5f), Core.Numerics.Close.Element(trainSteps == 100 ? 1e-4f : 5e-3f));
    }

    [Fact]
    public void Plan_WhenNormalisersDiffer_MixesPhysicalActions()
    {
        // a = 2 y + 1 in the one, a = y in the other; the same Gaussian N(0.8, 0.2²) m in both, so mixing it with itself changes nothing.
        _packages.Denoiser("wide", -0.1f, 0.01, change: m => m with { Action = m.Action with { Normalization = new() { Mode = "min_max", Min = [-1], Max = [3] } } });
        _packages.Denoiser("plain", 0.8f, 0.04);
        _packages.Steered("mix", $"{Parents("wide", "plain")}, 'compose': {{ 'weights': [0.5, 0.5], 'driver': 0 }}");
        using var expected = _packages.Load("wide");
        using var mixed = _packages.Load("mix");
        Assert.Equal(Plan(expected.Policy, 1), Plan(mixed.Policy, 1), Core.Numerics.Close.Element(3e-3f)); // the nearest of 100 steps
    }

    [Fact]
    public void Plan_WithASchedule_GoesFromOneParentToTheOther()
    {
        _packages.Denoiser("a", 0.6f, 0.01);
        _packages.Denoiser("b", -0.6f, 0.01);
        _packages.Steered("late-b", $"{Parents("a", "b")}, 'compose': {{ 'schedule': [{{ 'noise': 0.3, 'weights': [1, 0] }}, {{ 'noise': 0.1, 'weights': [0, 1] }}] }}");
        _packages.Steered("half", $"{Parents("a", "b")}, 'compose': {{ 'weights': [0.5, 0.5] }}");
        using var late = _packages.Load("late-b");
        using var half = _packages.Load("half");
        Assert.True(Plan(half.Policy, 1).Average() > Plan(late.Policy, 1).Average());
    }

    [Fact]
    public void Plan_WithGuidance_GoesBeyondTheFirst()
    {
        _packages.Denoiser("a", 0.4f, 0.01);
        _packages.Denoiser("b", 0.1f, 0.01);
        _packages.Steered("beyond", $"{Parents("a", "b")}, 'compose': {{ 'operator': 'guidance', 'weights': [2, -1] }}");
        using var tree = _packages.Load("beyond");
        Assert.Equal(0.7, Plan(tree.Policy, 1).Average(), 0.1); // 2·.4 - .1
    }

    [Fact]
    public void Plan_WithOr_EndsAtOneParentAndNotBetween()
    {
        _packages.Denoiser("a", 0.8f, 0.0025, change: Ancestral);
        _packages.Denoiser("b", -0.8f, 0.0025, change: Ancestral);
        _packages.Steered("either", $"{Parents("a", "b")}, 'compose': {{ 'operator': 'or', 'weights': [0.5, 0.5] }}");
        _packages.Steered("both", $"{Parents("a", "b")}, 'compose': {{ 'weights': [0.5, 0.5] }}");
        using var either = _packages.Load("either");
        using var both = _packages.Load("both");
        int[] sides = new int[2];
        for (ulong seed = 0; seed < 40; seed++)
        {
            either.Policy.Reset(seed);
            double mean = Plan(either.Policy, 1).Average();
            Assert.True(Math.Abs(Math.Abs(mean) - 0.8) < 0.15, $"seed {seed} ends at {mean}");
            sides[mean > 0 ? 1 : 0]++;
        }

        Assert.All(sides, side => Assert.InRange(side, 8, 32));
        Assert.Equal(0, Plan(both.Policy, 1).Average(), 0.1);
    }

    [Theory]
    [InlineData(0.04, 0.04)]
    [InlineData(0.01, 0.09)] // not half way: nearer to the narrow one, where the densities are the same
    public void Plan_WithAnd_EndsWhereBothAreEquallyAtHome(double first, double second)
    {
        _packages.Denoiser("a", 0.4f, first, change: Ancestral);
        _packages.Denoiser("b", -0.2f, second, change: Ancestral);
        double[] and = Apart("and", "'operator': 'and', "), convex = Apart("convex", "");
        Assert.True(and.Average() < convex.Average() / 3, $"log densities differ by {and.Average():F2} with 'and', {convex.Average():F2} without");

        double[] Apart(string name, string words)
        {
            _packages.Steered(name, $"{Parents("a", "b")}, 'compose': {{ {words} 'weights': [0.5, 0.5] }}");
            using var tree = _packages.Load(name);
            return [.. Enumerable.Range(0, 40).Select(seed =>
            {
                tree.Policy.Reset((ulong)seed);
                float[] chunk = Plan(tree.Policy, 1);
                return Math.Abs(LogDensity(chunk, 0.4, first) - LogDensity(chunk, -0.2, second));
            })];
        }

        static double LogDensity(float[] x, double mean, double variance) => x.Sum(e => -((e - mean) * (e - mean) / (2 * variance)) - (Math.Log(variance) / 2));
    }

    [Fact]
    public void Plan_WithAndOfParentsThatAgree_IsThatParent()
    {
        foreach (string name in (string[])["a", "b", "c"])
        {
            _packages.Denoiser(name, 0.4f, 0.04, change: Ancestral); // no direction in which they differ
        }

        _packages.Steered("same", $"{Parents("a", "b", "c")}, 'compose': {{ 'operator': 'and', 'weights': [0.2, 0.3, 0.5] }}");
        using var bare = _packages.Load("a");
        using var same = _packages.Load("same");
        bare.Policy.Reset(3);
        same.Policy.Reset(3);
        Assert.Equal(Plan(bare.Policy, 1), Plan(same.Policy, 1), Core.Numerics.Close.Element(1e-5f));
    }

    [Theory]
    [InlineData(false)] // a denoiser of its kind
    [InlineData(true)]  // a flow, asked at its own times
    public void Plan_OfAShorterParent_MixesTheRowsThatBothPlan(bool flow)
    {
        const int rows = 2;
        _packages.Denoiser("long", 0.6f, 0.05, change: Fine);
        _ = flow ? _packages.Flow("short", -0.2f, 0.05, change: Fine, rows: rows) : _packages.Denoiser("short", -0.2f, 0.05, change: Fine, rows: rows);
        _packages.Denoiser("same", (0.7f * 0.6f) + (0.3f * -0.2f), 0.05, change: Fine);
        _packages.Steered("mix", $"{Parents("long", "short")}, 'compose': {{ 'weights': [0.7, 0.3] }}");
        _packages.Steered("short-only", $"{Parents("long", "short")}, 'compose': {{ 'weights': [0, 1], 'driver': 0 }}");
        float[] alone = Planned("long"), both = Planned("same"), mixed = Planned("mix"), only = Planned("short-only");
        Assert.Equal(both[..(2 * rows)], mixed[..(2 * rows)], Core.Numerics.Close.Element(1e-4f));
        Assert.Equal(alone[(2 * rows)..], mixed[(2 * rows)..], Core.Numerics.Close.Element(1e-6f)); // the tail is the longer one's alone
        Assert.Equal(alone[(2 * rows)..], only[(2 * rows)..], Core.Numerics.Close.Element(1e-6f));
        Assert.Equal(-0.2, only[..(2 * rows)].Average(), 0.5);
        Assert.NotEqual(alone[0], only[0], 0.1f);

        float[] Planned(string name)
        {
            using var tree = _packages.Load(name);
            tree.Policy.Reset(1);
            return Plan(tree.Policy, 1.5f);
        }
    }

    [Fact]
    public void Load_WhenAShorterParentWouldDrive_SaysWhoMust()
    {
        _packages.Denoiser("long", 0.6f, 0.05);
        _packages.Denoiser("short", 0.6f, 0.05, rows: 2);
        _packages.Steered("mix", $"{Parents("long", "short")}, 'compose': {{ 'weights': [0.3, 0.7] }}");
        string message = Assert.Throws<ConfigException>(() => _packages.Load("mix")).Message;
        Assert.Contains("plans 4 rows, steering.parents[1]", message, StringComparison.Ordinal);
        Assert.Contains("which drives, 2; the one that plans the most must drive: set steering.compose.driver", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Plan_WhenTimeIsShort_TakesFewerStepsAndIsNeverLate()
    {
        _packages.Denoiser("a", 0.6f, 0.05);
        _packages.Flow("b", -0.2f, 0.05);
        _packages.Steered("mix", $"{Parents("a", "b")}, 'compose': {{ 'weights': [0.7, 0.3] }}");
        var clock = new TestPolicies.SteppingClock(1_000_000); // every look costs 1 ms, and one comes after each step
        using var mixed = _packages.Load("mix", clock);
        float[] chunk = new float[Width];
        var all = mixed.Policy.Plan([1], Whenever, chunk);
        Assert.Equal((PlanStatus.Planned, 20), (all.Status, all.Calls));
        var now = MonotonicTime.Now(clock);
        var some = mixed.Policy.Plan([1], now + TimeSpan.FromMilliseconds(9), chunk);
        Assert.Equal(PlanStatus.Planned, some.Status);
        Assert.InRange(some.Calls, 2, 14);
        Assert.Equal(PlanStatus.Late, mixed.Policy.Plan([1], MonotonicTime.Now(clock), chunk).Status);
    }

    private static PolicyManifest Ancestral(PolicyManifest m) => m with { Sampler = m.Sampler! with { Diffusion = m.Sampler.Diffusion! with { Solver = DiffusionSolver.Ddpm, Steps = 100 } } };

    private static PolicyManifest Fine(PolicyManifest m) => m with
    {
        Sampler = m.Sampler! with
        {
            Diffusion = m.Sampler.Diffusion is { } d ? d with { TrainSteps = 1000 } : null,
            Flow = m.Sampler.Flow is { } f ? f with { Solver = FlowSolver.Midpoint } : null,
        },
    };
}
