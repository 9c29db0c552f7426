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

    [Theory]
    [InlineData("whitened", false)]
    [InlineData("products", true)]
    public void Distance_Products_SeeAChangeOfSize(string metric, bool seen)
    {
        // A marker on a wheel of radius 1: inside the circle no element, and no direction, is unusual.
        _packages.Denoiser("b", 0.5f, 0.01, "other");
        float[] set = [.. Enumerable.Range(0, 400).SelectMany(i => new[] { MathF.Cos(i * 0.1f), MathF.Sin(i * 0.1f) })];
        Gate(1e9, parents: $"{Parents("a", "b")}, 'compose': {{ 'weights': [0.5, 0.5] }}", set: set, words: $", 'metric': '{metric}'");
        using var tree = _packages.Load("gated");
        double Signal(float radius)
        {
            tree.Policy.Plan([radius * MathF.Cos(0.33f), radius * MathF.Sin(0.33f)], Whenever, new float[Width]);
            return ((GatedPolicy)tree.Policy).Signals[0];
        }

        Assert.InRange(Signal(1), 0, 0.1);
        Assert.Equal(seen, Signal(0.8f) > 5);
        Assert.InRange(Signal(0.8f), 0.1, 100);
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

    [Theory]
    [InlineData(0, 0, false, PlanStatus.Planned)]
    [InlineData(0.1f, 0.1f, false, PlanStatus.Refused)] // aside from the start: the joint does not go where it is sent
    [InlineData(0, 0.1f, false, PlanStatus.Refused)]    // jumps aside
    [InlineData(0, 0, true, PlanStatus.Refused)]        // stuck: shows what it showed before
    public void Innovation_RefusesWhatTheLastPlanDoesNotLeadTo_BeforeAnyNetworkIsAsked(float first, float second, bool stuck, PlanStatus expected)
    {
        Innovation();
        using var tree = _packages.Load("gated");
        float[] chunk = new float[Width];
        Assert.Equal(PlanStatus.Planned, tree.Policy.Plan([0.8f + first], Whenever, chunk).Status); // nothing to compare with
        Assert.True(double.IsNaN(((GatedPolicy)tree.Policy).Signals[0]));
        var result = tree.Policy.Plan([stuck ? 0.8f : Plant(0.8f, chunk) + second], Whenever, chunk);
        Assert.Equal(expected, result.Status);
        Assert.Equal(expected == PlanStatus.Refused, result.Calls == 0);
        Assert.InRange(((GatedPolicy)tree.Policy).Signals[0], expected == PlanStatus.Refused ? 10 : 0, expected == PlanStatus.Refused ? 1e4 : 5);
    }

    [Theory]
    [InlineData(4, 0, true)]
    [InlineData(3, 0, false)]  // another number of rows than the transitions tell about
    [InlineData(-1, 0, false)] // the plan was not executed
    public void Innovation_SaysNothing_WhereItCannotKnowWhatWasExecuted(int rowsSince, int delay, bool says)
    {
        Innovation();
        using var tree = _packages.Load("gated");
        var gated = (GatedPolicy)tree.Policy;
        gated.Plan([0.5f], Whenever, new float[Width]);
        gated.Continue(new(rowsSince, delay));
        Assert.Equal(says ? PlanStatus.Refused : PlanStatus.Planned, gated.Plan([3], Whenever, new float[Width]).Status);
        gated.Reset(1);
        Assert.Equal(PlanStatus.Planned, gated.Plan([-3], Whenever, new float[Width]).Status); // a new episode begins anywhere
    }

    [Fact]
    public void Innovation_WhenAPlanTakesOverLate_KnowsThatTheOldRowsRanUntilThen()
    {
        Innovation(rows: 2);
        using var tree = _packages.Load("gated");
        var gated = (GatedPolicy)tree.Policy;
        float[] old = new float[Width], chunk = new float[Width];
        gated.Plan([0.8f], Whenever, old);
        float at = Plant(0.8f, old.AsSpan(0, 4));
        gated.Continue(new(2, 1)); // one more row of the old chunk runs first
        Assert.Equal(PlanStatus.Planned, gated.Plan([at], Whenever, chunk).Status);
        at = Plant(at, [old[4], old[5], chunk[2], chunk[3]]);
        gated.Continue(new(2, 1));
        Assert.Equal(PlanStatus.Planned, gated.Plan([at], Whenever, chunk).Status);
        Assert.InRange(gated.Signals[0], 0, 5);
    }

    [Fact]
    public void Tick_WhenTheSensorJumps_TheRobotHolds_AndAfterAHoldTheGateStartsAnew()
    {
        Innovation();
        using var tree = _packages.Load("gated");
        using var rig = new Control.Rig(rows: Rows, policy: new Seen(tree.Policy)).Driving();
        rig.Step(10 * Rows);
        Assert.Equal(ControlState.Running, rig.Loop.State);
        rig.Loop.Hold();
        rig.Step(2);
        rig.Robot.Position[0] = 0.9f; // a person moves it meanwhile
        rig.Loop.Resume();
        rig.Step(10 * Rows);
        Assert.Equal(ControlState.Running, rig.Loop.State);
        ((Seen)rig.Policed).Offset = 0.1f; // the sensor goes wrong
        rig.Step(Rows + 2);
        Assert.Equal((ControlState.Holding, HoldReason.PolicyRefused), (rig.Loop.State, rig.Loop.Reason));
        Assert.True(rig.Robot.HoldsNow);
    }

    [Fact]
    public void Innovation_AllocatesNothing()
    {
        Innovation();
        using var tree = _packages.Load("gated");
        float[] chunk = new float[Width], observation = [0.5f];
        Assert.Equal(0, Allocated.ByThisThread(() =>
        {
            for (int i = 0; i < 100; i++)
            {
                tree.Policy.Plan(observation, Whenever, chunk);
                observation[0] = Plant(observation[0], chunk);
            }
        }));
    }

    [Theory]
    [InlineData("'threshold': 5", "steering.refuse.gates[0].transitions is missing; signal 'innovation' needs it")]
    [InlineData("'threshold': 5, 'transitions': 'other.f32'", "is 'other.f32', which 'files' does not list")]
    [InlineData("'threshold': 5, 'transitions': 'known.f32', 'rows': 5", "steering.refuse.gates[0].rows is 5, the plan has 4")]
    [InlineData("'threshold': 5, 'transitions': 'known.f32', 'rows': 3", "expected a multiple of 32: 1 observation elements, 3 rows of 2 and 1 again of 4 bytes")]
    public void Load_WhenAnInnovationGateLacksSomething_SaysWhat(string words, string expected) => Assert.Contains(
        expected, Assert.Throws<ConfigException>(() =>
        {
            Write($"'signal': 'innovation', {words}", new float[10]);
            _packages.Load("gated");
        }).Message, StringComparison.Ordinal);

    // The rig's joint: each row brings it 0.4 of the way.
    private static float Plant(float q, ReadOnlySpan<float> rows)
    {
        for (int r = 0; r < rows.Length; r += 2)
        {
            q += 0.4f * (rows[r] - q);
        }

        return q;
    }

    // Transitions of that joint under the policy, measured to 0.01.
    private void Innovation(int rows = Rows)
    {
        var random = new SeededRandom(6);
        var set = new List<float>();
        for (int n = 0; n < 300; n++)
        {
            float q = (float)random.NextDouble(-1, 1);
            float[] sent = [.. Enumerable.Range(0, 2 * rows).Select(_ => (0.5f * q) + (0.1f * (float)random.NextGaussian()))];
            set.AddRange([q, .. sent, Plant(q, sent) + (0.005f * (float)random.NextGaussian())]);
        }

        Write(FormattableString.Invariant($"'signal': 'innovation', 'threshold': 8, 'transitions': 'known.f32', 'rows': {rows}"), [.. set]);
    }

    // One of the rig's two joints, as a sensor with an offset sees it.
    private sealed class Seen(IPolicy policy) : IContinuingPolicy
    {
        private readonly float[] _observation = new float[1];

        public float Offset { get; set; }

        public PolicySpec Spec { get; } = policy.Spec with { Observation = [new("policy", 0, 2)] };

        public string? LastFault => policy.LastFault;

        public void Reset(ulong seed) => policy.Reset(seed);

        public void Continue(ChunkInExecution running) => (policy as IContinuingPolicy)?.Continue(running);

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
        Write(
            FormattableString.Invariant($"'signal': 'distance', 'threshold': {threshold}, 'coreset': 'known.f32' {words}"),
            set ?? [.. Enumerable.Range(0, 11).Select(i => i / 10f)], fallback, parents);
    }

    private void Write(string gate, float[] set, string fallback = "", string? parents = null)
    {
        Directory.CreateDirectory(_packages.At("gated"));
        byte[] bytes = MemoryMarshal.AsBytes(set.AsSpan()).ToArray();
        File.WriteAllBytes(Path.Combine(_packages.At("gated"), "known.f32"), bytes);
        _packages.Steered("gated", $"{parents ?? Parents("a")}, 'refuse': {{ 'gates': [{{ {gate} }}] {fallback} }}",
            $", 'files': [{{ 'path': 'known.f32', 'sha256': '{Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(bytes))}' }}]");
    }
}
