using Robotics.Learning.Evaluation;
using Robotics.Learning.Export;
using Robotics.Learning.Imitation;
using Robotics.Numerics;
using static Robotics.Learning.Tests.Imitation.DetourRecipe;

namespace Robotics.Learning.Tests.Imitation;

/// <summary>Every method, trained for a few seconds on one thread, does what its card says on a task with two right answers.</summary>
/// <remarks>The bounds are the cards' acceptance lines; the runs are seeded, and stand well inside their bounds.</remarks>
public sealed class DetourTests(ITestOutputHelper output)
{
    [Fact]
    public void LeastSquares_DrivesIntoTheObstacle()
    {
        using var network = LeastSquares();
        Assert.InRange(Score("least squares", ChunkSampling.Direct(network, Fresh)).Valid, 0, 0.02);
    }

    [Fact]
    public void Diffusion_TakesBothSides_AndFewStepsDo()
    {
        using var network = Diffusion();
        var options = new DiffusionOptions { Prediction = Prediction.Sample };
        var ddim = new DiffusionSampler(Schedule, options);
        float[] chunks = ChunkSampling.Diffusion(network, ddim, Fresh, seed: 7);
        var few = Score("DDIM 10", chunks);
        Assert.InRange(few.Valid, 0.85, 1);
        Assert.InRange(few.Right, 0.35, 0.65);
        Assert.Equal(chunks, ChunkSampling.Diffusion(network, ddim, Fresh, seed: 7));
        var ancestral = new DiffusionSampler(Schedule, options with { Solver = DiffusionSolver.Ddpm, Steps = 100 });
        Assert.InRange(Score("DDPM 100", ChunkSampling.Diffusion(network, ancestral, Fresh, seed: 7)).Valid, 0.90, 1);
        var second = new DiffusionSampler(
            Schedule, options with { Solver = DiffusionSolver.DpmSolver, Steps = 5, Spacing = GridSpacing.Trailing });
        Assert.InRange(Score("DPM-Solver 5", ChunkSampling.Diffusion(network, second, Fresh, seed: 7)).Valid, 0.80, 1);

        byte[] graph = StepGraph.Write(network.Spec, network.Values);
        float[] some = Fresh[..200], x = Noise(100), clean = new float[3200];
        for (int i = 0; i < ddim.Steps; i++)
        {
            long[] time = [.. Enumerable.Repeat((long)ddim.Timesteps[i], 100)];
            var answer = Graphs.Run(graph, ("sample", x, [100, 16, 2]), ("timestep", time, [100]), ("cond", some, [100, 2]));
            ddim.Step(i, x, answer["prediction"], [], clean);
        }

        Assert.InRange(Graphs.Difference(ChunkSampling.Diffusion(network, ddim, some, seed: 7), x), 0, 1e-4);
    }

    [Fact]
    public void Flow_NeedsMoreThanOneStep_AndTakesBothSides()
    {
        using var network = Flow(FlowTime.Beta);
        float[] Run(FlowSolver solver, int steps) => ChunkSampling.Flow(network, new FlowSampler(solver, steps), Fresh, seed: 7);
        Assert.InRange(Score("Euler 1", Run(FlowSolver.Euler, 1)).Valid, 0, 0.05); // the conditional mean: the steps matter
        var ten = Score("Euler 10", Run(FlowSolver.Euler, 10));
        Assert.InRange(ten.Valid, 0.85, 1);
        Assert.InRange(ten.Right, 0.35, 0.65);
        double midpoint = Score("midpoint 3", Run(FlowSolver.Midpoint, 3)).Valid, euler = Score("Euler 5", Run(FlowSolver.Euler, 5)).Valid;
        Assert.True(midpoint >= euler, $"midpoint 3 is valid in {midpoint}, Euler 5 in {euler}");
        Assert.InRange(Score("Heun 5", Run(FlowSolver.Heun, 5)).Valid, 0.80, 1); // would be near 0 if it asked at s = 1

        byte[] graph = StepGraph.Write(network.Spec, network.Values);
        var sampler = new FlowSampler(FlowSolver.Midpoint, 5);
        float[] some = Fresh[..200], x = Noise(100), anchor = new float[3200], clean = new float[3200];
        for (int i = 0; i < sampler.Calls; i++)
        {
            float[] time = [.. Enumerable.Repeat((float)sampler.Time(i), 100)];
            var answer = Graphs.Run(graph, ("sample", x, [100, 16, 2]), ("time", time, [100]), ("cond", some, [100, 2]));
            sampler.Step(i, x, answer["velocity"], anchor, clean);
        }

        Assert.InRange(Graphs.Difference(ChunkSampling.Flow(network, sampler, some, seed: 7), x), 0, 1e-4);
    }

    [Fact]
    public void EquilibriumMatching_WalksDownhillToBothSides_AndStopsEarly()
    {
        using var network = EquilibriumMatching();
        var ten = ChunkSampling.Energy(network, new EnergyDescent(new EnergyOptions { MaxSteps = 10 }), Fresh, seed: 7);
        var score = Score("10 steps", ten.Chunks);
        Assert.InRange(score.Valid, 0.90, 1);
        Assert.InRange(score.Right, 0.35, 0.65);
        Assert.InRange(ten.FirstEnergy.Zip(ten.LastEnergy, (a, b) => b < a ? 1.0 : 0).Average(), 0.95, 1);

        var whole = ChunkSampling.Energy(network, new EnergyDescent(new EnergyOptions { MaxSteps = 20 }), Fresh, seed: 7);
        var early = ChunkSampling.Energy(
            network, new EnergyDescent(new EnergyOptions { MaxSteps = 20, Tolerance = 0.1 }), Fresh, seed: 7);
        double saved = 1 - (early.Calls.Average() / 20), lost = Score("20 steps", whole.Chunks).Valid - Score("until settled", early.Chunks).Valid;
        output.WriteLine($"stopping early saves {saved:p0} of the calls and loses {lost:f3}");
        Assert.InRange(saved, 0.20, 1);
        Assert.InRange(lost, -1, 0.02);

        byte[] graph = StepGraph.Write(network.Spec, network.Values);
        var descent = new EnergyDescent(new EnergyOptions { MaxSteps = 10 });
        float[] some = Fresh[..200], x = Noise(100), velocity = new float[3200];
        for (int i = 0; i < 10; i++)
        {
            float[] slope = Graphs.Run(graph, ("sample", x, [100, 16, 2]), ("cond", some, [100, 2]))["gradient"];
            descent.Step(x, slope, velocity);
        }

        Assert.InRange(Graphs.Difference(ChunkSampling.Energy(network, descent, some, seed: 7).Chunks, x), 0, 1e-4);
    }

    [Fact]
    public void UnrolledEnergy_NeedsTwoStepsForOneWay_AndNeverLearnsTwo()
    {
        foreach (int? side in (int?[])[1, null])
        {
            using var network = Unrolled(side);
            double[] valid = [.. new[] { 1, 2, 5 }.Select(steps => Score(
                $"{(side is null ? "two ways" : "one way")}, {steps} steps",
                ChunkSampling.Energy(
                    network, new EnergyDescent(new EnergyOptions { MaxSteps = steps, StepSize = 1, Momentum = 0 }), Fresh, seed: 7).Chunks).Valid)];
            if (side is null)
            {
                Assert.All(valid, v => Assert.InRange(v, 0, 0.02)); // the optimum is the conditional mean
            }
            else
            {
                Assert.InRange(valid[0], 0, 0.2);
                Assert.InRange(valid[1], 0.95, 1);
            }
        }
    }

    private static float[] Noise(int count)
    {
        var noise = new float[count * 32];
        new SeededRandom(7).FillGaussian(noise);
        return noise;
    }

    private (double Valid, double Right) Score(string name, float[] chunks)
    {
        var score = DetourRecipe.Score(chunks);
        output.WriteLine($"{name}: valid {score.Valid:f3}, right {score.Right:f3}");
        return score;
    }
}
