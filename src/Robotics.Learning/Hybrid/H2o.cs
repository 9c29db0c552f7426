using System.Text.Json;
using Robotics.Learning.Data;
using Robotics.Learning.Dense;
using Robotics.Learning.Networks;
using Robotics.Learning.OffPolicy;
using Robotics.Learning.Training;
using Robotics.Numerics;

namespace Robotics.Learning.Hybrid;

/// <summary>Settings of <see cref="H2o"/>.</summary>
public sealed record H2oOptions
{
    /// <summary>Widths of the hidden layers, of actor, critics and discriminators.</summary>
    public IReadOnlyList<int> Hidden { get; init; } = [256, 256];

    /// <summary>Learning rate of all, above 0.</summary>
    public double LearningRate { get; init; } = 3e-4;

    /// <summary>Discount per step, 0 to below 1.</summary>
    public double Gamma { get; init; } = 0.99;

    /// <summary>How fast the slow critics follow, above 0 to 1.</summary>
    public double Tau { get; init; } = 0.005;

    /// <summary>Transitions per update, 2 to 65536, even: half of them recorded.</summary>
    public int Batch { get; init; } = 256;

    /// <summary>Simulated transitions kept, at least half of <see cref="Batch"/>. Null: ten times the record.</summary>
    public long? Replay { get; init; }

    /// <summary>Steps of the untrained policy before the first update, all environments together.</summary>
    public int StartSteps { get; init; } = 1000;

    /// <summary>Updates per environment step, 1 to 100.</summary>
    public int UpdatesPerStep { get; init; } = 1;

    /// <summary>Weight of the conservative term, 0 or more; 0: none.</summary>
    public double Penalty { get; init; } = 0.01;

    /// <summary>Temperature of the conservative term, above 0.</summary>
    public double Temperature { get; init; } = 1;

    /// <summary>True: the temporal difference of a simulated transition counts by how likely the robot makes it. False and no
    /// <see cref="Penalty"/>: mixed batches, no gap.</summary>
    public bool Trust { get; init; } = true;

    /// <summary>Draws of a next state per estimate of a gap, 1 to 100.</summary>
    public int GapDraws { get; init; } = 10;

    /// <summary>Deviation of the noise on the discriminators' inputs while they train, in deviations of the record, 0 or more.</summary>
    public double InputNoise { get; init; } = 0.1;

    /// <summary>Added to the actor's log σ.</summary>
    public double DeviationOffset { get; init; } = -1;

    /// <summary>Draws everything.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Returns this record, or reports everything wrong with it at once.</summary>
    /// <param name="source">Where the values came from: a file path or "code".</param>
    /// <exception cref="ConfigException">One or more values are out of range.</exception>
    public H2oOptions Checked(string source)
    {
        var check = new ConfigCheck(source);
        Offline.OfflineChecks.Common(check, Hidden, LearningRate, Batch);
        Offline.OfflineChecks.Value(check, Gamma, Tau);
        check.That(Batch % 2 == 0, "batch", $"is {Batch}, expected an even number: half of it is recorded");
        check.That(Replay is null || Replay >= Batch / 2, "replay", $"is {Replay}, expected at least half of batch, {Batch / 2}, or null");
        check.That(StartSteps >= 1, "start_steps", $"is {StartSteps}, expected 1 or more");
        check.Range(UpdatesPerStep, 1, 100, "updates_per_step");
        check.Range(Penalty, 0, 1000, "penalty");
        check.That(Temperature is > 0 and <= 1000, "temperature", FormattableString.Invariant($"is {Temperature}, expected above 0, up to 1000"));
        check.Range(GapDraws, 1, 100, "gap_draws");
        check.Range(InputNoise, 0, 10, "input_noise");
        check.Range(DeviationOffset, -10, 2, "deviation_offset");
        check.Throw();
        return this;
    }
}

/// <summary>Hybrid offline and online learning: a record of the robot and a simulator that is wrong, together.</summary>
/// <remarks>
/// Source: Niu et al. 2022 (arXiv:2206.13464) and its published code. Two discriminators (<see cref="Discriminators"/>) estimate how much
/// likelier the simulator makes a transition than the robot. Simulated temporal differences count by P_real/P_sim; values are pushed down
/// on simulated pairs where the gap is large and up on recorded ones; no entropy in the backup; the actor is SAC's on both halves.
/// Differs: steps and updates alternate where the code makes a thousand of each; observations of everything are normalised by the record, so
/// that the input noise and the noise on s' (deviation 1) are in its deviations; episodes are cut where a checkpoint is written, so that a
/// resumed run repeats exactly.
/// </remarks>
public sealed class H2o : IActorCritic
{
    private readonly IVectorEnvironment _simulator;
    private readonly TransitionSet _data;
    private readonly H2oOptions _options;
    private readonly ReplayBuffer _replay;
    private readonly Collector _collector;
    private readonly Batch _batch;
    private readonly SoftActor _actor;
    private readonly Critics _critics;
    private readonly Discriminators _discriminators;
    private readonly float[] _targets;      // [B]
    private readonly float[] _trust;        // [B/2]
    private readonly float[] _ratio;        // [B/2]
    private readonly double[] _logWeights;  // [B/2]
    private readonly double[] _simulated;   // [B/2]
    private readonly Means _means = new(10);
    private readonly SeededRandom _random = new(0);
    private long _rounds;

    /// <summary>Prepares to learn.</summary>
    /// <param name="simulator">Where it acts; borrowed.</param>
    /// <param name="data">What was recorded on the robot.</param>
    /// <param name="options">Settings.</param>
    /// <param name="folder">Where the replay file lies; null: nowhere.</param>
    /// <param name="slack">Steps between two checkpoints; 0 without them.</param>
    /// <exception cref="ConfigException">An option is out of range, or the record is of another task.</exception>
    public H2o(IVectorEnvironment simulator, TransitionSet data, H2oOptions options, string? folder = null, long slack = 0)
    {
        ArgumentNullException.ThrowIfNull(simulator);
        ArgumentNullException.ThrowIfNull(data);
        ArgumentNullException.ThrowIfNull(options);
        data.RequireTask(simulator);
        (_simulator, _data, _options) = (simulator, data, options.Checked("h2o"));
        var draw = new SeededRandom(RandomStream.Seed(options.Seed, 0, 1));
        int o = simulator.ObservationSize, a = simulator.ActionSize, half = options.Batch / 2;
        _replay = new ReplayBuffer(options.Replay ?? Math.Max(half, 10L * data.Count), o, a, Sac.ReplayFile(folder), slack + simulator.Count);
        _collector = new Collector(simulator, _replay, 1, options.Gamma);
        _batch = new Batch(options.Batch, o, a);
        _actor = new SoftActor(o, a, options.Hidden, options.Batch, draw, options.DeviationOffset, data.Normalizer());
        _critics = new Critics(o, a, options.Hidden, layerNorm: false, copies: 2, options.Batch, draw);
        _discriminators = new Discriminators(o, a, options.Hidden, options.Batch, options.InputNoise, draw);
        (_targets, _trust, _ratio) = (new float[options.Batch], new float[half], new float[half]);
        (_logWeights, _simulated) = (new double[half], new double[half]);
        Q = new Critic(_critics.Network, Actor.Normalizer, a);
    }

    /// <inheritdoc/>
    public string Name => "h2o";

    /// <inheritdoc/>
    public string Fingerprint =>
        $"{Name} {_simulator.Name} {_simulator.Count} {_simulator.ObservationSize} {_simulator.ActionSize} {_data.Sha256} {JsonSerializer.Serialize(_options)}";

    /// <inheritdoc/>
    public IReadOnlyList<string> Columns { get; } =
        ["return", "critic_loss", "actor_loss", "q_real", "q_simulated", "alpha", "entropy", "discriminator_loss", "trust", "gap"];

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
        Steps += _simulator.Count;
        for (int i = 0; Steps > _options.StartSteps && i < _options.UpdatesPerStep * _simulator.Count; i++)
        {
            int half = _options.Batch / 2;
            _data.Sample(_random, _batch, 0, half, Actor.Normalizer, _options.Gamma);
            _replay.Sample(_random, _batch, half, half);
            Actor.Normalizer.Apply(_batch, half, half);
            Update(half);
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
        _discriminators.Write(writer);
    }

    /// <inheritdoc/>
    public void Read(BinaryReader reader)
    {
        ArgumentNullException.ThrowIfNull(reader);
        (Steps, _rounds, _replay.Added) = (reader.ReadInt64(), reader.ReadInt64(), reader.ReadInt64());
        _actor.Read(reader);
        _critics.Network.Read(reader);
        _discriminators.Read(reader);
    }

    /// <inheritdoc/>
    public void Dispose() => _replay.Dispose();

    // One update of everything from _batch: rows [0, half) are the robot's, the others simulated.
    private void Update(int half)
    {
        int rows = 2 * half;
        if (_options.Trust || _options.Penalty > 0)
        {
            _means.Add(7, _discriminators.Train(_batch, half, rows, _options.LearningRate, _random));
            Weigh(half);
        }

        // y = r + γ(1 - term) min Q̄(s', a').
        _actor.Sample(_batch.Next, rows, _random);
        _critics.Forward(_batch.Next, _actor.Actions, rows, Weights.Target, _critics.All);
        for (int i = 0; i < rows; i++)
        {
            _targets[i] = _batch.Rewards[i] + (_batch.Discounts[i] * _critics.Lowest(i, _critics.All));
        }

        Regress(half);
        _critics.Network.Step(_options.LearningRate, _options.Tau);

        _actor.Sample(_batch.Observations, rows, _random);
        double q = _critics.Ascend(_batch.Observations, _actor.Actions, rows, Ascent.Lowest);
        double entropy = _actor.Improve(rows, _critics.ActionGradient, _options.LearningRate);
        _means.Add(2, (-_actor.Alpha * entropy) - q);
        _means.Add(5, _actor.Alpha);
        _means.Add(6, entropy);
    }

    // How far each simulated transition is to be believed, and how large the gap is where it began.
    private void Weigh(int half)
    {
        _discriminators.LogRatio(_batch, half, _ratio, null);
        for (int i = 0; i < half; i++)
        {
            _trust[i] = DynamicsGap.Trust(_ratio[i]);
            _means.Add(8, _trust[i]);
        }

        if (_options.Penalty > 0)
        {
            Array.Clear(_logWeights);
            for (int draw = 0; draw < _options.GapDraws; draw++)
            {
                _discriminators.LogRatio(_batch, half, _ratio, _random);
                for (int i = 0; i < half; i++)
                {
                    _logWeights[i] += _ratio[i] / (double)_options.GapDraws;
                }
            }

            foreach (double gap in _logWeights)
            {
                _means.Add(9, gap);
            }

            DynamicsGap.LogWeights(_logWeights);
        }
    }

    // Mean over the recorded half plus weighted mean over the simulated half, plus the conservative term, of each critic.
    private void Regress(int half)
    {
        _critics.Forward(_batch.Observations, _batch.Actions, 2 * half, Weights.Trained, _critics.All);
        double loss = 0;
        foreach (int copy in _critics.All)
        {
            double real = 0, simulated = 0, slope = 0;
            for (int i = 0; i < half; i++)
            {
                real += _critics.Value(copy, i) / (double)half;
                simulated += (_simulated[i] = _critics.Value(copy, half + i)) / half;
            }

            _means.Add(3, real);
            _means.Add(4, simulated);
            if (_options.Penalty > 0)
            {
                loss += _options.Penalty * DynamicsGap.Conservative(_simulated, _logWeights, real, _options.Temperature, out slope);
            }

            for (int i = 0; i < 2 * half; i++)
            {
                double error = _critics.Value(copy, i) - _targets[i], weight = i >= half && _options.Trust ? _trust[i - half] : 1;
                double push = _options.Penalty * (i < half ? slope / half : slope == 0 ? 0 : _simulated[i - half]);
                loss += weight * error * error / half;
                _critics.SetGradient(copy, i, (float)((2 * weight * error / half) + push));
            }
        }

        _means.Add(1, loss / _critics.All.Length);
        _critics.Backward(2 * half);
    }
}
