using Robotics.Routes;

namespace Robotics.Tests.Control.Routing;

/// <summary>Every way in which a route ends in a hold, caused; and what ends it.</summary>
public sealed class RouteHoldPaths
{
    private static readonly RouteTable Around = RouteRig.Table((0.5f, 0.5f), (1, 0));
    private static readonly RouteTable Through = RouteRig.Table((1, 0)); // the post stands in between

    [Fact]
    public void Tick_WithoutARoute_HoldsRouteMissingAndSendsNothing()
    {
        using var rig = new RouteRig();
        rig.Step(30);
        Assert.Equal((ControlState.Holding, HoldReason.RouteMissing, 0, 0), (rig.Loop.State, rig.Loop.Reason, rig.Moved, rig.Policy.Plans));

        rig.Desk.Offer(Around); // and a route that passes is what ends it
        rig.Step(3);
        Assert.Equal((ControlState.Running, 0), (rig.Loop.State, rig.Loop.RouteRow));
    }

    [Fact]
    public void Tick_WhenTheRouteIsFollowedToItsEnd_HoldsRouteDone()
    {
        using var rig = new RouteRig(new ListedRoutes(Around));
        rig.Step(60);
        Assert.Equal((ControlState.Holding, HoldReason.RouteDone, 2, 2), (rig.Loop.State, rig.Loop.Reason, rig.Loop.RouteRow, rig.Loop.RouteRowsAchieved));
        Assert.InRange((rig.At - new System.Numerics.Vector2(1, 0)).Length(), 0, 0.05f);
        Assert.True(rig.Robot.Holds);

        rig.Loop.Resume(); // a person, without another route
        rig.Step(5);
        Assert.Equal((ControlState.Holding, HoldReason.RouteDone), (rig.Loop.State, rig.Loop.Reason));
        rig.Desk.Offer(RouteRig.Table((0.9f, 0.2f)));
        rig.Step(3);
        Assert.Equal(ControlState.Running, rig.Loop.State);
    }

    [Fact]
    public void Attend_WhenNoRoutePasses_AsksFourTimesThenHoldsRouteRejectedWithZeroCommands()
    {
        var planner = new ListedRoutes(Through);
        using var rig = new RouteRig(planner);
        rig.Step(60);
        Assert.Equal((ControlState.Holding, HoldReason.RouteRejected), (rig.Loop.State, rig.Loop.Reason));
        Assert.Equal((0, 0), (rig.Moved, rig.Policy.Plans));
        Assert.Equal([1, 2, 3, 4], planner.Asked.Select(asked => asked.Attempt));
        Assert.Equal(HoldReason.RouteMissing, planner.Asked[0].Reason);
        Assert.All(planner.Asked.Skip(1), asked => Assert.Equal(HoldReason.RouteRejected, asked.Reason));
        Assert.Contains("row 1 leads from (0.000, 0.000, 0.000) to (1.000, 0.000, 0.000) through 'post', which is kept out of", planner.Asked[1].Text, StringComparison.Ordinal);
    }

    [Fact]
    public void Attend_WhenTheSecondRoutePasses_FollowsIt()
    {
        var planner = new ListedRoutes(Through, Around);
        using var rig = new RouteRig(planner);
        rig.Step(3);
        Assert.Equal((ControlState.Running, 2), (rig.Loop.State, planner.Asked.Count));
    }

    [Theory]
    [InlineData(3f, 0f, "the robot reaches -2 to 2 m")]
    [InlineData(1f, 0f, "through 'post'")]
    public void Offer_OfWhatCannotBeDone_IsRefusedWithZeroCommands(float x, float y, string why)
    {
        using var rig = new RouteRig();
        rig.Desk.Offer(RouteRig.Table((x, y)));
        rig.Step(5);
        Assert.Equal((ControlState.Holding, HoldReason.RouteRejected, 0), (rig.Loop.State, rig.Loop.Reason, rig.Moved));
        Assert.Contains(why, rig.Notes[^1].Text, StringComparison.Ordinal);
    }

    [Fact]
    public void Offer_OfWhatOnlyTheRehearsalFindsOut_IsRefusedWithZeroCommands()
    {
        using var rig = new RouteRig();
        rig.Desk.Offer(new RouteTable([new("move", new(-1.5f, 0, 0), 0.05f, 0.5f)], "code", RouteRig.Route)); // 1.5 m in half a second at 1 m/s
        rig.Step(5);
        Assert.Equal((ControlState.Holding, HoldReason.RouteRejected, 0, 0), (rig.Loop.State, rig.Loop.Reason, rig.Moved, rig.Policy.Plans));
        Assert.Equal("code: row 1 would end 1.000 m from its target, tolerated are 0.05 m (route timeout, in rehearsal)", rig.Notes[^1].Text);
    }

    [Fact]
    public void Offer_OfABadRouteWhileAGoodOneIsFollowed_ChangesNothing()
    {
        using var rig = new RouteRig(new ListedRoutes(Around));
        rig.Step(5);
        rig.Desk.Offer(Through);
        rig.Step(3);
        Assert.Equal((ControlState.Running, true), (rig.Loop.State, ReferenceEquals(Around, rig.Loop.Route)));

        rig.Desk.Offer(RouteRig.Table((-1, 0)));
        rig.Step(30);
        Assert.Equal(HoldReason.RouteDone, rig.Loop.Reason);
        Assert.True(rig.At.X < -0.9f);
    }

    [Fact]
    public void Tick_WhenARowIsNotAchievedInItsTime_HoldsRouteTimeout()
    {
        var planner = new ListedRoutes(Around, null);
        using var rig = new RouteRig(planner);
        for (int i = 0; i < 100; i++)
        {
            rig.Step();
            rig.Place(0.2f, 0.2f); // somebody holds it there
        }

        Assert.Equal((ControlState.Holding, HoldReason.RouteTimeout), (rig.Loop.State, rig.Loop.Reason));
        Assert.Equal([HoldReason.RouteMissing, HoldReason.RouteTimeout], planner.Asked.Select(asked => asked.Reason));
        Assert.True(rig.Robot.Holds);
    }

    [Fact]
    public void Tick_WhenTheLastRowTimesOutAndNobodyWritesRoutes_Holds()
    {
        using var rig = new RouteRig(rehearse: false);
        rig.Desk.Offer(RouteRig.Table((-1, 0)));
        for (int i = 0; i < 100; i++)
        {
            rig.Step();
            rig.Place(0, 0);
        }

        Assert.Equal((ControlState.Holding, HoldReason.RouteTimeout), (rig.Loop.State, rig.Loop.Reason));
        rig.Step(50);
        Assert.Equal(HoldReason.RouteTimeout, rig.Loop.Reason);
    }

    [Fact]
    public void Tick_WhenKickedBehindARegion_HoldsRouteBlockedUntilAWayAroundIsWritten()
    {
        var planner = new ListedRoutes(RouteRig.Table((1, 0.5f), (1, 0)), RouteRig.Table((0.5f, -0.5f), (1, 0)));
        using var rig = new RouteRig(planner);
        rig.Step(5);
        rig.Place(0.2f, -0.5f); // from here the way to (1, 0.5) leads through the post
        rig.Step(1, attend: false);
        Assert.Equal((ControlState.Holding, HoldReason.RouteBlocked), (rig.Loop.State, rig.Loop.Reason));
        Assert.True(rig.Robot.Holds);

        rig.Step(60);
        Assert.Equal([HoldReason.RouteMissing, HoldReason.RouteBlocked], planner.Asked.Select(asked => asked.Reason));
        Assert.Equal((HoldReason.RouteDone, 2), (rig.Loop.Reason, rig.Loop.RouteRow));
    }

    [Fact]
    public void Resume_OfAnOldRoute_HoldsRouteStaleUntilItWasCheckedAgain()
    {
        using var rig = new RouteRig(new ListedRoutes(Around));
        rig.Step(18); // the first row lies behind it
        Assert.Equal(1, rig.Loop.RouteRow);
        rig.Loop.Hold();
        rig.Step(101); // 5.05 s
        rig.Loop.Resume();
        rig.Step(1, attend: false);
        Assert.Equal((ControlState.Holding, HoldReason.RouteStale), (rig.Loop.State, rig.Loop.Reason));

        rig.Step(2);
        Assert.Equal((ControlState.Running, 1), (rig.Loop.State, rig.Loop.RouteRow)); // not from the beginning
        Assert.Contains("checked again", rig.Notes[^1].Text, StringComparison.Ordinal);
    }

    [Fact]
    public void Resume_OfAnOldRouteThatCannotBeDoneAnyMore_StaysHolding()
    {
        using var rig = new RouteRig();
        rig.Desk.Offer(Around);
        rig.Step(5);
        rig.Loop.Hold();
        rig.Step(101);
        rig.Place(0.5f, -0.5f); // moved by hand behind the post
        rig.Loop.Resume();
        int moved = rig.Moved;
        rig.Step(20);
        Assert.Equal((ControlState.Holding, HoldReason.RouteStale, moved), (rig.Loop.State, rig.Loop.Reason, rig.Moved));
    }

    [Fact]
    public void Tick_WhenThePositionIsNaN_HoldsObservationNotFinite()
    {
        using var rig = new RouteRig(new ListedRoutes(Around));
        rig.Step(5);
        rig.Place(float.NaN, 0);
        rig.Step(1, attend: false);
        Assert.Equal((ControlState.Holding, HoldReason.ObservationNotFinite), (rig.Loop.State, rig.Loop.Reason));
    }

    [Fact]
    public void Attend_AfterAPersonsHold_NeverResumesByItself()
    {
        using var rig = new RouteRig(new ListedRoutes(Around));
        rig.Step(5);
        rig.Loop.Hold();
        rig.Step(2);
        rig.Desk.Offer(RouteRig.Table((-1, 0)));
        rig.Step(20);
        Assert.Equal((ControlState.Holding, HoldReason.OperatorStop), (rig.Loop.State, rig.Loop.Reason));
    }

    [Fact]
    public void Tick_WhenKickedOffTheWay_PlansAtOnceFromWhereItIs()
    {
        using var rig = new RouteRig(new ListedRoutes(RouteRig.Table((-1.5f, 0))));
        rig.Step(9);
        int plans = rig.Policy.Plans; // chunks of four ticks
        rig.Place(rig.At.X, 0.6f);
        rig.Step();
        Assert.Equal(plans + 1, rig.Policy.Plans);
        Assert.Equal(-0.6f, rig.Policy.Seen[^1][1], 1e-6f);
        Assert.Equal(ControlState.Running, rig.Loop.State);
        rig.Step(40);
        Assert.Equal(HoldReason.RouteDone, rig.Loop.Reason);
    }

    [Fact]
    public void Tick_WhileFollowing_AllocatesNothing()
    {
        using var rig = new RouteRig(rehearse: false);
        rig.Desk.Offer(RouteRig.Table((-1.9f, 0), (-1.9f, 1.9f), (-1.5f, -1.9f)));
        rig.Step(20);
        rig.Policy.Remembers = false;
        long before = rig.Loop.Snapshot().LoopAllocatedBytes;
        rig.Step(60);
        Assert.Equal(ControlState.Running, rig.Loop.State);
        Assert.Equal(before, rig.Loop.Snapshot().LoopAllocatedBytes);
    }
}
