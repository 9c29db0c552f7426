using Robotics.Packages;
using Robotics.Policies.Sampling;

namespace Robotics.Policies.Onnx;

/// <summary>The networks of one package, wired once for each batch size that a plan may have.</summary>
/// <remarks>Not thread-safe: they belong to one policy or critic.</remarks>
internal sealed class OnnxNetworks : IDisposable
{
    private readonly List<OnnxModel> _models;
    private readonly List<Wiring> _wirings = []; // by batch, largest first
    private readonly List<Wiring> _stages = [];  // of a joint model that plans: futures, values
    private bool _disposed;

    private OnnxNetworks(PolicyManifest manifest, List<OnnxModel> models, ProviderChoice provider)
    {
        (Manifest, _models, Provider) = (manifest, models, provider);
        Graphs = [.. models.Select(model => model.Description)];
        Encoders = manifest.Kind is PolicyKind.Denoiser or PolicyKind.Velocity or PolicyKind.Energy or PolicyKind.Joint ? models.Count - 1 : models.Count;
    }

    /// <summary>Opens and wires.</summary>
    /// <param name="manifest">What is meant.</param>
    /// <param name="read">Contents of a file that the manifest lists.</param>
    /// <param name="options">Providers.</param>
    /// <param name="batches">K of the last model, largest first.</param>
    /// <exception cref="ConfigException">Everything about the manifest that does not fit its graphs.</exception>
    public static OnnxNetworks Open(PolicyManifest manifest, Func<string, ReadOnlyMemory<byte>> read, OnnxOptions options, IReadOnlyList<int> batches)
    {
        var order = ProviderOrder.Resolve(options.Providers, Environment.GetEnvironmentVariable(ProviderOrder.Variable), manifest.Providers, manifest.Origin);
        var (models, provider) = OnnxSessions.Open(manifest, read, order);
        var networks = new OnnxNetworks(manifest, models, provider);
        try
        {
            foreach (int batch in batches)
            {
                networks._wirings.Add(new(manifest, models, options.Bind ?? provider.Serving == "cpu", batch));
            }

            if (manifest.Sampler?.Joint is { Selection: JointSelection.Planned } joint && batches[0] > 1)
            {
                int futures = batches[0] * joint.Futures;
                networks._stages.AddRange(((int[])[futures, futures * joint.Values]).Select(batch => new Wiring(manifest, models, options.Bind ?? provider.Serving == "cpu", batch)));
            }

            return networks;
        }
        catch
        {
            networks.Dispose();
            throw;
        }
    }

    /// <summary>The batches that a package asks for by itself, largest first.</summary>
    public static IReadOnlyList<int> Batches(PolicyManifest manifest) => manifest.Sampler switch
    {
        null or { Joint.Selection: JointSelection.Single } => [1],
        { Joint: not null, Candidates: > 1 } sampler => [sampler.Candidates, 1], // one chunk when there is no time for more
        var sampler => [sampler.Candidates],
    };

    /// <summary>What they were opened for.</summary>
    public PolicyManifest Manifest { get; }

    /// <summary>Which execution provider serves, and why others do not.</summary>
    public ProviderChoice Provider { get; }

    /// <summary>The networks as they were found, in running order.</summary>
    public IReadOnlyList<GraphDescription> Graphs { get; }

    /// <summary>Shapes.</summary>
    public PolicySpec Spec => _wirings[0].Spec;

    /// <summary>By batch, largest first.</summary>
    public IReadOnlyList<Wiring> Wirings => _wirings;

    /// <summary>Networks that run once per plan.</summary>
    public int Encoders { get; }

    /// <summary>The step network with every batch size; empty when there is no sampler.</summary>
    public IReadOnlyList<StepNetwork> Steps() =>
        [.. _wirings.Select(wiring => Manifest.Kind == PolicyKind.Joint ? Joint(wiring) : new OnnxStep(wiring.Calls[^1], wiring.Step!, Manifest.Sampler!.Flow))];

    /// <summary>A joint model with its batches of futures and of values; empty when it does not plan.</summary>
    public IReadOnlyList<JointStep> Stages() => [.. _stages.Select(Joint)];

    /// <summary>Rows of each stage, and one call of it with the inputs as they are.</summary>
    public IReadOnlyList<(int Rows, Action Run)> StageCalls() => [.. _stages.Select(stage => (stage.Step!.Candidates, (Action)stage.Calls[^1].Run))];

    /// <summary>Writes the observation into every input that takes it; false when a value has no finite form there.</summary>
    /// <param name="rung">Index of the batch size.</param>
    /// <param name="observation">[Do], physical.</param>
    public bool Feed(int rung, ReadOnlySpan<float> observation)
    {
        // An int64 input would turn NaN into 0, so the vector is looked at before it is converted.
        bool finite = OnnxTensor.AllFinite(observation);
        foreach (var feed in _wirings[rung].Feeds)
        {
            finite = finite && feed.Write(observation);
        }

        if (rung == 0)
        {
            foreach (var stage in _stages)
            {
                foreach (var feed in stage.Feeds)
                {
                    finite = finite && feed.Write(observation);
                }
            }
        }

        return finite;
    }

    /// <summary>Copies what the encoders found to every candidate.</summary>
    public void Spread(int rung)
    {
        foreach (var spread in _wirings[rung].Spreads)
        {
            spread.Apply();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            _wirings.ForEach(wiring => wiring.Dispose());
            _stages.ForEach(stage => stage.Dispose());
            _models.ForEach(model => model.Dispose());
        }
    }

    private JointStep Joint(Wiring wiring) => new(wiring.Calls[^1], wiring.Step!, Manifest.Sampler!.Flow!);
}
