namespace Robotics.Sim.Planar;

/// <summary>Where two outlines touch: at most two pairs of points, one on each outline.</summary>
internal struct Touch
{
    internal Vec2 Normal;            // unit, from the first shape to the second
    internal int Count;
    internal Vec2 OnFirst0, OnSecond0, OnFirst1, OnSecond1;
    internal int Key0, Key1;         // the edge ends that made the point: recognises it in the next step

    internal void Add(Vec2 onFirst, Vec2 onSecond, int key)
    {
        if (Count++ == 0)
        {
            (OnFirst0, OnSecond0, Key0) = (onFirst, onSecond, key);
        }
        else
        {
            (OnFirst1, OnSecond1, Key1) = (onFirst, onSecond, key);
        }
    }
}

/// <summary>Closest features and contact points of convex outlines.</summary>
/// <remarks>
/// Contact points follow Chipmunk 7 (slembcke/Chipmunk2D, src/cpCollision.c, <c>CircleToPoly</c> and <c>ContactPoints</c>):
/// the two edges that face each other along the normal are projected onto one another. Chipmunk finds the normal with GJK and
/// EPA; the outlines here have a handful of corners, so every face and corner is simply tried, with the same result.
/// </remarks>
internal static class Contacts
{
    /// <summary>Finds where <paramref name="a"/> touches <paramref name="b"/>; <paramref name="a"/> has the fewer corners.</summary>
    internal static bool Collide(Shape a, Shape b, ref Touch touch)
    {
        touch.Count = 0;
        double reach = a.Radius + b.Radius;
        if (a.Count == 1)
        {
            double separation = Separation(b, a.Points[0], out var outward);
            if (separation > reach)
            {
                return false;
            }

            touch.Normal = -outward;
            touch.Add(a.Points[0] + (touch.Normal * a.Radius), a.Points[0] + (touch.Normal * (separation - b.Radius)), 0);
            return true;
        }

        if (Separation(a, b, out touch.Normal) > reach)
        {
            return false;
        }

        ProjectEdges(Facing(a, touch.Normal), Facing(b, -touch.Normal), ref touch);
        return touch.Count > 0;
    }

    /// <summary>Distance from the core of <paramref name="shape"/> to a point, negative inside; the direction out to it.</summary>
    internal static double Separation(Shape shape, Vec2 point, out Vec2 outward)
    {
        var points = shape.Points;
        if (points.Length == 1)
        {
            var delta = point - points[0];
            double distance = delta.Length;
            outward = distance > 0 ? delta * (1 / distance) : new Vec2(1, 0);
            return distance;
        }

        // The face the point is furthest outside of holds the closest point, or ends in it.
        int face = 0;
        double best = double.NegativeInfinity;
        for (int i = 0; i < points.Length; i++)
        {
            double d = Vec2.Dot(shape.Normals[i], point - points[i]);
            if (d > best)
            {
                (best, face) = (d, i);
            }
        }

        outward = shape.Normals[face];
        if (best <= 0 && points.Length > 2)
        {
            return best;
        }

        Vec2 a = points[face], b = points[(face + 1) % points.Length];
        double t = Vec2.Dot(point - a, b - a);
        if (t > 0 && t < (b - a).LengthSquared)
        {
            return best;
        }

        var corner = point - (t <= 0 ? a : b);
        double length = corner.Length;
        if (length > 0)
        {
            outward = corner * (1 / length);
        }

        return length;
    }

    /// <summary>Distance between two cores with faces, negative when they overlap; the direction from the first to the second.</summary>
    private static double Separation(Shape a, Shape b, out Vec2 normal)
    {
        normal = default;
        double best = double.NegativeInfinity;
        for (int pass = 0; pass < 2; pass++)
        {
            var (faces, other) = pass == 0 ? (a, b) : (b, a);
            for (int i = 0; i < faces.Points.Length; i++)
            {
                double nearest = double.PositiveInfinity;
                foreach (var p in other.Points)
                {
                    nearest = Math.Min(nearest, Vec2.Dot(faces.Normals[i], p - faces.Points[i]));
                }

                if (nearest > best)
                {
                    best = nearest;
                    normal = pass == 0 ? faces.Normals[i] : -faces.Normals[i];
                }
            }
        }

        if (best <= 0)
        {
            return best;
        }

        // Apart: the closest pair is a corner of one and a face (or corner) of the other.
        best = double.PositiveInfinity;
        for (int pass = 0; pass < 2; pass++)
        {
            var (outline, corners) = pass == 0 ? (a, b) : (b, a);
            foreach (var p in corners.Points)
            {
                double d = Separation(outline, p, out var outward);
                if (d < best)
                {
                    best = d;
                    normal = pass == 0 ? outward : -outward;
                }
            }
        }

        return best;
    }

    private readonly record struct Edge(Vec2 A, Vec2 B, int KeyA, int KeyB, double Radius);

    /// <summary>The edge of <paramref name="shape"/> that looks most along <paramref name="n"/>.</summary>
    private static Edge Facing(Shape shape, Vec2 n)
    {
        int count = shape.Points.Length;
        int face = 0;
        for (int i = 1; i < count; i++)
        {
            face = Vec2.Dot(shape.Normals[i], n) > Vec2.Dot(shape.Normals[face], n) ? i : face;
        }

        int next = (face + 1) % count;
        return new(shape.Points[face], shape.Points[next], face, next, shape.Radius);
    }

    private static void ProjectEdges(in Edge first, in Edge second, ref Touch touch)
    {
        var n = touch.Normal;

        // Positions of the four ends along the touching line; the outlines run opposite ways, so a meets b.
        double firstA = Vec2.Cross(first.A, n);
        double firstB = Vec2.Cross(first.B, n);
        double secondA = Vec2.Cross(second.A, n);
        double secondB = Vec2.Cross(second.B, n);
        double firstScale = 1 / (firstB - firstA + double.Epsilon);
        double secondScale = 1 / (secondB - secondA + double.Epsilon);
        Meet(first, (secondB - firstA) * firstScale, second, (firstA - secondA) * secondScale, (first.KeyA << 8) | second.KeyB, ref touch);
        Meet(first, (secondA - firstA) * firstScale, second, (firstB - secondA) * secondScale, (first.KeyB << 8) | second.KeyA, ref touch);
    }

    private static void Meet(in Edge first, double t1, in Edge second, double t2, int key, ref Touch touch)
    {
        var p1 = (touch.Normal * first.Radius) + Vec2.Lerp(first.A, first.B, Math.Clamp(t1, 0, 1));
        var p2 = (touch.Normal * -second.Radius) + Vec2.Lerp(second.A, second.B, Math.Clamp(t2, 0, 1));
        if (Vec2.Dot(p2 - p1, touch.Normal) <= 0)
        {
            touch.Add(p1, p2, key);
        }
    }
}
