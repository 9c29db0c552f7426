using System.Text.Json;
using System.Text.Json.Serialization;
using Robotics.Learning.Export;
using Robotics.Learning.Imitation;
using Robotics.Learning.Networks;
using Robotics.Learning.Training;
using Robotics.Numerics;
using Robotics.Packages;

namespace Robotics.Lab;

/// <summary>How a finished training went: what stands in its folder as <c>summary.json</c>.</summary>
internal sealed record RunSummary
{
    public required string Network { get; init; }

    public required long Weights { get; init; }

    public required int Batch { get; init; }

    public required int Threads { get; init; }

    /// <summary>Wall time, which no two runs share: it is in no manifest.</summary>
    public required double Minutes { get; init; }

    /// <summary>Whether <see cref="Minutes"/> is only the time since a checkpoint.</summary>
    public required bool Resumed { get; init; }

    /// <summary>Final losses by name.</summary>
    public required IReadOnlyDictionary<string, double> Metrics { get; init; }

    public static RunSummary Load(string run)
    {
        string path = Path.Combine(run, "summary.json");
        return File.Exists(path)
            ? JsonSerializer.Deserialize<RunSummary>(File.ReadAllText(path), TrainingConfig.Json) ?? throw new ConfigException(path, ["is empty"])
            : throw new ConfigException($"'{run}' holds no summary.json: the training has not ended; the command in its config.json goes on with it.");
    }

    public void Save(string run) => File.WriteAllText(Path.Combine(run, "summary.json"), JsonSerializer.Serialize(this, TrainingConfig.Json) + "\n");
}

/// <summary>Everything that makes a training run: what stands in its folder as <c>config.json</c>.</summary>
internal sealed record TrainingConfig
{
    internal static JsonSerializerOptions Json { get; } = new()
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    };

    public required string Command { get; init; }

    public required string Task { get; init; }

    public required string Method { get; init; }

    public Prediction Prediction { get; init; } = Prediction.Sample;

    public required NetworkSpec Network { get; init; }

    public required TrainingOptions Options { get; init; }

    public required int ObservationSteps { get; init; }

    public required int Executed { get; init; }

    public required string DataSha256 { get; init; }

    public required int Episodes { get; init; }

    public required NormalizationSpec Observations { get; init; }

    public required NormalizationSpec Actions { get; init; }

    /// <summary>Observation windows that the golden vectors are made from.</summary>
    public required IReadOnlyList<float[]> Examples { get; init; }

    public required SamplerSpec Sampler { get; init; }

    /// <summary>policy.json that the data were wired with, without networks; null: the task's own.</summary>
    public PolicyManifest? Wiring { get; init; }

    public static TrainingConfig Load(string run)
    {
        string path = Path.Combine(run, "config.json");
        return File.Exists(path)
            ? JsonSerializer.Deserialize<TrainingConfig>(File.ReadAllText(path), Json) ?? throw new ConfigException(path, ["is empty"])
            : throw new ConfigException($"'{run}' holds no config.json: it is no run of 'robotics-lab train'.");
    }

    public void Save(string run)
    {
        Directory.CreateDirectory(run);
        File.WriteAllText(Path.Combine(run, "config.json"), JsonSerializer.Serialize(this, Json) + "\n");
    }

    /// <summary>Writes the network's graph once for nothing, so that one that cannot be exported is found before it is trained.</summary>
    /// <exception cref="ConfigException">It cannot be exported; says which operation has no rule.</exception>
    public void CheckExport(string source) => Exported(source, () => StepGraph.Write(Network, weight => new float[weight.Count]));

    /// <summary>A graph, or the reason why there is none.</summary>
    /// <exception cref="ConfigException">Something in it cannot be exported.</exception>
    public static byte[] Exported(string source, Func<byte[]> write)
    {
        try
        {
            return write();
        }
        catch (NotSupportedException error)
        {
            throw new ConfigException(source, [$"cannot be exported: {error.Message}"]);
        }
    }

    /// <summary>The method over a fresh network.</summary>
    public IImitation Build() => Method switch
    {
        "diffusion" => new Diffusion(New(), NoiseSchedule.SquaredCosine(Sampler.Diffusion!.TrainSteps), Prediction),
        "flow" => new FlowMatching(New(), FlowTime.Beta),
        "joint" => new JointMatching(New(), FlowTime.Beta),
        "energy" => new EquilibriumMatching(New()),
        "energy-unrolled" => new UnrolledEnergy(New(), new()),
        _ => throw new ConfigException($"There is no method '{Method}'; there are diffusion, flow, energy, energy-unrolled and joint."),
    };

    /// <summary>The network that a method trains, of the size that was asked for.</summary>
    public static NetworkSpec Shape(string network, string method, int width, int layers, int horizon, int actionSize, int conditionSize, int observationSteps)
    {
        bool energy = method.StartsWith("energy", StringComparison.Ordinal);
        var (time, scale) = energy ? (TimeSignal.None, 1) : method == "flow" ? (TimeSignal.Continuous, 100) : (TimeSignal.Timestep, 1);
        var output = energy ? NetworkOutput.Energy : NetworkOutput.Chunk;
        var head = method is "flow" or "energy" ? NetworkHead.Action : NetworkHead.Output;
        return network switch
        {
            "mlp" => new ResidualMlp
            {
                Horizon = horizon, ActionSize = actionSize, ConditionSize = conditionSize, Time = time, TimeScale = scale, Output = output, Head = head,
                Width = width, Layers = layers, OutputGain = method == "energy-unrolled" ? 10 : 1, Activation = energy ? Activation.Silu : Activation.Mish,
            },
            "unet1d" => new UNet1d { Horizon = horizon, ActionSize = actionSize, ConditionSize = conditionSize, Time = time, TimeScale = scale, Output = output },
            "transformer" => new ActionTransformer
            {
                Horizon = horizon, ActionSize = actionSize, ConditionSize = conditionSize, Time = time, TimeScale = scale, Output = output, Head = head,
                Width = width, Layers = layers, ObservationSteps = observationSteps,
            },
            _ => throw new ConfigException($"There is no network '{network}'; there are mlp, unet1d and transformer."),
        };
    }

    /// <summary>The sampler a freshly trained method is packed with.</summary>
    public static SamplerSpec DefaultSampler(string method, Prediction prediction, int horizon) => method switch
    {
        "diffusion" => new() { Horizon = horizon, Diffusion = new() { Prediction = prediction, BetasSha256 = NoiseSchedule.SquaredCosine(100).BetasSha256() } },
        "flow" => new() { Horizon = horizon, Flow = new() { Solver = FlowSolver.Midpoint, Steps = 5 } },

        // Three tenths of the way to the action at each step: after ten, 3 % of the noise is left. The lowest of eight: one descent in
        // a few ends in a dip between the data (PushT, one chunk 0.70, the lowest of eight 0.87).
        "energy" => new() { Horizon = horizon, Energy = new() { StepSize = 0.3, Momentum = 0 }, Candidates = 8 },
        _ => new() { Horizon = horizon, Energy = new() { StepSize = 1, Momentum = 0 } },
    };

    private Network New() => new(Network, Options.Seed);
}
