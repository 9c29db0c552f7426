using System.Globalization;
using System.Text;
using Robotics.Lab;
using Robotics.Learning.Data;
using Robotics.Learning.Offline;
using Robotics.Numerics;
using Robotics.Observations;
using Robotics.Packages;
using Robotics.Policies.Onnx;
using Robotics.Sim.Tasks;

namespace Robotics.Bench;

/// <summary>One critic, learned offline from rollouts of mixed quality, beside three frozen PushT policies of different families.</summary>
/// <remarks>
/// The rollouts are of other training seeds than the judged policies', and of one cut short, each with its chunks pushed aside by three
/// sizes of noise, from starts of their own. A transition is a plan: the observation, the four rows executed, and the mean of
/// (reward - 1) over them, so that being done is worth most. Nothing was chosen on the judged starts.
/// </remarks>
internal sealed class ValueGuidance : IBenchmark
{
    private const int Rows = 4, Width = 2 * Rows;
    private const ulong FirstRollout = 500_000;

    private static readonly int[] s_candidates = [1, 2, 5, 10, 30];
    private static readonly string[] s_families = ["diffusion", "flow", "energy"];

    private int _rollouts = 1000, _updates = 12_000, _starts = PushTRuns.Episodes;

    public string Name => "push-t-guidance";

    public string Claim => "one IQL critic lifts three frozen PushT policies by 10 points of success at K = 10; a random critic does not";

    public int Run(string[] args)
    {
        var runs = PushTRuns.From(args);
        if (args is [_, _, "--size", var rollouts, var updates, var starts])
        {
            (_rollouts, _updates, _starts) = (int.Parse(rollouts, CultureInfo.InvariantCulture), int.Parse(updates, CultureInfo.InvariantCulture), int.Parse(starts, CultureInfo.InvariantCulture));
        }

        string folder = Directory.CreateTempSubdirectory("robotics-guidance-").FullName;
        try
        {
            return Measure(runs, folder, args);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private int Measure(PushTRuns runs, string folder, string[] args)
    {
        var parent = runs.Package("diffusion", 1).Manifest;
        var data = Collect(runs, out string quality);
        Console.Error.WriteLine($"{data}: {quality}");
        using var iql = new Iql(data, new IqlOptions { Gamma = 0.95, Expectile = 0.7, CosineOver = _updates });
        double[] figures = new double[iql.Columns.Count];
        for (int update = 1; update <= _updates; update++)
        {
            iql.Advance();
            if (update % 2000 == 0)
            {
                iql.Report(figures);
                Console.Error.WriteLine($"{update}: {string.Join(", ", iql.Columns.Zip(figures, (name, value) => string.Create(CultureInfo.InvariantCulture, $"{name} {value:G3}")))}");
            }
        }

        PushTRuns.WriteCritic(Path.Combine(folder, "critic"), parent, iql.Q, Rows, iql.Q.Normalizer.Spec()!);
        using (var untrained = new Iql(data, new IqlOptions { Seed = 7 }))
        {
            PushTRuns.WriteCritic(Path.Combine(folder, "random"), parent, untrained.Q, Rows, untrained.Q.Normalizer.Spec()!);
        }

        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"Critic: IQL (two of 2 x 256, expectile 0.7, discount 0.95 per plan, {_updates} updates of 256) on {data.Count} plans of {data.Episodes} rollouts from seed {FirstRollout}: {quality}.");
        text.AppendLine(CultureInfo.InvariantCulture, $"Judged: the policies of push-t-families, seed 1, none of which is in the data, {_starts} starts from seed {PushTRuns.FirstStart}: solved (95 %, Wilson), mean best reward; ms per plan while the machine did other work besides. 'As packed' is the policy by itself; the energy's own package descends eight times and takes the lowest energy, at K = 1 it descends once.").AppendLine();
        text.AppendLine(CultureInfo.InvariantCulture, $"| policy | as packed | {string.Join(" | ", s_candidates.Select(k => $"K = {k}"))} | random critic, K = 10 | K = 10 over as packed |");
        text.AppendLine($"|---|---|{string.Concat(Enumerable.Repeat("---|", s_candidates.Length))}---|---|");
        int lifted = 0;
        bool randomHelps = false;
        foreach (string family in s_families)
        {
            var bare = PushTRuns.Score(runs.Package(family, 1), null, _starts);
            var guided = s_candidates.Select(k => Guided(runs, family, folder, "critic", k)).ToArray();
            var random = Guided(runs, family, folder, "random", 10);
            double lift = guided[Array.IndexOf(s_candidates, 10)].Success - bare.Success;
            lifted += lift >= 0.10 - 1e-9 ? 1 : 0;
            randomHelps |= random.Success - bare.Success >= 0.10 - 1e-9;
            text.AppendLine(CultureInfo.InvariantCulture, $"| {family} | {Cell(bare)} | {string.Join(" | ", guided.Select(Cell))} | {Cell(random)} | **{lift:+0.00;-0.00}** |");
            Console.Error.WriteLine($"{family}: {Cell(bare)}; {string.Join("; ", guided.Select(Cell))}; random {Cell(random)}");
        }

        bool holds = lifted == s_families.Length && !randomHelps;
        text.AppendLine().AppendLine(CultureInfo.InvariantCulture, $"{(holds ? "Holds" : "Falls short")}: {lifted} of {s_families.Length} lifted by 10 points or more (3); a random critic {(randomHelps ? "does, too" : "does not")}.");
        Bench.Report(Name, [.. args.Skip(2)], text.ToString());
        return holds ? 0 : 1;
    }

    private static string Cell(Evaluation score)
    {
        var (low, high) = score.Interval();
        return string.Create(CultureInfo.InvariantCulture, $"{score.Success:F2} ({low:F2} to {high:F2}), {score.Best:F3}, {score.PlanMs:F1} ms");
    }

    private Evaluation Guided(PushTRuns runs, string family, string folder, string critic, int candidates)
    {
        string at = Path.Combine(folder, "guided");
        PolicyPackage.WriteSteered(at, $"{family}-{candidates}", "", new()
        {
            Parents = [new() { Package = Path.GetRelativePath(at, runs.Folder(family, 1)) }],
            Guide = new() { Critic = new() { Package = $"../{critic}" }, Candidates = candidates },
        });
        return PushTRuns.Score(PolicyPackage.Load(at), null, _starts);
    }

    // Rollouts of good, middling and bad policies, and of each under noise that lasts a plan.
    private TransitionSet Collect(PushTRuns runs, out string quality)
    {
        (string Method, ulong Seed)[] behaviours = [("diffusion", 2), ("flow", 2), ("energy", 2), ("weak", 1)];
        double[] noises = [0, 0.01, 0.03];
        OnnxPolicy[] policies = [.. behaviours.Select(one => OnnxPolicy.Load(runs.Package(one.Method, one.Seed), new OnnxOptions()))];
        var manifests = behaviours.Select(one => runs.Package(one.Method, one.Seed).Manifest).ToArray();
        using var table = new PushT();
        var builder = new TransitionSetBuilder(40, Width);
        var solved = new double[behaviours.Length, noises.Length];
        int each = _rollouts / behaviours.Length / noises.Length;
        var own = new Normalizer(runs.Package("diffusion", 1).Manifest.Action.Normalization!, Width); // of the judged policies: all learned from the same data
        var random = new SeededRandom(3);
        using (var line = new ProgressLine("rollouts", _rollouts))
        {
            for (int r = 0; r < each * behaviours.Length * noises.Length; r++)
            {
                int b = r % behaviours.Length, n = r / behaviours.Length % noises.Length;
                solved[b, n] += Rollout(table, policies[b], manifests[b], own, FirstRollout + (ulong)r, noises[n], random, builder) ? 1.0 / each : 0;
                line.Report(r, "");
            }
        }

        Array.ForEach(policies, policy => policy.Dispose());
        quality = string.Join("; ", behaviours.Select((one, b) => string.Create(CultureInfo.InvariantCulture,
            $"{one.Method} {one.Seed} solved {string.Join(" / ", noises.Select((_, n) => solved[b, n].ToString("F2", CultureInfo.InvariantCulture)))}"))) + " with noise of 0 / 0.01 / 0.03 of the action's range";
        return builder.Build();
    }

    private static bool Rollout(PushT table, OnnxPolicy policy, PolicyManifest manifest, Normalizer own, ulong seed, double noise, SeededRandom random, TransitionSetBuilder builder)
    {
        var assembler = new ObservationAssembler(manifest, table.Robot);
        var actions = new ActionMap(manifest, table.Robot);
        float[] signals = new float[table.Robot.Layout.Length], target = new float[2], observation = new float[assembler.Length], next = new float[assembler.Length];
        float[] chunk = new float[policy.Spec.Rows * 2], taken = new float[Width], row = new float[2];
        table.Reset(seed, signals);
        policy.Reset(seed);
        actions.Reset(signals.AsSpan(0, 2));
        signals.AsSpan(0, 2).CopyTo(target);
        StepResult result = default;
        int step = 0;
        assembler.Assemble(signals, default, [], [0, 0], target, observation);
        while (!result.Terminated && !result.Truncated)
        {
            policy.Plan(observation, new(long.MaxValue), chunk);
            own.Normalize(chunk.AsSpan(0, Width), taken);
            double x = noise * 2 * random.NextGaussian(), y = noise * 2 * random.NextGaussian();
            for (int j = 0; j < Width; j++)
            {
                taken[j] = Math.Clamp(taken[j] + (float)(j % 2 == 0 ? x : y), -1, 1);
            }

            own.Denormalize(taken, chunk.AsSpan(0, Width));
            float sum = 0;
            int steps = 0;
            for (; steps < Rows && !result.Terminated && !result.Truncated; steps++)
            {
                chunk.AsSpan(2 * steps, 2).CopyTo(row);
                actions.Map(row, signals.AsSpan(0, 2), target);
                result = table.Step(target, signals);
                sum += result.Reward - 1;
                assembler.Assemble(signals, TimeSpan.FromMilliseconds(100 * ++step), [], [0, 0], target, next);
            }

            builder.Add(observation, taken, sum / Rows, next, result.Terminated);
            next.CopyTo(observation, 0);
        }

        builder.EndEpisode();
        return result.Terminated;
    }
}
