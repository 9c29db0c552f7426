using System.Numerics;
using Robotics.Routes;

namespace Robotics.Tests.Core.Routes;

public sealed class RouteFollowerTests
{
    private static readonly TimeSpan Period = TimeSpan.FromMilliseconds(100);

    private static readonly RobotSpec Slider = new()
    {
        Name = "slider",
        Joints = [Axis("x"), Axis("y")],
    };

    private static readonly RouteSpec Spec = new()
    {
        Position = new() { Signal = "joint.position" },
        Verbs = ["move", "reach"],
        DeviationEnterM = 0.2f,
        DeviationExitM = 0.1f,
        ProgressTicks = 5,
        ReplanGapS = 0.3,
    };

    // East to (1, 0), then north to (1, 1).
    private static readonly RouteTable Corner = new([new("move", new(1, 0, 0), 0.1f, 10), new("reach", new(1, 1, 0), 0.1f, 2)], "code", Spec);

    [Fact]
    public void Follow_AchievesRowsOneAfterAnother()
    {
        var follower = Started(Spec, out _);
        Assert.Equal((RouteStep.Followed, 0), (follower.Follow(new(0.5f, 0, 0), 1), follower.Row));
        Assert.Equal((RouteStep.Followed, 1), (follower.Follow(new(0.95f, 0, 0), 2), follower.Row));
        Assert.Equal((RouteStep.Finished, 2), (follower.Follow(new(1, 0.95f, 0), 3), follower.Row));
        Assert.False(follower.HasRow);
    }

    [Fact]
    public void Follow_AfterAnOvershoot_SkipsNoRow()
    {
        var follower = Started(Spec, out _);
        follower.Follow(new(1, 1, 0), 1); // on the second target, past the first one at arm's length
        Assert.Equal(0, follower.Row);
    }

    [Fact]
    public void Follow_WhenKickedOffTheWay_AnchorsThereOnceUntilTheGapIsOver()
    {
        var follower = Started(Spec, out _);
        Assert.Equal(RouteStep.Followed, follower.Follow(new(0.4f, 0.19f, 0), 1));
        Assert.Equal(RouteStep.Strayed, follower.Follow(new(0.4f, 0.5f, 0), 2));
        Assert.Equal((0.5f, 0.2f), (follower.Measured, follower.Limit));

        // The way leads from (0.4, 0.5) to (1, 0) now: half way along it is no deviation.
        Assert.Equal(RouteStep.Followed, follower.Follow(new(0.7f, 0.25f, 0), 3));
        Assert.Equal(RouteStep.Followed, follower.Follow(new(0.7f, -0.5f, 0), 4)); // kicked again within 0.3 s
        Assert.Equal(RouteStep.Strayed, follower.Follow(new(0.7f, -0.5f, 0), 5));
    }

    [Fact]
    public void Follow_WhenItComesBackWithinTheGap_ForgetsTheDeviationOnlyBelowTheExit()
    {
        var follower = Started(Spec, out _);
        follower.Follow(new(0.1f, 0.5f, 0), 1);                                     // anchored at tick 1
        Assert.Equal(RouteStep.Followed, follower.Follow(new(0.1f, 0.1f, 0), 2));   // 0.27 m off: waits for the gap
        Assert.Equal(RouteStep.Followed, follower.Follow(new(0.30f, 0.26f, 0), 3)); // 0.12 m off: still a deviation
        Assert.Equal(RouteStep.Strayed, follower.Follow(new(0.35f, 0.24f, 0), 4));  // 0.10 m and a bit
        follower.Follow(new(0.4f, -0.1f, 0), 5);                                    // 0.3 m off the new way
        Assert.Equal(RouteStep.Followed, follower.Follow(new(0.6f, 0.147f, 0), 6)); // back on it
        Assert.Equal(RouteStep.Followed, follower.Follow(new(0.65f, 0.13f, 0), 7));
    }

    [Fact]
    public void Follow_WithoutProgress_AnchorsEveryTimePatienceIsOverAndTimesOutAtLast()
    {
        var follower = Started(Spec, out var at);
        RouteStep[] steps = [.. Enumerable.Range(1, 100).Select(tick => follower.Follow(at, tick))];
        Assert.Equal([6, 12, 18], Enumerable.Range(1, 100).Where(tick => steps[tick - 1] == RouteStep.Stalled).Take(3));
        Assert.Equal(RouteStep.TimedOut, steps[^1]); // 10 s, whatever was anchored in between
        Assert.Equal((10f, 10f), (follower.Measured, follower.Limit));
    }

    [Fact]
    public void Follow_WhenTheWayFromHereIsBlocked_SaysSo()
    {
        var spec = Spec with { KeepOut = [new() { Name = "post", LowerM = [0.6f, 0.2f, -1], UpperM = [0.7f, 0.6f, 1] }] };
        var follower = Started(spec, out _);
        Assert.Equal(RouteStep.Followed, follower.Follow(new(0.5f, 0.1f, 0), 1));
        Assert.Equal(RouteStep.Blocked, follower.Follow(new(0.5f, 0.6f, 0), 2)); // from there to (1, 0) the post is in between
    }

    [Fact]
    public void Follow_InsideARegion_IsBlocked()
    {
        var spec = Spec with { KeepOut = [new() { Name = "post", LowerM = [0.3f, 0.05f, -1], UpperM = [0.7f, 0.6f, 1] }] };
        Assert.Equal(RouteStep.Blocked, Started(spec, out _).Follow(new(0.5f, 0.1f, 0), 1));
    }

    [Fact]
    public void Start_AfterAHold_GoesOnWithTheFirstRowNotYetAchieved()
    {
        var follower = Started(Spec, out _);
        follower.Follow(new(0.95f, 0, 0), 1);
        Assert.Equal(RouteStep.Followed, follower.Start(new(0.2f, 0.2f, 0), 500));
        follower.Take(Corner, 1); // checked again
        Assert.Equal((RouteStep.Followed, 1), (follower.Follow(new(0.2f, 0.2f, 0), 501), follower.Row)); // and its time begins anew
    }

    [Fact]
    public void Observe_GivesBothTargetsFromHereAndTheVerb()
    {
        var follower = Started(Spec, out _);
        float[] seen = new float[8];
        follower.Observe(new(0.25f, 0, 0), seen);
        Assert.Equal([0.75f, 0, 0, 0.75f, 1, 0, 1, 0], seen);
        follower.Follow(new(0.95f, 0, 0), 1);
        follower.Observe(new(1, 0.5f, 0), seen);
        Assert.Equal([0, 0.5f, 0, 0, 0.5f, 0, 0, 1], seen); // the last row is followed by itself
    }

    [Fact]
    public void Follow_WhenBlind_SaysSo()
    {
        var follower = Started(Spec, out _);
        Assert.Equal(RouteStep.Blind, follower.Follow(new(float.NaN, 0, 0), 1));
        Assert.Equal(RouteStep.Blind, follower.Start(new(0, float.PositiveInfinity, 0), 2));
    }

    [Fact]
    public void Follow_AllocatesNothing()
    {
        var follower = Started(Spec, out var at);
        float[] seen = new float[8];
        int tick = 0;
        Assert.Equal(0, Allocated.ByThisThread(() =>
        {
            for (int i = 0; i < 50; i++)
            {
                follower.Follow(at + new Vector3(0, 0.01f * i, 0), ++tick);
                follower.Observe(at, seen);
            }
        }));
    }

    [Theory]
    [InlineData(1.2f, 0, "row 1 target_m[0] is 1.2, the robot reaches -1 to 1 m")]
    [InlineData(0, 0.1f, "row 1 target_m[2] is 0.1, the robot reaches 0 to 0 m")] // the robot has no z
    public void Problems_SayWhatIsOutOfReach(float x, float z, string expected)
    {
        var table = new RouteTable([new("move", new(x, 0, z), 0.1f, 1)], "code", Spec);
        Assert.Equal([expected], new RouteGround(Spec, Slider).Problems(table, 0, default));
    }

    [Fact]
    public void Problems_SayWhichWayLeadsThroughWhichRegion()
    {
        var ground = new RouteGround(Spec with { KeepOut = [new() { Name = "post", LowerM = [0.9f, 0.4f, -1], UpperM = [1.1f, 0.6f, 1] }] }, Slider);
        Assert.Equal(["row 2 leads from (1.000, 0.000, 0.000) to (1.000, 1.000, 0.000) through 'post', which is kept out of"], ground.Problems(Corner, 0, default));
        Assert.Empty(ground.Problems(Corner.From(1, Spec), 0, new(-1, 1, 0)));
        Assert.Equal(["the robot does not know where it is: its position is not finite"], ground.Problems(Corner, 0, new(float.NaN, 0, 0)));
    }

    [Fact]
    public void Ground_WhenTheSignalDoesNotFit_SaysBothSides()
    {
        Assert.Contains("is 'base.position', robot 'slider' (code) has: joint.position", Wrong(Spec with { Position = new() { Signal = "base.position" } }), StringComparison.Ordinal);
        Assert.Contains("names element 2, 'joint.position' of robot 'slider' (code) has 2", Wrong(Spec with { Position = new() { Signal = "joint.position", Select = [0, 2] } }), StringComparison.Ordinal);
        Assert.Contains("which is not in m", Wrong(Spec, Slider with { Joints = [Axis("x") with { Kind = JointKind.Revolute }] }), StringComparison.Ordinal);

        static string Wrong(RouteSpec spec, RobotSpec? robot = null) => Assert.Throws<ConfigException>(() => new RouteGround(spec, robot ?? Slider)).Message;
    }

    private static JointSpec Axis(string name) => new() { Name = name, Kind = JointKind.Prismatic, Lower = -1, Upper = 1, MaxSpeed = 1 };

    private static RouteFollower Started(RouteSpec spec, out Vector3 at)
    {
        var follower = new RouteFollower(spec, new RouteGround(spec, Slider), Period);
        follower.Take(Corner, 1);
        at = Vector3.Zero;
        Assert.Equal(RouteStep.Followed, follower.Start(at, 0));
        return follower;
    }
}
