namespace Robotics.Policies.Steering;

/// <summary>Thresholds that refuse a stated share of known situations.</summary>
/// <remarks>
/// The threshold is the ⌈(n + 1)(1 - α)⌉-th smallest of n held-out signals: a new situation of the same kind lies above it with
/// probability α at most, whatever the signal's distribution. The rate is per gate: several gates together refuse up to their sum.
/// <para>Source: split conformal prediction, Vovk et al. 2005.</para>
/// </remarks>
public static class GateCalibration
{
    /// <summary>One threshold per gate of <paramref name="policy"/>.</summary>
    /// <param name="policy">Its own thresholds do not matter.</param>
    /// <param name="observations">Held-out situations, [Do] each, that the policy should act in.</param>
    /// <param name="falseAlarm">α, above 0 and below 1: the share that each gate may refuse.</param>
    /// <exception cref="ArgumentException">Too few observations for so small a share, or one that the policy makes no plan for.</exception>
    public static double[] Thresholds(GatedPolicy policy, IReadOnlyList<float[]> observations, double falseAlarm)
    {
        ArgumentNullException.ThrowIfNull(policy);
        ArgumentNullException.ThrowIfNull(observations);
        int gates = policy.Gates.Count;
        double[][] seen = [.. Enumerable.Range(0, gates).Select(_ => new double[observations.Count])];
        double[] signals = new double[gates];
        for (int n = 0; n < observations.Count; n++)
        {
            var result = policy.Sense(observations[n], signals);
            if (result.Status != PlanStatus.Planned)
            {
                throw new ArgumentException($"Observation {n} of {observations.Count} ends in {result.Status}; calibrate on situations in which the policy plans.", nameof(observations));
            }

            for (int g = 0; g < gates; g++)
            {
                seen[g][n] = signals[g];
            }
        }

        return [.. seen.Select(each => Threshold(each, falseAlarm))];
    }

    /// <summary>The threshold of one signal.</summary>
    /// <param name="signals">Held-out values.</param>
    /// <param name="falseAlarm">α, above 0 and below 1.</param>
    /// <exception cref="ArgumentException">Too few values for so small a share, NaN among them, or α out of range.</exception>
    public static double Threshold(IReadOnlyList<double> signals, double falseAlarm)
    {
        ArgumentNullException.ThrowIfNull(signals);
        if (!(falseAlarm > 0 && falseAlarm < 1))
        {
            throw new ArgumentException(FormattableString.Invariant($"The false alarm rate is {falseAlarm}, expected above 0 and below 1."), nameof(falseAlarm));
        }

        int rank = (int)Math.Ceiling((signals.Count + 1) * (1 - falseAlarm));
        if (rank > signals.Count || signals.Any(double.IsNaN))
        {
            throw new ArgumentException(
                FormattableString.Invariant($"{signals.Count} held-out values, {signals.Count(double.IsNaN)} of them NaN, give no threshold for a false alarm rate of {falseAlarm}; it takes {Math.Ceiling((1 / falseAlarm) - 1)} or more, all numbers."), nameof(signals));
        }

        return signals.Order().ElementAt(rank - 1);
    }
}
