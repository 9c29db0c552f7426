namespace Robotics.Sim.Planar;

/// <summary>A rigid body in a <see cref="Space"/>: pose, velocity and mass.</summary>
/// <remarks>
/// Integrates positions from velocities first and velocities from impulses after, as Chipmunk's cpBody.c does. The pose is
/// that of the body's origin; the body turns about its centre of gravity, so setting <see cref="Angle"/> moves the origin.
/// </remarks>
public sealed class Body
{
    internal Vec2 Centre;          // world position of the centre of gravity
    internal Vec2 Rotation = new(1, 0);
    internal Vec2 Translation;     // world position of the origin
    internal double InverseMass;
    internal double InverseMoment;
    internal Vec2 BiasVelocity;    // pushes overlaps apart for one step, without adding momentum
    internal double BiasSpin;
    private double _angle;

    private Body(Vec2 centreOfGravity, double inverseMass, double inverseMoment, bool moves)
    {
        CentreOfGravity = centreOfGravity;
        InverseMass = inverseMass;
        InverseMoment = inverseMoment;
        Moves = moves;
        Position = default;
    }

    /// <summary>Centre of gravity in body coordinates.</summary>
    public Vec2 CentreOfGravity { get; }

    /// <summary>False for static bodies.</summary>
    public bool Moves { get; }

    /// <summary>True when impulses change its velocity.</summary>
    public bool IsDynamic => InverseMass > 0;

    /// <summary>Velocity of the centre of gravity, per second.</summary>
    public Vec2 Velocity { get; set; }

    /// <summary>rad/s.</summary>
    public double Spin { get; set; }

    /// <summary>World position of the body's origin; setting it keeps the angle.</summary>
    public Vec2 Position
    {
        get => Translation;
        set
        {
            Centre = CentreOfGravity.Rotate(Rotation) + value;
            Place();
        }
    }

    /// <summary>rad; setting it turns the body about its centre of gravity.</summary>
    public double Angle
    {
        get => _angle;
        set
        {
            _angle = value;
            Rotation = Vec2.FromAngle(value);
            Place();
        }
    }

    /// <summary>A body that impulses move.</summary>
    /// <param name="mass">Above 0.</param>
    /// <param name="moment">Moment of inertia about the centre of gravity, above 0.</param>
    /// <param name="centreOfGravity">In body coordinates.</param>
    public static Body Dynamic(double mass, double moment, Vec2 centreOfGravity) => new(centreOfGravity, 1 / mass, 1 / moment, moves: true);

    /// <summary>A body that follows its velocity and that nothing can push.</summary>
    public static Body Kinematic() => new(default, 0, 0, moves: true);

    /// <summary>A body that stays.</summary>
    public static Body Static() => new(default, 0, 0, moves: false);

    /// <summary>World position of a point given in body coordinates.</summary>
    public Vec2 ToWorld(Vec2 local) => local.Rotate(Rotation) + Translation;

    internal void Advance(double dt)
    {
        Centre += (Velocity + BiasVelocity) * dt;
        double turn = (Spin + BiasSpin) * dt;
        BiasVelocity = default;
        BiasSpin = 0;
        if (turn != 0)
        {
            _angle += turn;
            Rotation = Vec2.FromAngle(_angle);
        }

        Place();
    }

    internal void Damp(double factor)
    {
        if (IsDynamic)
        {
            Velocity *= factor;
            Spin *= factor;
        }
    }

    internal void Push(Vec2 impulse, Vec2 arm)
    {
        Velocity += impulse * InverseMass;
        Spin += InverseMoment * Vec2.Cross(arm, impulse);
    }

    internal void PushBias(Vec2 impulse, Vec2 arm)
    {
        BiasVelocity += impulse * InverseMass;
        BiasSpin += InverseMoment * Vec2.Cross(arm, impulse);
    }

    internal void Rest()
    {
        Velocity = default;
        Spin = 0;
        BiasVelocity = default;
        BiasSpin = 0;
    }

    private void Place() => Translation = Centre - CentreOfGravity.Rotate(Rotation);
}
