namespace Robotics.Episodes;

/// <summary>An element that a replayed policy computed differently.</summary>
/// <param name="Plan">Number of the plan in the record.</param>
/// <param name="Row">Row of its chunk, from 0.</param>
/// <param name="Element">Element of the row, from 0.</param>
/// <param name="Recorded">Value in the record.</param>
/// <param name="Replayed">Value computed now.</param>
public sealed record ReplayDifference(ulong Plan, int Row, int Element, float Recorded, float Replayed);

/// <summary>What came out when the recorded observation vectors were fed through a policy again.</summary>
/// <remarks>
/// Only plans recorded as <see cref="PlanStatus.Planned"/> are fed: what a late or failed call did to a recurrent state is not in
/// the record, so a recurrent policy may differ after one, and <see cref="Notes"/> says that one was there.
/// </remarks>
public sealed record ReplayComparison
{
    /// <summary>Plans in the record.</summary>
    public int Plans { get; private init; }

    /// <summary>Plans computed again and compared.</summary>
    public int Compared { get; private init; }

    /// <summary>Plans left out because they were not recorded as planned.</summary>
    public int Skipped { get; private init; }

    /// <summary>Plans that the record holds but the policy did not compute now.</summary>
    public int NotPlanned { get; private init; }

    /// <summary>Action rows compared.</summary>
    public long Rows { get; private init; }

    /// <summary>Rows with an element beyond <see cref="Tolerance"/>.</summary>
    public long RowsBeyond { get; private init; }

    /// <summary>Largest absolute difference of an element; infinite where only one of the two is finite.</summary>
    public double MaxDifference { get; private init; }

    /// <summary>Mean absolute difference over all elements compared; 0 when nothing was.</summary>
    public double MeanDifference { get; private init; }

    /// <summary>Largest absolute difference that counts as the same.</summary>
    public double Tolerance { get; private init; }

    /// <summary>The first element beyond the tolerance; null for none.</summary>
    public ReplayDifference? First { get; private init; }

    /// <summary>What a person must know to judge the figures; one sentence each.</summary>
    public IReadOnlyList<string> Notes { get; private init; } = [];

    /// <summary>True when something was compared and all of it agreed.</summary>
    public bool Agrees => Compared > 0 && RowsBeyond == 0 && NotPlanned == 0;

    /// <summary>Feeds <paramref name="plans"/> through <paramref name="policy"/> and compares.</summary>
    /// <param name="plans">In the order they were made.</param>
    /// <param name="policy">Owned by the calling thread meanwhile; reset where the record says so.</param>
    /// <param name="tolerance">Largest absolute difference that counts as the same; at least 0.</param>
    /// <param name="seed">For the resets.</param>
    /// <exception cref="ConfigException">The record's vectors do not have the policy's lengths: another policy made it.</exception>
    public static ReplayComparison Run(IEnumerable<EpisodePlan> plans, IPolicy policy, double tolerance, ulong seed = 0)
    {
        ArgumentNullException.ThrowIfNull(plans);
        ArgumentNullException.ThrowIfNull(policy);
        ArgumentOutOfRangeException.ThrowIfNegative(tolerance);

        var spec = policy.Spec;
        float[] chunk = new float[spec.Rows * spec.ActionLength];
        int count = 0, compared = 0, skipped = 0, notPlanned = 0, gaps = 0;
        long rows = 0, beyond = 0, elements = 0;
        double max = 0, sum = 0;
        ulong last = 0;
        bool torn = false;
        ReplayDifference? first = null;

        policy.Reset(seed);
        foreach (var plan in plans)
        {
            torn |= count == 0 && !plan.AfterReset;
            gaps += count > 0 && plan.Plan != last + 1 ? 1 : 0;
            last = plan.Plan;
            count++;
            if (plan.AfterReset)
            {
                policy.Reset(seed);
            }

            if (plan.Status != PlanStatus.Planned)
            {
                skipped++;
                continue;
            }

            CheckLengths(plan, spec);
            if (policy.Plan(plan.Observation, new MonotonicTime(long.MaxValue), chunk).Status != PlanStatus.Planned)
            {
                notPlanned++;
                continue;
            }

            compared++;
            for (int row = 0; row < spec.Rows; row++)
            {
                bool within = true;
                for (int e = 0; e < spec.ActionLength; e++)
                {
                    int at = (row * spec.ActionLength) + e;
                    double difference = Difference(plan.Chunk[at], chunk[at]);
                    max = Math.Max(max, difference);
                    sum += difference;
                    elements++;
                    if (difference > tolerance)
                    {
                        within = false;
                        first ??= new ReplayDifference(plan.Plan, row, e, plan.Chunk[at], chunk[at]);
                    }
                }

                rows++;
                beyond += within ? 0 : 1;
            }
        }

        return new ReplayComparison
        {
            Plans = count,
            Compared = compared,
            Skipped = skipped,
            NotPlanned = notPlanned,
            Rows = rows,
            RowsBeyond = beyond,
            MaxDifference = max,
            MeanDifference = elements == 0 ? 0 : sum / elements,
            Tolerance = tolerance,
            First = first,
            Notes = [.. NotesOn(count, compared, skipped, notPlanned, gaps, torn, policy)],
        };
    }

    private static double Difference(float recorded, float replayed) =>
        recorded.Equals(replayed) ? 0 // two NaNs or two equal infinities agree
        : float.IsFinite(recorded) && float.IsFinite(replayed) ? Math.Abs((double)recorded - replayed)
        : double.PositiveInfinity;

    private static void CheckLengths(EpisodePlan plan, PolicySpec spec)
    {
        var check = new ConfigCheck($"record, plan {plan.Plan}");
        check.That(plan.Observation.Length == spec.ObservationLength, "observation",
            $"has {plan.Observation.Length} elements, policy '{spec.Name}' takes {spec.ObservationLength}; replay the policy that made the record");
        check.That(plan.Chunk.Length == spec.Rows * spec.ActionLength, "chunk",
            $"has {plan.Chunk.Length} elements, policy '{spec.Name}' plans {spec.Rows} rows of {spec.ActionLength}; replay the policy that made the record");
        check.Throw();
    }

    private static IEnumerable<string> NotesOn(int count, int compared, int skipped, int notPlanned, int gaps, bool torn, IPolicy policy)
    {
        if (count == 0)
        {
            yield return "The record holds no plans, so nothing was compared.";
        }
        else if (compared == 0)
        {
            yield return "No plan could be compared.";
        }

        if (skipped > 0)
        {
            yield return $"{skipped} of {count} plans were recorded as late, refused or failed and were left out; a recurrent policy may differ after them.";
        }

        if (notPlanned > 0)
        {
            yield return $"{notPlanned} plans in the record were not computed now{(policy.LastFault is { } fault ? $": {fault}" : ".")}";
        }

        if (gaps > 0)
        {
            yield return $"Plans are missing at {gaps} places; a recurrent policy may differ after them.";
        }

        if (torn)
        {
            yield return "The first plan of the record does not follow a reset; a recurrent policy may differ from the start.";
        }
    }
}
