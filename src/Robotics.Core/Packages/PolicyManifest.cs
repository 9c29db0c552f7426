using Robotics.Routes;

namespace Robotics.Packages;

/// <summary>What kind of graph a package holds, and so who runs the loop around it.</summary>
public enum PolicyKind
{
    /// <summary>Observations in, actions out: one pass through <see cref="PolicyManifest.Models"/> per plan.</summary>
    Direct,

    /// <summary>The last model predicts noise, action or velocity from <c>sample</c>, <c>time</c> and the observation; the runtime
    /// denoises with <see cref="SamplerSpec.Diffusion"/>. Models before it run once per plan (an encoder).</summary>
    Denoiser,

    /// <summary>The last model gives a velocity; the runtime integrates it with <see cref="SamplerSpec.Flow"/>.</summary>
    Velocity,

    /// <summary>The last model gives an energy and its gradient; the runtime descends with <see cref="SamplerSpec.Energy"/>.</summary>
    Energy,

    /// <summary>The one model denoises an action chunk, its future and its value together, and is told which of them are given
    /// (<see cref="SamplerSpec.Joint"/>): policy, world model and value function in one. The runtime integrates it with
    /// <see cref="SamplerSpec.Flow"/>.</summary>
    Joint,

    /// <summary>The sampler is inside the graph, which takes the noise as an input: one pass per plan.</summary>
    Unrolled,

    /// <summary>Other packages, steered: <see cref="PolicyManifest.Steering"/>. Observations, action, commands and (unless given) timing
    /// are the parents'.</summary>
    Steered,

    /// <summary>No policy: the last model gives the value <c>q</c> of an observation and an action chunk to a steered one.</summary>
    Critic,
}

/// <summary>A policy described: files, wiring, actions, timing. The C# face of <c>policy.json</c>; the JSON schema beside it is
/// the authority on names and ranges (snake_case there, PascalCase here).</summary>
public sealed record PolicyManifest
{
    /// <summary>Always <c>policy-package</c>.</summary>
    public string Format { get; init; } = "policy-package";

    /// <summary>Version of the format; this build reads 1.</summary>
    public int Version { get; init; } = 1;

    /// <summary>Name of the policy, [A-Za-z0-9_.-]{1,64}.</summary>
    public required string Name { get; init; }

    /// <summary>One line for people.</summary>
    public string Description { get; init; } = "";

    /// <summary>Kind of graph.</summary>
    public PolicyKind Kind { get; init; } = PolicyKind.Direct;

    /// <summary>Every file of the package beside the manifest, with its hash.</summary>
    public required IReadOnlyList<PackageFile> Files { get; init; }

    /// <summary>Networks in the order they run; outputs of one may feed inputs of a later one.</summary>
    public required IReadOnlyList<ModelSpec> Models { get; init; }

    /// <summary>Recurrent states by name.</summary>
    public IReadOnlyDictionary<string, StateSpec> States { get; init; } = new Dictionary<string, StateSpec>();

    /// <summary>Execution providers in order of preference; empty: the caller's default.</summary>
    public IReadOnlyList<string> Providers { get; init; } = [];

    /// <summary>Operator commands (a velocity, a goal) that terms may use.</summary>
    public IReadOnlyList<CommandSpec> Commands { get; init; } = [];

    /// <summary>Observation groups; each feeds one or more network inputs.</summary>
    public required IReadOnlyList<ObservationGroup> Observations { get; init; }

    /// <summary>That the policy follows a route, a table of targets which somebody else writes; null: it follows none.</summary>
    public RouteSpec? Route { get; init; }

    /// <summary>What the network's output means.</summary>
    public required ActionSpec Action { get; init; }

    /// <summary>Periods, tolerated ages, and what happens when a plan is late.</summary>
    public required TimingSpec Timing { get; init; }

    /// <summary>The loop around the step network; null for <see cref="PolicyKind.Direct"/>. For <see cref="PolicyKind.Unrolled"/>
    /// only <see cref="SamplerSpec.Horizon"/> is read.</summary>
    public SamplerSpec? Sampler { get; init; }

    /// <summary>For <see cref="PolicyKind.Steered"/>; null otherwise.</summary>
    public SteeringSpec? Steering { get; init; }

    /// <summary>What the trainer says of itself (command, seed, steps, data hash, metrics), for people and records; null: nothing.</summary>
    public TrainedSpec? Trained { get; init; }

    /// <summary>Golden vectors that are checked at load; null: none.</summary>
    public GoldenSpec? Golden { get; init; }

    /// <summary>Where this manifest came from, for messages.</summary>
    [System.Text.Json.Serialization.JsonIgnore]
    public string Origin { get; init; } = "code";
}

/// <summary>A file of the package.</summary>
public sealed record PackageFile
{
    /// <summary>Relative to the manifest; stays inside the package.</summary>
    public required string Path { get; init; }

    /// <summary>SHA-256 of the file, 64 lower-case hex digits.</summary>
    public required string Sha256 { get; init; }
}

/// <summary>One network.</summary>
public sealed record ModelSpec
{
    /// <summary>Path of the ONNX file; one of <see cref="PolicyManifest.Files"/>. External data files lie beside it and are
    /// listed there too.</summary>
    public required string File { get; init; }

    /// <summary>Every input of the graph.</summary>
    public required IReadOnlyList<ModelInput> Inputs { get; init; }

    /// <summary>The outputs that are used.</summary>
    public required IReadOnlyList<ModelOutput> Outputs { get; init; }
}

/// <summary>Where a graph input comes from.</summary>
public sealed record ModelInput
{
    /// <summary>Name in the graph.</summary>
    public required string Name { get; init; }

    /// <summary><c>observation:GROUP</c>, <c>state:NAME</c>, <c>value:NAME</c> (an earlier output), <c>constant</c>, and in the step
    /// model <c>sample</c> ([B, Tp, Da], normalised), <c>time</c> ([B]) or <c>noise</c> ([B, Tp, Da]); in a joint model
    /// <c>sample</c> and <c>given</c> ([B, Z], each 0 where the other counts) and <c>flags</c> ([B, 3]: chunk, future, value given); in a critic <c>action</c>
    /// ([B, Ta, Da] or [B, Da], normalised). A command that has an input of its own is an observation group with one <c>command</c>
    /// term.</summary>
    public required string From { get; init; }

    /// <summary>For <c>constant</c>: the value every element takes.</summary>
    public double? Value { get; init; }

    /// <summary>Expected shape, -1 for a free batch; null: whatever the graph says.</summary>
    public IReadOnlyList<long>? Shape { get; init; }

    /// <summary>Expected element type, <c>float32</c>, <c>float16</c> or <c>int64</c>; null: whatever the graph says.</summary>
    public string? Dtype { get; init; }
}

/// <summary>Where a graph output goes.</summary>
public sealed record ModelOutput
{
    /// <summary>Name in the graph.</summary>
    public required string Name { get; init; }

    /// <summary><c>action</c>, <c>state:NAME</c> or <c>value:NAME</c>; in the step model <c>prediction</c> (what the kind says it
    /// predicts, [B, Tp, Da] or [B, Z]), <c>energy</c> ([B] or [B, 1]) or <c>gradient</c> ([B, Tp, Da]). In a direct model also <c>log_std</c> (of
    /// a Gaussian whose mean is the action, same shape) and <c>log_weight</c> ([M], of a mixture whose action and log_std are
    /// [M, Tp, Da]; the heaviest component is executed). In a critic <c>q</c> ([E, B], or [B]) and <c>gradient</c> (of the ensemble's
    /// mean with respect to the action).</summary>
    public required string To { get; init; }

    /// <summary>Expected shape, -1 for a free batch; null: whatever the graph says.</summary>
    public IReadOnlyList<long>? Shape { get; init; }

    /// <summary>Expected element type; null: whatever the graph says.</summary>
    public string? Dtype { get; init; }
}

/// <summary>A recurrent state.</summary>
public sealed record StateSpec
{
    /// <summary>Value of every element after a reset.</summary>
    public double Reset { get; init; }
}

/// <summary>A vector that an operator or a program sets while the policy runs.</summary>
public sealed record CommandSpec
{
    /// <summary>Unique in the policy, for example <c>velocity</c>.</summary>
    public required string Name { get; init; }

    /// <summary>Element names, for example vx, vy, yaw_rate; unique over all commands.</summary>
    public required IReadOnlyList<string> Elements { get; init; }

    /// <summary>Unit of each element.</summary>
    public IReadOnlyList<string> Units { get; init; } = [];

    /// <summary>Lowest value of each element the policy was trained with.</summary>
    public required IReadOnlyList<float> Lower { get; init; }

    /// <summary>Highest value of each element.</summary>
    public required IReadOnlyList<float> Upper { get; init; }

    /// <summary>Value of each element until somebody sets it.</summary>
    public required IReadOnlyList<float> Default { get; init; }
}

/// <summary>Terms side by side, with a history: the vector that one network input sees.</summary>
public sealed record ObservationGroup
{
    /// <summary>Unique in the policy.</summary>
    public required string Name { get; init; }

    /// <summary>In the order of the network's input.</summary>
    public required IReadOnlyList<ObservationTerm> Terms { get; init; }

    /// <summary>[low, high] after scaling (or one pair per element), for every term that gives no <see cref="ObservationTerm.Clip"/>;
    /// null: none.</summary>
    public IReadOnlyList<float>? Clip { get; init; }

    /// <summary>History of the whole frame; null: the newest frame only (terms may have their own).</summary>
    public HistorySpec? History { get; init; }

    /// <summary>Normalisation of one frame, repeated for every frame of the history, or of the whole vector (the only form
    /// when terms have histories of their own or the layout is <c>term</c>); null: inside the graph or none.</summary>
    public NormalizationSpec? Normalization { get; init; }
}

/// <summary>How many past samples are kept and how they are laid out.</summary>
public sealed record HistorySpec
{
    /// <summary>Samples including the newest; 1 to 1024.</summary>
    public required int Length { get; init; }

    /// <summary><c>oldest_first</c> or <c>newest_first</c>.</summary>
    public string Order { get; init; } = "oldest_first";

    /// <summary>What fills it at reset: <c>first</c> (the first sample repeated) or <c>zeros</c>.</summary>
    public string Fill { get; init; } = "first";

    /// <summary>Layout of a frame history: <c>frame</c> (sample after sample, each the whole frame) or <c>term</c> (term after
    /// term, each with all its samples). Ignored on a term's own history.</summary>
    public string Layout { get; init; } = "frame";
}

/// <summary>One observation term: a named robot signal, or something derived from signals, commands, actions or time.</summary>
public sealed record ObservationTerm
{
    /// <summary>Unique in the group; for tables and messages.</summary>
    public required string Name { get; init; }

    /// <summary>
    /// <c>joint_position</c>, <c>joint_velocity</c>, <c>joint_effort</c>, <c>signal</c> (named sensor as it is),
    /// <c>angular_velocity</c>, <c>linear_velocity</c> (rotated into <see cref="Frame"/>), <c>orientation</c> (quaternion),
    /// <c>projected_gravity</c>, <c>orientation_difference</c>, <c>command</c>, <c>previous_action</c>, <c>phase</c>,
    /// <c>clock</c> (seconds), <c>constant</c>, and of the route: <c>route_target</c> (current target minus the robot's position, m),
    /// <c>route_next</c> (the one behind it) and <c>route_verb</c> (one-hot). Order of operations: <see cref="ClipRaw"/>, <see cref="Offset"/>,
    /// <see cref="Scale"/>, <see cref="Clip"/>, <see cref="History"/>.
    /// </summary>
    public required string Kind { get; init; }

    /// <summary>The robot signal it reads; null: the kind's usual one (<c>imu.angular_velocity</c>,
    /// <c>base.linear_velocity</c>, <c>imu.orientation</c>).</summary>
    public string? Signal { get; init; }

    /// <summary>Second signal, for <c>orientation_difference</c>; or the orientation used to rotate a vector.</summary>
    public string? Reference { get; init; }

    /// <summary>Joint names in the policy's order, for joint kinds; null: <see cref="ActionSpec.Joints"/> where given, else all in
    /// the robot's order.</summary>
    public IReadOnlyList<string>? Joints { get; init; }

    /// <summary>For <c>joint_position</c>: <c>default</c> (the policy's or robot's default pose), or null for absolute.</summary>
    public string? RelativeTo { get; init; }

    /// <summary>Elements to keep and their order; null: all. For every kind but the joint kinds.</summary>
    public IReadOnlyList<int>? Select { get; init; }

    /// <summary>Frame that a vector is wanted in: <c>body</c>, <c>world</c> or <c>yaw</c> (world turned by the heading); null: as
    /// the signal gives it.</summary>
    public string? Frame { get; init; }

    /// <summary>How an orientation is written: <c>wxyz</c> (null too), <c>xyzw</c>, <c>rotation6d</c> (first two columns of the
    /// matrix, column after column), or <c>euler</c> (roll, pitch, yaw in rad: R = Rz(yaw) Ry(pitch) Rx(roll)).</summary>
    public string? Layout { get; init; }

    /// <summary>True: a quaternion's sign is flipped so that w is not negative; null: as the signal gives it.</summary>
    public bool? PositiveW { get; init; }

    /// <summary>Reference quaternion (w, x, y, z) that orientation is relative to; null: none.</summary>
    public IReadOnlyList<float>? ReferenceQuaternion { get; init; }

    /// <summary>Name of the command, for <c>command</c> and for a <c>phase</c> whose frequency is commanded
    /// (<c>COMMAND.ELEMENT</c>).</summary>
    public string? Command { get; init; }

    /// <summary><c>raw</c> (the network's output) or <c>processed</c> (the joint targets), for <c>previous_action</c>.</summary>
    public string? Source { get; init; }

    /// <summary>Hz, for <c>phase</c>: sin and cos of 2π(f t + offset), one pair per entry of <see cref="PhaseOffsets"/>.</summary>
    public float? Frequency { get; init; }

    /// <summary>Cycles, for <c>phase</c>; null: one entry of 0.</summary>
    public IReadOnlyList<float>? PhaseOffsets { get; init; }

    /// <summary>For <c>phase</c>: <c>sin_cos</c> (sin, cos per offset), <c>sin</c>, <c>cos</c>, or <c>fraction</c> (0 to 1).</summary>
    public string? Output { get; init; }

    /// <summary>Values, for <c>constant</c>.</summary>
    public IReadOnlyList<float>? Values { get; init; }

    /// <summary>[low, high], or one pair per element, before <see cref="Offset"/> and <see cref="Scale"/>.</summary>
    public IReadOnlyList<float>? ClipRaw { get; init; }

    /// <summary>Multiplies, one number or one per element; after <see cref="Offset"/>.</summary>
    public IReadOnlyList<float>? Scale { get; init; }

    /// <summary>Added before scaling, one number or one per element.</summary>
    public IReadOnlyList<float>? Offset { get; init; }

    /// <summary>[low, high], or one pair per element, after scaling; null: the group's.</summary>
    public IReadOnlyList<float>? Clip { get; init; }

    /// <summary>This term's own history; null: the group's.</summary>
    public HistorySpec? History { get; init; }
}

/// <summary>Normalisation in the runtime.</summary>
public sealed record NormalizationSpec
{
    /// <summary><c>mean_std</c>: (x - mean) / (std + epsilon); <c>min_max</c>: to [-1, 1].</summary>
    public required string Mode { get; init; }

    /// <summary>For <c>mean_std</c>.</summary>
    public IReadOnlyList<float>? Mean { get; init; }

    /// <summary>For <c>mean_std</c>; above 0.</summary>
    public IReadOnlyList<float>? Std { get; init; }

    /// <summary>For <c>min_max</c>.</summary>
    public IReadOnlyList<float>? Min { get; init; }

    /// <summary>For <c>min_max</c>; not below <see cref="Min"/>.</summary>
    public IReadOnlyList<float>? Max { get; init; }

    /// <summary>Added to std.</summary>
    public float Epsilon { get; init; } = 1e-8f;

    /// <summary>Symmetric clip of the normalised value; null: none.</summary>
    public float? Clip { get; init; }
}

/// <summary>What an action row means.</summary>
public sealed record ActionSpec
{
    /// <summary>Joint of each action element, in the network's order; null: all, in the robot's order. Joints that are not
    /// named keep the position they had when the run started.</summary>
    public IReadOnlyList<string>? Joints { get; init; }

    /// <summary>Kind of target: one for all, or one per element.</summary>
    public IReadOnlyList<TargetKind> Kind { get; init; } = [TargetKind.Position];

    /// <summary><c>absolute</c>; <c>delta</c> (added to the measured position); <c>integrate</c> (added to the last target).</summary>
    public string Mode { get; init; } = "absolute";

    /// <summary>Clip of the raw network output, [low, high] or one pair per element; null: none.</summary>
    public IReadOnlyList<float>? ClipRaw { get; init; }

    /// <summary>Multiplies the raw output; one number or one per element.</summary>
    public IReadOnlyList<float>? Scale { get; init; }

    /// <summary>Added after scaling; one number or one per element. See <see cref="RelativeTo"/>.</summary>
    public IReadOnlyList<float>? Offset { get; init; }

    /// <summary><c>default</c>: the default pose is added to position targets as well; null: not.</summary>
    public string? RelativeTo { get; init; }

    /// <summary>Default pose by joint name, rad or m; joints left out (null: all) take the robot's. Also what relative terms
    /// subtract.</summary>
    public IReadOnlyDictionary<string, float>? DefaultPose { get; init; }

    /// <summary>Clip of the finished target, [low, high] or one pair per element; null: none (the gate's limits always apply).</summary>
    public IReadOnlyList<float>? Clip { get; init; }

    /// <summary>De-normalisation of the network output (the inverse is applied); null: inside the graph or none.</summary>
    public NormalizationSpec? Normalization { get; init; }

    /// <summary>First row of the network's chunk that is executed (To - 1 for diffusion policies).</summary>
    public int FirstRow { get; init; }

    /// <summary>Ta: rows executed before the next plan replaces them; 1 for step policies.</summary>
    public int Rows { get; init; } = 1;

    /// <summary>Time between rows, ms; null: the control period. A multiple of the control period.</summary>
    public double? RowPeriodMs { get; init; }

    /// <summary>m of temporal ensembling, 0 or above (ACT: 0.01): a plan is asked for at every row, and the rows that overlapping
    /// plans have for one instant are averaged, weighed exp(-m·i) from the oldest. Null: each plan replaces the one before.</summary>
    public double? Ensemble { get; init; }

    /// <summary>PD gains for robots whose drives take efforts; null: none.</summary>
    public ServoSpec? Servo { get; init; }
}

/// <summary>PD gains, one number for all or one per action element.</summary>
public sealed record ServoSpec
{
    /// <summary>Nm/rad or N/m.</summary>
    public required IReadOnlyList<float> Stiffness { get; init; }

    /// <summary>Nm·s/rad or N·s/m.</summary>
    public required IReadOnlyList<float> Damping { get; init; }

    /// <summary>Nm or N; null: the robot's own limits.</summary>
    public IReadOnlyList<float>? EffortLimit { get; init; }
}

/// <summary>When things happen and how late they may be.</summary>
public sealed record TimingSpec
{
    /// <summary>Control period, 0.5 to 1000 ms.</summary>
    public required double PeriodMs { get; init; }

    /// <summary>Physics or servo period the policy was trained with, ms; null: not stated. Compared with the robot's.</summary>
    public double? PhysicsPeriodMs { get; init; }

    /// <summary>Oldest observation that may be acted on, ms; null: one control period plus one state period.</summary>
    public double? MaxObservationAgeMs { get; init; }

    /// <summary>Oldest action age (observation measured to action applied) that is tolerated, ms; null: two control periods. It may
    /// be exceeded for <see cref="LateTicks"/> ticks in a row, as when a row stands in for a late plan.</summary>
    public double? MaxActionAgeMs { get; init; }

    /// <summary>Time from the tick to the instant its action is sent, ms; the plan's time budget for step policies.
    /// Null: a quarter of the control period, at most 4 ms.</summary>
    public double? ActAfterMs { get; init; }

    /// <summary>Ticks that the last row may be repeated while a plan is late, before the robot holds; 0 to 100.</summary>
    public int LateTicks { get; init; } = 1;
}

/// <summary>Where a policy came from.</summary>
public sealed record TrainedSpec
{
    /// <summary>Method and its choices, <c>diffusion(sample)</c>.</summary>
    public string Method { get; init; } = "";

    /// <summary>The exact command line.</summary>
    public string Command { get; init; } = "";

    /// <summary>Seed of the training.</summary>
    public ulong Seed { get; init; }

    /// <summary>Updates.</summary>
    public long Steps { get; init; }

    /// <summary>Episodes it was trained on.</summary>
    public int Episodes { get; init; }

    /// <summary>SHA-256 of the training data, 64 lower-case hex digits; empty: not stated.</summary>
    public string DataSha256 { get; init; } = "";

    /// <summary>Numbers by name: losses, success.</summary>
    public IReadOnlyDictionary<string, double> Metrics { get; init; } = new Dictionary<string, double>();
}

/// <summary>Golden vectors: observations and the actions the trainer computed for them.</summary>
public sealed record GoldenSpec
{
    /// <summary>CSV file of the package: observation floats, <c>;</c>, raw output floats (of a sampled policy the whole normalised
    /// chunk [Tp, Da] that the sampler ends with, of a joint one all of z [Z], where a planned one has one future and one value of the chunk); a third <c>;</c> part gives the noise, as long, a sampled plan starts from;
    /// <c>#</c> starts a comment.</summary>
    public required string File { get; init; }

    /// <summary>Largest allowed absolute difference.</summary>
    public double Tolerance { get; init; } = 1e-4;
}
