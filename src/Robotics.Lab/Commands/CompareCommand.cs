using System.CommandLine;
using System.Globalization;
using System.Text;
using Robotics.Host;
using Robotics.Lab.Reinforcement;

namespace Robotics.Lab.Commands;

/// <summary><c>robotics-lab compare</c>: finished reinforcement runs side by side, seeds taken together.</summary>
internal static class CompareCommand
{
    public static Command Create()
    {
        var runs = new Argument<string[]>("RUNS") { Description = "folders of 'robotics-lab train' runs of one task; those that differ in nothing but the seed make one line", Arity = ArgumentArity.OneOrMore };
        var picture = new Option<FileInfo?>("--picture") { Description = "SVG file: returns over the steps, a colour per line", HelpName = "FILE" };
        var table = new Option<FileInfo?>("--table") { Description = "markdown file that the table is written to as well", HelpName = "FILE" };
        var command = new Command("compare", """
            Sets reinforcement runs side by side: interquartile mean of the seeds' last evaluations, with a 95 % bootstrap interval.

            The last evaluation counts, never the best one. Three seeds or more make an interval; with fewer it is their range.

            Example:
              robotics-lab compare runs/pendulum-sac-* runs/pendulum-ppo-* --picture curves.svg
            """)
        { runs, picture, table };
        command.SetGuardedAction((parsed, _) =>
        {
            string[] folders = parsed.GetValue(runs)!;
            var configs = folders.Select(folder => (Folder: folder, Config: ReinforcementConfig.Load(folder))).ToArray();
            var check = new ConfigCheck("command line");
            foreach (var (folder, config) in configs.Skip(1))
            {
                var first = configs[0].Config;
                check.That((config.Task, config.Gap) == (first.Task, first.Gap), folder, $"was evaluated on task '{config.Task}' with gap '{config.Gap}', {configs[0].Folder} on '{first.Task}' with '{first.Gap}'; compare runs of one robot");
            }

            check.Throw();
            var groups = configs.GroupBy(run => Key(run.Config)).Select(group => group.ToArray()).ToArray();
            string[] names = Names([.. groups.Select(group => group[0].Config)]);
            Curve[] curves = [.. groups.Select((group, g) => new Curve(names[g], [.. group.Select(run => Curve.Read(run.Folder))]))];
            var text = new StringBuilder($"| {configs[0].Config.Task}{(configs[0].Config.Gap.Length > 0 ? $", {configs[0].Config.Gap}" : "")} | seeds | steps | return, interquartile mean | 95 % interval | each |\n|---|---|---|---|---|---|\n");
            foreach (var curve in curves)
            {
                double[] last = [.. curve.Runs.Select(run => run[^1].Return)];
                var (middle, low, high) = Spread.Bootstrap(last);
                text.Append(CultureInfo.InvariantCulture, $"| {curve.Name} | {last.Length} | {curve.Runs.Min(run => run[^1].Step):F0} | {middle:F1} | {low:F1} to {high:F1} | {string.Join(' ', last.Select(value => value.ToString("F1", CultureInfo.InvariantCulture)))} |\n");
            }

            Console.Write(text);
            if (parsed.GetValue(table) is { } file)
            {
                File.WriteAllText(file.FullName, text.ToString());
            }

            if (parsed.GetValue(picture) is { } svg)
            {
                File.WriteAllText(svg.FullName, CurvePicture.Draw(curves, $"{configs[0].Config.Task}: return of evaluations", "steps or updates"));
                Console.WriteLine(svg);
            }

            return Task.FromResult(ExitCode.Done);
        });
        return command;
    }

    // Everything but the seed.
    private static string Key(ReinforcementConfig config)
    {
        var settings = (System.Text.Json.Nodes.JsonObject)config.Settings.DeepClone();
        settings.Remove("seed");
        return $"{config.Method} {settings.ToJsonString()} {config.Dynamics} {config.Count} {config.DataSha256} {config.Run with { Seed = 0 }}";
    }

    // The method, and whatever distinguishes two lines of one method.
    private static string[] Names(ReinforcementConfig[] configs) => [.. configs.Select(config =>
    {
        var rivals = configs.Where(other => other != config && other.Method == config.Method).ToArray();
        var differing = config.Settings.Where(pair => pair.Key != "seed" && rivals.Any(other => other.Settings[pair.Key]?.ToJsonString() != pair.Value?.ToJsonString())).Select(pair => $"{pair.Key} {pair.Value?.ToJsonString()}").ToList();
        if (rivals.Any(other => other.Dynamics != config.Dynamics))
        {
            differing.Add(config.Dynamics.Length == 0 ? "nominal" : config.Dynamics);
        }

        return differing.Count == 0 ? config.Method : $"{config.Method} ({string.Join(", ", differing)})";
    })];
}
