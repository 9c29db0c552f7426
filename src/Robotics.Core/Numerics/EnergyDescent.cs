namespace Robotics.Numerics;

/// <summary>How an energy policy walks down to an action chunk.</summary>
public sealed record EnergyOptions
{
    /// <summary>Multiplies the gradient; above 0.</summary>
    public double StepSize { get; init; } = 0.06;

    /// <summary>Share of the last move that is kept, 0 to below 1.</summary>
    public double Momentum { get; init; } = 0.35;

    /// <summary>A sample whose gradient's root mean square is below this has settled; 0 never settles.</summary>
    public double Tolerance { get; init; }

    /// <summary>Most steps, one network call each; 1 to 1000.</summary>
    public int MaxSteps { get; init; } = 10;

    /// <summary>Returns this record, or reports everything wrong with it at once.</summary>
    /// <param name="source">Where the values came from: a file path or "code".</param>
    /// <exception cref="ConfigException">One or more values are out of range.</exception>
    public EnergyOptions Checked(string source)
    {
        var check = new ConfigCheck(source);
        check.That(StepSize > 0 && double.IsFinite(StepSize), "step_size", FormattableString.Invariant($"is {StepSize}, expected above 0"));
        check.That(Momentum is >= 0 and < 1, "momentum", FormattableString.Invariant($"is {Momentum}, expected 0 to below 1"));
        check.That(Tolerance >= 0 && double.IsFinite(Tolerance), "tolerance", FormattableString.Invariant($"is {Tolerance}, expected 0 or above"));
        check.Range(MaxSteps, 1, 1000, "max_steps");
        check.Throw();
        return this;
    }
}

/// <summary>Gradient descent with momentum on a learned energy; each sample stops on its own.</summary>
/// <remarks>
/// Immutable: threads may share one, each with its own buffers. The sample is a plan at any time, so a caller with a deadline
/// just stops. The norm is per sample, so a result does not depend on its neighbours in the batch.
/// <para>Source: Equilibrium Matching (Wang and Du 2025), in the form measured on the Detour task.</para>
/// </remarks>
public sealed class EnergyDescent
{
    /// <summary>Takes the options over.</summary>
    /// <exception cref="ConfigException">An option is out of range.</exception>
    public EnergyDescent(EnergyOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        Options = options.Checked("sampler");
    }

    /// <summary>What it was made of.</summary>
    public EnergyOptions Options { get; }

    /// <summary>Most steps.</summary>
    public int MaxSteps => Options.MaxSteps;

    /// <summary>Moves one sample downhill, unless it has settled. Allocation-free.</summary>
    /// <param name="sample">[n], one chunk; moved in place.</param>
    /// <param name="gradient">[n], of the energy at the sample.</param>
    /// <param name="velocity">[n], the last move; the sampler's own memory, zero before the first step.</param>
    /// <returns>True when the gradient has settled: the sample was left where it is.</returns>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public bool Step(Span<float> sample, ReadOnlySpan<float> gradient, Span<float> velocity)
    {
        SamplerBuffers.Check(sample.Length, gradient.Length, velocity.Length);
        if (RootMeanSquare(gradient) < Options.Tolerance)
        {
            return true;
        }

        double momentum = Options.Momentum, size = Options.StepSize;
        for (int j = 0; j < sample.Length; j++)
        {
            double move = (momentum * velocity[j]) - (size * gradient[j]);
            velocity[j] = (float)move;
            sample[j] = (float)(sample[j] + move);
        }

        return false;
    }

    /// <summary>Root mean square of a gradient; NaN when any element is.</summary>
    public static double RootMeanSquare(ReadOnlySpan<float> gradient)
    {
        double sum = 0;
        foreach (float g in gradient)
        {
            sum += (double)g * g;
        }

        return Math.Sqrt(sum / Math.Max(gradient.Length, 1));
    }
}
