using System.Globalization;
using System.Text;
using Robotics.Routes;

namespace Robotics.Host.Commands;

/// <summary>What <c>robotics check</c> says about a policy that follows a route.</summary>
internal static class RouteLines
{
    /// <summary>Writes the section, and the rows of the package's own route.</summary>
    /// <param name="to">Takes the lines.</param>
    /// <param name="route">The manifest's section.</param>
    /// <param name="text">The package's own route file; null: none.</param>
    /// <param name="robot">Null: none was named.</param>
    /// <param name="rehearsed">Whether routes can be rehearsed on that robot.</param>
    public static void Write(StringBuilder to, RouteSpec route, string? text, RobotSpec? robot, bool rehearsed)
    {
        string select = route.Position.Select is { } elements ? $"[{string.Join(", ", elements)}]" : "";
        Line("route", $"follows up to {RouteTable.MostRows} rows of targets; robot at {route.Position.Signal}{select}; verbs {string.Join(", ", route.Verbs)}");
        Line("", Invariant($"left at {route.DeviationEnterM} m from the way (back at {route.DeviationExitM} m) or {route.ProgressTicks} ticks without progress; anchored anew every {route.ReplanGapS} s at most"));
        if (route.KeepOut.Count > 0)
        {
            Line("", "kept out of: " + string.Join(", ", route.KeepOut.Select(box => Invariant($"{box.Name} ({Point(box.LowerM)} to {Point(box.UpperM)} m)"))));
        }

        if (robot is not null)
        {
            Line("", (route.Rehearse ?? rehearsed) && rehearsed ? "rehearsed on a kinematic model before anything moves" : "checked by reach and regions alone: no rehearsal on this robot");
        }

        foreach (string row in (text ?? "").Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            Line("", row);
        }

        void Line(string name, string what) => to.AppendLine($"{name,-9} {what}");

        static string Point(IReadOnlyList<float> at) => Invariant($"({at[0]}, {at[1]}, {at[2]})");
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
