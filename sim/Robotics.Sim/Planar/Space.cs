namespace Robotics.Sim.Planar;

/// <summary>A small world of rigid bodies in the plane, without gravity, friction or bounce.</summary>
/// <remarks>
/// Steps as Chipmunk 7 does, so that tasks published on pymunk keep their numbers: positions move first, contacts are found,
/// velocities are damped, the last step's contact impulses are applied again, then ten sweeps of sequential impulses with a
/// separate velocity that pushes overlaps apart. Constants are Chipmunk's defaults.
/// <para>Source: slembcke/Chipmunk2D 7.0.3, src/cpSpaceStep.c, cpArbiter.c, cpBody.c (semantics; the code is our own).
/// Differs: no spatial index. Pairs are listed once, which suits tens of shapes; they are solved in the order the shapes were
/// added, where Chipmunk's order follows its tree. The order only matters where ten sweeps do not converge: a block squeezed
/// between a wall and something that cannot be pushed back. There the two engines part; elsewhere they agree to rounding.</para>
/// Not thread-safe; deterministic; <see cref="Step"/> is allocation-free. Lengths are in the caller's unit, but the slop is
/// 0.1 of it, so a unit should be small beside the shapes (a millimetre on a table top).
/// </remarks>
public sealed class Space
{
    private const int Iterations = 10;
    private const double Slop = 0.1f;       // overlap that is left alone, so that resting contacts stay
    private const int Persistence = 3;      // steps that a lost contact's impulses are remembered

    // Share of an overlap that is left after one second: 0.9 per step at 60 Hz. Both constants are single-precision literals
    // in Chipmunk, which costs 1e-7 px per contact when they are not here.
    private static readonly double s_biasPerSecond = Math.Pow(1.0f - 0.1f, 60);

    private readonly Body[] _bodies;
    private readonly Shape[] _moving;
    private readonly Arbiter[] _pairs;
    private readonly Arbiter[] _active;
    private int _activeCount;
    private long _stamp;
    private double _previousDt;

    /// <summary>Builds the world; pairs of shapes that can push each other are listed here, once.</summary>
    /// <param name="shapes">Every shape; contacts are solved in this order.</param>
    public Space(params ReadOnlySpan<Shape> shapes)
    {
        var all = shapes.ToArray();
        _bodies = [.. all.Select(shape => shape.Body).Distinct().Where(body => body.Moves)];
        _moving = [.. all.Where(shape => shape.Body.Moves)];
        _pairs = [.. from i in Enumerable.Range(0, all.Length)
                     from j in Enumerable.Range(i + 1, all.Length - i - 1)
                     where all[i].Body != all[j].Body && (all[i].Body.IsDynamic || all[j].Body.IsDynamic)
                     select all[i].Count <= all[j].Count ? new Arbiter(all[i], all[j]) : new Arbiter(all[j], all[i])];
        _active = new Arbiter[_pairs.Length];
    }

    /// <summary>Share of a dynamic body's velocity that is left after one second; 0 stops it at once. 0 to 1.</summary>
    public double Damping { get; init; } = 1;

    /// <summary>Pairs of shapes that touched in the last step.</summary>
    public int Touching => _activeCount;

    /// <summary>Forgets contacts and velocities, as if the world had just been built; poses stay.</summary>
    public void Clear()
    {
        foreach (var body in _bodies)
        {
            body.Rest();
        }

        foreach (var pair in _pairs)
        {
            pair.Forget();
        }

        _activeCount = 0;
        _stamp = 0;
        _previousDt = 0;
    }

    /// <summary>Advances the world by <paramref name="dt"/> seconds.</summary>
    public void Step(double dt)
    {
        _stamp++;
        for (int i = 0; i < _activeCount; i++)
        {
            _active[i].State = ContactState.Kept;
        }

        foreach (var body in _bodies)
        {
            body.Advance(dt);
        }

        foreach (var shape in _moving)
        {
            shape.Update();
        }

        FindContacts();

        double bias = 1 - Math.Pow(s_biasPerSecond, dt);
        for (int i = 0; i < _activeCount; i++)
        {
            _active[i].Prepare(dt, Slop, bias);
        }

        double damping = Math.Pow(Damping, dt);
        foreach (var body in _bodies)
        {
            body.Damp(damping);
        }

        double scale = _previousDt == 0 ? 0 : dt / _previousDt;
        _previousDt = dt;
        for (int i = 0; i < _activeCount; i++)
        {
            _active[i].ApplyRemembered(scale);
        }

        for (int sweep = 0; sweep < Iterations; sweep++)
        {
            for (int i = 0; i < _activeCount; i++)
            {
                _active[i].Solve();
            }
        }
    }

    private void FindContacts()
    {
        _activeCount = 0;
        Touch touch = default;
        foreach (var pair in _pairs)
        {
            if (pair.BoxesOverlap && Contacts.Collide(pair.First, pair.Second, ref touch))
            {
                pair.Update(touch, _stamp);
                _active[_activeCount++] = pair;
            }
            else
            {
                pair.Age(_stamp, Persistence);
            }
        }
    }
}
