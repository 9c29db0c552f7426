using Robotics.Learning.Data;
using Robotics.Learning.Networks;

namespace Robotics.Learning.Evaluation;

/// <summary>Settings of <see cref="FittedQ"/>.</summary>
public sealed record FittedQOptions
{
    /// <summary>Widths of the hidden layers; small ones will do.</summary>
    public IReadOnlyList<int> Hidden { get; init; } = [64, 64];

    /// <summary>Learning rate, above 0.</summary>
    public double LearningRate { get; init; } = 1e-3;

    /// <summary>Transitions per update, 1 to 65536.</summary>
    public int Batch { get; init; } = 256;

    /// <summary>Updates, 1 or more.</summary>
    public int Updates { get; init; } = 10_000;

    /// <summary>Discount per step, 0 to below 1: what is estimated is the discounted return.</summary>
    public double Gamma { get; init; } = 0.99;

    /// <summary>How fast the slow networks follow, above 0 to 1.</summary>
    public double Tau { get; init; } = 0.02;

    /// <summary>Resamples of the episodes, each with a network of its own, for the interval; 0: no interval.</summary>
    public int Resamples { get; init; } = 20;

    /// <summary>True: the policy is judged as it acts without noise; false: as it draws.</summary>
    public bool Deterministic { get; init; } = true;

    /// <summary>Deviation, in action units, of the Gaussian around a deterministic action by which logged actions are weighted; above 0.
    /// A wider one keeps more of the record and blurs the policy.</summary>
    public double Kernel { get; init; } = 0.2;

    /// <summary>Root mean square distance, in action units, from which an action counts as outside the record; above 0.</summary>
    public double Threshold { get; init; } = 0.3;

    /// <summary>Rows that are looked at for <see cref="Judgement.Outside"/>; 0: none.</summary>
    public int Probes { get; init; } = 500;

    /// <summary>Nearest recorded states in which actions are compared, 1 or more.</summary>
    public int Neighbours { get; init; } = 20;

    /// <summary>Draws everything.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Returns this record, or reports everything wrong with it at once.</summary>
    /// <param name="source">Where the values came from: a file path or "code".</param>
    /// <exception cref="ConfigException">One or more values are out of range.</exception>
    public FittedQOptions Checked(string source)
    {
        var check = new ConfigCheck(source);
        Offline.OfflineChecks.Common(check, Hidden, LearningRate, Batch);
        Offline.OfflineChecks.Value(check, Gamma, Tau);
        check.Range(Updates, 1, 1e8, "updates");
        check.Range(Resamples, 0, 1000, "resamples");
        check.That(Kernel is > 0 and <= 10, "kernel", FormattableString.Invariant($"is {Kernel}, expected above 0, up to 10"));
        check.That(Threshold is > 0 and <= 10, "threshold", FormattableString.Invariant($"is {Threshold}, expected above 0, up to 10"));
        check.Range(Probes, 0, 1e6, "probes");
        check.Range(Neighbours, 1, 1000, "neighbours");
        check.Throw();
        return this;
    }
}

/// <summary>What logged data say about a policy that did not record them. Returns are discounted, from the first state of an episode.</summary>
/// <param name="Estimate">Fitted Q: mean Q(s₀, π(s₀)) over the record's first states.</param>
/// <param name="Low">2.5 % of the resamples lie below; NaN without resamples. What the network cannot represent, and what the record does
/// not hold, is not in this interval.</param>
/// <param name="High">97.5 % lie below.</param>
/// <param name="Weights">What weights of the logged actions say; null where the record has no propensities, or the policy no density.</param>
/// <param name="Outside">Share of the recorded states in which the policy's action is farther than the threshold from every action recorded
/// near by; NaN where it was not looked at.</param>
/// <param name="Recorded">Mean discounted return of the record itself: what the policy that recorded it earned.</param>
/// <param name="Rows">Transitions used.</param>
/// <param name="Episodes">Episodes used.</param>
public sealed record Judgement(double Estimate, double Low, double High, ImportanceEstimates? Weights, double Outside, double Recorded, int Rows, int Episodes);

/// <summary>Fitted Q evaluation: what a policy would earn, from logged data alone.</summary>
/// <remarks>
/// Q(s, a) ← r + γ(1 - term) Q̄(s', π(s')) on the record, with a slow copy; layer norm in the networks, without which values of actions
/// outside the record run away. One network per bootstrap resample of the episodes, all trained on the same batches, each row counted as
/// often as its episode was drawn (Hao et al. 2021, arXiv:2102.03607).
/// <para>Source: Le et al. 2019 (arXiv:1903.08738). Differs: a slow copy instead of regressions to the end; values are measured
/// from the mean and in deviations of what the record itself earned, so that a network begins there.</para>
/// </remarks>
public static class FittedQ
{
    /// <summary>Judges a policy.</summary>
    /// <param name="data">What was recorded, by whatever policies.</param>
    /// <param name="actor">The policy; only asked.</param>
    /// <param name="options">Settings.</param>
    /// <param name="progress">Told the share that is done now and then; null: nobody.</param>
    /// <param name="cancellation">Stops between two updates.</param>
    /// <exception cref="ConfigException">An option is out of range, or the policy is of another task than the record.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static Judgement Evaluate(TransitionSet data, IActor actor, FittedQOptions options, IProgress<double>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(data);
        ArgumentNullException.ThrowIfNull(actor);
        ArgumentNullException.ThrowIfNull(options);
        options.Checked("judge");
        if ((actor.ObservationSize, actor.ActionSize) != (data.ObservationSize, data.ActionSize))
        {
            throw new ConfigException(
                $"The policy has {actor.ObservationSize} observations and {actor.ActionSize} actions, the record {data.ObservationSize} and {data.ActionSize}: they are of different tasks or robots.");
        }

        var fit = new FittedQNetworks(data, actor, options);
        for (int i = 0; i < options.Updates; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            fit.Update();
            if (i % 100 == 99)
            {
                progress?.Report((i + 1.0) / options.Updates);
            }
        }

        double[] estimates = fit.Estimates();
        double[] resampled = [.. estimates.Skip(1).Order()];
        var density = new ActionDensity(actor, options.Deterministic ? options.Kernel : null);
        var weights = data.HasPropensities && density.Known
            ? ImportanceSampling.Estimate(data, density, options.Gamma, fit.Values())
            : null;
        return new Judgement(
            estimates[0], Quantile(resampled, 0.025), Quantile(resampled, 0.975), weights,
            options.Probes == 0 ? double.NaN : Coverage.Outside(data, actor, options), data.Returns(options.Gamma).Average(), data.Count, data.Episodes);
    }

    /// <summary>The value below which a share of sorted values lies, in a straight line between neighbours; NaN of none.</summary>
    internal static double Quantile(double[] sorted, double share)
    {
        if (sorted.Length == 0)
        {
            return double.NaN;
        }

        double at = share * (sorted.Length - 1);
        int below = (int)at;
        return sorted[below] + ((at - below) * (sorted[Math.Min(below + 1, sorted.Length - 1)] - sorted[below]));
    }
}
