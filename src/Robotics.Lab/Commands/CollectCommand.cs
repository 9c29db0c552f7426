using System.CommandLine;
using System.Globalization;
using Robotics.Episodes;
using Robotics.Host;
using Robotics.Learning.Data;
using Robotics.Numerics;
using Robotics.Packages;

namespace Robotics.Lab.Commands;

/// <summary><c>robotics-lab collect</c>: demonstrations of a task, as records.</summary>
internal static class CollectCommand
{
    private const ulong FirstSeed = 1_000_000;

    public static Command Create()
    {
        var task = new Option<string>("--task") { Description = "push-t or detour", DefaultValueFactory = _ => "push-t" };
        var episodes = new Option<int>("--episodes", "-n") { Description = "how many", DefaultValueFactory = _ => 200 };
        var seed = new Option<ulong>("--seed") { Description = "of the starts and draws, below 1000", DefaultValueFactory = _ => 1 };
        var output = new Option<DirectoryInfo>("--out", "-o") { Description = "folder of the records; made, must hold none", Required = true };
        var threads = new Option<int>("--threads") { Description = "episodes at a time", DefaultValueFactory = _ => Environment.ProcessorCount };
        var noise = new Option<double>("--noise") { Description = "deviation of the disturbance added to what is sent, m; what was wanted is what is learned", DefaultValueFactory = _ => 0 };
        var candidates = new Option<int>("--candidates") { Description = "futures the demonstrator tries per plan, push-t", DefaultValueFactory = _ => 100 };
        var policy = new Option<string?>("--policy", "-p") { Description = "package that drives in the demonstrator's place: its rollouts, failures and all", HelpName = "PACKAGE" };
        var command = new Command("collect", """
            Lets a demonstrator, or a policy, do a task and records every episode, failures too, labelled.

            The demonstrator knows the simulator (sampling-based predictive control); a policy trained on its records does not. With
            --noise its targets are disturbed for a few steps at a time, half of the time, so that the records show the way back from
            mistakes (DART, Laskey et al. 2017, arXiv:1703.09327). Starts never overlap those of 'eval'. Same seed, same bytes,
            whatever the number of threads.

            With --policy the records are rollouts: what a policy does, good or bad, and what came of it. 'train joint' learns from them
            beside demonstrations.

            Examples:
              robotics-lab collect --task push-t --episodes 2000 --noise 0.015 --out data/push-t
              robotics-lab collect --task detour --episodes 4000 --out data/detour
              robotics-lab collect --policy runs/push-t-flow/package --noise 0.03 --seed 7 --out data/push-t-rollouts
            """)
        { task, episodes, seed, output, threads, noise, candidates, policy };
        command.SetGuardedAction((parsed, cancellation) =>
        {
            var check = new ConfigCheck("command line");
            check.Range(parsed.GetValue(episodes), 1, 1_000_000, "--episodes");
            check.Range(parsed.GetValue(threads), 1, 256, "--threads");
            check.Range(parsed.GetValue(noise), 0, 0.5, "--noise");
            check.That(parsed.GetValue(seed) < 1000, "--seed", $"is {parsed.GetValue(seed)}, expected below 1000");
            string folder = parsed.GetValue(output)!.FullName;
            check.That(!Directory.Exists(folder) || !Directory.EnumerateFiles(folder, "*.mcap").Any(), "--out", $"'{folder}' already holds records; name another folder");
            check.Throw();
            var chosen = LabTask.Named(parsed.GetValue(task)!);
            var package = parsed.GetValue(policy) is { } path ? PolicyPackage.Load(path) : null;
            var driver = new Driver(
                () => package is null ? chosen.Demonstrator(parsed.GetValue(candidates)) : Evaluation.Load(package, null, null),
                parsed.GetValue(noise),
                package is null
                    ? new("candidates", parsed.GetValue(candidates).ToString(CultureInfo.InvariantCulture))
                    : new("package", package.Sha256));
            Directory.CreateDirectory(folder);
            Collect(chosen, driver, parsed.GetValue(episodes), parsed.GetValue(seed), folder, parsed.GetValue(threads), cancellation);
            return Task.FromResult(ExitCode.Done);
        });
        return command;
    }

    /// <summary>Who drives: how to make one, how much it is disturbed, and what the records say of it.</summary>
    private sealed record Driver(Func<(IPolicy Policy, PolicyManifest Manifest)> Make, double Noise, KeyValuePair<string, string> Word);

    private static void Collect(LabTask task, Driver driver, int episodes, ulong seed, string folder, int threads, CancellationToken cancellation)
    {
        int done = 0, solved = 0;
        double best = 0;
        object sum = new();
        using var line = new ProgressLine("episodes", episodes);
        int next = -1;
        Parallel.For(0, threads, new ParallelOptions { MaxDegreeOfParallelism = threads, CancellationToken = cancellation }, _ =>
        {
            var (policy, manifest) = driver.Make();
            using (policy)
            {
                for (int i = Interlocked.Increment(ref next); i < episodes && !cancellation.IsCancellationRequested; i = Interlocked.Increment(ref next))
                {
                    ulong start = ((seed + 1) * FirstSeed) + (ulong)i;
                    var score = One(task, driver, policy, manifest, start, Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"{task.Name}-{start:D9}.mcap")));
                    lock (sum)
                    {
                        done++;
                        solved += score.Success ? 1 : 0;
                        best += score.Best;
                        line.Report(done, string.Create(CultureInfo.InvariantCulture, $"solved {solved}, best reward {best / done:F3}"));
                    }
                }
            }
        });
        cancellation.ThrowIfCancellationRequested();
        line.Dispose();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{episodes} episodes in {folder}: {solved} solved, mean best reward {best / episodes:F3}"));
    }

    private static EpisodeScore One(LabTask task, Driver driver, IPolicy policy, PolicyManifest manifest, ulong start, string path)
    {
        var random = new SeededRandom(start);
        var steps = new List<(float[] Signals, float[] Wanted, float[] Sent)>();
        float[] push = [0, 0];
        int left = 0;
        var score = task.Run(policy, manifest, start, start, (_, signals, wanted, sent) =>
        {
            if (driver.Noise > 0 && left-- <= 0)
            {
                // A disturbance holds for two to six steps, as a slip does, and every second one is none.
                left = random.NextInt(2, 7);
                double strength = random.NextDouble() < 0.5 ? driver.Noise : 0;
                (push[0], push[1]) = ((float)(strength * random.NextGaussian()), (float)(strength * random.NextGaussian()));
            }

            for (int j = 0; j < sent.Length && driver.Noise > 0; j++)
            {
                var joint = task.Robot.Joints[j];
                sent[j] = Math.Clamp(sent[j] + push[j], joint.Lower, joint.Upper);
            }

            steps.Add((signals.ToArray(), wanted.ToArray(), sent.ToArray()));
        });
        Write(task, driver, manifest, start, path, score, steps);
        return score;
    }

    private static void Write(
        LabTask task, Driver driver, PolicyManifest manifest, ulong start, string path, EpisodeScore score, List<(float[] Signals, float[] Wanted, float[] Sent)> steps)
    {
        long period = (long)(manifest.Timing.PeriodMs * 1e6);
        using var writer = new EpisodeWriter(new FileStream(path, FileMode.Create), new EpisodeHeader
        {
            Program = "robotics-lab collect",
            StartedUtc = DateTimeOffset.UnixEpoch,
            StartedAt = new(0),
            Robot = RobotFile.Write(task.Robot),
            Properties = new Dictionary<string, string>
            {
                ["task"] = task.Name,
                ["driver"] = manifest.Name,
                ["seed"] = start.ToString(CultureInfo.InvariantCulture),
                [driver.Word.Key] = driver.Word.Value,
                ["noise"] = driver.Noise.ToString("R", CultureInfo.InvariantCulture),
                ["best_reward"] = score.Best.ToString("R", CultureInfo.InvariantCulture),
                [EpisodeSet.Outcome] = score.Success ? "success" : "failure",
                [EpisodeSet.Label] = driver.Noise > 0 ? "wanted" : "sent",
            },
        });
        for (int i = 0; i < steps.Count; i++)
        {
            writer.Write(new TickRow
            {
                Tick = (ulong)i,
                Due = new(i * period),
                State = ControlState.Running,
                Signals = steps[i].Signals,
                Wanted = steps[i].Wanted,
                Sent = steps[i].Sent,
            });
        }
    }
}
