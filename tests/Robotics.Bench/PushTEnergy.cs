using System.Globalization;
using System.Text;
using Robotics.Lab;
using Robotics.Numerics;
using Robotics.Observations;
using Robotics.Packages;

namespace Robotics.Bench;

/// <summary>Whether an energy does with ten calls what diffusion does with a hundred, whether it may stop by itself, which objective
/// serves, and whether its value tells a familiar state from a foreign one.</summary>
internal sealed class PushTEnergy : IBenchmark
{
    private static readonly double[] s_tolerances = [0.03, 0.05, 0.07, 0.1, 0.15];

    public string Name => "push-t-energy";

    public string Claim => "energy on PushT: solved within 0.02 of 100-step diffusion in at most 10 calls; stopping when settled saves 20 % at no more than 0.02";

    public int Run(string[] args)
    {
        var runs = PushTRuns.From(args);
        var text = new StringBuilder();
        text.AppendLine("The runs and starts of push-t-families.").AppendLine();
        text.AppendLine("| policy | calls of a plan, mean | score | seeds | solved | ms per plan |").AppendLine("|---|---|---|---|---|---|");
        var diffusion = Add("diffusion, DDPM", "diffusion", sampler => Evaluation.WithCalls(sampler, 100));
        var energy = Add("energy, equilibrium matching", "energy", sampler => sampler);
        double saved = 0, lost = 0;
        foreach (double tolerance in s_tolerances)
        {
            var stopped = Add(string.Create(CultureInfo.InvariantCulture, $"the same, until the gradient is below {tolerance}"), "energy", sampler => sampler with { Energy = sampler.Energy! with { Tolerance = tolerance } });
            double saves = 1 - (stopped.Calls / energy.Calls), loses = energy.Success - stopped.Success;
            if (loses <= 0.02 && saves > saved)
            {
                (saved, lost) = (saves, loses);
            }
        }

        if (args.Contains("--unrolled"))
        {
            var package = runs.Package("energy-unrolled", 1);
            foreach (int calls in (int[])[2, 10, 20])
            {
                var sampler = package.Manifest.Sampler!;
                var score = PushTRuns.Score(package, sampler with { Energy = sampler.Energy! with { MaxSteps = calls } });
                text.AppendLine(PushTFamilies.Row($"energy, published unrolled objective, seed 1, {package.Manifest.Trained?.Steps} updates", calls.ToString(CultureInfo.InvariantCulture), score, ""));
            }
        }

        double difference = diffusion.Success - energy.Success;
        text.AppendLine().AppendLine(CultureInfo.InvariantCulture, $"Energy against 100-step diffusion: {energy.Success:F3} against {diffusion.Success:F3} solved, {difference:F3} lost (limit 0.02), with {energy.Calls:F1} calls (limit 10).");
        text.AppendLine(CultureInfo.InvariantCulture, $"Stopping when settled: saves at most {saved:P0} of the calls within the limit of 0.02 (there it loses {lost:F3}); the limit is 20 %.").AppendLine();
        Familiar(runs, text);
        bool holds = difference <= 0.02 && energy.Calls <= 10 && saved >= 0.2;
        text.AppendLine().AppendLine(holds ? "Holds." : "Falls short, as the lines above say.");
        Bench.Report(Name, [.. args.Where(arg => arg == "--unrolled")], text.ToString());
        return holds ? 0 : 1;

        Evaluation Add(string label, string family, Func<SamplerSpec, SamplerSpec> with)
        {
            var scores = PushTRuns.Seeds.Select(seed => runs.Package(family, seed)).Select(package => PushTRuns.Score(package, with(package.Manifest.Sampler!))).ToArray();
            var all = PushTRuns.Pool(scores);
            text.AppendLine(PushTFamilies.Row(label, all.Calls.ToString("F1", CultureInfo.InvariantCulture), all, string.Join(" ", scores.Select(score => score.Best.ToString("F3", CultureInfo.InvariantCulture)))));
            return all;
        }
    }

    // States that the demonstrator visits, and the same states seen through a fault or through another table.
    private static void Familiar(PushTRuns runs, StringBuilder text)
    {
        var package = runs.Package("energy", 1);
        var familiar = Observations(package.Manifest, null);
        text.AppendLine("Does the energy of the planned chunk tell foreign states from familiar ones? Area under the ROC curve, 0.5 is a coin, seed 1, 1,000 states each:").AppendLine();
        text.AppendLine("| foreign | AUROC |").AppendLine("|---|---|");
        float[] known = Energies(package, familiar);
        foreach (var (name, change) in Faults())
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"| {name} | {Auroc(known, Energies(package, Observations(package.Manifest, change))):F2} |");
        }
    }

    private static IEnumerable<(string Name, Action<SeededRandom, float[]> Change)> Faults() =>
    [
        ("block sensed 5 cm aside", (_, signals) => Shift(signals, 0.05f)),
        ("keypoints with 2 cm of noise", (random, signals) =>
        {
            for (int j = 9; j < 27; j++)
            {
                signals[j] += 0.02f * (float)random.NextGaussian();
            }
        }),
        ("keypoints in another order", (_, signals) => Array.Reverse(signals, 9, 18)),
        ("agent's sensor stuck in a corner", (_, signals) => (signals[0], signals[1]) = (0.02f, 0.02f)),
        ("block outside the table", (_, signals) => Shift(signals, 0.5f)),
    ];

    private static void Shift(float[] signals, float by)
    {
        for (int j = 9; j < 27; j += 2)
        {
            signals[j] += by;
        }
    }

    private static List<float[]> Observations(PolicyManifest manifest, Action<SeededRandom, float[]>? change)
    {
        const int episodes = 50, each = 20;
        var task = LabTask.Named("push-t");
        var assembler = new ObservationAssembler(manifest, task.Robot);
        var all = new List<float[]>();
        for (ulong i = 0; i < episodes; i++)
        {
            var frames = new List<float[]>();
            var (policy, wiring) = task.Demonstrator(100);
            using (policy)
            {
                task.Run(policy, wiring, PushTRuns.FirstStart + i, i, (_, signals, _, _) => frames.Add(signals.ToArray()));
            }

            var random = new SeededRandom(i);
            for (int k = 0; k < each; k++)
            {
                int at = random.NextInt(1, Math.Max(frames.Count, 2));
                assembler.Reset();
                float[] observation = new float[assembler.Length];
                for (int step = Math.Min(at, frames.Count - 1) - 1; step <= Math.Min(at, frames.Count - 1); step++)
                {
                    float[] seen = [.. frames[Math.Max(step, 0)]];
                    change?.Invoke(random, seen);
                    assembler.Assemble(seen, TimeSpan.FromMilliseconds(100 * step), [], [0, 0], seen.AsSpan(0, 2), observation);
                }

                all.Add(observation);
            }
        }

        return all;
    }

    private static float[] Energies(PolicyPackage package, List<float[]> observations)
    {
        var (policy, _) = Evaluation.Load(package, null, null);
        using (policy)
        {
            float[] chunk = new float[policy.Spec.Rows * policy.Spec.ActionLength];
            policy.Reset(1);
            return [.. observations.Select(observation => policy.Plan(observation, new(long.MaxValue), chunk).Energy)];
        }
    }

    // Share of pairs in which the foreign state has the higher energy.
    private static double Auroc(float[] known, float[] foreign)
    {
        float[] sorted = [.. known.Order()];
        return foreign.Average(energy =>
        {
            int below = Array.BinarySearch(sorted, energy);
            return (below < 0 ? ~below : below) / (double)sorted.Length;
        });
    }
}
