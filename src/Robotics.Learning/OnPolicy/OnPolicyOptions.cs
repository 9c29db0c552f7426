namespace Robotics.Learning.OnPolicy;

/// <summary>Settings that the on-policy methods share: those of <see cref="Ppo"/> and <see cref="Spo"/>.</summary>
public record OnPolicyOptions
{
    /// <summary>Widths of the hidden layers (tanh), of actor and value.</summary>
    public IReadOnlyList<int> Hidden { get; init; } = [64, 64];

    /// <summary>Learning rate of actor and value, above 0 to 1.</summary>
    public double LearningRate { get; init; } = 3e-4;

    /// <summary>Environment steps over which the rate falls to 0 in a straight line, usually those of the run; null: it stays.</summary>
    public long? AnnealOver { get; init; }

    /// <summary>KL divergence per update that the rate is adapted to: over twice that it falls, under half of it it rises, by 1.5 within
    /// 1e-5 to 1e-2. Above 0; null: not adapted. Not together with <see cref="AnnealOver"/>.</summary>
    public double? AdaptTo { get; init; }

    /// <summary>Discount per step, 0 to below 1.</summary>
    public double Gamma { get; init; } = 0.99;

    /// <summary>Of the generalised advantage, 0 to 1.</summary>
    public double Lambda { get; init; } = 0.95;

    /// <summary>Steps of every environment between two updates, 1 to 1,000,000.</summary>
    public int Horizon { get; init; } = 2048;

    /// <summary>Times that an update goes over what was collected, 1 to 1000.</summary>
    public int Epochs { get; init; } = 10;

    /// <summary>Parts that it is split into each time, 1 to the steps collected.</summary>
    public int Minibatches { get; init; } = 32;

    /// <summary>ε: how far the ratio of new to old probability may go from 1; above 0, below 1.</summary>
    public double Bound { get; init; } = 0.2;

    /// <summary>Weight of half the squared value error, 0 or more.</summary>
    public double ValueWeight { get; init; } = 0.5;

    /// <summary>Weight of the entropy, 0 or more.</summary>
    public double EntropyWeight { get; init; }

    /// <summary>Longest gradient, actor and value together, above 0.</summary>
    public double GradientNorm { get; init; } = 0.5;

    /// <summary>An update ends where its KL estimate exceeds 1.5 times this, above 0; null: never.</summary>
    public double? TargetKl { get; init; }

    /// <summary>An update ends where the mean size of the ratio's logarithm exceeds this, above 0; null: never.</summary>
    public double? MostLogRatio { get; init; }

    /// <summary>True: observations are seen through their running mean and deviation, clipped to ±10; the actor carries them.</summary>
    public bool NormalizeObservations { get; init; } = true;

    /// <summary>True: rewards are divided by the running deviation of the discounted return, clipped to ±10.</summary>
    public bool ScaleRewards { get; init; } = true;

    /// <summary>Draws everything.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Returns this record, or reports everything wrong with it at once.</summary>
    /// <param name="source">Where the values came from: a file path or "code".</param>
    /// <exception cref="ConfigException">One or more values are out of range.</exception>
    public virtual OnPolicyOptions Checked(string source)
    {
        var check = new ConfigCheck(source);
        Check(check);
        check.Throw();
        return this;
    }

    /// <summary>Everything wrong with the shared settings.</summary>
    protected void Check(ConfigCheck check)
    {
        ArgumentNullException.ThrowIfNull(check);
        check.That(Hidden.Count > 0 && Hidden.All(width => width is >= 1 and <= 4096), "hidden", "are widths of 1 to 4096, one per layer");
        check.That(LearningRate is > 0 and <= 1, "learning_rate", FormattableString.Invariant($"is {LearningRate}, expected above 0, up to 1"));
        check.That(AnnealOver is null or >= 1, "anneal_over", $"is {AnnealOver}, expected 1 or more, or null");
        check.That(AdaptTo is null or > 0, "adapt_to", FormattableString.Invariant($"is {AdaptTo}, expected above 0, or null"));
        check.That(AdaptTo is null || AnnealOver is null, "adapt_to", "and anneal_over are both set; one of them moves the learning rate, not both");
        check.That(Gamma is >= 0 and < 1, "gamma", FormattableString.Invariant($"is {Gamma}, expected 0 to below 1"));
        check.Range(Lambda, 0, 1, "lambda");
        check.Range(Horizon, 1, 1_000_000, "horizon");
        check.Range(Epochs, 1, 1000, "epochs");
        check.That(Minibatches >= 1, "minibatches", $"is {Minibatches}, expected 1 to the steps collected");
        check.That(Bound is > 0 and < 1, "bound", FormattableString.Invariant($"is {Bound}, expected above 0, below 1"));
        check.That(ValueWeight >= 0, "value_weight", FormattableString.Invariant($"is {ValueWeight}, expected 0 or more"));
        check.That(EntropyWeight >= 0, "entropy_weight", FormattableString.Invariant($"is {EntropyWeight}, expected 0 or more"));
        check.That(GradientNorm > 0, "gradient_norm", FormattableString.Invariant($"is {GradientNorm}, expected above 0"));
        check.That(TargetKl is null or > 0, "target_kl", FormattableString.Invariant($"is {TargetKl}, expected above 0, or null"));
        check.That(MostLogRatio is null or > 0, "most_log_ratio", FormattableString.Invariant($"is {MostLogRatio}, expected above 0, or null"));
    }
}
