using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Robotics.Lab;
using Robotics.Learning.Data;
using Robotics.Learning.Dense;
using Robotics.Numerics;
using Robotics.Observations;
using Robotics.Packages;
using Robotics.Policies.Onnx;
using Robotics.Policies.Steering;

namespace Robotics.Bench;

/// <summary>Which signals tell a situation that a PushT policy should not act in: each gate at 1 % false alarms, and several together.</summary>
/// <remarks>Everything goes through packages and <see cref="GatedPolicy"/>. Known situations are those that the policy gets itself into;
/// thresholds are the conformal ones of 60 episodes, false alarms are counted in others. That a refusal holds the robot is a test
/// (<c>RefuseTests</c>).</remarks>
internal sealed class Refusal : IBenchmark
{
    private const int Calibration = 60, Judged = 40, Each = 10, Stored = 2000, Members = 5, Updates = 1000, Batch = 256;
    private const ulong FirstCalibration = 400_000;
    private const double FalseAlarm = 0.01, Detected = 0.8, Whatever = 1e30;
    private const int Agent = 0, Pose = 6, Keypoints = 9, KeypointEnd = 27; // in PushT's signal frame

    private static readonly string[] s_signals = ["spread of 8", "distance, elements", "distance, whitened", "critics' deviation", "energy"];

    public string Name => "refusal";

    public string Claim => "unseen object poses, sensor faults and a foreign robot on PushT: at least 80 % detected at 1 % false alarms";

    public int Run(string[] args)
    {
        var runs = PushTRuns.From(args);
        string folder = Directory.CreateTempSubdirectory("robotics-refusal-").FullName;
        try
        {
            return Measure(runs, folder);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private int Measure(PushTRuns runs, string folder)
    {
        var package = runs.Package("diffusion", 1);
        var task = LabTask.Named("push-t");
        var set = EpisodeSet.Read([runs.Data], task.Wiring, new EpisodeFilter { Outcome = "success" });
        Console.Error.WriteLine($"{set.Episodes.Count} demonstrations");
        float[] coreset = Coreset(set);
        WriteCritic(Path.Combine(folder, "critic"), package.Manifest, set);
        Console.Error.WriteLine("critics trained");
        using var gated = Gated(Path.Combine(folder, "gated"), runs.Folder("diffusion", 1), coreset, [
            new() { Signal = GateSignal.Spread, Threshold = Whatever, Candidates = 8, Scale = [0.01f] },
            new() { Signal = GateSignal.Distance, Threshold = Whatever, Coreset = "known.f32" },
            new() { Signal = GateSignal.Distance, Threshold = Whatever, Coreset = "known.f32", Metric = GateMetric.Whitened },
            new() { Signal = GateSignal.Ensemble, Threshold = Whatever, Critic = new() { Package = "../critic" } },
        ]);
        runs.Package("energy", 1);
        using var energy = Gated(Path.Combine(folder, "energy"), runs.Folder("energy", 1), [], [new() { Signal = GateSignal.Energy, Threshold = Whatever }]);
        var calibration = Rollouts(task, package, FirstCalibration, Calibration);
        var judged = Rollouts(task, package, LabTask.FirstEvaluation, Judged);
        double[][] Sense(List<List<float[]>> episodes, Fault fault) =>
            [.. Situations(package.Manifest, episodes, fault).Select(observation => (double[])[.. Look(gated, observation), .. Look(energy, observation)])];
        double[][] known = Sense(calibration, s_none), fresh = Sense(judged, s_none);
        double[] Thresholds(double share) => [.. s_signals.Select((_, g) => GateCalibration.Threshold([.. known.Select(seen => seen[g])], share))];
        double[] alone = Thresholds(FalseAlarm);
        int[][] together = [[0, 1, 2, 3, 4], [1, 2]];
        double[][] shared = [.. together.Select(gates => Thresholds(FalseAlarm / gates.Length))];
        double[] Shares(double[][] situations) =>
        [
            .. s_signals.Select((_, g) => situations.Average(seen => seen[g] <= alone[g] ? 0.0 : 1)),
            .. together.Select((gates, c) => situations.Average(seen => gates.Any(g => !(seen[g] <= shared[c][g])) ? 1.0 : 0)),
        ];

        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"Diffusion policy of push-t-families (seed 1), the energy's signal from the energy policy beside it. Known situations: what the diffusion policy meets at its own plans. Thresholds: {known.Length} situations of {Calibration} episodes from seed {FirstCalibration}; each signal alone at {FalseAlarm:P0} false alarms, several together at {FalseAlarm:P0} divided among them. Judged: {Judged} other episodes from seed {LabTask.FirstEvaluation}, the same situations through each fault; share refused at a single plan (a fault that lasts is looked at again at every plan).");
        text.AppendLine(CultureInfo.InvariantCulture, $"Distance: to {Stored} windows of the demonstrations, stored in the package. Critics: {Members} networks of 2 x 256, {Updates} updates, that learned 0.98^(steps left) from the demonstrations.").AppendLine();
        text.AppendLine(CultureInfo.InvariantCulture, $"| | {string.Join(" | ", s_signals)} | any of the five | both distances |").AppendLine($"|---|{string.Concat(Enumerable.Repeat("---|", s_signals.Length + 2))}");
        Row("known (false alarms)", Shares(fresh), limit: false);
        int faults = 0, well = 0;
        var missed = new List<string>();
        foreach (var (group, members) in Faults())
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"| *{group}* |{string.Concat(Enumerable.Repeat(" |", s_signals.Length + 2))}");
            foreach (var (name, fault) in members)
            {
                double[] shares = Shares(Sense(judged, fault));
                Row(name, shares, limit: true);
                Console.Error.WriteLine($"{name}: {string.Join(" ", shares.Select(share => share.ToString("F2", CultureInfo.InvariantCulture)))}");
                faults++;
                well += shares[^1] >= Detected ? 1 : 0;
                if (shares[^1] < Detected)
                {
                    missed.Add(string.Create(CultureInfo.InvariantCulture, $"{name} ({shares[^1]:P0})"));
                }
            }
        }

        bool holds = missed.Count == 0;
        text.AppendLine().AppendLine(CultureInfo.InvariantCulture, $"Both distances together, the cheapest (no network is asked) and the best: {well} of {faults} faults at {Detected:P0} or more{(holds ? "" : $"; short in: {string.Join(", ", missed)}")}.");
        text.AppendLine().AppendLine("A robot of another make (other joints, signals or units) is refused before anything runs, by name; the rows above are a robot that says it is this one and is not.");
        text.AppendLine().AppendLine(holds ? "Holds." : "Falls short, as the lines above say.");
        Bench.Report(Name, [], text.ToString());
        return holds ? 0 : 1;

        void Row(string name, double[] shares, bool limit) => text.AppendLine(CultureInfo.InvariantCulture,
            $"| {name} | {string.Join(" | ", shares.Select(share => limit && share >= Detected ? $"**{share.ToString("F2", CultureInfo.InvariantCulture)}**" : share.ToString(limit ? "F2" : "F3", CultureInfo.InvariantCulture)))} |");
    }

    // What a sensor shows at a step of an episode, given all that really was, and the step at which the plan is made.
    private delegate float[] Fault(IReadOnlyList<float[]> frames, int step, int now, SeededRandom random);

    private static readonly Fault s_none = (frames, step, _, _) => [.. frames[step]];

    private static IEnumerable<(string Group, (string Name, Fault Fault)[] Members)> Faults()
    {
        yield return ("unseen objects and poses",
        [
            ("block within 7 cm of the table's edge, where no episode begins", Changed((frame, random) =>
            {
                double ring = random.NextDouble(0.04, 0.07), along = random.NextDouble(0.04, 0.47);
                var (x, y) = random.NextInt(0, 4) switch { 0 => (ring, along), 1 => (0.512 - ring, along), 2 => (along, ring), _ => (along, 0.512 - ring) };
                Shift(frame, x - frame[Pose], y - frame[Pose + 1]);
            })),
            ("block half a metre off the table", Changed((frame, _) => Shift(frame, 0.5, 0))),
            ("a block a third larger", Changed((frame, _) => Around(frame, (x, y, _) => (1.33 * x, 1.33 * y)))),
            ("a block that is the mirror image", Changed((frame, _) => Around(frame, (x, y, angle) =>
            {
                var (s, c) = Math.SinCos(angle); // across the block's own upright
                double u = -((c * x) + (s * y)), v = (-s * x) + (c * y);
                return ((c * u) - (s * v), (s * u) + (c * v));
            }))),
        ]);
        yield return ("sensor faults",
        [
            ("agent's reading stuck for 2 s", (frames, step, now, _) => [.. frames[Math.Max(now - 20, 0)][..2], .. frames[step][2..]]),
            ("block's reading stuck for 2 s", (frames, step, now, _) => [.. frames[step][..Pose], .. frames[Math.Max(now - 20, 0)][Pose..KeypointEnd], .. frames[step][KeypointEnd..]]),
            ("agent's reading stuck in a corner", Changed((frame, _) => (frame[Agent], frame[Agent + 1]) = (0.02f, 0.02f))),
            ("agent's reading 5 cm aside", Changed((frame, _) => frame[Agent] += 0.05f)),
            ("block's reading 5 cm aside", Changed((frame, _) => Shift(frame, 0.05, 0))),
            ("one keypoint 5 cm aside", Changed((frame, _) => frame[Keypoints + 4] += 0.05f)),
            ("keypoints with 2 cm of noise", (frames, step, _, random) =>
            {
                float[] frame = [.. frames[step]];
                for (int j = Keypoints; j < KeypointEnd; j++)
                {
                    frame[j] += 0.02f * (float)random.NextGaussian();
                }

                return frame;
            }),
            ("agent's x and y swapped", Changed((frame, _) => (frame[Agent], frame[Agent + 1]) = (frame[Agent + 1], frame[Agent]))),
            ("keypoints' x and y swapped", Changed((frame, _) =>
            {
                for (int j = Keypoints; j < KeypointEnd; j += 2)
                {
                    (frame[j], frame[j + 1]) = (frame[j + 1], frame[j]);
                }
            })),
            ("keypoints in another order", Changed((frame, _) => Array.Reverse(frame, Keypoints, KeypointEnd - Keypoints))),
        ]);
        yield return ("a foreign robot",
        [
            ("origin in the middle of the table", Changed((frame, _) => Every(frame, (x, y) => (x - 0.256, y - 0.256)))),
            ("y axis the other way", Changed((frame, _) => Every(frame, (x, y) => (x, 0.512 - y)))),
            ("a quarter turn", Changed((frame, _) => Every(frame, (x, y) => (y, 0.512 - x)))),
            ("millimetres", Changed((frame, _) => Every(frame, (x, y) => (1000 * x, 1000 * y)))),
        ]);
    }

    // A fault that changes a frame by itself, the same way at every step of a situation.
    private static Fault Changed(Action<float[], SeededRandom> change)
    {
        return (frames, step, now, random) =>
        {
            float[] frame = [.. frames[step]];
            change(frame, new SeededRandom((ulong)now));
            return frame;
        };
    }

    private static void Shift(float[] frame, double x, double y)
    {
        for (int j = Keypoints; j < KeypointEnd; j += 2)
        {
            (frame[j], frame[j + 1]) = ((float)(frame[j] + x), (float)(frame[j + 1] + y));
        }
    }

    private static void Around(float[] frame, Func<double, double, double, (double X, double Y)> change)
    {
        for (int j = Keypoints; j < KeypointEnd; j += 2)
        {
            var (x, y) = change(frame[j] - frame[Pose], frame[j + 1] - frame[Pose + 1], frame[Pose + 2]);
            (frame[j], frame[j + 1]) = ((float)(frame[Pose] + x), (float)(frame[Pose + 1] + y));
        }
    }

    private static void Every(float[] frame, Func<double, double, (double X, double Y)> change)
    {
        foreach (int j in Enumerable.Range(0, 9).Select(k => Keypoints + (2 * k)).Prepend(Agent))
        {
            var (x, y) = change(frame[j], frame[j + 1]);
            (frame[j], frame[j + 1]) = ((float)x, (float)y);
        }
    }

    private static double[] Look(PolicyTree tree, float[] observation)
    {
        var gated = (GatedPolicy)tree.Policy;
        double[] signals = new double[gated.Gates.Count];
        gated.Sense(observation, signals);
        return signals;
    }

    // Signal frames of the policy's own episodes.
    private static List<List<float[]>> Rollouts(LabTask task, PolicyPackage package, ulong first, int episodes)
    {
        var all = new List<List<float[]>>();
        var (policy, manifest) = Evaluation.Load(package, null, null);
        using (policy)
        {
            for (ulong seed = first; seed < first + (ulong)episodes; seed++)
            {
                var frames = new List<float[]>();
                task.Run(policy, manifest, seed, seed, (_, signals, _, _) => frames.Add(signals.ToArray()));
                all.Add(frames);
            }
        }

        return all;
    }

    // Observation vectors at up to so many plans of each episode, seen through a fault.
    private static IEnumerable<float[]> Situations(PolicyManifest manifest, List<List<float[]>> episodes, Fault fault)
    {
        var assembler = new ObservationAssembler(manifest, LabTask.Named("push-t").Robot);
        for (int e = 0; e < episodes.Count; e++)
        {
            var frames = episodes[e];
            var random = new SeededRandom((ulong)e);
            int plans = (frames.Count - 1) / manifest.Action.Rows;
            for (int k = 0; k < Each && plans > 0; k++)
            {
                int now = manifest.Action.Rows * random.NextInt(1, plans + 1);
                float[] observation = new float[assembler.Length];
                assembler.Reset();
                for (int step = now - 1; step <= now; step++)
                {
                    float[] seen = fault(frames, step, now, random);
                    assembler.Assemble(seen, TimeSpan.FromMilliseconds(100 * step), [], [0, 0], seen.AsSpan(0, 2), observation);
                }

                yield return observation;
            }
        }
    }

    private static float[] Coreset(EpisodeSet set)
    {
        var random = new SeededRandom(5);
        var windows = new List<float>();
        for (int n = 0; n < Stored; n++)
        {
            var episode = set.Episodes[random.NextInt(0, set.Episodes.Count)];
            windows.AddRange(Window(episode, random.NextInt(1, episode.Steps)));
        }

        return [.. windows];
    }

    private static ReadOnlySpan<float> Window(Demonstration episode, int now) => episode.Observations.AsSpan((now - 1) * episode.ObservationSize, 2 * episode.ObservationSize);

    private static PolicyTree Gated(string folder, string parent, float[] coreset, IReadOnlyList<GateSpec> gates)
    {
        Directory.CreateDirectory(folder);
        var files = new List<string>();
        if (coreset.Length > 0)
        {
            File.WriteAllBytes(Path.Combine(folder, "known.f32"), MemoryMarshal.AsBytes(coreset.AsSpan()).ToArray());
            files.Add("known.f32");
        }

        PolicyPackage.WriteSteered(folder, "gated", "", new()
        {
            Parents = [new() { Package = Path.GetRelativePath(folder, parent) }],
            Refuse = new() { Gates = gates },
        }, files);
        return PolicyTree.Load(PolicyPackage.Load(folder), new OnnxOptions());
    }

    // An ensemble that says how near the end of a demonstration is.
    private static void WriteCritic(string folder, PolicyManifest parent, EpisodeSet set)
    {
        int frame = set.Episodes[0].ObservationSize, size = set.Episodes[0].ActionSize;
        var observations = new Normalizer(parent.Observations[0].Normalization!, 2 * frame);
        var actions = new Normalizer(parent.Action.Normalization!, size);
        var random = new SeededRandom(9);
        var critics = new Critics(2 * frame, size, [256, 256], layerNorm: false, Members, Batch, random);
        Matrix seen = new(Batch, 2 * frame), taken = new(Batch, size);
        float[] target = new float[Batch];
        for (int update = 0; update < Updates; update++)
        {
            for (int i = 0; i < Batch; i++)
            {
                var episode = set.Episodes[random.NextInt(0, set.Episodes.Count)];
                int now = random.NextInt(1, episode.Steps);
                observations.Normalize(Window(episode, now), seen[i]);
                actions.Normalize(episode.Actions.AsSpan(now * size, size), taken[i]);
                target[i] = (float)Math.Pow(0.98, episode.Steps - now);
            }

            critics.Regress(seen, taken, Batch, target);
            critics.Network.Step(1e-3 * (1 - ((double)update / Updates)));
        }

        PushTRuns.WriteCritic(folder, parent, new Learning.Networks.Critic(critics.Network, new RunningNormalizer(2 * frame), size), rows: 1, parent.Observations[0].Normalization!);
    }
}
