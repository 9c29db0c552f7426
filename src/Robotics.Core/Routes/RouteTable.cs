using System.Numerics;

namespace Robotics.Routes;

/// <summary>One row of a route: where to be next.</summary>
/// <param name="Verb">What is done there, one of the manifest's <c>route.verbs</c>.</param>
/// <param name="Target">m, in the world.</param>
/// <param name="Tolerance">m: the row is achieved once the robot is nearer to the target than this; 0.001 to 1.</param>
/// <param name="Timeout">s from the moment the row becomes the current one; 0.1 to 600.</param>
public readonly record struct RouteRow(string Verb, Vector3 Target, float Tolerance, float Timeout);

/// <summary>A route: up to ten rows that a robot achieves one after another. Immutable; safe for any thread.</summary>
/// <remarks>
/// This is the plan table of Spatial Policy in low dimensions. It is called a route here, because a plan in this repository is what one
/// call of a policy gives: the next few actions. A route stands above that: it is written by a person, a script, a search or a language
/// model, it is checked before anything moves, and the policy sees the rows relative to where the robot is.
/// <para>Source: Spatial Policy (PlantPotatoOnMoon/SpatialPolicy): at most ten rows, two stages of checking.</para>
/// </remarks>
public sealed class RouteTable
{
    /// <summary>Most rows of a table.</summary>
    public const int MostRows = 10;

    private readonly RouteRow[] _rows;

    /// <summary>Takes rows that a program wrote.</summary>
    /// <param name="rows">1 to 10.</param>
    /// <param name="source">Who wrote them, for messages and records.</param>
    /// <param name="spec">Verbs and ranges that the rows must keep to.</param>
    /// <exception cref="ConfigException">Everything that is wrong with them.</exception>
    public RouteTable(IReadOnlyList<RouteRow> rows, string source, RouteSpec spec)
    {
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentNullException.ThrowIfNull(spec);
        var check = new ConfigCheck(source);
        check.That(rows.Count is >= 1 and <= MostRows, "", $"the route has {rows.Count} rows, expected 1 to {MostRows}");
        for (int i = 0; i < rows.Count; i++)
        {
            Check(rows[i], $"row {i + 1}", spec, check);
        }

        check.Throw();
        Source = source;
        _rows = [.. rows];
    }

    /// <summary>Who wrote it.</summary>
    public string Source { get; }

    /// <summary>In the order in which they are achieved.</summary>
    public ReadOnlySpan<RouteRow> Rows => _rows;

    /// <summary>Number of rows.</summary>
    public int Count => _rows.Length;

    /// <summary>The same route without its first rows.</summary>
    /// <param name="first">0 to <see cref="Count"/> - 1.</param>
    /// <param name="spec">As for the whole one.</param>
    public RouteTable From(int first, RouteSpec spec) => first == 0 ? this : new(_rows[first..], Source, spec);

    /// <summary>The table as text, see <see cref="RouteText"/>.</summary>
    public override string ToString() => RouteText.Write(this);

    private static void Check(in RouteRow row, string path, RouteSpec spec, ConfigCheck check)
    {
        check.That(spec.Verbs.Contains(row.Verb), $"{path} verb", $"is '{row.Verb}', the policy's route.verbs are: {string.Join(", ", spec.Verbs)}");
        for (int axis = 0; axis < 3; axis++)
        {
            // Millimetres in a table of metres are the usual mistake, and they are finite.
            float at = row.Target[axis];
            check.That(float.IsFinite(at) && Math.Abs(at) <= RouteSpec.Farthest, $"{path} target_m[{axis}]",
                FormattableString.Invariant($"is {at}, expected a finite number of at most {RouteSpec.Farthest} m (metres in the world, not millimetres)"));
        }

        check.Range(row.Tolerance, 0.001, 1, $"{path} tolerance_m");
        check.Range(row.Timeout, 0.1, 600, $"{path} timeout_s");
    }
}
