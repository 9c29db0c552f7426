using Robotics.Firmware.Servos;

namespace Robotics.Firmware.Virtual;

/// <summary>What a servo has against a write.</summary>
internal enum WriteProblem
{
    None,
    ReadOnly,
    Partial,
    Range,
    Limit,
    TorqueOn,
}

/// <summary>A servo that is not there: its memory with the maker's rules, and a motor with an encoder.</summary>
/// <remarks>
/// The motor: effort follows a PD law on the position error, limited by the torque limit; acceleration is
/// <c>A (effort - speed / V)</c>. Errors come about as in the real one: overload by pushing too long, voltage and overheating by
/// their limits; an overload or (Dynamixel) any latched error takes the torque off. Owned by its bus; the properties that a test
/// turns may be set from any thread.
/// </remarks>
public sealed class VirtualServo
{
    private const double Step = 0.001;                  // s
    private const double TopSpeed = 3400;               // V, ticks/s: 50 rpm
    private const double TopAcceleration = 60_000;      // A, ticks/s²
    private const double Stiffness = 0.02;              // full effort at 50 ticks of error
    private const double Damping = 0.0008;              // full effort at 1250 ticks/s
    private const double OverloadEffort = 0.8;          // share of the largest effort ...
    private const double OverloadSeconds = 1;           // ... for this long
    private const int VoltageBit = 1 << 0;
    private const int OverheatingBit = 1 << 2;
    private const int OverloadBit = 1 << 5;

    private readonly ServoTable _table;
    private readonly byte[] _memory = new byte[256];
    private readonly byte[] _kept = new byte[256];
    private readonly ServoRegister _goal;
    private readonly ServoRegister _torque;
    private readonly ServoRegister? _watchdog;
    private (int Address, byte[] Data)? _registered;
    private double _speed;      // ticks/s
    private double _pushing;    // s above the overload effort
    private double _unheard;    // s since the last packet
    private int _latched;       // error bits
    private bool _stopped;      // by the watchdog

    /// <summary>A new servo as it comes from the factory.</summary>
    public VirtualServo(ServoTable table, byte id)
    {
        ArgumentNullException.ThrowIfNull(table);
        _table = table;
        _goal = table["goal_position"];
        _torque = table["torque_enable"];
        _watchdog = table.Find("bus_watchdog");
        foreach (var register in table.Registers)
        {
            register.Encode(register.Initial, _memory.AsSpan(register.Address));
        }

        this["id"] = id;
        _memory.CopyTo(_kept, 0);
        Supply = (Scaled("max_voltage_limit") + Scaled("min_voltage_limit")) / 2;
        Measure(0);
    }

    /// <summary>Its id on the wire.</summary>
    public byte Id => (byte)this["id"];

    /// <summary>Where the encoder is, ticks; one turn is <see cref="ServoTable.TicksPerTurn"/>.</summary>
    public double Encoder { get; set; } = 2048;

    /// <summary>True: something holds the shaft.</summary>
    public bool IsBlocked { get; set; }

    /// <summary>True: it is off the wire and answers nothing.</summary>
    public bool IsSilent { get; set; }

    /// <summary>V.</summary>
    public double Supply { get; set; }

    /// <summary>°C.</summary>
    public double Temperature { get; set; } = 30;

    /// <summary>Error bits that are simply there, whatever else happens.</summary>
    public int Broken { get; set; }

    /// <summary>True while it drives its motor.</summary>
    public bool HasTorque => (this["torque_enable"] & 1) == 1;

    /// <summary>Error bits now.</summary>
    public int Faults => this["hardware_error"];

    /// <summary>The value of a register.</summary>
    public int this[string register]
    {
        get => _table[register].Decode(_memory.AsSpan(_table[register].Address));
        set => _table[register].Encode(value, _memory.AsSpan(_table[register].Address));
    }

    /// <summary>Takes the power away and gives it back: what was not kept is forgotten.</summary>
    public void PowerCycle()
    {
        _kept.CopyTo(_memory, 0);
        _registered = null;
        (_speed, _pushing, _unheard, _latched, _stopped) = (0, 0, 0, 0, false);
        Measure(0);
    }

    /// <summary>Keeps a value as if somebody had stored it long ago.</summary>
    public void Keep(string register, int value)
    {
        this[register] = value;
        _table[register].Encode(value, _kept.AsSpan(_table[register].Address));
        Measure(0);
    }

    internal ReadOnlySpan<byte> Read(int address, int length) => address + length <= _memory.Length ? _memory.AsSpan(address, length) : default;

    internal void Hear() => _unheard = 0;

    internal void Register(int address, ReadOnlySpan<byte> data) => _registered = (address, data.ToArray());

    internal void Act()
    {
        if (_registered is { } waiting)
        {
            _registered = null;
            Write(waiting.Address, waiting.Data);
        }
    }

    /// <summary>Writes as over the wire: all of it, or nothing and why.</summary>
    internal WriteProblem Write(int address, ReadOnlySpan<byte> data)
    {
        var problem = WriteProblem.None;
        foreach (var register in _table.Registers)
        {
            if (register.Address < address + data.Length && address < register.Address + register.Length)
            {
                problem = problem != WriteProblem.None ? problem
                    : register.Address < address || register.Address + register.Length > address + data.Length ? WriteProblem.Partial
                    : Against(register, register.Decode(data[(register.Address - address)..]));
            }
        }

        if (problem != WriteProblem.None)
        {
            return problem;
        }

        bool keep = _table.Find("lock") is null || this["lock"] == 0;
        data.CopyTo(_memory.AsSpan(address));
        foreach (var register in _table.Registers)
        {
            if (register.Address >= address && register.Address + register.Length <= address + data.Length)
            {
                Apply(register, keep);
            }
        }

        return WriteProblem.None;
    }

    internal void Advance(double seconds)
    {
        for (double left = Math.Min(seconds, 10); left > 0; left -= Step)
        {
            double dt = Math.Min(left, Step);
            _unheard += dt;
            if (_watchdog is not null && this["bus_watchdog"] > 0 && HasTorque && _unheard > this["bus_watchdog"] * _watchdog.Scale)
            {
                _stopped = true;
                this["bus_watchdog"] = -1;
                this["goal_position"] = Present();
            }

            double effort = HasTorque ? Effort() : 0;
            _speed = IsBlocked ? 0 : _speed + (TopAcceleration * (effort - (_speed / TopSpeed)) * dt);
            Encoder += _speed * dt;
            _pushing = Math.Abs(effort) >= OverloadEffort ? _pushing + dt : 0;
            if (_pushing > OverloadSeconds)
            {
                Latch(OverloadBit);
            }

            Measure(effort);
        }
    }

    private WriteProblem Against(ServoRegister register, int value) =>
        register.IsReadOnly ? WriteProblem.ReadOnly
        : value < register.Minimum || value > register.Maximum ? WriteProblem.Range
        : _watchdog is null ? WriteProblem.None // Feetech cuts a goal to its limits and writes its EEPROM at any time
        : register.IsPersistent && HasTorque ? WriteProblem.TorqueOn
        : register == _goal && _stopped ? WriteProblem.Range
        : register == _goal && (value < this["min_position_limit"] || value > this["max_position_limit"]) ? WriteProblem.Limit
        : WriteProblem.None;

    private void Apply(ServoRegister register, bool keep)
    {
        var bytes = _memory.AsSpan(register.Address, register.Length);
        if (register == _torque && _watchdog is null)
        {
            if (bytes[0] == Feetech.Sts3215.SetMiddle)
            {
                bytes[0] = 0;
                this["homing_offset"] = (int)Math.Round(Encoder) - 2048;
                register = _table["homing_offset"];
            }

            _latched = 0; // an overload ends with the next torque command
            _pushing = 0;
        }
        else if (register == _torque && _latched != 0)
        {
            bytes[0] = 0; // until a reboot
        }
        else if (register == _goal && _watchdog is null)
        {
            bytes = _memory.AsSpan(_torque.Address, 1);
            bytes[0] = 1; // an STS servo that gets a goal turns its torque on
        }
        else if (register == _watchdog && bytes[0] == 0)
        {
            _stopped = false;
        }

        if (register.IsPersistent && keep)
        {
            _memory.AsSpan(register.Address, register.Length).CopyTo(_kept.AsSpan(register.Address));
        }
    }

    private double Effort()
    {
        int goal = Math.Clamp(this["goal_position"], this["min_position_limit"], this["max_position_limit"]);
        double error = goal - (Encoder + (_table.HomingSign * this["homing_offset"]));
        double limit = (double)this["torque_limit"] / _table["torque_limit"].Maximum;
        return Math.Clamp((Stiffness * error) - (Damping * _speed), -limit, limit);
    }

    private void Latch(int bit)
    {
        _latched |= bit;
        _memory[_torque.Address] = 0;
    }

    private int Present() => (int)Math.Round(Encoder) + (_table.HomingSign * this["homing_offset"]);

    private void Measure(double effort)
    {
        int faults = Broken
            | (Supply < Scaled("min_voltage_limit") || Supply > Scaled("max_voltage_limit") ? VoltageBit : 0)
            | (Temperature > this["temperature_limit"] ? OverheatingBit : 0);
        if (_watchdog is not null && (faults & this["shutdown"]) != 0)
        {
            Latch(faults & this["shutdown"]);
        }

        this["hardware_error"] = faults | _latched;
        this["present_position"] = Present();
        Put("present_velocity", _speed * 2 * Math.PI / ServoTable.TicksPerTurn);
        Put(_watchdog is null ? "present_load" : "present_pwm", effort);
        Put("present_voltage", Supply);
        this["present_temperature"] = (int)Temperature;
        this["moving"] = Math.Abs(_speed) > 10 ? 1 : 0;
    }

    private void Put(string register, double value) => this[register] = (int)Math.Round(value / _table[register].Scale);

    private double Scaled(string register) => this[register] * _table[register].Scale;
}
