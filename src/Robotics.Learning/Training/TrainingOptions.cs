namespace Robotics.Learning.Training;

/// <summary>How long and how hard a network is trained.</summary>
public sealed record TrainingOptions
{
    /// <summary>Updates, 1 to 10 million.</summary>
    public long Steps { get; init; } = 6000;

    /// <summary>Chunks per update, 1 to 65536.</summary>
    public int Batch { get; init; } = 256;

    /// <summary>Peak learning rate, above 0 and at most 1.</summary>
    public double LearningRate { get; init; } = 1e-3;

    /// <summary>Updates until the peak; below <see cref="Steps"/>.</summary>
    public long WarmUp { get; init; } = 100;

    /// <summary>Decay of the weights, times the learning rate; 0 to 1.</summary>
    public double WeightDecay { get; init; } = 1e-6;

    /// <summary>Memory of the gradient, 0 to below 1.</summary>
    public double Beta1 { get; init; } = 0.95;

    /// <summary>Memory of its square, 0 to below 1.</summary>
    public double Beta2 { get; init; } = 0.999;

    /// <summary>Longest gradient; above 0.</summary>
    public double GradientClip { get; init; } = 1;

    /// <summary>How fast the weight average's memory grows, see <see cref="AverageDecay"/>; above 0.</summary>
    public double AveragePower { get; init; } = 0.75;

    /// <summary>Draws batches, times and noise; the network has its own.</summary>
    public ulong Seed { get; init; }

    /// <summary>Threads of libtorch, 1 to 64. More than one pays only on an idle machine.</summary>
    public int Threads { get; init; } = 1;

    /// <summary>Updates per line of metrics, 1 or more.</summary>
    public int LogEvery { get; init; } = 50;

    /// <summary>Updates per checkpoint, a multiple of <see cref="LogEvery"/>.</summary>
    public int CheckpointEvery { get; init; } = 500;

    /// <summary>Returns this record, or reports everything wrong with it at once.</summary>
    /// <param name="source">Where the values came from: a file path or "code".</param>
    /// <exception cref="ConfigException">One or more values are out of range.</exception>
    public TrainingOptions Checked(string source)
    {
        var check = new ConfigCheck(source);
        check.Range(Steps, 1, 10_000_000, "steps");
        check.Range(Batch, 1, 65536, "batch");
        check.That(LearningRate is > 0 and <= 1, "learning_rate", FormattableString.Invariant($"is {LearningRate}, expected above 0, up to 1"));
        check.That(WarmUp >= 0 && WarmUp < Steps, "warm_up", $"is {WarmUp}, expected 0 to below steps, {Steps}");
        check.Range(WeightDecay, 0, 1, "weight_decay");
        check.That(Beta1 is >= 0 and < 1, "beta1", FormattableString.Invariant($"is {Beta1}, expected 0 to below 1"));
        check.That(Beta2 is >= 0 and < 1, "beta2", FormattableString.Invariant($"is {Beta2}, expected 0 to below 1"));
        check.That(GradientClip > 0, "gradient_clip", FormattableString.Invariant($"is {GradientClip}, expected above 0"));
        check.That(AveragePower > 0, "average_power", FormattableString.Invariant($"is {AveragePower}, expected above 0"));
        check.Range(Threads, 1, 64, "threads");
        check.That(LogEvery >= 1, "log_every", $"is {LogEvery}, expected 1 or more");
        check.That(
            LogEvery >= 1 && CheckpointEvery >= 1 && CheckpointEvery % LogEvery == 0,
            "checkpoint_every",
            $"is {CheckpointEvery}, expected a multiple of log_every, {LogEvery}");
        check.Throw();
        return this;
    }
}
