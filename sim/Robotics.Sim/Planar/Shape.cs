namespace Robotics.Sim.Planar;

/// <summary>A convex outline on a body: a core of one point (circle), two (segment) or more (polygon), thickened by a radius.</summary>
public sealed class Shape
{
    private readonly Vec2[] _local;
    private readonly Vec2[] _localNormals;

    private Shape(Body body, Vec2[] core, double radius)
    {
        Body = body;
        Radius = radius;
        _local = core;
        Points = new Vec2[core.Length];
        int faces = core.Length < 2 ? 0 : core.Length;
        _localNormals = new Vec2[faces];
        Normals = new Vec2[faces];
        for (int i = 0; i < faces; i++)
        {
            // Outward for a counter-clockwise outline; a segment's two faces look opposite ways.
            _localNormals[i] = (-(core[(i + 1) % faces] - core[i]).Perp()).Normalized();
        }

        Update();
    }

    /// <summary>The body it is fixed to.</summary>
    public Body Body { get; }

    /// <summary>Thickness around the core.</summary>
    public double Radius { get; }

    /// <summary>Number of core points.</summary>
    public int Count => Points.Length;

    internal Vec2[] Points { get; }   // world
    internal Vec2[] Normals { get; }  // world; Normals[i] belongs to the face from point i to point i + 1
    internal Vec2 Low { get; private set; }
    internal Vec2 High { get; private set; }

    /// <summary>A disc about the body's origin.</summary>
    public static Shape Circle(Body body, double radius) => new(body, [default], radius);

    /// <summary>A capsule from <paramref name="a"/> to <paramref name="b"/>, in body coordinates.</summary>
    public static Shape Segment(Body body, Vec2 a, Vec2 b, double radius) => new(body, [a, b], radius);

    /// <summary>A convex polygon, counter-clockwise (positive area), in body coordinates.</summary>
    /// <exception cref="ArgumentException">Fewer than three points, or not convex and counter-clockwise.</exception>
    public static Shape Polygon(Body body, ReadOnlySpan<Vec2> outline)
    {
        bool convex = outline.Length >= 3;
        for (int i = 0; i < outline.Length && convex; i++)
        {
            Vec2 a = outline[i], b = outline[(i + 1) % outline.Length], c = outline[(i + 2) % outline.Length];
            convex = Vec2.Cross(b - a, c - b) > 0;
        }

        return convex ? new(body, outline.ToArray(), 0)
            : throw new ArgumentException("A polygon needs three or more points, convex and counter-clockwise.", nameof(outline));
    }

    /// <summary>Distance from <paramref name="point"/> to the outline; negative inside.</summary>
    public double Distance(Vec2 point) => Contacts.Separation(this, point, out _) - Radius;

    internal void Update()
    {
        var low = new Vec2(double.PositiveInfinity, double.PositiveInfinity);
        var high = -low;
        for (int i = 0; i < _local.Length; i++)
        {
            var p = Body.ToWorld(_local[i]);
            Points[i] = p;
            low = new(Math.Min(low.X, p.X), Math.Min(low.Y, p.Y));
            high = new(Math.Max(high.X, p.X), Math.Max(high.Y, p.Y));
        }

        for (int i = 0; i < _localNormals.Length; i++)
        {
            Normals[i] = _localNormals[i].Rotate(Body.Rotation);
        }

        var margin = new Vec2(Radius, Radius);
        Low = low - margin;
        High = high + margin;
    }
}
