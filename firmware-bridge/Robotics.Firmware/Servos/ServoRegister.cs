using System.Buffers.Binary;

namespace Robotics.Firmware.Servos;

/// <summary>One value in a servo's memory: where it lies and how it is written.</summary>
/// <param name="Name">Words of the trade with underscores; the same for both makers where they mean the same.</param>
/// <param name="Address">First byte.</param>
/// <param name="Length">Bytes: 1, 2 or 4; little-endian.</param>
public sealed record ServoRegister(string Name, int Address, int Length)
{
    /// <summary>True: below zero it is the two's complement.</summary>
    public bool IsSigned { get; init; }

    /// <summary>The bit that says "negative" beside a magnitude in the bits below it; null: the value is not written that way.</summary>
    public int? SignBit { get; init; }

    /// <summary>True: kept without power (EEPROM), written with torque off.</summary>
    public bool IsPersistent { get; init; }

    /// <summary>True: the servo writes it, nobody else.</summary>
    public bool IsReadOnly { get; init; }

    /// <summary>Lowest value that the servo takes.</summary>
    public int Minimum { get; init; }

    /// <summary>Highest value that the servo takes.</summary>
    public int Maximum { get; init; } = int.MaxValue;

    /// <summary>The factory's value.</summary>
    public int Initial { get; init; }

    /// <summary>One count in <see cref="Unit"/>s.</summary>
    public double Scale { get; init; } = 1;

    /// <summary>What it is after scaling; empty: a plain number.</summary>
    public string Unit { get; init; } = "";

    /// <summary>A register that is kept without power.</summary>
    public static ServoRegister Kept(string name, int address, int length, int minimum, int maximum, int initial) =>
        new(name, address, length) { IsPersistent = true, Minimum = minimum, Maximum = maximum, Initial = initial };

    /// <summary>A register that starts at <paramref name="initial"/> with the power.</summary>
    public static ServoRegister Set(string name, int address, int length, int minimum, int maximum, int initial) =>
        new(name, address, length) { Minimum = minimum, Maximum = maximum, Initial = initial };

    /// <summary>A register that the servo writes.</summary>
    public static ServoRegister Measured(string name, int address, int length) => new(name, address, length) { IsReadOnly = true };

    /// <summary>The value in <paramref name="bytes"/>, [Length].</summary>
    public int Decode(ReadOnlySpan<byte> bytes)
    {
        int raw = Length switch
        {
            1 => bytes[0],
            2 => BinaryPrimitives.ReadUInt16LittleEndian(bytes),
            _ => BinaryPrimitives.ReadInt32LittleEndian(bytes),
        };
        return SignBit is { } bit ? ((raw >> bit) & 1) == 0 ? raw & ((1 << bit) - 1) : -(raw & ((1 << bit) - 1))
            : !IsSigned ? raw
            : Length switch
            {
                1 => (sbyte)raw,
                2 => (short)raw,
                _ => raw,
            };
    }

    /// <summary>Puts <paramref name="value"/> into <paramref name="bytes"/>, [Length]; a magnitude that does not fit is cut to the largest.</summary>
    public void Encode(int value, Span<byte> bytes)
    {
        if (SignBit is { } bit)
        {
            int largest = (1 << bit) - 1;
            value = value < 0 ? Math.Min(-value, largest) | (1 << bit) : Math.Min(value, largest);
        }

        switch (Length)
        {
            case 1:
                bytes[0] = (byte)value;
                break;
            case 2:
                BinaryPrimitives.WriteUInt16LittleEndian(bytes, (ushort)value);
                break;
            default:
                BinaryPrimitives.WriteInt32LittleEndian(bytes, value);
                break;
        }
    }
}

/// <summary>A kind of servo: its memory, and what its counts and bits mean.</summary>
public sealed class ServoTable
{
    private readonly Dictionary<string, ServoRegister> _byName;

    /// <summary>Builds the table.</summary>
    /// <param name="model">What people call it.</param>
    /// <param name="registers">In address order.</param>
    /// <param name="faults">Name of each bit of the hardware error register; empty: the bit means nothing.</param>
    public ServoTable(string model, IReadOnlyList<ServoRegister> registers, IReadOnlyList<string> faults)
    {
        ArgumentNullException.ThrowIfNull(registers);
        Model = model;
        Registers = registers;
        Faults = faults;
        _byName = registers.ToDictionary(register => register.Name);
    }

    /// <summary>Ticks of one turn, of every servo here.</summary>
    public const int TicksPerTurn = 4096;

    /// <summary>What people call it.</summary>
    public string Model { get; }

    /// <summary>How the homing offset enters: present position = encoder + sign x offset.</summary>
    public required int HomingSign { get; init; }

    /// <summary>Value of <c>operating_mode</c> in which the goal is a position.</summary>
    public required int PositionMode { get; init; }

    /// <summary>In address order.</summary>
    public IReadOnlyList<ServoRegister> Registers { get; }

    /// <summary>Name of each bit of the hardware error register.</summary>
    public IReadOnlyList<string> Faults { get; }

    /// <summary>The register called <paramref name="name"/>.</summary>
    /// <exception cref="KeyNotFoundException">There is none.</exception>
    public ServoRegister this[string name] => _byName[name];

    /// <summary>The register called <paramref name="name"/>, or null.</summary>
    public ServoRegister? Find(string name) => _byName.GetValueOrDefault(name);

    /// <summary>The names of <paramref name="bits"/>, for example <c>overheating, overload</c>; empty for none.</summary>
    public string NameFaults(int bits)
    {
        var names = new List<string>();
        for (int bit = 0; bit < 8; bit++)
        {
            if ((bits & (1 << bit)) != 0)
            {
                names.Add(bit < Faults.Count && Faults[bit].Length > 0 ? Faults[bit] : $"error bit {bit}");
            }
        }

        return string.Join(", ", names);
    }
}
