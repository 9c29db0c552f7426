using System.Text.Json;
using Robotics.Learning.Data;
using Robotics.Learning.Dense;
using Robotics.Learning.Networks;
using Robotics.Learning.Training;
using Robotics.Numerics;

namespace Robotics.Learning.OffPolicy;

/// <summary>Settings of <see cref="Rlpd"/>.</summary>
public sealed record RlpdOptions
{
    /// <summary>Half of every batch from the record and nothing else new: SAC's two critics without layer norm, one update per step. The
    /// baseline that shows what the rest is for.</summary>
    public static RlpdOptions Naive { get; } = new() { LayerNorm = false, Ensemble = 2, Subset = 2, UpdatesPerStep = 1 };

    /// <summary>Widths of the hidden layers, of actor and critics.</summary>
    public IReadOnlyList<int> Hidden { get; init; } = [256, 256];

    /// <summary>Learning rate of actor, critics and temperature, above 0.</summary>
    public double LearningRate { get; init; } = 3e-4;

    /// <summary>Discount per step, 0 to below 1.</summary>
    public double Gamma { get; init; } = 0.99;

    /// <summary>How fast the slow critics follow, above 0 to 1.</summary>
    public double Tau { get; init; } = 0.005;

    /// <summary>Transitions per update, 2 to 65536, even: half of them recorded.</summary>
    public int Batch { get; init; } = 256;

    /// <summary>Own transitions kept, at least half of <see cref="Batch"/>.</summary>
    public long Replay { get; init; } = 1_000_000;

    /// <summary>Steps of the untrained policy before the first update, all environments together.</summary>
    public int StartSteps { get; init; } = 1000;

    /// <summary>Updates per environment step, 1 to 100.</summary>
    public int UpdatesPerStep { get; init; } = 4;

    /// <summary>True: critics with layer norm, which is what keeps values of unseen actions from running away.</summary>
    public bool LayerNorm { get; init; } = true;

    /// <summary>Critics, 1 to 32.</summary>
    public int Ensemble { get; init; } = 10;

    /// <summary>Critics drawn for each update, the lowest of which is the target: 1 to <see cref="Ensemble"/>; 1 where rewards are sparse.</summary>
    public int Subset { get; init; } = 2;

    /// <summary>True: the target counts the entropy of the next action.</summary>
    public bool EntropyBackup { get; init; } = true;

    /// <summary>True: observations are seen through the record's mean and deviation, which travel with the policy.</summary>
    public bool Normalize { get; init; }

    /// <summary>Draws everything.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Returns this record, or reports everything wrong with it at once.</summary>
    /// <param name="source">Where the values came from: a file path or "code".</param>
    /// <exception cref="ConfigException">One or more values are out of range.</exception>
    public RlpdOptions Checked(string source)
    {
        var check = new ConfigCheck(source);
        Offline.OfflineChecks.Common(check, Hidden, LearningRate, Batch);
        Offline.OfflineChecks.Value(check, Gamma, Tau);
        check.That(Batch % 2 == 0, "batch", $"is {Batch}, expected an even number: half of it is recorded");
        check.That(Replay >= Batch / 2, "replay", $"is {Replay}, expected at least half of batch, {Batch / 2}");
        check.That(StartSteps >= 1, "start_steps", $"is {StartSteps}, expected 1 or more");
        check.Range(UpdatesPerStep, 1, 100, "updates_per_step");
        check.Range(Ensemble, 1, 32, "ensemble");
        check.That(Subset >= 1 && Subset <= Ensemble, "subset", $"is {Subset}, expected 1 to ensemble, {Ensemble}");
        check.Throw();
        return this;
    }
}

/// <summary>Learns on a robot or a simulator with a record at hand: every batch is half recorded, half its own.</summary>
/// <remarks>
/// Source: Ball et al. 2023 (arXiv:2302.02948). SAC with layer norm in the critics, ten of them, the target from the lowest of a random two,
/// the actor on the mean of all; no pre-training.
/// Differs: 4 updates per step where the paper has 20, for computers with few cores; own first steps come from the untrained policy; with two
/// critics the actor climbs the lower one, so that <see cref="RlpdOptions.Naive"/> is SAC on mixed batches; episodes are cut where a
/// checkpoint is written, so that a resumed run repeats exactly.
/// </remarks>
public sealed class Rlpd : IActorCritic
{
    private readonly IVectorEnvironment _environment;
    private readonly TransitionSet _data;
    private readonly RlpdOptions _options;
    private readonly ReplayBuffer _replay;
    private readonly Collector _collector;
    private readonly Batch _batch;
    private readonly SoftActor _actor;
    private readonly Critics _critics;
    private readonly float[] _targets;
    private readonly int[] _chosen;
    private readonly Means _means = new(6);
    private readonly SeededRandom _random = new(0);
    private long _rounds;

    /// <summary>Prepares to learn.</summary>
    /// <param name="environment">Where it acts; borrowed.</param>
    /// <param name="data">What was recorded before, in the same task.</param>
    /// <param name="options">Settings.</param>
    /// <param name="folder">Where the replay file lies; null: nowhere.</param>
    /// <param name="slack">Steps between two checkpoints; 0 without them.</param>
    /// <exception cref="ConfigException">An option is out of range, or the record is of another task.</exception>
    public Rlpd(IVectorEnvironment environment, TransitionSet data, RlpdOptions options, string? folder = null, long slack = 0)
    {
        ArgumentNullException.ThrowIfNull(environment);
        ArgumentNullException.ThrowIfNull(data);
        ArgumentNullException.ThrowIfNull(options);
        data.RequireTask(environment);
        (_environment, _data, _options) = (environment, data, options.Checked("rlpd"));
        var draw = new SeededRandom(RandomStream.Seed(options.Seed, 0, 1));
        int o = environment.ObservationSize, a = environment.ActionSize;
        _replay = new ReplayBuffer(options.Replay, o, a, Sac.ReplayFile(folder), slack + environment.Count);
        _collector = new Collector(environment, _replay, 1, options.Gamma);
        _batch = new Batch(options.Batch, o, a);
        _actor = new SoftActor(o, a, options.Hidden, options.Batch, draw, normalizer: options.Normalize ? data.Normalizer() : null);
        _critics = new Critics(o, a, options.Hidden, options.LayerNorm, options.Ensemble, options.Batch, draw);
        (_targets, _chosen) = (new float[options.Batch], new int[options.Ensemble]);
        Q = new Critic(_critics.Network, Actor.Normalizer, a);
    }

    /// <inheritdoc/>
    public string Name => "rlpd";

    /// <inheritdoc/>
    public string Fingerprint =>
        $"{Name} {_environment.Name} {_environment.Count} {_environment.ObservationSize} {_environment.ActionSize} {_data.Sha256} {JsonSerializer.Serialize(_options)}";

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
        Actor.Act(_collector.Observations, _collector.Actions, _random);
        _collector.Step();
        Steps += _environment.Count;
        for (int i = 0; Steps > _options.StartSteps && i < _options.UpdatesPerStep * _environment.Count; i++)
        {
            int half = _options.Batch / 2;
            _data.Sample(_random, _batch, 0, half, Actor.Normalizer, _options.Gamma);
            _replay.Sample(_random, _batch, half, half);
            Actor.Normalizer.Apply(_batch, half, half);
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

    // One update of everything from _batch.
    private void Update()
    {
        int rows = _options.Batch;
        _actor.Sample(_batch.Next, rows, _random);
        var chosen = Choose();
        _critics.Forward(_batch.Next, _actor.Actions, rows, Weights.Target, chosen);
        for (int i = 0; i < rows; i++)
        {
            float entropy = _options.EntropyBackup ? _actor.Alpha * _actor.LogProbability[i] : 0;
            _targets[i] = _batch.Rewards[i] + (_batch.Discounts[i] * (_critics.Lowest(i, chosen) - entropy));
        }

        _means.Add(1, _critics.Regress(_batch.Observations, _batch.Actions, rows, _targets));
        _critics.Network.Step(_options.LearningRate, _options.Tau);

        _actor.Sample(_batch.Observations, rows, _random);
        double q = _critics.Ascend(_batch.Observations, _actor.Actions, rows, _options.Ensemble <= 2 ? Ascent.Lowest : Ascent.Mean);
        double gained = _actor.Improve(rows, _critics.ActionGradient, _options.LearningRate);
        _means.Add(2, (-_actor.Alpha * gained) - q);
        _means.Add(3, q);
        _means.Add(4, _actor.Alpha);
        _means.Add(5, gained);
    }

    // So many different critics: the head of a list that is shuffled from its order, so that nothing is left over for the next update.
    private ReadOnlySpan<int> Choose()
    {
        _critics.All.CopyTo(_chosen, 0);
        for (int i = 0; i < _options.Subset && _options.Subset < _options.Ensemble; i++)
        {
            int other = _random.NextInt(i, _chosen.Length);
            (_chosen[i], _chosen[other]) = (_chosen[other], _chosen[i]);
        }

        return _chosen.AsSpan(0, _options.Subset);
    }
}
