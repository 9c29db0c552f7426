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
/// <remarks>Owner: the loop thread. <see cref="Assemble"/> is allocation-free.</remarks>
public sealed class ObservationAssembler
{
    /// <summary>Wires <paramref name="policy"/> to <paramref name="robot"/>.</summary>
    /// <exception cref="ConfigException">Signals, joints or shapes that do not fit, all at once, both sides named.</exception>
    public ObservationAssembler(PolicyManifest policy, RobotSpec robot) => throw new NotSupportedException();

    /// <summary>Groups of the vector, contiguous, in order.</summary>
    public IReadOnlyList<ObservationSlice> Groups => throw new NotSupportedException();

    /// <summary>Do: number of elements in the whole vector.</summary>
    public int Length => throw new NotSupportedException();

    /// <summary>What every element is.</summary>
    public IReadOnlyList<ObservationElement> Elements => throw new NotSupportedException();

    /// <summary>Names of all command elements, in the order of the command vector.</summary>
    public IReadOnlyList<string> CommandElements => throw new NotSupportedException();

    /// <summary>Forgets the history; the next sample fills it as the manifest says, and phase time starts again.</summary>
    public void Reset() => throw new NotSupportedException();

    /// <summary>Takes one sample per control tick and writes the vector.</summary>
    /// <param name="signals">[Layout.Length] the robot's signal frame.</param>
    /// <param name="time">Time since the run's reset, for clocks and phases.</param>
    /// <param name="command">[CommandElements.Count] operator commands.</param>
    /// <param name="rawAction">[Da] the previous raw network output; zeros at the start.</param>
    /// <param name="target">[Nj] the previous joint targets, in robot order.</param>
    /// <param name="observation">[Length] receives the vector, in physical units (normalisation is the policy's).</param>
    public void Assemble(ReadOnlySpan<float> signals, TimeSpan time, ReadOnlySpan<float> command, ReadOnlySpan<float> rawAction, ReadOnlySpan<float> target, Span<float> observation) =>
        throw new NotSupportedException();
}
