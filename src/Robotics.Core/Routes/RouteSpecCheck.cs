using Robotics.Packages;

namespace Robotics.Routes;

/// <summary>What the schema cannot say about <see cref="RouteSpec"/>.</summary>
internal static class RouteSpecCheck
{
    /// <summary>Adds everything that is wrong.</summary>
    /// <param name="route">Of a manifest.</param>
    /// <param name="files">Files that the package lists.</param>
    /// <param name="check">Takes the problems.</param>
    public static void Run(RouteSpec route, IReadOnlyList<PackageFile> files, ConfigCheck check)
    {
        check.That(route.File is null || files.Any(file => file.Path == route.File), "route.file", $"is '{route.File}', which 'files' does not list");
        check.That(route.DeviationExitM < route.DeviationEnterM, "route.deviation_exit_m",
            FormattableString.Invariant($"is {route.DeviationExitM}, expected less than route.deviation_enter_m {route.DeviationEnterM}: without a band between them deviations begin and end at every tick"));
        Twice(route.Verbs, "route.verbs", check);
        Twice([.. (route.Position.Select ?? []).Select(i => $"{i}")], "route.position.select", check);
        Twice([.. route.KeepOut.Select(box => box.Name)], "route.keep_out", check);
        Corners(route.ReachLowerM, route.ReachUpperM, "route.reach", check);
        for (int i = 0; i < route.KeepOut.Count; i++)
        {
            Corners(route.KeepOut[i].LowerM, route.KeepOut[i].UpperM, $"route.keep_out[{i}]", check);
        }
    }

    private static void Corners(IReadOnlyList<float>? lower, IReadOnlyList<float>? upper, string path, ConfigCheck check)
    {
        for (int axis = 0; axis < 3 && lower is not null && upper is not null; axis++)
        {
            check.That(lower[axis] <= upper[axis], path, FormattableString.Invariant($"has lower {lower[axis]} above upper {upper[axis]} m at axis {axis}"));
        }
    }

    private static void Twice(IReadOnlyList<string> names, string path, ConfigCheck check) =>
        check.That(names.Distinct().Count() == names.Count, path, $"has the same entry twice: {string.Join(", ", names)}");
}
