using Robotics.Firmware;
using Robotics.Firmware.Serial;
using Robotics.Firmware.Wire;
using Robotics.Sim.Tasks;
using Robotics.Tests.Contracts;
using Robotics.Tests.Fleet;

namespace Robotics.Tests.Firmware;

/// <summary>The device's C code behind its wire.</summary>
internal sealed class FirmwareRobotFixture : IRobotFixture
{
    private VirtualDevice? _device;
    private FirmwareRobot? _robot;

    public Type Kind => typeof(FirmwareRobot);

    public async Task<IRobot> Start()
    {
        _device = VirtualDevice.Start();
        _robot = await _device.Connect();
        await FleetRig.Until(() => _robot.Link.Up, "the first state");
        return _robot;
    }

    public Task TakeElsewhere() => _robot!.ClaimAsync(CommandMode.Native(_robot.Spec), CancellationToken.None);

    public ValueTask DisposeAsync()
    {
        _robot?.Dispose();
        _device?.Dispose();
        return ValueTask.CompletedTask;
    }
}

/// <summary>PushT's two slides in the device's C code, at a table that is simulated around them.</summary>
internal sealed class PushTTableFixture : IRobotFixture
{
    private VirtualDevice? _device;
    private PushTTable? _robot;

    public Type Kind => typeof(PushTTable);

    public async Task<IRobot> Start()
    {
        _device = VirtualDevice.Start("--push-t");
        _robot = new PushTTable(await _device.Connect(), PushT.NominalSeed);
        await FleetRig.Until(() => _robot.Link.Up, "the first state");
        return _robot;
    }

    public Task TakeElsewhere() => _robot!.ClaimAsync(CommandMode.Native(_robot.Spec), CancellationToken.None);

    public ValueTask DisposeAsync()
    {
        _robot?.Dispose();
        _device?.Dispose();
        return ValueTask.CompletedTask;
    }
}

/// <summary>A robot on the virtual device, driven by hand; times are the device's own, so a busy machine moves none of them.</summary>
public sealed class FirmwareRobotTests
{
    private const double TickUs = 1000;

    // What PROTOCOL.md states for the virtual arm.
    private const double ControlledMs = 300;
    private const double FrozenMs = 350;

    [Fact]
    public async Task Device_DescribesItselfAndItsRegisters()
    {
        using var device = VirtualDevice.Start("--joints", "3", "--name", "arm-7");
        using var robot = await device.Connect();
        Assert.Equal("arm-7", robot.Spec.Name);
        Assert.Equal(["shoulder", "elbow", "wrist"], robot.Spec.JointNames());
        Assert.Equal(10, robot.Spec.StatePeriodMs);
        Assert.Equal(robot.Spec.JointNames(), Packages.RobotFile.Parse(Packages.RobotFile.Write(robot.Spec), "test").JointNames());

        var token = TestContext.Current.CancellationToken;
        var registers = await robot.ListRegistersAsync(token);
        Assert.Equal(robot.Device.Registers, registers.Count);
        var stiffness = registers.Single(register => register is { Joint: 1, Name: "stiffness" });
        Assert.Equal(40, await robot.ReadRegisterAsync(stiffness.Id, token));
        await robot.WriteRegisterAsync(stiffness.Id, 35, token);
        Assert.Equal(35, await robot.ReadRegisterAsync(stiffness.Id, token));
        var refusal = await Assert.ThrowsAsync<RobotRefusedException>(() => robot.WriteRegisterAsync(stiffness.Id, -1, token));
        Assert.Contains("OutOfRange", refusal.Message, StringComparison.Ordinal);
        Assert.True(robot.Link.RoundTrip > TimeSpan.Zero);
    }

    [Fact]
    public async Task Connect_ToNothing_SaysWhatIsWrong()
    {
        using var folder = new TemporaryFolder();
        var options = new FirmwareRobotOptions { Patience = TimeSpan.FromMilliseconds(300) };
        string absent = folder.At("absent");
        var missing = await Assert.ThrowsAsync<ConfigException>(() =>
            FirmwareRobot.ConnectAsync(() => SerialLine.Open(absent, 115_200), absent, options, TimeProvider.System, CancellationToken.None));
        Assert.Contains(absent, missing.Message, StringComparison.Ordinal);
        using var nobody = new PseudoTerminal();
        var silent = await Assert.ThrowsAsync<ConfigException>(() =>
            FirmwareRobot.ConnectAsync(() => SerialLine.Open(nobody.Path, 115_200), nobody.Path, options, TimeProvider.System, CancellationToken.None));
        Assert.Contains("no device answered", silent.Message, StringComparison.Ordinal);
    }

    public static TheoryData<string, RobotMode, HoldReason, DeviceReason, double> Stops => new()
    {
        { "silence", RobotMode.Holding, HoldReason.CommandExpired, DeviceReason.Expired, ControlledMs },          // the host is frozen
        { "beyond", RobotMode.Holding, HoldReason.LimitViolation, DeviceReason.Range, ControlledMs },             // a command beyond the range
        { "freeze 0", RobotMode.Fault, HoldReason.RobotFault, DeviceReason.EncoderFrozen, FrozenMs },
        { "silent 0", RobotMode.Fault, HoldReason.RobotFault, DeviceReason.EncoderInvalid, ControlledMs },
        { "broken 1", RobotMode.Fault, HoldReason.RobotFault, DeviceReason.EncoderInvalid, ControlledMs },
        { "heat 0 95", RobotMode.Fault, HoldReason.RobotFault, DeviceReason.OverTemperature, ControlledMs },
        { "press", RobotMode.EmergencyStop, HoldReason.EmergencyStop, DeviceReason.EmergencyStopInput, ControlledMs },
    };

    [Theory]
    [MemberData(nameof(Stops))]
    public async Task Motion_EndsInTimeAndSaysWhy(string cause, RobotMode mode, HoldReason reason, DeviceReason deviceReason, double withinMs)
    {
        using var device = VirtualDevice.Start();
        using var robot = await device.Connect();
        var told = new System.Collections.Concurrent.ConcurrentQueue<DeviceEvent>();
        robot.Told = told.Enqueue;
        var hand = await Moving(device, robot);
        double caused = device.Truth().NowUs;
        if (cause == "beyond")
        {
            await FleetRig.Until(() =>
            {
                Beyond(robot, hand);
                return device.Truth().Reason == (int)DeviceReason.Range;
            }, "the refusal");
        }
        else if (cause != "silence")
        {
            device.Tell(cause);
            await FleetRig.Until(() =>
            {
                Swing(hand, device);
                return device.Truth().Mode is (int)DeviceMode.Fault or (int)DeviceMode.EmergencyStop;
            }, "the stop");
        }

        await FleetRig.Until(() => robot.Read(hand.Seen) == ReadStatus.Fresh && hand.Seen.Mode == mode && hand.Seen.ModeReason == reason, "the reason at the host");
        var end = await Standing(device);
        Assert.Equal((int)deviceReason, end.Reason);
        Assert.True(end.LeftActiveUs > caused - TickUs);
        Assert.InRange((end.MovingUs - end.LeftActiveUs) / 1000, -1e6, withinMs);
        if (cause == "silence")
        {
            // Commands were good for 100 ms from when they were sent; the tick after that brakes.
            Assert.InRange(end.LeftActiveUs - end.TakenUs, 100_000 - TickUs, 100_000 + (3 * TickUs));
        }

        Assert.Contains(told, happened => happened.Reason == deviceReason);
    }

    [Fact]
    public async Task HostKilled_InTheMiddleOfAFrame_Brakes()
    {
        using var device = VirtualDevice.Start();
        ISerialLine? line = null;
        var robot = await FirmwareRobot.ConnectAsync(() => line = SerialLine.Open(device.Link, 115_200), device.Link, new() { Patience = TimeSpan.FromSeconds(20) },
            TimeProvider.System, TestContext.Current.CancellationToken);
        await Moving(device, robot);
        byte[] wire = new byte[Frame.MaxWire];
        int length = Frame.Write(wire, MessageType.Command, 1, new byte[24]);
        line!.Write(wire.AsSpan(0, length / 2));
        robot.Abandon(); // as a kill does: no word of goodbye
        var end = await Standing(device);
        Assert.Equal((int)DeviceReason.Expired, end.Reason);
        Assert.InRange((end.MovingUs - end.TakenUs) / 1000, 0, 100 + ControlledMs);
    }

    [Fact]
    public async Task CableOut_BrakesAndComesBackHolding()
    {
        using var folder = new TemporaryFolder();
        using var device = VirtualDevice.Start("--link", folder.At("device"));
        using var robot = await device.Connect(path: folder.At("device"));
        var hand = await Moving(device, robot);
        device.Tell("unplug 150");
        await FleetRig.Until(() =>
        {
            Swing(hand, device: null);
            return robot.Link is { Up: false, Reason: HoldReason.LinkLost };
        }, "the loss");
        Assert.Equal(ReadStatus.Missing, robot.Read(hand.Seen));
        var end = await Standing(device);
        Assert.InRange((end.MovingUs - end.TakenUs) / 1000, 0, 100 + ControlledMs);

        // Back, and whatever the host sends: the claim went with the line.
        await FleetRig.Until(() => robot.Read(hand.Seen) == ReadStatus.Fresh, "the return");
        for (int i = 0; i < 20; i++)
        {
            Swing(hand, device: null);
            Assert.NotEqual(RobotMode.Active, hand.Seen.Mode);
            await Task.Delay(5, TestContext.Current.CancellationToken);
        }

        Assert.Equal(HoldReason.LeaseLost, robot.Link.Reason);
        Assert.Equal(end.Position, device.Truth().Position, 2e-2);
        await robot.ClaimAsync(CommandMode.Native(robot.Spec), CancellationToken.None);
        await FleetRig.Until(() =>
        {
            Swing(hand, device: null);
            return hand.Seen.Mode == RobotMode.Active;
        }, "motion after a new claim");
    }

    [Fact]
    public async Task Send_OfAStaleCommand_IsDroppedByTheDevice()
    {
        using var device = VirtualDevice.Start();
        using var robot = await device.Connect();
        await robot.ClaimAsync(CommandMode.Native(robot.Spec), CancellationToken.None);
        var hand = new Hand(robot);
        await FleetRig.Until(() => robot.Read(hand.Seen) == ReadStatus.Fresh, "a state");
        var told = new System.Collections.Concurrent.ConcurrentQueue<DeviceEvent>();
        robot.Told = told.Enqueue;
        ulong before = robot.Link.Dropped;
        await FleetRig.Until(() =>
        {
            hand.Move(validForMs: 0); // expires as it leaves
            return told.Any(happened => happened is { Dropped: > 0, Reason: DeviceReason.Stale });
        }, "word of the drop");
        Assert.True(robot.Link.Dropped > before);

        // The same again says nothing for a second: a broken host must not fill the records.
        await FleetRig.Until(() =>
        {
            hand.Move(validForMs: 0);
            return robot.Link.Dropped > before + 50;
        }, "many drops");
        Assert.InRange(told.Count(happened => happened is { Dropped: > 0, Reason: DeviceReason.Stale }), 1, 20);
    }

    [Fact]
    public async Task EmergencyStop_IsClearedByAPerson()
    {
        using var device = VirtualDevice.Start();
        using var robot = await device.Connect();
        await robot.ClaimAsync(CommandMode.Native(robot.Spec), CancellationToken.None);
        robot.EmergencyStop();
        await FleetRig.Until(() => device.Truth().Mode == (int)DeviceMode.EmergencyStop, "the stop");
        var refusal = await Assert.ThrowsAsync<RobotRefusedException>(async () =>
        {
            await robot.ReleaseAsync(CancellationToken.None);
            await robot.ClaimAsync(CommandMode.Native(robot.Spec), CancellationToken.None);
        });
        Assert.Contains("emergency stop; clear it first", refusal.Message, StringComparison.Ordinal);
        await robot.ClearAsync(CancellationToken.None);
        await robot.ClaimAsync(CommandMode.Native(robot.Spec), CancellationToken.None);
    }

    // Claims, and swings joint 0 until it is fast.
    private static async Task<Hand> Moving(VirtualDevice device, FirmwareRobot robot)
    {
        await robot.ClaimAsync(CommandMode.Native(robot.Spec), CancellationToken.None);
        var hand = new Hand(robot);
        await FleetRig.Until(() =>
        {
            Swing(hand, device);
            return Math.Abs(device.Truth().Speed) > 1;
        }, "speed");
        return hand;
    }

    // Back and forth, always on the move.
    private static void Swing(Hand hand, VirtualDevice? device)
    {
        double ms = MonotonicTime.SystemNow().Nanoseconds / 1e6;
        hand.Move((float)(1.2 * Math.Sin(ms / 250)), validForMs: 100);
        if (device is null)
        {
            Thread.Sleep(2);
        }
    }

    // What no gate of ours would let through: a wider description than the device's.
    private static void Beyond(FirmwareRobot robot, Hand hand)
    {
        var wide = robot.Spec with { Joints = [.. robot.Spec.Joints.Select(joint => joint with { Lower = -3.2f, Upper = 3.2f, MaxSpeed = 1000 })] };
        var gate = new Safety.SafetyGate(wide, CommandMode.Native(wide));
        robot.Read(hand.Seen);
        var command = gate.Apply(hand.Seen.Signals, [3.1f, 3.1f], TimeSpan.FromMilliseconds(20),
            new(1_000_000 + (ulong)(MonotonicTime.SystemNow().Nanoseconds / 1_000_000 % 1_000_000), hand.Seen.MeasuredAt, TimeSpan.FromMilliseconds(100)), out _);
        robot.Send(in command);
    }

    private static async Task<PlantTruth> Standing(VirtualDevice device)
    {
        PlantTruth truth = device.Truth();
        await FleetRig.Until(() =>
        {
            truth = device.Truth();
            return truth.Mode != (int)DeviceMode.Active && truth.NowUs - truth.MovingUs > 100_000;
        }, "standstill");
        return truth;
    }
}
