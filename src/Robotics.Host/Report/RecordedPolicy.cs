using System.Text.Json;

namespace Robotics.Host.Report;

/// <summary>What the report needs from the policy.json inside a record; lenient, so that records of other versions read.</summary>
public sealed class RecordedPolicy
{
    private readonly TargetKind[] _kinds = [];
    private readonly string[]? _joints;

    /// <summary>Reads <paramref name="json"/>; never throws.</summary>
    public RecordedPolicy(string json)
    {
        try
        {
            using var document = JsonDocument.Parse(json, new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
            var root = document.RootElement;
            Name = root.ValueKind == JsonValueKind.Object && root.TryGetProperty("name", out var name) ? name.ToString() : "";
            if (root.ValueKind != JsonValueKind.Object || !root.TryGetProperty("action", out var action) || action.ValueKind != JsonValueKind.Object
                || !action.TryGetProperty("kind", out var kind))
            {
                return;
            }

            _kinds = kind.ValueKind == JsonValueKind.Array ? [.. kind.EnumerateArray().Select(Parse)] : [Parse(kind)];
            _joints = action.TryGetProperty("joints", out var joints) && joints.ValueKind == JsonValueKind.Array
                ? [.. joints.EnumerateArray().Select(joint => joint.ToString())]
                : null;
        }
        catch (JsonException)
        {
            // No policy ran, or its text is damaged: the names stay empty and targets count as positions.
        }
    }

    /// <summary>Name of the policy; empty when unknown.</summary>
    public string Name { get; } = "";

    /// <summary>What the targets of a joint mean, and so which measurement stands beside them.</summary>
    /// <param name="joint">Its name.</param>
    /// <param name="index">Its place in the robot's order.</param>
    public TargetKind Kind(string joint, int index)
    {
        int element = _kinds.Length == 1 ? 0 : _joints is null ? index : Array.IndexOf(_joints, joint);
        return element >= 0 && element < _kinds.Length ? _kinds[element] : TargetKind.Position;
    }

    private static TargetKind Parse(JsonElement kind) => kind.ToString() switch
    {
        "velocity" => TargetKind.Velocity,
        "effort" => TargetKind.Effort,
        _ => TargetKind.Position,
    };
}
