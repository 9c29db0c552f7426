using Robotics.Packages;

namespace Robotics.Observations;

/// <summary>Turns a raw action row into joint targets in the robot's order, as the manifest describes it.</summary>
/// <remarks>Owner: the loop thread. Allocation-free after construction.</remarks>
public sealed class ActionMap
{
    /// <summary>Wires <paramref name="policy"/>'s actions to <paramref name="robot"/>.</summary>
    /// <exception cref="ConfigException">Joints or kinds that do not fit, all at once, both sides named.</exception>
    public ActionMap(PolicyManifest policy, RobotSpec robot) => throw new NotSupportedException();

    /// <summary>Da: number of elements of one raw row.</summary>
    public int ActionLength => throw new NotSupportedException();

    /// <summary>What the targets mean, for the claim.</summary>
    public CommandMode Mode => throw new NotSupportedException();

    /// <summary>Starts a run at <paramref name="measured"/> [Nj]: joints the policy does not drive keep this position, and an
    /// integrating action starts from it.</summary>
    public void Reset(ReadOnlySpan<float> measured) => throw new NotSupportedException();

    /// <summary>Maps one row.</summary>
    /// <param name="raw">[Da] the policy's (de-normalised) output.</param>
    /// <param name="measured">[Nj] measured joint positions.</param>
    /// <param name="target">[Nj] receives the targets.</param>
    public void Map(ReadOnlySpan<float> raw, ReadOnlySpan<float> measured, Span<float> target) => throw new NotSupportedException();
}
