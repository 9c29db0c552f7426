using Robotics.Numerics;
using Robotics.Packages;
using Robotics.Policies.Onnx;
using static Robotics.Tests.Policies.TestPolicies;

namespace Robotics.Tests.Policies;

/// <summary>A joint model that a person can work out: a chunk is its noise, its future is the chunk's first element, and its value is a
/// function of the future; each only when the flags say that what it needs is given.</summary>
public sealed class JointPolicyTests
{
    private const int Horizon = 2, Size = 4, Candidates = 8;
    private const ulong Seed = 5;

    private static readonly string[] s_same = [];

    [Fact]
    public void Plan_Planned_ExecutesTheChunkThatIsWorthMost()
    {
        using var policy = Load(s_same, Sampler());
        var noise = Noise(4, Candidates);
        policy.Reset(Seed);
        for (int plan = 0; plan < noise.Length; plan++)
        {
            float[] chunk = new float[Horizon];
            var result = policy.Plan([0], Whenever, chunk);
            Assert.Equal((PlanStatus.Planned, 4), (result.Status, result.Calls)); // two of the flow, one future, one value
            Assert.Equal(noise[plan].MaxBy(z => z[0])![..Horizon], chunk);
        }

        Assert.Equal(4, policy.MostCalls);
    }

    [Fact]
    public void Plan_ByTheJointValue_ExecutesTheLargestAndAsksNoMore()
    {
        // Without flags the value goes to 0, so what is left of its noise after two steps decides.
        using var policy = Load(s_same, Sampler(JointSelection.Joint));
        policy.Reset(Seed);
        float[] chunk = new float[Horizon];
        var result = policy.Plan([0], Whenever, chunk);
        Assert.Equal((PlanStatus.Planned, 2), (result.Status, result.Calls));
        Assert.Equal(Noise(1, Candidates)[0].MaxBy(z => z[3])![..Horizon], chunk);
    }

    [Theory]
    [InlineData(JointSelection.Single, Candidates)]
    [InlineData(JointSelection.Planned, 1)]
    [InlineData(JointSelection.Joint, 1)]
    public void Plan_OfOneChunk_IsTheBarePolicyBitForBit(JointSelection selection, int candidates)
    {
        using var policy = Load(s_same, Sampler(selection) with { Candidates = candidates });
        var noise = Noise(5, 1);
        policy.Reset(Seed);
        foreach (float[][] z in noise)
        {
            float[] chunk = new float[Horizon];
            var result = policy.Plan([0], Whenever, chunk);
            Assert.Equal((PlanStatus.Planned, 2), (result.Status, result.Calls));
            Assert.Equal(z[0][..Horizon], chunk);
        }
    }

    [Fact]
    public void Plan_WhenAValueIsNotFinite_NeverExecutesThatChunk()
    {
        // -log of the future: NaN below zero, and largest for the smallest one above.
        using var policy = Load(["Log", "Neg"], Sampler());
        policy.Reset(Seed);
        float[] chunk = new float[Horizon];
        Assert.Equal(PlanStatus.Planned, policy.Plan([0], Whenever, chunk).Status);
        float[][] drawn = Noise(1, Candidates)[0];
        Assert.Contains(drawn, z => z[0] < 0);
        Assert.Equal(drawn.Where(z => z[0] > 0).MinBy(z => z[0])![..Horizon], chunk);
    }

    [Fact]
    public void Plan_WhenNoValueIsFinite_AnswersNotFiniteAndTouchesNothing()
    {
        using var policy = Load(["Abs", "Neg", "Log"], Sampler());
        float[] chunk = [7, 7];
        var result = policy.Plan([0], Whenever, chunk);
        Assert.Equal((PlanStatus.NotFinite, 4), (result.Status, result.Calls));
        Assert.Equal([7, 7], chunk);
    }

    [Fact]
    public void Plan_WhenTheObservationIsNotFinite_IsRefused()
    {
        using var policy = Load(s_same, Sampler());
        Assert.Equal(PlanStatus.Refused, policy.Plan([float.NaN], Whenever, new float[Horizon]).Status);
    }

    // Every look at this clock costs 1 ms: two before the first call, one per call, one at the end.
    [Theory]
    [InlineData(40, PlanStatus.Planned, 4, true)]   // time for all
    [InlineData(7, PlanStatus.Planned, 2, false)]   // the chunks are there, what they lead to does not fit any more: the first one
    [InlineData(4, PlanStatus.Planned, 1, false)]   // one chunk instead of eight, and not even the flow's second step
    [InlineData(0, PlanStatus.Late, 0, false)]
    public void Plan_WithATightDeadline_LeavesOutTheStagesThatDoNotFit(int budgetMs, PlanStatus status, int calls, bool chosen)
    {
        var clock = new SteppingClock(1_000_000);
        using var policy = Load(s_same, Sampler(), new OnnxOptions { Clock = clock });
        policy.Reset(Seed);
        float[] chunk = [-9, -9];
        var result = policy.Plan([0], new(clock.GetTimestamp() + (budgetMs * 1_000_000L)), chunk);
        Assert.Equal((status, calls), (result.Status, result.Calls));
        float[][] drawn = Noise(1, Candidates)[0];
        float[] first = status == PlanStatus.Planned ? drawn[0][..Horizon] : [-9, -9];
        Assert.Equal(chosen ? drawn.MaxBy(z => z[0])![..Horizon] : first, chunk);
    }

    [Fact]
    public void Plan_WithAnyDeadlineThatOneChunkMakes_IsNeverLate()
    {
        var clock = new SteppingClock(1_000_000);
        using var policy = Load(s_same, Sampler(), new OnnxOptions { Clock = clock });
        float[] chunk = new float[Horizon];
        var seen = new HashSet<int>();
        for (int budgetMs = 4; budgetMs < 60; budgetMs++)
        {
            var deadline = new MonotonicTime(clock.GetTimestamp() + (budgetMs * 1_000_000L));
            var result = policy.Plan([0], deadline, chunk);
            Assert.Equal(PlanStatus.Planned, result.Status);
            Assert.True(new MonotonicTime(clock.GetTimestamp() - 1_000_000) <= deadline, $"{budgetMs} ms"); // less this look
            seen.Add(result.Calls);
        }

        Assert.Contains(2, seen);
        Assert.Contains(4, seen);
    }

    [Fact]
    public void Plan_AfterAReset_RepeatsAndAllocatesNothing()
    {
        using var policy = Load(s_same, Sampler() with { Joint = new() { Future = 1, FutureSteps = 3, ValueSteps = 2 } });
        float[] Chunks()
        {
            policy.Reset(Seed);
            return [.. Plan(policy, 0), .. Plan(policy, 0)];
        }

        Assert.Equal(Chunks(), Chunks());
        float[] observation = [0], chunk = new float[Horizon];
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
        {
            policy.Plan(observation, Whenever, chunk);
        }

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    public static TheoryData<string, Func<PolicyManifest, PolicyManifest>, string> Wrong => new()
    {
        { "no joint", m => With(m, s => s with { Joint = null }), "sampler.joint is missing; kind 'joint' needs it" },
        { "no flow", m => With(m, s => s with { Flow = null }), "sampler.flow is missing; kind 'joint' needs it" },
        { "another kind", m => m with { Kind = PolicyKind.Velocity }, "sampler.joint is given, which belongs to kind 'joint'; the kind is 'velocity'" },
        { "another kind's inputs", m => m with { Kind = PolicyKind.Velocity }, "models has an input from 'given', which only kind 'joint' has" },
        { "warm", m => With(m, s => s with { WarmStart = new() }), "warm_start and inpaint have no effect, remove them" },
        { "too many", m => With(m, s => s with { Candidates = 256, Joint = s.Joint! with { Futures = 64 } }), "asks for 81920 values in one batch (sampler.candidates 256 x futures 64 x values 5), expected up to 16384" },
        { "outcome", m => With(m, s => s with { Joint = s.Joint! with { Outcome = [0, 1] } }), "names 2 observation elements, sampler.joint.future is 1" },
        { "two networks", m => m with { Models = [.. m.Models, m.Models[0] with { Outputs = [new() { Name = "velocity", To = "value:z" }] }] }, "models has 2 networks; kind 'joint' is one graph" },
        { "no flags", m => m with { Models = [m.Models[0] with { Inputs = [.. m.Models[0].Inputs.Where(input => input.From != "flags")] }] }, "models has no input from 'flags', which kind 'joint' needs" },
        { "no normaliser", m => m with { Action = m.Action with { Normalization = null } }, "action.normalization is missing; kind 'joint' samples in normalised units" },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public void Write_WhenTheManifestDoesNotFitItself_SaysBothSides(string what, Func<PolicyManifest, PolicyManifest> spoil, string expected)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder.At("policy.onnx"), Graph(s_same));
        string message = Assert.Throws<ConfigException>(() => PolicyPackage.Write(folder.Path, spoil(Whole()))).Message;
        Assert.True(message.Contains(expected, StringComparison.Ordinal), $"{what}: {message}");
    }

    [Theory]
    [InlineData(3, 1, "of 4 elements, sampler.joint takes 3 + 1, which leaves 0 for a chunk of 2 rows (sampler.horizon)")]
    [InlineData(2, 1, "which leaves 1 for a chunk of 2 rows (sampler.horizon)")]
    [InlineData(1, 2, "which leaves 1 for a chunk of 2 rows (sampler.horizon)")]
    public void Load_WhenWidthsAreNotTheGraphs_SaysBothSides(int future, int value, string expected)
    {
        var manifest = With(Whole(), s => s with { Joint = s.Joint! with { Future = future, Value = value } });
        Assert.Contains(expected, Problem(manifest, Graph(s_same)), StringComparison.Ordinal);
    }

    private static PolicyManifest With(PolicyManifest manifest, Func<SamplerSpec, SamplerSpec> change) => manifest with { Sampler = change(manifest.Sampler!) };

    private static SamplerSpec Sampler(JointSelection selection = JointSelection.Planned) => new()
    {
        Horizon = Horizon, Candidates = Candidates, Flow = new() { Steps = 2 }, Joint = new() { Future = 1, FutureSteps = 1, Selection = selection },
    };

    private static PolicyManifest Whole() => Manifest(Model(
        "policy.onnx",
        [In("sample", "sample"), In("given", "given"), In("flags", "flags"), In("time", "time"), In("obs", "observation:o")],
        Out("velocity", "prediction"))) with
    {
        Kind = PolicyKind.Joint,
        Sampler = Sampler(),
        Action = new() { Rows = Horizon, Normalization = new() { Mode = "mean_std", Mean = [0], Std = [1], Epsilon = 0 } },
    };

    private static OnnxPolicy Load(string[] value, SamplerSpec sampler, OnnxOptions? options = null) =>
        TestPolicies.Load(Whole() with { Sampler = sampler }, options ?? new OnnxOptions(), Graph(value));

    // The velocity that puts future and value where they belong in one step from anywhere, and leaves the chunk.
    private static byte[] Graph(string[] value)
    {
        var graph = new TinyOnnx()
            .Input("sample", TinyOnnx.Float, "B", Size).Input("given", TinyOnnx.Float, "B", Size).Input("flags", TinyOnnx.Float, "B", 3)
            .Input("time", TinyOnnx.Float, "B").Input("obs", TinyOnnx.Float, "B", 1).Output("velocity", TinyOnnx.Float, "B", Size)
            .Constant("first", [1f, 0, 0, 0], Size, 1).Constant("third", [0f, 0, 1, 0], Size, 1).Constant("nothing", new float[2 * Size], Size, 2)
            .Constant("chunk_flag", [1f, 0, 0], 3, 1).Constant("future_flag", [0f, 1, 0], 3, 1)
            .Constant("open", [0f, 0, 1, 1], Size)
            .Node("MatMul", "given first", "x").Node("MatMul", "flags chunk_flag", "fx").Node("Mul", "x fx", "future")
            .Node("MatMul", "given third", "v0");
        string at = "v0";
        foreach (string op in value)
        {
            graph.Node(op, at, at + op);
            at += op;
        }

        return graph.Node("MatMul", "flags future_flag", "fv").Node("Mul", $"{at} fv", "value").Node("MatMul", "given nothing", "none")
            .Node("Concat", "none future value", "target", ("axis", 1)).Node("Mul", "sample open", "back").Node("Sub", "target back", "velocity").Bytes();
    }

    // The draws that a reset with the seed begins: per plan, one z for each candidate.
    private static float[][][] Noise(int plans, int candidates)
    {
        var random = new SeededRandom(Seed);
        return [.. Enumerable.Range(0, plans).Select(_ =>
        {
            var all = new float[candidates * Size];
            random.FillGaussian(all);
            return (float[][])[.. all.Chunk(Size)];
        })];
    }
}
