using System.Reflection;
using Robotics.Firmware.Servos;
using Robotics.Firmware.Virtual;
using Robotics.Fleet;
using Robotics.Packages;
using Robotics.Sim;
using Robotics.Sim.Tasks;
using Robotics.Tests.Firmware;
using Robotics.Tests.Fleet;

namespace Robotics.Tests.Contracts;

/// <summary>A way to bring up one <see cref="IRobot"/> for the contract; found by its type. Every implementation outside the tests
/// has at least one.</summary>
internal interface IRobotFixture : IAsyncDisposable
{
    /// <summary>The implementation it brings up.</summary>
    Type Kind { get; }

    /// <summary>A running robot, not claimed.</summary>
    Task<IRobot> Start();

    /// <summary>Somebody else takes the robot, as somebody else can.</summary>
    Task TakeElsewhere();
}

/// <summary>A PushT table in this process.</summary>
internal sealed class SimulatedRobotFixture : IRobotFixture
{
    private readonly SimulatedRobot _robot = new(new PushT(new() { Period = TimeSpan.FromMilliseconds(10), Endless = true }));

    public Type Kind => typeof(SimulatedRobot);

    public Task<IRobot> Start()
    {
        _robot.StartRealTime();
        return Task.FromResult<IRobot>(_robot);
    }

    public Task TakeElsewhere() => _robot.ClaimAsync(CommandMode.Native(_robot.Spec), CancellationToken.None);

    public ValueTask DisposeAsync()
    {
        _robot.Dispose();
        return ValueTask.CompletedTask;
    }
}

/// <summary>A PushT table behind its robot side and the embedded broker.</summary>
internal sealed class MqttRobotFixture : IRobotFixture
{
    private readonly SimulatedRobot _local = new(new PushT(new() { Period = TimeSpan.FromMilliseconds(10), Endless = true }));
    private readonly EmbeddedBroker _broker = new(new() { Port = 0 });
    private readonly List<MqttRobot> _controllers = [];
    private RobotServer? _server;

    public Type Kind => typeof(MqttRobot);

    public async Task<IRobot> Start()
    {
        await _broker.StartAsync(CancellationToken.None);
        _local.StartRealTime();
        _server = new RobotServer(_local, RobotFile.Write(_local.Spec), new() { Port = _broker.Port });
        using var patience = new CancellationTokenSource(FleetRig.Patience);
        await _server.StartAsync(patience.Token);
        return await Controller();
    }

    public async Task TakeElsewhere()
    {
        var other = await Controller();
        await other.ClaimAsync(CommandMode.Native(other.Spec), CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var controller in _controllers)
        {
            controller.Dispose();
        }

        if (_server is not null)
        {
            await _server.DisposeAsync();
        }

        await _broker.DisposeAsync();
        _local.Dispose();
    }

    private async Task<MqttRobot> Controller()
    {
        var robot = await MqttRobot.ConnectAsync(new() { Port = _broker.Port }, _local.Spec.Name, new(), TimeProvider.System, CancellationToken.None);
        _controllers.Add(robot);
        await FleetRig.Until(() => robot.Link.Up, "the first state");
        return robot;
    }
}

/// <summary>Six virtual servos at a pseudo-terminal.</summary>
internal abstract class ServoArmFixture(ServoProtocol protocol) : IRobotFixture
{
    private ServoRig? _rig;
    private ServoArm? _arm;

    public Type Kind => typeof(ServoArm);

    public Task<IRobot> Start()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "pseudo-terminals are Linux here");
        _rig = new(protocol);
        _arm = _rig.Connect();
        return Task.FromResult<IRobot>(_arm);
    }

    public Task TakeElsewhere() => _arm!.ClaimAsync(CommandMode.Native(_arm.Spec), CancellationToken.None);

    public ValueTask DisposeAsync()
    {
        _arm?.Dispose();
        _rig?.Dispose();
        return ValueTask.CompletedTask;
    }
}

/// <summary>Dynamixel servos.</summary>
internal sealed class DynamixelArmFixture() : ServoArmFixture(ServoProtocol.Dynamixel);

/// <summary>Feetech servos.</summary>
internal sealed class FeetechArmFixture() : ServoArmFixture(ServoProtocol.Feetech);

/// <summary>What every robot promises, wherever it stands.</summary>
public sealed class RobotContract
{
    public static TheoryData<string> Fixtures => [.. All.Select(type => type.Name)];

    private static IEnumerable<Type> All => typeof(RobotContract).Assembly.GetTypes().Where(type => type is { IsClass: true, IsAbstract: false } && type.IsAssignableTo(typeof(IRobotFixture)));

    [Fact]
    public async Task EveryRobotHasAFixture()
    {
        var covered = new HashSet<Type>();
        foreach (var type in All)
        {
            await using var fixture = New(type.Name);
            covered.Add(fixture.Kind);
        }

        var missing =
            from file in Directory.EnumerateFiles(AppContext.BaseDirectory, "Robotics.*.dll")
            where !Path.GetFileName(file).StartsWith("Robotics.Tests", StringComparison.Ordinal)
            from type in Assembly.LoadFrom(file).GetTypes()
            where type.IsClass && !type.IsAbstract && !type.IsNestedPrivate && type.IsAssignableTo(typeof(IRobot)) && !covered.Contains(type)
            select $"{type} has no {nameof(IRobotFixture)} in the tests";
        Assert.Empty(missing);
    }

    [Theory]
    [MemberData(nameof(Fixtures))]
    public async Task Read_IsFreshOncePerMeasurementAndLeavesTheBufferAloneOtherwise(string name)
    {
        await using var fixture = New(name);
        var hand = new Hand(await fixture.Start());
        await FleetRig.Until(() => hand.Read() == ReadStatus.Fresh, "a measurement");
        bool repeated = false;
        ulong newest = hand.Seen.Sequence;
        await FleetRig.Until(() =>
        {
            hand.Seen.Signals[0] = -7;
            var status = hand.Read();
            repeated |= status == ReadStatus.Repeated;
            Assert.Equal(status == ReadStatus.Repeated, hand.Seen.Signals[0] == -7);
            Assert.Equal(status == ReadStatus.Fresh, hand.Seen.Sequence > newest);
            newest = hand.Seen.Sequence;
            return repeated && status == ReadStatus.Fresh;
        }, "a repetition and a newer measurement");
        Assert.True(hand.Seen.MeasuredAt.Nanoseconds > 0);
        Assert.Equal(RobotMode.Holding, hand.Seen.Mode);
    }

    [Theory]
    [MemberData(nameof(Fixtures))]
    public async Task Send_Moves_AndAHoldCommandHolds(string name)
    {
        await using var fixture = New(name);
        var robot = await fixture.Start();
        await Claim(robot);
        var hand = new Hand(robot);
        hand.Read();
        float start = hand.Seen.Signals[0];
        await FleetRig.Until(() =>
        {
            hand.Move(start + 0.05f);
            return hand.Seen.Mode == RobotMode.Active && hand.Seen.Signals[0] > start + 0.01f && hand.Seen.AppliedCommand > 0;
        }, "motion");

        hand.Hold();
        await FleetRig.Until(() => hand.Read() == ReadStatus.Fresh && hand.Seen.Mode == RobotMode.Holding, "the hold");
        await FleetRig.Until(() =>
        {
            hand.Move(start);
            return hand.Seen.Mode == RobotMode.Active && hand.Seen.Signals[0] < start + 0.01f;
        }, "motion after the hold");
    }

    [Theory]
    [MemberData(nameof(Fixtures))]
    public async Task Silence_LongerThanValidFor_Holds(string name)
    {
        await using var fixture = New(name);
        var robot = await fixture.Start();
        await Claim(robot);
        var hand = new Hand(robot);
        await FleetRig.Until(() =>
        {
            hand.Move(validForMs: 200);
            return hand.Seen.Mode == RobotMode.Active;
        }, "motion");
        await FleetRig.Until(() => hand.Read() == ReadStatus.Fresh && hand.Seen is { Mode: RobotMode.Holding, ModeReason: HoldReason.CommandExpired }, "the robot's own hold");
    }

    [Theory]
    [MemberData(nameof(Fixtures))]
    public async Task ClaimAsync_WhenSomebodyElseHoldsIt_IsRefusedWithTheRobotsName(string name)
    {
        await using var fixture = New(name);
        var robot = await fixture.Start();
        await fixture.TakeElsewhere();
        var refusal = await Assert.ThrowsAsync<RobotRefusedException>(() => Claim(robot));
        Assert.Contains($"'{robot.Spec.Name}'", refusal.Message, StringComparison.OrdinalIgnoreCase);
    }

    [Theory]
    [MemberData(nameof(Fixtures))]
    public async Task ClaimAsync_OfAModeItCannotTake_IsRefused(string name)
    {
        await using var fixture = New(name);
        var robot = await fixture.Start();
        await Assert.ThrowsAsync<RobotRefusedException>(() => robot.ClaimAsync(new([TargetKind.Effort], null), CancellationToken.None));
    }

    [Theory]
    [MemberData(nameof(Fixtures))]
    public async Task ReleaseAsync_HoldsAndMayBeRepeated(string name)
    {
        await using var fixture = New(name);
        var robot = await fixture.Start();
        await robot.ReleaseAsync(CancellationToken.None);
        await Claim(robot);
        var hand = new Hand(robot);
        await FleetRig.Until(() =>
        {
            hand.Move();
            return hand.Seen.Mode == RobotMode.Active;
        }, "motion");
        await robot.ReleaseAsync(CancellationToken.None);
        await FleetRig.Until(() => hand.Read() == ReadStatus.Fresh && hand.Seen.Mode == RobotMode.Holding, "the hold");
        await robot.ReleaseAsync(CancellationToken.None);
        await Claim(robot);
    }

    [Theory]
    [MemberData(nameof(Fixtures))]
    public async Task EmergencyStop_LatchesAgainstCommands(string name)
    {
        await using var fixture = New(name);
        var robot = await fixture.Start();
        await Claim(robot);
        var hand = new Hand(robot);
        robot.EmergencyStop();
        await FleetRig.Until(() => hand.Read() == ReadStatus.Fresh && hand.Seen.Mode == RobotMode.EmergencyStop, "the stop");
        for (int i = 0; i < 20; i++)
        {
            hand.Move(validForMs: 1000);
            Assert.Equal(RobotMode.EmergencyStop, hand.Seen.Mode);
            await Task.Delay(5, TestContext.Current.CancellationToken);
        }
    }

    [Theory]
    [MemberData(nameof(Fixtures))]
    public async Task ReadAndSend_AllocateNothing(string name)
    {
        await using var fixture = New(name);
        var robot = await fixture.Start();
        await Claim(robot);
        var hand = new Hand(robot);
        hand.Move();
        hand.Hold();
        _ = robot.Link;
        Assert.Equal(0, Allocated.ByThisThread(() =>
        {
            for (int i = 0; i < 10_000; i++)
            {
                hand.Move();
                _ = robot.Link;
            }

            hand.Hold();
        }));
    }

    private static Task Claim(IRobot robot) => robot.ClaimAsync(CommandMode.Native(robot.Spec), CancellationToken.None);

    private static IRobotFixture New(string name) => (IRobotFixture)Activator.CreateInstance(All.Single(type => type.Name == name))!;
}
