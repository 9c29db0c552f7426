using Robotics.Numerics;
using Robotics.Observations.Terms;
using Robotics.Packages;

namespace Robotics.Observations;

/// <summary>Finds what each observation term of the manifest reads on the robot.</summary>
internal sealed class TermWiring(Wiring wiring)
{
    private static readonly string[] Axes = ["x", "y", "z"];

    /// <summary>The wired term, or null after reporting why it cannot be.</summary>
    public WiredTerm? Wire(ObservationGroup group, ObservationTerm spec, string path)
    {
        string here = $"{path} '{spec.Name}'";
        if (Read(spec, here) is not { } term)
        {
            return null;
        }

        int all = term.Elements.Count;
        int[]? select = spec.Select is null ? null : [.. spec.Select];
        if (select is not null && select.Any(i => i < 0 || i >= all))
        {
            wiring.Check.Add(here, $"selects element {select.First(i => i < 0 || i >= all)}, it has {all}: {string.Join(", ", term.Elements.Select((e, i) => $"{i} {e.Name}"))}");
            return null;
        }

        int count = select?.Length ?? all;
        var clipRaw = wiring.PerElementPairs(spec.ClipRaw, count, $"{here} clip_raw");
        float[]? offset = wiring.PerElement(spec.Offset, count, 0, $"{here} offset");
        float[]? scale = wiring.PerElement(spec.Scale, count, 1, $"{here} scale");
        var clip = wiring.PerElementPairs(spec.Clip ?? group.Clip, count, $"{here} clip");
        return clipRaw is null || offset is null || scale is null || clip is null ? null
            : new WiredTerm(spec.Name, term, select, clipRaw.Value, offset, scale, clip.Value);
    }

    private ITerm? Read(ObservationTerm spec, string path)
    {
        switch (spec.Kind)
        {
            case "joint_position":
                return Joints(spec, 0, SignalLayout.JointPosition, path);
            case "joint_velocity":
                return Joints(spec, 1, SignalLayout.JointVelocity, path);
            case "joint_effort":
                return Joints(spec, 2, SignalLayout.JointEffort, path);
            case "signal":
                return Signal(spec.Signal, null, path) is { } slice ? Whole(slice) : null;
            case "angular_velocity":
                return Vector(spec, spec.Signal ?? "imu.angular_velocity", path);
            case "linear_velocity":
                return Vector(spec, spec.Signal ?? "base.linear_velocity", path);
            case "projected_gravity":
                return Orientation(spec.Signal, path) is { } gravity ? new GravityTerm(gravity.Offset) : null;
            case "orientation":
                return Orientation(spec.Signal, path) is { } orientation
                    ? new OrientationTerm(orientation.Offset, null, spec.ReferenceQuaternion is { } q ? new Rotation([.. q]) : null, spec.Layout ?? "wxyz", spec.PositiveW ?? false)
                    : null;
            case "orientation_difference":
                var to = Orientation(spec.Signal, path);
                var from = Orientation(spec.Reference, path);
                return to is null || from is null ? null : new OrientationTerm(to.Offset, from.Offset, null, spec.Layout ?? "wxyz", spec.PositiveW ?? false);
            case "command":
                return Command(spec.Command, path);
            case "previous_action":
                return PreviousAction(spec);
            case "phase":
                return Phase(spec, path);
            case "route_target":
                return Route(0, path);
            case "route_next":
                return Route(3, path);
            case "route_verb":
                return Route(6, path);
            case "clock":
                return new ClockTerm();
            case "constant":
                return new ConstantTerm([.. spec.Values ?? []]);
            default:
                wiring.Check.Add(path, $"has kind '{spec.Kind}', which this build does not know");
                return null;
        }
    }

    private GatherTerm? Joints(ObservationTerm spec, int slice, string measurement, string path)
    {
        bool absent = wiring.Robot.Absent.Contains(measurement);
        if (absent)
        {
            wiring.Check.Add(path, $"reads {measurement}, which {wiring.RobotName} says it does not measure ('absent')");
        }

        // Names that are the action's were reported once, at action.joints.
        int[]? joints = spec.Joints is { } names ? wiring.Joints(names, $"{path} joints") : wiring.ActionJoints;
        if (joints is null || absent)
        {
            return null;
        }

        int count = wiring.JointNames.Length;
        return new GatherTerm(
            [.. joints.Select(j => (slice * count) + j)],
            [.. joints.Select(j => spec.RelativeTo == "default" ? wiring.DefaultPose[j] : 0)],
            [.. joints.Select(j => (wiring.JointNames[j], JointUnit(wiring.Robot.Joints[j], slice)))]);
    }

    private static string JointUnit(JointSpec joint, int slice) => slice switch
    {
        0 => joint.Unit,
        1 => joint.Unit + "/s",
        _ => joint.Kind == JointKind.Revolute ? "Nm" : "N",
    };

    private GatherTerm Whole(SignalSlice slice)
    {
        var spec = wiring.Robot.Signals.FirstOrDefault(signal => signal.Name == slice.Name);
        bool joints = spec is null; // joint.position and its like are signals, too
        return new GatherTerm([.. Enumerable.Range(slice.Offset, slice.Length)], new float[slice.Length],
            [.. Enumerable.Range(0, slice.Length).Select(i => (joints ? wiring.JointNames[i] : spec!.Elements?[i] ?? $"{i}",
                joints ? JointUnit(wiring.Robot.Joints[i], slice.Offset / wiring.JointNames.Length) : slice.Unit))]);
    }

    private ITerm? Vector(ObservationTerm spec, string name, string path)
    {
        if (Signal(name, 3, path) is not { } slice)
        {
            return null;
        }

        var elements = Axes.Select(axis => (axis, slice.Unit)).ToArray();
        if (spec.Frame is null || spec.Frame == slice.Frame)
        {
            return new GatherTerm([slice.Offset, slice.Offset + 1, slice.Offset + 2], new float[3], elements);
        }

        if (Frame(slice.Frame) is not { } from || Frame(spec.Frame) is not { } to)
        {
            wiring.Check.Add(path, $"wants signal '{name}' in frame '{spec.Frame}', {wiring.RobotName} gives it in frame '{slice.Frame}'; known frames are body, world, yaw");
            return null;
        }

        return Orientation(spec.Reference, path) is { } orientation ? new VectorTerm(slice.Offset, orientation.Offset, from, to, elements) : null;

        static VectorFrame? Frame(string frame) => frame switch
        {
            "body" => VectorFrame.Body,
            "world" => VectorFrame.World,
            "yaw" => VectorFrame.Yaw,
            _ => null,
        };
    }

    private SignalSlice? Orientation(string? name, string path) => Signal(name ?? "imu.orientation", 4, path);

    private SignalSlice? Signal(string? name, int? length, string path)
    {
        var slice = wiring.Robot.Layout.Find(name ?? "");
        if (slice is null)
        {
            wiring.Check.Add(path, $"reads signal '{name}', {wiring.RobotName} has: {string.Join(", ", wiring.Robot.Layout.Slices.Select(known => known.Name))}");
        }
        else if (length is { } expected && slice.Length != expected)
        {
            wiring.Check.Add(path, $"reads signal '{name}' as {expected} elements, {wiring.RobotName} gives it {slice.Length}");
            return null;
        }
        else if (wiring.Robot.Absent.Contains(slice.Name))
        {
            wiring.Check.Add(path, $"reads {slice.Name}, which {wiring.RobotName} says it does not measure ('absent')");
            return null;
        }

        return slice;
    }

    private CommandTerm? Command(string? name, string path)
    {
        int offset = 0;
        foreach (var command in wiring.Policy.Commands)
        {
            if (command.Name == name)
            {
                return new CommandTerm(offset, [.. command.Elements.Select((element, i) => (element, i < command.Units.Count ? command.Units[i] : ""))]);
            }

            offset += command.Elements.Count;
        }

        wiring.Check.Add(path, $"reads command '{name}', the manifest has: {string.Join(", ", wiring.Policy.Commands.Select(command => command.Name))}");
        return null;
    }

    // Where each part lies in what the follower says: see RouteFollower.Observe.
    private RouteTerm? Route(int part, string path)
    {
        if (wiring.Policy.Route is not { } route)
        {
            wiring.Check.Add(path, "reads a route, and the manifest has no 'route' section that says where the robot is");
            return null;
        }

        return new RouteTerm(part, part == 6 ? [.. route.Verbs.Select(verb => (verb, ""))] : [.. Axes.Select(axis => (axis, "m"))]);
    }

    private ITerm? PreviousAction(ObservationTerm spec)
    {
        if (wiring.ActionJoints is not { } joints)
        {
            return null; // reported at action.joints
        }

        return spec.Source == "processed"
            ? new TargetTerm(joints, [.. joints.Select(j => (wiring.JointNames[j], wiring.Robot.Joints[j].Unit))])
            : new RawActionTerm([.. joints.Select(j => (wiring.JointNames[j], ""))]);
    }

    private PhaseTerm? Phase(ObservationTerm spec, string path)
    {
        float[] offsets = [.. spec.PhaseOffsets ?? [0]];
        string output = spec.Output ?? "sin_cos";
        if (spec.Command is null)
        {
            return new PhaseTerm(spec.Frequency ?? 0, null, offsets, output);
        }

        string[] names = [.. wiring.Policy.Commands.SelectMany(command => command.Elements.Select(element => $"{command.Name}.{element}"))];
        int at = Array.IndexOf(names, spec.Command);
        if (at < 0)
        {
            wiring.Check.Add(path, $"takes its frequency from '{spec.Command}', the manifest has: {string.Join(", ", names)}");
            return null;
        }

        return new PhaseTerm(0, at, offsets, output);
    }
}
