using System.Globalization;
using System.Text;

namespace Robotics.Lab.Reinforcement;

/// <summary>One line of a picture: where its runs' evaluations lie.</summary>
/// <param name="Name">For the legend.</param>
/// <param name="Runs">One curve per seed: steps and returns.</param>
internal sealed record Curve(string Name, IReadOnlyList<IReadOnlyList<(double Step, double Return)>> Runs)
{
    /// <summary>Reads <c>evaluation.csv</c> of a run.</summary>
    /// <exception cref="ConfigException">There is none, or nothing in it.</exception>
    public static IReadOnlyList<(double Step, double Return)> Read(string run)
    {
        string path = Path.Combine(run, "evaluation.csv");
        (double, double)[] rows = !File.Exists(path) ? [] :
            [.. File.ReadLines(path).Skip(1).Select(line => line.Split(',')).Select(fields => (Number(fields[0]), Number(fields[1])))];
        return rows.Length > 0 ? rows : throw new ConfigException($"'{run}' holds no evaluation (evaluation.csv): let 'robotics-lab train' run longer, or with --episodes above 0.");
    }

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);
}

/// <summary>Returns over the steps, one colour per method, thin lines for seeds and a thick one for their mean, as an SVG.</summary>
internal static class CurvePicture
{
    private const double Width = 800, Height = 400;

    private static readonly string[] s_colors = ["#1f5fa8", "#c1440e", "#2e8b57", "#7d4fb2", "#b8860b", "#20808d", "#a33b6f", "#555555"];

    public static string Draw(IReadOnlyList<Curve> curves, string title, string steps)
    {
        var all = curves.SelectMany(curve => curve.Runs).SelectMany(run => run).ToArray();
        double last = all.Max(point => point.Step), high = all.Max(point => point.Return), low = all.Min(point => point.Return), span = Math.Max(high - low, 1e-9);
        var svg = new StringBuilder();
        Add($"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"-90 -50 {Width + 120} {Height + 110 + (22 * curves.Count)}\" font-family=\"sans-serif\" font-size=\"14\"><rect x=\"-90\" y=\"-50\" width=\"100%\" height=\"100%\" fill=\"white\"/>");
        Add($"<text y=\"-20\">{System.Security.SecurityElement.Escape(title)}</text>");
        for (int i = 0; i <= 4; i++)
        {
            double y = Height * i / 4;
            Add($"<line x2=\"{Width}\" y1=\"{y}\" y2=\"{y}\" stroke=\"#ddd\"/><text x=\"-8\" y=\"{y + 5}\" text-anchor=\"end\">{high - (span * i / 4):G4}</text>");
            Add($"<text x=\"{Width * i / 4}\" y=\"{Height + 22}\" text-anchor=\"middle\">{last * i / 4:F0}</text>");
        }

        for (int c = 0; c < curves.Count; c++)
        {
            string color = s_colors[c % s_colors.Length];
            foreach (var run in curves[c].Runs)
            {
                Line(run, color, curves[c].Runs.Count > 1 ? 0.7 : 2, curves[c].Runs.Count > 1 ? 0.5 : 1);
            }

            if (curves[c].Runs.Count > 1)
            {
                Line([.. curves[c].Runs.SelectMany(run => run).GroupBy(point => point.Step).OrderBy(group => group.Key).Where(group => group.Count() == curves[c].Runs.Count)
                    .Select(group => (group.Key, group.Average(point => point.Return)))], color, 2.5, 1);
            }

            Add($"<rect x=\"0\" y=\"{Height + 60 + (22 * c)}\" width=\"24\" height=\"4\" fill=\"{color}\"/><text x=\"32\" y=\"{Height + 67 + (22 * c)}\">{System.Security.SecurityElement.Escape(curves[c].Name)}{(curves[c].Runs.Count > 1 ? $", {curves[c].Runs.Count} seeds" : "")}</text>");
        }

        Add($"<text x=\"{Width / 2}\" y=\"{Height + 44}\" text-anchor=\"middle\">{steps}</text></svg>");
        return svg.ToString();

        void Line(IReadOnlyList<(double Step, double Return)> points, string color, double width, double opacity)
        {
            string text = string.Join(' ', points.Select(point => string.Create(CultureInfo.InvariantCulture, $"{Width * point.Step / last:F1},{Height * (high - point.Return) / span:F1}")));
            Add($"<polyline fill=\"none\" stroke=\"{color}\" stroke-width=\"{width}\" opacity=\"{opacity}\" points=\"{text}\"/>");
        }

        void Add(FormattableString line) => svg.AppendLine(line.ToString(CultureInfo.InvariantCulture));
    }
}
