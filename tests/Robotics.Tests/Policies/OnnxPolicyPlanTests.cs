using Robotics.Packages;
using Robotics.Policies.Onnx;
using static Robotics.Tests.Policies.TestPolicies;

namespace Robotics.Tests.Policies;

public sealed class OnnxPolicyPlanTests
{
    [Fact]
    public void Plan_WhenAffine_ComputesIt()
    {
        using var policy = Load(Manifest(Simple()), Affine());
        Assert.Equal([3, -7], Plan(policy, 1, -4)); // by hand: 2x + 1
        Assert.Equal([new ObservationSlice("o", 0, 2)], policy.Spec.Observation);
        Assert.Equal((1, 2, TimeSpan.FromMilliseconds(20)), (policy.Spec.Rows, policy.Spec.ActionLength, policy.Spec.Period));
    }

    [Fact]
    public void Plan_WhenNotBound_GivesTheSameBytes() // the path that GPU providers take
    {
        byte[] model = TinyOnnx.Mlp(1, 4, 8, 3);
        using var bound = Load(Manifest(Simple()), model);
        using var handed = Load(Manifest(Simple()), new OnnxOptions { Bind = false }, model);
        for (int i = 0; i < 5; i++)
        {
            Assert.Equal(Plan(bound, i, 1, -2, 0.5f), Plan(handed, i, 1, -2, 0.5f));
        }
    }

    [Fact]
    public void Plan_WhenTwoModels_FeedsTheSecondFromTheFirst()
    {
        byte[] encoder = new TinyOnnx().Input("x", TinyOnnx.Float, 1, 2).Output("latent", TinyOnnx.Float, 1, 2).Node("Neg", "x", "latent").Bytes();
        byte[] head = new TinyOnnx().Input("z", TinyOnnx.Float, 2).Input("x", TinyOnnx.Float, 2).Output("action", TinyOnnx.Float, 2).Node("Mul", "z x", "action").Bytes();
        var manifest = Manifest(
            Model("encoder.onnx", [In("x", "observation:far")], Out("latent", "value:z")),
            Model("head.onnx", [In("z", "value:z"), In("x", "observation:near")], Out("action", "action")))
            with { Observations = [Group("near"), Group("far")] };
        using var policy = Load(manifest, encoder, head);
        Assert.Equal([-30, -80], Plan(policy, 3, 4, 10, 20)); // near [3, 4] times -far [10, 20]; groups in the manifest's order
        Assert.Equal(2, policy.Plan([0, 0, 0, 0], Whenever, new float[2]).Calls);
    }

    [Fact]
    public void Plan_WhenRecurrent_FeedsTheStateBackAndResetsIt()
    {
        using var policy = Load(RecurrentManifest(reset: 0.25), Recurrent());
        policy.Reset(0);
        float first = MathF.Tanh(0.5f + 0.25f);
        Assert.Equal(first, Plan(policy, 0.5f, 0)[0], 1e-6f);
        Assert.Equal(MathF.Tanh(0.5f + first), Plan(policy, 0.5f, 0)[0], 1e-6f);
        policy.Reset(0);
        Assert.Equal(first, Plan(policy, 0.5f, 0)[0], 1e-6f);
    }

    [Fact]
    public void Plan_WhenLate_LeavesChunkAndStateAlone()
    {
        // Every look moves the clock by 10 ns; a plan looks twice, before its one model and after it.
        using var policy = Load(RecurrentManifest(), new OnnxOptions { Clock = new SteppingClock(10) }, Recurrent());
        policy.Reset(0);
        float[] chunk = [7, 7];
        Assert.Equal(new PlanResult(PlanStatus.Late, 0), policy.Plan([1, 1], new(0), chunk));
        var soon = new MonotonicTime(10 * 8); // 3 warm-ups and the late call took 7 looks: in time before the model, late after it
        Assert.Equal(new PlanResult(PlanStatus.Late, 1), policy.Plan([1, 1], soon, chunk));
        Assert.Equal([7, 7], chunk);
        Assert.Equal(MathF.Tanh(0.5f), Plan(policy, 0.5f, 0)[0], 1e-6f);
    }

    [Fact]
    public void Plan_WhenNetworkGivesNaN_SaysNotFiniteAndLeavesChunkAndStateAlone()
    {
        byte[] model = new TinyOnnx() // action = obs / obs, h' = h + 1
            .Input("obs", TinyOnnx.Float, 1).Input("h_in", TinyOnnx.Float, 1).Output("action", TinyOnnx.Float, 1).Output("h_out", TinyOnnx.Float, 1)
            .Constant("one", [1f], 1).Node("Div", "obs obs", "r").Node("Mul", "r h_in", "action").Node("Add", "h_in one", "h_out").Bytes();
        var manifest = Manifest(Model("policy.onnx", [In("obs", "observation:o"), In("h_in", "state:h")], Out("action", "action"), Out("h_out", "state:h")))
            with { States = new Dictionary<string, StateSpec> { ["h"] = new() { Reset = 5 } } };
        using var policy = Load(manifest, model);
        float[] chunk = [7];
        Assert.Equal([5], Plan(policy, 1));
        Assert.Equal(new PlanResult(PlanStatus.NotFinite, 1), policy.Plan([0], Whenever, chunk));
        Assert.Equal([7], chunk);
        Assert.Equal([6], Plan(policy, 1));
    }

    [Fact]
    public void Plan_WhenStateTurnsNaN_SaysNotFinite()
    {
        byte[] model = new TinyOnnx()
            .Input("obs", TinyOnnx.Float, 1).Input("h_in", TinyOnnx.Float, 1).Output("action", TinyOnnx.Float, 1).Output("h_out", TinyOnnx.Float, 1)
            .Node("Identity", "obs", "action").Node("Div", "h_in obs", "h_out").Bytes();
        var manifest = Manifest(Model("policy.onnx", [In("obs", "observation:o"), In("h_in", "state:h")], Out("action", "action"), Out("h_out", "state:h")))
            with { States = new Dictionary<string, StateSpec> { ["h"] = new() } };
        using var policy = Load(manifest, model);
        Assert.Equal(PlanStatus.NotFinite, policy.Plan([0], Whenever, new float[1]).Status);
        Assert.Equal([2], Plan(policy, 2));
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void Plan_WhenObservationIsNotFinite_Refuses(float bad)
    {
        using var policy = Load(Manifest(Simple()), Affine());
        float[] chunk = [7, 7];
        Assert.Equal(new PlanResult(PlanStatus.Refused, 0), policy.Plan([0, bad], Whenever, chunk));
        Assert.Equal([7, 7], chunk);
    }

    [Fact]
    public void Plan_WhenFloat16_ConvertsAndFeedsStatesBack()
    {
        using var policy = Load(RecurrentManifest(), Recurrent(TinyOnnx.Half));
        float first = MathF.Tanh(0.5f);
        Assert.Equal(first, Plan(policy, 0.5f, 0)[0], 1e-3f); // float16 keeps 11 bits
        Assert.Equal(MathF.Tanh(0.5f + first), Plan(policy, 0.5f, 0)[0], 1e-3f);
        Assert.Equal(PlanStatus.Refused, policy.Plan([70000, 0], Whenever, new float[2]).Status); // beyond float16's 65504
    }

    [Fact]
    public void Plan_WhenInt64_RoundsInputsAndConvertsOutputs()
    {
        byte[] model = new TinyOnnx().Input("obs", TinyOnnx.Long, 1, 2).Output("action", TinyOnnx.Long, 1, 2)
            .Constant("three", [3L], 1).Node("Mul", "obs three", "action").Bytes();
        using var policy = Load(Manifest(Simple()), model);
        Assert.Equal([6, -9], Plan(policy, 1.9f, -3.2f));
    }

    [Fact]
    public void Plan_WhenRuntimeFails_SaysFaultAndGoesOn()
    {
        byte[] model = new TinyOnnx().Input("obs", TinyOnnx.Long, 1).Output("action", TinyOnnx.Float, 1)
            .Constant("table", [10f, 20f], 2).Node("Gather", "table obs", "action").Bytes();
        using var policy = Load(Manifest(Simple()), model);
        float[] chunk = [7];
        Assert.Null(policy.LastFault);
        Assert.Equal(PlanStatus.Fault, policy.Plan([5], Whenever, chunk).Status);
        Assert.Equal([7], chunk);
        Assert.Contains("policy.onnx: ", policy.LastFault, StringComparison.Ordinal);
        Assert.Contains("Gather", policy.LastFault, StringComparison.Ordinal);
        Assert.Equal([20], Plan(policy, 1));
    }

    [Fact]
    public void Plan_WhenBatchIsFree_RunsOne()
    {
        byte[] model = new TinyOnnx().Input("obs", TinyOnnx.Float, "batch", 2).Input("h", TinyOnnx.Float, 1, "batch", 2).Output("action", TinyOnnx.Float, "batch", 2)
            .Constant("shape", [-1L, 2L], 2).Node("Reshape", "h shape", "flat").Node("Add", "obs flat", "action").Bytes();
        var manifest = Manifest(Model("policy.onnx", [In("obs", "observation:o"), new ModelInput { Name = "h", From = "constant", Value = 0.5 }], Out("action", "action")));
        using var policy = Load(manifest, model);
        Assert.Equal([1.5f, 2.5f], Plan(policy, 1, 2));
        Assert.Equal([-1, 2], policy.Graphs[0].Inputs[0].Shape);
    }

    [Fact]
    public void Plan_WhenManifestFixesAFreeDimension_UsesIt()
    {
        byte[] model = new TinyOnnx().Input("obs", TinyOnnx.Float, "batch", "width").Output("action", TinyOnnx.Float, "batch", "width").Node("Neg", "obs", "action").Bytes();
        var manifest = Manifest(Model("policy.onnx", [In("obs", "observation:o") with { Shape = [-1, 3] }], Out("action", "action")));
        using var policy = Load(manifest, model);
        Assert.Equal([-1, -2, -3], Plan(policy, 1, 2, 3));
    }

    [Fact]
    public void Plan_WhenChunk_ExecutesTheRowsAskedFor()
    {
        float[] ramp = [.. Enumerable.Range(0, 32).Select(i => (float)i)];
        byte[] model = new TinyOnnx().Input("obs", TinyOnnx.Float, 1, 1).Output("action", TinyOnnx.Float, 1, 16, 2)
            .Constant("ramp", ramp, 1, 16, 2).Node("Add", "ramp obs", "action").Bytes();
        var manifest = Manifest(Simple()) with { Action = new ActionSpec { Joints = ["x", "y"], FirstRow = 1, Rows = 8, RowPeriodMs = 100 } };
        using var policy = Load(manifest, model);
        Assert.Equal([.. Enumerable.Range(102, 16).Select(i => (float)i)], Plan(policy, 100));
        Assert.Equal((8, 2, TimeSpan.FromMilliseconds(100)), (policy.Spec.Rows, policy.Spec.ActionLength, policy.Spec.Period));
    }

    [Fact]
    public void Plan_WhenNormalised_AppliesAndInverts()
    {
        var manifest = Manifest(Simple()) with
        {
            Observations = [Group("o") with { History = new HistorySpec { Length = 2 }, Normalization = new NormalizationSpec { Mode = "mean_std", Mean = [1, 2], Std = [2, 4], Epsilon = 0, Clip = 3 } }],
            Action = new ActionSpec { Normalization = new NormalizationSpec { Mode = "min_max", Min = [0, 0, 0, -1], Max = [10, 10, 10, 1] } },
        };
        byte[] identity = new TinyOnnx().Input("obs", TinyOnnx.Float, 1, 4).Output("action", TinyOnnx.Float, 1, 4).Node("Identity", "obs", "action").Bytes();
        using var policy = Load(manifest, identity);
        // (2-1)/2 = .5, (4-2)/4 = .5, (1-1)/2 = 0, clip((100-2)/4) = 3; then min + (y + 1) / 2 * (max - min).
        Assert.Equal([7.5f, 7.5f, 5, 3], Plan(policy, 2, 4, 1, 100));
    }

    [Theory]
    [InlineData(TinyOnnx.Float)]
    [InlineData(TinyOnnx.Half)]
    public void Plan_WhenCalledTenThousandTimes_AllocatesNothing(int type)
    {
        var normalization = new NormalizationSpec { Mode = "mean_std", Mean = [0.1f], Std = [2] };
        var manifest = RecurrentManifest() with
        {
            Observations = [Group("o") with { Normalization = normalization }],
            Action = new ActionSpec { Normalization = normalization },
        };
        using var policy = Load(manifest, Recurrent(type));
        float[] observation = [0.1f, 0.2f];
        float[] chunk = new float[2];
        policy.Plan(observation, Whenever, chunk);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 10_000; i++)
        {
            policy.Plan(observation, Whenever, chunk);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void Measure_ReportsOrderedPercentilesAndResets()
    {
        using var policy = Load(RecurrentManifest(), Recurrent());
        var cost = policy.Measure(200);
        Assert.Equal(200, cost.Calls);
        Assert.True(cost.Median > TimeSpan.Zero && cost.Median <= cost.P99 && cost.P99 <= cost.Max, cost.ToString());
        Assert.Equal(MathF.Tanh(0.5f), Plan(policy, 0.5f, 0)[0], 1e-6f);
    }

    [Fact]
    public void Plan_WhenDisposed_Throws()
    {
        var policy = Load(Manifest(Simple()), Affine());
        policy.Dispose();
        policy.Dispose();
        Assert.Throws<ObjectDisposedException>(() => policy.Plan([0, 0], Whenever, new float[2]));
    }
}
