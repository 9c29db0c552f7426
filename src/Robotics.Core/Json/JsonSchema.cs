using System.Buffers;
using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Robotics.Json;

/// <summary>Checks JSON against a schema and reports every problem at once, each with its path, both sides, and for an unknown
/// key the nearest known one.</summary>
/// <remarks>
/// A subset of JSON Schema draft 2020-12, as much as our two formats use: type, const, enum, required, properties,
/// additionalProperties, items, minItems, maxItems, minimum, maximum, exclusiveMinimum, exclusiveMaximum, pattern, default, if, then, else,
/// $ref into $defs, and oneOf whose branches differ in type (so that the branch a person meant is known and its problems can be told). Our own because no kept
/// schema library restores here with all it depends on, and because "does not match any branch" is no message for a person.
/// Immutable; safe for any thread.
/// </remarks>
public sealed class JsonSchema
{
    private readonly JsonElement _root;
    private readonly JsonElement _anything = JsonElement.Parse("{}");
    private readonly Dictionary<string, Regex> _patterns = [];

    /// <summary>Reads a schema.</summary>
    /// <exception cref="JsonException">The text is not JSON.</exception>
    public JsonSchema(string text)
    {
        _root = JsonElement.Parse(text);
        CompilePatterns(_root);
    }

    /// <summary>The text of a schema that is embedded in this assembly: <c>policy.schema.json</c> or <c>robot.schema.json</c>.</summary>
    /// <exception cref="ArgumentException">There is no such schema.</exception>
    public static string Text(string name)
    {
        using var stream = typeof(JsonSchema).Assembly.GetManifestResourceStream(name) ?? throw new ArgumentException($"No schema '{name}' is embedded.", nameof(name));
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

    /// <summary>Adds everything that is wrong with <paramref name="value"/> to <paramref name="check"/>.</summary>
    public void Validate(JsonElement value, ConfigCheck check)
    {
        ArgumentNullException.ThrowIfNull(check);
        Validate(_root, value, "", check);
    }

    /// <summary>A valid value with every left-out key that has a <c>default</c> in the schema filled in: defaults, too, are
    /// written down once, where people read them. (Generated deserialisers set left-out init properties to nothing, whatever
    /// the record's own default is.)</summary>
    public JsonElement WithDefaults(JsonElement value)
    {
        var text = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(text))
        {
            Fill(_root, value, writer);
        }

        return JsonElement.Parse(text.WrittenSpan);
    }

    private void Fill(JsonElement schema, JsonElement value, Utf8JsonWriter writer)
    {
        schema = Resolve(schema);
        if (value.ValueKind == JsonValueKind.Array && schema.TryGetProperty("items", out var items))
        {
            writer.WriteStartArray();
            foreach (var entry in value.EnumerateArray())
            {
                Fill(items, entry, writer);
            }

            writer.WriteEndArray();
        }
        else if (value.ValueKind == JsonValueKind.Object)
        {
            var properties = schema.TryGetProperty("properties", out var given) ? given : default;
            writer.WriteStartObject();
            foreach (var member in value.EnumerateObject())
            {
                writer.WritePropertyName(member.Name);
                Fill(properties.ValueKind == JsonValueKind.Object && properties.TryGetProperty(member.Name, out var property) ? property
                    : schema.TryGetProperty("additionalProperties", out var others) && others.ValueKind == JsonValueKind.Object ? others : _anything, member.Value, writer);
            }

            if (properties.ValueKind == JsonValueKind.Object)
            {
                foreach (var property in properties.EnumerateObject())
                {
                    if (!value.TryGetProperty(property.Name, out _) && property.Value.TryGetProperty("default", out var otherwise))
                    {
                        writer.WritePropertyName(property.Name);
                        Fill(property.Value, otherwise, writer);
                    }
                }
            }

            writer.WriteEndObject();
        }
        else
        {
            value.WriteTo(writer);
        }
    }

    private void Validate(JsonElement schema, JsonElement value, string path, ConfigCheck check)
    {
        schema = Resolve(schema);
        if (schema.TryGetProperty("oneOf", out var branches))
        {
            foreach (var branch in branches.EnumerateArray())
            {
                if (Accepts(Resolve(branch), value))
                {
                    Validate(branch, value, path, check);
                    return;
                }
            }

            check.Add(path, $"is {Show(value)}, expected {string.Join(" or ", branches.EnumerateArray().Select(branch => TypeWords(Resolve(branch))))}");
            return;
        }

        if (!Accepts(schema, value))
        {
            string hint = value.ValueKind == JsonValueKind.Null ? "; leave the key out for 'not set'" : "";
            check.Add(path, $"is {Show(value)}, expected {TypeWords(schema)}{hint}");
            return;
        }

        if (schema.TryGetProperty("const", out var constant) && !JsonElement.DeepEquals(constant, value))
        {
            check.Add(path, $"is {Show(value)}, expected {constant.GetRawText()}");
        }

        if (schema.TryGetProperty("enum", out var choices) && !choices.EnumerateArray().Any(choice => JsonElement.DeepEquals(choice, value)))
        {
            string[] known = [.. choices.EnumerateArray().Select(choice => choice.ToString())];
            string nearest = Nearest(value.ToString(), known) is { } near ? $"; did you mean '{near}'?" : "";
            check.Add(path, $"is {Show(value)}, expected one of {string.Join(", ", known)}{nearest}");
        }

        switch (value.ValueKind)
        {
            case JsonValueKind.Number:
                Number(schema, value, path, check);
                break;
            case JsonValueKind.String:
                if (schema.TryGetProperty("pattern", out var pattern) && !_patterns[pattern.GetString()!].IsMatch(value.GetString()!))
                {
                    check.Add(path, $"is {Show(value)}, expected the form {pattern.GetString()}");
                }

                break;
            case JsonValueKind.Array:
                Array(schema, value, path, check);
                break;
            case JsonValueKind.Object:
                Object(schema, value, path, check);
                break;
        }
    }

    private static void Number(JsonElement schema, JsonElement value, string path, ConfigCheck check)
    {
        double number = value.GetDouble();

        // Every number of these formats ends in a float or a period in ms: what a float cannot hold would become infinity.
        check.That(Math.Abs(number) <= float.MaxValue, path, $"is {value.GetRawText()}, which a 32-bit float cannot hold");
        double low = Limit(schema, "minimum", double.NegativeInfinity);
        double high = Limit(schema, "maximum", double.PositiveInfinity);
        double above = Limit(schema, "exclusiveMinimum", double.NegativeInfinity);
        double below = Limit(schema, "exclusiveMaximum", double.PositiveInfinity);
        if (number < low || number > high || number <= above || number >= below)
        {
            string expected = double.IsFinite(below)
                ? $"{Words(low)} to below {Words(below)}"
                : double.IsFinite(above)
                ? $"above {Words(above)}" + (double.IsFinite(high) ? $", at most {Words(high)}" : "")
                : double.IsFinite(low) && double.IsFinite(high) ? $"{Words(low)} to {Words(high)}"
                : double.IsFinite(low) ? $"at least {Words(low)}" : $"at most {Words(high)}";
            check.Add(path, $"is {value.GetRawText()}, expected {expected}");
        }

        static double Limit(JsonElement schema, string keyword, double otherwise) => schema.TryGetProperty(keyword, out var limit) ? limit.GetDouble() : otherwise;
        static string Words(double limit) => limit.ToString(CultureInfo.InvariantCulture);
    }

    private void Array(JsonElement schema, JsonElement value, string path, ConfigCheck check)
    {
        int length = value.GetArrayLength();
        int least = schema.TryGetProperty("minItems", out var min) ? min.GetInt32() : 0;
        int most = schema.TryGetProperty("maxItems", out var max) ? max.GetInt32() : int.MaxValue;
        if (length < least || length > most)
        {
            string expected = least == most ? $"{least}" : most == int.MaxValue ? $"at least {least}" : $"{least} to {most}";
            check.Add(path, $"has {length} entries, expected {expected}");
        }

        if (schema.TryGetProperty("items", out var items))
        {
            int i = 0;
            foreach (var entry in value.EnumerateArray())
            {
                Validate(items, entry, $"{path}[{i++}]", check);
            }
        }
    }

    private void Object(JsonElement schema, JsonElement value, string path, ConfigCheck check)
    {
        var properties = schema.TryGetProperty("properties", out var given) ? given : default;
        string[] known = properties.ValueKind == JsonValueKind.Object ? [.. properties.EnumerateObject().Select(property => property.Name)] : [];
        bool hasOthers = schema.TryGetProperty("additionalProperties", out var others);
        var seen = new HashSet<string>();
        foreach (var member in value.EnumerateObject())
        {
            string at = path.Length == 0 ? member.Name : $"{path}.{member.Name}";
            if (!seen.Add(member.Name))
            {
                check.Add(at, "is given twice");
                continue;
            }

            if (known.Contains(member.Name))
            {
                Validate(properties.GetProperty(member.Name), member.Value, at, check);
            }
            else if (hasOthers && others.ValueKind == JsonValueKind.Object)
            {
                Validate(others, member.Value, at, check);
            }
            else if (hasOthers && others.ValueKind == JsonValueKind.False)
            {
                check.Add(at, Nearest(member.Name, known) is { } near
                    ? $"is not a known key; did you mean '{near}'?"
                    : $"is not a known key; known here: {string.Join(", ", known)}");
            }
        }

        Required(schema, properties, seen, path, check);
        if (schema.TryGetProperty("if", out var condition))
        {
            var trial = new ConfigCheck("");
            Validate(condition, value, path, trial);
            if (schema.TryGetProperty(trial.Ok ? "then" : "else", out var branch))
            {
                Required(branch, properties, seen, path, check);
                foreach (var also in branch.TryGetProperty("properties", out var more) ? more.EnumerateObject().Where(p => seen.Contains(p.Name)) : [])
                {
                    Validate(also.Value, value.GetProperty(also.Name), path.Length == 0 ? also.Name : $"{path}.{also.Name}", check);
                }
            }
        }
    }

    private void Required(JsonElement schema, JsonElement properties, HashSet<string> seen, string path, ConfigCheck check)
    {
        if (schema.TryGetProperty("required", out var required))
        {
            foreach (string name in required.EnumerateArray().Select(entry => entry.GetString()!).Where(name => !seen.Contains(name)))
            {
                string about = properties.ValueKind == JsonValueKind.Object && properties.TryGetProperty(name, out var property) && Resolve(property) is var resolved
                    && (property.TryGetProperty("description", out var text) || resolved.TryGetProperty("description", out text)) ? $" ({text.GetString()})" : "";
                check.Add(path, $"{(path.Length == 0 ? "the file " : "")}has no '{name}'{about}");
            }
        }
    }

    private JsonElement Resolve(JsonElement schema)
    {
        while (schema.TryGetProperty("$ref", out var reference))
        {
            schema = _root.GetProperty("$defs").GetProperty(reference.GetString()!["#/$defs/".Length..]);
        }

        return schema;
    }

    private static bool Accepts(JsonElement schema, JsonElement value) =>
        !schema.TryGetProperty("type", out var type) || Types(type).Any(name => name switch
        {
            "object" => value.ValueKind == JsonValueKind.Object,
            "array" => value.ValueKind == JsonValueKind.Array,
            "string" => value.ValueKind == JsonValueKind.String,
            "boolean" => value.ValueKind is JsonValueKind.True or JsonValueKind.False,
            "integer" => value.ValueKind == JsonValueKind.Number && double.IsInteger(value.GetDouble()) && Math.Abs(value.GetDouble()) <= int.MaxValue,
            "number" => value.ValueKind == JsonValueKind.Number,
            _ => false,
        });

    private static IEnumerable<string> Types(JsonElement type) =>
        type.ValueKind == JsonValueKind.Array ? type.EnumerateArray().Select(entry => entry.GetString()!) : [type.GetString()!];

    private static string TypeWords(JsonElement schema) => !schema.TryGetProperty("type", out var type) ? "something else" : string.Join(" or ", Types(type).Select(name => name switch
    {
        "object" => "an object",
        "array" => "an array",
        "string" => "a string",
        "boolean" => "true or false",
        "integer" => "a whole number",
        _ => "a number",
    }));

    private static string Show(JsonElement value)
    {
        string text = value.ValueKind switch
        {
            JsonValueKind.Object => "an object",
            JsonValueKind.Array => $"an array of {value.GetArrayLength()}",
            _ => value.GetRawText(),
        };
        return text.Length <= 80 ? text : text[..77] + "...";
    }

    /// <summary>The known word nearest to <paramref name="word"/> when it is near enough to be a slip, else null.</summary>
    internal static string? Nearest(string word, IReadOnlyList<string> known)
    {
        var best = known.Select(name => (Name: name, Distance: Distance(word, name))).OrderBy(pair => pair.Distance).FirstOrDefault();
        return best.Name is not null && best.Distance <= (word.Length <= 3 ? 1 : Math.Max(2, word.Length / 3)) ? best.Name : null;
    }

    private static int Distance(string a, string b)
    {
        int[] row = [.. Enumerable.Range(0, b.Length + 1)];
        for (int i = 1; i <= a.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                int above = row[j];
                row[j] = Math.Min(Math.Min(above, row[j - 1]) + 1, diagonal + (char.ToLowerInvariant(a[i - 1]) == char.ToLowerInvariant(b[j - 1]) ? 0 : 1));
                diagonal = above;
            }
        }

        return row[b.Length];
    }

    private void CompilePatterns(JsonElement node)
    {
        if (node.ValueKind == JsonValueKind.Object)
        {
            foreach (var member in node.EnumerateObject())
            {
                if (member.Name == "pattern" && member.Value.ValueKind == JsonValueKind.String)
                {
                    // .NET's $ also matches before a last line feed; a name must not end in one.
                    string pattern = member.Value.GetString()!;
                    _patterns[pattern] = new Regex(pattern.EndsWith('$') ? pattern[..^1] + @"\z" : pattern, RegexOptions.CultureInvariant);
                }

                CompilePatterns(member.Value);
            }
        }
        else if (node.ValueKind == JsonValueKind.Array)
        {
            foreach (var entry in node.EnumerateArray())
            {
                CompilePatterns(entry);
            }
        }
    }
}
