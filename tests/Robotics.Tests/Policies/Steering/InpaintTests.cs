using Robotics.Numerics;
using Robotics.Packages;
using static Robotics.Tests.Policies.Steering.GaussianPackages;

namespace Robotics.Tests.Policies.Steering;

/// <summary>Plans that go on from the chunk in execution. The parent is so vague (deviation 0.5) that two plans have nothing in common
/// unless something holds them together.</summary>
public sealed class InpaintTests : IDisposable
{
    private readonly GaussianPackages _packages = new();

    public void Dispose() => _packages.Dispose();

    [Theory]
    [InlineData("flow", GuidanceDecay.Exponential)]
    [InlineData("flow", GuidanceDecay.Linear)]
    [InlineData("noise", GuidanceDecay.Exponential)]
    [InlineData("sample", GuidanceDecay.Exponential)]
    public void Plan_KeepsWhatWillHaveBeenExecutedAndLeavesTheEndFree(string family, GuidanceDecay decay)
    {
        using var tree = Load(family, new InpaintSpec { Decay = decay });
        var policy = (IContinuingPolicy)tree.Policy;
        double executed = 0, free = 0;
        for (ulong seed = 0; seed < 20; seed++)
        {
            policy.Reset(seed);
            float[] running = Plan(policy, 0);
            policy.Continue(new(RowsSince: 1, Delay: 2)); // one row on: rows 1 and 2 are executed meanwhile, row 3 fades, one more is new
            float[] next = Plan(policy, 0);
            executed += Difference(next.AsSpan(0, 4), running.AsSpan(2, 4)) / 20;
            free += Difference(next.AsSpan(6, 2), running.AsSpan(6, 2)) / 20;
        }

        Assert.InRange(executed, 0, 0.08); // unrelated chunks lie 0.56 apart
        Assert.InRange(free, 0.2, 2);
    }

    [Fact]
    public void Plan_WhenTheRunningChunkIsNotItsOwn_IsAFreshOne()
    {
        using var tree = Load("flow", new InpaintSpec());
        using var plain = Load("plain", null);
        var policy = (IContinuingPolicy)tree.Policy;
        policy.Reset(1);
        plain.Policy.Reset(1);
        Assert.Equal(Plan(plain.Policy, 0), Plan(policy, 0)); // the first has nothing to go on from
        policy.Continue(new(RowsSince: -1, Delay: 2));
        Assert.Equal(Plan(plain.Policy, 0), Plan(policy, 0));
        policy.Continue(new(RowsSince: 1, Delay: 1));
        Assert.NotEqual(Plan(plain.Policy, 0), Plan(policy, 0));
    }

    [Fact]
    public void Plan_WithAWarmStart_GoesOnFromTheRowThatIsDue()
    {
        _packages.Flow("warm", 0, 0.25, change: m => m with { Sampler = m.Sampler! with { WarmStart = new() { From = 0.01, Steps = 2 } } });
        using var tree = _packages.Load("warm");
        var policy = (IContinuingPolicy)tree.Policy;
        policy.Reset(1);
        float[] running = Plan(policy, 0);
        policy.Continue(new(RowsSince: 2, Delay: 0));
        float[] next = Plan(policy, 0);
        Assert.InRange(Difference(next.AsSpan(0, 4), running.AsSpan(4, 4)), 0, 0.05);
    }

    [Fact]
    public void Plan_Composed_IsPulledLikeAnyOther()
    {
        _packages.Flow("flow", 0, 0.25, change: m => m with { Sampler = m.Sampler! with { Inpaint = new() } });
        _packages.Denoiser("other", 0, 0.25);
        _packages.Steered("mix", $"{Parents("flow", "other")}, 'compose': {{ 'weights': [0.5, 0.5] }}");
        using var tree = _packages.Load("mix");
        var policy = (IContinuingPolicy)tree.Policy;
        policy.Reset(1);
        float[] running = Plan(policy, 0);
        policy.Continue(new(1, 2));
        Assert.InRange(Difference(Plan(policy, 0).AsSpan(0, 4), running.AsSpan(2, 4)), 0, 0.05);
    }

    private Robotics.Policies.Steering.PolicyTree Load(string family, InpaintSpec? inpaint)
    {
        PolicyManifest Inpainted(PolicyManifest m) => m with { Sampler = m.Sampler! with { Inpaint = inpaint } };
        if (family is "noise" or "sample")
        {
            _packages.Denoiser(family, 0, 0.25, prediction: family == "noise" ? Prediction.Epsilon : Prediction.Sample, change: Inpainted);
        }
        else
        {
            _packages.Flow(family, 0, 0.25, change: Inpainted);
        }

        return _packages.Load(family);
    }

    private static double Difference(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++)
        {
            sum += Math.Abs(a[i] - b[i]) / a.Length;
        }

        return sum;
    }
}
