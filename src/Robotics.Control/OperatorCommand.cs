using Robotics.Packages;

namespace Robotics.Control;

/// <summary>The operator's command vector (a velocity, a goal): set from any thread, read by the loop without a lock.</summary>
/// <remarks>A sequence lock: writers exclude each other and never the reader; a reader that meets a write in progress keeps
/// the vector of the tick before.</remarks>
internal sealed class OperatorCommand
{
    private readonly float[] _lower;
    private readonly float[] _upper;
    private readonly float[] _shared;
    private readonly float[] _scratch; // reader's
    private readonly Lock _writers = new();
    private int _version;

    public OperatorCommand(IReadOnlyList<CommandSpec> commands)
    {
        _lower = [.. commands.SelectMany(command => command.Lower)];
        _upper = [.. commands.SelectMany(command => command.Upper)];
        _shared = [.. commands.SelectMany(command => command.Default)];
        _scratch = new float[_shared.Length];
        Names = [.. commands.SelectMany(command => command.Elements.Select(element => $"{command.Name}.{element}"))];
    }

    public IReadOnlyList<string> Names { get; }

    public int Length => _shared.Length;

    public void Set(ReadOnlySpan<float> values)
    {
        if (values.Length != _shared.Length)
        {
            throw new ArgumentException($"The command has {values.Length} elements, the policy takes {_shared.Length}: {string.Join(", ", Names)}.", nameof(values));
        }

        for (int i = 0; i < values.Length; i++)
        {
            if (!float.IsFinite(values[i]))
            {
                throw new ArgumentException($"Command element {Names[i]} is {values[i]}, expected a finite number.", nameof(values));
            }
        }

        lock (_writers)
        {
            Volatile.Write(ref _version, _version + 1); // odd: being written
            Interlocked.MemoryBarrier();
            for (int i = 0; i < values.Length; i++)
            {
                _shared[i] = Math.Clamp(values[i], _lower[i], _upper[i]);
            }

            Volatile.Write(ref _version, _version + 1);
        }
    }

    /// <summary>Copies the newest whole vector; false, and nothing copied, when a write is in progress.</summary>
    public bool TryRead(Span<float> into)
    {
        int before = Volatile.Read(ref _version);
        if ((before & 1) != 0)
        {
            return false;
        }

        _shared.CopyTo(_scratch, 0);
        Interlocked.MemoryBarrier();
        if (Volatile.Read(ref _version) != before)
        {
            return false;
        }

        _scratch.CopyTo(into);
        return true;
    }
}
