namespace Robotics.Numerics;

/// <summary>A unit quaternion (w, x, y, z) as a rotation from a body to the world. Made from a measured one: a quaternion of
/// length 0 becomes NaN, so that whoever reads it holds instead of walking on a made-up orientation.</summary>
internal readonly struct Rotation
{
    private readonly float _w;
    private readonly float _x;
    private readonly float _y;
    private readonly float _z;

    public Rotation(ReadOnlySpan<float> wxyz)
    {
        // In double: the golden vectors of other programs are met to the last float digit or two.
        double w = wxyz[0], x = wxyz[1], y = wxyz[2], z = wxyz[3];
        double length = Math.Sqrt((w * w) + (x * x) + (y * y) + (z * z));
        (_w, _x, _y, _z) = ((float)(w / length), (float)(x / length), (float)(y / length), (float)(z / length));
    }

    private Rotation(float w, float x, float y, float z) => (_w, _x, _y, _z) = (w, x, y, z);

    public float W => _w;

    public float X => _x;

    public float Y => _y;

    public float Z => _z;

    public Rotation Inverse => new(_w, -_x, -_y, -_z);

    public Rotation Negated => new(-_w, -_x, -_y, -_z);

    /// <summary>Roll about x, rad: R = Rz(yaw) Ry(pitch) Rx(roll).</summary>
    public float Roll => MathF.Atan2(2 * ((_w * _x) + (_y * _z)), 1 - (2 * ((_x * _x) + (_y * _y))));

    /// <summary>Pitch about y, rad.</summary>
    public float Pitch => 2 * ((_w * _y) - (_z * _x)) is var sine ? MathF.Asin(sine > 1 ? 1 : sine < -1 ? -1 : sine) : 0;

    /// <summary>Heading about z, rad.</summary>
    public float Yaw => MathF.Atan2(2 * ((_w * _z) + (_x * _y)), 1 - (2 * ((_y * _y) + (_z * _z))));

    /// <summary>The rotation about z alone.</summary>
    public Rotation Heading => new(MathF.Cos(Yaw / 2), 0, 0, MathF.Sin(Yaw / 2));

    public static Rotation operator *(Rotation a, Rotation b) => new(
        (a._w * b._w) - (a._x * b._x) - (a._y * b._y) - (a._z * b._z),
        (a._w * b._x) + (a._x * b._w) + (a._y * b._z) - (a._z * b._y),
        (a._w * b._y) - (a._x * b._z) + (a._y * b._w) + (a._z * b._x),
        (a._w * b._z) + (a._x * b._y) - (a._y * b._x) + (a._z * b._w));

    /// <summary>R v.</summary>
    public (float X, float Y, float Z) Rotate(float x, float y, float z)
    {
        // v + 2 w (q x v) + 2 q x (q x v)
        float cx = (_y * z) - (_z * y);
        float cy = (_z * x) - (_x * z);
        float cz = (_x * y) - (_y * x);
        return (
            x + (2 * ((_w * cx) + (_y * cz) - (_z * cy))),
            y + (2 * ((_w * cy) + (_z * cx) - (_x * cz))),
            z + (2 * ((_w * cz) + (_x * cy) - (_y * cx))));
    }
}
