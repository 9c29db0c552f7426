using System.CommandLine;
using System.Globalization;
using System.Text;
using Robotics.Host;
using Robotics.Packages;

namespace Robotics.Lab.Commands;

/// <summary><c>robotics-lab eval</c>: how good a policy is, over seeded starts that nobody trained on.</summary>
internal static class EvalCommand
{
    public static Command Create()
    {
        var policies = new Option<string[]>("--policy", "-p") { Description = "packages, or 'demonstrator'", Required = true, AllowMultipleArgumentsPerToken = true };
        var task = new Option<string>("--task") { Description = "push-t or detour", DefaultValueFactory = _ => "push-t" };
        var episodes = new Option<int>("--episodes", "-n") { Description = "starts", DefaultValueFactory = _ => 100 };
        var seed = new Option<ulong>("--seed") { Description = "first start; the others follow", DefaultValueFactory = _ => LabTask.FirstEvaluation };
        var threads = new Option<int>("--threads") { Description = "episodes at a time", DefaultValueFactory = _ => Environment.ProcessorCount };
        var calls = new Option<int[]>("--calls") { Description = "network calls per plan, one evaluation each; the package's own sampler when left out", AllowMultipleArgumentsPerToken = true };
        var tolerance = new Option<double[]>("--tolerance") { Description = "an energy's settling gradient, one evaluation each", AllowMultipleArgumentsPerToken = true };
        var budget = new Option<double?>("--budget-ms") { Description = "real time a plan may take, 0.1 to 1000; numbers then depend on this machine. As long as it takes when left out" };
        var executed = new Option<int?>("--executed") { Description = "Ta, rows executed of each chunk; the package's own when left out" };
        var table = new Option<FileInfo?>("--table") { Description = "markdown file the table is written to as well", HelpName = "FILE" };
        var card = new Option<bool>("--card") { Description = $"write the table into the {ModelCard.FileName} of the package, which must be the only one" };
        var sheet = new Option<FileInfo?>("--sheet") { Description = "SVG file: how the first twenty episodes ended, push-t", HelpName = "FILE" };
        var command = new Command("eval", """
            Runs a policy from many seeded starts, as fast as it goes, and prints how well it did with its confidence.

            best reward is the mean over episodes of the highest reward reached (PushT: coverage/0.95, at most 1), with its 95 % interval;
            solved is the share of episodes that end on the goal, with its Wilson interval. The numbers depend on nothing but the
            package and the seeds.

            Examples:
              robotics-lab eval --policy models/push-t-diffusion --calls 1 2 4 8 16 100 --table table.md
              robotics-lab eval --policy demonstrator
            """)
        { policies, task, episodes, seed, threads, calls, tolerance, executed, table, card, sheet };
        command.SetGuardedAction((parsed, cancellation) =>
        {
            var check = new ConfigCheck("command line");
            check.Range(parsed.GetValue(episodes), 1, 1_000_000, "--episodes");
            check.Range(parsed.GetValue(threads), 1, 256, "--threads");
            check.That((parsed.GetValue(calls) ?? []).All(n => n is >= 1 and <= 1000), "--calls", "are 1 to 1000 each");
            check.That(!parsed.GetValue(card) || parsed.GetValue(policies) is [not "demonstrator"], "--card", "goes with one package");
            check.That(parsed.GetValue(budget) is null or (>= 0.1 and <= 1000), "--budget-ms", string.Create(CultureInfo.InvariantCulture, $"is {parsed.GetValue(budget)}, expected 0.1 to 1000"));
            check.Throw();
            TimeSpan? real = parsed.GetValue(budget) is { } ms ? TimeSpan.FromMilliseconds(ms) : null;
            var chosen = LabTask.Named(parsed.GetValue(task)!);
            var rows = new List<string>();
            foreach (string policy in parsed.GetValue(policies)!)
            {
                foreach (var (label, make) in Variants(chosen, policy, parsed.GetValue(calls) ?? [], parsed.GetValue(tolerance) ?? [], parsed.GetValue(executed)))
                {
                    Evaluation result;
                    using (var line = new ProgressLine($"{label} ", parsed.GetValue(episodes)))
                    {
                        result = Evaluation.Run(chosen, make, parsed.GetValue(episodes), parsed.GetValue(seed), parsed.GetValue(threads), line, cancellation, real);
                    }

                    var (low, high) = result.Interval();
                    string sides = chosen.Name == "detour" ? string.Create(CultureInfo.InvariantCulture, $", {result.Right:P0} of them to the right") : "";
                    string late = real is null ? "" : string.Create(CultureInfo.InvariantCulture, $", {result.Late} plans late");
                    Console.WriteLine($"{label}: {result}{sides}{late}");
                    rows.Add(string.Create(CultureInfo.InvariantCulture,
                        $"| {label} | {result.Calls:F1} | **{result.Best:F3}** ± {result.BestError():F3} | {result.Success:F2} ({low:F2} to {high:F2}) | {result.PlanMs:F2} |{(sides.Length > 0 ? $" {result.Right:F2} |" : "")}"));
                }
            }

            string text = Table(chosen, parsed.GetValue(episodes), parsed.GetValue(seed), "robotics-lab " + string.Join(' ', parsed.Tokens.Select(token => token.Value)), rows);
            if (parsed.GetValue(table) is { } file)
            {
                File.WriteAllText(file.FullName, text);
            }

            if (parsed.GetValue(card))
            {
                ModelCard.Evaluation(parsed.GetValue(policies)![0], text);
            }

            if (parsed.GetValue(sheet) is { } picture)
            {
                var first = Variants(chosen, parsed.GetValue(policies)![0], [], [], parsed.GetValue(executed))[0];
                File.WriteAllText(picture.FullName, ContactSheet.Draw(chosen, first.Make, parsed.GetValue(seed)));
            }

            return Task.FromResult(ExitCode.Done);
        });
        return command;
    }

    private static List<(string Label, Func<(IPolicy Policy, PolicyManifest Manifest)> Make)> Variants(LabTask task, string policy, int[] calls, double[] tolerances, int? executed)
    {
        if (policy == "demonstrator")
        {
            return [("demonstrator", () => task.Demonstrator(100))];
        }

        var package = PolicyPackage.Load(policy);
        string name = package.Manifest.Name;
        if (calls.Length == 0 && tolerances.Length == 0)
        {
            return [(name, () => Evaluation.Load(package, null, executed))];
        }

        var sampler = package.Manifest.Sampler ?? throw new ConfigException(policy, ["has no sampler; --calls and --tolerance are for sampled policies"]);
        if (tolerances.Length > 0 && sampler.Energy is null)
        {
            throw new ConfigException(policy, ["has no energy; --tolerance is for energy policies"]);
        }

        return
        [
            .. calls.Select(n => ($"{name}, {n} calls", new Func<(IPolicy, PolicyManifest)>(() => Evaluation.Load(package, Evaluation.WithCalls(sampler, n), executed)))),
            .. tolerances.Select(t => (string.Create(CultureInfo.InvariantCulture, $"{name}, tolerance {t:G3}"),
                new Func<(IPolicy, PolicyManifest)>(() => Evaluation.Load(package, sampler with { Energy = sampler.Energy! with { Tolerance = t } }, executed)))),
        ];
    }

    private static string Table(LabTask task, int episodes, ulong seed, string command, List<string> rows)
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"`{command}`").AppendLine();
        text.AppendLine(CultureInfo.InvariantCulture, $"{task.Name}, {episodes} starts from seed {seed}; intervals are 95 %.").AppendLine();
        bool sides = task.Name == "detour";
        text.AppendLine($"| policy | calls per plan | best reward | solved | ms per plan |{(sides ? " to the right |" : "")}");
        text.AppendLine($"|---|---|---|---|---|{(sides ? "---|" : "")}");
        rows.ForEach(row => text.AppendLine(row));
        return text.ToString();
    }
}
