using System.CommandLine;
using System.Globalization;
using System.Text;
using Robotics.Host;
using Robotics.Learning.Data;

namespace Robotics.Lab.Commands;

/// <summary><c>robotics-lab dataset inspect</c>: what is in a set of records.</summary>
internal static class DatasetCommand
{
    public static Command Create()
    {
        var paths = new Argument<string[]>("records") { Description = "records (.mcap) or folders of them", Arity = ArgumentArity.OneOrMore };
        var flags = new DataFlags();
        var picture = new Option<FileInfo?>("--picture") { Description = "SVG file: where the episodes went", HelpName = "FILE" };
        var inspect = new Command("inspect", "Prints how many episodes there are, how they ended, how long they are, and the range of every element.") { paths, picture };
        flags.AddTo(inspect);
        inspect.SetGuardedAction((parsed, _) =>
        {
            var task = flags.Task(parsed);
            var set = EpisodeSet.Read(parsed.GetValue(paths)!, flags.Wiring(parsed, task), flags.Filter(parsed));
            Console.Write(Describe(set));
            if (parsed.GetValue(picture) is { } file)
            {
                File.WriteAllText(file.FullName, DatasetPicture.Draw(set, task));
                Console.WriteLine($"picture     {file}");
            }

            return Task.FromResult(ExitCode.Done);
        });
        return new Command("dataset", "Looks into recorded data.") { inspect };
    }

    private static string Describe(EpisodeSet set)
    {
        var text = new StringBuilder();
        int steps = set.Episodes.Sum(episode => episode.Steps);
        int[] lengths = [.. set.Episodes.Select(episode => episode.Steps).Order()];
        Line($"robot       {set.Robot.Name}");
        Line($"records     {set.Records}, of which {set.Successes} succeeded ({100.0 * set.Successes / Math.Max(set.Records, 1):F1} %)");
        Line($"episodes    {set.Episodes.Count}, {steps} steps; shortest {lengths[0]}, median {lengths[lengths.Length / 2]}, longest {lengths[^1]}");
        Line($"sha256      {set.Sha256}");
        int width = set.Episodes[0].ObservationSize, size = set.Episodes[0].ActionSize;
        Line($"{"",-16}{"min",12}{"max",12}{"mean",12}{"deviation",12}");
        for (int j = 0; j < width; j++)
        {
            Element($"observation {j}", set.Episodes.SelectMany(e => Column(e.Observations, width, j)));
        }

        for (int j = 0; j < size; j++)
        {
            Element($"action {j}", set.Episodes.SelectMany(e => Column(e.Actions, size, j)));
        }

        return text.ToString();

        void Element(string name, IEnumerable<float> values)
        {
            double n = 0, sum = 0, squares = 0, least = double.PositiveInfinity, most = double.NegativeInfinity;
            foreach (float value in values)
            {
                (n, sum, squares, least, most) = (n + 1, sum + value, squares + ((double)value * value), Math.Min(least, value), Math.Max(most, value));
            }

            double mean = sum / n;
            Line($"{name,-16}{least,12:F4}{most,12:F4}{mean,12:F4}{Math.Sqrt(Math.Max((squares / n) - (mean * mean), 0)),12:F4}");
        }

        void Line(FormattableString line) => text.AppendLine(line.ToString(CultureInfo.InvariantCulture));
    }

    private static IEnumerable<float> Column(float[] values, int width, int j)
    {
        for (int i = j; i < values.Length; i += width)
        {
            yield return values[i];
        }
    }
}
