using System.CommandLine;
using System.Globalization;
using Robotics.Host;
using Robotics.Lab.Reinforcement;
using Robotics.Learning.Evaluation;
using Robotics.Learning.Training;
using Robotics.Sim;

namespace Robotics.Lab.Commands;

/// <summary><c>robotics-lab loop</c>: deploy, record, learn, judge, deploy again.</summary>
internal static class LoopCommand
{
    private static readonly string[] s_methods = ["h2o", "rlpd", "iql", "td3bc"];

    public static Command Create()
    {
        var policy = new Argument<string>("PACKAGE") { Description = "the policy to begin with" };
        var task = new Option<string>("--task") { Description = $"whose reward counts: {LearningTasks.Names}", Required = true };
        var run = new Option<DirectoryInfo>("--run") { Description = "folder of everything that comes of it", Required = true };
        var robot = new Option<string?>("--robot") { Description = "mqtt:NAME, a robot on --broker; the simulated robot of the task when left out", HelpName = "ROBOT" };
        var broker = new Option<string?>("--broker") { Description = "of the robot", HelpName = "URL" };
        var gap = new Option<string>("--gap") { Description = "how the simulated robot differs from the simulator that is learned in, for example gravity=2", DefaultValueFactory = _ => "" };
        var dynamics = new Option<string>("--dynamics") { Description = "what differs in the simulator that is learned in", DefaultValueFactory = _ => "" };
        var range = new Option<string>("--range") { Description = "dynamics that the robot may have, which the judge's simulator draws from: NAME=LOW..HIGH, or 'usual'", DefaultValueFactory = _ => "usual" };
        var minutes = new Option<double>("--minutes") { Description = "that the first policy drives and is recorded", DefaultValueFactory = _ => 20 };
        var again = new Option<double>("--again") { Description = "minutes that the new one drives", DefaultValueFactory = _ => 5 };
        var method = new Option<string>("--method") { Description = "that learns from the records: h2o or rlpd (with the simulator), iql or td3bc (without)", DefaultValueFactory = _ => "h2o" };
        var steps = new Option<long>("--steps") { Description = "steps, or updates, of the learning", DefaultValueFactory = _ => 50_000 };
        var set = new Option<string[]>("--set") { Description = "a setting of the method, NAME=VALUE; 'robotics-lab train METHOD --help' lists them", AllowMultipleArgumentsPerToken = true };
        var episodes = new Option<int>("--episodes") { Description = "of the simulator that the judge looks at", DefaultValueFactory = _ => 50 };
        var seed = new Option<ulong>("--seed") { Description = "of everything that is drawn", DefaultValueFactory = _ => 1 };
        var anyway = new Option<bool>("--anyway") { Description = "deploy the new policy whatever the verdict" };
        var program = new Option<FileInfo?>("--program") { Description = "the program 'robotics'; the one beside this when left out", HelpName = "FILE" };
        method.AcceptOnlyFromAmong(s_methods);
        var command = new Command("loop", """
            Lets a policy drive the robot and records it, learns from the records and the simulator, judges what came of it, and lets that
            drive. One page says how it went.

            Interrupt it at any time: the same command goes on where it was.

            Example:
              robotics-lab loop models/policy-0 --task runner --gap gravity=2 --run runs/loop
            """)
        { policy, task, run, robot, broker, gap, dynamics, range, minutes, again, method, steps, set, episodes, seed, anyway, program };
        command.SetGuardedAction(async (parsed, cancellation) =>
        {
            var which = LearningTasks.Named(parsed.GetValue(task)!);
            string folder = parsed.GetValue(run)!.FullName, first = parsed.GetValue(policy)!, differs = parsed.GetValue(gap)!;
            ulong drawn = parsed.GetValue(seed);
            var learning = LearningMethod.Named(parsed.GetValue(method)!);
            var check = new ConfigCheck("command line");
            check.Range(parsed.GetValue(minutes), 0.1, 10_000, "--minutes");
            check.Range(parsed.GetValue(again), 0.1, 10_000, "--again");
            check.Range(parsed.GetValue(episodes), 2, 100_000, "--episodes");
            check.That(parsed.GetValue(robot) is null || differs.Length == 0, "--gap", "changes the simulated robot; a robot on the broker is as it is");
            check.That((parsed.GetValue(robot) is null) == (parsed.GetValue(broker) is null), "--robot", "and --broker are given together");
            check.Throw();
            var settings = MethodSettings.Read(learning.Options, null, parsed.GetValue(set) ?? [], drawn);
            using (PackageActor.Load(first, which))
            {
                // Wired as the task is, or nothing moves.
            }

            string[] there = parsed.GetValue(robot) is { } named ? ["--robot", named, "--broker", parsed.GetValue(broker)!]
                : ["--robot", $"sim:{which.Name}", .. differs.Length == 0 ? Array.Empty<string>() : ["--gap", differs]];
            var drives = new RobotRuns(parsed.GetValue(program)?.FullName ?? RobotRuns.FindProgram(), there);

            // 1. Drive and record.
            string before = Path.Combine(folder, "records-before"), after = Path.Combine(folder, "records-after"), learned = Path.Combine(folder, "learning");
            int holds = await drives.Record(first, before, TimeSpan.FromMinutes(parsed.GetValue(minutes)), 1000 * drawn, "recording", cancellation).ConfigureAwait(false);
            var records = RecordedTransitions.Read([before], which, allowTruncated: true);
            Console.WriteLine($"recorded: {records}{(holds > 0 ? $"; {holds} runs ended in a hold" : "")}");

            // 2. Learn. The package keeps the settings under which it was learned.
            var config = new ReinforcementConfig
            {
                Command = "robotics-lab " + string.Join(' ', parsed.Tokens.Select(token => token.Value)),
                Method = learning.Name,
                Task = which.Name,
                Dynamics = learning.From.HasFlag(LearnsFrom.Simulator) ? parsed.GetValue(dynamics)! : "",
                Gap = differs,
                Settings = MethodSettings.Write(settings),
                Data = [before],
                DataSha256 = records.Set.Sha256,

                // Nobody looks at the robot while learning: its evaluations are those of the judge and of the road.
                Run = new RunOptions { Steps = parsed.GetValue(steps), EvaluationEpisodes = 0, Seed = drawn }.Checked("command line"),
            };
            int code = ReinforcementRun.Execute(config, records, learned, $"{which.Name}-{learning.Name}", cancellation);
            if (code != ExitCode.Done)
            {
                return code;
            }

            // 3. Judge.
            string package = Path.Combine(learned, "package");
            var verdict = JudgeCommand.Run(package, first, which, records, parsed.GetValue(range)!, parsed.GetValue(episodes), new FittedQOptions { Seed = drawn }, Path.Combine(folder, "verdict.html"), cancellation);
            Console.WriteLine($"{(verdict.Worse ? "not deployed" : "deployed")}: {verdict.Reason}");

            // 4. Drive again.
            RecordedTransitions? newer = null;
            if (!verdict.Worse || parsed.GetValue(anyway))
            {
                await drives.Record(package, after, TimeSpan.FromMinutes(parsed.GetValue(again)), (1000 * drawn) + 500, "driving again", cancellation).ConfigureAwait(false);
                newer = RecordedTransitions.Read([after], which, allowTruncated: true);
                Console.WriteLine($"recorded: {newer}");
            }

            var page = new LoopPage(which, differs, config, records, newer, verdict, drives);
            File.WriteAllText(Path.Combine(folder, "loop.html"), page.Draw());
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{page.Sentence} {Path.Combine(folder, "loop.html")}"));
            return newer is null ? ExitCode.Failed : ExitCode.Done;
        });
        return command;
    }
}
