namespace Robotics.Sim;

/// <summary>A task's wiring as flat tables: observation from frame, targets from action and back. Immutable; any thread.</summary>
/// <remarks>Gives what the runtime's assembler and action map give for the same manifest; a test compares them.</remarks>
public sealed class TaskSpaces
{
    private readonly int[] _places;         // [Do] element of the frame
    private readonly float[] _minus;        // [Do]
    private readonly int[] _joints;         // [Da] joint of each action element
    private readonly float[] _scale;        // [Da]
    private readonly float[] _offset;       // [Da]
    private readonly float[] _rest;         // [Nj] targets of joints that no action moves

    /// <summary>Reads the wiring of <paramref name="task"/>.</summary>
    /// <exception cref="ConfigException">The wiring uses more than <see cref="ILearningTask.Wiring"/> allows.</exception>
    public TaskSpaces(ILearningTask task)
    {
        ArgumentNullException.ThrowIfNull(task);
        var robot = task.Robot;
        var check = new ConfigCheck($"task '{task.Name}'");
        var action = task.Wiring.Action;
        string[] names = robot.JointNames();
        float[] pose = robot.DefaultPose();
        _joints = [.. (action.Joints ?? names).Select(name => Array.IndexOf(names, name))];
        _rest = [.. robot.Joints.Select(joint => joint.Command == TargetKind.Position ? joint.Default : 0)];
        _scale = Each(action.Scale, 1);
        _offset = Each(action.Offset, 0);
        for (int i = 0; i < _joints.Length && action.RelativeTo == "default"; i++)
        {
            _offset[i] += robot.Joints[_joints[i]].Command == TargetKind.Position ? pose[_joints[i]] : 0;
        }

        var places = new List<int>();
        var minus = new List<float>();
        foreach (var term in task.Wiring.Observations.SelectMany(group => group.Terms))
        {
            string? signal = term.Kind switch
            {
                "joint_position" => SignalLayout.JointPosition,
                "joint_velocity" => SignalLayout.JointVelocity,
                "signal" => term.Signal,
                "command" => "task." + term.Command,
                _ => null,
            };
            bool joint = term.Kind.StartsWith("joint_", StringComparison.Ordinal);
            if (robot.Layout.Find(signal ?? "") is not { } slice || term.Scale is not null || term.Offset is not null || term.Clip is not null || term.History is not null)
            {
                check.Add(term.Name, "is no plain joint_position, joint_velocity, signal or command term");
                continue;
            }

            int[] select = joint ? [.. (term.Joints ?? action.Joints ?? names).Select(name => Array.IndexOf(names, name))] : [.. term.Select ?? Enumerable.Range(0, slice.Length)];
            places.AddRange(select.Select(i => slice.Offset + i));
            minus.AddRange(select.Select(i => term.RelativeTo == "default" ? pose[i] : 0));
        }

        check.That(_joints.All(j => j >= 0), "action.joints", "names a joint that the robot does not have");
        check.Throw();
        _places = [.. places];
        _minus = [.. minus];

        float[] Each(IReadOnlyList<float>? values, float otherwise) => [.. _joints.Select((_, i) => values is null ? otherwise : values[values.Count == 1 ? 0 : i])];
    }

    /// <summary>Do.</summary>
    public int ObservationSize => _places.Length;

    /// <summary>Da.</summary>
    public int ActionSize => _joints.Length;

    /// <summary>Builds the observation. Allocation-free.</summary>
    /// <param name="signals">[Layout.Length].</param>
    /// <param name="observation">[Do] receives it.</param>
    /// <returns>Whether every element is finite.</returns>
    public bool Observe(ReadOnlySpan<float> signals, Span<float> observation)
    {
        int[] places = _places;
        float[] minus = _minus;
        float sum = 0;
        for (int i = 0; i < places.Length; i++)
        {
            float value = signals[places[i]] - minus[i];
            observation[i] = value;
            sum += value - value; // NaN as soon as one element is NaN or infinite
        }

        return sum == 0;
    }

    /// <summary>Maps an action to joint targets. Allocation-free.</summary>
    /// <param name="action">[Da], clamped to [-1, 1].</param>
    /// <param name="targets">[Nj] receives them, in the robot's units.</param>
    public void ToTargets(ReadOnlySpan<float> action, Span<float> targets)
    {
        _rest.CopyTo(targets);
        for (int i = 0; i < _joints.Length; i++)
        {
            targets[_joints[i]] = (Math.Clamp(action[i], -1, 1) * _scale[i]) + _offset[i];
        }
    }

    /// <summary>The action that means these targets: what a record of targets is learned from. Allocation-free.</summary>
    /// <param name="targets">[Nj].</param>
    /// <param name="action">[Da] receives it; outside [-1, 1] where the targets were.</param>
    public void ToAction(ReadOnlySpan<float> targets, Span<float> action)
    {
        for (int i = 0; i < _joints.Length; i++)
        {
            action[i] = (targets[_joints[i]] - _offset[i]) / _scale[i];
        }
    }
}
