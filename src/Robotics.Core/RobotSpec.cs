namespace Robotics;

/// <summary>What a joint's target means.</summary>
public enum TargetKind
{
    /// <summary>A position: rad for a revolute joint, m for a prismatic one.</summary>
    Position,

    /// <summary>A velocity: rad/s or m/s.</summary>
    Velocity,

    /// <summary>An effort: Nm or N.</summary>
    Effort,
}

/// <summary>How a joint moves.</summary>
public enum JointKind
{
    /// <summary>Turns; rad.</summary>
    Revolute,

    /// <summary>Slides; m.</summary>
    Prismatic,
}

/// <summary>What a robot does when nobody commands it.</summary>
public enum HoldMode
{
    /// <summary>Keeps the last target that passed the gate; where there was none, the measured position.</summary>
    Keep,

    /// <summary>Brakes every joint with a velocity-proportional effort.</summary>
    Damp,

    /// <summary>Puts no effort on any joint.</summary>
    Zero,

    /// <summary>Moves every joint from its last target to the default pose, at a bounded speed, and keeps it there: for robots that
    /// stand. Joints without a position target are damped.</summary>
    Pose,
}

/// <summary>One joint of a robot: its limits and what it takes. Null limits are not given, not zero.</summary>
public sealed record JointSpec
{
    /// <summary>Unique in the robot.</summary>
    public required string Name { get; init; }

    /// <summary>Revolute (rad) or prismatic (m).</summary>
    public JointKind Kind { get; init; } = JointKind.Revolute;

    /// <summary>What the joint's drive takes.</summary>
    public TargetKind Command { get; init; } = TargetKind.Position;

    /// <summary>Lowest position, rad or m.</summary>
    public required float Lower { get; init; }

    /// <summary>Highest position, rad or m.</summary>
    public required float Upper { get; init; }

    /// <summary>Fastest allowed change of the target, rad/s or m/s; above 0.</summary>
    public required float MaxSpeed { get; init; }

    /// <summary>rad/s² or m/s²; above 0, or null for not limited.</summary>
    public float? MaxAcceleration { get; init; }

    /// <summary>rad/s³ or m/s³; above 0, or null for not limited. Needs <see cref="MaxAcceleration"/>.</summary>
    public float? MaxJerk { get; init; }

    /// <summary>Nm or N; above 0, or null for not limited (a joint that takes efforts must give it).</summary>
    public float? MaxEffort { get; init; }

    /// <summary>How far a position target may lead the measured position, rad or m; null for not limited.</summary>
    public float? MaxLead { get; init; }

    /// <summary>How far outside [Lower, Upper] a measurement may lie before the gate refuses; null: 5 % of the range.</summary>
    public float? RangeMargin { get; init; }

    /// <summary>Position in the robot's default pose, rad or m.</summary>
    public float Default { get; init; }

    /// <summary>"rad" or "m".</summary>
    public string Unit => Kind == JointKind.Revolute ? "rad" : "m";
}

/// <summary>A named measurement that the robot publishes beside its joints.</summary>
public sealed record SignalSpec
{
    /// <summary>Unique in the robot, for example <c>imu.angular_velocity</c>.</summary>
    public required string Name { get; init; }

    /// <summary>Number of elements; 1 to 4096.</summary>
    public required int Length { get; init; }

    /// <summary>SI unit of every element, for example <c>rad/s</c>; empty for none.</summary>
    public string Unit { get; init; } = "";

    /// <summary>Frame of the elements, for example <c>body</c> or <c>world</c>; empty for none.</summary>
    public string Frame { get; init; } = "";

    /// <summary>Where the robot's driver takes it from, in the driver's own words (a simulator: <c>sensor:gyro</c>).</summary>
    public string Source { get; init; } = "";

    /// <summary>Element names, or null for plain indices.</summary>
    public IReadOnlyList<string>? Elements { get; init; }
}

/// <summary>A box that a measured signal must stay inside; outside it the gate refuses every command.</summary>
public sealed record WorkspaceBox
{
    /// <summary>Name of the signal.</summary>
    public required string Signal { get; init; }

    /// <summary>[Length] lower corner, in the signal's unit.</summary>
    public required IReadOnlyList<float> Lower { get; init; }

    /// <summary>[Length] upper corner, in the signal's unit.</summary>
    public required IReadOnlyList<float> Upper { get; init; }
}

/// <summary>What holding means for this robot.</summary>
public sealed record HoldSpec
{
    /// <summary>Keep, damp, zero or pose.</summary>
    public HoldMode Mode { get; init; } = HoldMode.Keep;

    /// <summary>Nm·s/rad or N·s/m, for <see cref="HoldMode.Damp"/>; 0 to 1000.</summary>
    public float Damping { get; init; } = 1;

    /// <summary>rad/s or m/s towards the default pose, for <see cref="HoldMode.Pose"/>; above 0, at most 100.</summary>
    public float Speed { get; init; } = 1;
}

/// <summary>How a simulator plays this robot; absent on real ones.</summary>
public sealed record SimulatorSpec
{
    /// <summary><c>mujoco</c> or <c>push-t</c>.</summary>
    public required string Kind { get; init; }

    /// <summary>Scene file (MJCF), relative to the robot file; for <c>mujoco</c>.</summary>
    public string? Model { get; init; }

    /// <summary>Keyframe to reset to; null: the scene's initial state.</summary>
    public string? Keyframe { get; init; }

    /// <summary>Actuator of each joint, in joint order; null: the actuator whose transmission is the joint.</summary>
    public IReadOnlyList<string>? Actuators { get; init; }
}

/// <summary>A robot described: joints, signals, limits, rates and what holding means. No code per robot.</summary>
/// <remarks>
/// The robot's signal frame is one float vector: <c>joint.position</c> [Nj], <c>joint.velocity</c> [Nj],
/// <c>joint.effort</c> [Nj], then <see cref="Signals"/> in order; <see cref="Layout"/> knows the offsets. An element that
/// the robot cannot measure is declared absent in <see cref="Absent"/> and reads 0.
/// </remarks>
public sealed record RobotSpec
{
    /// <summary>[A-Za-z0-9_.-]{1,64}; also the robot's name on MQTT.</summary>
    public required string Name { get; init; }

    /// <summary>In the robot's own order, which every command and measurement follows; 1 to 64.</summary>
    public required IReadOnlyList<JointSpec> Joints { get; init => (field, _layout) = (value, null); }

    /// <summary>Measurements beside the joints.</summary>
    public IReadOnlyList<SignalSpec> Signals { get; init => (field, _layout) = (value, null); } = [];

    /// <summary>Joint measurements this robot does not have: any of <c>joint.velocity</c>, <c>joint.effort</c>.</summary>
    public IReadOnlyList<string> Absent { get; init; } = [];

    /// <summary>Period at which the robot measures and publishes, 0.5 to 1000 ms.</summary>
    public double StatePeriodMs { get; init; } = 10;

    /// <summary>Period of the robot's own servo or physics, 0.1 to 1000 ms; at most <see cref="StatePeriodMs"/>.</summary>
    public double ServoPeriodMs { get; init; } = 10;

    /// <summary>What holding means.</summary>
    public HoldSpec Hold { get; init; } = new();

    /// <summary>Boxes that measured signals must stay inside.</summary>
    public IReadOnlyList<WorkspaceBox> Workspace { get; init; } = [];

    /// <summary>How a simulator plays it; null on real robots.</summary>
    public SimulatorSpec? Simulator { get; init; }

    /// <summary>Where this description came from, for messages: a file path, a topic, or "code".</summary>
    [System.Text.Json.Serialization.JsonIgnore]
    public string Origin { get; init; } = "code";

    /// <summary>Offsets of every signal in the frame; computed once.</summary>
    [System.Text.Json.Serialization.JsonIgnore]
    public SignalLayout Layout => _layout ??= new SignalLayout(this);

    private SignalLayout? _layout; // a copy by 'with' takes it along, so what it was made of forgets it

    /// <summary>[Nj] default pose, rad or m.</summary>
    public float[] DefaultPose() => [.. Joints.Select(joint => joint.Default)];

    /// <summary>[Nj] joint names in order.</summary>
    public string[] JointNames() => [.. Joints.Select(joint => joint.Name)];
}
