using Robotics.Learning.Data;
using Robotics.Learning.Dense;
using Robotics.Learning.Networks;
using Robotics.Learning.Training;
using Robotics.Numerics;

namespace Robotics.Learning.Evaluation;

/// <summary>The networks of a fitted Q evaluation: copy 0 counts every episode once, each other a resample of them.</summary>
/// <remarks>Values inside are (Q - offset)/scale, with mean and deviation of the record's own returns, so that networks that start near 0 start there.</remarks>
internal sealed class FittedQNetworks
{
    private const int Draws = 8; // of a policy that draws, per state whose value is asked for

    private readonly TransitionSet _data;
    private readonly IActor _actor;
    private readonly FittedQOptions _options;
    private readonly RunningNormalizer _normalizer;
    private readonly Critics _critics;
    private readonly Batch _batch;
    private readonly Matrix _nextActions;
    private readonly float[] _policy;   // [N, Da]: π(s') of every row; empty where it draws
    private readonly float[] _reached;  // [B, Do]
    private readonly int[] _row;        // [B]
    private readonly int[] _episode;    // [N]
    private readonly int[][] _counts;   // [copies][episodes]
    private readonly float[] _targets;  // [copies, B]
    private readonly double _offset;
    private readonly double _scale;
    private readonly SeededRandom _random;

    public FittedQNetworks(TransitionSet data, IActor actor, FittedQOptions options)
    {
        (_data, _actor, _options, _normalizer) = (data, actor, options, data.Normalizer());
        _random = new SeededRandom(RandomStream.Seed(options.Seed, 0, 31));
        int copies = options.Resamples + 1, o = data.ObservationSize, a = data.ActionSize, rows = options.Batch;
        _critics = new Critics(o, a, options.Hidden, layerNorm: true, copies, rows, _random);
        (_batch, _nextActions) = (new Batch(rows, o, a), new Matrix(rows, a));
        (_reached, _row, _episode, _targets) = (new float[rows * o], new int[rows], new int[data.Count], new float[copies * rows]);
        _policy = options.Deterministic ? Act(data.Next) : [];
        for (int e = 0; e < data.Episodes; e++)
        {
            Array.Fill(_episode, e, data.Starts[e], data.Starts[e + 1] - data.Starts[e]);
        }

        _counts = [.. Enumerable.Range(0, copies).Select(Resample)];
        (_offset, _scale) = Recorded(data, options.Gamma);
    }

    /// <summary>One update of every copy, all on the same rows.</summary>
    public void Update()
    {
        int rows = _options.Batch, a = _data.ActionSize;
        for (int i = 0; i < rows; i++)
        {
            _row[i] = _random.NextInt(0, _data.Count);
            _data.Read(_row[i], _batch, i, _normalizer, _options.Gamma);
            _data.Reached(_row[i]).CopyTo(_reached.AsSpan(i * _data.ObservationSize));
        }

        float[] drawn = _options.Deterministic ? [] : Act(_reached);
        for (int i = 0; i < rows; i++)
        {
            (_options.Deterministic ? _policy.AsSpan(_row[i] * a, a) : drawn.AsSpan(i * a, a)).CopyTo(_nextActions[i]);
        }

        _critics.Forward(_batch.Next, _nextActions, rows, Weights.Target, _critics.All);
        foreach (int copy in _critics.All)
        {
            for (int i = 0; i < rows; i++)
            {
                double y = _batch.Rewards[i] + (_batch.Discounts[i] * Physical(_critics.Value(copy, i)));
                _targets[(copy * rows) + i] = (float)((y - _offset) / _scale);
            }
        }

        _critics.Forward(_batch.Observations, _batch.Actions, rows, Weights.Trained, _critics.All);
        foreach (int copy in _critics.All)
        {
            for (int i = 0; i < rows; i++)
            {
                _critics.SetGradient(copy, i, 2 * _counts[copy][_episode[_row[i]]] * (_critics.Value(copy, i) - _targets[(copy * rows) + i]) / rows);
            }
        }

        _critics.Backward(rows);
        _critics.Network.Step(_options.LearningRate, _options.Tau);
    }

    /// <summary>[copies] mean value of the first states, each as often as its episode counts.</summary>
    public double[] Estimates()
    {
        var first = new float[_data.Episodes * _data.ObservationSize];
        for (int e = 0; e < _data.Episodes; e++)
        {
            _data.Observation(_data.Starts[e]).CopyTo(first.AsSpan(e * _data.ObservationSize));
        }

        return [.. _critics.All.Select(copy =>
        {
            double[] values = StateValues(first, copy);
            double sum = 0;
            for (int e = 0; e < values.Length; e++)
            {
                sum += _counts[copy][e] * values[e] / values.Length;
            }

            return sum;
        })];
    }

    /// <summary>Copy 0's Q(s, a), V(s) and V(s') of every row.</summary>
    public (double[] Taken, double[] Here, double[] Beyond) Values() =>
        (ActionValues(_data.Observations, _data.Actions, 0), StateValues(_data.Observations, 0), StateValues(_data.Next, 0));

    // Mean and deviation of what the record earned from each of its rows on; where only time ran out it goes on at its mean reward.
    private static (double Mean, double Deviation) Recorded(TransitionSet data, double gamma)
    {
        double reward = 0, value = 0, mean = 0, squares = 0;
        foreach (float r in data.Rewards)
        {
            reward += r / (double)data.Count;
        }

        for (int row = data.Count - 1; row >= 0; row--)
        {
            value = data.Rewards[row] + (data.Terminated[row] ? 0 : gamma * (data.IsTruncated(row) ? reward / (1 - gamma) : value));
            mean += value / data.Count;
            squares += value * value / data.Count;
        }

        // A record that always earns the same has no deviation to measure in.
        return (mean, Math.Max(Math.Sqrt(Math.Max(squares - (mean * mean), 0)), 1e-3 * Math.Max(1, Math.Abs(mean))));
    }

    private double Physical(float value) => _offset + (_scale * value);

    private double[] StateValues(ReadOnlySpan<float> observations, int copy)
    {
        int draws = _options.Deterministic ? 1 : Draws;
        double[] sum = ActionValues(observations, Act(observations), copy);
        for (int draw = 1; draw < draws; draw++)
        {
            double[] more = ActionValues(observations, Act(observations), copy);
            for (int i = 0; i < sum.Length; i++)
            {
                sum[i] += more[i];
            }
        }

        return [.. sum.Select(value => value / draws)];
    }

    private double[] ActionValues(ReadOnlySpan<float> observations, ReadOnlySpan<float> actions, int copy)
    {
        int o = _data.ObservationSize, a = _data.ActionSize, rows = observations.Length / o;
        double[] values = new double[rows];
        for (int from = 0; from < rows; from += _options.Batch)
        {
            int count = Math.Min(_options.Batch, rows - from);
            for (int i = 0; i < count; i++)
            {
                _normalizer.Apply(observations.Slice((from + i) * o, o), _batch.Observations[i]);
                actions.Slice((from + i) * a, a).CopyTo(_batch.Actions[i]);
            }

            _critics.Forward(_batch.Observations, _batch.Actions, count, Weights.Trained, [copy]);
            for (int i = 0; i < count; i++)
            {
                values[from + i] = Physical(_critics.Value(copy, i));
            }
        }

        return values;
    }

    // In pieces, so that the actor keeps no room for the whole record.
    private float[] Act(ReadOnlySpan<float> observations)
    {
        const int piece = 1024;
        int o = _data.ObservationSize, a = _data.ActionSize, rows = observations.Length / o;
        var actions = new float[rows * a];
        for (int from = 0; from < rows; from += piece)
        {
            int count = Math.Min(piece, rows - from);
            _actor.Act(observations.Slice(from * o, count * o), actions.AsSpan(from * a, count * a), _options.Deterministic ? null : _random);
        }

        foreach (ref float action in actions.AsSpan())
        {
            action = Math.Clamp(action, -1, 1);
        }

        return actions;
    }

    private int[] Resample(int copy)
    {
        int[] counts = new int[_data.Episodes];
        for (int e = 0; e < counts.Length; e++)
        {
            counts[copy == 0 ? e : _random.NextInt(0, counts.Length)]++;
        }

        return counts;
    }
}
