using Robotics.Learning.Data;
using Robotics.Learning.Export;
using Robotics.Learning.Imitation;
using Robotics.Learning.Networks;
using Robotics.Learning.Training;
using Robotics.Numerics;
using Robotics.Packages;
using Robotics.Policies.Onnx;
using Robotics.Policies.Steering;
using Robotics.Sim.Tasks;
using static TorchSharp.torch;

namespace Robotics.Bench;

/// <summary>Policies and critics for Detour, trained in a minute and packed into a folder of their own, for the trials of steering.</summary>
internal sealed class DetourPolicies : IDisposable
{
    public const int Width = Detour.Rows * Detour.ActionSize;

    private static readonly MonotonicTime s_whenever = new(long.MaxValue);
    private static readonly NoiseSchedule s_schedule = NoiseSchedule.SquaredCosine(100);

    private readonly string _folder = Directory.CreateTempSubdirectory("robotics-steering-").FullName;

    public enum Recipe
    {
        Denoiser,
        Flow,
    }

    /// <summary>How a network is trained.</summary>
    /// <param name="Demonstrations">Drawn once.</param>
    /// <param name="Updates">Of 128 chunks.</param>
    /// <param name="LearningRate">At its peak.</param>
    /// <param name="Prediction">Of a denoiser.</param>
    public sealed record Training(int Demonstrations, int Updates, double LearningRate, Prediction Prediction)
    {
        /// <summary>What the policy cards say of their own measurements (card 4; the rest from section 0.7).</summary>
        public static Training Cards { get; } = new(4000, 7000, 1e-3, Prediction.Epsilon);

        /// <summary>What serves best here.</summary>
        public static Training Best { get; } = new(20_000, 5000, 2e-3, Prediction.Sample);
    }

    /// <summary>One situation, and what two noisy eyes see of it.</summary>
    public sealed record Situation(float[] Clean, float[] A, float[] B, float[] Moved)
    {
        public float[] Both => [.. A, .. B];
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    public static Situation[] Situations(int count, ulong seed, double sigma)
    {
        var random = new SeededRandom(seed);
        return [.. Enumerable.Range(0, count).Select(_ =>
        {
            float[] clean = new float[2];
            Detour.Observe(random, clean);
            float Noise() => (float)(sigma * random.NextGaussian());
            return new Situation(clean, [clean[0] + Noise(), clean[1]], [clean[0], clean[1] + Noise()], [clean[0] + Noise(), clean[1] + Noise()]);
        })];
    }

    // Two seeds name the noise of a situation: all policies start from the same.
    public static float[][] Chunks(IPolicy policy, Situation[] situations, Func<Situation, float[]> sees, ulong firstSeed) => [.. situations.Select((situation, i) =>
    {
        float[] chunk = new float[Width];
        policy.Reset(firstSeed + (ulong)i);
        var status = policy.Plan(sees(situation), s_whenever, chunk).Status;
        return status == PlanStatus.Planned ? chunk : throw new InvalidOperationException($"A plan ended in {status}: {policy.LastFault}");
    })];

    public static float[][] Chunks(PolicyTree tree, Situation[] situations, Func<Situation, float[]> sees, ulong firstSeed)
    {
        using (tree)
        {
            return Chunks(tree.Policy, situations, sees, firstSeed);
        }
    }

    public static double Valid(Situation[] situations, float[][] chunks) => situations.Zip(chunks).Average(pair => Detour.IsValid(pair.First.Clean, pair.Second) ? 1.0 : 0);

    public static float[][] Mean(float[][] a, float[][] b) => [.. a.Zip(b, (x, y) => x.Zip(y, (p, q) => (p + q) / 2).ToArray())];

    public static int Differing(float[][] a, float[][] b) => a.Zip(b).Count(pair => !pair.First.AsSpan().SequenceEqual(pair.Second));

    // What the eye that this policy has would have seen at every demonstration.
    public static Network Train(Recipe recipe, double sigmaObstacle, double sigmaGoal, ulong seed, Training training)
    {
        int demonstrations = training.Demonstrations;
        var random = new SeededRandom(seed);
        float[] seen = new float[2 * demonstrations], chunks = new float[Width * demonstrations];
        for (int i = 0; i < demonstrations; i++)
        {
            var observation = seen.AsSpan(2 * i, 2);
            Detour.Observe(random, observation);
            Detour.Demonstrate(random, observation, chunks.AsSpan(Width * i, Width));
            observation[0] += (float)(sigmaObstacle * random.NextGaussian());
            observation[1] += (float)(sigmaGoal * random.NextGaussian());
        }

        bool flow = recipe == Recipe.Flow;
        var network = new Network(
            new ResidualMlp
            {
                Horizon = Detour.Rows, ActionSize = Detour.ActionSize, ConditionSize = Detour.ObservationSize, Width = 160,
                Time = flow ? TimeSignal.Continuous : TimeSignal.Timestep, TimeScale = flow ? 100 : 1,
            },
            seed);
        IImitation method = flow ? new FlowMatching(network, FlowTime.Beta) : new Diffusion(network, s_schedule, training.Prediction);
        using (network)
        using (method as IDisposable)
        {
            var data = new ChunkSet(seen, chunks, null, Detour.ObservationSize, Detour.Rows, Detour.ActionSize, "detour");
            using var trainer = new Trainer(method, data, new TrainingOptions { Steps = training.Updates, Batch = 128, LearningRate = training.LearningRate, LogEvery = 1000, CheckpointEvery = 1000, Seed = seed }, folder: null);
            trainer.Run();
            return trainer.Averaged();
        }
    }

    // Chunks good and bad: demonstrations bent by up to their own size and shaken.
    private static void Perturbed(SeededRandom random, Span<float> observation, Span<float> chunk)
    {
        Detour.Observe(random, observation);
        Detour.Demonstrate(random, observation, chunk);
        double bend = random.NextDouble(0.3, 1.2), shake = 0.03 * random.NextDouble(), drift = 0.1 * random.NextGaussian();
        for (int k = 0; k < Detour.Rows; k++)
        {
            double line = observation[1] * k / (Detour.Rows - 1.0) / Detour.Scale;
            chunk[2 * k] = (float)(line + (bend * (chunk[2 * k] - line)) + (drift * k / (Detour.Rows - 1.0)) + (shake * random.NextGaussian()));
            chunk[(2 * k) + 1] += (float)(shake * random.NextGaussian());
        }
    }

    private static float Worth(ReadOnlySpan<float> observation, ReadOnlySpan<float> chunk)
    {
        double length = 0;
        for (int k = 1; k < Detour.Rows; k++)
        {
            length += double.Hypot(chunk[2 * k] - chunk[(2 * k) - 2], chunk[(2 * k) + 1] - chunk[(2 * k) - 1]) * Detour.Scale;
        }

        return (float)((Detour.IsValid(observation, chunk) ? 1 : 0) - (0.3 * length));
    }

    // 2700 perturbed chunks, a network of two layers of 128; the correlation is on 1000 others.
    public static Network Regress(ulong seed, out double correlation)
    {
        const int count = 2700, held = 1000;
        var random = new SeededRandom(seed);
        float[] observations = new float[2 * (count + held)], chunks = new float[Width * (count + held)], worth = new float[count + held];
        for (int i = 0; i < worth.Length; i++)
        {
            Perturbed(random, observations.AsSpan(2 * i, 2), chunks.AsSpan(Width * i, Width));
            worth[i] = Worth(observations.AsSpan(2 * i, 2), chunks.AsSpan(Width * i, Width));
        }

        var network = new Network(
            new ResidualMlp
            {
                Horizon = Detour.Rows, ActionSize = Detour.ActionSize, ConditionSize = Detour.ObservationSize, Width = 128, Layers = 2,
                Residual = false, Activation = Activation.Silu, Time = TimeSignal.None, Output = NetworkOutput.Energy,
            },
            seed);
        var options = new TrainingOptions { Steps = 3000, Batch = 128, LearningRate = 1e-3, WeightDecay = 1 };
        using var optimizer = new AveragedAdamW(network, options);
        using var all = NewDisposeScope();
        var conditions = tensor(observations, worth.Length, 2);
        var actions = tensor(chunks, worth.Length, Detour.Rows, Detour.ActionSize);
        var targets = tensor(worth, worth.Length, 1);
        for (int step = 0; step < options.Steps; step++)
        {
            using var scope = NewDisposeScope();
            using var draw = new Generator((1000 * seed) + (ulong)step);
            var rows = randint(count, [options.Batch], dtype: ScalarType.Int64, generator: draw);
            var loss = (network.forward(actions.index_select(0, rows), null, conditions.index_select(0, rows)) - targets.index_select(0, rows)).square().mean();
            loss.backward();
            optimizer.Step(options.LearningRate * LearningRate.Factor(step, options.WarmUp, options.Steps));
        }

        var averaged = new Network(network.Spec, [.. optimizer.Average.data<float>()]);
        using (no_grad())
        {
            float[] said = [.. averaged.forward(actions, null, conditions).reshape(-1).contiguous().data<float>()];
            correlation = Correlation(said.AsSpan(count), worth.AsSpan(count));
        }

        network.Dispose();
        return averaged;
    }

    private static double Correlation(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        double ma = 0, mb = 0, ab = 0, aa = 0, bb = 0;
        for (int i = 0; i < a.Length; i++)
        {
            ma += a[i] / (double)a.Length;
            mb += b[i] / (double)a.Length;
        }

        for (int i = 0; i < a.Length; i++)
        {
            ab += (a[i] - ma) * (b[i] - mb);
            aa += (a[i] - ma) * (a[i] - ma);
            bb += (b[i] - mb) * (b[i] - mb);
        }

        return ab / Math.Sqrt(aa * bb);
    }

    public void Denoiser(string name, Network network, string group, int steps, InpaintSpec? inpaint = null, WarmStartSpec? warm = null, bool keep = false, DiffusionSolver solver = DiffusionSolver.Ddim, Prediction prediction = Prediction.Epsilon) => Package(
        name, network, group, keep, PolicyKind.Denoiser, "prediction", new() { Horizon = Detour.Rows, Diffusion = new() { Solver = solver, Steps = steps, Prediction = prediction }, Inpaint = inpaint, WarmStart = warm });

    public void Flow(string name, Network network, string group, int steps, InpaintSpec? inpaint = null, bool keep = false) => Package(
        name, network, group, keep, PolicyKind.Velocity, "velocity", new() { Horizon = Detour.Rows, Flow = new() { Steps = steps }, Inpaint = inpaint });

    private void Package(string name, Network network, string group, bool keep, PolicyKind kind, string output, SamplerSpec sampler)
    {
        ModelInput time = new() { Name = kind == PolicyKind.Denoiser ? "timestep" : "time", From = "time" };
        Write(name, StepGraph.Write(network.Spec, network.Values), Manifest(name, group) with
        {
            Kind = kind,
            Models = [new() { File = "net.onnx", Inputs = [new() { Name = "sample", From = "sample" }, time, new() { Name = "cond", From = $"observation:{group}" }], Outputs = [new() { Name = output, To = "prediction" }] }],
            Sampler = sampler,
        });
        if (!keep)
        {
            network.Dispose();
        }
    }

    // Null: the graph of the last critic, for the composed policy's observations.
    public void Critic(string name, Network? network)
    {
        byte[] graph = network is null ? File.ReadAllBytes(Path.Combine(_folder, "critic", "net.onnx")) : StepGraph.Write(network.Spec, network.Values);
        string group = network is null ? "a" : "o";
        Write(name, graph, Manifest(name, group) with
        {
            Kind = PolicyKind.Critic,
            Models = [new() { File = "net.onnx", Inputs = [new() { Name = "sample", From = "action" }, new() { Name = "cond", From = $"observation:{group}" }], Outputs = [new() { Name = "energy", To = "q" }] }],
        });
    }

    private static PolicyManifest Manifest(string name, string group) => new()
    {
        Name = name,
        Files = [new() { Path = "net.onnx", Sha256 = "" }],
        Models = [],
        Observations = [new() { Name = group, Terms = [new() { Name = "seen", Kind = "signal", Signal = group }] }],
        Action = new() { Joints = ["x", "y"], Rows = Detour.Rows, Normalization = new() { Mode = "mean_std", Mean = [0], Std = [1], Epsilon = 0 } },
        Timing = new() { PeriodMs = 20 },
    };

    private void Write(string name, byte[] graph, PolicyManifest manifest)
    {
        string folder = Path.Combine(_folder, name);
        Directory.CreateDirectory(folder);
        File.WriteAllBytes(Path.Combine(folder, "net.onnx"), graph);
        PolicyPackage.Write(folder, manifest);
    }

    public PolicyTree Steered(string name, string steering, Action? before = null)
    {
        before?.Invoke();
        string folder = Path.Combine(_folder, name);
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "policy.json"), $$"""{ "format": "policy-package", "version": 1, "name": "{{name}}", "kind": "steered", "steering": { {{steering}} } }""");
        return Load(name);
    }

    public PolicyTree Load(string name) => PolicyTree.Load(Package(name), new OnnxOptions());

    public PolicyPackage Package(string name) => PolicyPackage.Load(Path.Combine(_folder, name));
}
