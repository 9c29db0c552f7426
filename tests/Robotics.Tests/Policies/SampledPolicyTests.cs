using Robotics.Numerics;
using Robotics.Packages;
using Robotics.Policies.Onnx;
using static Robotics.Tests.Policies.TestPolicies;

namespace Robotics.Tests.Policies;

/// <summary>Samplers around networks that answer 0, so that a plan is its start times a number that a person can work out.</summary>
public sealed class SampledPolicyTests
{
    private const int Horizon = 4, Rows = 2;
    private const ulong Seed = 5;

    // The policy cards' appendix, A.1.
    private const double AlphaBar30 = .7740062071, AlphaBar80 = .0851462057;

    [Fact]
    public void Plan_OfAFlowStartedWarm_BeginsNearThePreviousChunkMovedOn()
    {
        using var policy = Load(PolicyKind.Velocity, new() { Horizon = Horizon, Flow = new() { Steps = 3 }, WarmStart = new() { From = 0.25, Steps = 2, RefreshEvery = 3 } });
        var (noise, plans) = Plans(policy, 4);
        Assert.Equal([3, 2, 2, 3], plans.Select(plan => plan.Calls)); // every third from noise
        Close(noise[0], plans[0].Chunk);
        float[] moved = Moved(noise[0]);
        float[] second = [.. moved.Zip(noise[1], (y, n) => (0.75f * y) + (0.25f * n))];
        Close(second, plans[1].Chunk);
        Close([.. Moved(second).Zip(noise[2], (y, n) => (0.75f * y) + (0.25f * n))], plans[2].Chunk);
        Close(noise[3], plans[3].Chunk);
    }

    [Fact]
    public void Plan_OfADiffusionStartedWarm_BeginsNearThePreviousChunkMovedOn()
    {
        var sampler = new SamplerSpec { Horizon = Horizon, Diffusion = new() { Steps = 5, Clip = 0 }, WarmStart = new() { From = 0.3, Steps = 2 } };
        using var policy = Load(PolicyKind.Denoiser, sampler);
        var (noise, plans) = Plans(policy, 2);
        Assert.Equal([5, 2], plans.Select(plan => plan.Calls));

        // No noise is ever found, so every step divides by its own √ᾱ and multiplies by the next one's.
        float[] first = [.. noise[0].Select(n => (float)(n / Math.Sqrt(AlphaBar80)))];
        Close(first, plans[0].Chunk);
        double spread = Math.Sqrt((1 - AlphaBar30) / AlphaBar30);
        Close([.. Moved(first).Zip(noise[1], (y, n) => (float)(y + (spread * n)))], plans[1].Chunk);
    }

    [Fact]
    public void Plan_OfAnEnergyStartedWarm_BeginsNearThePreviousChunkMovedOn()
    {
        using var policy = Load(PolicyKind.Energy, new() { Horizon = Horizon, Energy = new() { MaxSteps = 3 }, WarmStart = new() { From = 0.25, Steps = 1 } });
        var (noise, plans) = Plans(policy, 2);
        Assert.Equal([3, 1], plans.Select(plan => plan.Calls));
        Close([.. Moved(noise[0]).Zip(noise[1], (y, n) => (0.75f * y) + (0.25f * n))], plans[1].Chunk);
    }

    [Fact]
    public void Plan_StartedWarmInAnEnsemble_MovesThePreviousChunkOnByOneRow()
    {
        using var policy = Load(PolicyKind.Velocity, new() { Horizon = Horizon, Flow = new() { Steps = 3 }, WarmStart = new() { From = 0.25, Steps = 2 } }, ensemble: 0.01);
        var (noise, plans) = Plans(policy, 2);
        Close([.. noise[0][1..].Append(noise[0][^1]).Zip(noise[1], (y, n) => (0.75f * y) + (0.25f * n))], plans[1].Chunk);
    }

    [Fact]
    public void Plan_AfterAReset_StartsFromNoise()
    {
        using var policy = Load(PolicyKind.Velocity, new() { Horizon = Horizon, Flow = new() { Steps = 3 }, WarmStart = new() });
        var (_, first) = Plans(policy, 1);
        var (_, again) = Plans(policy, 1);
        Assert.Equal(first[0].Chunk, again[0].Chunk);
        Assert.Equal(3, again[0].Calls);
    }

    [Theory]
    [InlineData(100, 1, PlanStatus.Planned, 10)]
    [InlineData(7, 1, PlanStatus.Planned, 4)]   // of 7 ms one is gone before the first call, and one is kept in hand
    [InlineData(3, 1, PlanStatus.Planned, 1)]
    [InlineData(7, 9, PlanStatus.Late, 0)]      // nine calls are asked for and do not fit: none is begun
    [InlineData(0, 1, PlanStatus.Late, 0)]
    public void Plan_WithATightDeadline_TakesFewerStepsOrNone(int budgetMs, int minCalls, PlanStatus status, int calls)
    {
        // Every look at this clock costs 1 ms, and there is one per call.
        var clock = new SteppingClock(1_000_000);
        var sampler = new SamplerSpec { Horizon = Horizon, Diffusion = new() { Clip = 0 }, MinCalls = minCalls };
        using var policy = Load(PolicyKind.Denoiser, sampler, options: new OnnxOptions { Clock = clock });
        policy.Reset(Seed);
        float[] chunk = [-9, -9];
        var result = policy.Plan([0], new(clock.GetTimestamp() + (budgetMs * 1_000_000L)), chunk);
        Assert.Equal((status, calls), (result.Status, result.Calls));
        Assert.Equal(status == PlanStatus.Planned, chunk[0] != -9);
    }

    [Theory]
    [InlineData(PolicyKind.Denoiser)]
    [InlineData(PolicyKind.Velocity)]
    [InlineData(PolicyKind.Energy)]
    public void Plan_OfEverySampler_AllocatesNothing(PolicyKind kind)
    {
        using var policy = Load(kind, new()
        {
            Horizon = Horizon,
            Diffusion = kind == PolicyKind.Denoiser ? new() : null,
            Flow = kind == PolicyKind.Velocity ? new() : null,
            Energy = kind == PolicyKind.Energy ? new() : null,
            WarmStart = new(),
        });
        float[] observation = [0], chunk = new float[Rows];
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
        {
            policy.Plan(observation, Whenever, chunk);
        }

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    private static OnnxPolicy Load(PolicyKind kind, SamplerSpec sampler, double? ensemble = null, OnnxOptions? options = null)
    {
        string output = kind == PolicyKind.Energy ? "gradient" : "prediction";
        var graph = new TinyOnnx().Input("sample", TinyOnnx.Float, 1, Horizon, 1).Input("obs", TinyOnnx.Float, 1, 1)
            .Output(output, TinyOnnx.Float, 1, Horizon, 1).Constant("zero", [0f], 1);
        List<ModelInput> inputs = [In("sample", "sample"), In("obs", "observation:o")];
        List<ModelOutput> outputs = [Out(output, output)];
        if (kind == PolicyKind.Energy)
        {
            graph.Output("energy", TinyOnnx.Float, 1, 1).Node("Mul", "obs zero", "energy");
            outputs.Add(Out("energy", "energy"));
        }
        else
        {
            graph.Input("time", kind == PolicyKind.Denoiser ? TinyOnnx.Long : TinyOnnx.Float, 1);
            inputs.Add(In("time", "time"));
        }

        graph.Node("Mul", "sample zero", output);
        var manifest = Manifest(Model("policy.onnx", [.. inputs], [.. outputs])) with
        {
            Kind = kind, Sampler = sampler, Action = new ActionSpec { Rows = Rows, Ensemble = ensemble },
        };
        return TestPolicies.Load(manifest, options ?? new OnnxOptions(), graph.Bytes());
    }

    // The draws that a reset with the seed begins, one start per plan, and the plans.
    private static (float[][] Noise, (float[] Chunk, int Calls)[] Plans) Plans(OnnxPolicy policy, int count)
    {
        var random = new SeededRandom(Seed);
        var noise = new float[count][];
        var plans = new (float[] Chunk, int Calls)[count];
        policy.Reset(Seed);
        for (int i = 0; i < count; i++)
        {
            noise[i] = new float[Horizon];
            random.FillGaussian(noise[i]);
            float[] chunk = new float[Rows];
            var result = policy.Plan([0], Whenever, chunk);
            Assert.Equal(PlanStatus.Planned, result.Status);
            plans[i] = (chunk, result.Calls);
        }

        return (noise, plans);
    }

    // Two rows were executed; the last one is repeated.
    private static float[] Moved(float[] chunk) => [.. chunk[Rows..], .. Enumerable.Repeat(chunk[^1], Rows)];

    private static void Close(float[] expected, float[] chunk)
    {
        for (int j = 0; j < chunk.Length; j++)
        {
            Assert.Equal(expected[j], chunk[j], 1e-5f);
        }
    }
}
