using System.Text.Json;
using System.Text.Json.Serialization;
using Robotics.Numerics;
using Robotics.Packages;

namespace Robotics.Json;

/// <summary>JSON of the two descriptions, generated at build time: snake_case, nothing by reflection.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    IgnoreReadOnlyProperties = true,
    WriteIndented = true,
    Converters = [
        typeof(NumberOrNumbers), typeof(KindOrKinds), typeof(SnakeCase<TargetKind>), typeof(SnakeCase<JointKind>),
        typeof(SnakeCase<HoldMode>), typeof(SnakeCase<PolicyKind>), typeof(SnakeCase<Prediction>), typeof(SnakeCase<DiffusionSolver>),
        typeof(SnakeCase<GridSpacing>), typeof(SnakeCase<FlowSolver>), typeof(SnakeCase<GuidanceDecay>), typeof(SnakeCase<MixOperator>),
        typeof(SnakeCase<GateSignal>), typeof(SnakeCase<GateMetric>), typeof(SnakeCase<JointSelection>)])]
[JsonSerializable(typeof(RobotSpec))]
[JsonSerializable(typeof(PolicyManifest))]
[JsonSerializable(typeof(SteeredFile))]
internal sealed partial class PackageJson : JsonSerializerContext;

/// <summary>An enum as its snake_case name.</summary>
internal sealed class SnakeCase<T>() : JsonStringEnumConverter<T>(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false)
    where T : struct, Enum;

/// <summary>A list of numbers that may be written as one number, or as pairs: 1, [1, 2] and [[1, 2], [3, 4]].</summary>
internal sealed class NumberOrNumbers : JsonConverter<IReadOnlyList<float>>
{
    public override IReadOnlyList<float> Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        var numbers = new List<float>();
        int depth = 0;
        do
        {
            switch (reader.TokenType)
            {
                case JsonTokenType.StartArray:
                    depth++;
                    break;
                case JsonTokenType.EndArray:
                    depth--;
                    break;
                default:
                    numbers.Add(reader.GetSingle());
                    break;
            }
        }
        while (depth > 0 && reader.Read());
        return numbers;
    }

    public override void Write(Utf8JsonWriter writer, IReadOnlyList<float> value, JsonSerializerOptions options)
    {
        writer.WriteStartArray();
        foreach (float number in value)
        {
            writer.WriteNumberValue(number);
        }

        writer.WriteEndArray();
    }
}

/// <summary>A list of target kinds that may be written as one word.</summary>
internal sealed class KindOrKinds : JsonConverter<IReadOnlyList<TargetKind>>
{
    private static readonly string[] Words = ["position", "velocity", "effort"]; // in the order of TargetKind

    public override IReadOnlyList<TargetKind> Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType == JsonTokenType.String)
        {
            return [Kind(ref reader)];
        }

        var kinds = new List<TargetKind>();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            kinds.Add(Kind(ref reader));
        }

        return kinds;
    }

    public override void Write(Utf8JsonWriter writer, IReadOnlyList<TargetKind> value, JsonSerializerOptions options)
    {
        writer.WriteStartArray();
        foreach (var kind in value)
        {
            writer.WriteStringValue(Words[(int)kind]);
        }

        writer.WriteEndArray();
    }

    private static TargetKind Kind(ref Utf8JsonReader reader)
    {
        int word = Array.IndexOf(Words, reader.GetString());
        return word >= 0 ? (TargetKind)word : throw new JsonException("A target kind is position, velocity or effort.");
    }
}
