using Robotics.Fleet;
using Robotics.Numerics;
using Robotics.Tests.Control;

namespace Robotics.Tests.Fleet;

public sealed class CommandIntakeTests : IDisposable
{
    private static readonly TimeSpan Period = TimeSpan.FromMilliseconds(20);

    private readonly HeldClock _clock = new();
    private readonly BodyRobot _robot;
    private readonly Observation _observation;
    private readonly CommandIntake _intake;
    private readonly List<RobotEvent> _events = [];
    private string? _trouble;

    public CommandIntakeTests()
    {
        _robot = new BodyRobot(_clock);
        _observation = new Observation(_robot.Spec.Layout.Length);
        _intake = new CommandIntake(_robot, new() { ClearEmergencyStop = () => _robot.Stopped = false, Trouble = () => _trouble }, _clock) { Raised = _events.Add };
        Measure();
    }

    public void Dispose() => _robot.Dispose();

    [Fact]
    public async Task Take_OfAGoodCommand_MovesTheRobot()
    {
        uint epoch = await Claim();

        Assert.Equal(RobotMode.Holding, Measure().Mode);
        Assert.Equal(CommandDrop.None, _intake.Take(Frame(epoch, 1)));

        Assert.Equal([0.1f, 0.1f], _robot.Position);
        Assert.Equal(TimeSpan.FromMilliseconds(100), _robot.Stamp.ValidFor);
        var state = Measure();
        Assert.Equal((RobotMode.Active, HoldReason.None, epoch, 1UL), (state.Mode, state.Reason, state.Epoch, state.AppliedCommand));
        Assert.Equal(1UL, _intake.Status().Accepted);
    }

    [Fact]
    public async Task Take_WithoutALeaseOrOfAnotherOne_IsDropped()
    {
        Assert.Equal(CommandDrop.NoLease, _intake.Take(Frame(0, 1)));
        uint epoch = await Claim();
        Assert.Equal(CommandDrop.WrongEpoch, _intake.Take(Frame(epoch - 1, 1)));
        uint next = await Claim();
        Assert.Equal(CommandDrop.WrongEpoch, _intake.Take(Frame(epoch, 2)));

        Assert.Equal(epoch + 1, next);
        Assert.Equal(0, _robot.Sent);
    }

    [Fact]
    public async Task Take_OfADuplicateOrAnOlderOne_IsDropped()
    {
        uint epoch = await Claim();
        _intake.Take(Frame(epoch, 5));

        Assert.Equal(CommandDrop.Sequence, _intake.Take(Frame(epoch, 5, 0.5f)));
        Assert.Equal(CommandDrop.Sequence, _intake.Take(Frame(epoch, 4, 0.5f)));
        Assert.Equal(CommandDrop.Sequence, _intake.Take(Frame(epoch, 0, 0.5f)));
        Assert.Equal(1, _robot.Sent);
        Assert.Equal(3UL, _intake.Status().DroppedFor(CommandDrop.Sequence));
    }

    [Fact]
    public async Task Take_OfALateOne_IsDropped()
    {
        uint epoch = await Claim();
        var now = _clock.Instant;
        byte[] expiring = Frame(epoch, 1, expires: now + TimeSpan.FromMilliseconds(30));
        byte[] old = Frame(epoch, 2, observed: now - TimeSpan.FromSeconds(11));
        byte[] ahead = Frame(epoch, 3, observed: now + TimeSpan.FromSeconds(2));
        byte[] absurd = Frame(epoch, 4, observed: new(long.MinValue));
        _clock.Advance(TimeSpan.FromMilliseconds(31));

        foreach (byte[] frame in new[] { expiring, old, ahead, absurd })
        {
            Assert.Equal(CommandDrop.Expired, _intake.Take(frame));
        }

        Assert.Equal(0, _robot.Sent);
        Assert.Equal(CommandDrop.Sequence, _intake.Take(expiring));
    }

    [Fact]
    public async Task Take_OfARetainedOrNotFiniteOne_IsDropped()
    {
        uint epoch = await Claim();

        Assert.Equal(CommandDrop.Retained, _intake.Take(Frame(epoch, 1), retained: true));
        Assert.Equal(CommandDrop.NotFinite, _intake.Take(Frame(epoch, 2, float.NaN)));
        Assert.Equal(CommandDrop.NotFinite, _intake.Take(Frame(epoch, 3, float.PositiveInfinity)));
        Assert.Equal(0, _robot.Sent);
    }

    [Fact]
    public async Task Take_OfMutatedBytes_NeverMovesTheRobot()
    {
        uint epoch = await Claim();
        byte[] good = Frame(epoch, 1, 0.9f);
        var random = new SeededRandom(7);
        for (int i = 0; i < 100_000; i++)
        {
            Assert.NotEqual(CommandDrop.None, _intake.Take(Mutation.Of(good, random)));
        }

        Assert.Equal([0f, 0f], _robot.Position);
        Assert.Equal(0, _robot.Sent);
        var status = _intake.Status();
        Assert.Equal(100_000UL, status.DroppedInAll);
        Assert.Equal(100_000UL, status.DroppedFor(CommandDrop.Length) + status.DroppedFor(CommandDrop.Checksum) + status.DroppedFor(CommandDrop.Foreign));
        Assert.Equal(CommandDrop.None, _intake.Take(good));
    }

    [Fact]
    public async Task Take_WhenTheGateIsBlind_HoldsUntilResumed()
    {
        uint epoch = await Claim();
        _intake.Take(Frame(epoch, 1));
        _robot.Position[0] = 1.5f;
        Measure();

        Assert.Equal(CommandDrop.Gate, _intake.Take(Frame(epoch, 2)));
        Assert.True(_robot.HoldsNow);
        Assert.Equal((RobotMode.Holding, HoldReason.LimitViolation), ModeNow());
        Assert.Equal(HoldReason.LimitViolation, _events[^1].Reason);
        _robot.Position[0] = 0;
        Measure();
        Assert.Equal(CommandDrop.NotArmed, _intake.Take(Frame(epoch, 3)));
        Assert.True(Ask("resume", epoch: epoch).Ok);
        Assert.Equal(CommandDrop.None, _intake.Take(Frame(epoch, 4)));
    }

    [Fact]
    public async Task Take_OfATooLongReach_IsLimitedByTheRobotSidesGate()
    {
        uint epoch = await Claim(periodMs: 1);

        Assert.Equal(CommandDrop.None, _intake.Take(Frame(epoch, 1, 0.9f)));
        Assert.Equal(0.1f, _robot.Position[0], 1e-5f); // 100 rad/s for 1 ms
        _clock.Advance(TimeSpan.FromMilliseconds(90));
        Measure();
        Assert.Equal(CommandDrop.None, _intake.Take(Frame(epoch, 2, 0.9f)));
        Assert.Equal(0.3f, _robot.Position[0], 1e-5f); // a gap saves up 2 periods at most
    }

    [Fact]
    public async Task Check_WithoutAFreshCommand_HoldsUntilResumed()
    {
        uint epoch = await Claim();
        _intake.Take(Frame(epoch, 1));
        _clock.Advance(TimeSpan.FromMilliseconds(100));
        _intake.Check();
        Assert.False(_robot.HoldsNow);

        _clock.Advance(TimeSpan.FromMilliseconds(1));
        _intake.Check();

        Assert.True(_robot.HoldsNow);
        Assert.Equal((RobotMode.Holding, HoldReason.CommandExpired), ModeNow());
        Assert.Equal(HoldReason.CommandExpired, _events[^1].Reason);
        Assert.Equal(CommandDrop.NotArmed, _intake.Take(Frame(epoch, 2)));
        Assert.True(_robot.HoldsNow);
        Assert.False(Ask("resume", "other", epoch).Ok);
        Assert.False(Ask("resume", epoch: epoch + 1).Ok);
        Assert.Equal(CommandDrop.NotArmed, _intake.Take(Frame(epoch, 3)));
        Assert.True(Ask("resume", epoch: epoch).Ok);
        Assert.Equal(CommandDrop.Sequence, _intake.Take(Frame(epoch, 3)));
        Assert.Equal(CommandDrop.None, _intake.Take(Frame(epoch, 4)));
        Assert.Equal(1UL, _intake.Status().DeadManHolds);
    }

    [Fact]
    public async Task Take_AfterTheDeadManRanOutUnseen_IsDropped()
    {
        uint epoch = await Claim();
        _intake.Take(Frame(epoch, 1));
        _clock.Advance(TimeSpan.FromMilliseconds(150));

        Assert.Equal(CommandDrop.NotArmed, _intake.Take(Frame(epoch, 2, observed: _clock.Instant)));
        Assert.True(_robot.HoldsNow);
    }

    [Fact]
    public async Task Take_OfALongValidity_IsCutToTheOption()
    {
        uint epoch = await Claim();
        _intake.Take(Frame(epoch, 1, validForUs: uint.MaxValue));
        Assert.Equal(TimeSpan.FromSeconds(1), _robot.Stamp.ValidFor);
    }

    [Fact]
    public async Task Take_OfAHold_HoldsAndGoesOnWithTheNext()
    {
        uint epoch = await Claim();
        _intake.Take(Frame(epoch, 1));

        Assert.Equal(CommandDrop.None, _intake.Take(Frame(epoch, 2, hold: true)));
        Assert.True(_robot.HoldsNow);
        Assert.Equal((RobotMode.Holding, HoldReason.None), ModeNow());
        _clock.Advance(TimeSpan.FromMilliseconds(500));
        _intake.Check();
        Measure();
        Assert.Equal(CommandDrop.None, _intake.Take(Frame(epoch, 3)));
        Assert.False(_robot.HoldsNow);
    }

    [Fact]
    public async Task Check_WhenTheLeaseRanOut_HoldsForLeaseLost()
    {
        uint epoch = await Claim(leaseMs: 300);
        _clock.Advance(TimeSpan.FromMilliseconds(250));
        Assert.True(Ask("renew", epoch: epoch).Ok);
        _clock.Advance(TimeSpan.FromMilliseconds(250));
        Measure();
        Assert.Equal(CommandDrop.None, _intake.Take(Frame(epoch, 1)));
        _clock.Advance(TimeSpan.FromMilliseconds(299));
        Assert.False(_intake.Check());
        _clock.Advance(TimeSpan.FromMilliseconds(2));

        Assert.True(_intake.Check());

        Assert.True(_robot.HoldsNow);
        Assert.Equal((RobotMode.Holding, HoldReason.LeaseLost), ModeNow());
        Assert.Equal(0u, Measure().Epoch);
        Assert.Equal(CommandDrop.NoLease, _intake.Take(Frame(epoch, 2)));
        Assert.False(Ask("renew", epoch: epoch).Ok);
        await _intake.GiveBack(CancellationToken.None);
        Assert.Equal(1, _robot.Releases);
    }

    [Fact]
    public async Task Claim_WhileAnotherHoldsIt_NamesHolderAndTime()
    {
        uint epoch = await Claim("first", leaseMs: 2000);
        _clock.Advance(TimeSpan.FromMilliseconds(500));

        var refused = await Take("claim", "second");

        Assert.False(refused.Ok);
        Assert.Equal(epoch, refused.Epoch);
        Assert.Contains("'first'", refused.Text, StringComparison.Ordinal);
        Assert.Contains("1.5 s", refused.Text, StringComparison.Ordinal);
        Assert.False((await Take("release", "second", epoch)).Ok);
        Assert.True((await Take("release", "first", epoch)).Ok);
        Assert.Equal(epoch + 1, (await Take("claim", "second")).Epoch);
        Assert.Equal((2, 1), (_robot.Claims, _robot.Releases));
    }

    [Fact]
    public async Task Claim_AfterTheLeaseRanOutUnseen_IsGranted()
    {
        uint epoch = await Claim("first", leaseMs: 100);
        _clock.Advance(TimeSpan.FromMilliseconds(101));
        Assert.Equal(epoch + 1, await Claim("second"));
        Assert.False(_intake.Check());
        await _intake.GiveBack(CancellationToken.None); // late news of the old lease
        Assert.Equal((2, 1), (_robot.Claims, _robot.Releases));
    }

    [Theory]
    [InlineData(RobotMode.Fault)]
    [InlineData(RobotMode.EmergencyStop)]
    public async Task Claim_OfABrokenRobot_IsRefused(RobotMode mode)
    {
        _robot.Reports = mode;
        Measure();
        Assert.False((await Take("claim")).Ok);
        Assert.Equal(0, _robot.Claims);
    }

    [Theory]
    [InlineData(RobotMode.Fault, HoldReason.RobotFault)]
    [InlineData(RobotMode.EmergencyStop, HoldReason.EmergencyStop)]
    public async Task Observe_OfARobotThatBreaks_Holds(RobotMode mode, HoldReason reason)
    {
        uint epoch = await Claim();
        _intake.Take(Frame(epoch, 1));
        _robot.Reports = mode;

        var state = Measure();

        Assert.Equal((mode, reason), (state.Mode, state.Reason));
        Assert.True(_robot.HoldsNow);
        Assert.Equal(CommandDrop.NotArmed, _intake.Take(Frame(epoch, 2)));
        _robot.Reports = null;
        Measure();
        Assert.Equal(CommandDrop.NotArmed, _intake.Take(Frame(epoch, 3)));
    }

    [Fact]
    public async Task Observe_OfARobotThatSaysWhatIsWrong_PassesItOn()
    {
        uint epoch = await Claim();
        _intake.Take(Frame(epoch, 1));
        _robot.Reports = RobotMode.Fault;
        _trouble = "servo 3 'elbow_flex' reports overload";

        Measure();

        Assert.Equal("the robot itself reports it: servo 3 'elbow_flex' reports overload", _events[^1].Text);
        var refusal = await Take("claim");
        Assert.False(refusal.Ok);
        Assert.Contains(": servo 3 'elbow_flex' reports overload)", refusal.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Claim_ThatTheRobotRefuses_SaysWhy()
    {
        _robot.Refuses = new RobotRefusedException("the drive is cold");
        Assert.Equal("the drive is cold", (await Take("claim")).Text);
        _robot.Refuses = new IOException("the cable fell out");
        Assert.Equal("the cable fell out", (await Take("claim")).Text);
        Assert.Equal(CommandDrop.NoLease, _intake.Take(Frame(1, 1)));
    }

    [Fact]
    public async Task Claim_WithNonsense_IsRefused()
    {
        ControlRequest good = new() { Do = "claim", Id = "1", Client = "me" };
        ControlRequest[] wrong =
        [
            good with { LeaseMs = 99 }, good with { LeaseMs = 60_001 }, good with { LeaseMs = int.MinValue },
            good with { PeriodMs = 0 }, good with { PeriodMs = double.NaN }, good with { PeriodMs = 1001 },
            good with { Kinds = [TargetKind.Position] }, good with { Kinds = [TargetKind.Velocity, TargetKind.Position] },
            good with { Kinds = [(TargetKind)9, (TargetKind)9] }, good with { Servo = new(null!, [1, 1], [1, 1]) },
            good with { Servo = new([float.NaN, 1], [1, 1], [1, 1]) }, good with { Servo = new([1], [1], [1]) },
        ];
        foreach (var request in wrong)
        {
            var reply = await _intake.TakeOver(request, CancellationToken.None);
            Assert.False(reply.Ok);
            Assert.NotEmpty(reply.Text);
        }

        Assert.Equal(0, _robot.Claims);
    }

    [Fact]
    public async Task Hold_OutlivesTheLeaseUntilResumed()
    {
        uint epoch = await Claim();
        _intake.Take(Frame(epoch, 1));

        Assert.True(Ask("hold", "bystander").Ok);

        Assert.True(_robot.HoldsNow);
        Assert.Equal((RobotMode.Holding, HoldReason.OperatorStop), ModeNow());
        Assert.Equal(CommandDrop.NotArmed, _intake.Take(Frame(epoch, 2)));
        uint next = await Claim();
        Assert.Equal(CommandDrop.NotArmed, _intake.Take(Frame(next, 1)));
        Assert.Equal((RobotMode.Holding, HoldReason.OperatorStop), ModeNow());
        Assert.True(Ask("resume", epoch: next).Ok);
        Assert.Equal(CommandDrop.None, _intake.Take(Frame(next, 2)));
    }

    [Fact]
    public async Task EmergencyStop_IsLatchedUntilCleared()
    {
        uint epoch = await Claim();
        _intake.Take(Frame(epoch, 1));

        Assert.True(Ask("estop", "bystander").Ok);

        Assert.True(_robot.Stopped);
        Assert.True(_robot.HoldsNow);
        Assert.Equal((RobotMode.EmergencyStop, HoldReason.EmergencyStop), ModeNow());
        Assert.Equal(CommandDrop.NotArmed, _intake.Take(Frame(epoch, 2)));
        Assert.False(Ask("resume", epoch: epoch).Ok);
        Assert.False((await Take("claim")).Ok);

        Assert.True(Ask("clear", "bystander").Ok);

        Assert.False(_robot.Stopped);
        Assert.Equal((RobotMode.Holding, HoldReason.EmergencyStop), (Measure().Mode, _intake.Status().Reason));
        Assert.Equal(CommandDrop.NotArmed, _intake.Take(Frame(epoch, 3)));
        Assert.True(Ask("resume", epoch: epoch).Ok);
        Assert.Equal(CommandDrop.None, _intake.Take(Frame(epoch, 4)));
    }

    [Fact]
    public async Task Take_WithoutAMeasurement_Holds()
    {
        uint epoch = await Claim();
        _intake.Take(Frame(epoch, 1));
        _clock.Advance(TimeSpan.FromMilliseconds(90));
        _intake.Take(Frame(epoch, 2, validForUs: 1_000_000));
        _clock.Advance(TimeSpan.FromMilliseconds(911));

        _intake.Check();

        Assert.True(_robot.HoldsNow);
        Assert.Equal(HoldReason.RobotMissing, _intake.Status().Reason);
    }

    [Fact]
    public async Task Observe_AfterANewClaim_DoesNotReportTheOldLeasesCommand()
    {
        uint epoch = await Claim();
        _clock.Advance(Period);
        _intake.Take(Frame(epoch, 41, observed: _clock.Instant - Period));
        Assert.Equal((41UL, 20_000_000L), (Measure().AppliedCommand, Measure().ActionAgeNs));
        await Claim();
        Assert.Equal((0UL, 0L), (Measure().AppliedCommand, Measure().ActionAgeNs));
    }

    [Fact]
    public async Task Stop_HoldsAndTakesNoFurtherClaim()
    {
        uint epoch = await Claim();
        _intake.Take(Frame(epoch, 1));

        _intake.Stop("the end");

        Assert.True(_robot.HoldsNow);
        Assert.False((await Take("claim")).Ok);
        Assert.Equal(CommandDrop.NoLease, _intake.Take(Frame(epoch, 2)));
    }

    [Fact]
    public void Ask_OfAnUnknownRequest_SaysWhatItKnows()
    {
        var reply = Ask("dance");
        Assert.False(reply.Ok);
        Assert.Contains("claim, renew, release", reply.Text, StringComparison.Ordinal);
    }

    private (RobotMode Mode, HoldReason Reason) ModeNow()
    {
        var status = _intake.Status();
        return (status.Mode, status.Reason);
    }

    private StateHeader Measure()
    {
        _robot.Read(_observation);
        return _intake.Observe(_observation);
    }

    private async Task<uint> Claim(string client = "me", int leaseMs = 60_000, double periodMs = 20)
    {
        var reply = await _intake.TakeOver(
            new() { Do = "claim", Id = "1", Client = client, LeaseMs = leaseMs, PeriodMs = periodMs }, CancellationToken.None);
        Assert.True(reply.Ok, reply.Text);
        return reply.Epoch;
    }

    private Task<ControlReply> Take(string what, string client = "me", uint epoch = 0) =>
        _intake.TakeOver(new() { Do = what, Id = "1", Client = client, Epoch = epoch }, CancellationToken.None);

    private ControlReply Ask(string what, string client = "me", uint epoch = 0) =>
        _intake.Ask(new() { Do = what, Id = "1", Client = client, Epoch = epoch })!;

    private byte[] Frame(
        uint epoch, ulong sequence, float target = 0.1f, MonotonicTime? observed = null, MonotonicTime? expires = null, uint validForUs = 100_000,
        bool hold = false)
    {
        var header = new CommandHeader(epoch, sequence, observed ?? _clock.Instant, default, expires ?? default, validForUs, hold);
        var frame = new byte[Frames.CommandOverhead + 8];
        return frame[..Frames.WriteCommand(frame, header, [target, target])];
    }
}
