namespace Robotics.Numerics;

/// <summary>How a velocity field is integrated.</summary>
public enum FlowSolver
{
    /// <summary>One call per step.</summary>
    Euler,

    /// <summary>Two calls per step; never asks at s = 1.</summary>
    Midpoint,

    /// <summary>Two calls per step, one on the last, which is an Euler step: the network was never trained at s = 1.</summary>
    Heun,
}

/// <summary>Carries noise to an action chunk along a learned velocity, one network call at a time.</summary>
/// <remarks>
/// House time: s = 0 is noise, s = 1 is the action, x_s = (1-s)·n + s·a, velocity = a - n. Immutable: threads may share one, each
/// with its own buffers. A call allocates nothing. Nothing is clipped.
/// <para>Source: Lipman et al. 2023 (arXiv:2210.02747); Liu et al. 2023 (arXiv:2209.03003).</para>
/// </remarks>
public sealed class FlowSampler
{
    /// <summary>Plans the calls.</summary>
    /// <param name="solver">How each step is taken.</param>
    /// <param name="steps">Steps from <paramref name="start"/> to 1; 1 to 1000.</param>
    /// <param name="start">Where to begin: 0 for noise, above 0 (below 1) for a warm start.</param>
    /// <exception cref="ArgumentOutOfRangeException">A value is out of range.</exception>
    public FlowSampler(FlowSolver solver, int steps, double start = 0)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(steps, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(steps, 1000);
        if (!(start >= 0 && start < 1))
        {
            throw new ArgumentOutOfRangeException(nameof(start), start, "A flow starts at 0 or later and below 1.");
        }

        Solver = solver;
        Begin = start;
        StepLength = (1 - start) / steps;
        Calls = solver switch
        {
            FlowSolver.Euler => steps,
            FlowSolver.Midpoint => 2 * steps,
            FlowSolver.Heun => (2 * steps) - 1,
            _ => throw new ArgumentOutOfRangeException(nameof(solver), solver, "Euler, Midpoint or Heun."),
        };
    }

    /// <summary>How each step is taken.</summary>
    public FlowSolver Solver { get; }

    /// <summary>The time where the run begins: 0, or later for a warm start.</summary>
    public double Begin { get; }

    /// <summary>h, the time that one step covers.</summary>
    public double StepLength { get; }

    /// <summary>Network calls of a whole run.</summary>
    public int Calls { get; }

    /// <summary>The time s at which to ask the network on call <paramref name="call"/>; 0 to below 1.</summary>
    public double Time(int call)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(call);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(call, Calls);
        return Solver switch
        {
            FlowSolver.Midpoint => Begin + (call * (StepLength / 2)),
            FlowSolver.Heun => Begin + ((call + 1) / 2 * StepLength),
            _ => Begin + (call * StepLength),
        };
    }

    /// <summary>Puts a known chunk at the time where the run begins: a warm start.</summary>
    /// <param name="chunk">[n], normalised.</param>
    /// <param name="noise">[n], N(0, 1).</param>
    /// <param name="sample">[n], receives the start; may be either input.</param>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public void Start(ReadOnlySpan<float> chunk, ReadOnlySpan<float> noise, Span<float> sample)
    {
        SamplerBuffers.Check(sample.Length, chunk.Length, noise.Length);
        for (int j = 0; j < sample.Length; j++)
        {
            sample[j] = (float)((Begin * chunk[j]) + ((1 - Begin) * noise[j]));
        }
    }

    /// <summary>Uses one answer of the network. Allocation-free.</summary>
    /// <param name="call">0 to <see cref="Calls"/> - 1, in order.</param>
    /// <param name="sample">[n], the point the network was asked about; replaced by the next one to ask about, and by the
    /// action after the last call.</param>
    /// <param name="velocity">[n], what the network said.</param>
    /// <param name="anchor">[n], where the current step began; the sampler's own memory between calls.</param>
    /// <param name="clean">[n], where this velocity would end, x + (1-s)·v: the plan to use when time is up. After the last call
    /// it equals the sample.</param>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public void Step(int call, Span<float> sample, ReadOnlySpan<float> velocity, Span<float> anchor, Span<float> clean)
    {
        SamplerBuffers.Check(sample.Length, velocity.Length, clean.Length);
        SamplerBuffers.Check(sample.Length, anchor.Length, sample.Length);
        double left = 1 - Time(call);
        bool last = call == Calls - 1;
        bool first = Solver == FlowSolver.Euler || call % 2 == 0;
        double reach = Solver == FlowSolver.Midpoint && first ? StepLength / 2 : StepLength;
        for (int j = 0; j < sample.Length; j++)
        {
            double x = sample[j];
            double v = velocity[j];
            clean[j] = (float)(x + (left * v));
            if (first)
            {
                anchor[j] = sample[j];
                sample[j] = (float)(x + (reach * v));
            }
            else if (Solver == FlowSolver.Midpoint)
            {
                sample[j] = (float)(anchor[j] + (reach * v));
            }
            else
            {
                // The trial point is anchor + h·v0, so half of it carries half of the first slope.
                sample[j] = (float)((0.5 * (anchor[j] + x)) + (0.5 * reach * v));
            }
        }

        if (last)
        {
            sample.CopyTo(clean);
        }
    }
}
