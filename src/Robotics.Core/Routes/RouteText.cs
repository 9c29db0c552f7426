using System.Buffers;
using System.Numerics;
using System.Text;
using System.Text.Json;
using Robotics.Json;

namespace Robotics.Routes;

/// <summary>The text form of a route: newline-delimited JSON, one row a line, units in the names.</summary>
/// <remarks>
/// <code>
/// {"verb":"move","target_m":[0.4,-0.3,0],"tolerance_m":0.05,"timeout_s":3}
/// {"verb":"reach","target_m":[0.4,-0.3,0.12],"tolerance_m":0.01,"timeout_s":2}
/// </code>
/// The same text is a file, the payload of an operator's word, and what a record keeps. Empty lines are skipped; an unknown key, a
/// missing one, a number out of range or an eleventh row is an error that says the line.
/// </remarks>
public static class RouteText
{
    private static readonly Lazy<JsonSchema> s_schema = new(() => new JsonSchema(SchemaText));

    /// <summary>The published schema of one line, as text.</summary>
    public static string SchemaText => JsonSchema.Text("route.schema.json");

    /// <summary>Reads a table strictly.</summary>
    /// <param name="text">The lines.</param>
    /// <param name="source">Where they came from, for messages and records.</param>
    /// <param name="spec">Verbs and ranges.</param>
    /// <exception cref="ConfigException">Everything that is wrong with it.</exception>
    public static RouteTable Read(string text, string source, RouteSpec spec)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(spec);
        var check = new ConfigCheck(source);
        var rows = new List<RouteRow>();
        foreach (var (index, line) in text.Split('\n').Index())
        {
            if (string.IsNullOrWhiteSpace(line))
            {
                continue;
            }

            var row = new ConfigCheck("");
            if (rows.Count <= RouteTable.MostRows && Row(line, row) is { } read)
            {
                rows.Add(read);
            }

            foreach (string problem in row.Problems)
            {
                check.Add($"line {index + 1}", problem);
            }
        }

        check.Throw();
        return new RouteTable(rows, source, spec);
    }

    /// <summary>Writes a table; what is written reads back as the same rows.</summary>
    public static string Write(RouteTable table)
    {
        ArgumentNullException.ThrowIfNull(table);
        var text = new ArrayBufferWriter<byte>();
        using var writer = new Utf8JsonWriter(text);
        foreach (var row in table.Rows)
        {
            writer.Reset();
            writer.WriteStartObject();
            writer.WriteString("verb", row.Verb);
            writer.WriteStartArray("target_m");
            writer.WriteNumberValue(row.Target.X);
            writer.WriteNumberValue(row.Target.Y);
            writer.WriteNumberValue(row.Target.Z);
            writer.WriteEndArray();
            writer.WriteNumber("tolerance_m", row.Tolerance);
            writer.WriteNumber("timeout_s", row.Timeout);
            writer.WriteEndObject();
            writer.Flush();
            text.Write("\n"u8);
        }

        return Encoding.UTF8.GetString(text.WrittenSpan);
    }

    private static RouteRow? Row(string line, ConfigCheck check)
    {
        try
        {
            var json = JsonElement.Parse(line);
            s_schema.Value.Validate(json, check);
            if (check.Ok)
            {
                var target = json.GetProperty("target_m");
                return new(json.GetProperty("verb").GetString()!, new Vector3(target[0].GetSingle(), target[1].GetSingle(), target[2].GetSingle()),
                    json.GetProperty("tolerance_m").GetSingle(), json.GetProperty("timeout_s").GetSingle());
            }
        }
        catch (JsonException broken)
        {
            check.Add("", $"is no JSON object: {broken.Message.Split(" LineNumber:")[0]}");
        }

        return null;
    }
}
