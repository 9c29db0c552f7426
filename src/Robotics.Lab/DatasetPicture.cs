using System.Globalization;
using System.Text;
using Robotics.Learning.Data;

namespace Robotics.Lab;

/// <summary>Where the episodes of a set went, from above: the targets of the first two action elements, and how long episodes are.</summary>
internal static class DatasetPicture
{
    private const int Paths = 200;
    private const int Bins = 30;
    private const double Side = 512;

    public static string Draw(EpisodeSet set, LabTask task)
    {
        var some = set.Episodes.Where((_, i) => i % Math.Max(1, set.Episodes.Count / Paths) == 0).Take(Paths).ToArray();
        double[] x = [.. some.SelectMany(e => Column(e, 0))], y = [.. some.SelectMany(e => Column(e, Math.Min(1, e.ActionSize - 1)))];
        double left = x.Min(), top = y.Min(), scale = Side / Math.Max(Math.Max(x.Max() - left, y.Max() - top), 1e-9);
        var svg = new StringBuilder();
        Add($"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"-20 -40 1120 600\" font-family=\"sans-serif\" font-size=\"14\"><rect x=\"-20\" y=\"-40\" width=\"1120\" height=\"600\" fill=\"white\"/>");
        Add($"<text y=\"-14\">{task.Name}: targets of {some.Length} of {set.Episodes.Count} episodes, one colour each</text>");
        for (int e = 0; e < some.Length; e++)
        {
            var points = string.Join(' ', Column(some[e], 0).Zip(Column(some[e], Math.Min(1, some[e].ActionSize - 1)), (a, b) => Point((a - left) * scale, (b - top) * scale)));
            Add($"<polyline fill=\"none\" stroke=\"hsl({e * 137 % 360},70%,45%)\" stroke-opacity=\"0.35\" points=\"{points}\"/>");
        }

        int longest = set.Episodes.Max(e => e.Steps);
        int[] counts = new int[Bins];
        foreach (var episode in set.Episodes)
        {
            counts[Math.Min(Bins - 1, episode.Steps * Bins / (longest + 1))]++;
        }

        Add($"<text x=\"580\" y=\"-14\">episode length, 0 to {longest} steps</text>");
        for (int b = 0; b < Bins; b++)
        {
            double height = 480.0 * counts[b] / counts.Max();
            Add($"<rect x=\"{580 + (b * 16)}\" y=\"{500 - height:F1}\" width=\"14\" height=\"{height:F1}\" fill=\"#4a7bb5\"/>");
        }

        Add($"</svg>");
        return svg.ToString();

        void Add(FormattableString line) => svg.AppendLine(line.ToString(CultureInfo.InvariantCulture));
        static string Point(double a, double b) => string.Create(CultureInfo.InvariantCulture, $"{a:F1},{b:F1}");
    }

    private static IEnumerable<double> Column(Demonstration episode, int j)
    {
        for (int i = j; i < episode.Actions.Length; i += episode.ActionSize)
        {
            yield return episode.Actions[i];
        }
    }
}
