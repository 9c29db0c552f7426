namespace Robotics.Firmware.Servos;

/// <summary>Calibrates an arm by hand, as LeRobot does: a person puts every joint into the middle, then moves each from end to end.</summary>
/// <remarks>Torque is off from the construction on. One thread; nothing is kept in the servos before <see cref="SetMiddle"/>.</remarks>
public sealed class ServoCalibrator
{
    private readonly IServoBus _bus;
    private readonly string[] _names;
    private readonly byte[] _ids;
    private readonly ServoState[] _states;
    private readonly int[] _offsets;
    private readonly int[] _lowest;
    private readonly int[] _highest;

    /// <summary>Takes the torque off every servo.</summary>
    /// <param name="bus">Stays the caller's.</param>
    /// <param name="names">Joint names.</param>
    /// <param name="ids">Servo of each joint, in the same order.</param>
    /// <exception cref="IOException">A servo does not answer or refuses; the message says which and why.</exception>
    public ServoCalibrator(IServoBus bus, IReadOnlyList<string> names, IReadOnlyList<byte> ids)
    {
        ArgumentNullException.ThrowIfNull(bus);
        ArgumentNullException.ThrowIfNull(names);
        ArgumentNullException.ThrowIfNull(ids);
        ArgumentOutOfRangeException.ThrowIfNotEqual(ids.Count, names.Count);
        _bus = bus;
        _names = [.. names];
        _ids = [.. ids];
        _states = new ServoState[ids.Count];
        _offsets = new int[ids.Count];
        _lowest = new int[ids.Count];
        _highest = new int[ids.Count];
        for (int j = 0; j < _ids.Length; j++)
        {
            Write(j, "torque_enable", 0);
        }
    }

    /// <summary>Ticks of each joint at the last <see cref="Look"/>, with the lowest and highest since <see cref="SetMiddle"/>.</summary>
    public IEnumerable<(string Name, int Lowest, int Now, int Highest)> Ranges =>
        Enumerable.Range(0, _ids.Length).Select(j => (_names[j], _lowest[j], _states[j].Position, _highest[j]));

    /// <summary>Makes where every joint stands now the middle of its turn, and frees the whole turn for <see cref="Look"/>.</summary>
    /// <exception cref="IOException">A servo does not answer or refuses.</exception>
    public void SetMiddle()
    {
        for (int j = 0; j < _ids.Length; j++)
        {
            int position = Read(j, "present_position");
            int encoder = position - (_bus.Table.HomingSign * Read(j, "homing_offset"));
            int offset = _bus.Table.HomingSign * ((ServoTable.TicksPerTurn / 2) - encoder);

            // An encoder at 0 asks for one tick more than the sign and magnitude of an STS servo can say.
            var homing = _bus.Table["homing_offset"];
            _offsets[j] = Math.Clamp(offset, homing.Minimum, homing.Maximum);
            Write(j, "homing_offset", _offsets[j]);
            Write(j, "min_position_limit", 0);
            Write(j, "max_position_limit", ServoTable.TicksPerTurn - 1);
        }

        ReadAll();
        for (int j = 0; j < _ids.Length; j++)
        {
            _lowest[j] = _highest[j] = _states[j].Position;
        }
    }

    /// <summary>Sees where the joints are now; call it often while they are moved from end to end.</summary>
    /// <exception cref="IOException">A servo does not answer.</exception>
    public void Look()
    {
        ReadAll();
        for (int j = 0; j < _ids.Length; j++)
        {
            _lowest[j] = Math.Min(_lowest[j], _states[j].Position);
            _highest[j] = Math.Max(_highest[j], _states[j].Position);
        }
    }

    /// <summary>Writes what was seen into the servos as their limits and returns it.</summary>
    /// <param name="origin">Where the calibration will be kept, for messages.</param>
    /// <exception cref="ConfigException">A joint was not moved, or beyond its turn; nothing was written.</exception>
    /// <exception cref="IOException">A servo does not answer or refuses.</exception>
    public ServoCalibration Finish(string origin)
    {
        const int LeastTravel = 100; // ticks, 9 degrees: less is a joint that was forgotten
        var check = new ConfigCheck(origin);
        for (int j = 0; j < _ids.Length; j++)
        {
            check.That(_highest[j] - _lowest[j] >= LeastTravel, _names[j], $"was moved from {_lowest[j]} to {_highest[j]} only; move every joint from end to end");
            check.That(_lowest[j] >= 0 && _highest[j] < ServoTable.TicksPerTurn, _names[j],
                $"was moved from {_lowest[j]} to {_highest[j]}, out of its turn of 0 to {ServoTable.TicksPerTurn - 1}; begin again with the joint in the middle of its range");
        }

        check.Throw();
        for (int j = 0; j < _ids.Length; j++)
        {
            Write(j, "min_position_limit", _lowest[j]);
            Write(j, "max_position_limit", _highest[j]);
        }

        return new(origin, [.. _ids.Select((id, j) => new ServoMotor(_names[j], id, 0, _offsets[j], _lowest[j], _highest[j]))]);
    }

    private void ReadAll()
    {
        var reply = ServoReply.Insist(() => new(_bus.ReadStates(_ids, _states), 0));
        if (!reply.Ok)
        {
            int silent = Math.Max(0, Array.FindIndex(_states, state => !state.Answered));
            throw Failed(silent, "does not answer");
        }
    }

    private int Read(int j, string register)
    {
        int value = 0;
        var reply = ServoReply.Insist(() => _bus.Read(_ids[j], _bus.Table[register], out value));
        return reply.Ok ? value : throw Failed(j, $"does not tell its {register}: {_bus.Explain(reply)}");
    }

    private void Write(int j, string register, int value)
    {
        var reply = ServoReply.Insist(() => _bus.Write(_ids[j], _bus.Table[register], value));
        if (!reply.Ok)
        {
            throw Failed(j, $"does not take {value} as its {register}: {_bus.Explain(reply)}");
        }
    }

    private IOException Failed(int j, string what) => new($"servo {_ids[j]} '{_names[j]}' on {_bus.Name} {what}.");
}
