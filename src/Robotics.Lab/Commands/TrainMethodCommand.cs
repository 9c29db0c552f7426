using System.CommandLine;
using Robotics.Host;
using Robotics.Lab.Reinforcement;
using Robotics.Learning.Training;
using Robotics.Sim;

namespace Robotics.Lab.Commands;

/// <summary><c>robotics-lab train METHOD</c> for reinforcement learning: a simulator, records or both to a policy package.</summary>
internal static class TrainMethodCommand
{
    public static Command Create(LearningMethod method)
    {
        bool simulates = method.From.HasFlag(LearnsFrom.Simulator), reads = method.From.HasFlag(LearnsFrom.Records);
        string unit = simulates ? "steps of the simulator" : "updates";
        var defaults = new RunOptions();
        var task = new Option<string>("--task") { Description = $"what is learned: {LearningTasks.Names}{(simulates ? ", or external:ADDRESS" : "")}", Required = true };
        var run = new Option<DirectoryInfo>("--run") { Description = "the run's folder: config, metrics, checkpoint, curve, package", Required = true };
        var data = new Option<string[]>("--data") { Description = $"records (*.mcap), files of transitions (*{RecordedTransitions.Extension}), or folders of them", Required = true, AllowMultipleArgumentsPerToken = true };
        var truncated = new Option<bool>("--allow-truncated") { Description = "use what can be read of damaged records" };
        var dynamics = new Option<string>("--dynamics") { Description = "what differs in the simulator learned in: NAME=VALUE,NAME=LOW..HIGH (drawn per episode), or 'usual'", DefaultValueFactory = _ => "" };
        var gap = new Option<string>("--gap") { Description = "what differs on the robot it is evaluated on, written likewise", DefaultValueFactory = _ => "" };
        var steps = new Option<long>("--steps") { Description = unit, DefaultValueFactory = _ => defaults.Steps };
        var count = new Option<int>("--envs") { Description = "environments stepped together", DefaultValueFactory = _ => 1 };
        var threads = new Option<int>("--threads") { Description = "that step environments", DefaultValueFactory = _ => 1 };
        var log = new Option<long>("--log-every") { Description = $"{unit} per line of metrics", DefaultValueFactory = _ => defaults.LogEvery };
        var evaluate = new Option<long>("--evaluate-every") { Description = $"{unit} per evaluation", DefaultValueFactory = _ => defaults.EvaluateEvery };
        var episodes = new Option<int>("--episodes") { Description = "of an evaluation, deterministic; 0: none", DefaultValueFactory = _ => defaults.EvaluationEpisodes };
        var checkpoint = new Option<long>("--checkpoint-every") { Description = $"{unit} per checkpoint, a multiple of --log-every", DefaultValueFactory = _ => defaults.CheckpointEvery };
        var seed = new Option<ulong>("--seed") { Description = "of everything that is drawn", DefaultValueFactory = _ => 1 };
        var set = new Option<string[]>("--set") { Description = "a setting of the method, NAME=VALUE (below)", AllowMultipleArgumentsPerToken = true };
        var file = new Option<FileInfo?>("--config") { Description = "JSON object of settings; --set goes over it", HelpName = "FILE" };
        var name = new Option<string?>("--name") { Description = "of the policy; TASK-METHOD when left out" };
        var command = new Command(method.Name, $"""
            {char.ToUpperInvariant(method.Description[0])}{method.Description[1..]}.

            Interrupt it at any time, or kill it: the same command goes on from the last checkpoint and ends with the same metrics.

            Example:
              robotics-lab train {method.Name} --task {(simulates ? "pendulum" : "runner")} {(reads ? "--data records " : "")}--run runs/{method.Name}

            {MethodSettings.Describe(method.Options)}
            """)
        { task, run, steps, seed, set, file, gap, evaluate, episodes, log, checkpoint, threads, name };
        foreach (Option option in (Option[])[.. reads ? [data, truncated] : Array.Empty<Option>(), .. simulates ? [dynamics, count] : Array.Empty<Option>()])
        {
            command.Options.Add(option);
        }

        command.SetGuardedAction((parsed, cancellation) =>
        {
            string which = parsed.GetValue(task)!;
            ulong drawn = parsed.GetValue(seed);
            var settings = MethodSettings.Read(method.Options, parsed.GetValue(file), parsed.GetValue(set) ?? [], drawn);
            var records = reads ? RecordedTransitions.Read(parsed.GetValue(data)!, LearningTasks.Named(which), parsed.GetValue(truncated)) : null;
            if (records is not null)
            {
                Console.Error.WriteLine(records);
            }

            var config = new ReinforcementConfig
            {
                Command = "robotics-lab " + string.Join(' ', parsed.Tokens.Select(token => token.Value)),
                Method = method.Name,
                Task = which,
                Dynamics = simulates ? parsed.GetValue(dynamics)! : "",
                Gap = parsed.GetValue(gap)!,
                Settings = MethodSettings.Write(settings),
                Count = simulates ? parsed.GetValue(count) : 1,
                Threads = parsed.GetValue(threads),
                Data = reads ? parsed.GetValue(data)! : [],
                DataSha256 = records?.Set.Sha256 ?? "",
                Run = new RunOptions
                {
                    Steps = parsed.GetValue(steps),
                    LogEvery = parsed.GetValue(log),
                    EvaluateEvery = parsed.GetValue(evaluate),
                    EvaluationEpisodes = parsed.GetValue(episodes),
                    CheckpointEvery = parsed.GetValue(checkpoint),
                    Seed = drawn,
                }.Checked("command line"),
            };
            string policy = parsed.GetValue(name) ?? $"{which}-{method.Name}";
            return Task.FromResult(ReinforcementRun.Execute(config, records, parsed.GetValue(run)!.FullName, policy, cancellation));
        });
        return command;
    }
}
