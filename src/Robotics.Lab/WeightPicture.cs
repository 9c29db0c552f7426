using System.Globalization;
using System.Text;

namespace Robotics.Lab;

/// <summary>Scores over the weight of the first of two parents, as an SVG: one curve per panel, with its 95 % band.</summary>
internal static class WeightPicture
{
    private const double Width = 300, Height = 200, Left = 60, Top = 50, Between = 40;
    private const int Columns = 4;

    /// <summary>One pair of parents.</summary>
    /// <param name="Title">Above the curve.</param>
    /// <param name="Points">Weight of the first parent, score, half width of its interval.</param>
    /// <param name="Chosen">Weight that was chosen.</param>
    public sealed record Panel(string Title, IReadOnlyList<(double Weight, double Score, double Error)> Points, double Chosen);

    /// <summary>Draws the panels side by side, four in a row.</summary>
    public static string Draw(string title, IReadOnlyList<Panel> panels)
    {
        ArgumentNullException.ThrowIfNull(panels);
        int columns = Math.Min(panels.Count, Columns), rows = (panels.Count + Columns - 1) / Columns;
        double width = Left + (columns * (Width + Between)), height = (rows * (Height + Top + Between)) + 30;
        var svg = new StringBuilder();
        Add($"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"12\"><rect width=\"100%\" height=\"100%\" fill=\"white\"/><text x=\"10\" y=\"20\" font-size=\"14\">{title}</text>");
        for (int p = 0; p < panels.Count; p++)
        {
            double x = Left + (p % Columns * (Width + Between)), y = Top + 10 + (p / Columns * (Height + Top + Between));
            Add($"<g transform=\"translate({x},{y})\"><text y=\"-8\">{panels[p].Title}</text>");
            One(panels[p]);
            Add($"</g>");
        }

        Add($"</svg>");
        return svg.ToString();

        void One(Panel panel)
        {
            double low = Math.Floor(10 * panel.Points.Min(point => point.Score - point.Error)) / 10, high = Math.Min(Math.Ceiling(10 * panel.Points.Max(point => point.Score + point.Error)) / 10, 1);
            double span = Math.Max(high - low, 0.1);
            double At(double score) => Height * (1 - ((Math.Clamp(score, low, low + span) - low) / span));
            for (int i = 0; i <= 4; i++)
            {
                Add($"<line x2=\"{Width}\" y1=\"{Height * i / 4}\" y2=\"{Height * i / 4}\" stroke=\"#ddd\"/><text x=\"-6\" y=\"{(Height * i / 4) + 4}\" text-anchor=\"end\">{low + (span * (4 - i) / 4):F2}</text><text x=\"{Width * i / 4}\" y=\"{Height + 16}\" text-anchor=\"middle\">{i / 4.0:G2}</text>");
            }

            var points = panel.Points.OrderBy(point => point.Weight).ToArray();
            string up = string.Join(' ', points.Select(point => Point(Width * point.Weight, At(point.Score + point.Error)))), down = string.Join(' ', points.Reverse().Select(point => Point(Width * point.Weight, At(point.Score - point.Error))));
            Add($"<polygon points=\"{up} {down}\" fill=\"#1f5fa8\" fill-opacity=\"0.15\"/><polyline fill=\"none\" stroke=\"#1f5fa8\" stroke-width=\"2\" points=\"{string.Join(' ', points.Select(point => Point(Width * point.Weight, At(point.Score))))}\"/>");
            Add($"<line x1=\"{Width * panel.Chosen}\" x2=\"{Width * panel.Chosen}\" y2=\"{Height}\" stroke=\"#c33\" stroke-dasharray=\"4 3\"/>");
        }

        void Add(FormattableString line) => svg.AppendLine(line.ToString(CultureInfo.InvariantCulture));
        static string Point(double a, double b) => string.Create(CultureInfo.InvariantCulture, $"{a:F1},{b:F1}");
    }
}
