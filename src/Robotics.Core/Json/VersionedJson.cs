using System.Text.Json;

namespace Robotics.Json;

/// <summary>The door of both formats: text to JSON, version first, then everything the schema has to say.</summary>
internal static class VersionedJson
{
    /// <summary>Parses and checks structure; problems of structure land in <paramref name="check"/>.</summary>
    /// <exception cref="ConfigException">Not JSON at all, or from a newer version: then nothing else is worth saying.</exception>
    public static JsonElement Read(ReadOnlyMemory<byte> utf8, string origin, JsonSchema schema, ConfigCheck check)
    {
        JsonElement root;
        try
        {
            // A byte order mark is what some editors put in front; it says nothing here.
            root = JsonElement.Parse(utf8.Span.StartsWith("\uFEFF"u8) ? utf8.Span[3..] : utf8.Span);
        }
        catch (JsonException broken)
        {
            throw new ConfigException($"{origin}: not JSON at line {broken.LineNumber + 1}, byte {broken.BytePositionInLine + 1}: {broken.Message.Split(" LineNumber:")[0]}", broken);
        }

        if (root.ValueKind == JsonValueKind.Object && root.TryGetProperty("version", out var version)
            && version.ValueKind == JsonValueKind.Number && version.GetDouble() > 1)
        {
            throw new ConfigException(origin, [$"is version {version.GetRawText()}, this build reads 1; update the program or re-export"]);
        }

        schema.Validate(root, check);
        return root;
    }
}
