using System.Collections.Frozen;

namespace Robotics;

/// <summary>A named slice of the signal frame.</summary>
/// <param name="Name">For example <c>joint.position</c> or <c>imu.angular_velocity</c>.</param>
/// <param name="Offset">First element in the frame.</param>
/// <param name="Length">Number of elements.</param>
/// <param name="Unit">SI unit; empty for none or mixed (joint slices follow each joint's kind).</param>
/// <param name="Frame">Reference frame; empty for none.</param>
public sealed record SignalSlice(string Name, int Offset, int Length, string Unit, string Frame);

/// <summary>Where each named signal lies in a robot's signal frame. Immutable; safe for any thread.</summary>
public sealed class SignalLayout
{
    /// <summary>Name of the joint position slice, always first.</summary>
    public const string JointPosition = "joint.position";

    /// <summary>Name of the joint velocity slice, always second.</summary>
    public const string JointVelocity = "joint.velocity";

    /// <summary>Name of the joint effort slice, always third.</summary>
    public const string JointEffort = "joint.effort";

    private readonly FrozenDictionary<string, SignalSlice> _byName;

    /// <summary>Lays out the frame of <paramref name="robot"/>.</summary>
    public SignalLayout(RobotSpec robot)
    {
        ArgumentNullException.ThrowIfNull(robot);
        int joints = robot.Joints.Count;
        var slices = new List<SignalSlice>
        {
            new(JointPosition, 0, joints, "", "joint"),
            new(JointVelocity, joints, joints, "", "joint"),
            new(JointEffort, 2 * joints, joints, "", "joint"),
        };
        int offset = 3 * joints;
        foreach (var signal in robot.Signals)
        {
            slices.Add(new(signal.Name, offset, signal.Length, signal.Unit, signal.Frame));
            offset += signal.Length;
        }

        Slices = slices;
        Length = offset;
        Joints = joints;
        _byName = slices.DistinctBy(slice => slice.Name).ToFrozenDictionary(slice => slice.Name);
    }

    /// <summary>Number of joints, Nj.</summary>
    public int Joints { get; }

    /// <summary>Number of floats in the frame.</summary>
    public int Length { get; }

    /// <summary>Every slice in frame order.</summary>
    public IReadOnlyList<SignalSlice> Slices { get; }

    /// <summary>The slice called <paramref name="name"/>, or null.</summary>
    public SignalSlice? Find(string name) => _byName.GetValueOrDefault(name);

    /// <summary>[Nj] positions inside <paramref name="frame"/>.</summary>
    public ReadOnlySpan<float> Positions(ReadOnlySpan<float> frame) => frame[..Joints];

    /// <summary>[Nj] velocities inside <paramref name="frame"/>.</summary>
    public ReadOnlySpan<float> Velocities(ReadOnlySpan<float> frame) => frame.Slice(Joints, Joints);
}
