namespace Robotics.Safety;

/// <summary>The PD servo of joints whose drives take efforts. Runs at the robot's servo period, on the robot's side.</summary>
/// <remarks>Allocation-free; owner: the thread that steps the robot.</remarks>
public sealed class Servo
{
    private readonly TargetKind[] _kinds;
    private readonly bool[] _servoed;
    private readonly float[] _stiffness;
    private readonly float[] _damping;
    private readonly float[] _limit;

    /// <summary>Prepares the servo of <paramref name="robot"/> for <paramref name="mode"/>.</summary>
    /// <exception cref="ArgumentException">The robot cannot take the mode.</exception>
    public Servo(RobotSpec robot, CommandMode mode)
    {
        ArgumentNullException.ThrowIfNull(robot);
        ArgumentNullException.ThrowIfNull(mode);
        if (mode.Mismatch(robot) is { } mismatch)
        {
            throw new ArgumentException(mismatch, nameof(mode));
        }

        int joints = robot.Joints.Count;
        _kinds = [.. mode.Kinds];
        _servoed = [.. robot.Joints.Select((joint, j) => joint.Command == TargetKind.Effort && mode.Kinds[j] != TargetKind.Effort)];
        _stiffness = mode.Servo is null ? new float[joints] : [.. mode.Servo.Stiffness];
        _damping = mode.Servo is null ? new float[joints] : [.. mode.Servo.Damping];
        _limit = mode.Servo is null
            ? [.. robot.Joints.Select(joint => joint.MaxEffort ?? float.PositiveInfinity)]
            : [.. robot.Joints.Select((joint, j) => Math.Min(mode.Servo.EffortLimit[j], joint.MaxEffort ?? float.PositiveInfinity))];
    }

    /// <summary>What joint <paramref name="j"/>'s drive takes now: the target itself, or the effort that drives towards it.</summary>
    /// <param name="j">Joint index.</param>
    /// <param name="target">rad, rad/s or Nm by the mode's kind.</param>
    /// <param name="position">Measured, rad or m.</param>
    /// <param name="velocity">Measured, rad/s or m/s.</param>
    public float Drive(int j, float target, float position, float velocity)
    {
        if (!_servoed[j])
        {
            return target;
        }

        // tau = kp (q* - q) - kd dq, or kd (dq* - dq) for a velocity target.
        float effort = _kinds[j] == TargetKind.Position
            ? (_stiffness[j] * (target - position)) - (_damping[j] * velocity)
            : _damping[j] * (target - velocity);
        return Math.Clamp(effort, -_limit[j], _limit[j]);
    }
}
