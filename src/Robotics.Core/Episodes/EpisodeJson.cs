using System.Text.Json;
using Robotics.Safety;

namespace Robotics.Episodes;

/// <summary>The messages of a record, read back. Unknown fields are skipped and missing ones keep their default, so that records of
/// older and newer programs read. Throws JsonException, FormatException or InvalidOperationException on anything else.</summary>
internal static class EpisodeJson
{
    public static EpisodeTick Tick(ReadOnlySpan<byte> json)
    {
        var row = new EpisodeTick();
        var reader = Open(json);
        while (Field(ref reader) is { } name)
        {
            switch (name)
            {
                case "tick": row.Tick = reader.GetUInt64(); break;
                case "due_ns": row.Due = new(reader.GetInt64()); break;
                case "late_ns": row.LatenessNs = reader.GetInt64(); break;
                case "work_ns": row.WorkNs = reader.GetInt64(); break;
                case "state": row.State = (ControlState)reader.GetByte(); break;
                case "reason": row.Reason = (HoldReason)reader.GetByte(); break;
                case "observation": row.Observation = reader.GetUInt64(); break;
                case "observation_age_ns": row.ObservationAgeNs = reader.GetInt64(); break;
                case "action_age_ns": row.ActionAgeNs = reader.GetInt64(); break;
                case "plan": row.Plan = reader.GetUInt64(); break;
                case "row": row.Row = reader.GetInt32(); break;
                case "route": row.Route = reader.GetUInt64(); break;
                case "route_row": row.RouteRow = reader.GetInt32(); break;
                case "gate_joints": row.GateTouched = reader.GetUInt64(); break;
                case "gate_reasons": row.GateReasons = (GateReasons)reader.GetUInt16(); break;
                case "signals": row.Signals = Floats(ref reader); break;
                case "wanted": row.Wanted = Floats(ref reader); break;
                case "sent": row.Sent = Floats(ref reader); break;
                case "command": row.Command = Floats(ref reader); break;
                default: reader.Skip(); break;
            }
        }

        return row;
    }

    public static EpisodePlan Plan(ReadOnlySpan<byte> json)
    {
        var row = new EpisodePlan();
        var reader = Open(json);
        while (Field(ref reader) is { } name)
        {
            switch (name)
            {
                case "plan": row.Plan = reader.GetUInt64(); break;
                case "requested_ns": row.RequestedAt = new(reader.GetInt64()); break;
                case "started_ns": row.StartedAt = new(reader.GetInt64()); break;
                case "finished_ns": row.FinishedAt = new(reader.GetInt64()); break;
                case "deadline_ns": row.Deadline = new(reader.GetInt64()); break;
                case "status": row.Status = (PlanStatus)reader.GetByte(); break;
                case "calls": row.Calls = reader.GetInt32(); break;
                case "energy": row.Energy = reader.GetSingle(); break;
                case "after_reset": row.AfterReset = reader.GetBoolean(); break;
                case "input": row.Observation = Floats(ref reader); break;
                case "chunk": row.Chunk = Floats(ref reader); break;
                default: reader.Skip(); break;
            }
        }

        return row;
    }

    public static EventRow Event(ReadOnlySpan<byte> json)
    {
        var row = new EventRow(default, ControlState.Idle, ControlState.Idle, HoldReason.None, "");
        var reader = Open(json);
        while (Field(ref reader) is { } name)
        {
            switch (name)
            {
                case "time_ns": row = row with { Time = new(reader.GetInt64()) }; break;
                case "from": row = row with { From = (ControlState)reader.GetByte() }; break;
                case "to": row = row with { To = (ControlState)reader.GetByte() }; break;
                case "reason": row = row with { Reason = (HoldReason)reader.GetByte() }; break;
                case "text": row = row with { Text = reader.GetString() ?? "" }; break;
                default: reader.Skip(); break;
            }
        }

        return row;
    }

    public static EpisodeLink Link(ReadOnlySpan<byte> json)
    {
        var time = default(MonotonicTime);
        var link = default(LinkStatus);
        var reader = Open(json);
        while (Field(ref reader) is { } name)
        {
            switch (name)
            {
                case "time_ns": time = new(reader.GetInt64()); break;
                case "up": link = link with { Up = reader.GetBoolean() }; break;
                case "reason": link = link with { Reason = (HoldReason)reader.GetByte() }; break;
                case "round_trip_ns": link = link with { RoundTrip = TimeSpan.FromTicks(reader.GetInt64() / 100) }; break;
                case "clock_offset_ns": link = link with { ClockOffset = TimeSpan.FromTicks(reader.GetInt64() / 100) }; break;
                case "dropped": link = link with { Dropped = reader.GetUInt64() }; break;
                default: reader.Skip(); break;
            }
        }

        return new EpisodeLink(time, link);
    }

    public static RouteNote Route(ReadOnlySpan<byte> json)
    {
        var row = new RouteNote(default, RouteNoteKind.Accepted, 0, 0, "");
        var reader = Open(json);
        while (Field(ref reader) is { } name)
        {
            switch (name)
            {
                case "time_ns": row = row with { Time = new(reader.GetInt64()) }; break;
                case "kind": row = row with { Kind = (RouteNoteKind)reader.GetByte() }; break;
                case "route": row = row with { Route = reader.GetUInt64() }; break;
                case "row": row = row with { Row = reader.GetInt32() }; break;
                case "text": row = row with { Text = reader.GetString() ?? "" }; break;
                case "table": row = row with { Table = reader.GetString() ?? "" }; break;
                default: reader.Skip(); break;
            }
        }

        return row;
    }

    private static Utf8JsonReader Open(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json);
        reader.Read();
        return reader.TokenType == JsonTokenType.StartObject ? reader : throw new JsonException("A row is a JSON object.");
    }

    /// <summary>Name of the next field, with the reader on its value; null at the end of the object.</summary>
    private static string? Field(ref Utf8JsonReader reader)
    {
        if (!reader.Read() || reader.TokenType != JsonTokenType.PropertyName)
        {
            return null;
        }

        string? name = reader.GetString();
        reader.Read();
        return name;
    }

    private static float[] Floats(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            throw new JsonException("Expected an array of numbers.");
        }

        // Counted first on a copy of the reader: it is a struct, and the array then has its size at once.
        var ahead = reader;
        int count = 0;
        while (ahead.Read() && ahead.TokenType != JsonTokenType.EndArray)
        {
            count++;
        }

        float[] values = new float[count];
        for (int i = 0; i < count; i++)
        {
            reader.Read();
            values[i] = reader.TokenType == JsonTokenType.Number ? reader.GetSingle() : reader.GetString() switch
            {
                "NaN" => float.NaN,
                "Infinity" => float.PositiveInfinity,
                "-Infinity" => float.NegativeInfinity,
                _ => throw new JsonException("Expected a number, \"NaN\", \"Infinity\" or \"-Infinity\"."),
            };
        }

        reader.Read();
        return values;
    }
}
