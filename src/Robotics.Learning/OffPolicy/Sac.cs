using System.Text.Json;
using Robotics.Learning.Data;
using Robotics.Learning.Dense;
using Robotics.Learning.Networks;
using Robotics.Learning.Training;
using Robotics.Numerics;

namespace Robotics.Learning.OffPolicy;

/// <summary>Settings of <see cref="Sac"/>.</summary>
public sealed record SacOptions
{
    /// <summary>Widths of the hidden layers, of actor and critics.</summary>
    public IReadOnlyList<int> Hidden { get; init; } = [256, 256];

    /// <summary>Learning rate of actor, critics and temperature, above 0.</summary>
    public double LearningRate { get; init; } = 3e-4;

    /// <summary>Discount per step, 0 to below 1.</summary>
    public double Gamma { get; init; } = 0.99;

    /// <summary>How fast the slow critics follow, above 0 to 1.</summary>
    public double Tau { get; init; } = 0.005;

    /// <summary>Transitions per update, 1 to 65536.</summary>
    public int Batch { get; init; } = 256;

    /// <summary>Transitions kept, at least <see cref="Batch"/>.</summary>
    public long Replay { get; init; } = 1_000_000;

    /// <summary>Uniformly random steps before the first update, all environments together.</summary>
    public int RandomSteps { get; init; } = 5000;

    /// <summary>Updates per environment step of a round that learns, 1 to 100.</summary>
    public int UpdatesPerStep { get; init; } = 1;

    /// <summary>Rounds (one step of every environment) per round that learns, 1 to 1000: fewer updates than steps, where steps are cheap
    /// and updates are not.</summary>
    public int UpdateEvery { get; init; } = 1;

    /// <summary>Steps that a transition spans, 1 to 32.</summary>
    public int NStep { get; init; } = 1;

    /// <summary>Draws everything.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Returns this record, or reports everything wrong with it at once.</summary>
    /// <param name="source">Where the values came from: a file path or "code".</param>
    /// <exception cref="ConfigException">One or more values are out of range.</exception>
    public SacOptions Checked(string source)
    {
        var check = new ConfigCheck(source);
        check.That(Hidden.Count > 0 && Hidden.All(width => width is >= 1 and <= 4096), "hidden", "are widths of 1 to 4096, one per layer");
        check.That(LearningRate is > 0 and <= 1, "learning_rate", FormattableString.Invariant($"is {LearningRate}, expected above 0, up to 1"));
        check.That(Gamma is >= 0 and < 1, "gamma", FormattableString.Invariant($"is {Gamma}, expected 0 to below 1"));
        check.That(Tau is > 0 and <= 1, "tau", FormattableString.Invariant($"is {Tau}, expected above 0, up to 1"));
        check.Range(Batch, 1, 65536, "batch");
        check.That(Replay >= Batch, "replay", $"is {Replay}, expected at least batch, {Batch}");
        check.That(RandomSteps >= 1, "random_steps", $"is {RandomSteps}, expected 1 or more");
        check.Range(UpdatesPerStep, 1, 100, "updates_per_step");
        check.Range(UpdateEvery, 1, 1000, "update_every");
        check.Range(NStep, 1, 32, "n_step");
        check.Throw();
        return this;
    }
}

/// <summary>Soft actor-critic: the policy that earns most while staying as random as it can afford.</summary>
/// <remarks>
/// Source: Haarnoja et al. 2018 (arXiv:1812.05905), with the temperature learned towards an entropy of -Da.
/// Differs: one learning rate for all three (CleanRL gives the critics 1e-3); the uniform first steps are counted over all environments;
/// episodes are cut (as by a time limit) where a checkpoint is written, so that a resumed run repeats exactly.
/// </remarks>
public sealed class Sac : IActorCritic
{
    private readonly IVectorEnvironment _environment;
    private readonly SacOptions _options;
    private readonly ReplayBuffer _replay;
    private readonly Collector _collector;
    private readonly Batch _batch;
    private readonly SoftActor _actor;
    private readonly Critics _critics;
    private readonly float[] _targets;
    private readonly Means _means = new(6);
    private readonly SeededRandom _random = new(0);
    private long _rounds;

    /// <summary>Prepares to learn.</summary>
    /// <param name="environment">Where it acts; borrowed.</param>
    /// <param name="options">Settings.</param>
    /// <param name="folder">Where the replay file lies; null: nowhere.</param>
    /// <param name="slack">Steps between two checkpoints; 0 without them.</param>
    /// <exception cref="ConfigException">An option is out of range.</exception>
    public Sac(IVectorEnvironment environment, SacOptions options, string? folder = null, long slack = 0)
    {
        ArgumentNullException.ThrowIfNull(environment);
        ArgumentNullException.ThrowIfNull(options);
        (_environment, _options) = (environment, options.Checked("sac"));
        var draw = new SeededRandom(RandomStream.Seed(options.Seed, 0, 1));
        int o = environment.ObservationSize, a = environment.ActionSize;
        _replay = new ReplayBuffer(options.Replay, o, a, ReplayFile(folder), slack + environment.Count);
        _collector = new Collector(environment, _replay, options.NStep, options.Gamma);
        _batch = new Batch(options.Batch, o, a);
        _actor = new SoftActor(o, a, options.Hidden, options.Batch, draw);
        _critics = new Critics(o, a, options.Hidden, layerNorm: false, copies: 2, options.Batch, draw);
        Q = new Critic(_critics.Network, Actor.Normalizer, a);
        _targets = new float[options.Batch];
    }

    /// <inheritdoc/>
    public string Name => "sac";

    /// <inheritdoc/>
    public string Fingerprint => $"{Name} {_environment.Name} {_environment.Count} {_environment.ObservationSize} {_environment.ActionSize} {JsonSerializer.Serialize(_options)}";

    /// <inheritdoc/>
    public IReadOnlyList<string> Columns { get; } = ["return", "critic_loss", "actor_loss", "q", "alpha", "entropy"];

    /// <inheritdoc/>
    public long Steps { get; private set; }

    /// <inheritdoc/>
    public Actor Actor => _actor.Actor;

    /// <inheritdoc/>
    public Critic Q { get; }

    /// <inheritdoc/>
    public void Begin() => _collector.Begin(RandomStream.Seed(_options.Seed, Steps, 2));

    /// <inheritdoc/>
    public void Advance()
    {
        _random.Reset(RandomStream.Seed(_options.Seed, ++_rounds, 3));
        if (Steps < _options.RandomSteps)
        {
            _collector.Explore(_random);
        }
        else
        {
            Actor.Act(_collector.Observations, _collector.Actions, _random);
        }

        _collector.Step();
        Steps += _environment.Count;
        bool learns = Steps > _options.RandomSteps && _rounds % _options.UpdateEvery == 0;
        for (int i = 0; learns && i < _options.UpdatesPerStep * _environment.Count; i++)
        {
            _replay.Sample(_random, _batch, 0, _options.Batch);
            Update();
        }
    }

    /// <inheritdoc/>
    public void Report(Span<double> line)
    {
        _means.Take(line);
        line[0] = _collector.TakeReturns().Return;
    }

    /// <inheritdoc/>
    public void Write(BinaryWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        _replay.Flush();
        writer.Write(Steps);
        writer.Write(_rounds);
        writer.Write(_replay.Added);
        _actor.Write(writer);
        _critics.Network.Write(writer);
    }

    /// <inheritdoc/>
    public void Read(BinaryReader reader)
    {
        ArgumentNullException.ThrowIfNull(reader);
        (Steps, _rounds, _replay.Added) = (reader.ReadInt64(), reader.ReadInt64(), reader.ReadInt64());
        _actor.Read(reader);
        _critics.Network.Read(reader);
    }

    /// <inheritdoc/>
    public void Dispose() => _replay.Dispose();

    internal static string? ReplayFile(string? folder)
    {
        if (folder is null)
        {
            return null;
        }

        Directory.CreateDirectory(folder);
        return Path.Combine(folder, "replay.bin");
    }

    // One update of everything from _batch.
    private void Update()
    {
        int rows = _options.Batch;

        // Critics: y = r + γ^n (min Q̄(s', a') - α log π(a'|s')).
        _actor.Sample(_batch.Next, rows, _random);
        _critics.Forward(_batch.Next, _actor.Actions, rows, Weights.Target, _critics.All);
        for (int i = 0; i < rows; i++)
        {
            _targets[i] = _batch.Rewards[i] + (_batch.Discounts[i] * (_critics.Lowest(i, _critics.All) - (_actor.Alpha * _actor.LogProbability[i])));
        }

        _means.Add(1, _critics.Regress(_batch.Observations, _batch.Actions, rows, _targets));
        _critics.Network.Step(_options.LearningRate, _options.Tau);

        // Actor: α log π(a|s) - min Q(s, a); then the temperature.
        _actor.Sample(_batch.Observations, rows, _random);
        double q = _critics.Ascend(_batch.Observations, _actor.Actions, rows, Ascent.Lowest);
        double entropy = _actor.Improve(rows, _critics.ActionGradient, _options.LearningRate);
        _means.Add(2, (-_actor.Alpha * entropy) - q);
        _means.Add(3, q);
        _means.Add(4, _actor.Alpha);
        _means.Add(5, entropy);
    }
}
