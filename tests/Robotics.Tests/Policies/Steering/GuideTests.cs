using Robotics.Policies.Onnx;
using Robotics.Policies.Steering;
using static Robotics.Tests.Policies.Steering.GaussianPackages;

namespace Robotics.Tests.Policies.Steering;

public sealed class GuideTests : IDisposable
{
    private readonly GaussianPackages _packages = new();

    public GuideTests()
    {
        _packages.Denoiser("a", 0, 0.25);
        _packages.Flow("b", 0, 0.25);
        _packages.Critic("critic", target: 0.4f);
    }

    public void Dispose() => _packages.Dispose();

    [Theory]
    [InlineData("a")]
    [InlineData("b")]
    public void Plan_WithOneCandidate_IsTheBarePolicyBitForBit(string parent)
    {
        _packages.Steered("one", $"{Parents(parent)}, 'guide': {{ 'critic': {{ 'package': '../critic' }}, 'candidates': 1 }}");
        using var bare = _packages.Load(parent);
        using var guided = _packages.Load("one");
        bare.Policy.Reset(3);
        guided.Policy.Reset(3);
        for (int i = 0; i < 5; i++)
        {
            Assert.Equal(Plan(bare.Policy, 0.1f * i), Plan(guided.Policy, 0.1f * i));
        }
    }

    [Theory]
    [InlineData("a")]
    [InlineData("b")]
    public void Plan_WithTen_TakesTheBest(string parent)
    {
        _packages.Steered("ten", $"{Parents(parent)}, 'guide': {{ 'critic': {{ 'package': '../critic' }} }}");
        _packages.Steered("drawn", $"{Parents(parent)}, 'guide': {{ 'critic': {{ 'package': '../critic' }}, 'temperature': 1000000 }}");
        using var bare = _packages.Load(parent);
        using var best = _packages.Load("ten");
        using var drawn = _packages.Load("drawn");
        double plain = Mean(bare.Policy), guided = Mean(best.Policy), random = Mean(drawn.Policy);
        Assert.True(guided > plain + 0.5, $"best of ten {guided}, bare {plain}");
        Assert.True(Math.Abs(random - plain) < 0.4, $"at a temperature of a million {random}, bare {plain}");
        Assert.Equal(10, ((GuidedPolicy)best.Policy).Candidates);

        double Mean(IPolicy policy)
        {
            policy.Reset(0);
            return Enumerable.Range(0, 200).Average(_ => -Plan(policy, 0).Sum(a => (a - 0.4) * (a - 0.4)));
        }
    }

    [Fact]
    public void Plan_AroundAComposition_ChoosesAmongItsCandidates()
    {
        _packages.Steered("mix", $"{Parents("a", "b")}, 'compose': {{ 'weights': [0.5, 0.5] }}, 'guide': {{ 'critic': {{ 'package': '../critic' }}, 'candidates': 8 }}");
        using var tree = _packages.Load("mix");
        float[] chunk = new float[Width];
        var result = tree.Policy.Plan([0], Whenever, chunk);
        Assert.Equal((PlanStatus.Planned, 21), (result.Status, result.Calls)); // ten steps of two parents, one score
        Assert.Equal(21, tree.MostCalls);
    }

    [Fact]
    public void Plan_AroundAPolicyThatIsCode_AsksItAgainAndAgain()
    {
        using var noisy = new GuidedPolicy(new Noisy(), Critic.Load(Robotics.Packages.PolicyPackage.Load(_packages.At("critic")), new OnnxOptions(), 6),
            new() { Critic = new() { Package = "" }, Candidates = 6 }, TimeProvider.System);
        noisy.Reset(1);
        float[] best = Plan(noisy, 0);
        using var bare = new Noisy();
        bare.Reset(1);
        float[][] all = [.. Enumerable.Range(0, 6).Select(_ => Plan(bare, 0))];
        Assert.Equal(all.MinBy(chunk => chunk.Sum(a => (a - 0.4) * (a - 0.4))), best);
        Assert.Equal(6, noisy.Candidates);
    }

    [Fact]
    public void Plan_WhenTimeIsShort_DrawsFewerAndIsNotLate()
    {
        _packages.Steered("ten", $"{Parents("a")}, 'guide': {{ 'critic': {{ 'package': '../critic' }} }}");
        var clock = new TestPolicies.SteppingClock(1_000_000);
        using var tree = _packages.Load("ten", clock);
        float[] chunk = new float[Width];
        var guided = (GuidedPolicy)tree.Policy;
        Assert.Equal(PlanStatus.Planned, guided.Plan([0], Whenever, chunk).Status);
        Assert.Equal(10, guided.Candidates);
        Assert.Equal(PlanStatus.Planned, guided.Plan([0], MonotonicTime.Now(clock) + TimeSpan.FromMilliseconds(6), chunk).Status);
        Assert.Equal(1, guided.Candidates); // no batch's whole plan fits: one candidate, fewer steps
    }

    [Fact]
    public void Plan_WhenTheCriticGivesNaN_TakesNone()
    {
        _packages.Critic("broken", target: float.NaN);
        _packages.Steered("ten", $"{Parents("a")}, 'guide': {{ 'critic': {{ 'package': '../broken' }} }}");
        using var tree = _packages.Load("ten");
        Assert.Equal(PlanStatus.NotFinite, tree.Policy.Plan([0], Whenever, new float[Width]).Status);
    }

    private sealed class Noisy : IPolicy
    {
        private readonly Robotics.Numerics.SeededRandom _random = new(0);

        public PolicySpec Spec { get; } = new("noisy", [new("o", 0, 1)], Rows, 2, TimeSpan.FromMilliseconds(20));

        public string? LastFault => null;

        public void Reset(ulong seed) => _random.Reset(seed);

        public PlanResult Plan(ReadOnlySpan<float> observation, MonotonicTime deadline, Span<float> chunk)
        {
            _random.FillGaussian(chunk);
            return new(PlanStatus.Planned, 1);
        }

        public void Dispose()
        {
            // Holds nothing.
        }
    }
}
