namespace Robotics.Sim.Planar;

/// <summary>A point or direction in the plane.</summary>
/// <param name="X">First coordinate.</param>
/// <param name="Y">Second coordinate.</param>
public readonly record struct Vec2(double X, double Y)
{
    /// <summary>Length.</summary>
    public double Length => Math.Sqrt(LengthSquared);

    /// <summary>Squared length.</summary>
    public double LengthSquared => (X * X) + (Y * Y);

    /// <summary>Turned by +90°.</summary>
    public Vec2 Perp() => new(-Y, X);

    /// <summary>Length 1 in the same direction; zero stays zero.</summary>
    public Vec2 Normalized() => this * (1.0 / (Length + double.Epsilon));

    /// <summary>Unit vector at <paramref name="angle"/> rad from the X axis.</summary>
    public static Vec2 FromAngle(double angle) => new(Math.Cos(angle), Math.Sin(angle));

    /// <summary>Sum.</summary>
    public static Vec2 operator +(Vec2 a, Vec2 b) => new(a.X + b.X, a.Y + b.Y);

    /// <summary>Difference.</summary>
    public static Vec2 operator -(Vec2 a, Vec2 b) => new(a.X - b.X, a.Y - b.Y);

    /// <summary>Opposite.</summary>
    public static Vec2 operator -(Vec2 a) => new(-a.X, -a.Y);

    /// <summary>Scaled.</summary>
    public static Vec2 operator *(Vec2 a, double s) => new(a.X * s, a.Y * s);

    /// <summary>Scalar product.</summary>
    public static double Dot(Vec2 a, Vec2 b) => (a.X * b.X) + (a.Y * b.Y);

    /// <summary>Third component of the vector product.</summary>
    public static double Cross(Vec2 a, Vec2 b) => (a.X * b.Y) - (a.Y * b.X);

    /// <summary>From <paramref name="a"/> (t = 0) to <paramref name="b"/> (t = 1).</summary>
    public static Vec2 Lerp(Vec2 a, Vec2 b, double t) => (a * (1 - t)) + (b * t);

    /// <summary>Turned by the rotation whose cosine and sine are <paramref name="rotation"/>.</summary>
    public Vec2 Rotate(Vec2 rotation) => new((X * rotation.X) - (Y * rotation.Y), (X * rotation.Y) + (Y * rotation.X));
}
