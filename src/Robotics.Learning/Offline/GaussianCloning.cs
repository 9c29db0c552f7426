using System.Text.Json;
using Robotics.Learning.Data;
using Robotics.Learning.Dense;
using Robotics.Learning.Networks;
using Robotics.Learning.Training;
using Robotics.Numerics;

namespace Robotics.Learning.Offline;

/// <summary>Settings of <see cref="GaussianCloning"/>.</summary>
public sealed record GaussianCloningOptions
{
    /// <summary>Widths of the hidden layers.</summary>
    public IReadOnlyList<int> Hidden { get; init; } = [256, 256];

    /// <summary>Gaussians, 1 to 32: several where the record's authors disagree.</summary>
    public int Components { get; init; } = 1;

    /// <summary>Learning rate, above 0.</summary>
    public double LearningRate { get; init; } = 3e-4;

    /// <summary>Transitions per update, 1 to 65536.</summary>
    public int Batch { get; init; } = 256;

    /// <summary>Draws everything.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Returns this record, or reports everything wrong with it at once.</summary>
    /// <param name="source">Where the values came from: a file path or "code".</param>
    /// <exception cref="ConfigException">One or more values are out of range.</exception>
    public GaussianCloningOptions Checked(string source)
    {
        var check = new ConfigCheck(source);
        OfflineChecks.Common(check, Hidden, LearningRate, Batch);
        check.Range(Components, 1, 32, "components");
        check.Throw();
        return this;
    }
}

/// <summary>Learns how the record acts, not only what it does: a Gaussian over actions, or a mixture of several, by log-likelihood.</summary>
/// <remarks>
/// Means tanh μ(s), deviations and weights depend on the state. What closed-form improvement starts from: the deviation says how far the
/// record vouches for other actions. A step is an update.
/// <para>Source: mixture density networks, Bishop 1994; as the behaviour policy in CFPI, Li et al. 2023 (arXiv:2211.15956).</para>
/// </remarks>
public sealed class GaussianCloning : IReinforcement
{
    private readonly TransitionSet _data;
    private readonly GaussianCloningOptions _options;
    private readonly Batch _batch;
    private readonly Mlp _network;
    private readonly MlpPass _pass;
    private readonly Means _means = new(1);
    private readonly SeededRandom _random = new(0);

    /// <summary>Prepares to learn.</summary>
    /// <param name="data">What was recorded.</param>
    /// <param name="options">Settings.</param>
    /// <exception cref="ConfigException">An option is out of range.</exception>
    public GaussianCloning(TransitionSet data, GaussianCloningOptions options)
    {
        ArgumentNullException.ThrowIfNull(data);
        ArgumentNullException.ThrowIfNull(options);
        (_data, _options) = (data, options.Checked("gaussian cloning"));
        var spec = new MlpSpec(data.ObservationSize, options.Hidden, new GaussianMixture(options.Components, data.ActionSize).Outputs);
        _network = new Mlp(spec, 1, new SeededRandom(RandomStream.Seed(options.Seed, 0, 1)));
        (_batch, _pass) = (new Batch(options.Batch, data.ObservationSize, data.ActionSize), new MlpPass(spec, options.Batch));
        Actor = new Actor(_network, ActorHead.Mixture, data.Normalizer(), data.ActionSize);
    }

    /// <inheritdoc/>
    public string Name => "bc-gaussian";

    /// <inheritdoc/>
    public string Fingerprint => $"{Name} {_data.Sha256} {JsonSerializer.Serialize(_options)}";

    /// <inheritdoc/>
    public IReadOnlyList<string> Columns { get; } = ["actor_loss"];

    /// <inheritdoc/>
    public long Steps { get; private set; }

    /// <inheritdoc/>
    public Actor Actor { get; }

    /// <inheritdoc/>
    public void Begin()
    {
    }

    /// <inheritdoc/>
    public void Advance()
    {
        int rows = _options.Batch;
        _random.Reset(RandomStream.Seed(_options.Seed, ++Steps, 3));
        _data.Sample(_random, _batch, 0, rows, Actor.Normalizer, gamma: 0);
        for (int i = 0; i < rows; i++)
        {
            _batch.Observations[i].CopyTo(_pass.Input[i]);
        }

        _network.Forward(_pass, rows);
        double loss = 0;
        for (int i = 0; i < rows; i++)
        {
            loss += Actor.Mixture!.Loss(_pass.Output[i], _batch.Actions[i], 1f / rows, _pass.OutputGradient[i]);
        }

        _means.Add(0, loss / rows);
        _network.Backward(_pass, rows);
        _network.Step(_options.LearningRate);
    }

    /// <inheritdoc/>
    public void Report(Span<double> line) => _means.Take(line);

    /// <inheritdoc/>
    public void Write(BinaryWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.Write(Steps);
        _network.Write(writer);
    }

    /// <inheritdoc/>
    public void Read(BinaryReader reader)
    {
        ArgumentNullException.ThrowIfNull(reader);
        Steps = reader.ReadInt64();
        _network.Read(reader);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
    }
}
