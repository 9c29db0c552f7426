using System.Text.Json;
using Robotics.Learning.Data;
using Robotics.Learning.Dense;
using Robotics.Learning.Networks;
using Robotics.Learning.Training;
using Robotics.Numerics;

namespace Robotics.Learning.Offline;

/// <summary>Settings of <see cref="Iql"/>.</summary>
public sealed record IqlOptions
{
    /// <summary>Widths of the hidden layers, of actor, critics and value.</summary>
    public IReadOnlyList<int> Hidden { get; init; } = [256, 256];

    /// <summary>Learning rate of all, above 0.</summary>
    public double LearningRate { get; init; } = 3e-4;

    /// <summary>Updates over which the actor's rate falls to 0 along half a cosine: the length of the run. Null: it stays.</summary>
    public long? CosineOver { get; init; }

    /// <summary>Transitions per update, 1 to 65536.</summary>
    public int Batch { get; init; } = 256;

    /// <summary>Discount per step, 0 to below 1.</summary>
    public double Gamma { get; init; } = 0.99;

    /// <summary>How fast the slow critics follow, above 0 to 1.</summary>
    public double Tau { get; init; } = 0.005;

    /// <summary>Which expectile of Q over the record's actions V is, above 0 to below 1: 0.5 is their mean; 0.7, or 0.9 where good pieces
    /// of bad episodes have to be joined.</summary>
    public double Expectile { get; init; } = 0.7;

    /// <summary>How much more a better action counts, above 0: exp(β·advantage); 0.5 to 10 by task, for rewards of about 1.</summary>
    public double Beta { get; init; } = 3;

    /// <summary>Most that an action counts, 1 or more.</summary>
    public double GreatestWeight { get; init; } = 100;

    /// <summary>Critics, 1 to 16; the lowest counts. Two, or five where their disagreement is wanted.</summary>
    public int Critics { get; init; } = 2;

    /// <summary>Draws everything.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Returns this record, or reports everything wrong with it at once.</summary>
    /// <param name="source">Where the values came from: a file path or "code".</param>
    /// <exception cref="ConfigException">One or more values are out of range.</exception>
    public IqlOptions Checked(string source)
    {
        var check = new ConfigCheck(source);
        OfflineChecks.Common(check, Hidden, LearningRate, Batch);
        OfflineChecks.Value(check, Gamma, Tau);
        check.That(CosineOver is null or > 0, "cosine_over", $"is {CosineOver}, expected 1 or more, or null");
        check.That(Expectile is > 0 and < 1, "expectile", FormattableString.Invariant($"is {Expectile}, expected above 0 to below 1"));
        check.That(Beta is > 0 and <= 1000, "beta", FormattableString.Invariant($"is {Beta}, expected above 0, up to 1000"));
        check.Range(GreatestWeight, 1, 1e6, "greatest_weight");
        check.Range(Critics, 1, 16, "critics");
        check.Throw();
        return this;
    }
}

/// <summary>Implicit Q-learning: values of the record's better actions, without ever asking about one that is not in it.</summary>
/// <remarks>
/// Source: Kostrikov et al. 2021 (arXiv:2110.06169), in the order of its code: V by expectile regression on min Q̄(s, a); the actor by
/// log-likelihood weighted with min(exp(β(min Q̄ - V)), 100); Q towards r + γ(1 - term) V(s'); slow critics.
/// Differs: the actor's rate falls only where <see cref="IqlOptions.CosineOver"/> says over how many updates; no dropout; rewards are
/// taken as they are (the paper scales them, β is in their units); states are normalised by the record's statistics.
/// A step is an update.
/// </remarks>
public sealed class Iql : IActorCritic
{
    private const float LeastLog = -5, GreatestLog = 2; // of σ, as in the source

    private readonly TransitionSet _data;
    private readonly IqlOptions _options;
    private readonly Batch _batch;
    private readonly Mlp _policy;
    private readonly MlpPass _policyPass;
    private readonly Mlp _value;
    private readonly MlpPass _valuePass;
    private readonly Critics _critics;
    private readonly float[] _targets;
    private readonly float[] _weights;
    private readonly Means _means = new(6);
    private readonly SeededRandom _random = new(0);

    /// <summary>Prepares to learn.</summary>
    /// <param name="data">What was recorded.</param>
    /// <param name="options">Settings.</param>
    /// <exception cref="ConfigException">An option is out of range.</exception>
    public Iql(TransitionSet data, IqlOptions options)
    {
        ArgumentNullException.ThrowIfNull(data);
        ArgumentNullException.ThrowIfNull(options);
        (_data, _options) = (data, options.Checked("iql"));
        var draw = new SeededRandom(RandomStream.Seed(options.Seed, 0, 1));
        int o = data.ObservationSize, a = data.ActionSize;
        _batch = new Batch(options.Batch, o, a);
        var policy = new MlpSpec(o, options.Hidden, a, Free: a);
        var value = new MlpSpec(o, options.Hidden, 1);
        (_policy, _policyPass) = (new Mlp(policy, 1, draw), new MlpPass(policy, options.Batch));
        (_value, _valuePass) = (new Mlp(value, 1, draw), new MlpPass(value, options.Batch));
        _critics = new Critics(o, a, options.Hidden, layerNorm: false, options.Critics, options.Batch, draw);
        (_targets, _weights) = (new float[options.Batch], new float[options.Batch]);
        Actor = new Actor(_policy, ActorHead.TanhMean, data.Normalizer(), a);
        Q = new Critic(_critics.Network, Actor.Normalizer, a);
        V = new Critic(_value, Actor.Normalizer, 0);
    }

    /// <inheritdoc/>
    public string Name => "iql";

    /// <inheritdoc/>
    public string Fingerprint => $"{Name} {_data.Sha256} {JsonSerializer.Serialize(_options)}";

    /// <inheritdoc/>
    public IReadOnlyList<string> Columns { get; } = ["critic_loss", "value_loss", "actor_loss", "q", "advantage", "weight"];

    /// <inheritdoc/>
    public long Steps { get; private set; }

    /// <inheritdoc/>
    public Actor Actor { get; }

    /// <inheritdoc/>
    public Critic Q { get; }

    /// <summary>The value of a state, V(s).</summary>
    public Critic V { get; }

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

        // Value: an expectile of min Q̄(s, a).
        _critics.Forward(_batch.Observations, _batch.Actions, rows, Weights.Target, _critics.All);
        for (int i = 0; i < rows; i++)
        {
            _targets[i] = _critics.Lowest(i, _critics.All);
            _means.Add(3, _targets[i]);
        }

        Forward(_value, _valuePass, _batch.Observations, rows);
        _means.Add(1, ExpectileLoss(_valuePass, rows, _targets, (float)_options.Expectile));
        _value.Backward(_valuePass, rows);
        _value.Step(_options.LearningRate);

        // Actor: the record's actions, those with an advantage above all.
        Forward(_value, _valuePass, _batch.Observations, rows);
        for (int i = 0; i < rows; i++)
        {
            double advantage = _targets[i] - _valuePass.Output[i][0];
            _weights[i] = (float)Math.Min(Math.Exp(_options.Beta * advantage), _options.GreatestWeight);
            _means.Add(4, advantage);
            _means.Add(5, _weights[i]);
        }

        Forward(_policy, _policyPass, _batch.Observations, rows);
        _means.Add(2, LikelihoodLoss(_policy, _policyPass, rows, _batch.Actions, _weights));
        _policy.Backward(_policyPass, rows);
        _policy.Step(_options.LearningRate * (_options.CosineOver is { } over ? LearningRate.Factor(Steps - 1, 0, over) : 1));
        foreach (ref float log in _policy.Free())
        {
            log = Math.Clamp(log, LeastLog, GreatestLog);
        }

        // Critics: towards the value of what came next.
        Forward(_value, _valuePass, _batch.Next, rows);
        for (int i = 0; i < rows; i++)
        {
            _targets[i] = _batch.Rewards[i] + (_batch.Discounts[i] * _valuePass.Output[i][0]);
        }

        _means.Add(0, _critics.Regress(_batch.Observations, _batch.Actions, rows, _targets));
        _critics.Network.Step(_options.LearningRate, _options.Tau);
    }

    /// <inheritdoc/>
    public void Report(Span<double> line) => _means.Take(line);

    /// <inheritdoc/>
    public void Write(BinaryWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.Write(Steps);
        _policy.Write(writer);
        _value.Write(writer);
        _critics.Network.Write(writer);
    }

    /// <inheritdoc/>
    public void Read(BinaryReader reader)
    {
        ArgumentNullException.ThrowIfNull(reader);
        Steps = reader.ReadInt64();
        _policy.Read(reader);
        _value.Read(reader);
        _critics.Network.Read(reader);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
    }

    /// <summary>Mean of |τ - 1(u &lt; 0)| u² with u = target - V; sets the gradient of V.</summary>
    internal static double ExpectileLoss(MlpPass value, int rows, ReadOnlySpan<float> targets, float expectile)
    {
        double loss = 0;
        for (int i = 0; i < rows; i++)
        {
            float u = targets[i] - value.Output[i][0], weight = u < 0 ? 1 - expectile : expectile;
            loss += weight * u * u;
            value.OutputGradient[i][0] = -2 * weight * u / rows;
        }

        return loss / rows;
    }

    /// <summary>Mean of -w log N(a; tanh μ, σ); sets the gradients of μ and of log σ, which is free of the state.</summary>
    internal static double LikelihoodLoss(Mlp policy, MlpPass pass, int rows, Matrix actions, ReadOnlySpan<float> weights)
    {
        Span<float> logs = policy.Free(), slope = policy.FreeGradient();
        slope.Clear();
        double loss = 0;
        for (int i = 0; i < rows; i++)
        {
            Span<float> head = pass.Output[i], action = actions[i], gradient = pass.OutputGradient[i];
            float share = weights[i] / rows;
            for (int j = 0; j < action.Length; j++)
            {
                float mean = MathF.Tanh(head[j]), sigma = MathF.Exp(logs[j]), z = (action[j] - mean) / sigma;
                loss += share * ((0.5 * z * z) + logs[j] + (0.5 * Math.Log(2 * Math.PI)));
                gradient[j] = -share * z / sigma * (1 - (mean * mean));
                slope[j] += share * (1 - (z * z));
            }
        }

        return loss;
    }

    private static void Forward(Mlp network, MlpPass pass, Matrix observations, int rows)
    {
        for (int i = 0; i < rows; i++)
        {
            observations[i].CopyTo(pass.Input[i]);
        }

        network.Forward(pass, rows);
    }
}
