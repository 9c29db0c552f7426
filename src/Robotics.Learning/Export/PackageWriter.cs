using System.Globalization;
using System.Text;
using Robotics.Learning.Evaluation;
using Robotics.Learning.Networks;
using Robotics.Numerics;
using Robotics.Packages;

namespace Robotics.Learning.Export;

/// <summary>What goes into a package beside the network.</summary>
public sealed record PackageContents
{
    /// <summary>Name of the policy.</summary>
    public required string Name { get; init; }

    /// <summary>Observation terms, action meaning and timing the network was trained with; one group.</summary>
    public required PolicyManifest Wiring { get; init; }

    /// <summary>To: observation frames stacked in the condition, oldest first.</summary>
    public required int ObservationSteps { get; init; }

    /// <summary>Ta: rows executed of each chunk.</summary>
    public required int Executed { get; init; }

    /// <summary>Statistics of one observation frame.</summary>
    public required NormalizationSpec Observations { get; init; }

    /// <summary>Statistics of one action row.</summary>
    public required NormalizationSpec Actions { get; init; }

    /// <summary>The loop around the network.</summary>
    public required SamplerSpec Sampler { get; init; }

    /// <summary>Where it came from.</summary>
    public required TrainedSpec Trained { get; init; }

    /// <summary>[N, To·Do] observation windows, physical, for the golden vectors; the first three are used.</summary>
    public required IReadOnlyList<float[]> Examples { get; init; }
}

/// <summary>Writes a trained network as a policy package that <c>robotics run</c> takes as it is.</summary>
public static class PackageWriter
{
    private const int GoldenRows = 3;

    /// <summary>Writes <c>policy.json</c>, <c>step.onnx</c> and <c>golden.csv</c>.</summary>
    /// <param name="folder">Made when it is not there; the three files are replaced.</param>
    /// <param name="network">With the weights to export: the averaged ones.</param>
    /// <param name="contents">Everything else.</param>
    /// <returns>The manifest as written.</returns>
    /// <exception cref="ConfigException">Network, sampler and wiring do not fit together.</exception>
    /// <exception cref="NotSupportedException">The network cannot be a step of a sampler.</exception>
    public static PolicyManifest Write(string folder, Network network, PackageContents contents)
    {
        ArgumentNullException.ThrowIfNull(folder);
        ArgumentNullException.ThrowIfNull(network);
        ArgumentNullException.ThrowIfNull(contents);
        var spec = network.Spec;
        Directory.CreateDirectory(folder);
        File.WriteAllBytes(Path.Combine(folder, "step.onnx"), StepGraph.Write(spec, network.Values));
        bool repeats = contents.Sampler.Diffusion is not { Solver: DiffusionSolver.Ddpm } and not { Eta: > 0 };
        if (repeats)
        {
            File.WriteAllText(Path.Combine(folder, "golden.csv"), Golden(network, contents));
        }

        var group = contents.Wiring.Observations[0];
        var manifest = contents.Wiring with
        {
            Name = contents.Name,
            Kind = Kind(spec),
            Files = [.. Files(repeats).Select(path => new PackageFile { Path = path, Sha256 = "" })],
            Models = [Model(spec, group.Name)],
            States = new Dictionary<string, StateSpec>(),
            Observations = [group with { History = new() { Length = contents.ObservationSteps }, Normalization = contents.Observations }],
            Action = contents.Wiring.Action with { FirstRow = contents.ObservationSteps - 1, Rows = contents.Executed, Normalization = contents.Actions },
            Sampler = contents.Sampler,
            Trained = contents.Trained,
            Golden = repeats ? new() { File = "golden.csv" } : null,
        };
        return PolicyPackage.Write(folder, manifest);
    }

    /// <summary>The kind of package a network becomes.</summary>
    public static PolicyKind Kind(NetworkSpec spec) => StepGraph.Kind(spec) switch
    {
        "denoiser" => PolicyKind.Denoiser,
        "velocity" => PolicyKind.Velocity,
        "joint" => PolicyKind.Joint,
        _ => PolicyKind.Energy,
    };

    /// <summary>Samples chunks in libtorch as the manifest's sampler does.</summary>
    /// <param name="network">The network.</param>
    /// <param name="sampler">Its sampler.</param>
    /// <param name="conditions">[N, C], normalised.</param>
    /// <param name="seed">Draws the noise.</param>
    /// <returns>[N, H, Da], normalised; of a joint model all of z.</returns>
    public static float[] Sample(Network network, SamplerSpec sampler, float[] conditions, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(sampler);
        return sampler switch
        {
            { Diffusion: { } d } => ChunkSampling.Diffusion(
                network,
                new DiffusionSampler(
                    NoiseSchedule.SquaredCosine(d.TrainSteps),
                    new() { Solver = d.Solver, Steps = d.Steps, Spacing = d.Spacing, Prediction = d.Prediction, Clip = d.Clip > 0 ? d.Clip : null, Eta = d.Eta, FinalAlphaBar = d.FinalAlpha }),
                conditions,
                seed),
            { Joint: not null } => JointSampling.Chain(network, sampler, conditions, Noise(network, conditions.Length / network.Spec.ObservationSize, seed)),
            { Flow: { } f } => ChunkSampling.Flow(network, new FlowSampler(f.Solver, f.Steps), conditions, seed),
            { Energy: { } e } => ChunkSampling.Energy(
                network, new EnergyDescent(new() { StepSize = e.StepSize, Momentum = e.Momentum, Tolerance = e.Tolerance, MaxSteps = e.MaxSteps }), conditions, seed).Chunks,
            _ => throw new ConfigException("The sampler names neither diffusion, flow nor energy."),
        };
    }

    private static float[] Noise(Network network, int count, ulong seed)
    {
        var noise = new float[count * network.Spec.Horizon * network.Spec.ActionSize];
        new SeededRandom(seed).FillGaussian(noise);
        return noise;
    }

    private static string[] Files(bool golden) => golden ? ["step.onnx", "golden.csv"] : ["step.onnx"];

    private static ModelSpec Model(NetworkSpec spec, string group)
    {
        ModelInput sample = new() { Name = "sample", From = "sample" }, condition = new() { Name = "cond", From = $"observation:{group}" };
        return Kind(spec) switch
        {
            PolicyKind.Denoiser => new() { File = "step.onnx", Inputs = [sample, new() { Name = "timestep", From = "time" }, condition], Outputs = [new() { Name = "prediction", To = "prediction" }] },
            PolicyKind.Velocity => new() { File = "step.onnx", Inputs = [sample, new() { Name = "time", From = "time" }, condition], Outputs = [new() { Name = "velocity", To = "prediction" }] },
            PolicyKind.Joint => new()
            {
                File = "step.onnx",
                Inputs = [sample, new() { Name = "given", From = "given" }, new() { Name = "flags", From = "flags" }, new() { Name = "time", From = "time" }, condition],
                Outputs = [new() { Name = "velocity", To = "prediction" }],
            },
            _ => new() { File = "step.onnx", Inputs = [sample, condition], Outputs = [new() { Name = "energy", To = "energy" }, new() { Name = "gradient", To = "gradient" }] },
        };
    }

    // Made by libtorch, so that the file disagrees when the exported graph or the runtime's sampler does.
    private static string Golden(Network network, PackageContents contents)
    {
        int length = network.Spec.ObservationSize;
        var normalizer = new Normalizer(contents.Observations, length);
        var text = new StringBuilder("# observation; sampled chunk, normalised; noise. Computed by the trainer.\n");
        for (int row = 0; row < Math.Min(GoldenRows, contents.Examples.Count); row++)
        {
            var condition = new float[length];
            normalizer.Normalize(contents.Examples[row], condition);
            ulong seed = 1000 + (ulong)row;
            float[] noise = Noise(network, 1, seed);
            text.Append(Join(contents.Examples[row])).Append(';').Append(Join(Sample(network, contents.Sampler, condition, seed))).Append(';').Append(Join(noise)).Append('\n');
        }

        return text.ToString();

        static string Join(float[] values) => string.Join(',', values.Select(value => value.ToString("R", CultureInfo.InvariantCulture)));
    }
}
