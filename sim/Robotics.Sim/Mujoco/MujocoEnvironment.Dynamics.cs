using Offsets = Robotics.Sim.Mujoco.MujocoOffsets;

namespace Robotics.Sim.Mujoco;

// What differs from the scene as it was written.
public sealed unsafe partial class MujocoEnvironment
{
    private const int FrictionSize = 3;  // sliding, torsional, rolling
    private const int InertiaSize = 3;

    private Written? _written; // copied at the first change, so that factors never multiply each other
    private double _mass = 1;

    /// <summary>Multiplies the scene's gravity, sliding friction, masses, joint damping and what actuators exert; reset afterwards.
    /// Allocation-free after the first call.</summary>
    /// <remarks>Motors keep their meaning: a target is what the robot believes it exerts, a weak motor exerts less of it.</remarks>
    internal void SetDynamics(Dynamics dynamics)
    {
        ObjectDisposedException.ThrowIf(_data == null, this);
        _written ??= new(this);
        Scale(Field(Offsets.ModelOptGravity, direct: true), _written.Gravity, 1, dynamics.Gravity);
        Scale(Field(Offsets.ModelGeomFriction), _written.Friction, FrictionSize, dynamics.Friction);
        Scale(Field(Offsets.ModelDofDamping), _written.Damping, 1, dynamics.Damping);
        Scale(Field(Offsets.ModelActuatorGainprm), _written.Gain, 1, dynamics.Motor);
        Scale(Field(Offsets.ModelActuatorBiasprm), _written.Bias, 1, dynamics.Motor);
        if (dynamics.Mass != _mass)
        {
            Scale(Field(Offsets.ModelBodyMass), _written.Mass, 1, dynamics.Mass);
            Scale(Field(Offsets.ModelBodyInertia), _written.Inertia, 1, dynamics.Mass);

            // What MuJoCo derives from masses at load: subtree masses, inverse weights of constraints.
            MujocoLibrary.SetConstants(_model, _data);
            _mass = dynamics.Mass;
        }
    }

    private static void Scale(double* field, double[] written, int every, double factor)
    {
        for (int i = 0; i < written.Length; i += every)
        {
            field[i] = written[i] * factor;
        }
    }

    private double* Field(int offset, bool direct = false) => direct ? (double*)(_model + offset) : *(double**)(_model + offset);

    private static double[] Copy(double* field, int length) => new ReadOnlySpan<double>(field, length).ToArray();

    private int Count(int offset) => *(int*)(_model + offset);

    /// <summary>The scene's own numbers.</summary>
    private sealed class Written(MujocoEnvironment of)
    {
        public double[] Gravity { get; } = Copy(of.Field(Offsets.ModelOptGravity, direct: true), 3);

        public double[] Friction { get; } = Copy(of.Field(Offsets.ModelGeomFriction), of.Count(Offsets.ModelNgeom) * FrictionSize);

        public double[] Damping { get; } = Copy(of.Field(Offsets.ModelDofDamping), of.Count(Offsets.ModelNv));

        public double[] Gain { get; } = Copy(of.Field(Offsets.ModelActuatorGainprm), of.Count(Offsets.ModelNu) * Offsets.Ngain);

        public double[] Bias { get; } = Copy(of.Field(Offsets.ModelActuatorBiasprm), of.Count(Offsets.ModelNu) * Offsets.Nbias);

        public double[] Mass { get; } = Copy(of.Field(Offsets.ModelBodyMass), of.Count(Offsets.ModelNbody));

        public double[] Inertia { get; } = Copy(of.Field(Offsets.ModelBodyInertia), of.Count(Offsets.ModelNbody) * InertiaSize);
    }
}
