using System.CommandLine;
using Robotics.Host;
using Robotics.Lab.Reinforcement;
using Robotics.Learning.Evaluation;
using Robotics.Sim;

namespace Robotics.Lab.Commands;

/// <summary><c>robotics-lab judge</c>: what is known of a policy before it moves anything.</summary>
internal static class JudgeCommand
{
    private const ulong FirstStart = 500_000;

    public static Command Create()
    {
        var defaults = new FittedQOptions();
        var policy = new Argument<string>("PACKAGE") { Description = "the policy that is to be deployed" };
        var against = new Option<string?>("--against") { Description = "package of the policy that it replaces; what was recorded when left out", HelpName = "PACKAGE" };
        var task = new Option<string>("--task") { Description = $"whose reward counts: {LearningTasks.Names}", Required = true };
        var data = new Option<string[]>("--data") { Description = $"records of the robot (*.mcap), files of transitions (*{RecordedTransitions.Extension}), or folders of them", Required = true, AllowMultipleArgumentsPerToken = true };
        var truncated = new Option<bool>("--allow-truncated") { Description = "use what can be read of damaged records" };
        var dynamics = new Option<string>("--dynamics") { Description = "range of the simulator's dynamics: NAME=VALUE,NAME=LOW..HIGH, or 'usual'", DefaultValueFactory = _ => "usual" };
        var episodes = new Option<int>("--episodes") { Description = "of the simulator, a dynamics drawn for each", DefaultValueFactory = _ => 50 };
        var updates = new Option<int>("--updates") { Description = "of the fitted Q networks", DefaultValueFactory = _ => defaults.Updates };
        var gamma = new Option<double>("--gamma") { Description = "discount per step, 0 to below 1", DefaultValueFactory = _ => defaults.Gamma };
        var seed = new Option<ulong>("--seed") { Description = "of everything that is drawn", DefaultValueFactory = _ => 1 };
        var page = new Option<FileInfo>("--page") { Description = "HTML file of the verdict", DefaultValueFactory = _ => new FileInfo("verdict.html"), HelpName = "FILE" };
        var anyway = new Option<bool>("--anyway") { Description = "end with code 0 whatever the verdict; the page still says it" };
        var command = new Command("judge", """
            Says from the robot's own records, and then from the simulator, whether a policy may replace another; nothing moves.

            Exit codes: 0 it may be deployed; 1 it is worse, or nothing speaks for it; 2 something that you wrote is wrong.

            Example:
              robotics-lab judge runs/h2o/package --against models/policy-0 --task runner --data records --page verdict.html
            """)
        { policy, against, task, data, truncated, dynamics, episodes, updates, gamma, seed, page, anyway };
        command.SetGuardedAction((parsed, cancellation) =>
        {
            var which = LearningTasks.Named(parsed.GetValue(task)!);
            var check = new ConfigCheck("command line");
            check.Range(parsed.GetValue(episodes), 2, 100_000, "--episodes");
            check.Throw();
            var records = RecordedTransitions.Read(parsed.GetValue(data)!, which, parsed.GetValue(truncated));
            Console.Error.WriteLine(records);
            var options = new FittedQOptions { Updates = parsed.GetValue(updates), Gamma = parsed.GetValue(gamma), Seed = parsed.GetValue(seed) }.Checked("command line");
            var verdict = Run(parsed.GetValue(policy)!, parsed.GetValue(against), which, records, parsed.GetValue(dynamics)!, parsed.GetValue(episodes), options, parsed.GetValue(page)!.FullName, cancellation);
            Console.WriteLine($"{(verdict.Worse ? "Not deployed" : "May be deployed")}: {verdict.Reason} {parsed.GetValue(page)}");
            return Task.FromResult(verdict.Worse && !parsed.GetValue(anyway) ? ExitCode.Failed : ExitCode.Done);
        });
        return command;
    }

    /// <summary>Judges a package and writes the page.</summary>
    public static Verdict Run(
        string policy, string? against, ILearningTask task, RecordedTransitions records, string dynamics, int episodes, FittedQOptions options, string page, CancellationToken cancellation)
    {
        var ranges = dynamics == "usual" ? DynamicsRanges.Usual.Restricted(task) : DynamicsRanges.Parse(dynamics, "range of the judge");
        using var simulator = new VectorEnvironment(task, new() { Count = Math.Min(episodes, 10), Dynamics = ranges });
        var wanted = Look(policy);
        var present = against is null ? null : Look(against);
        var verdict = Verdict.Of(wanted, present);
        File.WriteAllText(page, verdict.Page(records.Set, task, ranges.ToString(), wanted, present, options.Gamma));
        return verdict;

        Candidate Look(string package)
        {
            using var actor = PackageActor.Load(package, task);
            using var line = new ProgressLine($"{actor.Package.Manifest.Name}: fitted Q, %", 100);
            var judged = FittedQ.Evaluate(records.Set, actor, options, new Share(line), cancellation);
            return new(actor.Package.Manifest.Name, actor.Package.Sha256, judged, Rollout.Returns(simulator, actor, episodes, FirstStart));
        }
    }

    private sealed class Share(ProgressLine line) : IProgress<double>
    {
        public void Report(double value) => line.Report((long)(100 * value), "");
    }
}
