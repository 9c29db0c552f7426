using System.CommandLine;
using System.Globalization;
using Robotics.Host.Running;
using Robotics.Sim.Tasks;

namespace Robotics.Host.Commands;

/// <summary><c>robotics demo</c>: a committed policy pushes the T, in real time, over the embedded broker.</summary>
internal static class DemoCommand
{
    private const double EpisodeSeconds = 30; // as published

    public static Command Create()
    {
        var policy = new Option<string?>("--policy", "-p") { Description = PolicyChoice.Help + "; the committed PushT policy when left out", HelpName = "POLICY" };
        var robot = new Option<string>("--robot", "-r") { Description = RobotChoice.Help, HelpName = "ROBOT", DefaultValueFactory = _ => "sim:push-t" };
        var seed = new Option<ulong>("--seed") { Description = "of the first start; the next episodes take the following ones", DefaultValueFactory = _ => 100_000, HelpName = "N" };
        var episodes = new Option<int>("--episodes", "-n") { Description = "how many, each from another start", DefaultValueFactory = _ => 1 };
        var duration = new Option<double>("--duration", "-d") { Description = "longest episode, s", DefaultValueFactory = _ => EpisodeSeconds, HelpName = "S" };
        var noScene = new Option<bool>("--no-scene") { Description = "do not draw the table in the terminal" };
        var report = new Option<string?>("--report") { Description = "page about the last episode; default under runs/", HelpName = "FILE" };
        var demo = new Command("demo", """
            A committed policy pushes the T onto its goal: embedded broker, simulated robot and controller, in real time.

            Draws the table where the terminal can (░ goal, ▓ block, ● agent), ends when the T is on its goal or the time is over, and
            writes a record and a one-page report. Space holds, r resumes, e is the emergency stop, q quits.

            Examples:
              robotics demo
              robotics demo --policy models/push-t-flow --episodes 20 --no-scene
            """)
        { policy, robot, seed, episodes, duration, noScene, report };
        var broker = new BrokerFlags(demo);
        demo.SetGuardedAction(async (parsed, cancellation) =>
        {
            var check = new ConfigCheck("command line");
            check.Range(parsed.GetValue(episodes), 1, 1000, "--episodes");
            check.Range(parsed.GetValue(duration), 0.5, 3600, "--duration");
            check.Throw();
            string chosen = parsed.GetValue(policy) ?? Committed();
            int solved = 0, code = ExitCode.Done;
            for (int i = 0; i < parsed.GetValue(episodes) && !cancellation.IsCancellationRequested && code is ExitCode.Done or ExitCode.Failed; i++)
            {
                ulong start = parsed.GetValue(seed) + (ulong)i;
                string record = Path.Combine("runs", $"demo-{start}.mcap");
                var scene = new Scene(draw: !parsed.GetValue(noScene) && !Console.IsOutputRedirected && Console.WindowHeight > Scene.Rows + 3 && Console.WindowWidth > Scene.Columns);
                code = await new RunSession(new RunRequest
                {
                    Policy = chosen,
                    Robot = RobotChoice.Parse(parsed.GetRequiredValue(robot)),
                    Broker = broker.Read(parsed),
                    Duration = TimeSpan.FromSeconds(parsed.GetValue(duration)),
                    Seed = start,
                    Record = record,
                    Report = parsed.GetValue(report) ?? Path.ChangeExtension(record, ".html"),
                    Watch = scene.Look,
                }).RunAsync(cancellation).ConfigureAwait(false);
                solved += scene.Solved ? 1 : 0;
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"start {start}: {(scene.Solved ? "the T is on its goal" : "the T did not reach its goal")}, best coverage {scene.Best:P1}"));
            }

            if (parsed.GetValue(episodes) > 1)
            {
                Console.WriteLine($"pushed {solved} of {parsed.GetValue(episodes)}");
            }

            return code;
        });
        return demo;
    }

    // Beside the program after a publish, in the clone otherwise.
    private static string Committed()
    {
        for (var at = new DirectoryInfo(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            foreach (string name in (string[])["push-t-diffusion", "push-t-flow", "push-t-energy"])
            {
                string folder = Path.Combine(at.FullName, "models", name);
                if (File.Exists(Path.Combine(folder, "policy.json")))
                {
                    return folder;
                }
            }
        }

        Console.WriteLine($"no models/push-t-* beside the program or above it: the built-in controller '{PolicyChoice.BuiltIn}' drives instead");
        return PolicyChoice.BuiltIn;
    }

    /// <summary>What the demo sees of the table; drawn in place.</summary>
    private sealed class Scene(bool draw)
    {
        public const int Columns = 56, Rows = 28;

        private readonly char[] _text = new char[PushTScene.TextLength(Columns, Rows)];
        private readonly TimeSpan _every = TimeSpan.FromMilliseconds(100);
        private long _last;
        private bool _drawn;

        public double Best { get; private set; }

        public bool Solved => Best > PushT.SuccessCoverage;

        public bool Look(ReadOnlyMemory<float> signals, ControlState state)
        {
            if (signals.Length != PushT.Describe().Layout.Length)
            {
                return false; // another robot: nothing to draw, no goal
            }

            var scene = PushTScene.From(signals.Span);
            Best = state == ControlState.Running ? Math.Max(Best, scene.Coverage) : Best;
            if (draw && (_last == 0 || TimeProvider.System.GetElapsedTime(_last) >= _every))
            {
                _last = TimeProvider.System.GetTimestamp();
                int length = scene.WriteText(_text, Columns, Rows);
                // Saved cursor, table in the top corner, cursor restored: the status lines go on scrolling below it.
                if (!_drawn)
                {
                    Console.Write($"\e[2J\e[{Rows + 2};999r\e[{Rows + 2};1H");
                    _drawn = true;
                }

                Console.Write($"\e7\e[H{new string(_text, 0, length)}coverage {scene.Coverage:P1}  best {Best:P1} \e[K\e8");
            }

            if (draw && Solved)
            {
                Console.Write("\e[r\e[999;1H"); // the whole terminal scrolls again
            }

            return Solved;
        }
    }
}
