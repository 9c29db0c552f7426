using System.CommandLine;
using System.Globalization;
using Robotics.Episodes;
using Robotics.Host.Running;

namespace Robotics.Host.Commands;

/// <summary><c>robotics replay</c>: does a policy still compute what a record says?</summary>
internal static class ReplayCommand
{
    public static Command Create()
    {
        var run = new Argument<string>("run") { Description = "record (MCAP)" };
        var policy = new Argument<string>("policy") { Description = PolicyChoice.Help };
        var tolerance = new Option<double>("--tolerance") { Description = "largest absolute difference that counts as the same", HelpName = "X", DefaultValueFactory = _ => 1e-5 };
        var providers = new Option<string?>("--providers") { Description = "execution providers in order", HelpName = "LIST" };
        var json = new Option<bool>("--json") { Description = "one JSON object instead of text" };
        var command = new Command("replay", """
            Feeds the recorded observations through a policy and compares the actions. Code 0 when all agree, 1 when not.

            Example:
              robotics replay runs/20261123-170000-go1.mcap my-policy
            """)
        { run, policy, tolerance, providers, json };
        command.SetGuardedAction((parsed, _) =>
        {
            using var episode = ReportCommand.Open(parsed.GetRequiredValue(run));
            using var choice = PolicyChoice.Load(parsed.GetRequiredValue(policy), parsed.GetValue(providers)?.Split(','), new ManualClock());
            ulong seed = episode.Header?.Properties.TryGetValue("seed", out string? text) == true && ulong.TryParse(text, out ulong recorded) ? recorded : 0;
            var result = ReplayComparison.Run(episode.Plans(), choice.Policy, parsed.GetValue(tolerance), seed);
            Console.WriteLine(parsed.GetValue(json) ? Json(result) : Text(result, choice.Manifest.Name));
            return Task.FromResult(result.Agrees ? ExitCode.Done : ExitCode.Failed);
        });
        return command;
    }

    private static string Text(ReplayComparison result, string policy)
    {
        var lines = new List<string>
        {
            result.Agrees ? $"{policy} computes what the record says." : $"{policy} does NOT compute what the record says.",
            string.Create(CultureInfo.InvariantCulture,
                $"plans {result.Plans}, compared {result.Compared}, skipped {result.Skipped}, not planned now {result.NotPlanned}; rows {result.Rows}, beyond {result.Tolerance:G3}: {result.RowsBeyond}"),
            string.Create(CultureInfo.InvariantCulture, $"largest difference {result.MaxDifference:G4}, mean {result.MeanDifference:G4}"),
        };
        if (result.First is { } first)
        {
            lines.Add(string.Create(CultureInfo.InvariantCulture,
                $"first: plan {first.Plan}, row {first.Row}, element {first.Element}: recorded {first.Recorded}, now {first.Replayed}"));
        }

        return string.Join(Environment.NewLine, lines.Concat(result.Notes));
    }

    private static string Json(ReplayComparison result) => JsonText.Object(writer =>
    {
        writer.WriteBoolean("agrees", result.Agrees);
        writer.WriteNumber("plans", result.Plans);
        writer.WriteNumber("compared", result.Compared);
        writer.WriteNumber("skipped", result.Skipped);
        writer.WriteNumber("not_planned", result.NotPlanned);
        writer.WriteNumber("rows", result.Rows);
        writer.WriteNumber("rows_beyond", result.RowsBeyond);
        writer.WriteNumber("tolerance", result.Tolerance);
        writer.WriteString("max_difference", result.MaxDifference.ToString("R", CultureInfo.InvariantCulture));
        writer.WriteNumber("mean_difference", result.MeanDifference);
        writer.WriteStrings("notes", result.Notes);
    });
}
