using Robotics.Packages;

namespace Robotics.Observations;

/// <summary>Turns a raw action row into joint targets in the robot's order, as the manifest describes it.</summary>
/// <remarks>Owner: the loop thread. Allocation-free after construction.</remarks>
public sealed class ActionMap
{
    private readonly int[] _joints;     // [Da] robot joint of each element
    private readonly string _mode;
    private readonly float[] _scale;    // [Da]
    private readonly float[] _offset;   // [Da], default pose included
    private readonly (float[] Low, float[] High) _clipRaw; // [Da]
    private readonly (float[] Low, float[] High) _clip;    // [Da]
    private readonly (float Low, float High)[] _range;     // [Da], where an integrating target may wander
    private readonly bool[] _driven;    // [Nj]
    private readonly float[] _last;     // [Nj] targets of the last row

    /// <summary>Wires <paramref name="policy"/>'s actions to <paramref name="robot"/>.</summary>
    /// <exception cref="ConfigException">Joints or kinds that do not fit, all at once, both sides named.</exception>
    public ActionMap(PolicyManifest policy, RobotSpec robot)
    {
        var wiring = new Wiring(policy, robot);
        var action = policy.Action;
        wiring.Check.Throw(); // without joints there is nothing else to say
        _joints = wiring.ActionJoints!;
        int count = _joints.Length;
        int joints = robot.Joints.Count;
        wiring.Check.That(action.Kind.Count == 1 || action.Kind.Count == count, "action.kind", $"has {action.Kind.Count} entries, expected 1 or {count}");
        float[]? scale = wiring.PerElement(action.Scale, count, 1, "action.scale");
        float[]? offset = wiring.PerElement(action.Offset, count, 0, "action.offset");
        var clipRaw = wiring.PerElementPairs(action.ClipRaw, count, "action.clip_raw");
        var clip = wiring.PerElementPairs(action.Clip, count, "action.clip");
        float[]? stiffness = wiring.PerElement(action.Servo?.Stiffness, count, 0, "action.servo.stiffness");
        float[]? damping = wiring.PerElement(action.Servo?.Damping, count, 0, "action.servo.damping");
        float[]? limit = wiring.PerElement(action.Servo?.EffortLimit, count, float.MaxValue, "action.servo.effort_limit");
        int statistics = new[] { action.Normalization?.Mean, action.Normalization?.Std, action.Normalization?.Min, action.Normalization?.Max }.Max(list => list?.Count ?? 1);
        wiring.Check.That(statistics == 1 || statistics == count, "action.normalization", $"has {statistics} numbers, expected 1 or {count}");
        wiring.Check.Throw();

        TargetKind[] kinds = [.. Enumerable.Range(0, count).Select(i => action.Kind[action.Kind.Count == 1 ? 0 : i])];
        var allKinds = robot.Joints.Select(joint => joint.Command).ToArray();
        float[] allStiffness = new float[joints];
        float[] allDamping = new float[joints];
        float[] allLimits = [.. robot.Joints.Select(joint => joint.MaxEffort ?? float.MaxValue)];
        _driven = new bool[joints];
        for (int i = 0; i < count; i++)
        {
            int j = _joints[i];
            _driven[j] = true;
            allKinds[j] = kinds[i];
            allStiffness[j] = stiffness![i];
            allDamping[j] = damping![i];
            allLimits[j] = action.Servo?.EffortLimit is null ? allLimits[j] : limit![i];
            offset![i] += action.RelativeTo == "default" && kinds[i] == TargetKind.Position ? wiring.DefaultPose[j] : 0;
        }

        Mode = new CommandMode(allKinds, action.Servo is null ? null : new ServoGains(allStiffness, allDamping, allLimits));
        for (int j = 0; j < joints; j++)
        {
            // One message per joint; CommandMode.Mismatch stops at the first.
            var joint = robot.Joints[j];
            bool servoed = action.Servo is not null && joint.Command == TargetKind.Effort;
            wiring.Check.That(allKinds[j] == joint.Command || servoed, "action.kind",
                $"sends {Word(allKinds[j])} targets to joint '{joint.Name}', which takes {Word(joint.Command)} targets"
                + (joint.Command == TargetKind.Effort ? "; give 'action.servo' gains" : ""));
        }

        if (wiring.Check.Ok && Mode.Mismatch(robot) is { } mismatch)
        {
            wiring.Check.Add("action", mismatch);
        }

        wiring.Check.Throw();
        (_mode, _scale, _offset, _clipRaw, _clip) = (action.Mode, scale!, offset!, clipRaw!.Value, clip!.Value);
        _range = [.. _joints.Select((j, i) => kinds[i] switch
        {
            TargetKind.Position => (robot.Joints[j].Lower, robot.Joints[j].Upper),
            TargetKind.Velocity => (-robot.Joints[j].MaxSpeed, robot.Joints[j].MaxSpeed),
            _ => (-allLimits[j], allLimits[j]),
        })];
        _last = new float[joints];
    }

    /// <summary>Da: number of elements of one raw row.</summary>
    public int ActionLength => _joints.Length;

    /// <summary>What the targets mean, for the claim.</summary>
    public CommandMode Mode { get; }

    /// <summary>Starts a run at <paramref name="measured"/> [Nj]: joints the policy does not drive keep this position (0 for
    /// velocity and effort joints), and an integrating action starts from it.</summary>
    /// <exception cref="ArgumentException">The length is not the robot's.</exception>
    public void Reset(ReadOnlySpan<float> measured)
    {
        if (measured.Length != _last.Length)
        {
            throw new ArgumentException($"The robot has {_last.Length} joints, the measurement {measured.Length}.", nameof(measured));
        }

        for (int j = 0; j < _last.Length; j++)
        {
            _last[j] = Mode.Kinds[j] == TargetKind.Position ? measured[j] : 0;
        }
    }

    /// <summary>Maps one row. An integrating target stays inside the joint's range, so that it does not wind up behind a limit.</summary>
    /// <param name="raw">[Da] the policy's (de-normalised) output.</param>
    /// <param name="measured">[Nj] measured joint positions.</param>
    /// <param name="target">[Nj] receives the targets.</param>
    /// <exception cref="ArgumentException">A length is wrong.</exception>
    public void Map(ReadOnlySpan<float> raw, ReadOnlySpan<float> measured, Span<float> target)
    {
        if (raw.Length != _joints.Length || measured.Length != _last.Length || target.Length != _last.Length)
        {
            ThrowLength(raw.Length, measured.Length, target.Length);
        }

        for (int i = 0; i < _joints.Length; i++)
        {
            int j = _joints[i];
            float value = (Clip(raw[i], _clipRaw.Low[i], _clipRaw.High[i]) * _scale[i]) + _offset[i];
            if (_mode == "delta")
            {
                value += measured[j];
            }
            else if (_mode == "integrate")
            {
                // A NaN must not stay in the sum: it goes out this once and the gate answers it.
                value = Clip(value + _last[j], _range[i].Low, _range[i].High);
            }

            value = Clip(value, _clip.Low[i], _clip.High[i]);
            target[j] = value;
            _last[j] = float.IsFinite(value) ? value : _last[j];
        }

        for (int j = 0; j < _last.Length; j++)
        {
            if (!_driven[j])
            {
                target[j] = _last[j];
            }
        }
    }

    // Unlike Math.Clamp, never throws; NaN stays NaN and the gate answers it.
    private static float Clip(float value, float low, float high) => value < low ? low : value > high ? high : value;

    private static string Word(TargetKind kind) => kind switch
    {
        TargetKind.Position => "position",
        TargetKind.Velocity => "velocity",
        _ => "effort",
    };

    private void ThrowLength(int raw, int measured, int target) => throw new ArgumentException(
        $"The action map takes {_joints.Length} action elements, {_last.Length} measured and {_last.Length} target joints; it got {raw}, {measured} and {target}.");
}
