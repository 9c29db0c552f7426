using Microsoft.ML.OnnxRuntime;
using Robotics.Numerics;
using Robotics.Packages;
using Robotics.Policies.Onnx;

namespace Robotics.Policies.Steering;

/// <summary>Draws several chunks from a frozen policy, scores them with a critic, and executes a good one.</summary>
/// <remarks>
/// Fewer candidates when the deadline leaves no time for all of them and their scores; one candidate needs no score, and is the bare
/// policy bit for bit. A candidate whose score is not finite is never taken. Allocation-free after construction. Not thread-safe.
/// <para>Source: "Steering Your Generalists" (V-GPS, Nakamoto et al. 2024, arXiv:2410.13816).</para>
/// </remarks>
public sealed class GuidedPolicy : IContinuingPolicy
{
    private const ulong Stream = 0x9E3779B97F4A7C15; // the choice has draws of its own, or K = 1 would differ from the bare policy

    private readonly IPolicy _policy;
    private readonly ObservationView _policyView;
    private readonly Critic? _critic;
    private readonly ObservationView _criticView;
    private readonly GuideSpec _options;
    private readonly TimeProvider _clock;
    private readonly Proposals _proposals;
    private readonly SeededRandom _random = new(Stream);
    private readonly long[] _reserveNs;
    private readonly double[] _values;
    private readonly int _observationLength;
    private readonly int _width;
    private string? _fault;
    private bool _faulted;

    /// <summary>Puts a critic beside a policy; both read the same observation.</summary>
    /// <param name="policy">Any; owned from here on.</param>
    /// <param name="critic">Loaded for at least the candidates; owned from here on.</param>
    /// <param name="options">Candidates, temperature, ensemble; its <see cref="GuideSpec.Critic"/> is not read.</param>
    /// <param name="clock">Deadlines are compared with it.</param>
    /// <exception cref="ConfigException">They do not fit each other.</exception>
    public GuidedPolicy(IPolicy policy, Critic critic, GuideSpec options, TimeProvider clock)
        : this(policy, critic, options, clock, policy?.Spec ?? throw new ArgumentNullException(nameof(policy)), ObservationView.Whole, ObservationView.Whole)
    {
        ArgumentNullException.ThrowIfNull(critic);
        var check = new ConfigCheck("code");
        check.That(critic.Spec.ObservationLength == Spec.ObservationLength, "critic", $"reads {critic.Spec.ObservationLength} observation elements, policy '{Spec.Name}' {Spec.ObservationLength}");
        check.That(critic.Spec.ActionLength == Spec.ActionLength && critic.Spec.Rows <= Spec.Rows, "critic", $"judges {critic.Spec.Rows} rows of {critic.Spec.ActionLength}, policy '{Spec.Name}' plans {Spec.Rows} of {Spec.ActionLength}");
        check.Throw();
    }

    internal GuidedPolicy(IPolicy policy, Critic? critic, GuideSpec options, TimeProvider clock, PolicySpec spec, ObservationView policyView, ObservationView criticView)
    {
        ArgumentNullException.ThrowIfNull(options);
        (_policy, _critic, _options, _clock, Spec) = (policy, critic, options, clock, spec);
        (_policyView, _criticView) = (policyView, criticView);
        _proposals = new(policy, options.Candidates, clock);
        _reserveNs = new long[_proposals.Batches.Count];
        _values = new double[_proposals.Most];
        (_observationLength, _width) = (spec.ObservationLength, spec.Rows * spec.ActionLength);
    }

    /// <inheritdoc/>
    public PolicySpec Spec { get; }

    /// <inheritdoc/>
    public string? LastFault => _faulted ? _fault : _policy.LastFault;

    /// <summary>Candidates of the last plan.</summary>
    public int Candidates => _proposals.Count;

    internal Proposals Proposals => _proposals;

    /// <summary>The critic; null when candidates are only drawn.</summary>
    internal Critic? Judge => _critic;

    /// <summary>Which candidate the last plan took.</summary>
    internal int Chosen { get; private set; }

    /// <inheritdoc/>
    public void Reset(ulong seed)
    {
        _policy.Reset(seed);
        _random.Reset(seed ^ Stream);
    }

    /// <inheritdoc/>
    public void Continue(ChunkInExecution running) => (_policy as IContinuingPolicy)?.Continue(running);

    /// <inheritdoc/>
    public PlanResult Plan(ReadOnlySpan<float> observation, MonotonicTime deadline, Span<float> chunk)
    {
        if (observation.Length != _observationLength || chunk.Length != _width)
        {
            throw new ArgumentException($"Policy '{Spec.Name}' takes an observation of {_observationLength} and a chunk of {_width} floats; got {observation.Length} and {chunk.Length}.");
        }

        for (int i = 0; i < _reserveNs.Length && _critic is not null; i++)
        {
            int k = _proposals.Batches[i];
            _reserveNs[i] = k == 1 ? 0 : 2 * _critic.CostNs(k);
        }

        _faulted = false;
        var result = _proposals.Draw(_policyView.Of(observation), deadline, _critic is null ? [] : _reserveNs);
        if (result.Status != PlanStatus.Planned)
        {
            return result;
        }

        int calls = result.Calls;
        try
        {
            calls += Choose(observation);
        }
        catch (OnnxRuntimeException error)
        {
            (_fault, _faulted) = ($"critic {_critic!.Spec.Name}: {Ort.OneLine(error)}", true);
            _proposals.Drop();
            return new(PlanStatus.Fault, calls);
        }

        if (Chosen < 0)
        {
            _proposals.Drop();
            return new(PlanStatus.NotFinite, calls);
        }

        if (MonotonicTime.Now(_clock) > deadline)
        {
            return new(PlanStatus.Late, calls);
        }

        _proposals.Chunks.AsSpan(Chosen * _width, _width).CopyTo(chunk);
        return new(PlanStatus.Planned, calls, _proposals.Take(Chosen));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _policy.Dispose();
        _critic?.Dispose();
    }

    // Sets Chosen, -1 when no candidate may be taken; gives the calls it made.
    private int Choose(ReadOnlySpan<float> observation)
    {
        int count = _proposals.Count, calls = 0;
        if (count > 1 && _critic is not null)
        {
            var before = MonotonicTime.Now(_clock);
            _critic.Score(_criticView.Of(observation), _proposals.Chunks, _width, count);
            _critic.Count(MonotonicTime.Now(_clock).NanosecondsSince(before));
            calls = _critic.Calls;
        }

        int first = count > 1 && _critic is null ? _proposals.Preferred() : 0;
        double best = double.NegativeInfinity;
        Chosen = -1;
        for (int n = 0; n < count; n++)
        {
            int k = (first + n) % count;
            double value = calls > 0 ? _critic!.Value(k, _options.Ensemble == "min") : 0;
            bool sound = double.IsFinite(value) && OnnxTensor.AllFinite(_proposals.Chunks.AsSpan(k * _width, _width));
            _values[k] = sound ? value : double.NegativeInfinity;
            if (sound && value > best)
            {
                (best, Chosen) = (value, k);
            }
        }

        if (_options.Temperature > 0 && calls > 0 && Chosen >= 0)
        {
            Chosen = Pick(count, best);
        }

        return calls;
    }

    // One of softmax(q / β).
    private int Pick(int count, double best)
    {
        double sum = 0;
        for (int k = 0; k < count; k++)
        {
            _values[k] = Math.Exp((_values[k] - best) / _options.Temperature);
            sum += _values[k];
        }

        double at = _random.NextDouble() * sum;
        int last = 0;
        for (int k = 0; k < count; k++)
        {
            if (_values[k] > 0)
            {
                last = k;
                at -= _values[k];
                if (at < 0)
                {
                    break;
                }
            }
        }

        return last;
    }
}
