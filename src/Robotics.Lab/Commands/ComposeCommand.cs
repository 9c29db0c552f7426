using System.CommandLine;
using System.Globalization;
using Robotics.Host;
using Robotics.Packages;
using Robotics.Policies.Onnx;
using Robotics.Policies.Steering;

namespace Robotics.Lab.Commands;

/// <summary><c>robotics-lab compose</c>: several policies as one, with weights that were given or searched on a simulator.</summary>
internal static class ComposeCommand
{
    private const ulong FirstSearch = 600_000; // none that anything is judged on, nor those of 'collect'
    private const long MostWeightings = 1000;

    public static Command Create()
    {
        var parents = new Option<string[]>("--parents", "-p") { Description = "packages of kind denoiser or velocity, two or more", Required = true, AllowMultipleArgumentsPerToken = true };
        var to = new Option<DirectoryInfo>("--out") { Description = "folder the composed package is written to; parents are named relative to it", Required = true };
        var name = new Option<string?>("--name") { Description = "of the policy; the folder's name when left out" };
        var mix = new Option<MixOperator>("--operator") { Description = "convex, guidance, or, and", DefaultValueFactory = _ => MixOperator.Convex };
        var weights = new Option<double[]>("--weights") { Description = "one per parent, together 1", AllowMultipleArgumentsPerToken = true };
        var driver = new Option<int?>("--driver") { Description = "parent whose sampler counts, from 0; the one with the largest weight when left out" };
        var search = new Option<bool>("--search") { Description = "try weights between 0 and 1 on a simulator instead" };
        var task = new Option<string>("--task") { Description = "for --search: push-t or detour", DefaultValueFactory = _ => "push-t" };
        var parts = new Option<int>("--parts") { Description = "for --search: steps from weight 0 to weight 1", DefaultValueFactory = _ => 10 };
        var episodes = new Option<int>("--episodes", "-n") { Description = "for --search: starts per weighting", DefaultValueFactory = _ => 50 };
        var seed = new Option<ulong>("--seed") { Description = "for --search: first start; others than the policy is judged on", DefaultValueFactory = _ => FirstSearch };
        var threads = new Option<int>("--threads") { Description = "for --search: episodes at a time", DefaultValueFactory = _ => Environment.ProcessorCount };
        var picture = new Option<FileInfo?>("--picture") { Description = "for --search with two parents: SVG file of the score over the weight", HelpName = "FILE" };
        var command = new Command("compose", """
            Writes a package that mixes the scores of several policies at every step of sampling.

            With --search every weighting on a grid runs from the same starts, and the best one (smoothed over its neighbours; a parent alone unless a mix is ahead by a standard error) is
            written; what that cost is printed. Judge the result on other starts, which 'eval' uses unless told otherwise.

            Examples:
              robotics-lab compose --parents models/push-t-diffusion models/push-t-flow --search --out models/push-t-both
              robotics-lab eval --policy models/push-t-both models/push-t-diffusion models/push-t-flow
              robotics-lab compose --parents a b --weights 0.7 0.3 --out mixed
            """)
        { parents, to, name, mix, weights, driver, search, task, parts, episodes, seed, threads, picture };
        command.SetGuardedAction((parsed, cancellation) =>
        {
            var paths = parsed.GetValue(parents)!;
            var given = parsed.GetValue(weights) is { Length: > 0 } numbers ? numbers : null;
            bool searches = parsed.GetValue(search);
            var check = new ConfigCheck("command line");
            check.That(paths.Length is >= 2 and <= 16, "--parents", $"are {paths.Length}, expected 2 to 16");
            check.That(searches != given is not null, "--weights", searches ? "are given, and --search looks for them; leave one of the two out" : "are missing; give one per parent, or --search");
            check.That(!searches || parsed.GetValue(mix) != MixOperator.Guidance, "--search", "tries weights between 0 and 1, which operator 'guidance' is not meant for; give --weights");
            check.Range(parsed.GetValue(parts), 1, 100, "--parts");
            check.Range(parsed.GetValue(episodes), 1, 1_000_000, "--episodes");
            check.Range(parsed.GetValue(threads), 1, 256, "--threads");
            check.That(!searches || WeightSearch.Count(paths.Length, parsed.GetValue(parts)) <= MostWeightings, "--parts",
                $"is {parsed.GetValue(parts)}: {WeightSearch.Count(paths.Length, parsed.GetValue(parts))} weightings of {paths.Length} parents, expected {MostWeightings} at most");
            check.That(parsed.GetValue(picture) is null || (searches && paths.Length == 2), "--picture", "draws the search of two parents");
            check.Throw();
            string folder = parsed.GetValue(to)!.FullName;
            var loaded = paths.Select(PolicyPackage.Load).ToArray();
            SteeringSpec Steering(string from, double[] w) => new()
            {
                Parents = [.. paths.Zip(loaded, (path, package) => new ParentSpec { Package = Path.GetRelativePath(from, Path.GetFullPath(path)), Sha256 = package.Sha256 })],
                Compose = new() { Operator = parsed.GetValue(mix), Weights = w, Driver = parsed.GetValue(driver) },
            };

            string description = $"Composed of {string.Join(", ", loaded.Select(package => package.Manifest.Name))}.";
            double[] chosen = given ?? [];
            string called = parsed.GetValue(name) ?? Path.GetFileName(folder.TrimEnd('/'));
            Tried(called, Steering, given ?? [.. paths.Select(_ => 1.0 / paths.Length)], tree => Console.Error.WriteLine(tree.What)); // before anything is searched or written
            if (searches)
            {
                var lab = LabTask.Named(parsed.GetValue(task)!);
                long count = WeightSearch.Count(paths.Length, parsed.GetValue(parts));
                var found = Search(lab, called, Steering, paths.Length, parsed.GetValue(parts), parsed.GetValue(episodes), parsed.GetValue(seed), parsed.GetValue(threads), cancellation);
                chosen = found.Best.Weights;
                foreach (var trial in found.Trials)
                {
                    Console.WriteLine($"{(ReferenceEquals(trial, found.Best) ? "*" : " ")} {trial.Words}: {trial.Score}");
                }

                long plans = found.Trials.Sum(trial => trial.Score.Scores.Sum(score => (long)score.Plans)), calls = found.Trials.Sum(trial => trial.Score.Scores.Sum(score => (long)score.Calls));
                string cost = string.Create(CultureInfo.InvariantCulture,
                    $"{count} weightings x {parsed.GetValue(episodes)} starts of {lab.Name} from seed {parsed.GetValue(seed)}: {count * parsed.GetValue(episodes)} episodes, {plans} plans, {calls} network calls");
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"chosen: {found.Best.Words}; {cost}, {found.Took.TotalSeconds:F0} s"));
                description += $" Weights searched: {cost}.";
                if (parsed.GetValue(picture) is { } file)
                {
                    File.WriteAllText(file.FullName, WeightPicture.Draw($"{called}: best reward over the weight of {loaded[0].Manifest.Name}, {parsed.GetValue(episodes)} starts", [Panel(called, found)]));
                }
            }

            PolicyPackage.WriteSteered(folder, called, description, Steering(folder, chosen));
            Console.WriteLine($"{parsed.GetValue(to)}: package '{called}'");
            return Task.FromResult(ExitCode.Done);
        });
        return command;
    }

    /// <summary>Tries every weighting from the same starts.</summary>
    /// <param name="task">The simulator.</param>
    /// <param name="name">Of the policy.</param>
    /// <param name="steering">The package's words for a folder and weights.</param>
    /// <param name="parents">How many.</param>
    /// <param name="parts">Steps of the grid.</param>
    /// <param name="episodes">Starts per weighting.</param>
    /// <param name="seed">First start.</param>
    /// <param name="threads">Episodes at a time.</param>
    /// <param name="cancellation">Ends it.</param>
    public static WeightSearch Search(LabTask task, string name, Func<string, double[], SteeringSpec> steering, int parents, int parts, int episodes, ulong seed, int threads, CancellationToken cancellation)
    {
        long count = WeightSearch.Count(parents, parts);
        using var line = new ProgressLine("episodes", count * episodes);
        return WeightSearch.Run(parents, parts, (weights, before) => In(name, steering, weights, package =>
        {
            line.Report(before * (long)episodes, string.Join(" / ", weights.Select(w => w.ToString("0.##", CultureInfo.InvariantCulture))));
            return Evaluation.Run(task, () => Evaluation.Load(package, null, null), episodes, seed, threads, null, cancellation);
        }));
    }

    /// <summary>The curve of a search with two parents.</summary>
    public static WeightPicture.Panel Panel(string title, WeightSearch found) =>
        new(title, [.. found.Trials.Select(trial => (trial.Weights[0], trial.Score.Best, trial.Score.BestError()))], found.Best.Weights[0]);

    private static void Tried(string name, Func<string, double[], SteeringSpec> steering, double[] weights, Action<PolicyTree> look) => In(name, steering, weights, package =>
    {
        using var tree = PolicyTree.Load(package, new OnnxOptions());
        look(tree);
        return 0;
    });

    // A package with these weights, for a moment.
    private static T In<T>(string name, Func<string, double[], SteeringSpec> steering, double[] weights, Func<PolicyPackage, T> use)
    {
        string folder = Directory.CreateTempSubdirectory("robotics-compose-").FullName;
        try
        {
            PolicyPackage.WriteSteered(folder, name, "", steering(folder, weights));
            return use(PolicyPackage.Load(folder));
        }
        catch (ConfigException wrong)
        {
            throw new ConfigException(wrong.Message.Replace(Path.Combine(folder, "policy.json"), $"composing '{name}'", StringComparison.Ordinal), wrong);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
