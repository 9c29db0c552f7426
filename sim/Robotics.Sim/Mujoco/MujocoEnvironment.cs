using Robotics.Safety;
using Offsets = Robotics.Sim.Mujoco.MujocoOffsets;

namespace Robotics.Sim.Mujoco;

/// <summary>How far a seeded start strays from the keyframe. Seed 0 never strays.</summary>
public sealed record MujocoStart
{
    /// <summary>Each joint's start position is scaled by 1 ± this, drawn evenly, inside its range; 0 to 1.</summary>
    public double JointFraction { get; init; } = 0.05;

    /// <summary>Each of the six velocities of a free base is drawn evenly from ± this, m/s and rad/s; 0 to 10.</summary>
    public double BaseSpeed { get; init; } = 0.5;

    /// <summary>Every hinge and slide of the scene, actuated or not, is moved evenly by ± this, rad and m; 0 to 1.</summary>
    public double PositionSpread { get; init; }

    /// <summary>Every velocity of the scene is changed evenly by ± this, rad/s and m/s; 0 to 10.</summary>
    public double SpeedSpread { get; init; }
}

/// <summary>A robot in any MJCF scene, played by MuJoCo from its robot file alone.</summary>
/// <remarks>
/// After a step the joint measurements are new, and sensors, bodies and sites are one physics step old: MuJoCo computes them
/// before it integrates, and policies are trained on that. Signals from <c>joint_position:NAME</c> and <c>joint_velocity:NAME</c>
/// (joints without an actuator, too) are as new as the joints. <c>joint.effort</c> is what all actuators put on the joint.
/// Velocities of bodies are in the world's frame unless the signal says <c>body</c>; orientations are w, x, y, z.
/// <para>Holding, at every physics step. Keep: position targets stay (the last one; before any, where the robot was), a
/// velocity target becomes 0, and a joint under plain efforts is damped, since an effort kept is not a rest. Pose: position
/// targets walk to the default pose, other joints are damped. Damp and zero: the
/// actuator's ctrl is solved so that the joint effort is -damping·dq or 0, also through a position drive's own stiffness; a
/// ctrl range or an actuator with a filter can keep it from being exact.</para>
/// Owner: one thread per instance; instances may run in parallel.
/// </remarks>
public sealed unsafe partial class MujocoEnvironment : IEnvironment
{
    private static readonly string[] WarningNames =
        ["INERTIA", "CONTACTFULL", "CNSTRFULL", "VGEOMFULL", "BADQPOS", "BADQVEL", "BADQACC", "BADCTRL"];

    private const int VisualGeometryFull = 3; // only a picture would suffer

    private readonly MujocoStart _start;
    private readonly JointBinding[] _joints;
    private readonly SignalBinding[] _signals;
    private readonly float[] _target;
    private readonly double[] _maxEffort;
    private readonly bool _hasVelocity;
    private readonly bool _hasEffort;
    private readonly int _keyframe;
    private readonly int _base;
    private readonly int _substeps;
    private byte* _model;
    private byte* _data;
    private CommandMode _mode;
    private Servo _servo;
    private bool _hasTarget;
    private long _steps;
    private string? _diverged;

    /// <summary>Loads the scene of <paramref name="robot"/> and resets it with seed 0.</summary>
    /// <param name="robot">With <see cref="RobotSpec.Simulator"/> of kind <c>mujoco</c>; its model path is relative to the
    /// folder of <see cref="RobotSpec.Origin"/>.</param>
    /// <param name="period">Control period: a whole number of the model's timesteps.</param>
    /// <param name="start">How seeded starts stray; null: the defaults.</param>
    /// <exception cref="ConfigException">MuJoCo is absent, or robot, model and period disagree; every problem at once.</exception>
    public MujocoEnvironment(RobotSpec robot, TimeSpan period, MujocoStart? start = null)
        : this(robot, Scene(robot, out string path), path, period, start)
    {
    }

    /// <summary>Plays <paramref name="robot"/> in a scene that is text; its simulator section is not read.</summary>
    internal MujocoEnvironment(RobotSpec robot, string scene, string name, TimeSpan period, MujocoStart start)
        : this(robot, SceneText(scene, name), name, period, start)
    {
    }

    private MujocoEnvironment(RobotSpec robot, nint model, string path, TimeSpan period, MujocoStart? start)
    {
        Robot = robot;
        Period = period;
        _start = start ?? new();
        _model = (byte*)model;
        try
        {
            var check = new ConfigCheck($"{robot.Origin} with {path}");
            var binding = new MujocoBinding(_model, robot, check);
            _joints = binding.Joints;
            _signals = binding.Signals;
            _keyframe = binding.Keyframe;
            double timestep = *(double*)(_model + Offsets.ModelOptTimestep);
            double ratio = period.TotalSeconds / timestep;
            _substeps = (int)Math.Round(Math.Clamp(ratio, 0, 1e6));
            check.That(_substeps >= 1 && Math.Abs(ratio - _substeps) < 1e-6 * _substeps, "", FormattableString.Invariant(
                $"the control period {period.TotalMilliseconds} ms is not a whole number of the model's timesteps of {timestep * 1000} ms"));
            check.That(Math.Abs((robot.ServoPeriodMs / 1000) - timestep) < 1e-9, "servo_period_ms", FormattableString.Invariant(
                $"is {robot.ServoPeriodMs}, and the model's timestep is {timestep * 1000} ms; write the same in both"));
            check.Range(_start.JointFraction, 0, 1, "start.joint_fraction");
            check.Range(_start.BaseSpeed, 0, 10, "start.base_speed");
            check.Range(_start.PositionSpread, 0, 1, "start.position_spread");
            check.Range(_start.SpeedSpread, 0, 10, "start.speed_spread");
            check.Throw();
            _base = binding.BaseVelocity(_joints[0].Position);
            _data = MujocoLibrary.MakeData(_model);
            if (_data == null)
            {
                throw new ConfigException(path, ["MuJoCo could not allocate the simulation's data"]);
            }
        }
        catch
        {
            Dispose();
            throw;
        }

        _target = new float[_joints.Length];
        _maxEffort = [.. robot.Joints.Select(joint => joint.MaxEffort ?? double.PositiveInfinity)];
        _hasVelocity = !robot.Absent.Contains(SignalLayout.JointVelocity);
        _hasEffort = !robot.Absent.Contains(SignalLayout.JointEffort);
        _mode = CommandMode.Native(robot);
        _servo = new(robot, _mode);
        Start(0);
    }

    /// <summary>Releases the simulation when nobody disposed of it.</summary>
    ~MujocoEnvironment() => Free();

    /// <inheritdoc/>
    public RobotSpec Robot { get; }

    /// <inheritdoc/>
    public TimeSpan Period { get; }

    /// <inheritdoc/>
    public TimeSpan Time => Period * _steps;

    /// <inheritdoc/>
    public void Reset(ulong seed, Span<float> signals)
    {
        CheckLength(signals);
        Start(seed);
        Read(signals);
    }

    /// <inheritdoc/>
    public void SetMode(CommandMode mode)
    {
        _servo = new(Robot, mode);
        _mode = mode;
        _hasTarget = false; // an old target may mean something else now
    }

    /// <inheritdoc/>
    public StepResult Step(ReadOnlySpan<float> targets, Span<float> signals)
    {
        CheckLength(signals);
        if (_diverged is not null)
        {
            throw new SimulationDivergedException(_diverged + " Reset it before the next step.");
        }

        if (!targets.IsEmpty)
        {
            if (targets.Length != _target.Length)
            {
                throw new ArgumentException($"{targets.Length} targets for the {_target.Length} joints of robot '{Robot.Name}'.", nameof(targets));
            }

            targets.CopyTo(_target);
            _hasTarget = true;
        }
        else if (!_hasTarget)
        {
            for (int j = 0; j < _target.Length; j++)
            {
                _target[j] = _mode.Kinds[j] == TargetKind.Position ? (float)Qpos[_joints[j].Position] : 0;
            }

            _hasTarget = true;
        }

        bool holding = targets.IsEmpty;
        for (int n = 0; n < _substeps; n++)
        {
            Drive(holding);
            MujocoLibrary.StepOnce(_model, _data);
        }

        _steps++;
        Watch();
        Read(signals);
        return default;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private static nint Scene(RobotSpec robot, out string path)
    {
        ArgumentNullException.ThrowIfNull(robot);
        if (robot.Simulator is not { Kind: "mujoco", Model: { Length: > 0 } file })
        {
            throw new ConfigException(robot.Origin, ["simulator needs kind 'mujoco' and a model file to be played by MuJoCo"]);
        }

        MujocoLibrary.Require();
        path = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(robot.Origin) ?? "", file));
        return File.Exists(path)
            ? (nint)MujocoLibrary.ReadModel(path)
            : throw new ConfigException(robot.Origin, [$"simulator.model '{file}' does not exist; looked for {path}"]);
    }

    private static nint SceneText(string scene, string name)
    {
        MujocoLibrary.Require();
        return (nint)MujocoLibrary.ReadModelText(name, scene);
    }

    private double* Qpos => *(double**)(_data + Offsets.DataQpos);

    private double* Qvel => *(double**)(_data + Offsets.DataQvel);

    private void Start(ulong seed)
    {
        ObjectDisposedException.ThrowIf(_data == null, this);
        if (_keyframe < 0)
        {
            MujocoLibrary.ResetData(_model, _data);
        }
        else
        {
            MujocoLibrary.ResetDataKeyframe(_model, _data, _keyframe);
            int nu = *(int*)(_model + Offsets.ModelNu);
            new ReadOnlySpan<double>(*(double**)(_model + Offsets.ModelKeyCtrl) + ((long)_keyframe * nu), nu)
                .CopyTo(new(*(double**)(_data + Offsets.DataCtrl), nu));
        }

        if (seed != 0)
        {
            ulong state = seed;
            for (int j = 0; j < _joints.Length; j++)
            {
                ref double at = ref Qpos[_joints[j].Position];
                double moved = at * (1 + (_start.JointFraction * Draw(ref state)));
                at = Math.Clamp(moved, Math.Min(at, Robot.Joints[j].Lower), Math.Max(at, Robot.Joints[j].Upper));
            }

            for (int v = 0; _base >= 0 && v < 6; v++)
            {
                Qvel[_base + v] += _start.BaseSpeed * Draw(ref state);
            }

            Spread(ref state);
        }

        _ = MujocoLibrary.TakeWarning();
        _steps = 0;
        _hasTarget = false;
        _diverged = null;
        MujocoLibrary.Forward(_model, _data);
        Watch();
    }

    private void Spread(ref ulong state)
    {
        int* types = *(int**)(_model + Offsets.ModelJntType);
        for (int j = 0; j < *(int*)(_model + Offsets.ModelNjnt) && _start.PositionSpread > 0; j++)
        {
            if (types[j] == Offsets.JntHinge || types[j] == Offsets.JntSlide)
            {
                Qpos[(*(int**)(_model + Offsets.ModelJntQposadr))[j]] += _start.PositionSpread * Draw(ref state);
            }
        }

        for (int v = 0; v < *(int*)(_model + Offsets.ModelNv) && _start.SpeedSpread > 0; v++)
        {
            Qvel[v] += _start.SpeedSpread * Draw(ref state);
        }
    }

    // SplitMix64 (Steele et al. 2014), as an even number in [-1, 1).
    private static double Draw(ref ulong state)
    {
        ulong z = state += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return ((z ^ (z >> 31)) >> 11) * (2.0 / (1UL << 53)) - 1;
    }

    private void Drive(bool holding)
    {
        double* qpos = Qpos;
        double* qvel = Qvel;
        double* ctrl = *(double**)(_data + Offsets.DataCtrl);
        for (int j = 0; j < _joints.Length; j++)
        {
            ref readonly var joint = ref _joints[j];
            double q = qpos[joint.Position];
            double dq = qvel[joint.Velocity];
            var kind = _mode.Kinds[j];
            var drive = Robot.Joints[j].Command;
            var hold = (Robot.Hold.Mode, kind) switch
            {
                (HoldMode.Keep, TargetKind.Effort) => HoldMode.Damp,
                (HoldMode.Pose, not TargetKind.Position) => HoldMode.Damp,
                var (mode, _) => mode,
            };
            if (holding && hold == HoldMode.Pose)
            {
                float reach = Robot.Hold.Speed * (float)(Robot.ServoPeriodMs / 1000);
                _target[j] += Math.Clamp(Robot.Joints[j].Default - _target[j], -reach, reach);
            }
            else if (holding && hold != HoldMode.Keep)
            {
                double brake = hold == HoldMode.Damp ? -Robot.Hold.Damping * dq : 0;
                ctrl[joint.Actuator] = joint.Exert(Math.Clamp(brake, -_maxEffort[j], _maxEffort[j]), q, dq);
                continue;
            }

            float target = holding && kind == TargetKind.Velocity ? 0 : _target[j];
            ctrl[joint.Actuator] = drive == TargetKind.Effort
                ? joint.Exert(_servo.Drive(j, target, (float)q, (float)dq), q, dq)
                : joint.Rest(drive, target);
        }
    }

    private void Watch()
    {
        byte* warnings = _data + Offsets.DataWarning;
        for (int w = 0; w < Offsets.Nwarning; w++)
        {
            if (*(int*)(warnings + (w * Offsets.SizeOfWarning) + Offsets.WarningNumber) != 0 && w != VisualGeometryFull)
            {
                Diverge(WarningNames[w], MujocoLibrary.TakeWarning());
            }
        }
    }

    private void Diverge(string name, string? text)
    {
        _diverged = FormattableString.Invariant($"Robot '{Robot.Name}' diverged at {Time.TotalSeconds:F3} s of simulated time: {name}")
            + (text is null ? "." : $" ({text.Trim()}).");
        throw new SimulationDivergedException(_diverged);
    }

    private void Read(Span<float> signals)
    {
        int joints = _joints.Length;
        double* effort = *(double**)(_data + Offsets.DataQfrcActuator);
        for (int j = 0; j < joints; j++)
        {
            signals[j] = (float)Qpos[_joints[j].Position];
            signals[joints + j] = _hasVelocity ? (float)Qvel[_joints[j].Velocity] : 0;
            signals[(2 * joints) + j] = _hasEffort ? (float)effort[_joints[j].Velocity] : 0;
        }

        double* scratch = stackalloc double[6];
        foreach (ref readonly var signal in _signals.AsSpan())
        {
            double* from = Source(in signal, scratch);
            for (int i = 0; i < signal.Length; i++)
            {
                signals[signal.Offset + i] = (float)from[i];
            }
        }

        foreach (float value in signals)
        {
            if (!float.IsFinite(value))
            {
                Diverge("a signal is not finite", null);
            }
        }
    }

    private double* Source(in SignalBinding signal, double* scratch)
    {
        switch (signal.Kind)
        {
            case SignalKind.Sensor:
                return *(double**)(_data + Offsets.DataSensordata) + signal.Id;
            case SignalKind.BodyPosition:
                return *(double**)(_data + Offsets.DataXpos) + (3 * signal.Id);
            case SignalKind.BodyOrientation:
                return *(double**)(_data + Offsets.DataXquat) + (4 * signal.Id);
            case SignalKind.SitePosition:
                return *(double**)(_data + Offsets.DataSiteXpos) + (3 * signal.Id);
            case SignalKind.SiteOrientation:
                MujocoLibrary.MatrixToQuaternion(scratch, *(double**)(_data + Offsets.DataSiteXmat) + (9 * signal.Id));
                return scratch;
            case SignalKind.JointPosition:
                return Qpos + signal.Id;
            case SignalKind.JointVelocity:
                return Qvel + signal.Id;
            default:
                // MuJoCo's order: angular, then linear.
                MujocoLibrary.ObjectVelocity(_model, _data, Offsets.ObjXbody, signal.Id, scratch, signal.Local ? 1 : 0);
                return signal.Kind == SignalKind.BodyAngularVelocity ? scratch : scratch + 3;
        }
    }

    private void CheckLength(Span<float> signals)
    {
        ObjectDisposedException.ThrowIf(_data == null, this);
        if (signals.Length != Robot.Layout.Length)
        {
            throw new ArgumentException($"{signals.Length} signals for the {Robot.Layout.Length} of robot '{Robot.Name}'.", nameof(signals));
        }
    }

    private void Free()
    {
        if (_data != null)
        {
            MujocoLibrary.DeleteData(_data);
            _data = null;
        }

        if (_model != null)
        {
            MujocoLibrary.DeleteModel(_model);
            _model = null;
        }
    }
}
