using Microsoft.ML.OnnxRuntime;
using Robotics.Packages;
using Robotics.Policies.Onnx;

namespace Robotics.Policies.Steering;

/// <summary>A policy that does not act on what it does not know: any gate over its threshold refuses, and a fallback plans instead
/// where there is one.</summary>
/// <remarks>
/// A signal that is NaN refuses. Time for the gates and the fallback is kept back from the policy. Allocation-free after construction.
/// Not thread-safe.
/// </remarks>
public sealed class GatedPolicy : IContinuingPolicy
{
    private static readonly MonotonicTime s_whenever = new(long.MaxValue);

    private readonly IPolicy _policy;
    private readonly ObservationView _policyView;
    private readonly IPolicy? _fallback;
    private readonly ObservationView _fallbackView;
    private readonly Gate[] _gates;
    private readonly TimeProvider _clock;
    private readonly RunningCost _fallbackCost = new();
    private readonly int _observationLength;
    private readonly double[] _signals;        // [gates]
    private readonly float[] _chunk;           // [Ta, Da]
    private readonly float[] _fallbackChunk;
    private bool _executes = true;             // the policy's own last plan
    private IPolicy? _faulty;
    private string? _fault;

    internal GatedPolicy(IPolicy policy, IReadOnlyList<Gate> gates, IPolicy? fallback, TimeProvider clock, PolicySpec spec, ObservationView policyView, ObservationView fallbackView)
    {
        (_policy, _fallback, _clock, Spec) = (policy, fallback, clock, spec);
        (_policyView, _fallbackView) = (policyView, fallbackView);
        _gates = [.. gates];
        _observationLength = spec.ObservationLength;
        _signals = new double[_gates.Length];
        _chunk = new float[spec.Rows * spec.ActionLength];
        _fallbackChunk = new float[fallback is null ? 0 : fallback.Spec.Rows * fallback.Spec.ActionLength];
        if (fallback is not null)
        {
            float[] nothing = new float[fallback.Spec.ObservationLength];
            for (int i = 0; i < 3; i++)
            {
                Stand(nothing, s_whenever);
            }

            fallback.Reset(0);
        }
    }

    /// <inheritdoc/>
    public PolicySpec Spec { get; }

    /// <inheritdoc/>
    public string? LastFault => _fault ?? _faulty?.LastFault;

    /// <summary>Gates, in the manifest's order.</summary>
    public IReadOnlyList<GateSpec> Gates => [.. _gates.Select(gate => gate.Spec)];

    /// <summary>[gates], what each of them saw at the last plan; NaN where it did not come to that.</summary>
    public ReadOnlySpan<double> Signals => _signals;

    /// <summary>Gate that refused the last plan; -1: none.</summary>
    public int RefusedBy { get; private set; } = -1;

    /// <summary>Plans refused since construction.</summary>
    public long Refusals { get; private set; }

    /// <inheritdoc/>
    public void Reset(ulong seed)
    {
        _policy.Reset(seed);
        _fallback?.Reset(seed);
        _executes = true;
        Array.ForEach(_gates, gate => gate.Forget());
    }

    /// <inheritdoc/>
    public void Continue(ChunkInExecution running)
    {
        foreach (var gate in _gates)
        {
            gate.Continue(running);
        }

        (_policy as IContinuingPolicy)?.Continue(_executes ? running : running with { RowsSince = -1 });
        (_fallback as IContinuingPolicy)?.Continue(_executes ? running with { RowsSince = -1 } : running);
    }

    /// <inheritdoc/>
    public PlanResult Plan(ReadOnlySpan<float> observation, MonotonicTime deadline, Span<float> chunk)
    {
        if (observation.Length != _observationLength || chunk.Length != _chunk.Length)
        {
            throw new ArgumentException($"Policy '{Spec.Name}' takes an observation of {_observationLength} and a chunk of {_chunk.Length} floats; got {observation.Length} and {chunk.Length}.");
        }

        if (!OnnxTensor.AllFinite(observation))
        {
            Executes(false, observation);
            return new(PlanStatus.Refused, 0); // not even the fallback, which may not read what is broken
        }

        if (!_executes)
        {
            (_policy as IContinuingPolicy)?.Continue(new(-1, 0)); // what it planned last never ran
        }

        var result = Look(observation, Earlier(deadline));
        if (result.Status == PlanStatus.Refused && _fallback is not null)
        {
            Executes(false, observation);
            var stood = Stand(_fallbackView.Of(observation), deadline);
            _faulty = _fallback;
            if (stood.Status == PlanStatus.Planned)
            {
                _fallbackChunk.AsSpan(0, chunk.Length).CopyTo(chunk);
            }

            return stood with { Calls = stood.Calls + result.Calls };
        }

        if (result.Status == PlanStatus.Planned && MonotonicTime.Now(_clock) > deadline)
        {
            result = result with { Status = PlanStatus.Late };
        }

        Executes(result.Status == PlanStatus.Planned, observation);
        if (_executes)
        {
            _chunk.CopyTo(chunk);
        }

        return result;
    }

    /// <summary>What every gate sees here, whatever the thresholds: for calibration. Plans without a deadline; nothing is executed.</summary>
    /// <param name="observation">[Do].</param>
    /// <param name="signals">[gates]; NaN where the policy made no plan.</param>
    public PlanResult Sense(ReadOnlySpan<float> observation, Span<double> signals)
    {
        var result = Look(observation, s_whenever, whole: true);
        _signals.CopyTo(signals);
        RefusedBy = -1;
        Executes(false, observation);
        return result;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _policy.Dispose();
        _fallback?.Dispose();
        Array.ForEach(_gates, gate => gate.Dispose());
    }

    /// <summary>Plans into <see cref="_chunk"/> and asks the gates; the whole of it even when an early one refuses.</summary>
    private PlanResult Look(ReadOnlySpan<float> observation, MonotonicTime deadline, bool whole = false)
    {
        (RefusedBy, _faulty, _fault) = (-1, null, null);
        _signals.AsSpan().Fill(double.NaN);
        for (int g = 0; g < _gates.Length; g++)
        {
            if (_gates[g] is { IsAboutObservation: true, CanSay: true })
            {
                Ask(g, observation, default);
            }
        }

        if (RefusedBy >= 0 && !whole)
        {
            Refusals++;
            return new(PlanStatus.Refused, 0); // before any network was asked
        }

        var result = _policy.Plan(_policyView.Of(observation), deadline, _chunk);
        _faulty = _policy;
        if (result.Status != PlanStatus.Planned)
        {
            return result;
        }

        try
        {
            for (int g = 0; g < _gates.Length; g++)
            {
                if (_gates[g].IsAboutObservation)
                {
                    continue;
                }

                if (!_gates[g].CanSay)
                {
                    return result with { Status = PlanStatus.Late }; // too few candidates in the time there was
                }

                Ask(g, observation, result);
                result = result with { Calls = result.Calls + _gates[g].Calls };
            }
        }
        catch (OnnxRuntimeException error)
        {
            _fault = $"gate: {Ort.OneLine(error)}";
            return result with { Status = PlanStatus.Fault };
        }

        if (RefusedBy < 0 || whole)
        {
            return result;
        }

        Refusals++;
        return result with { Status = PlanStatus.Refused };
    }

    private void Executes(bool own, ReadOnlySpan<float> observation)
    {
        _executes = own;
        foreach (var gate in _gates)
        {
            if (own)
            {
                gate.Accept(observation, _chunk);
            }
            else
            {
                gate.Forget();
            }
        }
    }

    private void Ask(int g, ReadOnlySpan<float> observation, PlanResult plan)
    {
        _signals[g] = _gates[g].Signal(observation, _chunk, plan);
        bool passes = _signals[g] <= _gates[g].Spec.Threshold; // NaN does not
        RefusedBy = !passes && RefusedBy < 0 ? g : RefusedBy;
    }

    private PlanResult Stand(ReadOnlySpan<float> observation, MonotonicTime deadline)
    {
        var before = MonotonicTime.Now(_clock);
        var result = _fallback!.Plan(observation, deadline, _fallbackChunk);
        _fallbackCost.Count(MonotonicTime.Now(_clock).NanosecondsSince(before));
        return result;
    }

    // What the gates and the fallback will need is not the policy's.
    private MonotonicTime Earlier(MonotonicTime deadline)
    {
        long kept = 2 * _fallbackCost.Nanoseconds;
        foreach (var gate in _gates)
        {
            kept += gate.CostNs;
        }

        return deadline.Nanoseconds < long.MinValue + kept ? deadline : new(deadline.Nanoseconds - kept);
    }
}
