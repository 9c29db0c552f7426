using Robotics.Firmware.Wire;

namespace Robotics.Firmware;

/// <summary>A device's own description as a robot's.</summary>
public static class DeviceDescription
{
    /// <summary>The robot that the device says it is.</summary>
    /// <param name="hello">Its answer to a hello.</param>
    /// <param name="joints">Its joints.</param>
    /// <param name="at">Where it is, for messages.</param>
    public static RobotSpec Of(DeviceHello hello, IReadOnlyList<DeviceJoint> joints, string at)
    {
        ArgumentNullException.ThrowIfNull(hello);
        ArgumentNullException.ThrowIfNull(joints);
        return new()
        {
            Name = hello.Name,
            Joints =
            [
                .. joints.Select(joint => new JointSpec
                {
                    Name = joint.Name,
                    Kind = joint.Kind,
                    Command = joint.Command,
                    Lower = joint.Lower,
                    Upper = joint.Upper,
                    MaxSpeed = joint.MaxSpeed,
                    MaxEffort = joint.MaxEffort,
                    RangeMargin = joint.Margin,
                    Default = Math.Clamp(joint.Home, joint.Lower, joint.Upper),
                }),
            ],
            StatePeriodMs = hello.StatePeriodUs / 1000.0,
            ServoPeriodMs = Math.Min(hello.ServoPeriodUs, hello.StatePeriodUs) / 1000.0,
            Hold = new() { Mode = HoldMode.Keep },
            Origin = $"device {hello.Id} at {at}",
        };
    }

    /// <summary>Says why <paramref name="wanted"/> does not describe the device that says it is <paramref name="found"/>, or null.</summary>
    public static string? Mismatch(RobotSpec wanted, RobotSpec found)
    {
        ArgumentNullException.ThrowIfNull(wanted);
        ArgumentNullException.ThrowIfNull(found);
        if (!wanted.JointNames().SequenceEqual(found.JointNames()))
        {
            return $"describes joints {string.Join(", ", wanted.JointNames())}; {found.Origin} has {string.Join(", ", found.JointNames())}";
        }

        if (wanted.Signals.Count > 0)
        {
            return $"describes signals ({string.Join(", ", wanted.Signals.Select(signal => signal.Name))}) that {found.Origin} does not measure";
        }

        for (int j = 0; j < wanted.Joints.Count; j++)
        {
            var (a, b) = (wanted.Joints[j], found.Joints[j]);
            if (a.Kind != b.Kind || a.Command != b.Command)
            {
                return $"joint '{a.Name}' is {a.Kind} and takes {a.Command}; {found.Origin} says {b.Kind} and {b.Command}";
            }
        }

        return null;
    }
}
