using System.Text.Json;
using Robotics.Learning.Data;
using Robotics.Learning.Dense;
using Robotics.Learning.Networks;
using Robotics.Learning.Training;
using Robotics.Numerics;

namespace Robotics.Learning.OnPolicy;

/// <summary>Collects with the policy as it is, then improves it on just that, and forgets it: what PPO, SPO and PolicyFlow share. They
/// differ in the policy and in the surrogate that they hand in.</summary>
/// <remarks>A round is <see cref="OnPolicyOptions.Horizon"/> steps of every environment and the update after it.</remarks>
public abstract class OnPolicyLearner : IReinforcement
{
    private const float MostLog = 20; // beyond it a ratio's exponential overflows
    private const double AdamEpsilon = 1e-5, Clip = 10, SlowestRate = 1e-5, FastestRate = 1e-2;

    private readonly IVectorEnvironment _environment;
    private readonly OnPolicyOptions _options;
    private readonly IDrawnPolicy _policy;
    private readonly ISurrogate _surrogate;
    private readonly RunningNormalizer _normalizer;
    private readonly RewardScale _scale;
    private readonly Mlp _value;
    private readonly MlpPass _valuePass;
    private readonly VectorStep _step;
    private readonly float[] _actions;
    private readonly Experience _seen;
    private readonly int[] _order;
    private readonly Matrix _observations; // of a minibatch, as those below
    private readonly Matrix _traces;
    private readonly float[] _advantages;
    private readonly float[] _slopes;
    private readonly float[] _logRatios;
    private readonly double[] _returns;
    private readonly Means _means;
    private readonly SeededRandom _random = new(0);
    private double _rate;
    private long _rounds;

    private protected OnPolicyLearner(
        string name, IVectorEnvironment environment, OnPolicyOptions options,
        Func<IVectorEnvironment, OnPolicyOptions, int, RunningNormalizer, SeededRandom, IDrawnPolicy> policy, Func<OnPolicyOptions, ISurrogate> surrogate)
    {
        ArgumentNullException.ThrowIfNull(environment);
        ArgumentNullException.ThrowIfNull(options);
        (Name, _environment, _options) = (name, environment, options.Checked(name));
        int o = environment.ObservationSize, rows = options.Horizon * environment.Count, batch = (rows + options.Minibatches - 1) / options.Minibatches;
        if (options.Minibatches > rows)
        {
            throw new ConfigException(name, [$"minibatches is {options.Minibatches}, expected 1 to the {rows} steps of horizon {options.Horizon} x {environment.Count} environments"]);
        }

        var draw = new SeededRandom(RandomStream.Seed(options.Seed, 0, 1));
        _normalizer = new RunningNormalizer(o, options.NormalizeObservations ? (float)Clip : null);
        _scale = new RewardScale(environment.Count, options.Gamma);
        _policy = policy(environment, options, Math.Max(batch, environment.Count), _normalizer, draw);
        _surrogate = surrogate(options);
        var spec = new MlpSpec(o, options.Hidden, 1, HiddenActivation.Tanh);
        _value = new Mlp(spec, 1, draw);
        _value.MakeOrthogonal(draw, head: 1);
        _valuePass = new MlpPass(spec, batch);
        _step = new VectorStep(environment.Count, o);
        _actions = new float[environment.Count * environment.ActionSize];
        _seen = new Experience(rows, o, _policy.TraceSize);
        _order = new int[rows];
        _observations = new Matrix(batch, o);
        _traces = new Matrix(batch, _policy.TraceSize);
        (_advantages, _slopes, _logRatios) = (new float[batch], new float[batch], new float[batch]);
        _returns = new double[environment.Count];
        _means = new Means(Columns.Count);
        _rate = options.LearningRate;
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public string Fingerprint =>
        $"{Name} {_environment.Name} {_environment.Count} {_environment.ObservationSize} {_environment.ActionSize} {JsonSerializer.Serialize<object>(_options)}";

    /// <inheritdoc/>
    /// <remarks>The ratios, their KL estimate and the share of them outside the bound are of all draws of a round, after its update.</remarks>
    public IReadOnlyList<string> Columns { get; } =
        ["return", "policy_loss", "value_loss", "entropy", "ratio_mean", "ratio_max", "kl", "outside", "explained", "value", "learning_rate"];

    /// <inheritdoc/>
    public long Steps { get; private set; }

    /// <inheritdoc/>
    public Actor Actor => _policy.Actor;

    /// <inheritdoc/>
    public void Begin()
    {
        _environment.Reset(RandomStream.Seed(_options.Seed, Steps, 2), _step.Observations);
        _scale.Begin();
        Array.Clear(_returns);
    }

    /// <inheritdoc/>
    public void Advance()
    {
        _random.Reset(RandomStream.Seed(_options.Seed, ++_rounds, 3));
        double rate = _options.AnnealOver is { } over ? _options.LearningRate * Math.Max(0, 1 - (Steps / (double)over)) : _rate;
        Collect();
        Steps += _seen.Rows;
        Evaluate(_seen.Observations, _seen.Values);
        Evaluate(_seen.Reached, _seen.Next);
        Advantage.Estimate(
            _environment.Count, _seen.Rewards, _seen.Values, _seen.Next, _seen.Terminated, _seen.Ended, _options.Gamma, _options.Lambda, _seen.Advantages, _seen.Returns);
        _means.Add(8, Explained());
        _means.Add(9, _seen.Values.Average());
        _means.Add(10, rate);
        _policy.Freeze();
        Update(rate);
        Compare();
    }

    /// <inheritdoc/>
    public void Report(Span<double> line) => _means.Take(line);

    /// <inheritdoc/>
    public void Write(BinaryWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.Write(Steps);
        writer.Write(_rounds);
        writer.Write(_rate);
        _normalizer.Write(writer);
        _scale.Write(writer);
        _policy.Network.Write(writer);
        _value.Write(writer);
    }

    /// <inheritdoc/>
    public void Read(BinaryReader reader)
    {
        ArgumentNullException.ThrowIfNull(reader);
        (Steps, _rounds, _rate) = (reader.ReadInt64(), reader.ReadInt64(), reader.ReadDouble());
        _normalizer.Read(reader);
        _scale.Read(reader);
        _policy.Network.Read(reader);
        _value.Read(reader);
    }

    /// <inheritdoc/>
    public void Dispose() => GC.SuppressFinalize(this); // the environment is borrowed

    private protected static IDrawnPolicy Gaussian(IVectorEnvironment environment, OnPolicyOptions options, int capacity, RunningNormalizer normalizer, SeededRandom random) =>
        new GaussianPolicy(environment.ObservationSize, environment.ActionSize, options.Hidden, capacity, normalizer, random);

    private void Collect()
    {
        int count = _environment.Count, size = _environment.ObservationSize;
        for (int first = 0; first < _seen.Rows; first += count)
        {
            if (_options.NormalizeObservations)
            {
                _normalizer.Update(_step.Observations);
            }

            Normalize(_step.Observations, _seen.Observations, first);
            _policy.Draw(_seen.Observations, first, count, _random, _actions, _seen.Traces);
            _environment.Step(_actions, _step);
            OffPolicy.Finite.Check(_environment.Name, _step, size);
            Normalize(_step.Reached, _seen.Reached, first);
            for (int i = 0; i < count; i++)
            {
                bool ended = _step.Terminated[i] || _step.Truncated[i];
                (_seen.Terminated[first + i], _seen.Ended[first + i]) = (_step.Terminated[i], ended);
                _seen.Rewards[first + i] = _options.ScaleRewards ? _scale.Take(i, _step.Rewards[i], ended) : _step.Rewards[i];
                _returns[i] += _step.Rewards[i];
                if (ended)
                {
                    _means.Add(0, _returns[i]);
                    _returns[i] = 0;
                }
            }
        }
    }

    private void Normalize(float[] observations, Matrix into, int first)
    {
        int size = _environment.ObservationSize;
        for (int i = 0; i < _environment.Count; i++)
        {
            _normalizer.Apply(observations.AsSpan(i * size, size), into[first + i]);
        }
    }

    private void Evaluate(Matrix observations, float[] values)
    {
        for (int at = 0, batch = _slopes.Length; at < _seen.Rows; at += batch)
        {
            int rows = Math.Min(batch, _seen.Rows - at);
            for (int i = 0; i < rows; i++)
            {
                observations[at + i].CopyTo(_valuePass.Input[i]);
            }

            _value.Forward(_valuePass, rows);
            for (int i = 0; i < rows; i++)
            {
                values[at + i] = _valuePass.Output[i][0];
            }
        }
    }

    private void Update(double rate)
    {
        int batch = _slopes.Length;
        for (int i = 0; i < _order.Length; i++)
        {
            _order[i] = i; // whatever the last update left would be lost to a resumed run
        }

        for (int epoch = 0; epoch < _options.Epochs; epoch++)
        {
            for (int i = _order.Length - 1; i > 0; i--)
            {
                int j = _random.NextInt(0, i + 1);
                (_order[i], _order[j]) = (_order[j], _order[i]);
            }

            for (int at = 0; at < _order.Length; at += batch)
            {
                var rows = _order.AsSpan(at, Math.Min(batch, _order.Length - at));
                if (!Improve(rows))
                {
                    return;
                }

                Follow(rows);
                double norm = Math.Sqrt(_policy.Network.SquaredNorm() + _value.SquaredNorm());
                double scale = norm > _options.GradientNorm ? _options.GradientNorm / norm : 1;
                _policy.Network.Step(rate, scale: scale, epsilon: AdamEpsilon);
                _value.Step(rate, scale: scale, epsilon: AdamEpsilon);
            }
        }
    }

    // The policy's gradient on some rows; false: it has gone far enough.
    private bool Improve(ReadOnlySpan<int> rows)
    {
        double kl = LogRatios(rows), far = 0, loss = 0;
        for (int i = 0; i < rows.Length; i++)
        {
            _advantages[i] = _seen.Advantages[rows[i]];
            far += Math.Abs(_logRatios[i]) / rows.Length;
        }

        if (kl > 1.5 * _options.TargetKl || far > _options.MostLogRatio)
        {
            return false;
        }

        Advantage.Normalize(_advantages.AsSpan(0, rows.Length));
        for (int i = 0; i < rows.Length; i++)
        {
            float ratio = MathF.Exp(_logRatios[i]);
            var (one, slope) = _surrogate.Loss(ratio, _advantages[i]);
            loss += one / rows.Length;
            _slopes[i] = slope * ratio / rows.Length;
        }

        _policy.Backward(_traces, rows.Length, _slopes, _options.EntropyWeight);
        _means.Add(1, loss);
        return true;
    }

    // The value's gradient on the same rows.
    private void Follow(ReadOnlySpan<int> rows)
    {
        for (int i = 0; i < rows.Length; i++)
        {
            _observations[i].CopyTo(_valuePass.Input[i]);
        }

        _value.Forward(_valuePass, rows.Length);
        double loss = 0;
        for (int i = 0; i < rows.Length; i++)
        {
            float error = _valuePass.Output[i][0] - _seen.Returns[rows[i]];
            loss += 0.5 * error * error / rows.Length;
            _valuePass.OutputGradient[i][0] = (float)_options.ValueWeight * error / rows.Length;
        }

        _value.Backward(_valuePass, rows.Length);
        _means.Add(2, loss);
    }

    // How far the policy has gone from the one that collected, over all of it.
    private void Compare()
    {
        double sum = 0, largest = 0, kl = 0, outside = 0;
        for (int at = 0; at < _order.Length; at += _slopes.Length)
        {
            var rows = _order.AsSpan(at, Math.Min(_slopes.Length, _order.Length - at));
            kl += LogRatios(rows) * rows.Length / _order.Length;
            foreach (float log in _logRatios.AsSpan(0, rows.Length))
            {
                double off = Math.Abs(Math.Exp(log) - 1);
                sum += off / _order.Length;
                largest = Math.Max(largest, off);
                outside += off > _options.Bound ? 1.0 / _order.Length : 0;
            }
        }

        _means.Add(3, _policy.Entropy);
        _means.Add(4, sum);
        _means.Add(5, largest);
        _means.Add(6, kl);
        _means.Add(7, outside);
        if (_options.AdaptTo is { } target)
        {
            _rate = Math.Clamp(kl > 2 * target ? _rate / 1.5 : kl < target / 2 ? _rate * 1.5 : _rate, SlowestRate, FastestRate);
        }
    }

    // Fills the minibatch and its ln ρ; their KL estimate, the mean of (ρ - 1) - ln ρ.
    private double LogRatios(ReadOnlySpan<int> rows)
    {
        for (int i = 0; i < rows.Length; i++)
        {
            _seen.Observations[rows[i]].CopyTo(_observations[i]);
            _seen.Traces[rows[i]].CopyTo(_traces[i]);
        }

        _policy.LogRatios(_observations, _traces, rows.Length, _random, _logRatios);
        double kl = 0;
        foreach (ref float log in _logRatios.AsSpan(0, rows.Length))
        {
            log = Math.Clamp(log, -MostLog, MostLog);
            kl += (Math.Exp(log) - 1 - log) / rows.Length;
        }

        return kl;
    }

    // The share of the returns' variance that the value foresaw.
    private double Explained()
    {
        double mean = _seen.Returns.Average(), error = _seen.Advantages.Average(), all = 0, left = 0;
        for (int i = 0; i < _seen.Rows; i++)
        {
            all += (_seen.Returns[i] - mean) * (_seen.Returns[i] - mean);
            left += (_seen.Advantages[i] - error) * (_seen.Advantages[i] - error);
        }

        return all == 0 ? double.NaN : 1 - (left / all);
    }
}
