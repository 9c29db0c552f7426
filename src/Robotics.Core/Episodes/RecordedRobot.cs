using System.Globalization;
using System.Text.Json;

namespace Robotics.Episodes;

/// <summary>A joint as a record names it.</summary>
/// <param name="Name">Name of the joint.</param>
/// <param name="Unit">"rad" or "m".</param>
/// <param name="Lower">Lowest position; null when the description does not say.</param>
/// <param name="Upper">Highest position; null when the description does not say.</param>
public sealed record RecordedJoint(string Name, string Unit, float? Lower, float? Upper);

/// <summary>The names behind the numbers of a record, read from the robot.json inside it.</summary>
/// <remarks>Lenient where <see cref="Packages.RobotFile"/> is strict: a record of an older or newer program must still be readable,
/// so what is not understood is left out, and a text that is no JSON names nothing.</remarks>
public sealed class RecordedRobot
{
    private static readonly string[] _slices = [SignalLayout.JointPosition, SignalLayout.JointVelocity, SignalLayout.JointEffort];

    /// <summary>Reads the names from <paramref name="json"/>, a robot.json; never throws.</summary>
    public RecordedRobot(string json)
    {
        try
        {
            using var document = JsonDocument.Parse(json, new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
            var root = document.RootElement;
            Name = Text(root, "name") ?? "";
            Joints = [.. List(root, "joints").Select(Joint)];
            Signals = [.. Names(root)];
        }
        catch (JsonException)
        {
            // Nothing is named; the numbers stand on their own.
        }
    }

    /// <summary>Name of the robot; empty when unknown.</summary>
    public string Name { get; } = "";

    /// <summary>[Nj] joints in order; empty when unknown.</summary>
    public IReadOnlyList<RecordedJoint> Joints { get; } = [];

    /// <summary>[frame] name of every element of the signal frame, for example <c>joint.position knee [rad]</c>; empty when
    /// unknown.</summary>
    public IReadOnlyList<string> Signals { get; } = [];

    private static RecordedJoint Joint(JsonElement joint) =>
        new(Text(joint, "name") ?? "?", Text(joint, "kind") == "prismatic" ? "m" : "rad", Number(joint, "lower"), Number(joint, "upper"));

    private IEnumerable<string> Names(JsonElement root)
    {
        foreach (string kind in _slices)
        {
            foreach (var joint in Joints)
            {
                string unit = kind == SignalLayout.JointPosition ? joint.Unit
                    : kind == SignalLayout.JointVelocity ? joint.Unit + "/s"
                    : joint.Unit == "m" ? "N" : "Nm";
                yield return $"{kind} {joint.Name} [{unit}]";
            }
        }

        foreach (var signal in List(root, "signals"))
        {
            string name = Text(signal, "name") ?? "?";
            string unit = Text(signal, "unit") is { Length: > 0 } given ? $" [{given}]" : "";
            string[] elements = [.. List(signal, "elements").Select(element => element.ToString())];
            int length = (int)Math.Clamp(Number(signal, "length") ?? 0, 0, 4096);
            for (int i = 0; i < length; i++)
            {
                string element = i < elements.Length ? elements[i] : i.ToString(CultureInfo.InvariantCulture);
                yield return length == 1 && elements.Length == 0 ? name + unit : $"{name} {element}{unit}";
            }
        }
    }

    private static JsonElement.ArrayEnumerator List(JsonElement parent, string name) =>
        parent.ValueKind == JsonValueKind.Object && parent.TryGetProperty(name, out var found) && found.ValueKind == JsonValueKind.Array
            ? found.EnumerateArray()
            : default;

    private static string? Text(JsonElement parent, string name) =>
        parent.ValueKind == JsonValueKind.Object && parent.TryGetProperty(name, out var found) && found.ValueKind == JsonValueKind.String
            ? found.GetString()
            : null;

    private static float? Number(JsonElement parent, string name) =>
        parent.ValueKind == JsonValueKind.Object && parent.TryGetProperty(name, out var found) && found.ValueKind == JsonValueKind.Number
        && found.TryGetSingle(out float value)
            ? value
            : null;
}
