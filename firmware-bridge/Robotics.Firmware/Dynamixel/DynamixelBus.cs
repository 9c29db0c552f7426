using System.Buffers.Binary;
using Robotics.Firmware.Serial;
using Robotics.Firmware.Servos;

namespace Robotics.Firmware.Dynamixel;

/// <summary>Dynamixel servos of the X series on one wire, by Protocol 2.0.</summary>
/// <remarks>Adapters that hear themselves need no setting: a request that comes back is no answer, and is passed over.</remarks>
/// <param name="line">The wire; disposed with the bus.</param>
public sealed class DynamixelBus(ISerialLine line) : IServoBus
{
    private const int Longest = 2048;
    private const int BlockStart = 124; // present PWM ...
    private const int BlockLength = 23; // ... to present temperature

    private readonly ServoPort _port = new(line, Longest);
    private readonly byte[] _frame = new byte[Longest];
    private readonly byte[] _parameters = new byte[Longest / 2];

    private readonly ServoRegister _load = XSeries.Table["present_pwm"];
    private readonly ServoRegister _velocity = XSeries.Table["present_velocity"];
    private readonly ServoRegister _position = XSeries.Table["present_position"];
    private readonly ServoRegister _voltage = XSeries.Table["present_voltage"];
    private readonly ServoRegister _temperature = XSeries.Table["present_temperature"];
    private readonly ServoRegister _hardwareError = XSeries.Table["hardware_error"];
    private readonly ServoRegister _torque = XSeries.Table["torque_enable"];
    private readonly ServoRegister _watchdog = XSeries.Table["bus_watchdog"];
    private readonly ServoRegister _goal = XSeries.Table["goal_position"];

    /// <inheritdoc/>
    public string Name => _port.Name;

    /// <inheritdoc/>
    public ServoTable Table => XSeries.Table;

    /// <inheritdoc/>
    public int HighestId => DynamixelFrame.HighestId;

    /// <inheritdoc/>
    public TimeSpan Patience
    {
        get => _port.Patience;
        set => _port.Patience = value;
    }

    /// <inheritdoc/>
    public ulong Skipped => _port.Received.Skipped;

    /// <inheritdoc/>
    public ServoReply Ping(byte id, out int model)
    {
        var reply = Ask(id, DynamixelInstruction.Ping, [], 3, out var data);
        model = reply.Ok ? BinaryPrimitives.ReadUInt16LittleEndian(data) : 0;
        return reply;
    }

    /// <inheritdoc/>
    public ServoReply Read(byte id, ServoRegister register, out int value)
    {
        ArgumentNullException.ThrowIfNull(register);
        var reply = Ask(id, DynamixelInstruction.Read, _parameters.AsSpan(0, Range(register.Address, register.Length)), register.Length, out var data);
        value = reply.Ok ? register.Decode(data) : 0;
        return reply;
    }

    /// <inheritdoc/>
    public ServoReply Write(byte id, ServoRegister register, int value) => Ask(id, DynamixelInstruction.Write, Assign(register, value), 0, out _);

    /// <summary>Writes one value that takes effect with everybody else's at the next <see cref="Act"/>.</summary>
    public ServoReply RegWrite(byte id, ServoRegister register, int value) => Ask(id, DynamixelInstruction.RegWrite, Assign(register, value), 0, out _);

    /// <summary>Makes what was registered take effect, everywhere at once; nobody answers. False when the line is gone.</summary>
    public bool Act() => Tell(DynamixelInstruction.Action, []);

    /// <inheritdoc/>
    public ServoReply Reboot(byte id) => Ask(id, DynamixelInstruction.Reboot, [], 0, out _);

    /// <inheritdoc/>
    public bool WriteAll(ReadOnlySpan<byte> ids, ServoRegister register, ReadOnlySpan<int> values)
    {
        ArgumentNullException.ThrowIfNull(register);
        int at = Range(register.Address, register.Length);
        for (int i = 0; i < ids.Length; i++)
        {
            _parameters[at++] = ids[i];
            register.Encode(values[i], _parameters.AsSpan(at));
            at += register.Length;
        }

        return Tell(DynamixelInstruction.SyncWrite, _parameters.AsSpan(0, at));
    }

    /// <summary>Writes a different register of each servo in one packet, which nobody answers; false when the line is gone.</summary>
    public bool BulkWrite(ReadOnlySpan<byte> ids, ReadOnlySpan<ServoRegister> registers, ReadOnlySpan<int> values)
    {
        int at = 0;
        for (int i = 0; i < ids.Length; i++)
        {
            at = Item(at, ids[i], registers[i]);
            registers[i].Encode(values[i], _parameters.AsSpan(at));
            at += registers[i].Length;
        }

        return Tell(DynamixelInstruction.BulkWrite, _parameters.AsSpan(0, at));
    }

    /// <summary>Reads a different register of each servo in one request.</summary>
    /// <param name="ids">[N] whom to ask.</param>
    /// <param name="registers">[N] what.</param>
    /// <param name="values">[N] what they answered; untouched where nobody did.</param>
    /// <returns>Ok when all answered, Silent when one did not, Gone with the line.</returns>
    public ReplyStatus BulkRead(ReadOnlySpan<byte> ids, ReadOnlySpan<ServoRegister> registers, Span<int> values)
    {
        int at = 0;
        for (int i = 0; i < ids.Length; i++)
        {
            at = Item(at, ids[i], registers[i]);
        }

        if (!Tell(DynamixelInstruction.BulkRead, _parameters.AsSpan(0, at)))
        {
            return ReplyStatus.Gone;
        }

        int left = ids.Length;
        var deadline = _port.Deadline();
        while (left > 0 && TryAnswer(ref deadline, out var packet))
        {
            int which = ids.IndexOf(packet.Id);
            if (which >= 0 && packet.Parameters.Length == 1 + registers[which].Length)
            {
                values[which] = registers[which].Decode(packet.Parameters[1..]);
                left--;
            }
        }

        return Outcome(left);
    }

    /// <inheritdoc/>
    public int CycleBytes(int servos) =>
        (2 * (DynamixelFrame.Overhead + 4)) + (servos * (1 + DynamixelFrame.Overhead + 1 + BlockLength + 1 + _goal.Length)); // two requests; id, answer with its error, id and goal

    /// <inheritdoc/>
    public ReplyStatus ReadStates(ReadOnlySpan<byte> ids, Span<ServoState> states)
    {
        int at = Range(BlockStart, BlockLength);
        ids.CopyTo(_parameters.AsSpan(at));
        if (!Tell(DynamixelInstruction.SyncRead, _parameters.AsSpan(0, at + ids.Length)))
        {
            return ReplyStatus.Gone;
        }

        foreach (ref var state in states)
        {
            state.Answered = false;
        }

        // Whoever is silent must not cost the others their answers.
        int left = ids.Length;
        bool alert = false;
        var deadline = _port.Deadline();
        while (left > 0 && TryAnswer(ref deadline, out var packet))
        {
            int which = ids.IndexOf(packet.Id);
            if (which < 0 || states[which].Answered || packet.Parameters.Length != 1 + BlockLength)
            {
                continue;
            }

            ref var state = ref states[which];
            var data = packet.Parameters[1..];
            state.Answered = true;
            state.Load = (float)(Value(_load, data) * _load.Scale); // what the drive puts out; present_load means something else on each model
            state.Velocity = (float)(Value(_velocity, data) * _velocity.Scale);
            state.Position = Value(_position, data);
            state.Voltage = (float)(Value(_voltage, data) * _voltage.Scale);
            state.Temperature = Value(_temperature, data);
            state.Faults = (packet.Parameters[0] & XSeries.Alert) == 0 ? 0 : -1;
            alert |= state.Faults != 0;
            left--;
        }

        // An alert says only that there is something in the hardware error register.
        for (int i = 0; alert && i < ids.Length; i++)
        {
            if (states[i].Faults == -1)
            {
                var reply = Read(ids[i], _hardwareError, out int faults);
                states[i].Faults = reply.Ok ? faults : 0;
            }
        }

        return Outcome(left);

        static int Value(ServoRegister register, ReadOnlySpan<byte> block) => register.Decode(block[(register.Address - BlockStart)..]);
    }

    /// <inheritdoc/>
    public bool WriteGoals(ReadOnlySpan<byte> ids, ReadOnlySpan<int> goals) => WriteAll(ids, _goal, goals);

    /// <inheritdoc/>
    public ServoReply ReadDriving(byte id, out bool driving)
    {
        int length = _watchdog.Address - _torque.Address + 1;
        var reply = Ask(id, DynamixelInstruction.Read, _parameters.AsSpan(0, Range(_torque.Address, length)), length, out var data);
        driving = reply.Ok && data[0] != 0 && _watchdog.Decode(data[^1..]) >= 0;
        return reply;
    }

    /// <summary>Sets the servo's bus watchdog: without a packet for <paramref name="span"/> (20 ms to 2.54 s) it stops and takes no goal
    /// until this is called again. True when the servo took it.</summary>
    public bool SetWatchdog(byte id, TimeSpan span)
    {
        int units = (int)Math.Clamp(Math.Ceiling(span.TotalSeconds / _watchdog.Scale), 1, _watchdog.Maximum);
        return Write(id, _watchdog, 0).Ok && Write(id, _watchdog, units).Ok; // 0 first: it ends a stop of before
    }

    /// <inheritdoc/>
    public string Explain(ServoReply reply) => reply.Status switch
    {
        ReplyStatus.Ok => "done",
        ReplyStatus.Silent => "no answer",
        ReplyStatus.Gone => "the line is gone",
        _ => (reply.Error & ~XSeries.Alert) switch
        {
            1 => "result fail: the servo could not do it",
            2 => "instruction error: the servo does not know the instruction",
            3 => "CRC error: the request did not arrive whole",
            4 => "data range error: the value is outside the register's range",
            5 => "data length error: the value is shorter than the register",
            6 => "data limit error: the value is outside the limits that are set",
            7 => "access error: the register is read-only, or persistent while torque is on",
            var other => $"error {other}",
        },
    };

    /// <inheritdoc/>
    public void Dispose() => _port.Dispose();

    private ServoReply Ask(byte id, DynamixelInstruction instruction, ReadOnlySpan<byte> parameters, int expected, out ReadOnlySpan<byte> data)
    {
        data = default;
        int length = DynamixelFrame.Write(_frame, id, instruction, parameters);
        return _port.Send(_frame.AsSpan(0, length)) ? Await(id, expected, out data) : new(ReplyStatus.Gone, 0);
    }

    private bool Tell(DynamixelInstruction instruction, ReadOnlySpan<byte> parameters) =>
        _port.Send(_frame.AsSpan(0, DynamixelFrame.Write(_frame, DynamixelFrame.Broadcast, instruction, parameters)));

    /// <summary>The next good answer of anybody, each within the patience after the one before.</summary>
    private bool TryAnswer(ref MonotonicTime deadline, out DynamixelPacket packet)
    {
        do
        {
            while (DynamixelFrame.TryTake(_port.Received, out packet))
            {
                if (packet.Instruction == DynamixelInstruction.Status && !packet.Parameters.IsEmpty && (packet.Parameters[0] & ~XSeries.Alert) == 0)
                {
                    deadline = _port.Deadline();
                    return true;
                }
            }
        }
        while (_port.Receive(deadline));
        return false;
    }

    private ReplyStatus Outcome(int unanswered) => unanswered == 0 ? ReplyStatus.Ok : _port.Gone ? ReplyStatus.Gone : ReplyStatus.Silent;

    private ServoReply Await(byte id, int expected, out ReadOnlySpan<byte> data)
    {
        var deadline = _port.Deadline();
        do
        {
            while (DynamixelFrame.TryTake(_port.Received, out var packet))
            {
                if (packet.Instruction != DynamixelInstruction.Status || packet.Id != id || packet.Parameters.IsEmpty)
                {
                    continue; // the request itself, or an answer that came too late for another
                }

                byte error = packet.Parameters[0];
                data = packet.Parameters[1..];
                return (error & ~XSeries.Alert) != 0 ? new(ReplyStatus.Refused, error)
                    : data.Length == expected ? new(ReplyStatus.Ok, error)
                    : new(ReplyStatus.Silent, error);
            }
        }
        while (_port.Receive(deadline));

        data = default;
        return new(_port.Gone ? ReplyStatus.Gone : ReplyStatus.Silent, 0);
    }

    private ReadOnlySpan<byte> Assign(ServoRegister register, int value)
    {
        ArgumentNullException.ThrowIfNull(register);
        BinaryPrimitives.WriteUInt16LittleEndian(_parameters, (ushort)register.Address);
        register.Encode(value, _parameters.AsSpan(2));
        return _parameters.AsSpan(0, 2 + register.Length);
    }

    private int Range(int address, int length)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(_parameters, (ushort)address);
        BinaryPrimitives.WriteUInt16LittleEndian(_parameters.AsSpan(2), (ushort)length);
        return 4;
    }

    private int Item(int at, byte id, ServoRegister register)
    {
        _parameters[at] = id;
        BinaryPrimitives.WriteUInt16LittleEndian(_parameters.AsSpan(at + 1), (ushort)register.Address);
        BinaryPrimitives.WriteUInt16LittleEndian(_parameters.AsSpan(at + 3), (ushort)register.Length);
        return at + 5;
    }
}
