using Robotics.Numerics;
using Robotics.Observations.Terms;
using Robotics.Packages;

namespace Robotics.Observations;

/// <summary>One element of the observation vector, for tables and messages.</summary>
/// <param name="Index">Position in the observation vector.</param>
/// <param name="Group">Observation group.</param>
/// <param name="Term">Term of the group.</param>
/// <param name="Element">Joint name, signal element, or what else it is.</param>
/// <param name="Unit">Unit before scaling.</param>
/// <param name="Scale">Factor applied.</param>
/// <param name="Age">Samples into the past; 0 is the newest.</param>
public sealed record ObservationElement(int Index, string Group, string Term, string Element, string Unit, float Scale, int Age);

/// <summary>Builds a policy's observation vector from a robot's signal frames, as the manifest describes it.</summary>
/// <remarks>Owner: the loop thread. <c>Assemble</c> is allocation-free.</remarks>
public sealed class ObservationAssembler
{
    private readonly SampleHistory[] _pieces;
    private readonly int _frame;
    private readonly int _actionLength;
    private readonly int _joints;
    private TimeSpan? _start; // of phase time; null before the first sample
    private TimeSpan _last;

    /// <summary>Wires <paramref name="policy"/> to <paramref name="robot"/>.</summary>
    /// <exception cref="ConfigException">Signals, joints or shapes that do not fit, all at once, both sides named.</exception>
    public ObservationAssembler(PolicyManifest policy, RobotSpec robot)
    {
        var wiring = new Wiring(policy, robot);
        var terms = new TermWiring(wiring);
        var pieces = new List<SampleHistory>();
        var groups = new List<ObservationSlice>();
        var elements = new List<ObservationElement>();
        for (int g = 0; g < policy.Observations.Count; g++)
        {
            var group = policy.Observations[g];
            WiredTerm?[] wired = [.. group.Terms.Select((term, t) => terms.Wire(group, term, $"observations[{g}].terms[{t}]"))];
            if (wired.Any(term => term is null))
            {
                continue; // reported
            }

            bool framed = group.History?.Layout != "term" && group.Terms.All(term => term.History is null);
            SampleHistory[] own = framed
                ? [new SampleHistory([.. wired.Select(term => term!)], group.History)]
                : [.. wired.Select((term, t) => new SampleHistory([term!], group.Terms[t].History ?? group.History))];
            int length = own.Sum(piece => piece.Length);
            CheckNormalization(group, length, framed, $"observations[{g}].normalization", wiring.Check);
            int start = elements.Count;
            groups.Add(new(group.Name, start, length));
            elements.AddRange(own.SelectMany(piece => piece.Elements).Select((e, i) =>
                new ObservationElement(start + i, group.Name, e.Term.Name, e.Term.Element(e.Element).Name, e.Term.Element(e.Element).Unit, e.Term.Scale[e.Element], e.Age)));
            pieces.AddRange(own);
        }

        wiring.Check.Throw();
        _pieces = [.. pieces];
        _frame = robot.Layout.Length;
        _joints = robot.Joints.Count;
        _actionLength = wiring.ActionJoints!.Length;
        Groups = groups;
        Elements = elements;
        Length = elements.Count;
        RouteLength = policy.Route is { } route ? 6 + route.Verbs.Count : 0;
        CommandElements = [.. policy.Commands.SelectMany(command => command.Elements)];
    }

    /// <summary>Groups of the vector, contiguous, in order.</summary>
    public IReadOnlyList<ObservationSlice> Groups { get; }

    /// <summary>Do: number of elements in the whole vector.</summary>
    public int Length { get; }

    /// <summary>What every element is.</summary>
    public IReadOnlyList<ObservationElement> Elements { get; }

    /// <summary>Names of all command elements, in the order of the command vector.</summary>
    public IReadOnlyList<string> CommandElements { get; }

    /// <summary>Elements of what is said of the route: target and next target relative to the robot, [3] each, and the verb one-hot; 0
    /// without a route.</summary>
    public int RouteLength { get; }

    /// <summary>Forgets the history; the next sample fills it as the manifest says, and phase time starts again with it.</summary>
    public void Reset()
    {
        _start = null;
        foreach (var piece in _pieces)
        {
            piece.Reset();
        }
    }

    /// <summary>The same for a policy that follows no route.</summary>
    /// <param name="signals">[Layout.Length] the robot's signal frame.</param>
    /// <param name="time">Time of the run.</param>
    /// <param name="command">[CommandElements.Count] operator commands.</param>
    /// <param name="rawAction">[Da] the previous raw network output.</param>
    /// <param name="target">[Nj] the previous joint targets.</param>
    /// <param name="observation">[Length] receives the vector.</param>
    /// <exception cref="ArgumentException">A length is wrong, or the policy follows a route.</exception>
    public void Assemble(ReadOnlySpan<float> signals, TimeSpan time, ReadOnlySpan<float> command, ReadOnlySpan<float> rawAction, ReadOnlySpan<float> target, Span<float> observation) =>
        Assemble(signals, time, command, [], rawAction, target, observation);

    /// <summary>Takes one sample per control tick and writes the vector.</summary>
    /// <param name="signals">[Layout.Length] the robot's signal frame.</param>
    /// <param name="time">Time of the run, for clocks and phases, which start at 0 with the first sample after a reset.</param>
    /// <param name="command">[CommandElements.Count] operator commands.</param>
    /// <param name="route">[RouteLength] what <see cref="Routes.RouteFollower.Observe"/> says.</param>
    /// <param name="rawAction">[Da] the previous raw network output; zeros at the start.</param>
    /// <param name="target">[Nj] the previous joint targets, in robot order.</param>
    /// <param name="observation">[Length] receives the vector, in physical units (normalisation is the policy's).</param>
    /// <exception cref="ArgumentException">A length is wrong.</exception>
    public void Assemble(ReadOnlySpan<float> signals, TimeSpan time, ReadOnlySpan<float> command, ReadOnlySpan<float> route, ReadOnlySpan<float> rawAction, ReadOnlySpan<float> target, Span<float> observation)
    {
        if (signals.Length != _frame || command.Length != CommandElements.Count || route.Length != RouteLength || rawAction.Length != _actionLength || target.Length != _joints || observation.Length != Length)
        {
            ThrowLength(signals.Length, command.Length, route.Length, rawAction.Length, target.Length, observation.Length);
        }

        if (_start is null)
        {
            _start = time;
            _last = time;
        }

        var input = new TermInput
        {
            Signals = signals,
            Command = command,
            Route = route,
            RawAction = rawAction,
            Target = target,
            Seconds = (time - _start.Value).TotalSeconds,
            Elapsed = (time - _last).TotalSeconds,
        };
        _last = time;
        int at = 0;
        foreach (var piece in _pieces)
        {
            piece.Write(in input, observation.Slice(at, piece.Length));
            at += piece.Length;
        }
    }

    private static void CheckNormalization(ObservationGroup group, int length, bool framed, string path, ConfigCheck check)
    {
        if (group.Normalization is not { } spec)
        {
            return;
        }

        // Frame after frame is the only layout in which one frame's statistics may repeat.
        int frame = framed ? length / (group.History?.Length ?? 1) : length;
        int[] counts = [.. new[] { spec.Mean, spec.Std, spec.Min, spec.Max }.Where(list => list is not null).Select(list => list!.Count)];
        check.That(counts.All(count => count == 1 || count == frame || count == length), path,
            $"has {string.Join(" and ", counts.Distinct())} numbers, group '{group.Name}' has {length} elements"
            + (framed && frame != length ? $" in frames of {frame}" : "") + $"; expected 1, {frame}{(frame == length ? "" : $" or {length}")}");
        if (Normalizer.Mismatch(spec, length) is { } mismatch)
        {
            check.Add(path, mismatch);
        }
    }

    private void ThrowLength(int signals, int command, int route, int rawAction, int target, int observation) => throw new ArgumentException(
        $"The assembler takes {_frame} signals, {CommandElements.Count} command elements, {RouteLength} of a route, {_actionLength} action elements, {_joints} targets and {Length} "
        + $"observation elements; it got {signals}, {command}, {route}, {rawAction}, {target} and {observation}.");
}
