using System.Runtime.InteropServices;
using Robotics.Numerics;
using Robotics.Policies.Steering;
using static Robotics.Tests.Policies.Steering.GaussianPackages;

namespace Robotics.Tests.Policies.Steering;

public sealed class RefuseTests : IDisposable
{
    private readonly GaussianPackages _packages = new();

    public RefuseTests()
    {
        _packages.Denoiser("a", 0.5f, 0.01);
        _packages.Gaussian("still", 0, 0);
    }

    public void Dispose() => _packages.Dispose();

    [Fact]
    public void Distance_RefusesWhatIsFarFromTheStoredSet_BeforeAnyNetworkIsAsked()
    {
        Gate(0.2);
        using var tree = _packages.Load("gated");
        float[] chunk = [.. Enumerable.Repeat(7f, Width)];
        Assert.Equal(new PlanResult(PlanStatus.Refused, 0), tree.Policy.Plan([5], Whenever, chunk));
        Assert.All(chunk, a => Assert.Equal(7, a));
        var gated = (GatedPolicy)tree.Policy;
        Assert.Equal((0, 1), (gated.RefusedBy, gated.Refusals));
        Assert.Equal(PlanStatus.Planned, gated.Plan([0.51f], Whenever, chunk).Status);
        Assert.Equal(-1, gated.RefusedBy);
    }

    [Fact]
    public void Distance_OfTheNearest_IsInUnitsOfTheSetsDeviation()
    {
        Gate(10); // set 0, .1, … 1 : deviation √(.1) = .31623; 1.5 lies .5 beyond
        using var tree = _packages.Load("gated");
        tree.Policy.Plan([1.5f], Whenever, new float[Width]);
        Assert.Equal(0.5 / Math.Sqrt(0.1), ((GatedPolicy)tree.Policy).Signals[0], 1e-4);
    }

    [Theory]
    [InlineData("elements", 0.9f, 0.1f, 1.2, 1.3)]  // by hand: the nearest is (.5, .5), √(.4² + .4²)/√2 / .31623
    [InlineData("whitened", 0.9f, 0.1f, 60, 65)]    // .8/√2 / .31623 across the line, √2 in the mean of two, over the floor of .02: 63.2
    [InlineData("whitened", 0.44f, 0.44f, 0, 0.2)]  // on the line
    public void Distance_Whitened_SeesWhatNeverCameTogether(string metric, float first, float second, double low, double high)
    {
        _packages.Denoiser("b", 0.5f, 0.01, "other");
        float[] set = [.. Enumerable.Range(0, 11).SelectMany(i => new[] { i / 10f, i / 10f })];
        Gate(1e9, parents: $"{Parents("a", "b")}, 'compose': {{ 'weights': [0.5, 0.5] }}", set: set, words: $", 'metric': '{metric}'");
        using var tree = _packages.Load("gated");
        tree.Policy.Plan([first, second], Whenever, new float[Width]);
        Assert.InRange(((GatedPolicy)tree.Policy).Signals[0], low, high);
    }

    [Fact]
    public void Tick_WhenAGateRefuses_TheRobotHolds()
    {
        Gate(0.2);
        using var tree = _packages.Load("gated");
        using var rig = new Control.Rig(rows: Rows, policy: new Seen(tree.Policy)).Driving();
        ((Seen)rig.Policed).Offset = 5; // the sensor goes wrong
        rig.Step(Rows + 2);
        Assert.Equal((ControlState.Holding, HoldReason.PolicyRefused), (rig.Loop.State, rig.Loop.Reason));
        Assert.True(rig.Robot.HoldsNow);
    }

    // One of the rig's two joints, as a sensor with an offset sees it.
    private sealed class Seen(IPolicy policy) : IPolicy
    {
        private readonly float[] _observation = new float[1];

        public float Offset { get; set; }

        public PolicySpec Spec { get; } = policy.Spec with { Observation = [new("policy", 0, 2)] };

        public string? LastFault => policy.LastFault;

        public void Reset(ulong seed) => policy.Reset(seed);

        public PlanResult Plan(ReadOnlySpan<float> observation, MonotonicTime deadline, Span<float> chunk)
        {
            _observation[0] = observation[0] + Offset;
            return policy.Plan(_observation, Whenever, chunk); // the rig's clock stands, the policy's is the system's
        }

        public void Dispose()
        {
        }
    }

    [Fact]
    public void Refused_WithAFallback_LetsItPlanInstead()
    {
        Gate(0.2, ", 'fallback': { 'package': '../still' }");
        using var tree = _packages.Load("gated");
        Assert.All(Plan(tree.Policy, 5), a => Assert.Equal(0, a));
        Assert.NotEqual(0, Plan(tree.Policy, 0.5f)[0]);
    }

    [Fact]
    public void Spread_RefusesWhereCandidatesDisagree()
    {
        _packages.Denoiser("vague", 0, 0.25);
        const string gates = "'refuse': { 'gates': [{ 'signal': 'spread', 'threshold': 0.3, 'candidates': 8 }] }";
        _packages.Steered("sure", $"{Parents("a")}, {gates}");
        _packages.Steered("unsure", $"{Parents("vague")}, {gates}");
        using var sure = _packages.Load("sure");
        using var unsure = _packages.Load("unsure");
        Assert.Equal(PlanStatus.Planned, sure.Policy.Plan([1], Whenever, new float[Width]).Status);
        Assert.Equal(PlanStatus.Refused, unsure.Policy.Plan([1], Whenever, new float[Width]).Status);
        Assert.InRange(((GatedPolicy)unsure.Policy).Signals[0], 0.3, 0.7); // the deviation is 0.5
    }

    [Theory]
    [InlineData("'guide': { 'critic': { 'package': '../torn' }, 'candidates': 4 }, ", "")]
    [InlineData("", ", 'critic': { 'package': '../torn' }")]
    public void Ensemble_RefusesWhereTheCriticDisagrees(string guide, string critic)
    {
        _packages.Critic("torn", target: 0.5f, bias: 10); // members differ by 10·a[0]: deviation 5·|a[0]|
        _packages.Steered("gated", $"{Parents("a")}, {guide}'refuse': {{ 'gates': [{{ 'signal': 'ensemble', 'threshold': 1 {critic} }}] }}");
        using var tree = _packages.Load("gated");
        float[] chunk = new float[Width];
        Assert.Equal(PlanStatus.Refused, tree.Policy.Plan([1], Whenever, chunk).Status); // a[0] about .5
        Assert.Equal(2.5, ((GatedPolicy)tree.Policy).Signals[0], 1.5);
        tree.Policy.Reset(3);
        Assert.Equal(PlanStatus.Planned, tree.Policy.Plan([0], Whenever, chunk).Status); // a[0] about 0
    }

    [Theory]
    [InlineData(0.01)]
    [InlineData(0.05)]
    public void Calibrated_RefusesAsManyKnownSituationsAsStated(double falseAlarm)
    {
        Gate(0);
        using var tree = _packages.Load("gated");
        var gated = (GatedPolicy)tree.Policy;
        var random = new SeededRandom(4);
        float[][] Draw(int n) => [.. Enumerable.Range(0, n).Select(_ => new float[] { (float)(0.5 + (0.3 * random.NextGaussian())) })];
        double threshold = Assert.Single(GateCalibration.Thresholds(gated, Draw(1000), falseAlarm));
        double refused = Draw(4000).Average(o =>
        {
            double[] signals = new double[1];
            gated.Sense(o, signals);
            return signals[0] > threshold ? 1.0 : 0;
        });
        Assert.InRange(refused, falseAlarm / 3, falseAlarm * 2);
    }

    [Fact]
    public void Threshold_OfTooFewValues_SaysHowManyItTakes() => Assert.Contains(
        "it takes 99 or more", Assert.Throws<ArgumentException>(() => GateCalibration.Threshold(new double[98], 0.01)).Message, StringComparison.Ordinal);

    private void Gate(double threshold, string fallback = "", string? parents = null, float[]? set = null, string words = "")
    {
        set ??= [.. Enumerable.Range(0, 11).Select(i => i / 10f)];
        Directory.CreateDirectory(_packages.At("gated"));
        byte[] bytes = MemoryMarshal.AsBytes(set.AsSpan()).ToArray();
        File.WriteAllBytes(Path.Combine(_packages.At("gated"), "known.f32"), bytes);
        _packages.Steered("gated", FormattableString.Invariant($"{parents ?? Parents("a")}, 'refuse': {{ 'gates': [{{ 'signal': 'distance', 'threshold': {threshold}, 'coreset': 'known.f32' {words} }}] {fallback} }}"),
            $", 'files': [{{ 'path': 'known.f32', 'sha256': '{Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(bytes))}' }}]");
    }
}
