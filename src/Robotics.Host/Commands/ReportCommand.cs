using System.CommandLine;
using Robotics.Episodes;
using Robotics.Host.Report;

namespace Robotics.Host.Commands;

/// <summary><c>robotics report</c>: a record as one page.</summary>
internal static class ReportCommand
{
    public static Command Create()
    {
        var run = new Argument<string>("run") { Description = "record (MCAP)" };
        var output = new Option<string?>("--output", "-o") { Description = "page to write; default: beside the record", HelpName = "FILE" };
        var command = new Command("report", """
            Writes one self-contained HTML page about a run: what happened, targets and measurements, lateness, plan times,
            gate interventions, holds with reasons. Reads records of killed runs too, and says what is missing.

            Example:
              robotics report runs/20261123-170000-go1.mcap
            """)
        { run, output };
        command.SetGuardedAction((parsed, _) =>
        {
            string record = parsed.GetRequiredValue(run);
            string page = parsed.GetValue(output) ?? Path.ChangeExtension(record, ".html");
            Write(record, page);
            Console.WriteLine(page);
            return Task.FromResult(ExitCode.Done);
        });
        return command;
    }

    /// <summary>Writes the page of <paramref name="record"/>, with the scene of tasks that have one.</summary>
    /// <exception cref="ConfigException">There is no such record, or it is none.</exception>
    public static void Write(string record, string page)
    {
        var episode = Open(record);
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(page))!);
        using var writer = new StreamWriter(page);
        RunReport.Write(episode, writer, ScenePicture.Of(episode) is { } scene ? [scene] : null);
    }

    /// <summary>Opens a record that a person named.</summary>
    /// <exception cref="ConfigException">There is no such record, or it is none.</exception>
    public static EpisodeReader Open(string record)
    {
        if (!File.Exists(record))
        {
            throw new ConfigException(record, ["there is no such record; 'robotics run' writes them to runs/"]);
        }

        try
        {
            return new EpisodeReader(record);
        }
        catch (EpisodeException none)
        {
            throw new ConfigException(none.Message, none);
        }
    }
}
