using Microsoft.ML.OnnxRuntime;
using Robotics.Packages;
using Robotics.Policies.Onnx;

namespace Robotics.Policies.Steering;

/// <summary>Moves a Gaussian policy's mean to where a critic's linear picture is best inside a level set of the Gaussian; of a mixture
/// every component's.</summary>
/// <remarks>
/// a = μ + √(2 ln 1/τ)·Σg / √(gᵀΣg), g the critic's action gradient. With more steps g is taken again at the new point, the level set
/// stays. Among the mean and the points visited the one that the critic values most is executed: never worse than the mean in the
/// critic's eyes, never outside the level set. Points are cut to what the package clips its output to, so that the critic judges what is
/// sent. Of a mixture each component goes by the same rule within its own level set, the heaviest
/// first, and the best point of all is executed; a component whose weight is below τ of the heaviest's is outside. Out of time, the best
/// so far. Allocation-free after construction. Not thread-safe.
/// <para>Source: "Offline Reinforcement Learning with Closed-Form Policy Improvement Operators" (CFPI, Li et al. 2023, arXiv:2211.15956).</para>
/// </remarks>
public sealed class ImprovedPolicy : IPolicy
{
    private const double Inside = 1 - 1e-6; // of the edge, so that a rounded deviation does not step over it

    private readonly OnnxPolicy _policy;
    private readonly ObservationView _policyView;
    private readonly Critic _critic;
    private readonly ObservationView _criticView;
    private readonly TimeProvider _clock;
    private readonly int _steps;
    private readonly double _radius;
    private readonly int _first;         // first executed element of the policy's output
    private readonly int _width;         // Ta·Da
    private readonly int _observationLength;
    private readonly float[] _unit;      // [Ta, Da], physical size of the policy's normalised unit
    private readonly float[] _low;       // [Da], what output is clipped to
    private readonly float[] _high;
    private readonly double _faintest;   // log of the least weight beside the heaviest's
    private readonly float[] _logStd;    // [M, Tp, Da], normalised
    private readonly float[] _mean;      // [Ta, Da], physical, as the next three
    private readonly float[] _deviation;
    private readonly float[] _point;
    private readonly float[] _best;
    private readonly float[] _gradient;  // [Ra, Da]
    private string? _fault;
    private bool _faulted;

    internal ImprovedPolicy(OnnxPolicy policy, Critic critic, ImproveSpec options, TimeProvider clock, PolicySpec spec, ObservationView policyView, ObservationView criticView)
    {
        (_policy, _critic, _clock, Spec) = (policy, critic, clock, spec);
        (_policyView, _criticView) = (policyView, criticView);
        _steps = options.Steps;
        _radius = Math.Sqrt(2 * Math.Log(1 / options.Trust)) * Inside;
        _faintest = Math.Log(options.Trust);
        _first = policy.Networks.Manifest.Action.FirstRow * spec.ActionLength;
        (_observationLength, _width) = (spec.ObservationLength, spec.Rows * spec.ActionLength);
        _unit = Critic.Units(policy.Denormalizer, _width);
        IReadOnlyList<float> clip = policy.Networks.Manifest.Action.ClipRaw ?? [float.NegativeInfinity, float.PositiveInfinity];
        _low = [.. Enumerable.Range(0, spec.ActionLength).Select(j => clip[2 * j % clip.Count])];
        _high = [.. Enumerable.Range(0, spec.ActionLength).Select(j => clip[((2 * j) + 1) % clip.Count])];
        _logStd = new float[policy.LogStd!.Length];
        (_mean, _deviation, _point, _best) = (new float[_width], new float[_width], new float[_width], new float[_width]);
        _gradient = new float[critic.Spec.Rows * critic.Spec.ActionLength];
    }

    /// <inheritdoc/>
    public PolicySpec Spec { get; }

    /// <inheritdoc/>
    public string? LastFault => _faulted ? _fault : _policy.LastFault;

    /// <inheritdoc/>
    public void Reset(ulong seed) => _policy.Reset(seed);

    /// <inheritdoc/>
    public PlanResult Plan(ReadOnlySpan<float> observation, MonotonicTime deadline, Span<float> chunk)
    {
        if (observation.Length != _observationLength || chunk.Length != _width)
        {
            throw new ArgumentException($"Policy '{Spec.Name}' takes an observation of {_observationLength} and a chunk of {_width} floats; got {observation.Length} and {chunk.Length}.");
        }

        _faulted = false;
        var result = _policy.Plan(_policyView.Of(observation), deadline, _mean);
        if (result.Status != PlanStatus.Planned)
        {
            return result;
        }

        _policy.LogStd!.Read(_logStd);
        if (!OnnxTensor.AllFinite(_logStd))
        {
            return result with { Status = PlanStatus.NotFinite };
        }

        try
        {
            result = result with { Calls = result.Calls + Climb(_criticView.Of(observation), deadline) };
        }
        catch (OnnxRuntimeException error)
        {
            (_fault, _faulted) = ($"critic {_critic.Spec.Name}: {Ort.OneLine(error)}", true);
            return result with { Status = PlanStatus.Fault };
        }

        if (MonotonicTime.Now(_clock) > deadline)
        {
            return result with { Status = PlanStatus.Late };
        }

        _best.CopyTo(chunk);
        return result;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _policy.Dispose();
        _critic.Dispose();
    }

    // Leaves the best point in _best; gives the calls it made.
    private int Climb(ReadOnlySpan<float> observation, MonotonicTime deadline)
    {
        _mean.CopyTo(_best, 0);
        double best = double.NegativeInfinity;
        int calls = 0, heaviest = _policy.Heaviest;
        for (int n = 0; n < _policy.Components; n++)
        {
            int m = n == 0 ? heaviest : n <= heaviest ? n - 1 : n;
            if (n > 0 && !(_policy.LogWeights[m] - _policy.LogWeights[heaviest] >= _faintest))
            {
                continue;
            }

            _policy.Component(m, _mean);
            int at = (m * (_logStd.Length / _policy.Components)) + _first;
            for (int j = 0; j < _width; j++)
            {
                _deviation[j] = MathF.Exp(_logStd[at + j]) * Math.Abs(_unit[j]);
            }

            calls += Climb(observation, deadline, ref best);
        }

        return calls;
    }

    // The same for the Gaussian in _mean and _deviation.
    private int Climb(ReadOnlySpan<float> observation, MonotonicTime deadline, ref double best)
    {
        _mean.CopyTo(_point, 0);
        int calls = 0;
        for (int step = 0; step <= _steps; step++)
        {
            var before = MonotonicTime.Now(_clock);
            if (deadline <= before || deadline.NanosecondsSince(before) < 2 * _critic.CostNs(1))
            {
                break;
            }

            _critic.Score(observation, _point, _width, 1);
            _critic.Count(MonotonicTime.Now(_clock).NanosecondsSince(before));
            calls += _critic.Calls;
            double value = _critic.Value(0, lowest: true);
            if (value > best)
            {
                best = value;
                _point.CopyTo(_best, 0);
            }

            if (step == _steps || !Move())
            {
                break;
            }
        }

        return calls;
    }

    // To the edge of the level set, where the linearised critic is best; false when there is no way up.
    private bool Move()
    {
        _critic.Gradient(_gradient);
        double norm = 0;
        for (int j = 0; j < _gradient.Length; j++)
        {
            double slope = (double)_deviation[j] * _gradient[j];
            norm += slope * slope;
        }

        norm = Math.Sqrt(norm);
        if (!(norm > 0) || !double.IsFinite(norm))
        {
            return false;
        }

        for (int j = 0; j < _gradient.Length; j++)
        {
            double variance = (double)_deviation[j] * _deviation[j], step = _radius * variance * _gradient[j] / norm;
            float point = (float)(_mean[j] + step);

            // Towards the mean, which rounding must not go beyond; a mean outside the clip stays where it is.
            point = Math.Abs(point - (double)_mean[j]) <= Math.Abs(step) ? point : step > 0 ? MathF.BitDecrement(point) : MathF.BitIncrement(point);
            int element = j % _low.Length;
            _point[j] = Math.Clamp(point, Math.Min(_low[element], _mean[j]), Math.Max(_high[element], _mean[j]));
        }

        return true;
    }
}
