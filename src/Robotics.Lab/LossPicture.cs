using System.Globalization;
using System.Text;

namespace Robotics.Lab;

/// <summary>The loss over the updates, on a logarithmic scale, as an SVG.</summary>
internal static class LossPicture
{
    private const double Width = 800, Height = 400;

    /// <summary>Reads <c>metrics.csv</c> and draws it.</summary>
    public static string Draw(string metrics, string title)
    {
        var rows = File.ReadLines(metrics).Skip(1).Select(line => line.Split(',')).Select(f => (Step: double.Parse(f[0], CultureInfo.InvariantCulture), Loss: double.Parse(f[1], CultureInfo.InvariantCulture))).ToArray();
        double last = rows.Max(row => row.Step), high = Math.Log10(rows.Max(row => row.Loss)), low = Math.Log10(Math.Max(rows.Min(row => row.Loss), 1e-12));
        double span = Math.Max(high - low, 1e-3);
        var svg = new StringBuilder();
        Add($"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"-90 -50 {Width + 120} {Height + 110}\" font-family=\"sans-serif\" font-size=\"14\"><rect x=\"-90\" y=\"-50\" width=\"100%\" height=\"100%\" fill=\"white\"/>");
        Add($"<text y=\"-20\">{title}: training loss</text>");
        for (int i = 0; i <= 4; i++)
        {
            double y = Height * i / 4, loss = Math.Pow(10, high - (span * i / 4));
            Add($"<line x2=\"{Width}\" y1=\"{y}\" y2=\"{y}\" stroke=\"#ddd\"/><text x=\"-8\" y=\"{y + 5}\" text-anchor=\"end\">{loss:G2}</text>");
            Add($"<text x=\"{Width * i / 4}\" y=\"{Height + 22}\" text-anchor=\"middle\">{last * i / 4:F0}</text>");
        }

        string points = string.Join(' ', rows.Select(row => string.Create(CultureInfo.InvariantCulture, $"{Width * row.Step / last:F1},{Height * (high - Math.Log10(Math.Max(row.Loss, 1e-12))) / span:F1}")));
        Add($"<polyline fill=\"none\" stroke=\"#1f5fa8\" stroke-width=\"1.5\" points=\"{points}\"/><text x=\"{Width / 2}\" y=\"{Height + 48}\" text-anchor=\"middle\">updates</text></svg>");
        return svg.ToString();

        void Add(FormattableString line) => svg.AppendLine(line.ToString(CultureInfo.InvariantCulture));
    }
}
