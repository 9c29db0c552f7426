using System.Text.Json;
using Robotics.Learning.Data;
using Robotics.Learning.Dense;
using Robotics.Learning.Networks;
using Robotics.Learning.Training;
using Robotics.Numerics;

namespace Robotics.Learning.Offline;

/// <summary>Settings of <see cref="Td3Bc"/>.</summary>
public sealed record Td3BcOptions
{
    /// <summary>Widths of the hidden layers, of actor and critics.</summary>
    public IReadOnlyList<int> Hidden { get; init; } = [256, 256];

    /// <summary>Learning rate of actor and critics, above 0.</summary>
    public double LearningRate { get; init; } = 3e-4;

    /// <summary>Transitions per update, 1 to 65536.</summary>
    public int Batch { get; init; } = 256;

    /// <summary>Discount per step, 0 to below 1.</summary>
    public double Gamma { get; init; } = 0.99;

    /// <summary>How fast the slow copies follow, above 0 to 1.</summary>
    public double Tau { get; init; } = 0.005;

    /// <summary>Weight of the value beside the imitation, above 0: 2.5 stays near the record, 10 leaves it further behind.</summary>
    public double Alpha { get; init; } = 2.5;

    /// <summary>Deviation of the noise on the slow actor's actions, 0 or more.</summary>
    public double PolicyNoise { get; init; } = 0.2;

    /// <summary>Most that noise may be, 0 or more.</summary>
    public double NoiseClip { get; init; } = 0.5;

    /// <summary>Critic updates per actor update, 1 to 100.</summary>
    public int Delay { get; init; } = 2;

    /// <summary>Draws everything.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Returns this record, or reports everything wrong with it at once.</summary>
    /// <param name="source">Where the values came from: a file path or "code".</param>
    /// <exception cref="ConfigException">One or more values are out of range.</exception>
    public Td3BcOptions Checked(string source)
    {
        var check = new ConfigCheck(source);
        OfflineChecks.Common(check, Hidden, LearningRate, Batch);
        OfflineChecks.Value(check, Gamma, Tau);
        check.That(Alpha is > 0 and <= 1e6, "alpha", FormattableString.Invariant($"is {Alpha}, expected above 0, up to a million"));
        check.Range(PolicyNoise, 0, 10, "policy_noise");
        check.Range(NoiseClip, 0, 10, "noise_clip");
        check.Range(Delay, 1, 100, "delay");
        check.Throw();
        return this;
    }
}

/// <summary>TD3 with behaviour cloning: improves on a record, and stays where it has something to say.</summary>
/// <remarks>
/// Source: Fujimoto and Gu 2021 (arXiv:2106.06860). Critics: y = r + γ(1 - term) min Q̄(s', clip(π̄(s') + noise)). Actor:
/// -λ Q₁(s, π(s)) + mean squared distance to the recorded action, λ = α / mean |Q₁| over the batch.
/// Differs: states are normalised with deviation + 1e-8 where the paper adds 1e-3; a state element that never moves is not scaled.
/// A step is an update of the critics.
/// </remarks>
public sealed class Td3Bc : IActorCritic
{
    private readonly TransitionSet _data;
    private readonly Td3BcOptions _options;
    private readonly Batch _batch;
    private readonly TanhActor _actor;
    private readonly Critics _critics;
    private readonly float[] _targets;
    private readonly Means _means = new(4);
    private readonly SeededRandom _random = new(0);

    /// <summary>Prepares to learn.</summary>
    /// <param name="data">What was recorded.</param>
    /// <param name="options">Settings.</param>
    /// <exception cref="ConfigException">An option is out of range.</exception>
    public Td3Bc(TransitionSet data, Td3BcOptions options)
    {
        ArgumentNullException.ThrowIfNull(data);
        ArgumentNullException.ThrowIfNull(options);
        (_data, _options) = (data, options.Checked("td3+bc"));
        var draw = new SeededRandom(RandomStream.Seed(options.Seed, 0, 1));
        _batch = new Batch(options.Batch, data.ObservationSize, data.ActionSize);
        _actor = new TanhActor(data, options.Hidden, options.Batch, draw);
        _critics = new Critics(data.ObservationSize, data.ActionSize, options.Hidden, layerNorm: false, copies: 2, options.Batch, draw);
        _targets = new float[options.Batch];
        Q = new Critic(_critics.Network, Actor.Normalizer, data.ActionSize);
    }

    /// <inheritdoc/>
    public string Name => "td3bc";

    /// <inheritdoc/>
    public string Fingerprint => $"{Name} {_data.Sha256} {JsonSerializer.Serialize(_options)}";

    /// <inheritdoc/>
    public IReadOnlyList<string> Columns { get; } = ["critic_loss", "actor_loss", "q", "distance"];

    /// <inheritdoc/>
    public long Steps { get; private set; }

    /// <inheritdoc/>
    public Actor Actor => _actor.Actor;

    /// <inheritdoc/>
    public Critic Q { get; }

    /// <inheritdoc/>
    public void Begin()
    {
    }

    /// <inheritdoc/>
    public void Advance()
    {
        int rows = _options.Batch;
        _random.Reset(RandomStream.Seed(_options.Seed, ++Steps, 3));
        _data.Sample(_random, _batch, 0, rows, Actor.Normalizer, _options.Gamma);

        // Critics.
        _actor.Forward(_batch.Next, rows, Weights.Target);
        Smooth(rows);
        _critics.Forward(_batch.Next, _actor.Actions, rows, Weights.Target, _critics.All);
        for (int i = 0; i < rows; i++)
        {
            _targets[i] = _batch.Rewards[i] + (_batch.Discounts[i] * _critics.Lowest(i, _critics.All));
        }

        _means.Add(0, _critics.Regress(_batch.Observations, _batch.Actions, rows, _targets));
        bool delayed = Steps % _options.Delay == 0;
        _critics.Network.Step(_options.LearningRate, delayed ? _options.Tau : 0);
        if (delayed)
        {
            Improve(rows);
        }
    }

    /// <inheritdoc/>
    public void Report(Span<double> line) => _means.Take(line);

    /// <inheritdoc/>
    public void Write(BinaryWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.Write(Steps);
        _actor.Network.Write(writer);
        _critics.Network.Write(writer);
    }

    /// <inheritdoc/>
    public void Read(BinaryReader reader)
    {
        ArgumentNullException.ThrowIfNull(reader);
        Steps = reader.ReadInt64();
        _actor.Network.Read(reader);
        _critics.Network.Read(reader);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
    }

    // The slow actor's actions with clipped noise, so that the critics cannot rely on a needle.
    private void Smooth(int rows)
    {
        double clip = _options.NoiseClip;
        for (int i = 0; i < rows; i++)
        {
            foreach (ref float action in _actor.Actions[i])
            {
                action = (float)Math.Clamp(action + Math.Clamp(_options.PolicyNoise * _random.NextGaussian(), -clip, clip), -1, 1);
            }
        }
    }

    private void Improve(int rows)
    {
        _actor.Forward(_batch.Observations, rows, Weights.Trained);
        double q = _critics.Ascend(_batch.Observations, _actor.Actions, rows, Ascent.First), size = 0;
        for (int i = 0; i < rows; i++)
        {
            size += Math.Abs(_critics.Value(0, i)) / rows;
        }

        double lambda = _options.Alpha / Math.Max(size, 1e-8);
        for (int i = 0; i < rows; i++)
        {
            foreach (ref float slope in _critics.ActionGradient[i])
            {
                slope *= (float)lambda;
            }
        }

        double distance = _actor.Imitate(_batch.Actions, rows, _critics.ActionGradient);
        _actor.Network.Step(_options.LearningRate, _options.Tau);
        _means.Add(1, distance - (lambda * q));
        _means.Add(2, q);
        _means.Add(3, distance);
    }
}
