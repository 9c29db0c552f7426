using Robotics.Packages;

namespace Robotics.Observations;

/// <summary>What assembler and action map both need to know about one policy on one robot; problems land in one place.</summary>
internal sealed class Wiring
{
    public Wiring(PolicyManifest policy, RobotSpec robot)
    {
        ArgumentNullException.ThrowIfNull(policy);
        ArgumentNullException.ThrowIfNull(robot);
        Policy = policy;
        Robot = robot;
        RobotName = $"robot '{robot.Name}' ({robot.Origin})";
        Check = new ConfigCheck($"Policy '{policy.Name}' ({policy.Origin}) does not fit {RobotName}");
        JointNames = robot.JointNames();
        ActionJoints = policy.Action.Joints is { } names ? Joints(names, "action.joints") : [.. Enumerable.Range(0, JointNames.Length)];
        DefaultPose = robot.DefaultPose();
        foreach (var (joint, position) in policy.Action.DefaultPose ?? new Dictionary<string, float>())
        {
            int j = Array.IndexOf(JointNames, joint);
            if (j >= 0)
            {
                DefaultPose[j] = position;
            }
            else
            {
                Check.Add("action.default_pose", $"names joint '{joint}', {RobotName} has: {string.Join(", ", JointNames)}");
            }
        }
    }

    public PolicyManifest Policy { get; }

    public RobotSpec Robot { get; }

    /// <summary>Name and origin of the robot, for messages.</summary>
    public string RobotName { get; }

    public ConfigCheck Check { get; }

    /// <summary>[Nj].</summary>
    public string[] JointNames { get; }

    /// <summary>[Da] robot joint of each action element; null when a name is unknown (reported).</summary>
    public int[]? ActionJoints { get; }

    /// <summary>[Nj] rad or m, the policy's where it gives one.</summary>
    public float[] DefaultPose { get; }

    /// <summary>Robot joints of <paramref name="names"/>, or null after reporting what only one side has.</summary>
    public int[]? Joints(IReadOnlyList<string> names, string path)
    {
        string[] unknown = [.. names.Where(name => !JointNames.Contains(name))];
        if (unknown.Length == 0)
        {
            return [.. names.Select(name => Array.IndexOf(JointNames, name))];
        }

        string[] unused = [.. JointNames.Where(name => !names.Contains(name))];
        Check.Add(path, $"does not fit {RobotName}: joints only in the policy: {string.Join(", ", unknown)}; only in the robot: "
            + $"{(unused.Length == 0 ? "none" : string.Join(", ", unused))}; rename on one side, the order matters too");
        return null;
    }

    /// <summary>One number for each of <paramref name="count"/> elements, or null after reporting.</summary>
    public float[]? PerElement(IReadOnlyList<float>? list, int count, float otherwise, string path)
    {
        if (list is null)
        {
            return Enumerable.Repeat(otherwise, count).ToArray();
        }

        if (list.Count != 1 && list.Count != count)
        {
            Check.Add(path, $"has {list.Count} numbers, expected 1 or {count}");
            return null;
        }

        return [.. Enumerable.Range(0, count).Select(i => list[list.Count == 1 ? 0 : i])];
    }

    /// <summary>Low and high for each of <paramref name="count"/> elements, or null after reporting.</summary>
    public (float[] Low, float[] High)? PerElementPairs(IReadOnlyList<float>? list, int count, string path)
    {
        if (list is null)
        {
            return (Enumerable.Repeat(float.NegativeInfinity, count).ToArray(), Enumerable.Repeat(float.PositiveInfinity, count).ToArray());
        }

        if (list.Count != 2 && list.Count != 2 * count)
        {
            Check.Add(path, $"has {list.Count} numbers, expected [low, high] or {count} such pairs");
            return null;
        }

        return ([.. Enumerable.Range(0, count).Select(i => list[list.Count == 2 ? 0 : 2 * i])],
            [.. Enumerable.Range(0, count).Select(i => list[list.Count == 2 ? 1 : (2 * i) + 1])]);
    }
}
