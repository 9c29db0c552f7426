using System.Globalization;

namespace Robotics.Packages;

/// <summary>What the schema cannot say about <see cref="SteeringSpec"/>: steps that need each other, weights that do not add up.</summary>
internal static class SteeringCheck
{
    private const double Slack = 1e-6;

    /// <summary>Adds everything that is wrong.</summary>
    /// <param name="steering">Of a package of kind steered.</param>
    /// <param name="files">Files that the package lists.</param>
    /// <param name="check">Takes the problems.</param>
    public static void Run(SteeringSpec steering, IReadOnlyList<PackageFile> files, ConfigCheck check)
    {
        int parents = steering.Parents.Count;
        check.That(parents == 1 || steering.Compose is not null, "steering", $"has {parents} parents and no 'compose' that says how they become one policy");
        check.That(steering.Guide is null || steering.Improve is null, "steering", "has both 'guide' and 'improve'; put one of them into a parent package");
        if (steering.Compose is { } compose)
        {
            Compose(compose, parents, check);
        }

        for (int g = 0; g < (steering.Refuse?.Gates.Count ?? 0); g++)
        {
            Gate(steering, steering.Refuse!.Gates[g], $"steering.refuse.gates[{g}]", files, check);
        }
    }

    private static void Compose(ComposeSpec compose, int parents, ConfigCheck check)
    {
        const string at = "steering.compose";
        check.That(compose.Weights is null != compose.Schedule is null, at, "needs either 'weights' or 'schedule', one of them");
        check.That(compose.Driver is null || compose.Driver < parents, $"{at}.driver", $"is {compose.Driver}, expected 0 to {parents - 1}: steering.parents has {parents}");
        check.That(
            compose.Operator is not (MixOperator.Or or MixOperator.And) || compose.Schedule is null, $"{at}.schedule",
            $"is given, but operator '{compose.Operator.ToString().ToLowerInvariant()}' finds its weights itself; give prior shares in 'weights'");
        if (compose.Weights is { } weights)
        {
            Weights(compose.Operator, weights, parents, $"{at}.weights", check);
        }

        double last = double.PositiveInfinity;
        for (int k = 0; k < (compose.Schedule?.Count ?? 0); k++)
        {
            var knot = compose.Schedule![k];
            Weights(compose.Operator, knot.Weights, parents, $"{at}.schedule[{k}].weights", check);
            check.That(knot.Noise < last, $"{at}.schedule[{k}].noise", Text($"is {knot.Noise}, expected less than the entry before: from 1 (noise) down to 0 (action)"));
            last = knot.Noise;
        }
    }

    private static void Weights(MixOperator mix, IReadOnlyList<double> weights, int parents, string path, ConfigCheck check)
    {
        check.That(weights.Count == parents, path, $"has {weights.Count} numbers, steering.parents has {parents}");
        double sum = weights.Sum();
        check.That(Math.Abs(sum - 1) <= Slack, path, Text($"add up to {sum:G6}, expected 1"));
        check.That(mix == MixOperator.Guidance || weights.All(weight => weight >= 0), path, Text($"has {weights.Min()}; only operator 'guidance' takes weights below 0"));
    }

    private static void Gate(SteeringSpec steering, GateSpec gate, string path, IReadOnlyList<PackageFile> files, ConfigCheck check)
    {
        check.That((gate.Signal == GateSignal.Distance) == gate.Coreset is not null, $"{path}.coreset", gate.Coreset is null ? "is missing; signal 'distance' needs it" : "is given, which only signal 'distance' reads");
        check.That(gate.Signal == GateSignal.Distance || gate.Metric is null, $"{path}.metric", "is given, which only signal 'distance' reads");
        check.That(gate.Coreset is null || files.Any(file => file.Path == gate.Coreset), $"{path}.coreset", $"is '{gate.Coreset}', which 'files' does not list");
        bool innovation = gate.Signal == GateSignal.Innovation;
        check.That(innovation == gate.Transitions is not null, $"{path}.transitions", gate.Transitions is null ? "is missing; signal 'innovation' needs it" : "is given, which only signal 'innovation' reads");
        check.That(gate.Transitions is null || files.Any(file => file.Path == gate.Transitions), $"{path}.transitions", $"is '{gate.Transitions}', which 'files' does not list");
        check.That(innovation || gate.Rows is null, $"{path}.rows", "is given, which only signal 'innovation' reads");
        check.That(gate.Signal == GateSignal.Ensemble || gate.Critic is null, $"{path}.critic", "is given, which only signal 'ensemble' reads");
        check.That(gate.Signal != GateSignal.Ensemble || gate.Critic is not null || steering.Guide is not null, $"{path}.critic", "is missing, and there is no 'guide' whose critic it could take");
        bool spread = gate.Signal == GateSignal.Spread;
        check.That(spread || gate is { Candidates: null, Scale: null }, path, "has 'candidates' or 'scale', which only signal 'spread' reads");
        check.That(!spread || gate.Candidates is null || steering.Guide is null, $"{path}.candidates", $"is {gate.Candidates}; the guide draws {steering.Guide?.Candidates}, which the spread is taken of. Remove it");
        check.That(!spread || (gate.Candidates ?? steering.Guide?.Candidates) >= 2, $"{path}.candidates", "is missing, and no 'guide' draws two or more");
        check.That(!spread || steering.Improve is null, path, "looks at candidates; 'improve' has none");
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
