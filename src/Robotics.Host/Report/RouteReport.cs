using System.Numerics;
using Robotics.Episodes;
using Robotics.Packages;
using Robotics.Routes;
using static Robotics.Host.Report.Page;

namespace Robotics.Host.Report;

/// <summary>The route in the report: every table that was written, seen from above with the way that the robot took, and what happened
/// to it when.</summary>
internal static class RouteReport
{
    private const int MostRows = 500;
    private const double Size = 420; // of the picture's longer side

    private static readonly (RouteNoteKind Kind, string Class, string Word)[] s_marks =
        [(RouteNoteKind.Advanced, "advanced", "row achieved"), (RouteNoteKind.Strayed, "strayed", "anchored anew: off the way"), (RouteNoteKind.Stalled, "stalled", "anchored anew: no progress"), (RouteNoteKind.Asked, "asked", "asked for a route")];

    /// <summary>The route section of a record and where it is on its robot; nothing where there is none, or where another version wrote it.</summary>
    public static (RouteSpec? Spec, RouteGround? Ground) Ground(EpisodeHeader? header)
    {
        try
        {
            return header is { Policy.Length: > 0 } && PolicyPackage.Parse(header.Policy, "record").Route is { } spec
                ? (spec, new RouteGround(spec, RobotFile.Parse(header.Robot, "record")))
                : default;
        }
        catch (ConfigException)
        {
            return default; // the report shows what it can read
        }
    }

    /// <summary>Writes the section; nothing for a run without routes.</summary>
    public static void Write(Page page, RunSummary run)
    {
        if (run.Routes.Count == 0)
        {
            return;
        }

        page.Section("Route", "route");
        foreach (var written in run.Routes.Where(note => note.Table.Length > 0).DistinctBy(note => note.Route))
        {
            Table(page, run, written);
        }

        Picture(page, run);
        if (run.RouteRow.Rows > 0)
        {
            page.Chart("Current row; one more than there are once all are achieved", "", run.RouteRow.Times(), [new("row", "sent", run.RouteRow.Values(0))]);
        }

        page.Table(["s", "Route", "What", "Row", "Text"], run.Routes.Take(MostRows).Select(note => (string[])
            [Number(run.Seconds(note.Time), "0.000"), $"{note.Route}", Words.Of(note.Kind), note.Kind is RouteNoteKind.Accepted or RouteNoteKind.Rejected or RouteNoteKind.Asked ? "" : $"{note.Row + (note.Kind == RouteNoteKind.Advanced ? 0 : 1)}", note.Text]), numeric: 5);
        page.EndSection();
    }

    private static void Table(Page page, RunSummary run, RouteNote written)
    {
        bool accepted = written.Kind == RouteNoteKind.Accepted;
        page.Raw($"<p><strong>Route {written.Route}</strong>, {(accepted ? "accepted" : "rejected")} at {Number(run.Seconds(written.Time), "0.000")} s. {Safe(written.Text)}</p>");
        if (Rows(written, run.Route) is not { } table)
        {
            page.Raw($"<pre>{Safe(written.Table)}</pre>");
            return;
        }

        page.Table(["Row", "Verb", "x, m", "y, m", "z, m", "Tolerance, m", "Timeout, s", "Achieved, s"], Enumerable.Range(0, table.Count).Select(row => (string[])
        [
            $"{row + 1}", table.Rows[row].Verb, Number(table.Rows[row].Target.X), Number(table.Rows[row].Target.Y), Number(table.Rows[row].Target.Z),
            Number(table.Rows[row].Tolerance), Number(table.Rows[row].Timeout),
            run.Routes.FirstOrDefault(note => note.Route == written.Route && note.Kind == RouteNoteKind.Advanced && note.Row > row) is { } achieved ? Number(run.Seconds(achieved.Time), "0.000") : "",
        ]), numeric: 2);
    }

    private static RouteTable? Rows(RouteNote written, RouteSpec? spec)
    {
        try
        {
            return spec is null ? null : RouteText.Read(written.Table, "record", spec);
        }
        catch (ConfigException)
        {
            return null; // of another version: shown as it stands
        }
    }

    // Seen from above, x to the right and y up.
    private static void Picture(Page page, RunSummary run)
    {
        RouteTable[] tables = [.. run.Routes.Where(note => note.Kind == RouteNoteKind.Accepted).DistinctBy(note => note.Route).Select(note => Rows(note, run.Route)).OfType<RouteTable>()];
        var path = run.Path.Where(one => float.IsFinite(one.At.X) && float.IsFinite(one.At.Y)).ToArray();
        Vector3[] points = [.. path.Select(one => one.At), .. tables.SelectMany(table => table.Rows.ToArray().Select(row => row.Target))];
        if (points.Length == 0)
        {
            return;
        }

        const double margin = 0.15;
        double left = points.Min(at => at.X) - margin, right = points.Max(at => at.X) + margin, low = points.Min(at => at.Y) - margin, high = points.Max(at => at.Y) + margin;
        double scale = Size / Math.Max(right - left, high - low);
        page.Raw("""
            <style>.route circle.target{fill:none;stroke:var(--sent,#27c);stroke-width:1.5}.route polyline{fill:none;stroke:var(--measured,#888);stroke-width:1.5}.route line{stroke:var(--sent,#27c);stroke-dasharray:3 4}
            .route text{font-size:11px;fill:currentColor}.route rect{fill:#c338;stroke:#c33}.advanced{fill:#2a7}.strayed{fill:#e80}.stalled{fill:#b5f}.asked{fill:#c33}</style>
            """);
        page.Raw($"<figure class=\"route\"><svg viewBox=\"0 0 {Number((right - left) * scale)} {Number((high - low) * scale)}\" style=\"max-width:{Number(Math.Max(240, (right - left) * scale))}px;width:100%\" role=\"img\" aria-label=\"The route and the way taken, seen from above\">");
        foreach (var box in run.Route?.KeepOut ?? [])
        {
            page.Raw($"<rect x=\"{X(box.LowerM[0])}\" y=\"{Y(box.UpperM[1])}\" width=\"{Number((box.UpperM[0] - box.LowerM[0]) * scale)}\" height=\"{Number((box.UpperM[1] - box.LowerM[1]) * scale)}\"><title>{Safe(box.Name)}</title></rect>");
        }

        foreach (var table in tables)
        {
            for (int row = 0; row < table.Count; row++)
            {
                var at = table.Rows[row].Target;
                if (row > 0)
                {
                    var before = table.Rows[row - 1].Target;
                    page.Raw($"<line x1=\"{X(before.X)}\" y1=\"{Y(before.Y)}\" x2=\"{X(at.X)}\" y2=\"{Y(at.Y)}\"/>");
                }

                page.Raw($"<circle class=\"target\" cx=\"{X(at.X)}\" cy=\"{Y(at.Y)}\" r=\"{Number(table.Rows[row].Tolerance * scale)}\"/><text x=\"{X(at.X + table.Rows[row].Tolerance)}\" y=\"{Y(at.Y + table.Rows[row].Tolerance)}\">{row + 1}</text>");
            }
        }

        page.Raw($"<polyline points=\"{string.Join(' ', path.Select(one => $"{X(one.At.X)},{Y(one.At.Y)}"))}\"/>");
        foreach (var note in path.Length == 0 ? [] : run.Routes)
        {
            if (s_marks.FirstOrDefault(mark => mark.Kind == note.Kind) is { Class: { } look } mark)
            {
                double seconds = run.Seconds(note.Time);
                var at = path.MinBy(one => Math.Abs(one.Seconds - seconds)).At;
                page.Raw($"<circle class=\"{look}\" cx=\"{X(at.X)}\" cy=\"{Y(at.Y)}\" r=\"4\"><title>{Number(seconds)} s, {mark.Word}: {Safe(note.Text)}</title></circle>");
            }
        }

        page.Raw("</svg><figcaption>Seen from above: targets with their tolerance, the way taken, and where "
            + string.Join(", ", s_marks.Select(mark => $"<svg width=\"10\" height=\"10\"><circle class=\"{mark.Class}\" cx=\"5\" cy=\"5\" r=\"4\"/></svg> {mark.Word}")) + "</figcaption></figure>");

        string X(double at) => Number((at - left) * scale, "0.##");

        string Y(double at) => Number((high - at) * scale, "0.##");
    }
}
