using System.Text.Json;
using Robotics.Learning.Data;
using Robotics.Learning.Dense;
using Robotics.Learning.Networks;
using Robotics.Learning.Training;
using Robotics.Numerics;

namespace Robotics.Learning.Offline;

/// <summary>Settings of <see cref="BehaviourCloning"/>.</summary>
public sealed record BehaviourCloningOptions
{
    /// <summary>Widths of the hidden layers.</summary>
    public IReadOnlyList<int> Hidden { get; init; } = [256, 256];

    /// <summary>Learning rate, above 0.</summary>
    public double LearningRate { get; init; } = 3e-4;

    /// <summary>Transitions per update, 1 to 65536.</summary>
    public int Batch { get; init; } = 256;

    /// <summary>Draws everything.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Returns this record, or reports everything wrong with it at once.</summary>
    /// <param name="source">Where the values came from: a file path or "code".</param>
    /// <exception cref="ConfigException">One or more values are out of range.</exception>
    public BehaviourCloningOptions Checked(string source)
    {
        var check = new ConfigCheck(source);
        OfflineChecks.Common(check, Hidden, LearningRate, Batch);
        check.Throw();
        return this;
    }
}

/// <summary>Does what the record does: regression of the sent action on the observation. The baseline that every offline method has to beat.</summary>
/// <remarks>
/// Mean squared error of tanh μ(s); one network, no value. A record of mixed quality is imitated in the mean of its authors, which may be
/// worse than each of them. A step is an update.
/// </remarks>
public sealed class BehaviourCloning : IReinforcement
{
    private readonly TransitionSet _data;
    private readonly BehaviourCloningOptions _options;
    private readonly Batch _batch;
    private readonly TanhActor _actor;
    private readonly Means _means = new(1);
    private readonly SeededRandom _random = new(0);

    /// <summary>Prepares to learn.</summary>
    /// <param name="data">What was recorded.</param>
    /// <param name="options">Settings.</param>
    /// <exception cref="ConfigException">An option is out of range.</exception>
    public BehaviourCloning(TransitionSet data, BehaviourCloningOptions options)
    {
        ArgumentNullException.ThrowIfNull(data);
        ArgumentNullException.ThrowIfNull(options);
        (_data, _options) = (data, options.Checked("behaviour cloning"));
        var draw = new SeededRandom(RandomStream.Seed(options.Seed, 0, 1));
        _batch = new Batch(options.Batch, data.ObservationSize, data.ActionSize);
        _actor = new TanhActor(data, options.Hidden, options.Batch, draw);
    }

    /// <inheritdoc/>
    public string Name => "bc";

    /// <inheritdoc/>
    public string Fingerprint => $"{Name} {_data.Sha256} {JsonSerializer.Serialize(_options)}";

    /// <inheritdoc/>
    public IReadOnlyList<string> Columns { get; } = ["actor_loss"];

    /// <inheritdoc/>
    public long Steps { get; private set; }

    /// <inheritdoc/>
    public Actor Actor => _actor.Actor;

    /// <inheritdoc/>
    public void Begin()
    {
    }

    /// <inheritdoc/>
    public void Advance()
    {
        _random.Reset(RandomStream.Seed(_options.Seed, ++Steps, 3));
        _data.Sample(_random, _batch, 0, _options.Batch, Actor.Normalizer, gamma: 0);
        _actor.Forward(_batch.Observations, _options.Batch, Weights.Trained);
        _means.Add(0, _actor.Imitate(_batch.Actions, _options.Batch, null));
        _actor.Network.Step(_options.LearningRate);
    }

    /// <inheritdoc/>
    public void Report(Span<double> line) => _means.Take(line);

    /// <inheritdoc/>
    public void Write(BinaryWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.Write(Steps);
        _actor.Network.Write(writer);
    }

    /// <inheritdoc/>
    public void Read(BinaryReader reader)
    {
        ArgumentNullException.ThrowIfNull(reader);
        Steps = reader.ReadInt64();
        _actor.Network.Read(reader);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
    }
}
