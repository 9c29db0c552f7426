using System.Buffers;
using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;

namespace Robotics.Host.Report;

/// <summary>A line of a chart.</summary>
/// <param name="Label">In the legend.</param>
/// <param name="Colour">Name of a colour variable of the page: <c>measured</c>, <c>sent</c>, <c>wanted</c>, <c>limit</c>.</param>
/// <param name="Values">One per x; NaN leaves a gap.</param>
/// <param name="Dashed">Drawn dashed.</param>
/// <param name="Points">Drawn as points alone, for what happened at instants and not in between.</param>
public sealed record Line(string Label, string Colour, IEnumerable<float> Values, bool Dashed = false, bool Points = false);

/// <summary>Writes the parts of the page: escaped text, tables, and charts whose data stand as JSON at the end.</summary>
/// <param name="writer">Takes the page.</param>
internal sealed class Page(TextWriter writer)
{
    private readonly ArrayBufferWriter<byte> _charts = new();
    private int _chartCount;

    /// <summary>Text made safe for HTML.</summary>
    public static string Safe(string text) => WebUtility.HtmlEncode(text);

    /// <summary>A number with the given format; an en dash for nothing.</summary>
    public static string Number(double value, string format = "0.###") =>
        double.IsFinite(value) ? value.ToString(format, CultureInfo.InvariantCulture) : "–";

    /// <summary>Writes HTML as it is.</summary>
    public void Raw(string html) => writer.WriteLine(html);

    public void Section(string title, string id) => Raw($"<section id=\"{id}\"><h2>{Safe(title)}</h2>");

    public void EndSection() => Raw("</section>");

    public void Note(string text) => Raw($"<p class=\"note\">{Safe(text)}</p>");

    /// <summary>A table.</summary>
    /// <param name="head">Titles of the columns.</param>
    /// <param name="rows">Cells, text.</param>
    /// <param name="numeric">The first column that holds numbers; it and all behind it are aligned right.</param>
    public void Table(IReadOnlyList<string> head, IEnumerable<IReadOnlyList<string>> rows, int numeric)
    {
        Raw("<div class=\"scroll\"><table><thead><tr>" + string.Concat(head.Select((cell, i) => $"<th{Right(i)}>{Safe(cell)}</th>")) + "</tr></thead><tbody>");
        foreach (var row in rows)
        {
            Raw("<tr>" + string.Concat(row.Select((cell, i) => $"<td{Right(i)}>{Safe(cell)}</td>")) + "</tr>");
        }

        Raw("</tbody></table></div>");

        string Right(int column) => column >= numeric ? " class=\"n\"" : "";
    }

    /// <summary>A chart over time in s; a small one says its unit in its title.</summary>
    public void Chart(string title, string unit, IEnumerable<double> times, IReadOnlyList<Line> lines, bool small = false) =>
        Chart(title, unit, times, lines, small, bars: null);

    /// <summary>A histogram.</summary>
    /// <param name="title">Above it.</param>
    /// <param name="edges">Label of each bar's lower edge.</param>
    /// <param name="counts">One per edge.</param>
    public void Bars(string title, IReadOnlyList<string> edges, IReadOnlyList<int> counts) =>
        Chart(title, "ticks", Enumerable.Range(0, edges.Count).Select(i => (double)i), [new("ticks", "sent", counts.Select(count => (float)count))], small: false, edges);

    /// <summary>The data of every chart, as JSON that cannot end a script element.</summary>
    public string Charts() => "[" + Encoding.UTF8.GetString(_charts.WrittenSpan) + "]";

    private void Chart(string title, string unit, IEnumerable<double> times, IReadOnlyList<Line> lines, bool small, IReadOnlyList<string>? bars)
    {
        Raw($"<figure class=\"chart{(small ? " small" : "")}\" data-chart=\"{_chartCount}\"><figcaption>{Safe(small || bars is not null || unit.Length == 0 ? title : $"{title}, {unit}")}</figcaption></figure>");
        if (_chartCount++ > 0)
        {
            _charts.Write(","u8);
        }

        // The default encoder turns <, > and & into \u003C and so on.
        using var json = new Utf8JsonWriter(_charts);
        json.WriteStartObject();
        json.WriteString("unit", unit);
        if (bars is not null)
        {
            json.WriteStartArray("bars");
            foreach (string edge in bars)
            {
                json.WriteStringValue(edge);
            }

            json.WriteEndArray();
        }

        json.WriteStartArray("lines");
        foreach (var line in lines)
        {
            json.WriteStartObject();
            json.WriteString("label", line.Label);
            json.WriteString("colour", line.Colour);
            json.WriteBoolean("dashed", line.Dashed);
            json.WriteBoolean("points", line.Points);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteStartArray("data");
        Values(json, times, "0.####");
        foreach (var line in lines)
        {
            Values(json, line.Values.Select(value => (double)value), "G6");
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void Values(Utf8JsonWriter json, IEnumerable<double> values, string format)
    {
        json.WriteStartArray();
        foreach (double value in values)
        {
            if (double.IsFinite(value))
            {
                json.WriteRawValue(value.ToString(format, CultureInfo.InvariantCulture), skipInputValidation: true);
            }
            else
            {
                json.WriteNullValue();
            }
        }

        json.WriteEndArray();
    }
}
