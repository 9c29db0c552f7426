using System.Diagnostics;
using System.Globalization;
using System.Text;
using Robotics.Lab;
using Robotics.Learning.Evaluation;
using Robotics.Learning.Export;
using Robotics.Learning.Imitation;
using Robotics.Learning.Networks;
using Robotics.Learning.Tests;
using Robotics.Learning.Tests.Imitation;
using Robotics.Numerics;
using Robotics.Packages;
using Robotics.Policies.Onnx;
using Robotics.Tests.Policies;
using static TorchSharp.torch;

namespace Robotics.Bench;

/// <summary>Every acceptance line of the policy cards 1, 2, 3, 9.7 and 10, on the task with two right answers.</summary>
internal sealed class DetourCards : IBenchmark
{
    private readonly List<Line> _lines = [];
    private ulong _seed;

    public string Name => "detour-cards";

    public string Claim => "on Detour every generative method meets its card's acceptance lines, for three training seeds, and its package repeats the trainer's chunks to 1e-4";

    public int Run(string[] args)
    {
        int seeds = args is ["--seeds", var count] ? int.Parse(count, CultureInfo.InvariantCulture) : 3;
        for (_seed = 1; _seed <= (ulong)seeds; _seed++)
        {
            Told("least squares", LeastSquares);
            Told("diffusion", Diffusion);
            Told("flow", Flow);
            Told("energy, published objective", Unrolled);
            Told("energy, equilibrium matching", Equilibrium);
        }

        bool holds = _lines.TrueForAll(line => line.Holds);
        Bench.Report(Name, args, Table(seeds, holds));
        return holds ? 0 : 1;
    }

    private void Told(string what, Action measure)
    {
        long start = Stopwatch.GetTimestamp();
        measure();
        Console.Error.WriteLine($"seed {_seed}, {what}: {Stopwatch.GetElapsedTime(start).TotalSeconds:F0} s");
    }

    private void LeastSquares()
    {
        using var network = DetourRecipe.LeastSquares(_seed);
        Add("1, E2", "least squares: valid", 0, 0.02, ".000", DetourRecipe.Score(ChunkSampling.Direct(network, DetourRecipe.Fresh)).Valid);
    }

    private void Diffusion()
    {
        using var network = DetourRecipe.Diffusion(_seed);
        var options = new DiffusionOptions { Prediction = Prediction.Sample };
        float[] Sample(DiffusionOptions o) => ChunkSampling.Diffusion(network, new(DetourRecipe.Schedule, o), DetourRecipe.Fresh, seed: 7);
        var all = DetourRecipe.Score(Sample(options with { Solver = DiffusionSolver.Ddpm, Steps = 100 }));
        float[] chunks = Sample(options), again = Sample(options);
        var ten = DetourRecipe.Score(chunks);
        Add("1", "DDPM, 100 calls: valid", 0.90, 1, ".967", all.Valid);
        Add("1", "DDIM, 10 calls: valid", 0.85, 1, ".916", ten.Valid);
        Add("1, E2", "DDPM, 100 calls: to the right", 0.35, 0.65, "both", all.Right);
        Add("1, E2", "DDIM, 10 calls: to the right", 0.35, 0.65, "both", ten.Right);
        Add("1", "same noise twice: chunks that differ in any bit", 0, 0, "0", chunks.Zip(again).Count(pair => pair.First != pair.Second));
        Add("-", "DDIM, 5 calls: valid", null, null, ".861", DetourRecipe.Score(Sample(options with { Steps = 5 })).Valid);
        Add("-", "DPM-Solver++ (2M), 5 calls, trailing: valid", null, null, ".885",
            DetourRecipe.Score(Sample(options with { Solver = DiffusionSolver.DpmSolver, Steps = 5, Spacing = GridSpacing.Trailing })).Valid);

        // The runtime's own grid for the manifest's default warm start (from 0.3, 2 steps): 30, 15. The card's is 30, 10.
        foreach (var (grid, required) in ((int[], bool)[])[([30, 15], true), ([30, 10], false)])
        {
            float[] warm = ChunkSampling.Diffusion(network, new(DetourRecipe.Schedule, options, grid), DetourRecipe.Fresh, seed: 8, previous: chunks);
            string name = $"DDIM, 2 calls from the last chunk (timesteps {string.Join(", ", grid)})";
            Add(required ? "9.7" : "-", $"{name}: valid", required ? 0.88 : null, required ? 1 : null, ".926 (30, 10)", DetourRecipe.Score(warm).Valid);
            Add(required ? "9.7" : "-", $"{name}: same side", required ? 0.90 : null, required ? 1 : null, ".96 (30, 10)", DetourRecipe.SameSide(warm, chunks));
        }

        Add("-", "DDIM, 10 calls from other noise: same side", null, null, ".517",
            DetourRecipe.SameSide(ChunkSampling.Diffusion(network, new(DetourRecipe.Schedule, options), DetourRecipe.Fresh, seed: 8), chunks));
        RoundTrip("DDIM, 10 calls", network, new() { Horizon = 16, Diffusion = new() { Prediction = Prediction.Sample, BetasSha256 = DetourRecipe.Schedule.BetasSha256() } }, Denoiser);
    }

    // What only a denoiser's package can show: the wall time of few steps against all, and a loader that takes nothing spoilt.
    private void Denoiser(string folder, SamplerSpec sampler)
    {
        var package = PolicyPackage.Load(folder);
        using var few = OnnxPolicy.Load(package, new OnnxOptions());
        var ancestral = package.Manifest with
        {
            Golden = null,
            Sampler = sampler with { Diffusion = sampler.Diffusion! with { Solver = DiffusionSolver.Ddpm, Steps = 100 } },
        };
        using var all = OnnxPolicy.Load(ancestral, package.Read, new OnnxOptions());
        var ratios = Enumerable.Range(0, 101).Select(_ => Seconds(few) / Seconds(all));
        Add("1", "wall time, DDIM 10 / DDPM 100", 0, 0.125, "1/8", Bench.Median(ratios));
        var tried = PackageCorruption.Try(folder);
        tried.Where(one => one.Refusal is null).ToList().ForEach(one => Console.Error.WriteLine($"taken although spoilt: {one.What}"));
        Add("10", $"one of {tried.Count} values of the manifest spoilt: refused", 1, 1, "(not run)", tried.Count(one => one.Refusal is not null) / (double)tried.Count);
        Add("10", "distinct refusals among them", 1, 1, "(not run)", tried.Select(one => one.Refusal).Distinct().Count() / (double)tried.Count);
        Add("10", "final_alpha .99937 instead of 1: refused by the golden vectors", 1, 1, "(not run)",
            tried.Single(one => one.What == "sampler.diffusion.final_alpha = 0.99937").Refusal?.Contains("golden.file", StringComparison.Ordinal) == true ? 1 : 0);

        static double Seconds(OnnxPolicy policy)
        {
            float[] chunk = new float[policy.Spec.Rows * policy.Spec.ActionLength];
            long start = Stopwatch.GetTimestamp();
            for (int i = 0; i < 5; i++)
            {
                policy.Plan([0.1f, 0.2f], new(long.MaxValue), chunk);
            }

            return Stopwatch.GetElapsedTime(start).TotalSeconds;
        }
    }

    private void Flow()
    {
        using var uniform = DetourRecipe.Flow(FlowTime.Uniform, _seed);
        double evenly = DetourRecipe.Score(ChunkSampling.Flow(uniform, new(FlowSolver.Euler, 10), DetourRecipe.Fresh, seed: 7)).Valid;
        using var network = DetourRecipe.Flow(FlowTime.Beta, _seed);
        (double Valid, double Right) Run(FlowSolver solver, int steps) => DetourRecipe.Score(ChunkSampling.Flow(network, new(solver, steps), DetourRecipe.Fresh, seed: 7));
        var ten = Run(FlowSolver.Euler, 10);
        var three = Run(FlowSolver.Midpoint, 3);
        double five = Run(FlowSolver.Euler, 5).Valid;
        Add("2", "Euler, 1 call: valid", 0, 0.05, ".000", Run(FlowSolver.Euler, 1).Valid);
        Add("2", "Euler, 10 calls: valid", 0.85, 1, ".945", ten.Valid);
        Add("2, E2", "Euler, 10 calls: to the right", 0.35, 0.65, "both", ten.Right);
        Add("-", "midpoint, 3 steps: valid", null, null, ".956 (uniform)", three.Valid);
        Add("2", "midpoint, 3 steps, less Euler, 5 calls: valid", 0, 1, "+.121 (uniform)", three.Valid - five);
        Add("2", "times from Beta less uniform times, Euler, 10 calls: valid", -0.02, 1, "+.036", ten.Valid - evenly);
        Add("2", "Heun, 5 steps, never asked at s = 1: valid", 0.80, 1, ".943; asked there .05 to .09", Run(FlowSolver.Heun, 5).Valid);
        float[] chunks = ChunkSampling.Flow(network, new(FlowSolver.Midpoint, 5), DetourRecipe.Fresh, seed: 7);
        float[] warm = ChunkSampling.Flow(network, new(FlowSolver.Euler, 2, start: 0.7), DetourRecipe.Fresh, seed: 8, previous: chunks);
        Add("9.7", "Euler, 2 calls from the last chunk (s from 0.7): valid", 0.88, 1, "(not run)", DetourRecipe.Score(warm).Valid);
        Add("9.7", "Euler, 2 calls from the last chunk (s from 0.7): same side", 0.90, 1, "(not run)", DetourRecipe.SameSide(warm, chunks));
        RoundTrip("midpoint, 5 steps", network, new() { Horizon = 16, Flow = new() { Solver = FlowSolver.Midpoint, Steps = 5 } }, null);
    }

    private void Unrolled()
    {
        foreach (int? side in (int?[])[1, null])
        {
            using var network = DetourRecipe.Unrolled(side, _seed);
            double Valid(int steps) => DetourRecipe.Score(ChunkSampling.Energy(
                network, new(new EnergyOptions { MaxSteps = steps, StepSize = 1, Momentum = 0 }), DetourRecipe.Fresh, seed: 7).Chunks).Valid;
            if (side is null)
            {
                Add("3", "published objective, both sides shown, best of 1, 2, 5 and 20 steps: valid", 0, 0.02, ".000", new[] { 1, 2, 5, 20 }.Max(Valid));
            }
            else
            {
                Add("3", "published objective, one side shown, 2 steps: valid", 0.95, 1, "1.000", Valid(2));
                Add("3", "published objective, one side shown, 1 step: valid", 0, 0.2, ".02", Valid(1));
            }
        }
    }

    private void Equilibrium()
    {
        using var network = DetourRecipe.EquilibriumMatching(_seed);
        EnergySamples Run(int most, double tolerance = 0) => ChunkSampling.Energy(
            network, new(new EnergyOptions { MaxSteps = most, Tolerance = tolerance }), DetourRecipe.Fresh, seed: 7);
        var ten = Run(10);
        var score = DetourRecipe.Score(ten.Chunks);
        Add("3", "equilibrium matching, 10 steps: valid", 0.90, 1, ".986", score.Valid);
        Add("3, E2", "equilibrium matching, 10 steps: to the right", 0.35, 0.65, "both", score.Right);
        Add("3", "equilibrium matching, 10 steps: energy fell", 0.95, 1, "≥ .95", ten.FirstEnergy.Zip(ten.LastEnergy, (a, b) => b < a ? 1.0 : 0).Average());
        var early = Run(20, tolerance: 0.1);
        Add("3", "stopping below a gradient of 0.1, of 20 steps: saved", 0.20, 1, "(not run)", 1 - (early.Calls.Average() / 20));
        Add("3", "stopping below a gradient of 0.1, of 20 steps: valid lost", -1, 0.02, "(not run)",
            DetourRecipe.Score(Run(20).Chunks).Valid - DetourRecipe.Score(early.Chunks).Valid);
        Add("3", "exported gradient less autograd's, largest of 1000 chunks", 0, 1e-4, "1e-4", GradientError(network));
    }

    private static double GradientError(Network network)
    {
        float[] points = Graphs.Normal(5, DetourRecipe.Tries * DetourRecipe.Width);
        using var scope = NewDisposeScope();
        var (_, gradient) = network.EnergyGradient(tensor(points, DetourRecipe.Tries, 16, 2), tensor(DetourRecipe.Fresh, DetourRecipe.Tries, 2), keepGraph: false);
        var exported = Graphs.Run(
            StepGraph.Write(network.Spec, network.Values), ("sample", points, [DetourRecipe.Tries, 16, 2]), ("cond", DetourRecipe.Fresh, [DetourRecipe.Tries, 2]));
        return Graphs.Difference(Graphs.Floats(gradient), exported["gradient"]);
    }

    // Written as a package, read by the runtime, and asked from the same noise as the trainer, one observation at a time.
    private void RoundTrip(string what, Network network, SamplerSpec sampler, Action<string, SamplerSpec>? more)
    {
        const int observations = 100;
        string folder = Directory.CreateTempSubdirectory("robotics-detour-").FullName;
        try
        {
            var halves = new NormalizationSpec { Mode = "min_max", Min = [-2, -2], Max = [2, 2] }; // exact in float: what differs is not rounding here
            PackageWriter.Write(folder, network, new()
            {
                Name = "detour",
                Wiring = LabTask.Named("detour").Wiring,
                ObservationSteps = 1,
                Executed = 16,
                Observations = halves,
                Actions = halves,
                Sampler = sampler,
                Trained = new(),
                Examples = [.. Enumerable.Range(0, 3).Select(i => Twice(DetourRecipe.Fresh[(2 * i)..((2 * i) + 2)]))],
            });
            using var policy = OnnxPolicy.Load(PolicyPackage.Load(folder), new OnnxOptions());
            double worst = 0;
            float[] chunk = new float[DetourRecipe.Width];
            for (int i = 0; i < observations; i++)
            {
                float[] observation = DetourRecipe.Fresh[(2 * i)..((2 * i) + 2)];
                policy.Reset((ulong)i);
                policy.Plan(Twice(observation), new(long.MaxValue), chunk);
                worst = Math.Max(worst, Graphs.Difference(Twice(PackageWriter.Sample(network, sampler, observation, (ulong)i)), chunk));
            }

            Add("10", $"package in the runtime less trainer, {what}, largest of {observations} observations", 0, 1e-4, "1e-4", worst);
            more?.Invoke(folder, sampler);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static float[] Twice(float[] values) => [.. values.Select(value => 2 * value)];

    private void Add(string card, string what, double? low, double? high, string theirs, double value)
    {
        var line = _lines.Find(one => one.What == what);
        if (line is null)
        {
            _lines.Add(line = new(card, what, low, high, theirs, []));
        }

        line.Ours.Add(value);
    }

    private string Table(int seeds, bool holds)
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"Acceptance lines of the policy cards on Detour (pass an obstacle on the left or on the right; 16 points, validity is geometry), {seeds} training seeds: of the demonstrations, the weights and the draws. Scores are shares of {DetourRecipe.Tries} fresh observations. Each training is 600 to 3500 updates of 128 windows on one thread, about a tenth of the samples that the cards' own measurements had (6000 updates of 256); those had one seed. Lines without a limit are there for comparison.");
        text.AppendLine();
        text.AppendLine(CultureInfo.InvariantCulture, $"| card | line | limit | card's measurement | {string.Join(" | ", Enumerable.Range(1, seeds).Select(seed => $"seed {seed}"))} | holds |");
        text.AppendLine(CultureInfo.InvariantCulture, $"|---|---|---|---|{string.Concat(Enumerable.Repeat("---|", seeds))}---|");
        foreach (var line in _lines)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"| {line.Card} | {line.What} | {line.Limit} | {line.Theirs} | {string.Join(" | ", line.Ours.Select(Number))} | {(line.Low is null ? "" : line.Holds ? "yes" : "**no**")} |");
        }

        text.AppendLine();
        text.AppendLine(holds ? "Holds: every line for every seed." : "Falls short in the lines marked **no**.");
        return text.ToString();
    }

    private static string Number(double value) => value is not 0 && Math.Abs(value) < 5e-4
        ? value.ToString("0.0e-0", CultureInfo.InvariantCulture) : value.ToString("0.000", CultureInfo.InvariantCulture);

    private sealed record Line(string Card, string What, double? Low, double? High, string Theirs, List<double> Ours)
    {
        public bool Holds => Low is not { } low || High is not { } high || Ours.TrueForAll(value => value >= low && value <= high);

        public string Limit => (Low, High) switch
        {
            (null, _) or (_, null) => "",
            ({ } low, { } high) when low == high => Number(low),
            (<= 0 and > -1, >= 1) => $"≥ {Number(Low.Value)}",
            (<= 0, _) => $"≤ {Number(High.Value)}",
            (_, >= 1) => $"≥ {Number(Low.Value)}",
            _ => $"{Number(Low.Value)} to {Number(High.Value)}",
        };
    }
}
