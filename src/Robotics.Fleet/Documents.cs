using System.Text.Json;
using System.Text.Json.Serialization;

namespace Robotics.Fleet;

/// <summary>A robot's retained connection document, after VDA 5050's idea.</summary>
/// <param name="HeaderId">Counts the documents on this topic since the process started.</param>
/// <param name="Timestamp">UTC, ISO 8601 with milliseconds.</param>
/// <param name="Version">Of this protocol, 1.0.</param>
/// <param name="Manufacturer">Who made the robot side.</param>
/// <param name="SerialNumber">The robot's name.</param>
/// <param name="ConnectionState"><c>ONLINE</c>, <c>OFFLINE</c> (said before a clean disconnect) or <c>CONNECTIONBROKEN</c> (the
/// last will).</param>
public sealed record ConnectionDocument(uint HeaderId, string Timestamp, string Version, string Manufacturer, string SerialNumber, string ConnectionState)
{
    /// <summary>The robot side is there.</summary>
    public const string Online = "ONLINE";

    /// <summary>It said good-bye.</summary>
    public const string Offline = "OFFLINE";

    /// <summary>The broker lost it.</summary>
    public const string Broken = "CONNECTIONBROKEN";
}

/// <summary>A request to the robot side.</summary>
public sealed record ControlRequest
{
    /// <summary><c>claim</c>, <c>renew</c>, <c>release</c>, <c>hold</c>, <c>resume</c>, <c>estop</c> or <c>clear</c>.</summary>
    public required string Do { get; init; }

    /// <summary>Chosen by the sender; the answer repeats it (besides MQTT 5's correlation data, so that 3.1.1 works too).</summary>
    public required string Id { get; init; }

    /// <summary>Sender's client name; answers go to <see cref="Topics.Reply"/> of it.</summary>
    public required string Client { get; init; }

    /// <summary>Epoch of the lease, for renew, release and resume.</summary>
    public uint Epoch { get; init; }

    /// <summary>For claim: how long the lease lasts without a renewal or a command, ms; 100 to 60,000.</summary>
    public int LeaseMs { get; init; } = 2000;

    /// <summary>For claim: kind of each joint's targets.</summary>
    public IReadOnlyList<TargetKind>? Kinds { get; init; }

    /// <summary>For claim: servo gains; null for none.</summary>
    public ServoGains? Servo { get; init; }

    /// <summary>For claim: nominal time between commands, ms; the robot side's gate scales its reach with it.</summary>
    public double PeriodMs { get; init; } = 20;
}

/// <summary>The robot side's answer.</summary>
/// <param name="Id">Id of the request.</param>
/// <param name="Ok">Done, or refused.</param>
/// <param name="Epoch">Epoch of the lease in force; 0 for none.</param>
/// <param name="Text">For a refusal: what stands against it and what to do, in one sentence.</param>
public sealed record ControlReply(string Id, bool Ok, uint Epoch, string Text);

/// <summary>Something a person should read, from the robot side.</summary>
/// <param name="Timestamp">UTC, ISO 8601 with milliseconds.</param>
/// <param name="Mode">Mode after it.</param>
/// <param name="Reason">Why.</param>
/// <param name="Text">One sentence.</param>
public sealed record RobotEvent(string Timestamp, RobotMode Mode, HoldReason Reason, string Text);

/// <summary>Reads and writes the JSON documents; names are camelCase, enums are words.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true,
    RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(ConnectionDocument))]
[JsonSerializable(typeof(ControlRequest))]
[JsonSerializable(typeof(ControlReply))]
[JsonSerializable(typeof(RobotEvent))]
internal sealed partial class DocumentContext : JsonSerializerContext;

/// <summary>The documents as bytes.</summary>
public static class Documents
{
    /// <summary>UTF-8 JSON of a document.</summary>
    public static byte[] Write(ConnectionDocument document) => JsonSerializer.SerializeToUtf8Bytes(document, DocumentContext.Default.ConnectionDocument);

    /// <summary>UTF-8 JSON of a request.</summary>
    public static byte[] Write(ControlRequest request) => JsonSerializer.SerializeToUtf8Bytes(request, DocumentContext.Default.ControlRequest);

    /// <summary>UTF-8 JSON of an answer.</summary>
    public static byte[] Write(ControlReply reply) => JsonSerializer.SerializeToUtf8Bytes(reply, DocumentContext.Default.ControlReply);

    /// <summary>UTF-8 JSON of an event.</summary>
    public static byte[] Write(RobotEvent robotEvent) => JsonSerializer.SerializeToUtf8Bytes(robotEvent, DocumentContext.Default.RobotEvent);

    /// <summary>Reads a connection document; null when it is none.</summary>
    public static ConnectionDocument? ReadConnection(ReadOnlySpan<byte> json) => Read(json, DocumentContext.Default.ConnectionDocument);

    /// <summary>Reads a request; null when it is none.</summary>
    public static ControlRequest? ReadRequest(ReadOnlySpan<byte> json) => Read(json, DocumentContext.Default.ControlRequest);

    /// <summary>Reads an answer; null when it is none.</summary>
    public static ControlReply? ReadReply(ReadOnlySpan<byte> json) => Read(json, DocumentContext.Default.ControlReply);

    /// <summary>Reads an event; null when it is none.</summary>
    public static RobotEvent? ReadEvent(ReadOnlySpan<byte> json) => Read(json, DocumentContext.Default.RobotEvent);

    // Bytes from a broker are anybody's: what is not the document is a value, not an exception.
    private static T? Read<T>(ReadOnlySpan<byte> json, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(json, type);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
