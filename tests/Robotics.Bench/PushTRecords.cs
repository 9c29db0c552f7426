using System.Globalization;
using Robotics.Episodes;
using Robotics.Lab;
using Robotics.Learning.Data;
using Robotics.Numerics;
using Robotics.Observations;
using Robotics.Packages;
using Robotics.Policies.Onnx;
using Robotics.Sim.Tasks;

namespace Robotics.Bench;

/// <summary>PushT records of mixed quality as transitions, one per plan: what was seen, the four rows executed, what was seen then.</summary>
/// <remarks>The reward of a plan is minus the block's mean distance from its goal afterwards, over its nine keypoints in units of 0.1 m,
/// and minus a half for not being done; being done is worth 0.</remarks>
/// <param name="runs">Who acted, and the demonstrations.</param>
/// <param name="judged">How the judged policies observe and act.</param>
internal sealed class PushTRecords(PushTRuns runs, PolicyManifest judged)
{
    /// <summary>Rows of a plan that are executed, and what they come to.</summary>
    public const int Rows = 4, Width = 2 * Rows;

    private const double Unit = 0.1, NotDone = 0.5;
    private const int Keypoints = 9;

    private static readonly (string Method, ulong Seed)[] s_behaviours = [("demonstrator of 16", 0), ("diffusion", 2), ("flow", 2), ("energy", 2), ("short", 2)];
    private static readonly double[] s_noises = [0, 0.01, 0.03, 0.06];

    private readonly Normalizer _actions = new(judged.Action.Normalization!, Width);
    private readonly float[] _goal = Goal();

    /// <summary>The demonstrations: those that reached the goal, and those that did not.</summary>
    public TransitionSet Demonstrations()
    {
        var builder = new TransitionSetBuilder(Observer().Length, Width);
        foreach (string file in Directory.EnumerateFiles(runs.Data, "*.mcap").Order(StringComparer.Ordinal))
        {
            using var reader = new EpisodeReader(file);
            Add(reader, builder);
        }

        return builder.Build("demonstrations");
    }

    /// <summary>Rollouts of good, middling and bad policies, and of each under noise that lasts a plan.</summary>
    /// <param name="count">How many.</param>
    /// <param name="firstSeed">Of their starts.</param>
    /// <param name="quality">Who solved how many.</param>
    public TransitionSet Rollouts(int count, ulong firstSeed, out string quality)
    {
        var task = LabTask.Named("push-t");
        (IPolicy Policy, PolicyManifest Manifest)[] policies = [.. s_behaviours.Select(one => one.Seed == 0 ? task.Demonstrator(16) : Loaded(one.Method, one.Seed))];
        using var table = new PushT();
        var builder = new TransitionSetBuilder(Observer().Length, Width);
        var solved = new double[s_behaviours.Length, s_noises.Length];
        int each = count / s_behaviours.Length / s_noises.Length;
        var random = new SeededRandom(3);
        using (var line = new ProgressLine("rollouts", count))
        {
            for (int r = 0; r < each * s_behaviours.Length * s_noises.Length; r++)
            {
                int b = r % s_behaviours.Length, n = r / s_behaviours.Length % s_noises.Length;
                solved[b, n] += Rollout(table, policies[b].Policy, policies[b].Manifest, firstSeed + (ulong)r, s_noises[n], random, builder) ? 1.0 / each : 0;
                line.Report(r, "");
            }
        }

        Array.ForEach(policies, one => one.Policy.Dispose());
        quality = string.Join("; ", s_behaviours.Select((one, b) => string.Create(CultureInfo.InvariantCulture,
            $"{one.Method}{(one.Seed == 0 ? "" : $" {one.Seed}")} solved {string.Join(" / ", s_noises.Select((_, n) => solved[b, n].ToString("F2", CultureInfo.InvariantCulture)))}")))
            + $" with noise of {string.Join(" / ", s_noises.Select(noise => noise.ToString(CultureInfo.InvariantCulture)))} of the action's range";
        return builder.Build("rollouts");
    }

    private (IPolicy Policy, PolicyManifest Manifest) Loaded(string method, ulong seed)
    {
        var package = runs.Package(method, seed);
        return (OnnxPolicy.Load(package, new OnnxOptions()), package.Manifest);
    }

    private ObservationAssembler Observer() => new(judged, PushT.Describe());

    // The keypoints of any start, carried with the block from where it lies to its goal.
    private static float[] Goal()
    {
        using var table = new PushT();
        float[] signals = new float[table.Robot.Layout.Length], goal = new float[2 * Keypoints];
        table.Reset(PushT.NominalSeed, signals);
        var (from, to) = (Of("block.pose"), Of("goal.pose"));
        var (sin, cos) = Math.SinCos(to[2] - from[2]);
        var keypoints = Of("block.keypoints");
        for (int k = 0; k < Keypoints; k++)
        {
            double x = keypoints[2 * k] - from[0], y = keypoints[(2 * k) + 1] - from[1];
            (goal[2 * k], goal[(2 * k) + 1]) = ((float)(to[0] + (cos * x) - (sin * y)), (float)(to[1] + (sin * x) + (cos * y)));
        }

        return goal;

        ArraySegment<float> Of(string signal) => new(signals, table.Robot.Layout.Find(signal)!.Offset, table.Robot.Layout.Find(signal)!.Length);
    }

    private float Reward(ReadOnlySpan<float> seen, bool done)
    {
        double sum = 0;
        var keypoints = seen[^(2 * Keypoints)..];
        for (int k = 0; k < Keypoints; k++)
        {
            sum += double.Hypot(keypoints[2 * k] - _goal[2 * k], keypoints[(2 * k) + 1] - _goal[(2 * k) + 1]);
        }

        return done ? 0 : (float)(-(sum / Keypoints / Unit) - NotDone);
    }

    private void Add(EpisodeReader reader, TransitionSetBuilder builder)
    {
        var observer = Observer();
        var ticks = reader.Ticks().Where(tick => tick.Sent.Length > 0).ToArray();
        float[][] seen = [.. ticks.Select((tick, t) =>
        {
            float[] observation = new float[observer.Length];
            observer.Assemble(tick.Signals, TimeSpan.FromMilliseconds(100 * t), [], [0, 0], tick.Sent, observation);
            return observation;
        })];
        bool success = reader.Header!.Properties[EpisodeSet.Outcome] == "success";
        float[] chunk = new float[Width], taken = new float[Width];
        for (int t = 0; t < ticks.Length; t += Rows)
        {
            for (int r = 0; r < Rows; r++)
            {
                ticks[Math.Min(t + r, ticks.Length - 1)].Sent.CopyTo(chunk, 2 * r);
            }

            _actions.Normalize(chunk, taken);
            bool done = success && t + Rows >= ticks.Length;
            float[] then = seen[Math.Min(t + Rows, ticks.Length - 1)];
            builder.Add(seen[t], [.. taken.Select(value => Math.Clamp(value, -1, 1))], Reward(then, done), then, done);
        }

        builder.EndEpisode();
    }

    private bool Rollout(PushT table, IPolicy policy, PolicyManifest manifest, ulong seed, double noise, SeededRandom random, TransitionSetBuilder builder)
    {
        ObservationAssembler observer = Observer(), own = new(manifest, table.Robot);
        var actions = new ActionMap(manifest, table.Robot);
        float[] signals = new float[table.Robot.Layout.Length], target = new float[2], look = new float[own.Length], observation = new float[observer.Length], next = new float[observer.Length];
        float[] chunk = new float[policy.Spec.Rows * 2], taken = new float[Width], row = new float[2];
        table.Reset(seed, signals);
        policy.Reset(seed);
        actions.Reset(signals.AsSpan(0, 2));
        signals.AsSpan(0, 2).CopyTo(target);
        StepResult result = default;
        int step = 0;
        own.Assemble(signals, default, [], [0, 0], target, look);
        observer.Assemble(signals, default, [], [0, 0], target, observation);
        while (!result.Terminated && !result.Truncated)
        {
            policy.Plan(look, new(long.MaxValue), chunk);
            _actions.Normalize(chunk.AsSpan(0, Width), taken);
            double x = noise * 2 * random.NextGaussian(), y = noise * 2 * random.NextGaussian();
            for (int j = 0; j < Width; j++)
            {
                taken[j] = Math.Clamp(taken[j] + (float)(j % 2 == 0 ? x : y), -1, 1);
            }

            _actions.Denormalize(taken, chunk.AsSpan(0, Width));
            for (int r = 0; r < Rows && !result.Terminated && !result.Truncated; r++)
            {
                chunk.AsSpan(2 * r, 2).CopyTo(row);
                actions.Map(row, signals.AsSpan(0, 2), target);
                result = table.Step(target, signals);
                var at = TimeSpan.FromMilliseconds(100 * ++step);
                own.Assemble(signals, at, [], [0, 0], target, look);
                observer.Assemble(signals, at, [], [0, 0], target, next);
            }

            builder.Add(observation, taken, Reward(next, result.Terminated), next, result.Terminated);
            next.CopyTo(observation, 0);
        }

        builder.EndEpisode();
        return result.Terminated;
    }
}
