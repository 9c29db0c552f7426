namespace Robotics.Safety;

/// <summary>Why the gate changed or refused a command; a set.</summary>
[Flags]
public enum GateReasons : ushort
{
    /// <summary>Nothing was changed.</summary>
    None = 0,

    /// <summary>A target was NaN or infinite; the previous target stands in for it.</summary>
    TargetNotFinite = 1,

    /// <summary>A target lay outside the joint's range.</summary>
    Range = 2,

    /// <summary>A target led the measured position by more than the joint allows.</summary>
    Lead = 4,

    /// <summary>A target moved faster than the joint allows.</summary>
    Speed = 8,

    /// <summary>A target accelerated harder than the joint allows.</summary>
    Acceleration = 16,

    /// <summary>A target's acceleration changed faster than the joint allows.</summary>
    Jerk = 32,

    /// <summary>An effort target exceeded the joint's effort.</summary>
    Effort = 64,

    /// <summary>Refused: a measurement is NaN or infinite.</summary>
    Blind = 128,

    /// <summary>Refused: a measured joint lies outside its range by more than its margin.</summary>
    OutOfRange = 256,

    /// <summary>Refused: a measured signal lies outside its workspace box.</summary>
    Workspace = 512,

    /// <summary>Refused: a buffer's length is not the robot's.</summary>
    Length = 1024,
}

/// <summary>What one pass through the gate did.</summary>
/// <param name="Touched">Bit j is set when joint j's target was changed.</param>
/// <param name="Reasons">Every reason that applied.</param>
public readonly record struct GateReport(ulong Touched, GateReasons Reasons)
{
    /// <summary>Reasons for which no correction is safe.</summary>
    public const GateReasons Refusals = GateReasons.Blind | GateReasons.OutOfRange | GateReasons.Workspace | GateReasons.Length;

    /// <summary>True when the command became a hold.</summary>
    public bool Refused => (Reasons & Refusals) != 0;
}

/// <summary>The only way to a <see cref="SafeCommand"/>: keeps every joint inside its range and within one tick's reach of the
/// last target, and refuses when it cannot see.</summary>
/// <remarks>
/// Owner: the thread that calls <see cref="Apply"/>. Allocation-free, O(Nj). Fails closed: whatever it does not understand
/// becomes the empty command, which every robot reads as "hold now". The first target after <see cref="Reset"/> is limited
/// from the measured position. Position limits follow the order range, lead, jerk, acceleration, speed, range: the range has
/// the last word, because a joint stop is harder than an acceleration limit.
/// </remarks>
public sealed class SafetyGate
{
    private const int MaxJoints = 64; // GateReport.Touched is one ulong

    private readonly JointLimits _limits;
    private readonly TargetKind[] _kinds;
    private readonly (int Offset, float Lower, float Upper)[] _boxes; // one entry per watched element
    private readonly int _frame;
    private readonly float[] _previous;     // [Nj], the last target sent, in the unit of its kind
    private readonly float[] _speed;        // [Nj], change of the last target per second
    private readonly float[] _acceleration; // [Nj], change of _speed per second
    private readonly float[] _wanted;       // [Nj], the last wanted target inside range and lead
    private readonly ulong[] _counts = new ulong[16];
    private bool _fresh = true;

    /// <summary>Builds the gate of one robot and one command mode.</summary>
    /// <exception cref="ConfigException">The robot cannot take the mode, or its limits are inconsistent.</exception>
    public SafetyGate(RobotSpec robot, CommandMode mode)
    {
        ArgumentNullException.ThrowIfNull(robot);
        ArgumentNullException.ThrowIfNull(mode);
        var check = new ConfigCheck(robot.Origin);
        check.That(robot.Joints.Count is > 0 and <= MaxJoints, "joints", $"has {robot.Joints.Count} entries, expected 1 to {MaxJoints}");
        if (mode.Mismatch(robot) is { } mismatch)
        {
            check.Add("", mismatch);
        }

        check.Throw();
        _limits = new JointLimits(robot);
        _kinds = [.. mode.Kinds];
        _frame = robot.Layout.Length;
        _boxes = [.. robot.Workspace.SelectMany(box => Watch(robot, box))];
        int joints = robot.Joints.Count;
        _previous = new float[joints];
        _speed = new float[joints];
        _acceleration = new float[joints];
        _wanted = new float[joints];
    }

    private static IEnumerable<(int Offset, float Lower, float Upper)> Watch(RobotSpec robot, WorkspaceBox box)
    {
        var slice = robot.Layout.Find(box.Signal)
            ?? throw new ConfigException(robot.Origin, [$"workspace names signal '{box.Signal}', which the robot does not have"]);

        // A NaN bound would compare false for ever and watch nothing.
        if (box.Lower.Count != slice.Length || box.Upper.Count != slice.Length || box.Lower.Zip(box.Upper).Any(pair => !(pair.First < pair.Second)))
        {
            throw new ConfigException(robot.Origin, [$"workspace of signal '{box.Signal}' needs {slice.Length} lower and upper numbers, each lower below its upper"]);
        }

        return Enumerable.Range(0, slice.Length).Select(i => (slice.Offset + i, box.Lower[i], box.Upper[i]));
    }

    /// <summary>Times each reason applied since construction, in the order of <see cref="GateReasons"/>' bits.</summary>
    public ReadOnlySpan<ulong> Counts => _counts;

    /// <summary>How often <paramref name="reason"/> (one bit) applied.</summary>
    public ulong Count(GateReasons reason) => _counts[System.Numerics.BitOperations.TrailingZeroCount((uint)reason)];

    /// <summary>Forgets the last target: the next one is limited from the measured position, starting at rest.</summary>
    public void Reset() => _fresh = true;

    /// <summary>Corrects <paramref name="target"/> in place and seals it.</summary>
    /// <param name="signals">[Layout.Length] the newest signal frame.</param>
    /// <param name="target">[Nj] wanted targets; receives what is sent. The command itself lies in the gate and holds until the next call.</param>
    /// <param name="elapsed">Time since the last call, at least one tick; the reach grows with it. Never above 1 s.</param>
    /// <param name="stamp">Travels with the command.</param>
    /// <param name="report">What was changed and why.</param>
    public SafeCommand Apply(ReadOnlySpan<float> signals, Span<float> target, TimeSpan elapsed, in CommandStamp stamp, out GateReport report)
    {
        int joints = _previous.Length;
        if (signals.Length != _frame || target.Length != joints)
        {
            return Refuse(GateReasons.Length, out report);
        }

        var measured = signals[..joints];
        var refusal = See(signals, measured);
        if (refusal != GateReasons.None)
        {
            return Refuse(refusal, out report);
        }

        if (_fresh)
        {
            for (int j = 0; j < joints; j++)
            {
                _previous[j] = _kinds[j] == TargetKind.Position ? measured[j] : 0;
            }

            _previous.CopyTo(_wanted, 0);
            Array.Clear(_speed);
            Array.Clear(_acceleration);
            _fresh = false;
        }

        float dt = (float)Math.Clamp(elapsed.TotalSeconds, 1e-5, 1.0);
        ulong touched = 0;
        var reasons = GateReasons.None;
        for (int j = 0; j < joints; j++)
        {
            var why = GateReasons.None;
            float wanted = target[j];

            // NaN slips through every comparison below, so it is answered first.
            if (!float.IsFinite(wanted))
            {
                wanted = _kinds[j] == TargetKind.Position ? _previous[j] : 0;
                why = GateReasons.TargetNotFinite;
            }

            float allowed = _kinds[j] switch
            {
                TargetKind.Position => Position(j, wanted, measured[j], dt, ref why),
                TargetKind.Velocity => Velocity(j, wanted, measured[j], dt, ref why),
                _ => Effort(j, wanted, measured[j], ref why),
            };

            if (why != GateReasons.None)
            {
                touched |= 1UL << j;
                reasons |= why;
            }

            float speed = (allowed - _previous[j]) / dt;
            _acceleration[j] = (speed - _speed[j]) / dt;
            _speed[j] = speed;
            _previous[j] = allowed;
            target[j] = allowed;
        }

        Tally(reasons);
        report = new(touched, reasons);

        // Sealed over the gate's own memory: what the caller writes into its buffer after this changes no command.
        return new SafeCommand(_previous, in stamp);
    }

    private GateReasons See(ReadOnlySpan<float> signals, ReadOnlySpan<float> measured)
    {
        foreach (float value in signals)
        {
            if (!float.IsFinite(value))
            {
                return GateReasons.Blind;
            }
        }

        for (int j = 0; j < measured.Length; j++)
        {
            if (measured[j] < _limits.Lower[j] - _limits.Margin[j] || measured[j] > _limits.Upper[j] + _limits.Margin[j])
            {
                return GateReasons.OutOfRange;
            }
        }

        foreach (var (offset, lower, upper) in _boxes)
        {
            if (signals[offset] < lower || signals[offset] > upper)
            {
                return GateReasons.Workspace;
            }
        }

        return GateReasons.None;
    }

    private float Position(int j, float wanted, float measured, float dt, ref GateReasons why)
    {
        float from = _previous[j];
        float lower = _limits.Lower[j];
        float upper = _limits.Upper[j];
        float at = Within(wanted, lower, upper, GateReasons.Range, ref why);
        at = Within(at, measured - _limits.MaxLead[j], measured + _limits.MaxLead[j], GateReasons.Lead, ref why);

        float maxAcceleration = _limits.MaxAcceleration[j];
        if (float.IsFinite(maxAcceleration))
        {
            // Meet the target, do not shoot past it: no faster than its own speed plus what the way to it leaves for braking. A
            // smoothly moving target is followed without lag; a jump is approached like the range's end.
            float speed = (at - from) / dt;
            float drift = Math.Clamp((at - _wanted[j]) / dt, -_limits.MaxSpeed[j], _limits.MaxSpeed[j]);
            speed = at > from ? Math.Min(speed, Math.Max(drift, 0) + Brake(maxAcceleration, at - from, dt))
                : Math.Max(speed, Math.Min(drift, 0) - Brake(maxAcceleration, from - at, dt));
            if (Math.Abs(from + (speed * dt) - at) > 1e-6f)
            {
                why |= GateReasons.Acceleration;
            }

            _wanted[j] = at;
            float maxJerk = _limits.MaxJerk[j];
            if (float.IsFinite(maxJerk))
            {
                float acceleration = (speed - _speed[j]) / dt;
                acceleration = Within(acceleration, _acceleration[j] - (maxJerk * dt), _acceleration[j] + (maxJerk * dt), GateReasons.Jerk, ref why);
                speed = _speed[j] + (acceleration * dt);
            }

            speed = Within(speed, _speed[j] - (maxAcceleration * dt), _speed[j] + (maxAcceleration * dt), GateReasons.Acceleration, ref why);

            // Never so fast that the range's end could not be met at this deceleration: v = sqrt(2 a d), taken one tick ahead.
            float up = Brake(maxAcceleration, upper - from, dt);
            float down = Brake(maxAcceleration, from - lower, dt);
            speed = Within(speed, -down, up, GateReasons.Acceleration, ref why);
            at = from + (speed * dt);
        }

        float reach = _limits.MaxSpeed[j] * dt;
        at = Within(at, from - reach, from + reach, GateReasons.Speed, ref why);

        // The range has the last word, except that a joint outside it walks back within its reach instead of jumping.
        return from < lower || from > upper ? at : Within(at, lower, upper, GateReasons.Range, ref why);
    }

    private float Velocity(int j, float wanted, float measured, float dt, ref GateReasons why)
    {
        float speed = Within(wanted, -_limits.MaxSpeed[j], _limits.MaxSpeed[j], GateReasons.Speed, ref why);
        float maxAcceleration = _limits.MaxAcceleration[j];
        if (float.IsFinite(maxAcceleration))
        {
            speed = Within(speed, _previous[j] - (maxAcceleration * dt), _previous[j] + (maxAcceleration * dt), GateReasons.Acceleration, ref why);
            float up = Brake(maxAcceleration, _limits.Upper[j] - measured, dt);
            float down = Brake(maxAcceleration, measured - _limits.Lower[j], dt);
            return Within(speed, -down, up, GateReasons.Range, ref why);
        }

        // Without a deceleration the joint may at most reach its range's end in one tick.
        float above = Math.Max(0, _limits.Upper[j] - measured) / dt;
        float below = Math.Max(0, measured - _limits.Lower[j]) / dt;
        return Within(speed, -below, above, GateReasons.Range, ref why);
    }

    private float Effort(int j, float wanted, float measured, ref GateReasons why)
    {
        float effort = Within(wanted, -_limits.MaxEffort[j], _limits.MaxEffort[j], GateReasons.Effort, ref why);

        // At or past the end of the range only an effort that points back inside may pass.
        return measured >= _limits.Upper[j] ? Within(effort, -_limits.MaxEffort[j], 0, GateReasons.Range, ref why)
            : measured <= _limits.Lower[j] ? Within(effort, 0, _limits.MaxEffort[j], GateReasons.Range, ref why)
            : effort;
    }

    private static float Brake(float deceleration, float distance, float dt)
    {
        if (distance <= 0)
        {
            return 0;
        }

        // Largest v with v dt + v²/(2a) <= d, so that one more tick at v still leaves room to stop.
        float a = deceleration;
        return (-a * dt) + MathF.Sqrt((a * a * dt * dt) + (2 * a * distance));
    }

    private static float Within(float value, float low, float high, GateReasons reason, ref GateReasons why)
    {
        float clamped = value < low ? low : value > high ? high : value;
        if (clamped != value)
        {
            why |= reason;
        }

        return clamped;
    }

    private SafeCommand Refuse(GateReasons reason, out GateReport report)
    {
        Tally(reason);
        _fresh = true; // whatever comes after a hold starts from where the robot is
        report = new(0, reason);
        return default;
    }

    private void Tally(GateReasons reasons)
    {
        for (uint bits = (uint)reasons; bits != 0; bits &= bits - 1)
        {
            _counts[System.Numerics.BitOperations.TrailingZeroCount(bits)]++;
        }
    }
}
