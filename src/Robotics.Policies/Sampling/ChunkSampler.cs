using Robotics.Numerics;
using Robotics.Packages;

namespace Robotics.Policies.Sampling;

/// <summary>Turns noise into action chunks with a step network, within a deadline: fewer candidates, then fewer steps, rather than a
/// late plan.</summary>
/// <remarks>
/// The running cost of a call is a mean over the last few, in which one call counts at most eight times what was expected: a stall
/// of the machine makes the next plans careful, not impossible. Before a plan it decides how many calls fit; after each call it
/// looks at the clock again, and stops with the plan in hand (the clean estimate, or the sample of an energy) when two more calls
/// might not fit. Allocation-free after construction.
/// Order of a plan: <see cref="Fit"/>, the condition written, <see cref="Run"/>, <see cref="Plan"/> of any candidate, and
/// <see cref="Keep"/> of the one that is executed.
/// Not thread-safe.
/// </remarks>
internal abstract class ChunkSampler
{
    private const int Memory = 8;                  // calls that the running cost remembers
    private const int Worst = 8;                   // times the running cost that one call may count
    private const int Forgetting = 64;             // plans after which a batch that was too slow is tried again
    protected const int PrimingCalls = 3;
    private const long FinishNs = 20_000;          // reading, de-normalising and handing over

    private readonly SeededRandom _random = new(0);
    private readonly StepNetwork[] _networks;      // by batch, largest first
    private readonly long[] _callNs;               // running cost of a call, per network
    private readonly long[] _reserveNs;            // time to be left after sampling, per network
    private readonly WarmStartSpec? _warmStart;
    private readonly InpaintSpec? _inpaint;
    private readonly int _executed;                // Ta
    private readonly int _firstRow;
    private readonly int _row;                     // Da
    private readonly int _minCalls;
    private readonly float[] _sample;              // [K, Tp, Da] of the largest batch, as are the next two
    private readonly float[] _noise;
    private readonly float[] _plans;
    private readonly float[] _last;                // [Tp, Da], the chunk that was kept
    private readonly float[] _previous;            // [Tp, Da], the same, moved on to this plan's observation
    private readonly float[] _mask;                // [Tp], how much each row is pulled to it
    private int _rung;                             // of _networks, for this plan
    private bool _hasLast;
    private bool _hasPrevious;                     // in this plan
    private bool _warm;                            // this plan
    private bool _pulls;                           // this plan
    private int _sinceNoise;
    private ChunkInExecution _running;

    protected ChunkSampler(IReadOnlyList<StepNetwork> networks, PolicyManifest manifest, int actionLength, TimeProvider clock)
    {
        (Clock, _row) = (clock, actionLength);
        _networks = [.. networks];
        var sampler = manifest.Sampler!;
        (_warmStart, _inpaint, _minCalls) = (sampler.WarmStart, sampler.Inpaint, Math.Max(sampler.MinCalls, 1));
        (_executed, _firstRow) = (manifest.Action.Ensemble is null ? manifest.Action.Rows : 1, manifest.Action.FirstRow); // an ensemble plans at every row
        _callNs = new long[_networks.Length];
        _reserveNs = new long[_networks.Length];
        int length = _networks[0].Length, width = _networks[0].Width;
        (_sample, _noise, _plans) = (new float[length], new float[length], new float[length]);
        (_last, _previous, _mask) = (new float[width], new float[width], new float[width / actionLength]);
        Assume();
    }

    /// <summary>The sampler that a manifest asks for.</summary>
    /// <param name="manifest">Sampler and action.</param>
    /// <param name="networks">The same network with several batches, largest first.</param>
    /// <param name="stages">A joint model with its batches of futures and of values; empty: nothing is planned.</param>
    /// <param name="actionLength">Da.</param>
    /// <param name="clock">Deadlines are compared with it.</param>
    public static ChunkSampler Make(PolicyManifest manifest, IReadOnlyList<StepNetwork> networks, IReadOnlyList<JointStep> stages, int actionLength, TimeProvider clock) => manifest.Kind switch
    {
        PolicyKind.Joint => new JointSampler(networks, stages, manifest, actionLength, clock),
        PolicyKind.Denoiser => new DenoisingSampler(networks, manifest, actionLength, clock),
        PolicyKind.Velocity => new VelocitySampler(networks, manifest, actionLength, clock),
        _ => new DescentSampler(networks, manifest, actionLength, clock),
    };

    /// <summary>Calls that the last plan made.</summary>
    public int Calls { get; private set; }

    /// <summary>K of the last plan.</summary>
    public int Candidates => Network.Candidates;

    /// <summary>Batches that a plan may have, largest first.</summary>
    public IReadOnlyList<int> Batches => [.. _networks.Select(network => network.Candidates)];

    /// <summary>Most calls that sampling makes when there is time.</summary>
    public abstract int MostCalls { get; }

    /// <summary>Most calls that choosing makes when there is time.</summary>
    public virtual int JudgingCalls => 0;

    protected TimeProvider Clock { get; }

    /// <summary>What the network's output says.</summary>
    protected abstract ScoreForm Form { get; }

    /// <summary>Clip of the clean estimate; infinity: none.</summary>
    protected virtual double Clip => double.PositiveInfinity;

    protected StepNetwork Network => _networks[_rung];

    /// <summary>[K, Tp, Da], where the sample stands.</summary>
    protected Span<float> Sample => _sample.AsSpan(0, Network.Length);

    /// <summary>[K, Tp, Da], scratch for draws.</summary>
    protected Span<float> Noise => _noise.AsSpan(0, Network.Length);

    /// <summary>[K, Tp, Da], the plans in hand.</summary>
    protected Span<float> Plans => _plans.AsSpan(0, Network.Length);

    /// <summary>Forgets the previous chunk and starts the draws of <paramref name="seed"/>.</summary>
    public virtual void Reset(ulong seed)
    {
        _random.Reset(seed);
        _sinceNoise = 0;
        Forget();
    }

    /// <summary>The next plan starts from noise.</summary>
    public void Forget()
    {
        _hasLast = false;
        Assume();
    }

    /// <summary>What is being executed, for the next plan only.</summary>
    public void Continue(ChunkInExecution running) => _running = running;

    /// <summary>Calls every network a few times, so that its cost is known.</summary>
    public virtual void Prime()
    {
        for (_rung = _networks.Length - 1; ; _rung--)
        {
            Sample.Clear();
            for (int i = 0; i < PrimingCalls && _networks.Length > 1; i++)
            {
                Begin(MostCalls, warm: false);
                var before = MonotonicTime.Now(Clock);
                Step();
                Count(MonotonicTime.Now(Clock).NanosecondsSince(before));
            }

            if (_rung == 0)
            {
                return;
            }
        }
    }

    /// <summary>Chooses the largest batch whose whole plan fits; the smallest when none does.</summary>
    /// <param name="deadline">When the plan is worthless.</param>
    /// <param name="reserveNs">Time that the caller needs afterwards, per batch; empty: none.</param>
    /// <returns>Index into <see cref="Batches"/>.</returns>
    public int Fit(MonotonicTime deadline, ReadOnlySpan<long> reserveNs)
    {
        Array.Clear(_reserveNs);
        reserveNs.CopyTo(_reserveNs);
        _rung = 0;
        if (_networks.Length == 1)
        {
            return 0;
        }

        var now = MonotonicTime.Now(Clock);
        while (_rung < _networks.Length - 1 && Left(deadline, now) < (MostCalls + 2) * _callNs[_rung])
        {
            _callNs[_rung] -= _callNs[_rung] / Forgetting;
            _rung++;
        }

        return _rung;
    }

    /// <summary>Samples the batch that <see cref="Fit"/> chose.</summary>
    /// <param name="deadline">When the plan is worthless.</param>
    /// <param name="start">[Tp·Da] noise to start every candidate from; empty: drawn, or the previous chunk.</param>
    /// <returns>False: not enough calls fitted before the deadline.</returns>
    /// <exception cref="Microsoft.ML.OnnxRuntime.OnnxRuntimeException">A graph failed.</exception>
    public bool Run(MonotonicTime deadline, ReadOnlySpan<float> start)
    {
        Calls = 0;
        Recollect();
        _warm = start.IsEmpty && _warmStart is not null && _hasPrevious && (_warmStart.RefreshEvery == 0 || _sinceNoise + 1 < _warmStart.RefreshEvery);
        var now = MonotonicTime.Now(Clock);
        int fit = (int)Math.Clamp(Left(deadline, now) / Math.Max(_callNs[_rung], 1), 0, int.MaxValue);
        if (fit < _minCalls)
        {
            _callNs[_rung] -= _callNs[_rung] / Memory; // or one slow stretch would stop it for good
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
                start.CopyTo(Noise[(k * Network.Width)..]);
            }
        }

        // A call less than would fit: the loop below stops that early, and a plan that was laid out for fewer steps is better than one
        // that was cut off.
        Begin(Math.Max(fit - 1, _minCalls), _warm);
        bool more = true;
        while (more)
        {
            var before = now;
            more = Step();
            Calls++;
            now = MonotonicTime.Now(Clock);
            Count(now.NanosecondsSince(before));
            more = more && Left(deadline, now) > 2 * _callNs[_rung];
        }

        bool planned = Calls >= _minCalls || Left(deadline, now) > 0;
        if (planned)
        {
            Calls += Judge(deadline, now, start);
        }

        return planned;
    }

    /// <summary>[Tp·Da], candidate <paramref name="k"/> of the last run, normalised.</summary>
    public ReadOnlySpan<float> Plan(int k) => Plans.Slice(k * Network.Width, Network.Width);

    /// <summary>Energy of a candidate of the last run; NaN when the network has none.</summary>
    public float Energy(int k) => Network.Energies[k];

    /// <summary>The candidate that is executed when nobody knows better; -1 when none can be.</summary>
    public virtual int Choose()
    {
        if (!_hasPrevious || Network.Candidates == 1)
        {
            return 0;
        }

        // The one that goes on as the robot is going: nearest to the rest of the chunk in execution.
        int rest = Math.Max(Network.Width - (_executed * _row), _row), best = 0;
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

    /// <summary>The candidate that will be executed, which the next plan goes on from.</summary>
    public void Keep(int k)
    {
        Plan(k).CopyTo(_last);
        _hasLast = true;
        _sinceNoise = _warm ? _sinceNoise + 1 : 0;
    }

    /// <summary>Puts the sample at its start and picks the table for the calls that fit.</summary>
    protected abstract void Begin(int fit, bool warm);

    /// <summary>One network call and what follows from it; false after the last.</summary>
    protected abstract bool Step();

    /// <summary>Looks at the plans in hand before one is chosen, where there is time for it; gives the calls it made.</summary>
    /// <param name="deadline">When the plan is worthless.</param>
    /// <param name="now">When sampling ended.</param>
    /// <param name="start">As for <see cref="Run"/>.</param>
    protected virtual int Judge(MonotonicTime deadline, MonotonicTime now, ReadOnlySpan<float> start) => 0;

    /// <summary>Asks the network about the sample, and pulls its answer to the chunk in execution where that is asked for.</summary>
    protected void Ask(in StepPoint at)
    {
        Network.Call(Sample, at);
        if (_pulls)
        {
            Pull(at.Level);
        }
    }

    /// <summary>Noise for the next step.</summary>
    protected void Draw() => _random.FillGaussian(Noise);

    /// <summary>The previous chunk for every candidate, [K, Tp, Da], in <see cref="Plans"/>.</summary>
    protected void Recall()
    {
        for (int k = 0; k < Network.Candidates; k++)
        {
            _previous.CopyTo(Plans[(k * Network.Width)..]);
        }
    }

    private void Assume() => _running = new(_executed, 0);

    private void Count(long tookNs)
    {
        ref long cost = ref _callNs[_rung];
        cost = cost == 0 ? tookNs : cost + ((Math.Min(tookNs, Worst * cost) - cost) / Memory);
    }

    // Written so that a deadline of any size is compared and never overflows.
    protected long Left(MonotonicTime deadline, MonotonicTime now) =>
        deadline <= now ? 0 : Math.Max(deadline.Nanoseconds - now.Nanoseconds - FinishNs - _reserveNs[_rung], 0);

    // What the robot will be doing at this observation: the last chunk moved on by the rows since, its last row repeated.
    private void Recollect()
    {
        (int since, int delay) = (_running.RowsSince, _running.Delay);
        Assume();
        int rows = _mask.Length;
        _hasPrevious = _hasLast && since >= 0 && since < rows;
        _pulls = _hasPrevious && _inpaint is not null;
        if (!_hasPrevious)
        {
            return;
        }

        int rest = (rows - since) * _row;
        _last.AsSpan(since * _row).CopyTo(_previous);
        for (int j = rest; j < _previous.Length; j++)
        {
            _previous[j] = _last[_last.Length - _row + (j % _row)];
        }

        if (_pulls)
        {
            // Rows before the first executed one are past, and as certain as those that are being executed.
            int end = Math.Max(rows - Math.Max(since, _inpaint!.FreeRows), 0);
            ChunkGuidance.Mask(Math.Min(_firstRow + delay, end), end, _inpaint.Decay, _mask);
        }
    }

    // The house velocity plus gain·W·(y - â): the same as an action that is (1-s)·gain·W·(y - â) further.
    private void Pull(NoiseLevel level)
    {
        double s = level.FlowTime, reach = (1 - s) * ChunkGuidance.Gain(s, _inpaint!.Gain), clip = Clip;
        var action = level.ActionFrom(Form);
        var output = level.OutputOf(Form);
        Span<float> answers = Network.Output, sample = Sample;
        for (int j = 0, width = Network.Width; j < answers.Length; j++)
        {
            int at = j % width;
            double weight = _mask[at / _row];
            if (weight != 0)
            {
                double a = action.At(sample[j], answers[j]);
                answers[j] = (float)output.At(sample[j], a + (reach * weight * (_previous[at] - Math.Clamp(a, -clip, clip))));
            }
        }
    }
}
