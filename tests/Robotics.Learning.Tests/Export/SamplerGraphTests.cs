using Robotics.Learning.Export;
using Robotics.Learning.Networks;
using Robotics.Numerics;

namespace Robotics.Learning.Tests.Export;

/// <summary>The single graph against the stepped sampler, both on ONNX Runtime.</summary>
public sealed class SamplerGraphTests(ITestOutputHelper output)
{
    private static readonly NoiseSchedule _schedule = NoiseSchedule.SquaredCosine(100);

    [Theory]
    [InlineData(DiffusionSolver.Ddim, GridSpacing.Leading, Prediction.Epsilon, false)]
    [InlineData(DiffusionSolver.Ddim, GridSpacing.Leading, Prediction.Epsilon, true)]
    [InlineData(DiffusionSolver.DpmSolver, GridSpacing.Leading, Prediction.Epsilon, false)]
    [InlineData(DiffusionSolver.Ddim, GridSpacing.Trailing, Prediction.Sample, false)]
    [InlineData(DiffusionSolver.DpmSolver, GridSpacing.Trailing, Prediction.Sample, false)]
    [InlineData(DiffusionSolver.DpmSolver, GridSpacing.Linspace, Prediction.Velocity, false)]
    public void Diffusion_InOneGraph_MatchesItsSteps(DiffusionSolver solver, GridSpacing spacing, Prediction prediction, bool reuse)
    {
        var spec = Mlp(TimeSignal.Timestep);
        var sampler = new DiffusionSampler(_schedule, new DiffusionOptions
        {
            Solver = solver, Steps = 6, Spacing = spacing, Prediction = prediction, UseClippedOutput = reuse,
        });
        byte[] step = StepGraph.Write(spec, Values);
        AssertSame(spec, SamplerGraph.Write(spec, Values, sampler), (x, batch, cond) =>
        {
            var clean = new float[x.Length];
            for (int i = 0; i < sampler.Steps; i++)
            {
                long[] time = [.. Enumerable.Repeat((long)sampler.Timesteps[i], batch)];
                float[] answer = Graphs.Run(step, ("sample", x, [batch, 8, 2]), ("timestep", time, [batch]), ("cond", cond, [batch, 3]))["prediction"];
                sampler.Step(i, x, answer, [], clean);
            }
        });
    }

    [Theory]
    [InlineData(FlowSolver.Euler)]
    [InlineData(FlowSolver.Midpoint)]
    [InlineData(FlowSolver.Heun)]
    public void Flow_InOneGraph_MatchesItsSteps(FlowSolver solver)
    {
        var spec = Mlp(TimeSignal.Continuous);
        var sampler = new FlowSampler(solver, 4);
        byte[] step = StepGraph.Write(spec, Values);
        AssertSame(spec, SamplerGraph.Write(spec, Values, sampler), (x, batch, cond) =>
        {
            float[] anchor = new float[x.Length], clean = new float[x.Length];
            for (int i = 0; i < sampler.Calls; i++)
            {
                float[] time = [.. Enumerable.Repeat((float)sampler.Time(i), batch)];
                float[] answer = Graphs.Run(step, ("sample", x, [batch, 8, 2]), ("time", time, [batch]), ("cond", cond, [batch, 3]))["velocity"];
                sampler.Step(i, x, answer, anchor, clean);
            }
        });
    }

    [Fact]
    public void Energy_InOneGraph_MatchesItsSteps()
    {
        var spec = Mlp(TimeSignal.None) with { Output = NetworkOutput.Energy };
        var descent = new EnergyDescent(new EnergyOptions { MaxSteps = 5 });
        byte[] step = StepGraph.Write(spec, Values);
        AssertSame(spec, SamplerGraph.Write(spec, Values, descent), (x, batch, cond) =>
        {
            var velocity = new float[x.Length];
            for (int i = 0; i < descent.MaxSteps; i++)
            {
                descent.Step(x, Graphs.Run(step, ("sample", x, [batch, 8, 2]), ("cond", cond, [batch, 3]))["gradient"], velocity);
            }
        });
    }

    [Fact]
    public void Write_OfWhatAGraphCannotDo_SaysWhatToChooseInstead()
    {
        var flow = Mlp(TimeSignal.Continuous);
        var energy = Mlp(TimeSignal.None) with { Output = NetworkOutput.Energy };
        Assert.Equal(
            "This sampler draws noise at every step, and a graph draws none. Export with DDIM at eta 0 or with DPM-Solver.",
            Assert.Throws<NotSupportedException>(() => SamplerGraph.Write(
                Mlp(TimeSignal.Timestep), Values, new DiffusionSampler(_schedule, new DiffusionOptions { Solver = DiffusionSolver.Ddpm }))).Message);
        Assert.Equal(
            "EnergyDescent runs networks of kind energy; this one is of kind velocity. Choose the sampler of its family.",
            Assert.Throws<NotSupportedException>(() => SamplerGraph.Write(flow, Values, new EnergyDescent(new EnergyOptions()))).Message);
        Assert.Contains(
            "a graph cannot stop",
            Assert.Throws<NotSupportedException>(
                () => SamplerGraph.Write(energy, Values, new EnergyDescent(new EnergyOptions { Tolerance = 0.1 }))).Message,
            StringComparison.Ordinal);
        Assert.Contains(
            "warm start",
            Assert.Throws<NotSupportedException>(() => SamplerGraph.Write(flow, Values, new FlowSampler(FlowSolver.Euler, 2, 0.5))).Message,
            StringComparison.Ordinal);
    }

    private static ResidualMlp Mlp(TimeSignal time) => new()
    {
        Horizon = 8, ActionSize = 2, ConditionSize = 3, Width = 32, Time = time, TimeScale = time == TimeSignal.Continuous ? 100 : 1,
    };

    // As small as trained ones: the wide weights of the other tests would amplify every rounding.
    private static float[] Values(WeightSpec spec) => [.. Graphs.Weights(spec).Select(x => x * 0.5f)];

    private void AssertSame(NetworkSpec spec, byte[] whole, Action<float[], int, float[]> stepwise)
    {
        foreach (int batch in (int[])[1, 5])
        {
            float[] x = Graphs.Normal(1, batch * spec.Horizon * spec.ActionSize), cond = Graphs.Normal(2, batch * spec.ConditionSize);
            float[] found = Graphs.Run(whole, ("noise", x.ToArray(), [batch, spec.Horizon, spec.ActionSize]), ("cond", cond, [batch, spec.ConditionSize]))["chunk"];
            stepwise(x, batch, cond);
            double difference = Graphs.Difference(x, found);
            output.WriteLine($"batch {batch}: {difference:e1} of {x.Max(Math.Abs):f3}");
            Assert.InRange(difference, 0, 1e-5);
            Assert.InRange(x.Max(Math.Abs), 0.05, 50);
        }
    }
}
