using System.Globalization;
using System.Text.Json;
using Robotics.Control;
using Robotics.Episodes;
using Robotics.Fleet;
using Robotics.Safety;

namespace Robotics.Host.Running;

/// <summary>Says once a second how a run is doing, and at once when it changes state: a line for people, or one JSON object a
/// line for programs.</summary>
internal sealed class StatusLine(bool json, TextWriter output)
{
    private readonly bool _overwrite = !json && !Console.IsOutputRedirected;
    private bool _open; // a line that the next one overwrites

    /// <summary>A change of state.</summary>
    public void Event(in ControlEvent happened, double seconds)
    {
        if (json)
        {
            string text = happened.Describe();
            var (from, to, reason) = (happened.From, happened.To, happened.Reason);
            Json(writer =>
            {
                writer.WriteString("type", "event");
                writer.WriteNumber("t", Math.Round(seconds, 6));
                writer.WriteString("from", Words.Of(from));
                writer.WriteString("to", Words.Of(to));
                writer.WriteString("reason", Words.Of(reason));
                writer.WriteString("text", text);
            });
            return;
        }

        Line(string.Create(CultureInfo.InvariantCulture, $"{seconds,8:F3} s  {Words.Of(happened.To)}: {happened.Describe()}"), keep: true);
    }

    /// <summary>What the robot's own side says.</summary>
    public void Robot(RobotEvent said)
    {
        if (!json)
        {
            Line($"robot, {Words.Of(said.Mode)}: {said.Text}", keep: true);
            return;
        }

        Json(writer =>
        {
            writer.WriteString("type", "robot");
            writer.WriteString("mode", Words.Of(said.Mode));
            writer.WriteString("reason", Words.Of(said.Reason));
            writer.WriteString("text", said.Text);
        });
    }

    /// <summary>What happened to the route.</summary>
    public void Route(string text)
    {
        if (!json)
        {
            Line(text, keep: true);
            return;
        }

        Json(writer =>
        {
            writer.WriteString("type", "route");
            writer.WriteString("text", text);
        });
    }

    /// <summary>A sentence that stays.</summary>
    public void Say(string text)
    {
        if (!json)
        {
            Line(text, keep: true);
        }
    }

    /// <summary>The figures of the last second.</summary>
    public void Status(ControlStatus status)
    {
        if (json)
        {
            Json(writer => Figures(writer, "status", status));
            return;
        }

        string link = status.Link.RoundTrip > TimeSpan.Zero ? $"  link {Ms(status.Link.RoundTrip)} ms" : "";
        string reason = status.State == ControlState.Running ? "" : $" ({Words.Of(status.Reason)})";
        Line($"{Words.Of(status.State)}{reason}  {status.TickRate.ToString("F1", CultureInfo.InvariantCulture)} Hz  "
            + $"late p50/p99 {Us(status.Lateness.P50)}/{Us(status.Lateness.P99)} us  plan p50/p99 {Ms(status.Plan.P50)}/{Ms(status.Plan.P99)} ms  "
            + $"late {status.PlansLate} refused {status.PlansRefused}  gate {status.GateTouched}  "
            + $"obs {Ms(status.ObservationAge)} ms  action {Ms(status.ActionAge)} ms{link}", keep: false);
    }

    /// <summary>The last word of a run, for programs.</summary>
    public void Summary(ControlStatus status, int exitCode, string? record, string? report)
    {
        if (json)
        {
            Json(writer =>
            {
                Figures(writer, "summary", status);
                writer.WriteNumber("exit_code", exitCode);
                writer.WriteString("record", record);
                writer.WriteString("report", report);
            });
        }
    }

    /// <summary>Ends a line that would have been overwritten.</summary>
    public void Close()
    {
        if (_open)
        {
            output.WriteLine();
            _open = false;
        }
    }

    private static void Figures(Utf8JsonWriter writer, string type, ControlStatus status)
    {
        writer.WriteString("type", type);
        writer.WriteString("state", Words.Of(status.State));
        writer.WriteString("reason", Words.Of(status.Reason));
        writer.WriteString("first_reason", Words.Of(status.FirstReason));
        writer.WriteNumber("run_s", Math.Round(status.RunTime.TotalSeconds, 6));
        writer.WriteNumber("holds", status.Holds);
        writer.WriteNumber("ticks", status.Ticks);
        writer.WriteNumber("ticks_missed", status.TicksMissed);
        writer.WriteNumber("tick_hz", Math.Round(status.TickRate, 3));
        Duration("lateness", status.Lateness);
        Duration("plan", status.Plan);
        Duration("work", status.Work);
        writer.WriteNumber("plans", status.Plans);
        writer.WriteNumber("plans_late", status.PlansLate);
        writer.WriteNumber("plans_refused", status.PlansRefused);
        writer.WriteNumber("rows_repeated", status.RowsRepeated);
        writer.WriteNumber("gate_touched", status.GateTouched);
        writer.WriteStartObject("gate");
        for (int bit = 0; bit < status.GateCounts.Count; bit++)
        {
            if (status.GateCounts[bit] > 0)
            {
                writer.WriteNumber(((GateReasons)(1 << bit)).ToString(), status.GateCounts[bit]);
            }
        }

        writer.WriteEndObject();
        writer.WriteNumber("observation_age_ms", Math.Round(status.ObservationAge.TotalMilliseconds, 4));
        writer.WriteNumber("action_age_ms", Math.Round(status.ActionAge.TotalMilliseconds, 4));
        writer.WriteNumber("round_trip_ms", Math.Round(status.Link.RoundTrip.TotalMilliseconds, 4));
        writer.WriteNumber("clock_offset_ms", Math.Round(status.Link.ClockOffset.TotalMilliseconds, 4));
        writer.WriteNumber("frames_dropped", status.Link.Dropped);
        writer.WriteNumber("records_dropped", status.RecordsDropped);
        writer.WriteNumber("loop_allocated_bytes", status.LoopAllocatedBytes);
        writer.WriteNumber("planner_allocated_bytes", status.PlannerAllocatedBytes);
        writer.WriteString("fault", status.Fault);

        void Duration(string name, DurationFigures figures)
        {
            writer.WriteStartObject(name + "_ms");
            writer.WriteNumber("p50", Math.Round(figures.P50.TotalMilliseconds, 4));
            writer.WriteNumber("p99", Math.Round(figures.P99.TotalMilliseconds, 4));
            writer.WriteNumber("max", Math.Round(figures.Max.TotalMilliseconds, 4));
            writer.WriteEndObject();
        }
    }

    private static string Us(TimeSpan span) => span.TotalMicroseconds.ToString("F0", CultureInfo.InvariantCulture);

    private static string Ms(TimeSpan span) => span.TotalMilliseconds.ToString("F2", CultureInfo.InvariantCulture);

    private void Line(string text, bool keep)
    {
        if (!_overwrite)
        {
            output.WriteLine(text);
            return;
        }

        // A line that wrapped would not be overwritten as a whole.
        if (!keep && Console.WindowWidth is > 1 and var width && text.Length >= width)
        {
            text = text[..(width - 1)];
        }

        // Back to the line's start and clear it, so that a shorter text leaves nothing of a longer one.
        output.Write("\r\u001b[K" + text + (keep ? "\n" : ""));
        _open = !keep;
    }

    private void Json(Action<Utf8JsonWriter> write) => output.WriteLine(JsonText.Object(write, indented: false));
}
