using System.Collections;
using System.Globalization;
using System.Reflection;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using System.Xml.Linq;

namespace Robotics.Lab.Reinforcement;

/// <summary>A method's settings as people write them (<c>--set learning_rate=1e-3</c>, a JSON file) and read them (<c>--help</c>, whose
/// words are those of the code's own documentation).</summary>
internal static class MethodSettings
{
    private const string Seed = "seed"; // --seed, which draws everything

    internal static JsonSerializerOptions Json { get; } = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false) },
    };

    /// <summary>The settings: defaults, then the file, then each <c>NAME=VALUE</c>.</summary>
    /// <param name="options">The record's type.</param>
    /// <param name="file">JSON object; null: none.</param>
    /// <param name="changes">NAME=VALUE, snake case.</param>
    /// <param name="seed">Draws everything.</param>
    /// <exception cref="ConfigException">A name or a value that the method does not have.</exception>
    public static object Read(Type options, FileInfo? file, IReadOnlyList<string> changes, ulong seed)
    {
        var check = new ConfigCheck("command line");
        var given = file is null ? new JsonObject() : FromFile(file);
        var known = Names(options).ToDictionary(property => Name(property));
        foreach (string name in given.Select(pair => pair.Key).Where(name => !known.ContainsKey(name)))
        {
            check.Add($"{file}: {name}", $"is no setting; there are {string.Join(", ", known.Keys)}");
        }

        foreach (string change in changes)
        {
            string[] sides = change.Split('=', 2);
            if (sides.Length != 2 || !known.TryGetValue(sides[0], out var property))
            {
                check.Add($"--set {change}", $"is not NAME=VALUE with a NAME of {string.Join(", ", known.Keys)}");
                continue;
            }

            given[sides[0]] = Value(property, sides[1]);
        }

        check.Throw();
        given[Seed] = seed;
        try
        {
            return given.Deserialize(options, Json)!;
        }
        catch (JsonException error)
        {
            string at = error.Path?.TrimStart('$', '.') ?? "";
            throw new ConfigException("command line", [$"{(at.Length > 0 ? at : "settings")}: is '{(at.Length > 0 ? given[at.Split('[', '.')[0]] : given)}', which cannot be read as {Kind(known.GetValueOrDefault(at.Split('[', '.')[0]))}"]);
        }
    }

    /// <summary>As JSON, for the run's own file.</summary>
    public static JsonObject Write(object settings) => (JsonObject)JsonSerializer.SerializeToNode(settings, settings.GetType(), Json)!;

    /// <summary>A line for every setting: name, default, meaning.</summary>
    public static string Describe(Type options)
    {
        object defaults = Activator.CreateInstance(options)!;
        var documents = Documentation(options);
        var text = new StringBuilder("Settings (--set NAME=VALUE, or a JSON object in --config), with their defaults:\n");
        foreach (var property in Names(options))
        {
            string name = Name(property), value = Show(property.GetValue(defaults));
            string meaning = documents.GetValueOrDefault($"P:{property.DeclaringType!.FullName}.{property.Name}", "");
            text.Append(CultureInfo.InvariantCulture, $"  {name,-22} {value,-12} {meaning}").AppendLine();
        }

        return text.ToString().TrimEnd();
    }

    private static IEnumerable<PropertyInfo> Names(Type options) =>
        options.GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(property => property.CanWrite && Name(property) != Seed);

    private static string Name(PropertyInfo property) => JsonNamingPolicy.SnakeCaseLower.ConvertName(property.Name);

    private static JsonObject FromFile(FileInfo file)
    {
        try
        {
            return file.Exists
                ? JsonNode.Parse(File.ReadAllText(file.FullName)) as JsonObject ?? throw new ConfigException(file.ToString(), ["is no JSON object of settings"])
                : throw new ConfigException($"--config names '{file}', which is not there.");
        }
        catch (JsonException error)
        {
            throw new ConfigException(file.ToString(), [$"is no JSON: {error.Message}"]);
        }
    }

    // Lists are written 256,256; words without quotes.
    private static JsonNode? Value(PropertyInfo property, string text)
    {
        bool list = property.PropertyType != typeof(string) && typeof(IEnumerable).IsAssignableFrom(property.PropertyType);
        return list ? new JsonArray([.. text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(Scalar)]) : Scalar(text);
    }

    private static JsonNode? Scalar(string text)
    {
        try
        {
            return text.Length == 0 || text[0] is '{' or '[' ? JsonValue.Create(text) : JsonNode.Parse(text);
        }
        catch (JsonException)
        {
            return JsonValue.Create(text);
        }
    }

    private static string Show(object? value) => value switch
    {
        null => "none",
        string text => text,
        bool flag => flag ? "true" : "false",
        Enum word => JsonNamingPolicy.SnakeCaseLower.ConvertName(word.ToString()),
        IEnumerable list => string.Join(',', list.Cast<object>().Select(Show)),
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        _ => value.ToString() ?? "",
    };

    private static string Kind(PropertyInfo? property) => property?.PropertyType switch
    {
        null => "settings",
        { IsEnum: true } type => "one of " + string.Join(", ", Enum.GetNames(type).Select(JsonNamingPolicy.SnakeCaseLower.ConvertName)),
        { } type when Nullable.GetUnderlyingType(type) is { } inner => inner.Name,
        { } type => type == typeof(double) || type == typeof(float) ? "a number" : type == typeof(bool) ? "true or false"
            : type == typeof(int) || type == typeof(long) ? "a whole number" : typeof(IEnumerable).IsAssignableFrom(type) ? "numbers with commas between" : type.Name,
    };

    // The documentation file lies beside the assembly; without it names and defaults must do.
    private static Dictionary<string, string> Documentation(Type options)
    {
        string path = Path.ChangeExtension(options.Assembly.Location, ".xml");
        return !File.Exists(path) ? [] : XDocument.Load(path).Descendants("member")
            .ToDictionary(member => member.Attribute("name")!.Value, member => Plain(member.Element("summary")));
    }

    private static string Plain(XElement? summary)
    {
        if (summary is null)
        {
            return "";
        }

        foreach (var reference in summary.Descendants("see").ToArray())
        {
            reference.ReplaceWith(JsonNamingPolicy.SnakeCaseLower.ConvertName(reference.Attribute("cref")?.Value.Split('.')[^1] ?? ""));
        }

        return string.Join(' ', summary.Value.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
    }
}
