using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Robotics.Lab;
using Robotics.Learning.Data;
using Robotics.Learning.Dense;
using Robotics.Numerics;
using Robotics.Packages;
using Robotics.Policies.Onnx;
using Robotics.Policies.Steering;
using Robotics.Sim.Tasks;

namespace Robotics.Bench;

/// <summary>Which signals tell a situation that a PushT policy should not act in: each gate at 1 % false alarms per two seconds, and several
/// together.</summary>
/// <remarks>Everything goes through packages and <see cref="GatedPolicy"/>, in episodes: the policy acts on what the faulty sensor shows, and
/// its gates look at every plan. They are told to refuse nothing, so that what each would have said can be counted. That a refusal holds
/// the robot is a test (<c>RefuseTests</c>).</remarks>
internal sealed class Refusal : IBenchmark
{
    private const int Fitted = 40, Calibration = 60, Judged = 30, Stored = 2000, Members = 5, Updates = 1000, Batch = 256;
    private const int Plans = 5; // in two seconds
    private const ulong FirstFitted = 450_000, FirstCalibration = 400_000, FirstJudged = 800_000;
    private const double FalseAlarm = 0.01, Detected = 0.8, Whatever = 1e30;
    private const int Agent = 0, Pose = 6, Keypoints = 9, KeypointEnd = 27; // in PushT's signal frame

    private static readonly string[] s_signals = ["spread of 8", "distance, elements", "distance, whitened", "distance, products", "critics' deviation", "innovation", "energy"];
    private static readonly (string Name, int[] Gates)[] s_together = [("elements, whitened", [1, 2]), ("elements, products, innovation", [1, 3, 5])];

    public string Name => "refusal";

    public string Claim => "unseen object poses, sensor faults and a foreign robot on PushT: at least 80 % detected within 2 s at 1 % false alarms";

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

    private static int Measure(PushTRuns runs, string folder)
    {
        var package = runs.Package("diffusion", 1);
        var set = EpisodeSet.Read([runs.Data], LabTask.Named("push-t").Wiring, new EpisodeFilter { Outcome = "success" });
        Console.Error.WriteLine($"{set.Episodes.Count} demonstrations");
        WriteCritic(Path.Combine(folder, "critic"), package.Manifest, set);
        Console.Error.WriteLine("critics trained");
        float[] transitions = Transitions(package);
        runs.Package("energy", 1);
        var energy = Gated(Path.Combine(folder, "energy"), runs.Folder("energy", 1), [], [new() { Signal = GateSignal.Energy, Threshold = Whatever }]);
        var gated = Gated(Path.Combine(folder, "gated"), runs.Folder("diffusion", 1), [("known.f32", Coreset(set)), ("transitions.f32", transitions)], [
            new() { Signal = GateSignal.Spread, Threshold = Whatever, Candidates = 8, Scale = [0.01f] },
            new() { Signal = GateSignal.Distance, Threshold = Whatever, Coreset = "known.f32" },
            new() { Signal = GateSignal.Distance, Threshold = Whatever, Coreset = "known.f32", Metric = GateMetric.Whitened },
            new() { Signal = GateSignal.Distance, Threshold = Whatever, Coreset = "known.f32", Metric = GateMetric.Products },
            new() { Signal = GateSignal.Ensemble, Threshold = Whatever, Critic = new() { Package = "../critic" } },
            new() { Signal = GateSignal.Innovation, Threshold = Whatever, Transitions = "transitions.f32" },
        ]);
        using var watched = new Watched((GatedPolicy)gated.Policy, (GatedPolicy)energy.Policy); // disposes both
        double[][][] Episodes(ulong first, int count, Fault fault) =>
            [.. Enumerable.Range(0, count).Select(e => Episode(watched, package.Manifest, first + (ulong)e, fault).Select(plan => plan.Signals).ToArray()).Where(plans => plans.Length > 0)];

        var known = Windows(Episodes(FirstCalibration, Calibration, s_none)).ToArray();
        Console.Error.WriteLine($"{known.Length} stretches to calibrate on");
        var fresh = Episodes(FirstJudged, Judged, s_none);
        double[] Thresholds(double share) => [.. s_signals.Select((_, g) => GateCalibration.Threshold([.. known.Select(window => Highest(window, g))], share))];
        double[] alone = Thresholds(FalseAlarm);
        double[][] shared = [.. s_together.Select(group => Thresholds(FalseAlarm / group.Gates.Length))];
        double[] Shares(IReadOnlyCollection<double[][]> windows) =>
        [
            .. s_signals.Select((_, g) => windows.Average(window => Highest(window, g) > alone[g] ? 1.0 : 0)),
            .. s_together.Select((group, c) => windows.Average(window => group.Gates.Any(g => Highest(window, g) > shared[c][g]) ? 1.0 : 0)),
        ];

        int columns = s_signals.Length + s_together.Length;
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"Diffusion policy of push-t-families (seed 1), a plan every 0.4 s; the energy's signal from the energy policy beside it. The policy acts on what the faulty sensor shows. Sensor faults begin at a step drawn from 0.8 to 3.2 s of an episode, a foreign object or robot is there from its start. Share refused within 2 s (five plans) of the beginning, {Judged} episodes each from seed {FirstJudged}.");
        text.AppendLine(CultureInfo.InvariantCulture, $"False alarms are counted in the same unit: stretches of five plans of the policy's own episodes. Thresholds: {known.Length} such stretches of {Calibration} episodes from seed {FirstCalibration}; each signal alone at {FalseAlarm:P0} of them, several together at {FalseAlarm:P0} divided among them.");
        text.AppendLine(CultureInfo.InvariantCulture, $"Distance: to {Stored} windows of the demonstrations, stored in the package. Innovation: transitions of {Fitted} other episodes of the policy from seed {FirstFitted}, stored in the package. Critics: {Members} networks of 2 x 256, {Updates} updates, that learned 0.98^(steps left) from the demonstrations.").AppendLine();
        text.AppendLine(CultureInfo.InvariantCulture, $"| | {string.Join(" | ", s_signals)} | {string.Join(" | ", s_together.Select(group => group.Name))} |").AppendLine($"|---|{string.Concat(Enumerable.Repeat("---|", columns))}");
        Row("known, per 2 s (false alarms)", Shares([.. Windows(fresh)]), limit: false);
        Row("known, per plan", Shares([.. fresh.SelectMany(episode => episode.Select(plan => new[] { plan }))]), limit: false);
        Row("known, per episode", Shares(fresh), limit: false);
        int faults = 0, well = 0;
        double sum = 0;
        var missed = new List<string>();
        foreach (var (group, members) in Faults())
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"| *{group}* |{string.Concat(Enumerable.Repeat(" |", columns))}");
            foreach (var fault in members)
            {
                double[] shares = Shares(Episodes(FirstJudged, Judged, fault));
                Row(fault.Name, shares, limit: true);
                Console.Error.WriteLine($"{fault.Name}: {string.Join(" ", shares.Select(share => share.ToString("F2", CultureInfo.InvariantCulture)))}");
                faults++;
                sum += shares[^1];
                well += shares[^1] >= Detected ? 1 : 0;
                if (shares[^1] < Detected)
                {
                    missed.Add(string.Create(CultureInfo.InvariantCulture, $"{fault.Name} ({shares[^1]:P0})"));
                }
            }
        }

        bool holds = missed.Count == 0;
        text.AppendLine().AppendLine(CultureInfo.InvariantCulture, $"Elements, products and innovation together, which ask no network: {well} of {faults} faults at {Detected:P0} or more, {sum / faults:P0} of all faulty episodes{(holds ? "" : $"; short in: {string.Join(", ", missed)}")}.");
        text.AppendLine().AppendLine("A robot of another make (other joints, signals or units) is refused before anything runs, by name; the rows above are a robot that says it is this one and is not.");
        text.AppendLine().AppendLine(holds ? "Holds." : "Falls short, as the lines above say.");
        Bench.Report("refusal", [], text.ToString());
        return holds ? 0 : 1;

        void Row(string name, double[] shares, bool limit) => text.AppendLine(CultureInfo.InvariantCulture,
            $"| {name} | {string.Join(" | ", shares.Select(share => limit && share >= Detected ? $"**{share.ToString("F2", CultureInfo.InvariantCulture)}**" : share.ToString(limit ? "F2" : "F3", CultureInfo.InvariantCulture)))} |");
    }

    // Stretches of so many plans as two seconds have.
    private static IEnumerable<double[][]> Windows(double[][][] episodes) => episodes.SelectMany(episode => episode.Chunk(Plans).Where(window => window.Length == Plans));

    private static double Highest(double[][] plans, int gate) => plans.Max(plan => double.IsNaN(plan[gate]) ? double.NegativeInfinity : plan[gate]); // NaN: not asked

    /// <summary>What is wrong, from when on.</summary>
    /// <param name="Name">For people.</param>
    /// <param name="Shows">What the sensor shows at a step.</param>
    /// <param name="FromStart">True: from the start of the episode; false: from a drawn step on.</param>
    /// <param name="Begin">Puts something else on the table; null: nothing.</param>
    private sealed record Fault(string Name, Sensor Shows, bool FromStart = false, Action<PushT, SeededRandom, float[]>? Begin = null);

    // What a sensor shows at a step of an episode, given all that really was, and the step at which it went wrong.
    private delegate float[] Sensor(IReadOnlyList<float[]> frames, int step, int onset, SeededRandom random);

    private static readonly Fault s_none = new("none", (frames, step, _, _) => frames[step], FromStart: true);

    // The plans of one episode: all of a sound one, the first two seconds of a fault.
    private static Plan[] Episode(Watched watched, PolicyManifest manifest, ulong seed, Fault fault)
    {
        using var table = new PushT();
        var drive = new Drive(watched, manifest, table.Robot);
        var random = new SeededRandom(seed);
        int onset = fault.FromStart ? 0 : random.NextInt(8, 33), end = fault == s_none ? int.MaxValue : onset + (Plans * manifest.Action.Rows), before = 0;
        var frames = new List<float[]>();
        float[] signals = new float[table.Robot.Layout.Length];
        table.Reset(seed, signals);
        fault.Begin?.Invoke(table, random, signals);
        drive.Reset(seed);
        watched.Plans.Clear();
        StepResult result = default;
        for (int step = 0; step < end && !result.Terminated && !result.Truncated; step++)
        {
            frames.Add([.. signals]);
            before = step == onset ? watched.Plans.Count : before;
            if (!drive.Next(step < onset ? signals : fault.Shows(frames, step, onset, random)))
            {
                throw new InvalidOperationException($"{fault.Name}: no plan at step {step}.");
            }

            result = table.Step(drive.Target, signals);
        }

        return frames.Count > onset ? [.. watched.Plans.Skip(before)] : []; // it was done before
    }

    // The policy's own, from plan to plan: observation, rows executed, next observation.
    private static float[] Transitions(PolicyPackage package)
    {
        var set = new List<float>();
        using var watched = new Watched(OnnxPolicy.Load(package, new OnnxOptions()), null);
        for (int e = 0; e < Fitted; e++)
        {
            var plans = Episode(watched, package.Manifest, FirstFitted + (ulong)e, s_none);
            foreach (var (plan, next) in plans.Zip(plans.Skip(1)))
            {
                set.AddRange([.. plan.Observation, .. plan.Chunk, .. next.Observation]);
            }
        }

        return [.. set];
    }

    private sealed record Plan(float[] Observation, float[] Chunk, double[] Signals);

    // Keeps what it planned, and what its gates and a bystander's saw.
    private sealed class Watched(IPolicy policy, GatedPolicy? bystander) : IPolicy
    {
        public List<Plan> Plans { get; } = [];

        public PolicySpec Spec => policy.Spec;

        public string? LastFault => policy.LastFault;

        public void Reset(ulong seed) => policy.Reset(seed);

        PlanResult IPolicy.Plan(ReadOnlySpan<float> observation, MonotonicTime deadline, Span<float> chunk)
        {
            var result = policy.Plan(observation, deadline, chunk);
            double[] beside = new double[bystander?.Gates.Count ?? 0];
            bystander?.Sense(observation, beside);
            Plans.Add(new(observation.ToArray(), chunk.ToArray(), [.. policy is GatedPolicy gated ? gated.Signals : default, .. beside]));
            return result;
        }

        public void Dispose()
        {
            policy.Dispose();
            bystander?.Dispose();
        }
    }

    private static IEnumerable<(string Group, Fault[] Members)> Faults()
    {
        yield return ("unseen objects and poses",
        [
            new("block within 7 cm of the table's edge, where no episode begins", s_none.Shows, Begin: (table, random, signals) =>
            {
                double ring = random.NextDouble(0.04, 0.07), along = random.NextDouble(0.04, 0.47);
                var (x, y) = random.NextInt(0, 4) switch { 0 => (ring, along), 1 => (0.512 - ring, along), 2 => (along, ring), _ => (along, 0.512 - ring) };
                table.ResetTo(new(signals[Agent], signals[Agent + 1]), new(x, y, random.NextDouble(-Math.PI, Math.PI)), signals);
            }, FromStart: true),
            new("block half a metre off the table", Changed(frame => Shift(frame, 0.5, 0)), FromStart: true),
            new("a block a third larger", Changed(frame => Around(frame, (x, y, _) => (1.33 * x, 1.33 * y))), FromStart: true),
            new("a block that is the mirror image", Changed(frame => Around(frame, (x, y, angle) =>
            {
                var (s, c) = Math.SinCos(angle); // across the block's own upright
                double u = -((c * x) + (s * y)), v = (-s * x) + (c * y);
                return ((c * u) - (s * v), (s * u) + (c * v));
            })), FromStart: true),
        ]);
        yield return ("sensor faults",
        [
            new("agent's reading stuck for 2 s", (frames, step, onset, _) => [.. frames[onset][..2], .. frames[step][2..]]),
            new("block's reading stuck for 2 s", (frames, step, onset, _) => [.. frames[step][..Pose], .. frames[onset][Pose..KeypointEnd], .. frames[step][KeypointEnd..]]),
            new("agent's reading stuck in a corner", Changed(frame => (frame[Agent], frame[Agent + 1]) = (0.02f, 0.02f))),
            new("agent's reading 5 cm aside", Changed(frame => frame[Agent] += 0.05f)),
            new("block's reading 5 cm aside", Changed(frame => Shift(frame, 0.05, 0))),
            new("one keypoint 5 cm aside", Changed(frame => frame[Keypoints + 4] += 0.05f)),
            new("keypoints with 2 cm of noise", (frames, step, _, random) =>
            {
                float[] frame = [.. frames[step]];
                for (int j = Keypoints; j < KeypointEnd; j++)
                {
                    frame[j] += 0.02f * (float)random.NextGaussian();
                }

                return frame;
            }),
            new("agent's x and y swapped", Changed(frame => (frame[Agent], frame[Agent + 1]) = (frame[Agent + 1], frame[Agent]))),
            new("keypoints' x and y swapped", Changed(frame =>
            {
                for (int j = Keypoints; j < KeypointEnd; j += 2)
                {
                    (frame[j], frame[j + 1]) = (frame[j + 1], frame[j]);
                }
            })),
            new("keypoints in another order", Changed(frame => Array.Reverse(frame, Keypoints, KeypointEnd - Keypoints))),
        ]);
        yield return ("a foreign robot",
        [
            new("origin in the middle of the table", Changed(frame => Every(frame, (x, y) => (x - 0.256, y - 0.256))), FromStart: true),
            new("y axis the other way", Changed(frame => Every(frame, (x, y) => (x, 0.512 - y))), FromStart: true),
            new("a quarter turn", Changed(frame => Every(frame, (x, y) => (y, 0.512 - x))), FromStart: true),
            new("millimetres", Changed(frame => Every(frame, (x, y) => (1000 * x, 1000 * y))), FromStart: true),
        ]);
    }

    // A fault that changes a frame by itself.
    private static Sensor Changed(Action<float[]> change) => (frames, step, _, _) =>
    {
        float[] frame = [.. frames[step]];
        change(frame);
        return frame;
    };

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

    private static PolicyTree Gated(string folder, string parent, (string Path, float[] Rows)[] files, IReadOnlyList<GateSpec> gates)
    {
        Directory.CreateDirectory(folder);
        foreach (var (path, rows) in files)
        {
            File.WriteAllBytes(Path.Combine(folder, path), MemoryMarshal.AsBytes(rows.AsSpan()).ToArray());
        }

        PolicyPackage.WriteSteered(folder, "gated", "", new()
        {
            Parents = [new() { Package = Path.GetRelativePath(folder, parent) }],
            Refuse = new() { Gates = gates },
        }, [.. files.Select(file => file.Path)]);
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
