namespace Robotics.Sim.Planar;

/// <summary>Where a pair of shapes is in its life together.</summary>
internal enum ContactState : byte
{
    /// <summary>Touches for the first time, or again: remembered impulses are not applied up front.</summary>
    New,

    /// <summary>Touched in the last step as well.</summary>
    Kept,

    /// <summary>Apart for a step or two; impulses are still remembered.</summary>
    Lost,
}

/// <summary>Two shapes that may touch, their contact points and the impulses between them.</summary>
/// <remarks>Source: Chipmunk 7, src/cpArbiter.c, without friction, bounce and surface velocity.</remarks>
internal sealed class Arbiter(Shape first, Shape second)
{
    private readonly Body _a = first.Body;
    private readonly Body _b = second.Body;
    private Vec2 _normal;
    private Contact _contact0, _contact1;
    private int _count;
    private long _stamp;

    internal Shape First { get; } = first;

    internal Shape Second { get; } = second;

    internal ContactState State { get; set; }

    internal bool BoxesOverlap =>
        First.Low.X <= Second.High.X && Second.Low.X <= First.High.X && First.Low.Y <= Second.High.Y && Second.Low.Y <= First.High.Y;

    private struct Contact
    {
        internal Vec2 ArmA, ArmB;    // from the centres of gravity
        internal int Key;
        internal double Impulse;     // along the normal, accumulated, never negative after a sweep
        internal double BiasImpulse;
        internal double EffectiveMass;
        internal double BiasSpeed;   // wanted speed of separation
    }

    internal void Update(in Touch touch, long stamp)
    {
        // Points are recognised by the edge ends that made them and keep their impulses.
        var next0 = Start(touch.OnFirst0, touch.OnSecond0, touch.Key0);
        var next1 = touch.Count > 1 ? Start(touch.OnFirst1, touch.OnSecond1, touch.Key1) : default;
        (_contact0, _contact1, _count, _normal, _stamp) = (next0, next1, touch.Count, touch.Normal, stamp);
        State = State == ContactState.Lost ? ContactState.New : State;
    }

    private Contact Start(Vec2 onFirst, Vec2 onSecond, int key) => new()
    {
        ArmA = onFirst - _a.Centre,
        ArmB = onSecond - _b.Centre,
        Key = key,
        Impulse = _count > 1 && _contact1.Key == key ? _contact1.Impulse : _count > 0 && _contact0.Key == key ? _contact0.Impulse : 0,
    };

    internal void Age(long stamp, int persistence)
    {
        if (_count == 0)
        {
            return;
        }

        State = ContactState.Lost;
        if (stamp - _stamp >= persistence)
        {
            Forget();
        }
    }

    internal void Forget()
    {
        _count = 0;
        State = ContactState.New;
    }

    internal void Prepare(double dt, double slop, double bias)
    {
        Prepare(ref _contact0, dt, slop, bias);
        if (_count > 1)
        {
            Prepare(ref _contact1, dt, slop, bias);
        }
    }

    internal void ApplyRemembered(double scale)
    {
        if (State == ContactState.New)
        {
            return;
        }

        Apply(_contact0, _normal * _contact0.Impulse * scale);
        if (_count > 1)
        {
            Apply(_contact1, _normal * _contact1.Impulse * scale);
        }
    }

    internal void Solve()
    {
        Solve(ref _contact0);
        if (_count > 1)
        {
            Solve(ref _contact1);
        }
    }

    private void Prepare(ref Contact contact, double dt, double slop, double bias)
    {
        contact.EffectiveMass = 1 / (Compliance(_a, contact.ArmA) + Compliance(_b, contact.ArmB));
        double distance = Vec2.Dot(contact.ArmB - contact.ArmA + (_b.Centre - _a.Centre), _normal);
        contact.BiasSpeed = -bias * Math.Min(0, distance + slop) / dt;
        contact.BiasImpulse = 0;
    }

    private double Compliance(Body body, Vec2 arm)
    {
        double lever = Vec2.Cross(arm, _normal);
        return body.InverseMass + (body.InverseMoment * lever * lever);
    }

    private void Solve(ref Contact contact)
    {
        var biasA = _a.BiasVelocity + (contact.ArmA.Perp() * _a.BiasSpin);
        var biasB = _b.BiasVelocity + (contact.ArmB.Perp() * _b.BiasSpin);
        var velocityA = _a.Velocity + (contact.ArmA.Perp() * _a.Spin);
        var velocityB = _b.Velocity + (contact.ArmB.Perp() * _b.Spin);

        double oldBias = contact.BiasImpulse;
        contact.BiasImpulse = Math.Max(oldBias + ((contact.BiasSpeed - Vec2.Dot(biasB - biasA, _normal)) * contact.EffectiveMass), 0);
        double old = contact.Impulse;
        contact.Impulse = Math.Max(old - (Vec2.Dot(velocityB - velocityA, _normal) * contact.EffectiveMass), 0);

        var push = _normal * (contact.BiasImpulse - oldBias);
        _a.PushBias(-push, contact.ArmA);
        _b.PushBias(push, contact.ArmB);
        Apply(contact, _normal * (contact.Impulse - old));
    }

    private void Apply(in Contact contact, Vec2 impulse)
    {
        _a.Push(-impulse, contact.ArmA);
        _b.Push(impulse, contact.ArmB);
    }
}
