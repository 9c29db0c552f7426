using Robotics.Packages;

namespace Robotics.Policies.Steering;

/// <summary>How far an observation lies from where the observation before and the rows executed since should have led.</summary>
/// <remarks>
/// The expectation is linear, fitted at load to recorded transitions; what it leaves over is measured in units of what it left over there,
/// along every direction. Says nothing before the second plan of an episode, nor after one that was not executed, or not for the number of
/// rows that the transitions tell about.
/// <para>Source: the normalised innovation squared by which Kalman filters are checked (Bar-Shalom, Li and Kirubarajan 2001, 5.4).</para>
/// </remarks>
internal sealed class InnovationGate : Gate
{
    private const float LeastShare = 1e-3f; // of an element's own deviation: below it lies rounding

    private readonly int _size;         // Do
    private readonly int _row;          // Da
    private readonly int _causes;       // n = Do + R·Da
    private readonly float[] _mean;     // [n + Do]
    private readonly float[] _inverse;  // [n + Do], of the deviation
    private readonly Whitening _turn;   // causes to uncorrelated ones
    private readonly float[] _slope;    // [Do, n], of those
    private readonly float[] _leftover; // [Do], inverse of what is usually left over
    private readonly Whitening _whitening;
    private readonly float[] _cause;    // [n]: the observation before and the rows executed since, while known
    private readonly float[] _scaled;   // [n]
    private readonly float[] _turned;   // [n]
    private readonly float[] _surprise; // [Do]
    private readonly float[] _white;    // [Do]
    private readonly float[] _running;  // [Ta, Da], the chunk accepted last
    private ChunkInExecution _join;     // how the next chunk takes over from it
    private bool _known;

    /// <param name="spec">Names the file.</param>
    /// <param name="file">[N, Do + R·Da + Do]: an observation, the rows executed until the next, the next.</param>
    /// <param name="policy">Shapes.</param>
    /// <param name="origin">For messages.</param>
    /// <exception cref="ConfigException">The file does not fit.</exception>
    public InnovationGate(GateSpec spec, ReadOnlySpan<byte> file, PolicySpec policy, string origin)
        : base(spec)
    {
        (_size, _row) = (policy.ObservationLength, policy.ActionLength);
        int rows = spec.Rows ?? policy.Rows, all = (2 * _size) + (rows * _row);
        _causes = all - _size;
        float[] set = Rows(spec.Transitions!, file, all, $"{_size} observation elements, {rows} rows of {_row} and {_size} again", origin);
        int count = set.Length / all;
        (_mean, _inverse) = Scale(set, all);
        float[] causes = new float[count * _causes], turned = new float[count * _causes], left = new float[count * _size];
        for (int n = 0; n < count; n++)
        {
            Standard(set.AsSpan(n * all, _causes), 0, causes.AsSpan(n * _causes, _causes));
            Standard(set.AsSpan((n * all) + _causes, _size), _causes, left.AsSpan(n * _size, _size));
        }

        _turn = new(causes, _causes);
        _slope = new float[_size * _causes];
        (_cause, _scaled, _turned) = (new float[_causes], new float[_causes], new float[_causes]);
        (_surprise, _white, _running) = (new float[_size], new float[_size], new float[policy.Rows * _row]);
        for (int n = 0; n < count; n++)
        {
            _turn.Apply(causes.AsSpan(n * _causes, _causes), turned.AsSpan(n * _causes, _causes));
        }

        Fit(turned, left, count);
        for (int n = 0; n < count; n++)
        {
            Subtract(turned.AsSpan(n * _causes, _causes), left.AsSpan(n * _size, _size));
        }

        var (_, leftover) = Scale(left, _size);
        _leftover = [.. leftover.Select(inverse => Math.Min(inverse, 1 / LeastShare))];
        for (int at = 0; at < left.Length; at++)
        {
            left[at] *= _leftover[at % _size];
        }

        _whitening = new(left, _size);
    }

    public override bool IsAboutObservation => true;

    public override bool CanSay => _known;

    public override void Continue(ChunkInExecution running)
    {
        _known &= running.RowsSince == (_causes - _size) / _row;
        _join = running;
    }

    public override void Accept(ReadOnlySpan<float> observation, ReadOnlySpan<float> chunk)
    {
        // Until the new chunk takes over, rows of the one before are executed.
        int rows = (_causes - _size) / _row;
        observation.CopyTo(_cause);
        for (int i = 0; i < rows; i++)
        {
            bool old = i < _join.Delay && _join.RowsSince >= 0;
            int at = old ? _join.RowsSince + i : i;
            (old ? _running : chunk).Slice(Math.Min(at * _row, chunk.Length - _row), _row).CopyTo(_cause.AsSpan(_size + (i * _row)));
        }

        chunk.CopyTo(_running);
        (_known, _join) = (true, default);
    }

    public override void Forget() => _known = false;

    public override double Signal(ReadOnlySpan<float> observation, ReadOnlySpan<float> chunk, PlanResult plan)
    {
        Standard(_cause, 0, _scaled);
        _turn.Apply(_scaled, _turned);
        Standard(observation, _causes, _surprise);
        Subtract(_turned, _surprise);
        for (int e = 0; e < _size; e++)
        {
            _surprise[e] *= _leftover[e];
        }

        _whitening.Apply(_surprise, _white);
        double sum = 0;
        foreach (float z in _white)
        {
            sum += z * z;
        }

        return Math.Sqrt(sum / _size);
    }

    // The turned causes do not go together, so that each has its slope by itself. One that hardly varies (Whitening's floor) is no cause.
    private void Fit(ReadOnlySpan<float> turned, ReadOnlySpan<float> effects, int count)
    {
        for (int r = 0; r < _causes; r++)
        {
            double square = 0;
            for (int n = 0; n < count; n++)
            {
                square += (double)turned[(n * _causes) + r] * turned[(n * _causes) + r];
            }

            for (int e = 0; e < _size; e++)
            {
                double product = 0;
                for (int n = 0; n < count; n++)
                {
                    product += (double)turned[(n * _causes) + r] * effects[(n * _size) + e];
                }

                _slope[(e * _causes) + r] = (float)(product / Math.Max(square, count * 0.5));
            }
        }
    }

    private void Subtract(ReadOnlySpan<float> turned, Span<float> effects)
    {
        for (int e = 0; e < _size; e++)
        {
            float sum = 0;
            for (int r = 0; r < _causes; r++)
            {
                sum += _slope[(e * _causes) + r] * turned[r];
            }

            effects[e] -= sum;
        }
    }

    private void Standard(ReadOnlySpan<float> values, int first, Span<float> into)
    {
        for (int i = 0; i < values.Length; i++)
        {
            into[i] = (values[i] - _mean[first + i]) * _inverse[first + i];
        }
    }

    private static (float[] Mean, float[] Inverse) Scale(ReadOnlySpan<float> set, int length)
    {
        int count = set.Length / length;
        float[] means = new float[length], inverse = new float[length];
        for (int e = 0; e < length; e++)
        {
            double mean = 0, square = 0;
            for (int at = e; at < set.Length; at += length)
            {
                mean += (double)set[at] / count;
                square += (double)set[at] * set[at] / count;
            }

            double deviation = Math.Sqrt(Math.Max(square - (mean * mean), 0));
            (means[e], inverse[e]) = ((float)mean, (float)(1 / Math.Max(deviation, 1e-3 * (Math.Abs(mean) + 1e-3))));
        }

        return (means, inverse);
    }
}
