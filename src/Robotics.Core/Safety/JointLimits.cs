namespace Robotics.Safety;

/// <summary>A robot's joint limits as flat arrays for the gate; consistent by construction. A limit that is not given is
/// infinite here, so that one comparison serves both.</summary>
public sealed class JointLimits
{
    /// <summary>Reads the limits of <paramref name="robot"/>.</summary>
    /// <exception cref="ConfigException">A limit is not finite, not positive, or lower is not below upper.</exception>
    public JointLimits(RobotSpec robot)
    {
        ArgumentNullException.ThrowIfNull(robot);
        var check = new ConfigCheck(robot.Origin);
        for (int j = 0; j < robot.Joints.Count; j++)
        {
            var joint = robot.Joints[j];
            string path = $"joints[{j}] '{joint.Name}'";
            check.That(float.IsFinite(joint.Lower) && float.IsFinite(joint.Upper) && joint.Lower < joint.Upper, path,
                FormattableString.Invariant($"has lower {joint.Lower} and upper {joint.Upper}, expected finite numbers with lower below upper"));
            check.That(float.IsFinite(joint.MaxSpeed) && joint.MaxSpeed > 0, path,
                FormattableString.Invariant($"has max_speed {joint.MaxSpeed}, expected a finite number above 0"));
            Optional(joint.MaxAcceleration, "max_acceleration");
            Optional(joint.MaxJerk, "max_jerk");
            Optional(joint.MaxEffort, "max_effort");
            Optional(joint.MaxLead, "max_lead");
            check.That(joint.RangeMargin is null or (>= 0 and < float.PositiveInfinity), path, "has a range_margin below 0");
            check.That(joint.MaxJerk is null || joint.MaxAcceleration is not null, path, "gives max_jerk without max_acceleration");
            check.That(joint.Command != TargetKind.Effort || joint.MaxEffort is not null, path, "takes efforts but gives no max_effort");

            void Optional(float? value, string name) => check.That(value is null or (> 0 and < float.PositiveInfinity), path,
                FormattableString.Invariant($"has {name} {value}, expected a finite number above 0, or nothing"));
        }

        check.Throw();
        Lower = [.. robot.Joints.Select(joint => joint.Lower)];
        Upper = [.. robot.Joints.Select(joint => joint.Upper)];
        MaxSpeed = [.. robot.Joints.Select(joint => joint.MaxSpeed)];
        MaxAcceleration = [.. robot.Joints.Select(joint => joint.MaxAcceleration ?? float.PositiveInfinity)];
        MaxJerk = [.. robot.Joints.Select(joint => joint.MaxJerk ?? float.PositiveInfinity)];
        MaxEffort = [.. robot.Joints.Select(joint => joint.MaxEffort ?? float.PositiveInfinity)];
        MaxLead = [.. robot.Joints.Select(joint => joint.MaxLead ?? float.PositiveInfinity)];
        Margin = [.. robot.Joints.Select(joint => joint.RangeMargin ?? (0.05f * (joint.Upper - joint.Lower)))];
    }

    /// <summary>[Nj] rad or m.</summary>
    public float[] Lower { get; }

    /// <summary>[Nj] rad or m.</summary>
    public float[] Upper { get; }

    /// <summary>[Nj] rad/s or m/s.</summary>
    public float[] MaxSpeed { get; }

    /// <summary>[Nj] rad/s² or m/s²; infinite when not given.</summary>
    public float[] MaxAcceleration { get; }

    /// <summary>[Nj] rad/s³ or m/s³; infinite when not given.</summary>
    public float[] MaxJerk { get; }

    /// <summary>[Nj] Nm or N; infinite when not given.</summary>
    public float[] MaxEffort { get; }

    /// <summary>[Nj] rad or m; infinite when not given.</summary>
    public float[] MaxLead { get; }

    /// <summary>[Nj] rad or m that a measurement may lie outside the range.</summary>
    public float[] Margin { get; }
}
