using System.Globalization;
using System.Text;
using Robotics.Episodes;
using Robotics.Safety;
using static Robotics.Host.Report.Page;

namespace Robotics.Host.Report;

/// <summary>A part of the page that the report itself does not know, such as a drawing of the scene.</summary>
/// <param name="Title">Heading; text.</param>
/// <param name="Html">Content; HTML or SVG, written as it is: the caller escapes what came from outside.</param>
public sealed record ReportSection(string Title, string Html);

/// <summary>Writes one recorded run as one self-contained HTML page: no network, no files beside it.</summary>
/// <remarks>Charts are drawn by uPlot 1.6.32 (MIT), which is embedded with its licence.</remarks>
public static class RunReport
{
    private const int MostRows = 500;
    private const int MostStretches = 2000;
    private static readonly double[] _shares = [0.5, 0.9, 0.99, 0.999, 1];

    /// <summary>Writes the page.</summary>
    /// <param name="episode">The record; read to its end.</param>
    /// <param name="writer">Takes the HTML; UTF-8 is declared.</param>
    /// <param name="sections">Shown behind the joints, in order; null for none.</param>
    public static void Write(EpisodeReader episode, TextWriter writer, IReadOnlyList<ReportSection>? sections = null)
    {
        ArgumentNullException.ThrowIfNull(writer);
        var run = RunSummary.Of(episode);
        var page = new Page(writer);
        string title = run.Policy.Name.Length > 0 ? $"{run.Policy.Name} on {Named(run.Robot.Name)}" : $"Run of {Named(run.Robot.Name)}";
        page.Raw($"""
            <!doctype html>
            <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark"><title>{Safe(title)}</title>
            <!-- uPlot 1.6.32
            {Asset("uPlot.LICENSE")}
            -->
            <style>{Asset("uPlot.min.css")}
            {Asset("report.css")}</style></head><body><main>
            """);
        Headline(page, run, title);
        Timeline(page, run);
        RouteReport.Write(page, run);
        Lateness(page, run);
        Plans(page, run);
        Gate(page, run);
        Ages(page, run);
        Link(page, run);
        Joints(page, run);
        foreach (var (index, section) in (sections ?? []).Index())
        {
            page.Section(section.Title, $"extra-{index}");
            page.Raw(section.Html);
            page.EndSection();
        }

        Events(page, run);
        Properties(page, run);
        page.Raw($"""
            </main><script type="application/json" id="charts">{page.Charts()}</script>
            <script>{Asset("uPlot.iife.min.js")}</script>
            <script>{Asset("report.js")}</script></body></html>
            """);
    }

    private static void Headline(Page page, RunSummary run, string title)
    {
        double held = run.Stretches.Where(Holds).Sum(stretch => stretch.ToS - stretch.FromS);
        int holds = run.Stretches.Count(Holds);
        bool over = run.FinalState == ControlState.Stopped;
        string end = run.Ticks == 0 && run.Events.Count == 0 ? "No state was recorded" : (over ? "Ended: " : "Last recorded state: ") + Words.Of(run.FinalState)
            + (over || run.FinalState is ControlState.Holding or ControlState.EmergencyStop ? $", {Words.Of(run.FinalReason)}" : "");
        page.Raw($"""<header><p class="kicker">Run report · {Safe(run.Source)}</p><h1>{Safe(title)}</h1>""");
        page.Raw($"""<p class="state {Class(run.FinalState)}"><span></span>{Safe(end)}</p></header>""");
        if (run.Damage.Count > 0)
        {
            page.Raw($"""<div class="damage"><strong>This record is incomplete.</strong><ul>{string.Concat(run.Damage.Select(said => $"<li>{Safe(said)}</li>"))}</ul></div>""");
        }

        page.Raw("<dl class=\"facts\">");
        Fact("Started", run.Header is { } header ? header.StartedUtc.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture) + " UTC" : "unknown");
        Fact("Duration", $"{Number(run.DurationS, "0.00")} s");
        Fact("Ticks", run.Ticks < 2 ? $"{run.Ticks}" : $"{run.Ticks} at {Number((run.Ticks - 1) / run.DurationS, "0.#")} Hz");
        Fact("Held", run.Ticks == 0 ? "–" : holds == 0 ? "never" : $"{holds} {(holds == 1 ? "time" : "times")}, {Number(held, "0.00")} s");
        Fact("Lateness p99", run.LatenessUs.Count == 0 ? "–" : $"{Number(Percentile(run.LatenessUs, 0.99), "0")} µs");
        Fact("Plans past deadline", run.PlanMs.Count == 0 ? "–" : $"{run.PlansPastDeadline} of {run.PlanMs.Count}");
        Fact("Gate changed", run.Ticks == 0 ? "–" : $"{run.GateTotal} of {run.Ticks} ticks");
        Fact("Frames dropped", run.Link.Rows == 0 ? "–" : $"{run.Dropped}");
        page.Raw("</dl>");

        void Fact(string name, string value) => page.Raw($"<div><dt>{Safe(name)}</dt><dd>{Safe(value)}</dd></div>");
    }

    private static void Timeline(Page page, RunSummary run)
    {
        page.Section("What happened", "timeline");
        if (run.Stretches.Count == 0)
        {
            page.Note("The record holds no ticks.");
            page.EndSection();
            return;
        }

        double scale = run.DurationS > 0 ? 1000 / run.DurationS : 0;
        page.Raw("<svg class=\"strip\" viewBox=\"0 0 1000 36\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"States over time\">");
        // Holds last and never thinner than a visible line: one bad tick in an hour must show.
        foreach (var stretch in run.Stretches.OrderBy(Holds).Take(MostStretches))
        {
            double width = Math.Max((stretch.ToS - stretch.FromS) * scale, Holds(stretch) ? 2 : 0.5);
            string reason = stretch.Reason == HoldReason.None ? "" : $", {Words.Of(stretch.Reason)}";
            page.Raw($"""<rect class="{Class(stretch.State)}" x="{Number(Math.Min(stretch.FromS * scale, 1000 - width))}" y="0" width="{Number(width)}" height="36"><title>{Number(stretch.FromS)} to {Number(stretch.ToS)} s: {Safe(Words.Of(stretch.State) + reason)}</title></rect>""");
        }

        page.Raw("</svg>");
        page.Raw($"<div class=\"ends\"><span>0 s</span><span>{Number(run.DurationS / 2, "0.#")} s</span><span>{Number(run.DurationS, "0.#")} s</span></div>");
        page.Raw("<p class=\"keys\">" + string.Concat(run.Stretches.Select(stretch => stretch.State).Distinct().Order()
            .Select(state => $"<span class=\"state {Class(state)}\"><span></span>{Words.Of(state)}</span>")) + "</p>");

        Stretch[] holds = [.. run.Stretches.Where(Holds)];
        if (holds.Length > 0)
        {
            page.Table(["State", "Reason", "Said", "From, s", "For, s"], holds.Take(MostRows).Select(hold => (string[])
                [Words.Of(hold.State), Words.Of(hold.Reason), Said(run, hold), Number(hold.FromS, "0.000"), Number(hold.ToS - hold.FromS, "0.000")]), numeric: 3);
            Cut(page, holds.Length, "holds");
        }
        else
        {
            page.Note("The robot never held during this run.");
        }

        page.EndSection();
    }

    /// <summary>What the event that began a hold said.</summary>
    private static string Said(RunSummary run, Stretch hold) => run.Events
        .Where(row => row.To == hold.State && row.From != row.To && Math.Abs(run.Seconds(row.Time) - hold.FromS) < 0.5)
        .MinBy(row => Math.Abs(run.Seconds(row.Time) - hold.FromS))?.Text ?? "";

    private static void Lateness(Page page, RunSummary run)
    {
        if (run.Ticks == 0)
        {
            return;
        }

        page.Section("Tick timing", "timing");
        page.Table(["µs", "p50", "p90", "p99", "p99.9", "max"], [Row("wake-up lateness", run.LatenessUs, "0.0"), Row("tick's own work", run.WorkUs, "0.0")], numeric: 1);
        var (edges, counts) = Histogram(run.LatenessUs);
        page.Bars("Wake-up lateness, number of ticks from each edge (µs) to the next", edges, counts);
        Thinned(page, run.Timing, "ticks");
        page.Chart("Lateness and work over time", "µs", run.Timing.Times(),
            [new("lateness", "sent", run.Timing.Values(0)), new("work", "measured", run.Timing.Values(1))]);
        page.EndSection();
    }

    private static void Plans(Page page, RunSummary run)
    {
        page.Section("Plans", "plans");
        if (run.PlanMs.Count == 0)
        {
            page.Note("No plan was recorded.");
            page.EndSection();
            return;
        }

        page.Table(["ms", "p50", "p90", "p99", "p99.9", "max"], [Row("time a plan took", run.PlanMs, "0.000"), Row("end after the deadline (negative: before)", run.OverrunMs, "0.000")], numeric: 1);
        page.Raw("<p>" + Safe(string.Join(", ", run.PlanStatuses.Select(pair => $"{pair.Value} {Words.Of(pair.Key)}"))
            + $"; {run.PlansPastDeadline} of {run.PlanMs.Count} ended after their deadline.") + "</p>");
        Thinned(page, run.PlanTimes, "plans");
        page.Chart("From request to plan, and the time allowed", "ms", run.PlanTimes.Times(),
            [new("took", "sent", run.PlanTimes.Values(0), Points: true), new("allowed", "limit", run.PlanTimes.Values(1), Dashed: true)]);
        page.EndSection();
    }

    private static void Gate(Page page, RunSummary run)
    {
        if (run.Ticks == 0)
        {
            return;
        }

        page.Section("Safety gate", "gate");
        if (run.GateTotal == 0)
        {
            page.Note("The gate changed nothing and refused nothing.");
            page.EndSection();
            return;
        }

        int[] bits = [.. Enumerable.Range(0, run.GateTicks.Length).Where(bit => run.GateTicks[bit] > 0)];
        var rows = new List<string[]> { (string[])["ticks in all", .. bits.Select(bit => Text(run.GateTicks[bit]))] };
        for (int j = 0; j < run.JointCount; j++)
        {
            if (bits.Any(bit => run.GateJoints[bit, j] > 0))
            {
                rows.Add([JointName(run, j), .. bits.Select(bit => Text(run.GateJoints[bit, j]))]);
            }
        }

        page.Table(["Joint", .. bits.Select(bit => Words.Of((GateReasons)(1 << bit)))], rows, numeric: 1);
        page.Note("A tick counts for every joint that it changed and every reason that it gave; the record does not say which reason belongs to which joint.");
        page.EndSection();
    }

    private static void Ages(Page page, RunSummary run)
    {
        var lines = new List<Line>();
        Add(0, "observation at the tick", "sent");
        Add(1, "action at the robot", "measured");
        if (lines.Count > 0)
        {
            page.Section("Ages", "ages");
            Thinned(page, run.Ages, "ticks");
            page.Chart("Age of the observation, and age of the action when it was applied", "ms", run.Ages.Times(), lines);
            page.EndSection();
        }

        void Add(int index, string label, string colour)
        {
            if (!run.Ages.IsEmpty(index))
            {
                lines.Add(new(label, colour, run.Ages.Values(index)));
            }
        }
    }

    private static void Link(Page page, RunSummary run)
    {
        if (run.Link.Rows == 0)
        {
            return;
        }

        page.Section("Link", "link");
        Thinned(page, run.Link, "measurements");
        page.Chart("Round trip", "ms", run.Link.Times(), [new("round trip", "sent", run.Link.Values(0))]);
        page.Chart("Robot clock minus controller clock", "ms", run.Link.Times(), [new("offset", "measured", run.Link.Values(1))]);
        page.EndSection();
    }

    private static void Joints(Page page, RunSummary run)
    {
        if (run.JointCount == 0 || run.Joints.Rows == 0)
        {
            return;
        }

        page.Section("Joints", "joints");
        page.Note("Wanted is what the policy asked for, sent is what passed the gate, measured is what the robot reported. "
            + "Drag across a chart to zoom all of them; double-click to come back.");
        Thinned(page, run.Joints, "ticks");
        page.Raw("<div class=\"grid\">");
        double[] times = [.. run.Joints.Times()];
        for (int j = 0; j < run.JointCount; j++)
        {
            var joint = j < run.Robot.Joints.Count ? run.Robot.Joints[j] : null;
            var kind = run.Policy.Kind(joint?.Name ?? "", j);
            string unit = (kind, joint?.Unit) switch
            {
                (_, null) => "",
                (TargetKind.Velocity, var length) => length + "/s",
                (TargetKind.Effort, "m") => "N",
                (TargetKind.Effort, _) => "Nm",
                (_, var length) => length,
            };
            string range = kind == TargetKind.Position && joint is { Lower: { } lower, Upper: { } upper }
                ? $", range {Number(lower)} to {Number(upper)}"
                : "";
            page.Chart($"{JointName(run, j)}{(unit.Length > 0 ? $", {unit}" : "")}{range}", unit, times,
            [
                new("wanted", "wanted", run.Joints.Values(3 * j), Dashed: true),
                new("sent", "sent", run.Joints.Values((3 * j) + 1)),
                new("measured", "measured", run.Joints.Values((3 * j) + 2)),
            ], small: true);
        }

        page.Raw("</div>");
        page.EndSection();
    }

    private static void Events(Page page, RunSummary run)
    {
        page.Section("Events", "events");
        page.Table(["s", "Change", "Reason", "Text"], run.Events.Take(MostRows).Select(row => (string[])
        [
            Number(run.Seconds(row.Time), "0.000"),
            row.From == row.To ? "" : $"{Words.Of(row.From)} → {Words.Of(row.To)}",
            row.Reason == HoldReason.None ? "" : Words.Of(row.Reason),
            row.Text,
        ]), numeric: 4);
        Cut(page, run.Events.Count, "events");
        page.EndSection();
    }

    private static void Properties(Page page, RunSummary run)
    {
        if (run.Header is not { } header)
        {
            return;
        }

        page.Section("Made with", "properties");
        page.Table(["Name", "Value"],
        [
            ["program", header.Program],
            ["policy.json SHA-256", header.PolicySha256.Length == 0 ? "no policy" : header.PolicySha256],
            .. header.Properties.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => (string[])[pair.Key, pair.Value]),
        ], numeric: 2);
        page.EndSection();
    }

    /// <summary>Counts in logarithmic bins, ten per decade, from the lowest to the highest occupied one; ticks that were not late
    /// at all share the first.</summary>
    private static (IReadOnlyList<string> Edges, IReadOnlyList<int> Counts) Histogram(IReadOnlyList<double> sorted)
    {
        int low = Bin(sorted[0]);
        int high = Bin(sorted[^1]);
        int[] counts = new int[high - low + 1];
        foreach (double value in sorted)
        {
            counts[Bin(value) - low]++;
        }

        return ([.. Enumerable.Range(low, counts.Length).Select(bin => Edge(Math.Pow(10, bin / 10.0)))], counts);

        // Two digits are enough to tell ten edges of a decade apart.
        static string Edge(double us) => Number(us < 10 ? Math.Round(us, 1) : us < 100 ? Math.Round(us) : Math.Round(us / Math.Pow(10, Math.Floor(Math.Log10(us)) - 1)) * Math.Pow(10, Math.Floor(Math.Log10(us)) - 1), "0.#");

        static int Bin(double us) => us <= 0.1 ? -10 : (int)Math.Floor(Math.Log10(us) * 10);
    }

    private static string[] Row(string name, IReadOnlyList<double> sorted, string format) =>
        [name, .. _shares.Select(share => Number(Percentile(sorted, share), format))];

    private static void Cut(Page page, int count, string what)
    {
        if (count > MostRows)
        {
            page.Note($"The first {MostRows} of {count} {what} are shown; the record holds all of them.");
        }
    }

    private static void Thinned(Page page, Trace trace, string what)
    {
        if (trace.RowsPerBucket > 1)
        {
            page.Note($"Thinned: each pair of points is the lowest and the highest value of {trace.RowsPerBucket} {what} in a row; the record holds all of them.");
        }
    }

    private static double Percentile(IReadOnlyList<double> sorted, double share) => RunSummary.Percentile(sorted, share);

    private static bool Holds(Stretch stretch) => stretch.State is ControlState.Holding or ControlState.EmergencyStop;

    private static string JointName(RunSummary run, int joint) => joint < run.Robot.Joints.Count ? run.Robot.Joints[joint].Name : $"joint {joint}";

    private static string Named(string name) => name.Length > 0 ? name : "an unknown robot";

    private static string Text(int count) => count.ToString(CultureInfo.InvariantCulture);

    private static string Class(ControlState state) => state switch
    {
        ControlState.Armed => "armed",
        ControlState.Running => "running",
        ControlState.Holding => "holding",
        ControlState.EmergencyStop => "estop",
        _ => "idle",
    };

    private static string Asset(string name)
    {
        using var stream = typeof(RunReport).Assembly.GetManifestResourceStream("report/" + name)
            ?? throw new InvalidOperationException($"The program was built without its resource report/{name}.");
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd();
    }
}
