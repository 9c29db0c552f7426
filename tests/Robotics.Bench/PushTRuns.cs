using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Robotics.Lab;
using Robotics.Learning.Export;
using Robotics.Learning.Networks;
using Robotics.Packages;

namespace Robotics.Bench;

/// <summary>The training runs that the PushT trials judge: three families, three seeds each, all on the same demonstrations.</summary>
/// <remarks>What is missing is made with <c>robotics-lab</c> (5 minutes of collecting and 8 minutes a run on one core each); what is
/// there is used, and a run that was interrupted goes on.</remarks>
internal sealed class PushTRuns
{
    public const int Episodes = 100;

    /// <summary>First start that is judged. Settings (steps, candidates, what the last layer says) were chosen on the starts that
    /// <c>robotics-lab eval</c> takes by itself, so those would flatter.</summary>
    public const ulong FirstStart = LabTask.FirstEvaluation + 100_000;

    public static readonly IReadOnlyList<ulong> Seeds = [1, 2, 3];

    private const string PoseWiring = "runs/pose.json";

    private readonly string _folder;

    private PushTRuns(string folder) => _folder = folder;

    /// <summary>The arguments that collect the demonstrations, and that train one run.</summary>
    public static string[] Collect => ["collect", "--task", "push-t", "--episodes", "3000", "--noise", "0.015", "--out", "data/push-t"];

    /// <summary>The arguments that record what policies do, for the joint model: good, disturbed and bad ones, and the demonstrator.</summary>
    public static IReadOnlyList<string[]> CollectRollouts { get; } =
    [
        ["collect", "--policy", "runs/push-t-flow-2/package", "--seed", "15", "--episodes", "300", "--out", "data/push-t-rollouts/flow-calm"],
        ["collect", "--policy", "runs/push-t-flow-2/package", "--noise", "0.03", "--seed", "12", "--episodes", "250", "--out", "data/push-t-rollouts/flow"],
        ["collect", "--policy", "runs/push-t-weak-1/package", "--noise", "0.015", "--seed", "11", "--episodes", "250", "--out", "data/push-t-rollouts/weak"],
        ["collect", "--noise", "0.015", "--seed", "1", "--episodes", "250", "--out", "data/push-t-rollouts/demonstrator"],
    ];

    public static string[] Train(string method, ulong seed)
    {
        string[] all = ["--seed", seed.ToString(CultureInfo.InvariantCulture), "--executed", "4", "--run", Run(method, seed), "--data", "data/push-t", "--batch", method == "joint" ? "256" : "128"];
        return method switch
        {
            "joint" => ["train", "joint", .. all, "--rollouts", .. CollectRollouts.Select(arguments => arguments[^1]), "--outcome", "0.x", "0.y", "2.x", "2.y", "--steps", "30000"],
            "weak" => ["train", "diffusion", .. all, "--name", "push-t-weak", "--width", "256", "--steps", "1500"],
            "short" => ["train", "diffusion", .. all, "--name", "push-t-short", "--steps", "5000"],
            "pose" => ["train", "diffusion", .. all, "--name", "push-t-pose", "--wiring", PoseWiring, "--steps", "20000"],
            _ => ["train", method, .. all, .. method.StartsWith("energy", StringComparison.Ordinal) ? (string[])["--layers", "3"] : [], "--steps", "20000"],
        };
    }

    /// <summary>From <c>--work FOLDER</c>; artifacts/push-t without it.</summary>
    public static PushTRuns From(string[] args)
    {
        string folder = args is ["--work", var named, ..] ? named : Path.Combine(Bench.Root, "artifacts", "push-t");
        Directory.CreateDirectory(folder);
        return new(folder);
    }

    /// <summary>The finished package of a run: of a family, of a joint model, of a diffusion cut short at a quarter of the updates
    /// ("short"), of a small one cut shorter still ("weak"), or of one that sees the block's pose in place of its keypoints ("pose").</summary>
    public PolicyPackage Package(string method, ulong seed)
    {
        string package = Path.Combine(_folder, Run(method, seed), "package");
        if (!File.Exists(Path.Combine(package, "policy.json")))
        {
            if (!Directory.Exists(Path.Combine(_folder, "data", "push-t")))
            {
                Lab(Collect);
            }

            if (method == "pose")
            {
                WritePoseWiring();
            }

            foreach (string[] arguments in method == "joint" ? CollectRollouts.Where(arguments => !Directory.Exists(Path.Combine(_folder, arguments[^1]))) : [])
            {
                _ = arguments is ["collect", "--policy", var driver, ..] && driver.Contains("weak", StringComparison.Ordinal) ? Package("weak", 1) : Package("flow", 2);
                Lab(arguments);
            }

            Lab(Train(method, seed));
        }

        return PolicyPackage.Load(package);
    }

    /// <summary>Scores a package on the starts that no demonstration began from.</summary>
    public static Evaluation Score(PolicyPackage package, SamplerSpec? sampler, int episodes = Episodes, ulong first = FirstStart)
    {
        string sentence = $"{package.Manifest.Name}, seed {package.Manifest.Trained?.Seed}";
        using var line = new ProgressLine(sentence, episodes);
        return Evaluation.Run(LabTask.Named("push-t"), () => Evaluation.Load(package, sampler, null), episodes, first, Environment.ProcessorCount, line, CancellationToken.None);
    }

    /// <summary>Packs an ensemble that judges the first rows of what a policy plans.</summary>
    /// <param name="folder">Of the package.</param>
    /// <param name="parent">A policy whose observations and actions it judges; actions are normalised alike.</param>
    /// <param name="critic">The ensemble; its action is so many rows, one after the other.</param>
    /// <param name="rows">How many.</param>
    /// <param name="observations">What its networks see observations through.</param>
    public static void WriteCritic(string folder, PolicyManifest parent, Critic critic, int rows, NormalizationSpec observations)
    {
        var group = parent.Observations[0];
        Directory.CreateDirectory(folder);
        File.WriteAllBytes(Path.Combine(folder, "critic.onnx"), ActorGraph.Write(critic, rows));
        PolicyPackage.Write(folder, parent with
        {
            Name = "critic",
            Kind = PolicyKind.Critic,
            Files = [new() { Path = "critic.onnx", Sha256 = "" }],
            Models =
            [
                new()
                {
                    File = "critic.onnx",
                    Inputs = [new() { Name = "observation", From = $"observation:{group.Name}" }, new() { Name = "action", From = "action" }],
                    Outputs = [new() { Name = "q", To = "q" }, new() { Name = "gradient", To = "gradient" }],
                },
            ],
            Observations = [group with { Normalization = observations }],
            Action = parent.Action with { Rows = rows, FirstRow = 0 },
            Sampler = null,
            Golden = null,
            Trained = null,
        });
    }

    /// <summary>Several training seeds as one: every episode counts the same.</summary>
    public static Evaluation Pool(IEnumerable<Evaluation> seeds) => new([.. seeds.SelectMany(seed => seed.Scores)]);

    /// <summary>The demonstrations' folder; there once a package is.</summary>
    public string Data => Path.Combine(_folder, "data", "push-t");

    /// <summary>The folder of a package, for packages that name it; there once <see cref="Package"/> was asked for it.</summary>
    public string Folder(string method, ulong seed) => Path.Combine(_folder, Run(method, seed), "package");

    // The task's own wiring with one term changed; its networks are not read.
    private void WritePoseWiring()
    {
        var json = JsonNode.Parse(Package("diffusion", 1).Text)!.AsObject();
        foreach (string key in (string[])["sampler", "trained", "golden"])
        {
            json.Remove(key);
        }

        json["name"] = "push-t-pose";
        json["kind"] = "direct";
        json["models"] = new JsonArray(new JsonObject
        {
            ["file"] = "step.onnx",
            ["inputs"] = new JsonArray(new JsonObject { ["name"] = "o", ["from"] = "observation:state" }),
            ["outputs"] = new JsonArray(new JsonObject { ["name"] = "a", ["to"] = "action" }),
        });
        var group = json["observations"]![0]!.AsObject();
        group.Remove("history");
        group.Remove("normalization");
        group["terms"]![1]!["signal"] = "block.pose";
        json["action"]!.AsObject().Remove("normalization");
        json["action"]!.AsObject().Remove("first_row");
        File.WriteAllText(Path.Combine(_folder, PoseWiring), json.ToJsonString());
    }

    private static string Run(string method, ulong seed) => string.Create(CultureInfo.InvariantCulture, $"runs/push-t-{method}-{seed}");

    private void Lab(string[] args)
    {
        string configuration = new DirectoryInfo(AppContext.BaseDirectory.TrimEnd('/')).Name;
        string program = Path.Combine(Bench.Root, "artifacts", "bin", "Robotics.Lab", configuration, "robotics-lab");
        Console.Error.WriteLine($"robotics-lab {string.Join(' ', args)}");
        using var process = Process.Start(new ProcessStartInfo(program, args) { WorkingDirectory = _folder })!;
        process.WaitForExit();
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"robotics-lab ended with {process.ExitCode}; its own message stands above.");
        }
    }
}
