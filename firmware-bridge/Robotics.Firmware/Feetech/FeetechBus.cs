using Robotics.Firmware.Serial;
using Robotics.Firmware.Servos;

namespace Robotics.Firmware.Feetech;

/// <summary>Feetech STS servos on one wire.</summary>
/// <remarks>An answer is written like a request, so it matters whether the adapter hears itself; that is found out when the bus is
/// opened, with a request that changes nothing and that nobody answers.</remarks>
public sealed class FeetechBus : IServoBus
{
    private const int Longest = 512;
    private const int BlockStart = 56;  // present position ...
    private const int BlockLength = 10; // ... to hardware error

    private readonly ServoPort _port;
    private readonly byte[] _frame = new byte[Longest];
    private readonly byte[] _parameters = new byte[FeetechFrame.MaxParameters];

    private readonly ServoRegister _position = Sts3215.Table["present_position"];
    private readonly ServoRegister _velocity = Sts3215.Table["present_velocity"];
    private readonly ServoRegister _load = Sts3215.Table["present_load"];
    private readonly ServoRegister _voltage = Sts3215.Table["present_voltage"];
    private readonly ServoRegister _temperature = Sts3215.Table["present_temperature"];
    private readonly ServoRegister _hardwareError = Sts3215.Table["hardware_error"];
    private readonly ServoRegister _torque = Sts3215.Table["torque_enable"];
    private readonly ServoRegister _goal = Sts3215.Table["goal_position"];
    private readonly ServoRegister _lock = Sts3215.Table["lock"];

    /// <summary>Takes over the wire, which is disposed with the bus, and finds out whether it hears itself.</summary>
    public FeetechBus(ISerialLine line)
    {
        _port = new(line, Longest);
        if (Act())
        {
            bool echo = _port.Receive(_port.Deadline());
            while (echo && _port.Received.Bytes.Length < FeetechFrame.Overhead && _port.Receive(_port.Deadline()))
            {
            }

            _port.HearsItself = echo && _port.Received.Bytes.StartsWith(_frame.AsSpan(0, FeetechFrame.Overhead));
        }
    }

    /// <summary>True when the adapter hears itself.</summary>
    public bool HearsItself => _port.HearsItself;

    /// <inheritdoc/>
    public string Name => _port.Name;

    /// <inheritdoc/>
    public ServoTable Table => Sts3215.Table;

    /// <inheritdoc/>
    public int HighestId => FeetechFrame.HighestId;

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
        var reply = Ask(id, FeetechInstruction.Ping, [], 0, out _);
        model = 0;
        return reply.Ok ? Read(id, Sts3215.Table["model_number"], out model) : reply;
    }

    /// <inheritdoc/>
    public ServoReply Read(byte id, ServoRegister register, out int value)
    {
        ArgumentNullException.ThrowIfNull(register);
        _parameters[0] = (byte)register.Address;
        _parameters[1] = (byte)register.Length;
        var reply = Ask(id, FeetechInstruction.Read, _parameters.AsSpan(0, 2), register.Length, out var data);
        value = reply.Ok ? register.Decode(data) : 0;
        return reply;
    }

    /// <inheritdoc/>
    public ServoReply Write(byte id, ServoRegister register, int value)
    {
        ArgumentNullException.ThrowIfNull(register);
        if (!register.IsPersistent)
        {
            return Ask(id, FeetechInstruction.Write, Assign(register, value), 0, out _);
        }

        // While locked, a persistent value changes but is forgotten with the power.
        var opened = Ask(id, FeetechInstruction.Write, Assign(_lock, 0), 0, out _);
        if (!opened.Ok)
        {
            return opened;
        }

        var written = Ask(id, FeetechInstruction.Write, Assign(register, value), 0, out _);
        byte now = register.Name == "id" && written.Ok ? (byte)value : id;
        var closed = Ask(now, FeetechInstruction.Write, Assign(_lock, 1), 0, out _);
        return written.Ok ? closed : written;
    }

    /// <summary>Writes one value that takes effect with everybody else's at the next <see cref="Act"/>.</summary>
    public ServoReply RegWrite(byte id, ServoRegister register, int value) => Ask(id, FeetechInstruction.RegWrite, Assign(register, value), 0, out _);

    /// <summary>Makes what was registered take effect, everywhere at once; nobody answers. False when the line is gone.</summary>
    public bool Act() => Tell(FeetechInstruction.Action, []);

    /// <inheritdoc/>
    public bool WriteAll(ReadOnlySpan<byte> ids, ServoRegister register, ReadOnlySpan<int> values)
    {
        ArgumentNullException.ThrowIfNull(register);
        _parameters[0] = (byte)register.Address;
        _parameters[1] = (byte)register.Length;
        int at = 2;
        for (int i = 0; i < ids.Length; i++)
        {
            _parameters[at++] = ids[i];
            register.Encode(values[i], _parameters.AsSpan(at));
            at += register.Length;
        }

        return Tell(FeetechInstruction.SyncWrite, _parameters.AsSpan(0, at));
    }

    /// <inheritdoc/>
    public int CycleBytes(int servos) =>
        (2 * (FeetechFrame.Overhead + 2)) + (servos * (1 + FeetechFrame.Overhead + BlockLength + 1 + _goal.Length)); // two requests; id, answer, id and goal

    /// <inheritdoc/>
    public ReplyStatus ReadStates(ReadOnlySpan<byte> ids, Span<ServoState> states)
    {
        _parameters[0] = BlockStart;
        _parameters[1] = BlockLength;
        ids.CopyTo(_parameters.AsSpan(2));
        if (!Tell(FeetechInstruction.SyncRead, _parameters.AsSpan(0, 2 + ids.Length)))
        {
            return ReplyStatus.Gone;
        }

        foreach (ref var state in states)
        {
            state.Answered = false;
        }

        // Whoever is silent must not cost the others their answers.
        int left = ids.Length;
        var deadline = _port.Deadline();
        do
        {
            while (left > 0 && FeetechFrame.TryTake(_port.Received, BlockLength, out var packet))
            {
                int which = ids.IndexOf(packet.Id);
                if (which < 0 || states[which].Answered)
                {
                    continue;
                }

                ref var state = ref states[which];
                var data = packet.Parameters;
                state.Answered = true;
                state.Position = Value(_position, data);
                state.Velocity = (float)(Value(_velocity, data) * _velocity.Scale);
                state.Load = (float)(Value(_load, data) * _load.Scale);
                state.Voltage = (float)(Value(_voltage, data) * _voltage.Scale);
                state.Temperature = Value(_temperature, data);
                state.Faults = Value(_hardwareError, data) | packet.Code;
                deadline = _port.Deadline();
                left--;
            }
        }
        while (left > 0 && _port.Receive(deadline));
        return left == 0 ? ReplyStatus.Ok : _port.Gone ? ReplyStatus.Gone : ReplyStatus.Silent;

        static int Value(ServoRegister register, ReadOnlySpan<byte> block) => register.Decode(block[(register.Address - BlockStart)..]);
    }

    /// <inheritdoc/>
    public bool WriteGoals(ReadOnlySpan<byte> ids, ReadOnlySpan<int> goals) => WriteAll(ids, _goal, goals);

    /// <inheritdoc/>
    public ServoReply ReadDriving(byte id, out bool driving)
    {
        var reply = Read(id, _torque, out int torque);
        driving = torque != 0;
        return reply;
    }

    /// <summary>STS servos have no watchdog: without a bus they keep their last goal. Always false.</summary>
    public bool SetWatchdog(byte id, TimeSpan span) => false;

    /// <summary>STS servos have no reboot: torque off and on ends an overload, the rest ends with its cause.</summary>
    public ServoReply Reboot(byte id) => Write(id, _torque, 0);

    /// <inheritdoc/>
    public string Explain(ServoReply reply) => reply.Status switch
    {
        ReplyStatus.Ok => reply.Error == 0 ? "done" : $"done, but the servo reports {Table.NameFaults(reply.Error)}",
        ReplyStatus.Gone => "the line is gone",
        _ => "no answer",
    };

    /// <inheritdoc/>
    public void Dispose() => _port.Dispose();

    private ServoReply Ask(byte id, FeetechInstruction instruction, ReadOnlySpan<byte> parameters, int expected, out ReadOnlySpan<byte> data)
    {
        data = default;
        int length = FeetechFrame.Write(_frame, id, (byte)instruction, parameters);
        return _port.Send(_frame.AsSpan(0, length)) ? Await(id, expected, out data) : new(ReplyStatus.Gone, 0);
    }

    private bool Tell(FeetechInstruction instruction, ReadOnlySpan<byte> parameters) =>
        _port.Send(_frame.AsSpan(0, FeetechFrame.Write(_frame, FeetechFrame.Broadcast, (byte)instruction, parameters)));

    private ServoReply Await(byte id, int expected, out ReadOnlySpan<byte> data)
    {
        var deadline = _port.Deadline();
        do
        {
            while (FeetechFrame.TryTake(_port.Received, expected, out var packet))
            {
                if (packet.Id == id)
                {
                    data = packet.Parameters;
                    return new(ReplyStatus.Ok, packet.Code);
                }
            }
        }
        while (_port.Receive(deadline));

        data = default;
        return new(_port.Gone ? ReplyStatus.Gone : ReplyStatus.Silent, 0);
    }

    private ReadOnlySpan<byte> Assign(ServoRegister register, int value)
    {
        ArgumentNullException.ThrowIfNull(register);
        _parameters[0] = (byte)register.Address;
        register.Encode(value, _parameters.AsSpan(1));
        return _parameters.AsSpan(0, 1 + register.Length);
    }
}
