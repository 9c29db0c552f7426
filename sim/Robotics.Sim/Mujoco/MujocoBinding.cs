using Offsets = Robotics.Sim.Mujoco.MujocoOffsets;

namespace Robotics.Sim.Mujoco;

/// <summary>One joint of the robot in the model: where its numbers lie and how its actuator turns ctrl into force.</summary>
/// <remarks>MuJoCo: force = Gain ctrl + Bias + BiasLength gear q + BiasSpeed gear dq; joint effort = gear force.</remarks>
internal readonly record struct JointBinding(
    int Position, int Velocity, int Actuator, double Gear, double Gain, double Bias, double BiasLength, double BiasSpeed)
{
    /// <summary>The ctrl at which the drive rests on a position (rad, m) or speed (rad/s, m/s) target.</summary>
    public double Rest(TargetKind kind, double target) =>
        -(Bias + ((kind == TargetKind.Position ? BiasLength : BiasSpeed) * Gear * target)) / Gain;

    /// <summary>The ctrl whose joint effort is exactly <paramref name="effort"/> in this state.</summary>
    public double Exert(double effort, double position, double velocity) =>
        ((effort / Gear) - Bias - (BiasLength * Gear * position) - (BiasSpeed * Gear * velocity)) / Gain;
}

/// <summary>What a signal is read from.</summary>
internal enum SignalKind
{
    Sensor,
    BodyPosition,
    BodyOrientation,
    BodyLinearVelocity,
    BodyAngularVelocity,
    SitePosition,
    SiteOrientation,
    JointPosition,
    JointVelocity,
}

/// <summary>One signal of the robot in the model.</summary>
/// <param name="Kind">What it is read from.</param>
/// <param name="Id">Sensor address, body, site, or a joint's place in qpos or qvel.</param>
/// <param name="Offset">First element in the signal frame.</param>
/// <param name="Length">Elements.</param>
/// <param name="Local">Velocities in the body's frame instead of the world's.</param>
internal readonly record struct SignalBinding(SignalKind Kind, int Id, int Offset, int Length, bool Local);

/// <summary>Finds a robot's joints, actuators and signals in a model by name; everything wrong is reported at once.</summary>
internal sealed unsafe class MujocoBinding
{
    private readonly byte* _model;
    private readonly ConfigCheck _check;

    public MujocoBinding(byte* model, RobotSpec robot, ConfigCheck check)
    {
        _model = model;
        _check = check;
        Joints = [.. robot.Joints.Select((joint, j) => Bind(robot, joint, j))];
        Signals = [.. robot.Signals.Select((signal, i) => Bind(robot, signal, i))];
        Keyframe = robot.Simulator?.Keyframe is { } key ? Find("simulator.keyframe", "keyframe", Offsets.ObjKey, key) : -1;
    }

    public JointBinding[] Joints { get; }

    public SignalBinding[] Signals { get; }

    /// <summary>-1: the model's initial state.</summary>
    public int Keyframe { get; }

    /// <summary>First velocity of the free joint that carries the robot, or -1 when it is bolted down.</summary>
    public int BaseVelocity(int jointPosition)
    {
        int joint = 0;
        while (Ints(Offsets.ModelJntQposadr)[joint] != jointPosition)
        {
            joint++;
        }

        int root = Ints(Offsets.ModelBodyRootid)[Ints(Offsets.ModelJntBodyid)[joint]];
        for (int j = 0; j < Count(Offsets.ModelNjnt); j++)
        {
            if (Ints(Offsets.ModelJntType)[j] == Offsets.JntFree && Ints(Offsets.ModelJntBodyid)[j] == root)
            {
                return Ints(Offsets.ModelJntDofadr)[j];
            }
        }

        return -1;
    }

    private JointBinding Bind(RobotSpec robot, JointSpec joint, int j)
    {
        string path = $"joints[{j}].name";
        int id = Find(path, "joint", Offsets.ObjJoint, joint.Name);
        if (id < 0)
        {
            return default;
        }

        int type = Ints(Offsets.ModelJntType)[id];
        int expected = joint.Kind == JointKind.Revolute ? Offsets.JntHinge : Offsets.JntSlide;
        _check.That(type == expected, path, $"'{joint.Name}' is {joint.Kind} here, and in the model it is "
            + $"{(type == Offsets.JntHinge ? "a hinge" : type == Offsets.JntSlide ? "a slide" : "a free or ball joint")}");
        int actuator = Actuator(robot, joint.Name, id, j);
        if (actuator < 0)
        {
            return default;
        }

        double* bias = Doubles(Offsets.ModelActuatorBiasprm) + (actuator * Offsets.Nbias);
        bool affine = Ints(Offsets.ModelActuatorBiastype)[actuator] == Offsets.BiasAffine;
        var bound = new JointBinding(
            Ints(Offsets.ModelJntQposadr)[id],
            Ints(Offsets.ModelJntDofadr)[id],
            actuator,
            Doubles(Offsets.ModelActuatorGear)[actuator * 6],
            Doubles(Offsets.ModelActuatorGainprm)[actuator * Offsets.Ngain],
            affine ? bias[0] : 0,
            affine ? bias[1] : 0,
            affine ? bias[2] : 0);
        int dynamics = Ints(Offsets.ModelActuatorDyntype)[actuator];
        bool linear = Ints(Offsets.ModelActuatorGaintype)[actuator] == Offsets.GainFixed && bound is { Gain: not 0, Gear: not 0 }
            && (affine || Ints(Offsets.ModelActuatorBiastype)[actuator] == Offsets.BiasNone)
            && (dynamics == Offsets.DynNone || dynamics == Offsets.DynFilter);
        var takes = bound.BiasLength != 0 ? TargetKind.Position : bound.BiasSpeed != 0 ? TargetKind.Velocity : TargetKind.Effort;
        if (!linear || takes != joint.Command)
        {
            _check.Add($"joints[{j}].command", $"of '{joint.Name}' is {joint.Command}, and its actuator "
                + $"'{NameOf(Offsets.ObjActuator, actuator)}' in the model {(linear ? $"takes {takes}" : "is neither a motor, a position nor a velocity drive")}");
        }

        return bound;
    }

    private int Actuator(RobotSpec robot, string joint, int id, int j)
    {
        if (robot.Simulator?.Actuators is { } names)
        {
            if (j >= names.Count)
            {
                _check.Add("simulator.actuators", $"has {names.Count} names, the robot has {robot.Joints.Count} joints");
                return -1;
            }

            int named = Find($"simulator.actuators[{j}]", "actuator", Offsets.ObjActuator, names[j]);
            if (named >= 0 && !Drives(named, id))
            {
                _check.Add($"simulator.actuators[{j}]", $"'{names[j]}' does not drive joint '{joint}' in the model");
                return -1;
            }

            return named;
        }

        int[] drives = [.. Enumerable.Range(0, Count(Offsets.ModelNu)).Where(a => Drives(a, id))];
        if (drives is [int only])
        {
            return only;
        }

        _check.Add($"joints[{j}].name", $"'{joint}' has {drives.Length} actuators in the model, expected 1"
            + (drives.Length > 1 ? "; name one in 'simulator.actuators'" : $"; the model's actuators: {List(Offsets.ObjActuator)}"));
        return -1;
    }

    private bool Drives(int actuator, int joint)
    {
        int transmission = Ints(Offsets.ModelActuatorTrntype)[actuator];
        return (transmission == Offsets.TrnJoint || transmission == Offsets.TrnJointinparent)
            && Ints(Offsets.ModelActuatorTrnid)[2 * actuator] == joint;
    }

    private SignalBinding Bind(RobotSpec robot, SignalSpec signal, int i)
    {
        string path = $"signals[{i}].source";
        int colon = signal.Source.IndexOf(':', StringComparison.Ordinal);
        string word = colon < 0 ? signal.Source : signal.Source[..colon];
        string name = signal.Source[(colon + 1)..];
        (SignalKind Kind, int Object, string What, int Length)? known = word switch
        {
            "sensor" => (SignalKind.Sensor, Offsets.ObjSensor, "sensor", 0),
            "body_position" => (SignalKind.BodyPosition, Offsets.ObjBody, "body", 3),
            "body_orientation" => (SignalKind.BodyOrientation, Offsets.ObjBody, "body", 4),
            "body_linear_velocity" => (SignalKind.BodyLinearVelocity, Offsets.ObjBody, "body", 3),
            "body_angular_velocity" => (SignalKind.BodyAngularVelocity, Offsets.ObjBody, "body", 3),
            "site_position" => (SignalKind.SitePosition, Offsets.ObjSite, "site", 3),
            "site_orientation" => (SignalKind.SiteOrientation, Offsets.ObjSite, "site", 4),
            "joint_position" => (SignalKind.JointPosition, Offsets.ObjJoint, "joint", 1),
            "joint_velocity" => (SignalKind.JointVelocity, Offsets.ObjJoint, "joint", 1),
            _ => null,
        };
        if (colon < 0 || known is not { } source)
        {
            _check.Add(path, $"of '{signal.Name}' is '{signal.Source}', expected sensor:NAME, body_position:NAME, "
                + "body_orientation:NAME, body_linear_velocity:NAME, body_angular_velocity:NAME, site_position:NAME, site_orientation:NAME, joint_position:NAME or joint_velocity:NAME");
            return default;
        }

        int id = Find(path, source.What, source.Object, name);
        if (id < 0)
        {
            return default;
        }

        int length = source.Kind == SignalKind.Sensor ? Ints(Offsets.ModelSensorDim)[id] : source.Length;
        int at = source.Kind switch
        {
            SignalKind.Sensor => Ints(Offsets.ModelSensorAdr)[id],
            SignalKind.JointPosition => Ints(Offsets.ModelJntQposadr)[id],
            SignalKind.JointVelocity => Ints(Offsets.ModelJntDofadr)[id],
            _ => id,
        };
        _check.That(length == signal.Length, $"signals[{i}].length", $"of '{signal.Name}' is {signal.Length}, and '{signal.Source}' has {length} elements in the model");
        return new(source.Kind, at, robot.Layout.Find(signal.Name)!.Offset, length, signal.Frame == "body");
    }

    private int Find(string path, string what, int type, string name)
    {
        fixed (byte* text = System.Text.Encoding.UTF8.GetBytes(name + '\0'))
        {
            int id = MujocoLibrary.NameToId(_model, type, text);
            _check.That(id >= 0, path, $"names {what} '{name}', which the model does not have; it has: {List(type)}");
            return id;
        }
    }

    private string List(int type)
    {
        // Unnamed objects cannot be asked for, so they are not listed.
        string[] names = [.. Enumerable.Range(0, Count(type switch
        {
            Offsets.ObjJoint => Offsets.ModelNjnt,
            Offsets.ObjActuator => Offsets.ModelNu,
            Offsets.ObjSensor => Offsets.ModelNsensor,
            Offsets.ObjBody => Offsets.ModelNbody,
            Offsets.ObjSite => Offsets.ModelNsite,
            _ => Offsets.ModelNkey,
        })).Select(id => NameOf(type, id)).Where(name => name.Length > 0)];
        return names.Length == 0 ? "none" : string.Join(", ", names);
    }

    private string NameOf(int type, int id)
    {
        byte* name = MujocoLibrary.IdToName(_model, type, id);
        return name == null ? "" : MujocoLibrary.Text(name);
    }

    private int Count(int offset) => *(int*)(_model + offset);

    private int* Ints(int offset) => *(int**)(_model + offset);

    private double* Doubles(int offset) => *(double**)(_model + offset);
}
