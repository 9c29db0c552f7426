using System.Buffers.Binary;
using Robotics.Packages;
using Robotics.Policies.Onnx;

namespace Robotics.Policies.Steering;

/// <summary>One signal of a <see cref="GatedPolicy"/>: large where the policy should not be trusted.</summary>
internal abstract class Gate(GateSpec spec) : IDisposable
{
    /// <summary>Signal and threshold.</summary>
    public GateSpec Spec { get; } = spec;

    /// <summary>It needs no plan, and is asked before one is made.</summary>
    public virtual bool IsAboutObservation => false;

    /// <summary>False when there is nothing to judge by: a gate about the plan then leaves no plan, one about the observation is not
    /// asked.</summary>
    public virtual bool CanSay => true;

    /// <summary>Network calls of one answer.</summary>
    public virtual int Calls => 0;

    /// <summary>Time to keep back for one answer after the plan.</summary>
    public virtual long CostNs => 0;

    /// <summary>The signal; NaN: unknown, which refuses.</summary>
    /// <param name="observation">[Do] of the whole.</param>
    /// <param name="chunk">[Ta, Da], the plan; not to be read by a gate about observations.</param>
    /// <param name="plan">What the policy said of it.</param>
    public abstract double Signal(ReadOnlySpan<float> observation, ReadOnlySpan<float> chunk, PlanResult plan);

    /// <summary>Told before a plan what became of the last one.</summary>
    public virtual void Continue(ChunkInExecution running)
    {
        // Most gates look at one instant.
    }

    /// <summary>Told that a plan was accepted.</summary>
    /// <param name="observation">[Do] that it was made from.</param>
    /// <param name="chunk">[Ta, Da].</param>
    public virtual void Accept(ReadOnlySpan<float> observation, ReadOnlySpan<float> chunk)
    {
    }

    /// <summary>Told that nothing is known of what happens next: an episode begins, or something else acts.</summary>
    public virtual void Forget()
    {
    }

    /// <inheritdoc/>
    public virtual void Dispose()
    {
        // Most gates own nothing.
    }

    /// <summary>A file of float32 little endian, row after row.</summary>
    /// <exception cref="ConfigException">It has no whole number of rows, or holds something that is no number.</exception>
    protected static float[] Rows(string name, ReadOnlySpan<byte> file, int length, string what, string origin)
    {
        int row = length * sizeof(float);
        if (file.Length == 0 || file.Length % row != 0)
        {
            throw new ConfigException(origin, [$"{name} has {file.Length} bytes, expected a multiple of {row}: {what} of 4 bytes"]);
        }

        float[] set = new float[file.Length / sizeof(float)];
        for (int i = 0; i < set.Length; i++)
        {
            set[i] = BinaryPrimitives.ReadSingleLittleEndian(file[(i * sizeof(float))..]);
        }

        return OnnxTensor.AllFinite(set) ? set : throw new ConfigException(origin, [$"{name} holds NaN or infinity"]);
    }
}

/// <summary>Energy of the plan, as an energy policy gives it.</summary>
internal sealed class EnergyGate(GateSpec spec) : Gate(spec)
{
    public override double Signal(ReadOnlySpan<float> observation, ReadOnlySpan<float> chunk, PlanResult plan) => plan.Energy;
}

/// <summary>How far the candidates lie apart.</summary>
internal sealed class SpreadGate(GateSpec spec, GuidedPolicy guided) : Gate(spec)
{
    private readonly float[] _scale = [.. Enumerable.Range(0, guided.Spec.ActionLength).Select(j => spec.Scale is { } scale ? scale[j % scale.Count] : 1)];

    public override bool CanSay => guided.Candidates > 1;

    public override double Signal(ReadOnlySpan<float> observation, ReadOnlySpan<float> chunk, PlanResult plan) => guided.Proposals.Spread(_scale);
}

/// <summary>How far a critic's ensemble disagrees about the plan: the guide's own scores, or a critic asked for the purpose.</summary>
internal sealed class EnsembleGate(GateSpec spec, Critic critic, ObservationView view, GuidedPolicy? guided, TimeProvider clock) : Gate(spec)
{
    private bool Scored => guided is { Candidates: > 1 };

    public override int Calls => Scored ? 0 : critic.Calls;

    public override long CostNs => 2 * critic.CostNs(1);

    public override double Signal(ReadOnlySpan<float> observation, ReadOnlySpan<float> chunk, PlanResult plan)
    {
        if (Scored)
        {
            return critic.Deviation(guided!.Chosen);
        }

        var before = MonotonicTime.Now(clock);
        critic.Score(view.Of(observation), chunk, chunk.Length, 1);
        critic.Count(MonotonicTime.Now(clock).NanosecondsSince(before));
        return critic.Deviation(0);
    }

    public override void Dispose()
    {
        base.Dispose();
        if (guided is null)
        {
            critic.Dispose();
        }
    }
}

/// <summary>Distance of the observation to the nearest of a stored set, in units of the set's deviation: of each element, or along each
/// direction.</summary>
internal sealed class DistanceGate : Gate
{
    private readonly float[] _set;      // [N, n], in those units: n is Do, and more with products
    private readonly float[] _inverse;  // [Do]
    private readonly float[] _point;    // [n]
    private readonly float[] _scaled;   // [Do], before it is turned
    private readonly IWhitening? _whitening;

    public DistanceGate(GateSpec spec, ReadOnlySpan<byte> file, int length, string origin)
        : base(spec)
    {
        _set = Rows(spec.Coreset!, file, length, $"{length} observation elements", origin);
        _inverse = new float[length];
        _scaled = new float[length];
        int count = _set.Length / length;
        for (int e = 0; e < length; e++)
        {
            double mean = 0, square = 0;
            for (int n = 0; n < count; n++)
            {
                mean += (double)_set[(n * length) + e] / count;
                square += (double)_set[(n * length) + e] * _set[(n * length) + e] / count;
            }

            // An element that never changed still has a size: a thousandth of its value, so that a change of it is noticed.
            double deviation = Math.Sqrt(Math.Max(square - (mean * mean), 0));
            _inverse[e] = (float)(1 / Math.Max(deviation, 1e-3 * (Math.Abs(mean) + 1e-3)));
            for (int n = 0; n < count; n++)
            {
                _set[(n * length) + e] *= _inverse[e];
            }
        }

        _whitening = spec.Metric switch
        {
            GateMetric.Whitened => new Whitening(_set, length),
            GateMetric.Products => new ProductWhitening(_set, length),
            _ => null,
        };
        _point = new float[_whitening?.Length ?? length];
        if (_whitening is not null)
        {
            float[] scaled = _set;
            _set = new float[count * _point.Length];
            for (int n = 0; n < count; n++)
            {
                _whitening.Apply(scaled.AsSpan(n * length, length), _set.AsSpan(n * _point.Length, _point.Length));
            }
        }
    }

    public override bool IsAboutObservation => true;

    public override double Signal(ReadOnlySpan<float> observation, ReadOnlySpan<float> chunk, PlanResult plan)
    {
        for (int e = 0; e < _scaled.Length; e++)
        {
            _scaled[e] = observation[e] * _inverse[e];
        }

        if (_whitening is null)
        {
            _scaled.CopyTo(_point, 0);
        }
        else
        {
            _whitening.Apply(_scaled, _point);
        }

        double nearest = double.PositiveInfinity; // of a NaN nothing is near
        for (int at = 0; at < _set.Length; at += _point.Length)
        {
            double sum = 0;
            for (int e = 0; e < _point.Length && !(sum >= nearest); e++)
            {
                double d = _point[e] - _set[at + e];
                sum += d * d;
            }

            nearest = sum < nearest ? sum : nearest;
        }

        return Math.Sqrt(nearest / _point.Length);
    }
}
