using Robotics.Numerics;
using Robotics.Packages;

namespace Robotics.Policies.Sampling;

/// <summary>Turns noise into action chunks with a step network, within a deadline: fewer steps rather than a late plan.</summary>
/// <remarks>
/// The running cost of a call is a mean over the last few, in which one call counts at most eight times what was expected: a stall
/// of the machine makes the next plans careful, not impossible. Before a plan it decides how many calls fit; after each call it
/// looks at the clock again, and stops with the plan in hand (the clean estimate, or the sample of an energy) when two more calls
/// might not fit. Allocation-free after construction.
/// Not thread-safe.
/// </remarks>
internal abstract class ChunkSampler
{
    private const int Memory = 8;                  // calls that the running cost remembers
    private const int Worst = 8;                   // times the running cost that one call may count
    private const long FinishNs = 20_000;          // reading, de-normalising and handing over

    private readonly SeededRandom _random = new(0);
    private readonly TimeProvider _clock;
    private readonly WarmStartSpec? _warm;
    private readonly int _shift;                   // elements by which the previous chunk is moved on
    private readonly int _row;                     // Da
    private readonly int _minCalls;
    private readonly float[] _previous;            // [Tp, Da], the chunk in execution, moved on
    private long _callNs;
    private bool _hasPrevious;
    private int _sinceNoise;

    protected ChunkSampler(StepNetwork network, PolicyManifest manifest, int actionLength, TimeProvider clock)
    {
        (Network, _clock, _row) = (network, clock, actionLength);
        var sampler = manifest.Sampler!;
        _warm = sampler.WarmStart;
        _minCalls = sampler.MinCalls;
        _shift = (manifest.Action.Ensemble is null ? manifest.Action.Rows : 1) * actionLength; // an ensemble plans at every row
        Sample = new float[network.Length];
        Noise = new float[network.Length];
        Plans = new float[network.Length];
        _previous = new float[network.Width];
    }

    /// <summary>The sampler that a manifest asks for.</summary>
    public static ChunkSampler Make(PolicyManifest manifest, StepNetwork network, int actionLength, TimeProvider clock) => manifest.Kind switch
    {
        PolicyKind.Denoiser => new DenoisingSampler(network, manifest, actionLength, clock),
        PolicyKind.Velocity => new VelocitySampler(network, manifest, actionLength, clock),
        _ => new DescentSampler(network, manifest, actionLength, clock),
    };

    /// <summary>Energy of the chosen chunk; NaN when the network has none.</summary>
    public float Energy { get; protected set; } = float.NaN;

    /// <summary>Calls that the last plan made.</summary>
    public int Calls { get; private set; }

    /// <summary>Most calls that a plan makes when there is time.</summary>
    public abstract int MostCalls { get; }

    protected StepNetwork Network { get; }

    /// <summary>[K, Tp, Da], where the sample stands.</summary>
    protected float[] Sample { get; }

    /// <summary>[K, Tp, Da], scratch for draws.</summary>
    protected float[] Noise { get; }

    /// <summary>[K, Tp, Da], the plans in hand.</summary>
    protected float[] Plans { get; }

    /// <summary>Forgets the previous chunk and starts the draws of <paramref name="seed"/>.</summary>
    public void Reset(ulong seed)
    {
        _random.Reset(seed);
        _hasPrevious = false;
        _sinceNoise = 0;
    }

    /// <summary>The next plan starts from noise.</summary>
    public void Forget() => _hasPrevious = false;

    /// <summary>Samples, chooses, and copies the chosen chunk.</summary>
    /// <param name="deadline">When the plan is worthless.</param>
    /// <param name="start">[Tp·Da] noise to start every candidate from; empty: drawn, or the previous chunk.</param>
    /// <param name="chunk">[Tp·Da], normalised; untouched when the answer is false.</param>
    /// <returns>False: not enough calls fitted before the deadline.</returns>
    /// <exception cref="Microsoft.ML.OnnxRuntime.OnnxRuntimeException">The graph failed.</exception>
    public bool Run(MonotonicTime deadline, ReadOnlySpan<float> start, Span<float> chunk)
    {
        Calls = 0;
        bool warm = start.IsEmpty && _warm is not null && _hasPrevious && (_warm.RefreshEvery == 0 || _sinceNoise + 1 < _warm.RefreshEvery);
        var now = MonotonicTime.Now(_clock);
        long left = deadline.Nanoseconds - now.Nanoseconds - FinishNs;
        int fit = (int)Math.Clamp(left / Math.Max(_callNs, 1), 0, int.MaxValue);
        if (fit < Math.Max(_minCalls, 1))
        {
            _callNs -= _callNs / Memory;           // or one slow stretch would stop it for good
            return false;
        }

        if (start.IsEmpty)
        {
            _random.FillGaussian(Noise);
        }
        else
        {
            for (int k = 0; k < Network.Candidates; k++)
            {
                start.CopyTo(Noise.AsSpan(k * Network.Width));
            }
        }

        // A call less than would fit: the loop below stops that early, and a plan that was laid out for fewer steps is better than one
        // that was cut off.
        Begin(Math.Max(fit - 1, Math.Max(_minCalls, 1)), warm);
        bool more = true;
        while (more)
        {
            var before = now;
            more = Step();
            Calls++;
            now = MonotonicTime.Now(_clock);
            long took = now.NanosecondsSince(before);
            _callNs = _callNs == 0 ? took : _callNs + ((Math.Min(took, Worst * _callNs) - _callNs) / Memory);
            more = more && deadline.Nanoseconds - now.Nanoseconds - FinishNs > 2 * _callNs;
        }

        if (Calls < _minCalls && now.Nanoseconds > deadline.Nanoseconds - FinishNs)
        {
            return false;
        }

        int chosen = Choose(warm);
        Plans.AsSpan(chosen * Network.Width, Network.Width).CopyTo(chunk);
        Keep(chunk);
        _sinceNoise = warm ? _sinceNoise + 1 : 0;
        return true;
    }

    /// <summary>Puts the sample at its start and picks the table for the calls that fit.</summary>
    protected abstract void Begin(int fit, bool warm);

    /// <summary>One network call and what follows from it; false after the last.</summary>
    protected abstract bool Step();

    /// <summary>Which candidate is executed.</summary>
    protected virtual int Choose(bool warm)
    {
        if (!_hasPrevious || Network.Candidates == 1)
        {
            return 0;
        }

        // The one that goes on as the robot is going: nearest to the rest of the chunk in execution.
        int rest = Math.Max(Network.Width - _shift, _row), best = 0;
        double nearest = double.PositiveInfinity;
        for (int k = 0; k < Network.Candidates; k++)
        {
            double sum = 0;
            for (int j = 0; j < rest; j++)
            {
                double d = Plans[(k * Network.Width) + j] - _previous[j];
                sum += d * d;
            }

            (nearest, best) = sum < nearest ? (sum, k) : (nearest, best);
        }

        return best;
    }

    /// <summary>Noise for the next step.</summary>
    protected void Draw() => _random.FillGaussian(Noise);

    /// <summary>The previous chunk for every candidate, [K, Tp, Da], in <see cref="Plans"/>.</summary>
    protected void Recall()
    {
        for (int k = 0; k < Network.Candidates; k++)
        {
            _previous.CopyTo(Plans.AsSpan(k * Network.Width));
        }
    }

    // What the robot will be doing when the next plan is asked for: Ta rows on, the last row repeated.
    private void Keep(ReadOnlySpan<float> chunk)
    {
        int rest = Math.Max(chunk.Length - _shift, 0);
        chunk[^rest..].CopyTo(_previous);
        for (int j = rest; j < chunk.Length; j++)
        {
            _previous[j] = chunk[chunk.Length - _row + (j % _row)];
        }

        _hasPrevious = true;
    }
}
