using System.CommandLine;
using Robotics.Learning.Data;
using Robotics.Packages;

namespace Robotics.Lab.Commands;

/// <summary>What every command that reads records asks: which of them, and what an observation is.</summary>
internal sealed class DataFlags
{
    private readonly Option<string> _task = new("--task") { Description = "push-t or detour", DefaultValueFactory = _ => "push-t" };
    private readonly Option<FileInfo?> _wiring = new("--wiring") { Description = "policy.json whose observations, action and timing are trained; the task's own when left out", HelpName = "FILE" };
    private readonly Option<string> _only = new("--only") { Description = "success, failure or all", DefaultValueFactory = _ => "all" };
    private readonly Option<string?> _assume = new("--assume") { Description = "outcome of records that carry none: success or failure", HelpName = "OUTCOME" };
    private readonly Option<bool> _truncated = new("--allow-truncated") { Description = "use what can be read of damaged records" };

    public DataFlags()
    {
        _only.AcceptOnlyFromAmong("success", "failure", "all");
        _assume.AcceptOnlyFromAmong("success", "failure");
    }

    public void AddTo(Command command)
    {
        command.Options.Add(_task);
        command.Options.Add(_wiring);
        command.Options.Add(_only);
        command.Options.Add(_assume);
        command.Options.Add(_truncated);
    }

    public LabTask Task(ParseResult parsed) => LabTask.Named(parsed.GetValue(_task)!);

    public PolicyManifest Wiring(ParseResult parsed, LabTask task) => parsed.GetValue(_wiring) is not { } file
        ? task.Wiring
        : file.Exists ? PolicyPackage.Parse(File.ReadAllText(file.FullName), file.ToString())
        : throw new ConfigException($"--wiring names '{file}', which is not there.");

    public EpisodeFilter Filter(ParseResult parsed) => new()
    {
        Outcome = parsed.GetValue(_only) is "all" ? null : parsed.GetValue(_only),
        Assume = parsed.GetValue(_assume),
        AllowTruncated = parsed.GetValue(_truncated),
    };
}
