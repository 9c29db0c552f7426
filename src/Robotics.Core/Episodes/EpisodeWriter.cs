using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Robotics.Episodes;

/// <summary>Writes one run to an MCAP file that a killed process leaves readable up to the last chunk.</summary>
/// <remarks>
/// Owner: the recorder thread. Not thread-safe. Topics <c>/tick</c>, <c>/plan</c>, <c>/event</c>, <c>/route</c> and <c>/link</c> hold JSON, so that
/// Foxglove opens and plots a record as it is; floats are in shortest round-trip form and read back bit-equal, NaN and infinities
/// are strings. Log time is UTC: the header's start plus the monotonic time since. Once its buffers have grown a row allocates
/// nothing. The same header and rows give the same bytes.
/// <para>A chunk is closed at 1 MiB, by every event and by <see cref="Flush"/>: call that about once a second.</para>
/// </remarks>
public sealed class EpisodeWriter : IDisposable
{
    private readonly McapWriter _file;
    private readonly ArrayBufferWriter<byte> _row = new(16 * 1024);
    private readonly Utf8JsonWriter _json;
    private readonly long _startUtcNs;
    private readonly long _startNs;
    private readonly ushort _tick;
    private readonly ushort _plan;
    private readonly ushort _event;
    private readonly ushort _link;
    private readonly ushort _route;

    /// <summary>Begins a record and writes what stands at its front.</summary>
    /// <param name="stream">Seekable or not; owned by the writer from here on.</param>
    /// <param name="header">What stands at the front.</param>
    /// <exception cref="IOException">The disk is full or gone.</exception>
    public EpisodeWriter(Stream stream, EpisodeHeader header)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(header);
        _startUtcNs = (header.StartedUtc - DateTimeOffset.UnixEpoch).Ticks * 100;
        _startNs = header.StartedAt.Nanoseconds;

        // Nothing here leaves this process as HTML: a person who opens the file reads "→", not "\u2192".
        _json = new Utf8JsonWriter(_row, new JsonWriterOptions { SkipValidation = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        _file = new McapWriter(stream, header.Program);
        _tick = Topic(EpisodeSchemas.TickTopic, "robotics.Tick", EpisodeSchemas.Tick);
        _plan = Topic(EpisodeSchemas.PlanTopic, "robotics.Plan", EpisodeSchemas.Plan);
        _event = Topic(EpisodeSchemas.EventTopic, "foxglove.Log", EpisodeSchemas.Log);
        _link = Topic(EpisodeSchemas.LinkTopic, "robotics.Link", EpisodeSchemas.Link);
        _route = Topic(EpisodeSchemas.RouteTopic, "robotics.Route", EpisodeSchemas.Route);

        _file.AddMetadata(EpisodeSchemas.HeaderMetadata,
        [
            new("format", "1"),
            new("program", header.Program),
            new("started_utc", header.StartedUtc.ToString("O", CultureInfo.InvariantCulture)),
            new("started_at_ns", _startNs.ToString(CultureInfo.InvariantCulture)),
            new("policy_sha256", header.PolicySha256),
        ]);
        _file.AddMetadata(EpisodeSchemas.PropertiesMetadata, header.Properties.OrderBy(pair => pair.Key, StringComparer.Ordinal));
        _file.AddMetadata(EpisodeSchemas.ElementsMetadata, Elements(new RecordedRobot(header.Robot)));
        Attach(EpisodeSchemas.RobotFile, header.Robot);
        Attach(EpisodeSchemas.PolicyFile, header.Policy);
        _file.Flush();
    }

    /// <summary>Bytes written so far, open chunk included.</summary>
    public long Length => _file.Length;

    /// <summary>Appends a tick.</summary>
    /// <exception cref="IOException">The chunk was full and the disk did not take it.</exception>
    public void Write(in TickRow row)
    {
        Begin();
        _json.WriteNumber("tick"u8, row.Tick);
        _json.WriteNumber("due_ns"u8, row.Due.Nanoseconds);
        _json.WriteNumber("late_ns"u8, row.LatenessNs);
        _json.WriteNumber("work_ns"u8, row.WorkNs);
        _json.WriteNumber("state"u8, (int)row.State);
        _json.WriteNumber("reason"u8, (int)row.Reason);
        _json.WriteNumber("observation"u8, row.Observation);
        _json.WriteNumber("observation_age_ns"u8, row.ObservationAgeNs);
        _json.WriteNumber("action_age_ns"u8, row.ActionAgeNs);
        _json.WriteNumber("plan"u8, row.Plan);
        _json.WriteNumber("row"u8, row.Row);
        if (row.Route != 0)
        {
            _json.WriteNumber("route"u8, row.Route);
            _json.WriteNumber("route_row"u8, row.RouteRow);
        }

        _json.WriteNumber("gate_joints"u8, row.GateTouched);
        _json.WriteNumber("gate_reasons"u8, (int)row.GateReasons);
        Floats("signals"u8, row.Signals);
        Floats("wanted"u8, row.Wanted);
        Floats("sent"u8, row.Sent);
        Floats("command"u8, row.Command);
        End(_tick, row.Due);
    }

    /// <summary>Appends a plan.</summary>
    /// <exception cref="IOException">The chunk was full and the disk did not take it.</exception>
    public void Write(in PlanRow row)
    {
        Begin();
        _json.WriteNumber("plan"u8, row.Plan);
        _json.WriteNumber("requested_ns"u8, row.RequestedAt.Nanoseconds);
        _json.WriteNumber("started_ns"u8, row.StartedAt.Nanoseconds);
        _json.WriteNumber("finished_ns"u8, row.FinishedAt.Nanoseconds);
        _json.WriteNumber("deadline_ns"u8, row.Deadline.Nanoseconds);
        _json.WriteNumber("took_ns"u8, row.FinishedAt.NanosecondsSince(row.StartedAt));
        _json.WriteNumber("slack_ns"u8, row.Deadline.NanosecondsSince(row.FinishedAt));
        _json.WriteNumber("status"u8, (int)row.Status);
        _json.WriteNumber("calls"u8, row.Calls);
        if (float.IsFinite(row.Energy))
        {
            _json.WriteNumber("energy"u8, row.Energy);
        }

        _json.WriteBoolean("after_reset"u8, row.AfterReset);
        Floats("input"u8, row.Observation);
        Floats("chunk"u8, row.Chunk);
        End(_plan, row.FinishedAt);
    }

    /// <summary>Appends an event; closes the chunk, so that it survives a kill.</summary>
    /// <exception cref="IOException">The disk is full or gone.</exception>
    public void Write(EventRow row)
    {
        ArgumentNullException.ThrowIfNull(row);
        long utc = Utc(row.Time);
        bool change = row.From != row.To;
        Begin();
        _json.WriteStartObject("timestamp"u8);
        _json.WriteNumber("sec"u8, utc / 1_000_000_000);
        _json.WriteNumber("nsec"u8, utc % 1_000_000_000);
        _json.WriteEndObject();
        _json.WriteNumber("level"u8, Level(row));
        _json.WriteString("message"u8, change ? $"{Words.Of(row.From)} → {Words.Of(row.To)} ({Words.Of(row.Reason)}): {row.Text}" : row.Text);
        _json.WriteString("name"u8, "robotics"u8);
        _json.WriteString("file"u8, ""u8);
        _json.WriteNumber("line"u8, 0);
        _json.WriteNumber("time_ns"u8, row.Time.Nanoseconds);
        _json.WriteNumber("from"u8, (int)row.From);
        _json.WriteNumber("to"u8, (int)row.To);
        _json.WriteNumber("reason"u8, (int)row.Reason);
        _json.WriteString("text"u8, row.Text);
        End(_event, row.Time);
        _file.CloseChunk();
    }

    /// <summary>Appends what happened to a route.</summary>
    /// <exception cref="IOException">The chunk was full and the disk did not take it.</exception>
    public void Write(RouteNote note)
    {
        ArgumentNullException.ThrowIfNull(note);
        Begin();
        _json.WriteNumber("time_ns"u8, note.Time.Nanoseconds);
        _json.WriteNumber("kind"u8, (int)note.Kind);
        _json.WriteNumber("route"u8, note.Route);
        _json.WriteNumber("row"u8, note.Row);
        _json.WriteString("text"u8, note.Text);
        _json.WriteString("table"u8, note.Table);
        End(_route, note.Time);
    }

    /// <summary>Appends the state of the link.</summary>
    /// <exception cref="IOException">The chunk was full and the disk did not take it.</exception>
    public void Write(MonotonicTime time, in LinkStatus link)
    {
        Begin();
        _json.WriteNumber("time_ns"u8, time.Nanoseconds);
        _json.WriteBoolean("up"u8, link.Up);
        _json.WriteNumber("reason"u8, (int)link.Reason);
        _json.WriteNumber("round_trip_ns"u8, link.RoundTrip.Ticks * 100);
        _json.WriteNumber("clock_offset_ns"u8, link.ClockOffset.Ticks * 100);
        _json.WriteNumber("dropped"u8, link.Dropped);
        End(_link, time);
    }

    /// <summary>Closes the open chunk and flushes to the disk.</summary>
    /// <exception cref="IOException">The disk is full or gone; the record up to the last chunk stays readable.</exception>
    public void Flush() => _file.Flush();

    /// <summary>Writes summary and footer and closes the stream; after an earlier error it only closes the stream.</summary>
    /// <exception cref="IOException">The disk is full or gone, met here for the first time; the stream is closed all the same.</exception>
    public void Dispose()
    {
        _json.Dispose();
        _file.Dispose();
    }

    private static int Level(EventRow row) => row switch
    {
        { From: var from, To: var to } when from == to => row.Reason == HoldReason.None ? 2 : 3,
        { To: ControlState.EmergencyStop } => 4,
        { To: ControlState.Holding } => 3,
        _ => 2,
    };

    private static IEnumerable<KeyValuePair<string, string>> Elements(RecordedRobot robot)
    {
        for (int i = 0; i < robot.Signals.Count; i++)
        {
            yield return new($"signals[{i}]", robot.Signals[i]);
        }

        for (int j = 0; j < robot.Joints.Count; j++)
        {
            yield return new($"wanted[{j}]", robot.Joints[j].Name);
            yield return new($"sent[{j}]", robot.Joints[j].Name);
        }
    }

    private ushort Topic(string topic, string schema, ReadOnlySpan<byte> text) =>
        _file.AddChannel(_file.AddSchema(schema, "jsonschema", text), topic, "json");

    private void Attach(string name, string text)
    {
        if (text.Length > 0)
        {
            _file.AddAttachment(name, "application/json", (ulong)_startUtcNs, Encoding.UTF8.GetBytes(text));
        }
    }

    private void Begin()
    {
        _row.ResetWrittenCount();
        _json.Reset();
        _json.WriteStartObject();
    }

    private void End(ushort channel, MonotonicTime time)
    {
        _json.WriteEndObject();
        _json.Flush();
        _file.Write(channel, (ulong)Utc(time), _row.WrittenSpan);
    }

    private void Floats(ReadOnlySpan<byte> name, ReadOnlySpan<float> values)
    {
        _json.WriteStartArray(name);
        foreach (float value in values)
        {
            if (float.IsFinite(value))
            {
                _json.WriteNumberValue(value);
            }
            else
            {
                _json.WriteStringValue(float.IsNaN(value) ? "NaN"u8 : value > 0 ? "Infinity"u8 : "-Infinity"u8);
            }
        }

        _json.WriteEndArray();
    }

    private long Utc(MonotonicTime time) => Math.Max(0, _startUtcNs + (time.Nanoseconds - _startNs));
}
