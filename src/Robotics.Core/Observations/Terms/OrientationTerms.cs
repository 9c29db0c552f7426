using Robotics.Numerics;

namespace Robotics.Observations.Terms;

/// <summary>Where the world's down points, seen from the body: R^T (0, 0, -1).</summary>
internal sealed class GravityTerm(int orientation) : ITerm
{
    public IReadOnlyList<(string Name, string Unit)> Elements { get; } = [("x", ""), ("y", ""), ("z", "")];

    public void Sample(in TermInput input, Span<float> into) =>
        (into[0], into[1], into[2]) = new Rotation(input.Signals.Slice(orientation, 4)).Inverse.Rotate(0, 0, -1);

    public void Reset()
    {
    }
}

/// <summary>An orientation relative to a fixed one, or to another measured one: inverse(reference) * orientation.</summary>
internal sealed class OrientationTerm(int orientation, int? reference, Rotation? fixedReference, string layout, bool positiveW) : ITerm
{
    public IReadOnlyList<(string Name, string Unit)> Elements { get; } = layout switch
    {
        "xyzw" => [("x", ""), ("y", ""), ("z", ""), ("w", "")],
        "rotation6d" => [("r11", ""), ("r21", ""), ("r31", ""), ("r12", ""), ("r22", ""), ("r32", "")],
        "euler" => [("roll", "rad"), ("pitch", "rad"), ("yaw", "rad")],
        _ => [("w", ""), ("x", ""), ("y", ""), ("z", "")],
    };

    public void Sample(in TermInput input, Span<float> into)
    {
        var q = new Rotation(input.Signals.Slice(orientation, 4));
        if (reference is { } measured)
        {
            q = new Rotation(input.Signals.Slice(measured, 4)).Inverse * q;
        }
        else if (fixedReference is { } given)
        {
            q = given.Inverse * q;
        }

        if (positiveW && q.W < 0)
        {
            q = q.Negated;
        }

        switch (layout)
        {
            case "xyzw":
                (into[0], into[1], into[2], into[3]) = (q.X, q.Y, q.Z, q.W);
                break;
            case "rotation6d":
                (into[0], into[1], into[2]) = q.Rotate(1, 0, 0);
                (into[3], into[4], into[5]) = q.Rotate(0, 1, 0);
                break;
            case "euler":
                (into[0], into[1], into[2]) = (q.Roll, q.Pitch, q.Yaw);
                break;
            default:
                (into[0], into[1], into[2], into[3]) = (q.W, q.X, q.Y, q.Z);
                break;
        }
    }

    public void Reset()
    {
    }
}
