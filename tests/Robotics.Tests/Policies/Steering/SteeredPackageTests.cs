using System.Text.Json;
using Robotics.Packages;
using Robotics.Policies.Onnx;
using Robotics.Policies.Steering;
using static Robotics.Tests.Policies.Steering.GaussianPackages;

namespace Robotics.Tests.Policies.Steering;

/// <summary>Packages that name packages: what they inherit, and one clear error for each way in which they do not fit.</summary>
public sealed class SteeredPackageTests : IDisposable
{
    private readonly GaussianPackages _packages = new();

    public SteeredPackageTests()
    {
        _packages.Denoiser("a", 0.5f, 0.04, "near");
        _packages.Flow("b", -0.3f, 0.09, "far");
        _packages.Critic("critic", 0.4f, group: "near");
    }

    public void Dispose() => _packages.Dispose();

    [Fact]
    public void Load_TakesObservationsActionAndTimingFromTheParents()
    {
        string folder = _packages.Steered("mix", $"{Parents("a", "b")}, 'compose': {{ 'weights': [0.5, 0.5] }}, 'guide': {{ 'critic': {{ 'package': '../critic' }} }}");
        var package = PolicyPackage.Load(folder);
        Assert.Equal(["near", "far"], package.Manifest.Observations.Select(group => group.Name)); // the critic's is the first parent's
        Assert.Equal((Rows, 20.0), (package.Manifest.Action.Rows, package.Manifest.Timing.PeriodMs));
        Assert.Equal([0], package.Part("steering.guide.critic")!.Groups);

        // The record keeps the text: it must say everything by itself.
        var recorded = PolicyPackage.Parse(package.Text, "record");
        Assert.Equal(JsonSerializer.Serialize(package.Manifest.Observations), JsonSerializer.Serialize(recorded.Observations));
        Assert.Equal(PolicyKind.Steered, recorded.Kind);
    }

    [Fact]
    public void Load_OfTwoGroupsWithOneName_KeepsThemApart()
    {
        _packages.Flow("c", 0, 0.1, "near", m => m with { Observations = [m.Observations[0] with { Terms = [m.Observations[0].Terms[0] with { Scale = [2] }] }] });
        var package = PolicyPackage.Load(_packages.Steered("mix", $"{Parents("a", "c")}, 'compose': {{ 'weights': [0.5, 0.5] }}"));
        Assert.Equal(["near", "near-2"], package.Manifest.Observations.Select(group => group.Name));
    }

    [Fact]
    public void Sha256_NamesTheWholeTree()
    {
        string folder = _packages.Steered("mix", $"{Parents("a", "b")}, 'compose': {{ 'weights': [0.5, 0.5] }}");
        string before = PolicyPackage.Load(folder).Sha256;
        Assert.Equal(before, PolicyPackage.Load(folder).Sha256);
        _packages.Flow("b", -0.31f, 0.09, "far");
        Assert.NotEqual(before, PolicyPackage.Load(folder).Sha256);
    }

    [Fact]
    public void Load_OfAParentWithAnotherHash_Refuses()
    {
        string other = new('0', 64);
        string message = Problem($"'parents': [{{ 'package': '../a', 'sha256': '{other}' }}]");
        Assert.Contains($"steering.parents[0].sha256 is {other} (expected), '../a' has {PolicyPackage.Load(_packages.At("a")).Sha256}", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Tree_SaysWhatRunsAndWhatItCosts()
    {
        _packages.Steered("mix", $"{Parents("a", "b")}, 'compose': {{ 'weights': [0.75, 0.25] }}, 'guide': {{ 'critic': {{ 'package': '../critic' }}, 'candidates': 4 }}");
        using var tree = _packages.Load("mix");
        Assert.Equal("composed (convex 0.75 / 0.25), parent 0 drives; best of 4 by critic", tree.What);
        Assert.Equal(["denoiser, ddim 10", "velocity, euler 10", "critic of 2"], tree.Parts.Select(part => part.What));
        Assert.Equal(21, tree.MostCalls);
        Assert.All(tree.Parts.Append(tree), node => Assert.True(node.Measure(20).Median > TimeSpan.Zero && node.MeasureNetworks(20) > TimeSpan.Zero));
    }

    [Fact]
    public void Load_OfSteeredPackagesInsideOneAnother_Works()
    {
        _packages.Steered("inner", $"{Parents("a", "b")}, 'compose': {{ 'weights': [0.5, 0.5] }}");
        _packages.Steered("outer", $"{Parents("inner")}, 'guide': {{ 'critic': {{ 'package': '../critic' }}, 'candidates': 4 }}");
        using var outer = _packages.Load("outer");
        using var inner = _packages.Load("inner");
        Assert.Equal(2, outer.Policy.Spec.ObservationLength);
        Plan(outer.Policy, 0.1f, 0.2f);
        Assert.Equal(4, ((GuidedPolicy)outer.Policy).Candidates);
        Plan(inner.Policy, 0.1f, 0.2f);
    }

    [Fact]
    public void Load_WhenThePackagesFormACycle_NamesIt()
    {
        _packages.Steered("one", Parents("two"));
        _packages.Steered("two", Parents("one"));
        string message = Assert.Throws<ConfigException>(() => PolicyPackage.Load(_packages.At("one"))).Message;
        Assert.Contains("which leads back to itself: ", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("0.7, 0.4", "steering.compose.weights add up to 1.1, expected 1")]
    [InlineData("1.5, -0.5", "steering.compose.weights has -0.5; only operator 'guidance' takes weights below 0")]
    [InlineData("1", "steering.compose.weights has 1 numbers, steering.parents has 2")]
    public void Load_WhenWeightsDoNotAddUp_SaysSo(string weights, string expected) =>
        Assert.Contains(expected, Problem($"{Parents("a", "b")}, 'compose': {{ 'weights': [{weights}] }}"), StringComparison.Ordinal);

    [Fact]
    public void Load_WhenParentsDriveDifferentRobots_NamesBoth()
    {
        _packages.Flow("c", 0, 0.1, change: m => m with { Action = m.Action with { Joints = ["x", "z"] } });
        string message = Problem($"{Parents("a", "c")}, 'compose': {{ 'weights': [0.5, 0.5] }}");
        Assert.Contains("steering.parents[1]", message, StringComparison.Ordinal);
        Assert.Contains("has action.joints [\"x\",\"z\"], steering.parents[0]", message, StringComparison.Ordinal);
        Assert.Contains("they drive different robots, or mean different things", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_WhenTheCriticJudgesOtherActions_SaysSo()
    {
        _packages.Critic("other", 0, change: m => m with { Action = m.Action with { Kind = [TargetKind.Velocity] } });
        Assert.Contains("the critic judges other actions than these", Problem($"{Parents("a")}, 'guide': {{ 'critic': {{ 'package': '../other' }} }}"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("'parents': [{ 'package': '../a' }, { 'package': '../b' }]", "has 2 parents and no 'compose'")]
    [InlineData("'parents': [{ 'package': '../critic' }]", "is of kind 'critic', which judges actions and makes none")]
    [InlineData("'parents': [{ 'package': '../a' }], 'guide': { 'critic': { 'package': '../b' } }", "is of kind 'velocity', expected 'critic'")]
    [InlineData("'parents': [{ 'package': '../a' }], 'guide': { 'critic': { 'package': '../nowhere' } }", "there is no such file")]
    [InlineData("'parents': [{ 'package': '../a' }], 'refuse': { 'gates': [{ 'signal': 'energy', 'threshold': 1 }] }", "only a parent of kind 'energy'")]
    [InlineData("'parents': [{ 'package': '../a' }], 'refuse': { 'gates': [{ 'signal': 'distance', 'threshold': 1 }] }", "steering.refuse.gates[0].coreset is missing")]
    [InlineData("'parents': [{ 'package': '../a' }], 'refuse': { 'gates': [{ 'signal': 'spread', 'threshold': 1, 'candidates': 3, 'metric': 'whitened' }] }", "steering.refuse.gates[0].metric is given, which only signal 'distance' reads")]
    [InlineData("'parents': [{ 'package': '../a' }], 'refuse': { 'gates': [{ 'signal': 'spread', 'threshold': 1 }] }", "no 'guide' draws two or more")]
    [InlineData("'parents': [{ 'package': '../a' }, { 'package': '../b' }], 'compose': { 'operator': 'or', 'weights': [0.5, 0.5] }", "is 'or', which follows densities along a path with noise; the driver, steering.parents[0], samples without. Choose one with solver 'ddpm'")]
    [InlineData("'parents': [{ 'package': '../a' }, { 'package': '../b' }], 'compose': { 'operator': 'and', 'weights': [0.5, 0.5] }", "is 'and', which follows densities along a path with noise")]
    [InlineData("'parents': [{ 'package': '../a' }, { 'package': '../b' }], 'compose': { 'operator': 'and', 'schedule': [{ 'noise': 1, 'weights': [0.5, 0.5] }, { 'noise': 0, 'weights': [0.5, 0.5] }] }", "operator 'and' finds its weights itself")]
    [InlineData("'parents': [{ 'package': '../a' }, { 'package': '../b' }], 'compose': { }", "needs either 'weights' or 'schedule'")]
    [InlineData("'parents': [{ 'package': '../a' }], 'guide': { 'critic': { 'package': '../critic' }, 'candidats': 3 }", "did you mean 'candidates'?")]
    public void Load_WhenSomethingDoesNotFit_SaysWhat(string steering, string expected) =>
        Assert.Contains(expected, Problem(steering), StringComparison.Ordinal);

    [Fact]
    public void Load_WhenASteeredPackageSaysWhatIsItsParents_Refuses()
    {
        _packages.Steered("s", Parents("a"), ", 'action': {}");
        Assert.Contains("action is given; a steered package takes it from its parents", Assert.Throws<ConfigException>(() => _packages.Load("s")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_OfACriticAlone_SaysWhereItBelongs() => Assert.Contains(
        "is of kind 'critic', which judges actions and makes none", Assert.Throws<ConfigException>(() => _packages.Load("critic")).Message, StringComparison.Ordinal);

    [Fact]
    public void Load_OfASteeredManifestWithoutItsParents_SaysHowToLoadIt()
    {
        string text = File.ReadAllText(Path.Combine(_packages.Steered("s", Parents("a")), "policy.json"));
        Assert.Contains("load it as a package, beside them", Assert.Throws<ConfigException>(() => PolicyPackage.Parse(text, "p")).Message, StringComparison.Ordinal);
    }

    private string Problem(string steering)
    {
        _packages.Steered("s", steering);
        return Assert.Throws<ConfigException>(() => _packages.Load("s").Dispose()).Message;
    }
}

internal abstract class SteeredFixture : IPolicyFixture
{
    public abstract Type Policy { get; }

    public IPolicy Create()
    {
        using var packages = new GaussianPackages();
        packages.Denoiser("a", 0.5f, 0.04, "near", change: m => m with { Sampler = m.Sampler! with { Inpaint = new() } });
        packages.Flow("b", -0.3f, 0.09, "far");
        packages.Gaussian("actor", 0.1f, -2);
        packages.Critic("critic", 0.4f, bias: 0.1f);
        packages.Steered("policy", Steering);
        return packages.Load("policy").Policy;
    }

    protected abstract string Steering { get; }
}

internal sealed class ComposedFixture : SteeredFixture
{
    public override Type Policy => typeof(OnnxPolicy);

    protected override string Steering => $"{Parents("a", "b")}, 'compose': {{ 'schedule': [{{ 'noise': 0.9, 'weights': [1, 0] }}, {{ 'noise': 0.1, 'weights': [0, 1] }}] }}";
}

internal sealed class GuidedFixture : SteeredFixture
{
    public override Type Policy => typeof(GuidedPolicy);

    protected override string Steering => $"{Parents("a", "b")}, 'compose': {{ 'weights': [0.5, 0.5] }}, 'guide': {{ 'critic': {{ 'package': '../critic' }}, 'candidates': 5, 'temperature': 0.3 }}";
}

internal sealed class ImprovedFixture : SteeredFixture
{
    public override Type Policy => typeof(ImprovedPolicy);

    protected override string Steering => $"{Parents("actor")}, 'improve': {{ 'critic': {{ 'package': '../critic' }}, 'steps': 3 }}";
}

internal sealed class GatedFixture : SteeredFixture
{
    public override Type Policy => typeof(GatedPolicy);

    protected override string Steering => $"{Parents("a")}, 'refuse': {{ 'gates': [{{ 'signal': 'ensemble', 'threshold': 1000, 'critic': {{ 'package': '../critic' }} }}, {{ 'signal': 'spread', 'threshold': 1000, 'candidates': 3 }}], 'fallback': {{ 'package': '../actor' }} }}";
}
