using Robotics.Policies.Onnx;

namespace Robotics.Policies.Steering;

/// <summary>Several chunks of one policy for one situation, in one batch where it can, one plan after another where it cannot.</summary>
internal sealed class Proposals
{
    private readonly IPolicy _policy;
    private readonly OnnxPolicy? _batched;
    private readonly TimeProvider _clock;
    private readonly RunningCost _planCost = new();
    private readonly float[] _energies; // [K], for one after another
    private readonly int _width;        // Ta·Da

    public Proposals(IPolicy policy, int candidates, TimeProvider clock)
    {
        (_policy, _batched, _clock) = (policy, policy is OnnxPolicy { IsSampled: true } sampled ? sampled : null, clock);
        Most = _batched?.Batches[0] ?? candidates;
        Batches = _batched?.Batches ?? [.. Enumerable.Range(1, candidates).Reverse()];
        _width = policy.Spec.Rows * policy.Spec.ActionLength;
        _energies = new float[Most];
        Chunks = new float[Most * _width];
    }

    /// <summary>K.</summary>
    public int Most { get; }

    /// <summary>Numbers of candidates that there may be, largest first.</summary>
    public IReadOnlyList<int> Batches { get; }

    /// <summary>[K, Ta, Da], physical; the first <see cref="Count"/> are of the last draw.</summary>
    public float[] Chunks { get; }

    /// <summary>Candidates of the last draw.</summary>
    public int Count { get; private set; }

    /// <summary>Draws as many as fit, at least one.</summary>
    /// <param name="observation">[Do] of the policy.</param>
    /// <param name="deadline">When the plan is worthless.</param>
    /// <param name="reserveNs">Time needed afterwards, for each of <see cref="Batches"/>.</param>
    public PlanResult Draw(ReadOnlySpan<float> observation, MonotonicTime deadline, ReadOnlySpan<long> reserveNs)
    {
        if (_batched is not null)
        {
            var result = _batched.Propose(observation, deadline, reserveNs, Chunks, out int count);
            Count = count;
            return result;
        }

        Count = 0;
        int calls = 0;
        var now = MonotonicTime.Now(_clock);
        while (Count < Most)
        {
            // reserveNs[i] belongs to Most - i candidates; the first plan is due in any case.
            long kept = reserveNs.IsEmpty ? 0 : reserveNs[Most - 1 - Count];
            var until = deadline.Nanoseconds < kept ? deadline : new MonotonicTime(deadline.Nanoseconds - kept);
            if (Count > 0 && (until <= now || until.NanosecondsSince(now) < 2 * _planCost.Nanoseconds))
            {
                break;
            }

            var result = _policy.Plan(observation, until, Chunks.AsSpan(Count * _width, _width));
            calls += result.Calls;
            var then = MonotonicTime.Now(_clock);
            _planCost.Count(then.NanosecondsSince(now));
            now = then;
            if (result.Status != PlanStatus.Planned)
            {
                return Count > 0 ? new(PlanStatus.Planned, calls) : result with { Calls = calls };
            }

            _energies[Count++] = result.Energy;
        }

        return new(PlanStatus.Planned, calls);
    }

    /// <summary>Candidate <paramref name="k"/> will be executed.</summary>
    /// <returns>Its energy; NaN when it has none.</returns>
    public float Take(int k) => _batched is not null ? _batched.Take(k) : _energies[k];

    /// <summary>The one that the policy itself would execute.</summary>
    public int Preferred() => _batched?.Preferred() ?? 0;

    /// <summary>None of them will be.</summary>
    public void Drop() => _batched?.Drop();

    /// <summary>Root mean square deviation of the candidates from their mean, over all elements.</summary>
    /// <param name="scale">[Da], size of an action that counts as 1.</param>
    public double Spread(ReadOnlySpan<float> scale)
    {
        if (Count < 2)
        {
            return double.NaN; // nothing to compare: not known to be small
        }

        double sum = 0;
        for (int j = 0; j < _width; j++)
        {
            double mean = 0, square = 0;
            for (int k = 0; k < Count; k++)
            {
                double x = Chunks[(k * _width) + j] / scale[j % scale.Length];
                mean += x / Count;
                square += x * x / Count;
            }

            sum += Math.Max(square - (mean * mean), 0) * Count / (Count - 1);
        }

        return Math.Sqrt(sum / _width);
    }
}
