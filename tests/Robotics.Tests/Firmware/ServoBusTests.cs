using Robotics.Firmware.Dynamixel;
using Robotics.Firmware.Feetech;
using Robotics.Firmware.Serial;
using Robotics.Firmware.Servos;
using Robotics.Firmware.Virtual;

namespace Robotics.Tests.Firmware;

/// <summary>Both kinds of bus on virtual servos, without a terminal between them and on a clock that the test turns.</summary>
public sealed class ServoBusTests
{
    private readonly ManualClock _clock = new();

    public static TheoryData<ServoProtocol, bool> Kinds => new()
    {
        { ServoProtocol.Dynamixel, false },
        { ServoProtocol.Dynamixel, true },
        { ServoProtocol.Feetech, false },
        { ServoProtocol.Feetech, true },
    };

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Ping_TellsTheModel_AndSilenceOfWhoIsNotThere(ServoProtocol protocol, bool echo)
    {
        var (bus, _) = Start(protocol, echo);
        Assert.Equal(ReplyStatus.Ok, bus.Ping(3, out int model).Status);
        Assert.Equal(protocol == ServoProtocol.Dynamixel ? XSeries.Xm430W210 : Sts3215.ModelNumber, model);
        var reply = bus.Ping(9, out _);
        Assert.Equal(ReplyStatus.Silent, reply.Status);
        Assert.Equal("no answer", bus.Explain(reply));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Goals_AreRunTo_AndReadBackInSiUnits(ServoProtocol protocol, bool echo)
    {
        var (bus, servos) = Start(protocol, echo);
        byte[] ids = [1, 2, 3, 4, 5, 6];
        int[] goals = [1500, 1700, 1900, 2100, 2300, 2500];
        var states = new ServoState[6];
        Assert.True(bus.WriteAll(ids, bus.Table["torque_enable"], [1, 1, 1, 1, 1, 1]));
        Assert.True(bus.WriteGoals(ids, goals));
        _clock.Advance(TimeSpan.FromMilliseconds(100));
        Assert.Equal(ReplyStatus.Ok, bus.ReadStates(ids, states));
        Assert.True(states[0].Velocity < -0.5 && states[5].Velocity > 0.5, $"{states[0].Velocity} and {states[5].Velocity} rad/s");
        _clock.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(ReplyStatus.Ok, bus.ReadStates(ids, states));
        for (int j = 0; j < ids.Length; j++)
        {
            Assert.InRange(states[j].Position, goals[j] - 3, goals[j] + 3);
            Assert.Equal(servos.Servos[j].Supply, states[j].Voltage, 0.051);
            Assert.Equal(30, states[j].Temperature);
            Assert.Equal(0, states[j].Faults);
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void ReadStates_WhenOneIsSilent_SaysWhichAndKeepsTheOthers(ServoProtocol protocol, bool echo)
    {
        var (bus, servos) = Start(protocol, echo);
        servos.Servos[2].IsSilent = true;
        var states = new ServoState[6];
        Assert.Equal(ReplyStatus.Silent, bus.ReadStates([1, 2, 3, 4, 5, 6], states));
        Assert.Equal([true, true, false, true, true, true], states.Select(state => state.Answered));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void ReadStatesAndWriteGoals_AllocateNothing(ServoProtocol protocol, bool echo)
    {
        var line = new RecordedLine(new VirtualServoBus(protocol, [1, 2], _clock) { HearsItself = echo });
        using IServoBus bus = protocol == ServoProtocol.Dynamixel ? new DynamixelBus(line) : new FeetechBus(line);
        byte[] ids = [1, 2];
        int[] goals = [2000, 2100];
        var states = new ServoState[2];
        bus.ReadStates(ids, states);
        line.Freeze(); // from here on the servos' last answer comes again, and they themselves allocate nothing
        Assert.Equal(0, Allocated.ByThisThread(() =>
        {
            for (int i = 0; i < 1000; i++)
            {
                Assert.True(bus.ReadStates(ids, states) == ReplyStatus.Ok);
                Assert.True(bus.WriteGoals(ids, goals));
            }
        }));
    }

    [Theory]
    [InlineData(1, "result fail")]
    [InlineData(2, "instruction error")]
    [InlineData(3, "CRC error")]
    [InlineData(4, "data range error")]
    [InlineData(5, "data length error")]
    [InlineData(6, "data limit error")]
    [InlineData(7, "access error")]
    [InlineData(0x84, "data range error")]
    public void Dynamixel_StatusErrors_HaveTheManualsNames(byte error, string name)
    {
        var (bus, _) = Start(ServoProtocol.Dynamixel, false);
        Assert.StartsWith(name, bus.Explain(new(ReplyStatus.Refused, error)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("present_position", 5, "access error")]
    [InlineData("torque_enable", 2, "data range error")]
    [InlineData("goal_position", 3000, "data limit error")]
    [InlineData("homing_offset", 5, "access error")]
    public void Dynamixel_RefusesByName(string register, int value, string name)
    {
        var (bus, servos) = Start(ServoProtocol.Dynamixel, false);
        servos.Servos[0].Keep("max_position_limit", 2500);
        Assert.True(bus.Write(1, bus.Table["torque_enable"], 1).Ok);
        var reply = bus.Write(1, bus.Table[register], value);
        Assert.Equal(ReplyStatus.Refused, reply.Status);
        Assert.StartsWith(name, bus.Explain(reply), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(ServoProtocol.Dynamixel, 0, "input voltage")]
    [InlineData(ServoProtocol.Dynamixel, 2, "overheating")]
    [InlineData(ServoProtocol.Dynamixel, 3, "motor encoder")]
    [InlineData(ServoProtocol.Dynamixel, 4, "electrical shock")]
    [InlineData(ServoProtocol.Dynamixel, 5, "overload")]
    [InlineData(ServoProtocol.Feetech, 0, "voltage")]
    [InlineData(ServoProtocol.Feetech, 1, "angle sensor")]
    [InlineData(ServoProtocol.Feetech, 2, "overheating")]
    [InlineData(ServoProtocol.Feetech, 3, "over-current")]
    [InlineData(ServoProtocol.Feetech, 5, "overload")]
    public void HardwareErrors_AreReadWithTheStatesAndHaveNames(ServoProtocol protocol, int bit, string name)
    {
        var (bus, servos) = Start(protocol, false);
        servos.Servos[1].Broken = 1 << bit;
        _clock.Advance(TimeSpan.FromMilliseconds(10));
        var states = new ServoState[3];
        Assert.Equal(ReplyStatus.Ok, bus.ReadStates([1, 2, 3], states));
        Assert.Equal([0, 1 << bit, 0], states.Select(state => state.Faults));
        Assert.Equal(name, bus.Table.NameFaults(states[1].Faults));
    }

    [Fact]
    public void SeveralErrorsAtOnce_AreAllNamed_AlsoThoseThatTheManualDoesNotKnow() =>
        Assert.Equal("voltage, overload, error bit 7", Sts3215.Table.NameFaults(0b1010_0001));

    [Theory]
    [InlineData("homing_offset", -5, 0x0805)]
    [InlineData("homing_offset", 2047, 0x07FF)]
    [InlineData("homing_offset", -3000, 0x0FFF)]
    [InlineData("goal_position", -100, 0x8064)]
    [InlineData("present_velocity", -1, 0x8001)]
    [InlineData("present_load", -300, 0x052C)]
    public void Feetech_NegativeValues_AreAMagnitudeWithASignBit(string register, int value, int onTheWire)
    {
        byte[] bytes = new byte[2];
        Sts3215.Table[register].Encode(value, bytes);
        Assert.Equal(onTheWire, bytes[0] | (bytes[1] << 8));
        Assert.Equal(Math.Max(value, -2047), Sts3215.Table[register].Decode(bytes));
    }

    [Theory]
    [InlineData("homing_offset", -5)]
    [InlineData("present_pwm", -885)]
    [InlineData("bus_watchdog", -1)]
    public void Dynamixel_NegativeValues_AreTwosComplement(string register, int value)
    {
        byte[] bytes = new byte[4];
        XSeries.Table[register].Encode(value, bytes);
        Assert.Equal(0xFF, bytes[XSeries.Table[register].Length - 1] | 0x0F);
        Assert.Equal(value, XSeries.Table[register].Decode(bytes));
    }

    [Fact]
    public void Feetech_WhatIsWrittenWhileLocked_IsForgottenWithThePower()
    {
        var (bus, servos) = Start(ServoProtocol.Feetech, false);
        var homing = bus.Table["homing_offset"];
        var feetech = (FeetechBus)bus;
        Assert.True(feetech.RegWrite(1, homing, 77).Ok); // as another program might: without the lock
        Assert.True(feetech.Act());
        Assert.True(bus.Read(1, homing, out int now).Ok);
        Assert.Equal(77, now);
        servos.Servos[0].PowerCycle();
        bus.Read(1, homing, out now);
        Assert.Equal(0, now);

        Assert.True(bus.Write(1, homing, -77).Ok);
        servos.Servos[0].PowerCycle();
        bus.Read(1, homing, out now);
        Assert.Equal(-77, now);
        Assert.Equal(1, servos.Servos[0]["lock"]);
    }

    [Fact]
    public void Dynamixel_PersistentValues_NeedTorqueOffAndOutliveThePower()
    {
        var (bus, servos) = Start(ServoProtocol.Dynamixel, false);
        var homing = bus.Table["homing_offset"];
        bus.Write(1, bus.Table["torque_enable"], 1);
        Assert.Equal(ReplyStatus.Refused, bus.Write(1, homing, 77).Status);
        bus.Write(1, bus.Table["torque_enable"], 0);
        Assert.True(bus.Write(1, homing, 77).Ok);
        servos.Servos[0].PowerCycle();
        bus.Read(1, homing, out int now);
        Assert.Equal(77, now);
    }

    [Theory]
    [InlineData(ServoProtocol.Dynamixel)]
    [InlineData(ServoProtocol.Feetech)]
    public void AChangedId_AnswersUnderTheNewOne(ServoProtocol protocol)
    {
        var (bus, servos) = Start(protocol, false);
        Assert.True(bus.Write(6, bus.Table["id"], 42).Ok);
        Assert.True(bus.Ping(42, out _).Ok);
        Assert.Equal(ReplyStatus.Silent, bus.Ping(6, out _).Status);
        servos.Servos[5].PowerCycle();
        Assert.True(bus.Ping(42, out _).Ok);
    }

    [Fact]
    public void Dynamixel_BulkReadAndWrite_TakeADifferentRegisterOfEach()
    {
        var (bus, servos) = Start(ServoProtocol.Dynamixel, false);
        var dynamixel = (DynamixelBus)bus;
        ServoRegister[] registers = [bus.Table["led"], bus.Table["goal_position"]];
        Assert.True(dynamixel.BulkWrite([2, 5], registers, [1, 1234]));
        Assert.Equal(1, servos.Servos[1]["led"]);
        Assert.Equal(1234, servos.Servos[4]["goal_position"]);
        int[] values = new int[2];
        Assert.Equal(ReplyStatus.Ok, dynamixel.BulkRead([2, 5], registers, values));
        Assert.Equal([1, 1234], values);
    }

    [Fact]
    public void Dynamixel_WatchdogStopsAServoThatHearsNothing()
    {
        var (bus, servos) = Start(ServoProtocol.Dynamixel, false);
        var servo = servos.Servos[0];
        bus.Write(1, bus.Table["torque_enable"], 1);
        Assert.True(bus.SetWatchdog(1, TimeSpan.FromMilliseconds(100)));
        Assert.True(bus.Write(1, bus.Table["goal_position"], 4000).Ok);
        _clock.Advance(TimeSpan.FromSeconds(1));
        var refused = bus.Write(1, bus.Table["goal_position"], 4000);
        Assert.Equal(ReplyStatus.Refused, refused.Status);
        Assert.True(servo.Encoder < 2800, $"it ran on to {servo.Encoder}");
        Assert.True(bus.SetWatchdog(1, TimeSpan.FromMilliseconds(100)));
        Assert.True(bus.Write(1, bus.Table["goal_position"], 3000).Ok);
    }

    [Theory]
    [InlineData(ServoProtocol.Dynamixel)]
    [InlineData(ServoProtocol.Feetech)]
    public void Pushing_TooLong_IsAnOverloadWithoutTorque(ServoProtocol protocol)
    {
        var (bus, servos) = Start(protocol, false);
        servos.Servos[0].IsBlocked = true;
        bus.Write(1, bus.Table["torque_enable"], 1);
        bus.Write(1, bus.Table["goal_position"], 4000);
        _clock.Advance(TimeSpan.FromSeconds(2));
        var states = new ServoState[1];
        bus.ReadStates([1], states);
        Assert.Equal("overload", bus.Table.NameFaults(states[0].Faults));
        Assert.False(servos.Servos[0].HasTorque);
        Assert.True(bus.Reboot(1).Ok);
        _clock.Advance(TimeSpan.FromMilliseconds(10));
        bus.ReadStates([1], states);
        Assert.Equal(0, states[0].Faults);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void AnAnswerThatArrivesBroken_IsNoAnswer_AndTheNextOneCounts(ServoProtocol protocol, bool echo)
    {
        var servos = new VirtualServoBus(protocol, [1], _clock) { HearsItself = echo };
        var line = new DirectLine(servos);
        using IServoBus bus = protocol == ServoProtocol.Dynamixel ? new DynamixelBus(line) : new FeetechBus(line);
        line.Break = true;
        Assert.Equal(ReplyStatus.Silent, bus.Read(1, bus.Table["present_position"], out _).Status);
        line.Break = false;
        Assert.True(bus.Read(1, bus.Table["present_position"], out int position).Ok);
        Assert.Equal(2048, position);
        Assert.True(bus.Skipped > 0);
    }

    private (IServoBus Bus, VirtualServoBus Servos) Start(ServoProtocol protocol, bool echo)
    {
        var servos = new VirtualServoBus(protocol, [1, 2, 3, 4, 5, 6], _clock) { HearsItself = echo };
        var line = new DirectLine(servos);
        return (protocol == ServoProtocol.Dynamixel ? new DynamixelBus(line) : new FeetechBus(line), servos);
    }

    /// <summary>A wire without delay: who writes finds the answer there.</summary>
    private sealed class DirectLine(VirtualServoBus servos) : ISerialLine
    {
        private byte[] _answer = [];

        /// <summary>True: the last byte of every answer arrives wrong.</summary>
        public bool Break { get; set; }

        public string Name => "direct";

        public int Read(Span<byte> into, TimeSpan wait)
        {
            int count = Math.Min(into.Length, _answer.Length);
            _answer.AsSpan(0, count).CopyTo(into);
            _answer = _answer[count..];
            return count;
        }

        public bool Write(ReadOnlySpan<byte> bytes)
        {
            _answer = [.. _answer, .. servos.Exchange(bytes)];
            if (Break && _answer.Length > 0)
            {
                _answer[^1] ^= 0x10;
            }

            return true;
        }

        public void Dispose()
        {
        }
    }

    /// <summary>A wire that, once frozen, answers the request it answered last as it did then.</summary>
    private sealed class RecordedLine(VirtualServoBus servos) : ISerialLine
    {
        private readonly byte[] _last = new byte[512];
        private int _length;
        private int _at;
        private int _asked;
        private bool _frozen;

        public string Name => "recorded";

        public void Freeze() => _frozen = true;

        public int Read(Span<byte> into, TimeSpan wait)
        {
            int count = Math.Min(into.Length, _length - _at);
            _last.AsSpan(_at, count).CopyTo(into);
            _at += count;
            return count;
        }

        public bool Write(ReadOnlySpan<byte> bytes)
        {
            if (_frozen)
            {
                _at = bytes.Length == _asked ? 0 : _length; // goals have no answer
                return true;
            }

            var answer = servos.Exchange(bytes);
            answer.CopyTo(_last);
            (_at, _length, _asked) = (0, answer.Length, bytes.Length);
            return true;
        }

        public void Dispose()
        {
        }
    }
}
