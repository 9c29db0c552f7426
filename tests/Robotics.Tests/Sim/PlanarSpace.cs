using Robotics.Sim.Planar;

namespace Robotics.Tests.Sim;

public class PlanarSpace
{
    private static readonly Vec2[] s_square = [new(-10, -10), new(10, -10), new(10, 10), new(-10, 10)];

    [Fact]
    public void Polygon_WhenClockwise_IsRefused()
    {
        Vec2[] clockwise = [.. s_square.Reverse()];
        Assert.Throws<ArgumentException>(() => Shape.Polygon(Body.Static(), clockwise));
    }

    [Theory]
    [InlineData(30, 0, 20)]                   // beside a face
    [InlineData(13, 14, 5)]                   // beyond a corner: 3-4-5
    [InlineData(8, 0, -2)]                    // inside, nearest face counts
    [InlineData(0, -10, 0)]                   // on the outline
    public void Distance_OfPoint_IsToTheNearestOutline(double x, double y, double expected)
    {
        var shape = Shape.Polygon(Body.Static(), s_square);
        Assert.Equal(expected, shape.Distance(new(x, y)), 12);
    }

    [Fact]
    public void Angle_WhenSet_TurnsAboutTheCentreOfGravity()
    {
        var body = Body.Dynamic(1, 1, new(0, 45));
        body.Position = new(217, 292);
        body.Angle = 3.0079994677; // the published data set's first reset
        Assert.Equal(222.993827, body.Position.X, 6);
        Assert.Equal(381.599036, body.Position.Y, 6);
    }

    [Fact]
    public void Step_WhenNothingTouches_MovesWithConstantVelocity()
    {
        var body = Body.Dynamic(2, 3, default);
        var space = new Space(Shape.Polygon(body, s_square));
        body.Velocity = new(3, -4);
        body.Spin = 0.5;
        for (int i = 0; i < 100; i++)
        {
            space.Step(0.01);
        }

        Assert.Equal(3, body.Position.X, 9);
        Assert.Equal(-4, body.Position.Y, 9);
        Assert.Equal(0.5, body.Angle, 9);
    }

    [Fact]
    public void Step_WhenEqualMassesCollideHeadOn_ShareTheMomentum()
    {
        var left = Body.Dynamic(1, 100, default);
        var right = Body.Dynamic(1, 100, default);
        right.Position = new(20, 0);
        left.Velocity = new(10, 0);
        var space = new Space(Shape.Circle(left, 10), Shape.Circle(right, 10));
        for (int i = 0; i < 10; i++)
        {
            space.Step(0.01);
        }

        // No bounce: both end at half the speed (momentum 10 over mass 2).
        Assert.Equal(5, left.Velocity.X, 9);
        Assert.Equal(5, right.Velocity.X, 9);
    }

    [Fact]
    public void Step_WhenItHitsAWallFlat_StopsAtIt()
    {
        var box = Body.Dynamic(1, 100, default);
        var wall = Shape.Segment(Body.Static(), new(0, -50), new(0, 50), 2);
        box.Position = new(40, 0);
        box.Velocity = new(-100, 0);
        var space = new Space(wall, Shape.Polygon(box, s_square));
        for (int i = 0; i < 200; i++)
        {
            space.Step(0.01);
        }

        // Two contacts carry it: it neither turns nor sinks in by more than the slop of 0.1.
        Assert.InRange(box.Position.X, 12 - 0.11, 12.0);
        Assert.Equal(0, box.Angle, 6);
        Assert.Equal(0, box.Velocity.Length, 6);
    }

    [Fact]
    public void Step_WhenOverlapping_PushesApartWithoutSpeed()
    {
        var box = Body.Dynamic(1, 100, default);
        var anchor = Body.Static();
        var space = new Space(Shape.Circle(anchor, 10), Shape.Polygon(box, s_square)) { Damping = 0 };
        box.Position = new(15, 0); // 5 deep
        for (int i = 0; i < 300; i++)
        {
            space.Step(0.01);
        }

        Assert.InRange(box.Position.X, 20 - 0.11, 20.0);
        Assert.Equal(0, box.Velocity.Length, 9);
    }

    [Theory]
    [InlineData(0, 0, 400)]     // same square
    [InlineData(10, 0, 200)]    // half
    [InlineData(15, 15, 25)]    // a corner
    [InlineData(21, 0, 0)]      // apart
    public void ConvexOverlap_OfShiftedSquares_IsTheirCommonRectangle(double dx, double dy, double expected)
    {
        Vec2[] other = [.. s_square.Select(p => p + new Vec2(dx, dy))];
        Assert.Equal(expected, ConvexOverlap.Area(s_square, other), 9);
    }

    [Fact]
    public void ConvexOverlap_OfSquareAndItsDiamond_IsTheOctagon()
    {
        // Square of side 20 and the same turned by 45°: the regular octagon with inradius 10 has area 8 r² tan(π/8).
        Vec2[] diamond = [.. s_square.Select(p => p.Rotate(Vec2.FromAngle(Math.PI / 4)))];
        Assert.Equal(800 * Math.Tan(Math.PI / 8), ConvexOverlap.Area(s_square, diamond), 9);
    }
}
