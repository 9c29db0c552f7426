using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using Robotics.Episodes;
using Robotics.Lab;
using Robotics.Sim.Tasks;

namespace Robotics.Bench;

/// <summary>The committed PushT policy from the same starts twice: in the direct simulator, and on the virtual device (compiled C, a process and
/// a pty of its own) through <c>robotics bridge</c> and a broker. The agent's motion is the C plant's; <c>--scene push-t</c> puts the table around it.</summary>
internal sealed class PushTDevice : IBenchmark
{
    private const string Policy = "models/push-t-diffusion";
    private const ulong FirstStart = 300_000; // no demonstration and no other trial began from these
    private const double Seconds = 30;

    private readonly string _robotics = Path.Combine(Bench.Root, "artifacts", "bin", "Robotics.Host", new DirectoryInfo(AppContext.BaseDirectory.TrimEnd('/')).Name, "robotics");

    public string Name => "push-t-device";

    public string Claim => "A: PushT on the virtual device through bridge and broker: success inside the direct simulator's 95 % interval (--starts 48 --at-once 6)";

    public int Run(string[] args)
    {
        int starts = Option(args, "--starts", 48), atOnce = Option(args, "--at-once", 6);
        string folder = Directory.CreateTempSubdirectory("push-t-device-").FullName;
        var direct = All(starts, Environment.ProcessorCount, i => Direct(i, folder));
        string device = Path.Combine(Bench.Root, "artifacts", "device", "device-virtual");
        Bench.Capture("make", "-s", "-C", Path.Combine(Bench.Root, "firmware-bridge", "device"), $"BUILD={Path.GetDirectoryName(device)}", "virtual");
        using (var self = Process.GetCurrentProcess())
        {
            self.PriorityClass = ProcessPriorityClass.High; // the broker here and the device, which inherits it: hardware waits for no compiler
        }

        using var broker = new Child(_robotics, "broker", "--port", "0", "--json");
        int port = (int)System.Text.Json.Nodes.JsonNode.Parse(broker.WaitFor("ready"))!["port"]!;
        var clock = Stopwatch.StartNew();
        var wired = All(starts, atOnce, i => Wired(i, device, $"mqtt://127.0.0.1:{port}", folder));
        Directory.Delete(folder, recursive: true);

        Evaluation a = Score(direct), b = Score(wired);
        bool holds = b.Success >= a.Interval().Low && b.Success <= a.Interval().High;
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"""
            `{Policy}` from the same {starts} starts (seeds {FirstStart} to {FirstStart + (ulong)starts - 1}; no other trial uses them), {Seconds} s each, judged from the records at
            10 Hz. Direct: `robotics run {Policy} --robot sim:push-t --lock-step`. Device: `device-virtual --push-t` (C, own process, pty), its agent placed at the start,
            `robotics bridge --device serial:PTY --scene push-t --seed N`, a broker, `robotics run {Policy} --robot mqtt:NAME`, all in real time,
            {atOnce} starts at once ({clock.Elapsed.TotalMinutes:F1} minutes). Solved: coverage above 0.95 at some tick, with its 95 % interval (Wilson). Score: highest reward, mean.
            A run that held early counts with what it had reached.

            | | direct simulator | virtual device |
            |---|---|---|
            | solved | {Solved(a)} | {Solved(b)} |
            | score | **{a.Best:F3}** ± {a.BestError():F3} | **{b.Best:F3}** ± {b.BestError():F3} |
            | runs that ended in a hold | {direct.Count(run => run.Hold is not null)} | {wired.Count(run => run.Hold is not null)}{Holds(wired)} |
            | action age p50 / p99, ms | {Ages(direct)} | {Ages(wired)} |

            Of the same start: both solved {Both(direct, wired, true, true)}, direct only {Both(direct, wired, true, false)}, device only {Both(direct, wired, false, true)}, neither {Both(direct, wired, false, false)}.
            """);
        text.AppendLine().AppendLine(holds ? "The claim holds: the device's share lies inside the direct simulator's interval." : "The claim FALLS SHORT.");
        Bench.Report(Name, args, text.ToString());
        return holds ? 0 : 1;
    }

    private static int Option(string[] args, string name, int otherwise) =>
        Array.IndexOf(args, name) is >= 0 and var at ? int.Parse(args[at + 1], CultureInfo.InvariantCulture) : otherwise;

    private static Outcome[] All(int starts, int atOnce, Func<int, Outcome> run)
    {
        var outcomes = new Outcome[starts];
        int done = 0;
        Parallel.For(0, starts, new ParallelOptions { MaxDegreeOfParallelism = atOnce }, i =>
        {
            outcomes[i] = run(i);
            Console.Error.WriteLine(FormattableString.Invariant($"{Interlocked.Increment(ref done)} of {starts}: start {i} {outcomes[i].Best:F3} {outcomes[i].Hold}"));
        });
        return outcomes;
    }

    private Outcome Direct(int start, string folder)
    {
        string record = Path.Combine(folder, $"direct-{start}.mcap");
        using var run = new Child(_robotics, "run", Path.Combine(Bench.Root, Policy), "--robot", "sim:push-t", "--lock-step", "--duration", $"{Seconds}", "--seed", $"{FirstStart + (ulong)start}", "--record", record, "--json");
        run.WaitForExit();
        return Read(record);
    }

    private Outcome Wired(int start, string program, string broker, string folder)
    {
        ulong seed = FirstStart + (ulong)start;
        string name = $"push-t-{start}", record = Path.Combine(folder, $"{name}.mcap");
        using var table = new PushT();
        float[] first = new float[PushT.Describe().Layout.Length];
        table.Reset(seed, first);
        using var device = new Child(program, "--push-t", "--name", name);
        string pty = device.WaitFor("pty ")[4..];
        device.Tell(FormattableString.Invariant($"place 0 {first[0]:F6}"));
        device.Tell(FormattableString.Invariant($"place 1 {first[1]:F6}"));
        using var bridge = new Child(_robotics, "bridge", "--device", $"serial:{pty}", "--scene", "push-t", "--seed", $"{seed}", "--broker", broker, "--json");
        bridge.WaitFor("ready");
        using var run = new Child(_robotics, "run", Path.Combine(Bench.Root, Policy), "--robot", $"mqtt:{name}", "--broker", broker, "--duration", $"{Seconds}", "--seed", $"{seed}", "--record", record, "--json");
        run.WaitForExit();
        return Read(record);
    }

    private static Outcome Read(string record)
    {
        using var episode = new EpisodeReader(record);
        var layout = PushT.Describe().Layout;
        int coverage = layout.Find("task.coverage")!.Offset;
        double best = 0;
        var ages = new List<double>();
        foreach (var tick in episode.Ticks().Where(tick => tick.State == ControlState.Running))
        {
            best = Math.Max(best, tick.Signals[coverage]);
            ages.Add(tick.ActionAgeNs / 1e6);
        }

        return new(best, [.. ages], episode.Events().FirstOrDefault(happened => happened.From != happened.To && happened.To is ControlState.Holding or ControlState.EmergencyStop)?.Reason);
    }

    private static Evaluation Score(Outcome[] runs) => new([.. runs.Select(run => new EpisodeScore(PushT.RewardOf(run.Best), run.Best > PushT.SuccessCoverage, 0, 0, 0, 0, 0, 0))]);

    private static string Solved(Evaluation score) =>
        string.Create(CultureInfo.InvariantCulture, $"**{score.Scores.Count(one => one.Success)} of {score.Scores.Count}**, {score.Success:F2} ({score.Interval().Low:F2} to {score.Interval().High:F2})");

    private static string Holds(Outcome[] runs) => runs.Any(run => run.Hold is not null)
        ? " (" + string.Join(", ", runs.Where(run => run.Hold is not null).GroupBy(run => run.Hold!.Value).Select(group => $"{group.Count()} {Words.Of(group.Key)}")) + ")"
        : "";

    private static string Ages(Outcome[] runs)
    {
        double[] ages = [.. runs.SelectMany(run => run.ActionAges)];
        return string.Create(CultureInfo.InvariantCulture, $"{Bench.Percentile(ages, 0.5):F1} / {Bench.Percentile(ages, 0.99):F1}");
    }

    private static int Both(Outcome[] direct, Outcome[] wired, bool first, bool second) =>
        direct.Zip(wired).Count(pair => pair.First.Best > PushT.SuccessCoverage == first && pair.Second.Best > PushT.SuccessCoverage == second);

    /// <summary>What a record says of a run.</summary>
    /// <param name="Best">Highest coverage.</param>
    /// <param name="ActionAges">ms, one per tick.</param>
    /// <param name="Hold">Why it first held; null: it never did.</param>
    private sealed record Outcome(double Best, double[] ActionAges, HoldReason? Hold);

    /// <summary>A program that is talked to by lines and ends with its owner.</summary>
    private sealed class Child : IDisposable
    {
        private readonly Process _process;
        private readonly BlockingCollection<string> _lines = [];
        private readonly ConcurrentQueue<string> _errors = new();

        public Child(string program, params string[] args)
        {
            _process = Process.Start(new ProcessStartInfo(program, args) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true })!;
            _process.OutputDataReceived += (_, said) => _lines.Add(said.Data ?? "");
            _process.ErrorDataReceived += (_, said) => _errors.Enqueue(said.Data ?? "");
            _process.BeginOutputReadLine();
            _process.BeginErrorReadLine();
        }

        public void Tell(string line)
        {
            _process.StandardInput.WriteLine(line);
            _process.StandardInput.Flush();
        }

        public string WaitFor(string text)
        {
            while (_lines.TryTake(out string? line, TimeSpan.FromSeconds(60)))
            {
                if (line.Contains(text, StringComparison.Ordinal))
                {
                    return line;
                }
            }

            throw new InvalidOperationException($"{_process.StartInfo.FileName} said no '{text}'. {string.Join('\n', _errors)}");
        }

        public void WaitForExit()
        {
            if (!_process.WaitForExit(TimeSpan.FromSeconds(Seconds + 120)) || _process.ExitCode is not (0 or 1)) // 1: it held
            {
                throw new InvalidOperationException($"{_process.StartInfo.FileName} {string.Join(' ', _process.StartInfo.ArgumentList)} did not end well. {string.Join('\n', _errors)}");
            }
        }

        public void Dispose()
        {
            if (!_process.HasExited)
            {
                _process.Kill();
                _process.WaitForExit();
            }

            _process.Dispose();
        }
    }
}
