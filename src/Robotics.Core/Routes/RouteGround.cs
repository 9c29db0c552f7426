using System.Numerics;

namespace Robotics.Routes;

/// <summary>Where one robot is, where it can go and where it must not: a manifest's route section on a robot's description.</summary>
/// <remarks>Immutable; safe for any thread. Nothing here allocates after construction, except the sentences of <see cref="Problems"/>.</remarks>
public sealed class RouteGround
{
    private readonly int[] _places; // in the signal frame, of x, y, z as far as there are any
    private readonly KeepOut[] _keepOut;

    /// <summary>Finds the position among the robot's signals.</summary>
    /// <exception cref="ConfigException">The robot has no such signal, or not as many elements; all at once, both sides named.</exception>
    public RouteGround(RouteSpec spec, RobotSpec robot)
    {
        ArgumentNullException.ThrowIfNull(spec);
        ArgumentNullException.ThrowIfNull(robot);
        var check = new ConfigCheck("route");
        string name = $"robot '{robot.Name}' ({robot.Origin})";
        var slice = robot.Layout.Find(spec.Position.Signal);
        int[] select = [.. spec.Position.Select ?? Enumerable.Range(0, Math.Min(3, slice?.Length ?? 0))];
        if (slice is null)
        {
            check.Add("route.position.signal", $"is '{spec.Position.Signal}', {name} has: {string.Join(", ", robot.Layout.Slices.Select(known => known.Name))}");
        }
        else
        {
            check.That(select.All(i => i < slice.Length), "route.position.select", $"names element {select.DefaultIfEmpty().Max()}, '{slice.Name}' of {name} has {slice.Length}");
            bool lengths = slice.Name == SignalLayout.JointPosition
                ? select.All(i => i >= slice.Length || robot.Joints[i].Kind == JointKind.Prismatic)
                : slice.Unit is "m" or "";
            check.That(lengths, "route.position", $"reads '{slice.Name}' of {name}, which is not in m: a position is made of sliding joints or of a signal in m");
        }

        check.Throw();
        _places = [.. select.Select(i => slice!.Offset + i)];
        ReadsJoints = slice!.Name == SignalLayout.JointPosition;
        Lower = Corner(spec.ReachLowerM, float.NegativeInfinity, i => robot.Joints[select[i]].Lower);
        Upper = Corner(spec.ReachUpperM, float.PositiveInfinity, i => robot.Joints[select[i]].Upper);
        _keepOut = [.. spec.KeepOut.Select(box => new KeepOut(box.Name, new([.. box.LowerM]), new([.. box.UpperM])))];

        Vector3 Corner(IReadOnlyList<float>? given, float open, Func<int, float> ofJoint)
        {
            var corner = Vector3.Zero; // an axis that the robot does not have stays at 0
            for (int i = 0; i < _places.Length; i++)
            {
                corner[i] = given?[i] ?? (ReadsJoints ? ofJoint(i) : open);
            }

            return corner;
        }
    }

    /// <summary>Whether the position is made of joint positions, so that it is known what a command does to it.</summary>
    public bool ReadsJoints { get; }

    /// <summary>m, the lowest target.</summary>
    public Vector3 Lower { get; }

    /// <summary>m, the highest target.</summary>
    public Vector3 Upper { get; }

    /// <summary>Where the robot is, m; NaN where it does not know.</summary>
    /// <param name="signals">[frame].</param>
    public Vector3 Position(ReadOnlySpan<float> signals)
    {
        var at = Vector3.Zero;
        for (int i = 0; i < _places.Length; i++)
        {
            at[i] = signals[_places[i]];
        }

        return at;
    }

    /// <summary>The first region that the straight way enters, or null.</summary>
    public string? Entered(Vector3 from, Vector3 to)
    {
        foreach (var region in _keepOut)
        {
            if (region.IsEntered(from, to))
            {
                return region.Name;
            }
        }

        return null;
    }

    /// <summary>Everything about a route that the map alone says: targets out of reach, ways through a region.</summary>
    /// <param name="route">The route.</param>
    /// <param name="row">The row that comes next.</param>
    /// <param name="from">Where the robot is, m.</param>
    /// <returns>One sentence each; empty when it can be done.</returns>
    public IReadOnlyList<string> Problems(RouteTable route, int row, Vector3 from)
    {
        ArgumentNullException.ThrowIfNull(route);
        var problems = new List<string>();
        if (!Finite(from))
        {
            return ["the robot does not know where it is: its position is not finite"];
        }

        for (int i = row; i < route.Count; i++)
        {
            var target = route.Rows[i].Target;
            for (int axis = 0; axis < 3; axis++)
            {
                if (!(target[axis] >= Lower[axis] && target[axis] <= Upper[axis]))
                {
                    problems.Add(FormattableString.Invariant($"row {i + 1} target_m[{axis}] is {target[axis]}, the robot reaches {Lower[axis]} to {Upper[axis]} m"));
                }
            }

            if (Entered(from, target) is { } region)
            {
                problems.Add(FormattableString.Invariant($"row {i + 1} leads from ({from.X:F3}, {from.Y:F3}, {from.Z:F3}) to ({target.X:F3}, {target.Y:F3}, {target.Z:F3}) through '{region}', which is kept out of"));
            }

            from = target;
        }

        return problems;
    }

    /// <summary>Distance of a point to the straight way from one point to another, m.</summary>
    public static float FromWay(Vector3 at, Vector3 from, Vector3 to)
    {
        var way = to - from;
        float length = way.LengthSquared();
        float share = length > 0 ? Math.Clamp(Vector3.Dot(at - from, way) / length, 0, 1) : 0;
        return Vector3.Distance(at, from + (share * way));
    }

    internal static bool Finite(Vector3 at) => float.IsFinite(at.X) && float.IsFinite(at.Y) && float.IsFinite(at.Z);

    private readonly record struct KeepOut(string Name, Vector3 Lower, Vector3 Upper)
    {
        // Slabs: the way is inside the box between the last entry and the first exit.
        public bool IsEntered(Vector3 from, Vector3 to)
        {
            float enter = 0, leave = 1;
            for (int axis = 0; axis < 3; axis++)
            {
                float way = to[axis] - from[axis];
                if (way == 0)
                {
                    if (from[axis] < Lower[axis] || from[axis] > Upper[axis])
                    {
                        return false;
                    }

                    continue;
                }

                float a = (Lower[axis] - from[axis]) / way, b = (Upper[axis] - from[axis]) / way;
                enter = Math.Max(enter, Math.Min(a, b));
                leave = Math.Min(leave, Math.Max(a, b));
            }

            return enter <= leave;
        }
    }
}
