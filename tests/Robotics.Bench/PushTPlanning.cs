using System.Globalization;
using System.Text;
using Robotics.Lab;
using Robotics.Packages;

namespace Robotics.Bench;

/// <summary>A joint model on PushT: the best of eight by planned value, against one sample of the same network and against the flow policy.</summary>
/// <remarks>Rollouts begin at starts of their own; settings (network, updates, which rollouts) were chosen on the starts that
/// <c>robotics-lab eval</c> takes by itself; the starts judged here were looked at once.</remarks>
internal sealed class PushTPlanning : IBenchmark
{
    private const ulong FirstJudged = 830_000;

    public string Name => "push-t-planning";

    public string Claim => "PushT: the best of eight by planned value solves more starts than one sample of the same network, and than the flow policy";

    public int Run(string[] args)
    {
        var runs = PushTRuns.From(args);
        int seeds = Trials.Option(args, "--seeds") is { } count ? int.Parse(count, CultureInfo.InvariantCulture) : 1;
        ulong[] trained = [.. PushTRuns.Seeds.Take(seeds)];
        var packages = trained.Select(seed => runs.Package("joint", seed)).ToArray();
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"{PushTRuns.Episodes} starts from seed {FirstJudged}, which nothing was trained or chosen on; training seeds {string.Join(", ", trained)}. Solved: coverage above 0.95 within 30 s, with its 95 % interval (Wilson); score: highest reward of an episode, mean. The ms of a plan are wall time while the machine did other work besides.");
        text.AppendLine(CultureInfo.InvariantCulture, $"Rollouts: {string.Join("; ", PushTRuns.CollectRollouts.Select(command => $"`robotics-lab {string.Join(' ', command)}`"))}. Run: `robotics-lab {string.Join(' ', PushTRuns.Train("joint", 1))}`.");
        text.AppendLine(CultureInfo.InvariantCulture, $"What the model knows of held-out rollouts: {string.Join("; ", packages.Select(package => string.Join(", ", package.Manifest.Trained!.Metrics.Select(pair => FormattableString.Invariant($"{pair.Key} {pair.Value:F3}")))))}.").AppendLine();
        text.AppendLine("| policy | calls per plan | ms per plan | solved | score | solved by seed |").AppendLine("|---|---|---|---|---|---|");
        var flow = Row("flow policy, as packed", trained.Select(seed => PushTRuns.Score(runs.Package("flow", seed), null, PushTRuns.Episodes, FirstJudged)));
        var single = Row("joint model, one sample", packages.Select(package => Score(package, 1, JointSelection.Single)));
        Row("joint model, best of 8 by the joint value", packages.Select(package => Score(package, 8, JointSelection.Joint)));
        var planned = Row("joint model, best of 8 planned (3 futures x 5 values)", packages.Select(package => Score(package, 8, JointSelection.Planned)));
        bool holds = planned.Success > single.Success && planned.Success > flow.Success;
        text.AppendLine().AppendLine(CultureInfo.InvariantCulture, $"{(holds ? "Holds" : "Falls short")}: planned solves {planned.Success:F3}, one sample {single.Success:F3}, the flow policy {flow.Success:F3}.");
        Bench.Report(Name, Trials.Shown(args), text.ToString());
        return holds ? 0 : 1;

        Evaluation Row(string label, IEnumerable<Evaluation> scored)
        {
            Evaluation[] each = [.. scored];
            var all = PushTRuns.Pool(each);
            var (low, high) = all.Interval();
            text.AppendLine(CultureInfo.InvariantCulture, $"| {label} | {all.Calls:F0} | {all.PlanMs:F2} | **{all.Success:F3}** ({low:F3} to {high:F3}) | {all.Best:F3} ± {all.BestError():F3} | {string.Join(" ", each.Select(one => one.Success.ToString("F2", CultureInfo.InvariantCulture)))} |");
            Console.Error.WriteLine($"{label}: {all}");
            return all;
        }
    }

    private static Evaluation Score(PolicyPackage package, int candidates, JointSelection selection)
    {
        var sampler = package.Manifest.Sampler!;
        return PushTRuns.Score(package, sampler with { Candidates = candidates, Joint = sampler.Joint! with { Selection = selection } }, PushTRuns.Episodes, FirstJudged);
    }
}
