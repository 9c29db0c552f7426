namespace Robotics.Sim.Planar;

/// <summary>The area that two convex polygons share.</summary>
public static class ConvexOverlap
{
    private const int MaxCorners = 32;

    /// <summary>Area of the intersection; 0 when apart. Allocation-free.</summary>
    /// <remarks>Sutherland and Hodgman 1974: the subject is cut by one edge of the clip polygon after another.</remarks>
    /// <param name="subject">Counter-clockwise (positive area), convex.</param>
    /// <param name="clip">Counter-clockwise (positive area), convex.</param>
    /// <exception cref="ArgumentException">More than 32 corners together.</exception>
    public static double Area(ReadOnlySpan<Vec2> subject, ReadOnlySpan<Vec2> clip)
    {
        if (subject.Length + clip.Length > MaxCorners)
        {
            throw new ArgumentException($"{subject.Length} + {clip.Length} corners, expected at most {MaxCorners} together.", nameof(subject));
        }

        // Each cut adds at most one corner to a convex polygon.
        Span<Vec2> kept = stackalloc Vec2[MaxCorners];
        Span<Vec2> next = stackalloc Vec2[MaxCorners];
        subject.CopyTo(kept);
        int count = subject.Length;
        for (int e = 0; e < clip.Length && count > 0; e++)
        {
            var start = clip[e];
            var along = clip[(e + 1) % clip.Length] - start;
            int made = 0;
            for (int i = 0; i < count; i++)
            {
                Vec2 a = kept[i], b = kept[(i + 1) % count];
                double sideA = Vec2.Cross(along, a - start);
                double sideB = Vec2.Cross(along, b - start);
                if (sideA >= 0)
                {
                    next[made++] = a;
                }

                if (sideA >= 0 != sideB >= 0)
                {
                    next[made++] = Vec2.Lerp(a, b, sideA / (sideA - sideB));
                }
            }

            var swap = kept;
            kept = next;
            next = swap;
            count = made;
        }

        double twice = 0;
        for (int i = 0; i < count; i++)
        {
            twice += Vec2.Cross(kept[i] - kept[0], kept[(i + 1) % count] - kept[0]);
        }

        return twice / 2;
    }
}
