using Robotics.Fleet;

namespace Robotics.Tests.Fleet;

public sealed class ClockOffsetTests
{
    private const long Shift = 7_000_000_000;

    private readonly ClockOffset _offset = new();
    private long _now = 1_000_000;

    [Fact]
    public void Add_OfAnEvenExchange_IsExact()
    {
        Assert.False(_offset.Known);
        Exchange(there: 300_000, back: 300_000, answering: 50_000);
        Assert.True(_offset.Known);
        Assert.Equal((Shift, 600_000L), (_offset.OffsetNs, _offset.RoundTripNs));
    }

    [Fact]
    public void Add_OfASlowerExchange_ChangesNothingButTheRoundTrip()
    {
        Exchange(300_000, 300_000);
        Exchange(9_000_000, 300_000);
        Assert.Equal((Shift, 9_300_000L), (_offset.OffsetNs, _offset.RoundTripNs));
        Exchange(100_000, 150_000);
        Assert.Equal(Shift - 25_000, _offset.OffsetNs);
    }

    [Fact]
    public void Add_WhenAllOfTheWindowIsSlow_FollowsTheSlowPath()
    {
        Exchange(300_000, 300_000);
        for (int i = 0; i < 63; i++)
        {
            Exchange(20_000_000, 300_000);
        }

        Assert.Equal(Shift, _offset.OffsetNs);
        Exchange(20_000_000, 300_000);
        Assert.Equal(Shift + ((20_000_000 - 300_000) / 2), _offset.OffsetNs);
    }

    [Fact]
    public void Add_OfAnAnswerFromBeforeTheQuestion_IsIgnored()
    {
        _offset.Add(new(1000), new(2000), new(2000), new(900));
        Assert.False(_offset.Known);
        Exchange(300_000, 300_000);
        _offset.Add(new(1000), new(99_000), new(990_000), new(1100));
        Assert.Equal((Shift, 600_000L), (_offset.OffsetNs, _offset.RoundTripNs));
    }

    [Fact]
    public async Task MqttRobot_WithARobotInAnotherTimeZoneOfClocks_PlacesMeasurementsRight()
    {
        var hour = TimeSpan.FromHours(1);
        await using var rig = await FleetRig.Start(clock: new ShiftedClock(hour));
        var robot = await rig.Controller();
        await FleetRig.Until(() => Math.Abs((robot.Link.ClockOffset - hour).TotalMilliseconds) < 1, "the offset");

        var hand = new Hand(robot);
        await FleetRig.Until(
            () => hand.Read() == ReadStatus.Fresh && Math.Abs((hand.Seen.MeasuredAt - hand.Seen.MeasuredAtLocal - hour).TotalMilliseconds) < 1, "a placed measurement");
        Assert.InRange((hand.Seen.ReceivedAt - hand.Seen.MeasuredAtLocal).TotalMilliseconds, -1, 2000);
        Assert.True(robot.Link.RoundTrip > TimeSpan.Zero);

        // Expiry is of the robot's clock: with the offset wrong by an hour nothing would arrive in time.
        await robot.ClaimAsync(CommandMode.Native(robot.Spec), CancellationToken.None);
        hand.Move(0.1f);
        await FleetRig.Until(() => rig.Body.Sent == 1, "the command");
        Assert.Equal(0UL, rig.Server.Status.DroppedInAll);
    }

    private void Exchange(long there, long back, long answering = 0)
    {
        _offset.Add(new(_now), new(_now + there + Shift), new(_now + there + answering + Shift), new(_now + there + answering + back));
        _now += 1_000_000_000;
    }
}
