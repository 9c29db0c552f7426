namespace Robotics.Packages;

/// <summary>What makes frozen policies better while they run: the <c>steering</c> of a package of kind
/// <see cref="PolicyKind.Steered"/>. Steps that are given run in this order: compose, guide or improve, refuse.</summary>
public sealed record SteeringSpec
{
    /// <summary>The policies that are steered; several are composed.</summary>
    public required IReadOnlyList<ParentSpec> Parents { get; init; }

    /// <summary>How several parents become one; null for one parent.</summary>
    public ComposeSpec? Compose { get; init; }

    /// <summary>Candidates scored by a critic; null: none.</summary>
    public GuideSpec? Guide { get; init; }

    /// <summary>One closed-form step along a critic's gradient; null: none.</summary>
    public ImproveSpec? Improve { get; init; }

    /// <summary>When the policy does not act; null: always acts.</summary>
    public RefuseSpec? Refuse { get; init; }

    /// <summary>The parent whose sampler, action and rate count: <see cref="ComposeSpec.Driver"/>, or the first of those with the
    /// largest weight (of a schedule, in sum).</summary>
    public int DriverIndex
    {
        get
        {
            if (Compose is null)
            {
                return 0;
            }

            double[] weights = [.. Compose.Weights ?? Compose.Schedule!.Select(knot => (IEnumerable<double>)knot.Weights).Aggregate((a, b) => a.Zip(b, (x, y) => x + y))];
            return Compose.Driver ?? Array.IndexOf(weights, weights.Max());
        }
    }
}

/// <summary>Another package.</summary>
public sealed record ParentSpec
{
    /// <summary>Path relative to this package (to its folder; to the file of a zip).</summary>
    public required string Package { get; init; }

    /// <summary>SHA-256 that the package must have, 64 lower-case hex digits; null: not checked.</summary>
    public string? Sha256 { get; init; }
}

/// <summary>How the scores of several parents are mixed.</summary>
public enum MixOperator
{
    /// <summary>Weights between 0 and 1: sampling from the geometric mean of the parents.</summary>
    Convex,

    /// <summary>Weights of any sign: away from a parent with a negative one, as in classifier-free guidance (1 + g, -g).</summary>
    Guidance,

    /// <summary>Where any parent is at home: weights follow the parents' densities along the path; needs a sampler that draws noise.</summary>
    Or,

    /// <summary>Where all parents are at home alike: weights, of any sign, that let every parent's density grow by the same at every
    /// step; needs a sampler that draws noise.</summary>
    And,
}

/// <summary>Mixes the scores of sampled parents at every step (general policy composition).</summary>
/// <remarks>Of parents that plan different numbers of rows the longest drives; rows that only some of them plan are mixed among those.</remarks>
public sealed record ComposeSpec
{
    /// <summary>How.</summary>
    public MixOperator Operator { get; init; } = MixOperator.Convex;

    /// <summary>One weight per parent, together 1; for <see cref="MixOperator.Or"/> the prior shares, for
    /// <see cref="MixOperator.And"/> what holds where the parents agree. Null: <see cref="Schedule"/>.</summary>
    public IReadOnlyList<double>? Weights { get; init; }

    /// <summary>Weights over the noise level, between which they run straight; null: <see cref="Weights"/>.</summary>
    public IReadOnlyList<WeightKnot>? Schedule { get; init; }

    /// <summary>Parent whose sampler, action and rate count; null: the first of those with the largest weight.</summary>
    public int? Driver { get; init; }

    /// <summary>For <see cref="MixOperator.Or"/>: how sharply the weights follow the densities; above 0.</summary>
    public double Sharpness { get; init; } = 1;
}

/// <summary>Weights at one noise level.</summary>
public sealed record WeightKnot
{
    /// <summary>Share of noise, 1 (nothing else) to 0 (none): 1 - s of a flow.</summary>
    public required double Noise { get; init; }

    /// <summary>One weight per parent, together 1.</summary>
    public required IReadOnlyList<double> Weights { get; init; }
}

/// <summary>Draws candidates, scores them with a critic, executes a good one (value guidance).</summary>
public sealed record GuideSpec
{
    /// <summary>A package of kind <see cref="PolicyKind.Critic"/>.</summary>
    public required ParentSpec Critic { get; init; }

    /// <summary>K, 1 to 256; fewer when the deadline leaves no time for them.</summary>
    public int Candidates { get; init; } = 10;

    /// <summary>β, in units of the critic's value: 0 takes the best, above 0 draws from softmax(q / β).</summary>
    public double Temperature { get; init; }

    /// <summary>What counts of the critic's ensemble: <c>min</c> or <c>mean</c>.</summary>
    public string Ensemble { get; init; } = "min";
}

/// <summary>Closed-form policy improvement: the best point of the linearised critic inside a level set of the policy's own Gaussian.</summary>
public sealed record ImproveSpec
{
    /// <summary>A package of kind <see cref="PolicyKind.Critic"/> with an output <c>gradient</c>.</summary>
    public required ParentSpec Critic { get; init; }

    /// <summary>τ, above 0 to 1: density of the level set's edge relative to the mean's. 1 stays at the mean, smaller goes further.</summary>
    public double Trust { get; init; } = 0.2;

    /// <summary>Times the gradient is taken again, 1 to 16, within the same level set.</summary>
    public int Steps { get; init; } = 1;
}

/// <summary>What a gate looks at.</summary>
public enum GateSignal
{
    /// <summary>Energy of the planned chunk.</summary>
    Energy,

    /// <summary>Standard deviation of a critic's ensemble at the planned chunk.</summary>
    Ensemble,

    /// <summary>Root mean square deviation of the candidates, in units of <see cref="GateSpec.Scale"/>.</summary>
    Spread,

    /// <summary>Distance of the observation to the nearest one of a stored set, in units of that set's deviations.</summary>
    Distance,

    /// <summary>Distance of the observation from where the one before and the rows executed since should have led, in units of what
    /// is usually left over.</summary>
    Innovation,
}

/// <summary>What counts as far from a stored set.</summary>
public enum GateMetric
{
    /// <summary>Each element in units of the set's deviation.</summary>
    Elements,

    /// <summary>Every direction in units of the set's deviation along it (at least a fiftieth of an element's own): what never came
    /// together in the set is far, though each element by itself is not.</summary>
    Whitened,

    /// <summary>As <see cref="Whitened"/>, with the products of the widest directions (at most twelve) beside them: what never changes in the set
    /// though everything else about it turns and moves, such as a body's size, counts too.</summary>
    Products,
}

/// <summary>Does not act on what it does not know.</summary>
public sealed record RefuseSpec
{
    /// <summary>Any of them over its threshold refuses.</summary>
    public required IReadOnlyList<GateSpec> Gates { get; init; }

    /// <summary>A package that plans instead; null: the refusal is the answer, and the robot holds.</summary>
    public ParentSpec? Fallback { get; init; }
}

/// <summary>One signal and where it becomes too large.</summary>
public sealed record GateSpec
{
    /// <summary>What is looked at.</summary>
    public required GateSignal Signal { get; init; }

    /// <summary>Refuses above it.</summary>
    public required double Threshold { get; init; }

    /// <summary>Share of known situations that the threshold refuses, as calibrated; null: not stated. For people and records.</summary>
    public double? FalseAlarm { get; init; }

    /// <summary>For <see cref="GateSignal.Ensemble"/>: a package of kind critic; null: the guide's.</summary>
    public ParentSpec? Critic { get; init; }

    /// <summary>For <see cref="GateSignal.Spread"/>: K, 2 to 256; null: the guide's.</summary>
    public int? Candidates { get; init; }

    /// <summary>For <see cref="GateSignal.Spread"/>: size of an action that counts as 1, one number or one per element.</summary>
    public IReadOnlyList<float>? Scale { get; init; }

    /// <summary>For <see cref="GateSignal.Distance"/>: in which units; null: <see cref="GateMetric.Elements"/>.</summary>
    public GateMetric? Metric { get; init; }

    /// <summary>For <see cref="GateSignal.Distance"/>: file of the package, float32 little endian, [N, Do] observations in physical units.</summary>
    public string? Coreset { get; init; }

    /// <summary>For <see cref="GateSignal.Innovation"/>: file of the package, float32 little endian, [N, Do + R·Da + Do] in physical units:
    /// the observation at a plan, the rows executed until the next one, the observation there.</summary>
    public string? Transitions { get; init; }

    /// <summary>For <see cref="GateSignal.Innovation"/>: R, rows executed from one plan's observation to the next, 1 to Ta; null: Ta. After
    /// any other number the gate says nothing.</summary>
    public int? Rows { get; init; }
}
