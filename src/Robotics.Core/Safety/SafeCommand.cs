namespace Robotics.Safety;

/// <summary>What a command answers to and how long it is good for.</summary>
/// <param name="Sequence">Counts the commands of one claim, from 1.</param>
/// <param name="ObservedAt">When the observation behind this command was measured, on the robot's clock.</param>
/// <param name="ValidFor">The robot holds by itself when no newer command follows within this span of the arrival.</param>
public readonly record struct CommandStamp(ulong Sequence, MonotonicTime ObservedAt, TimeSpan ValidFor);

/// <summary>Joint targets that passed a <see cref="SafetyGate"/>. Only the gate can fill one; <c>default</c> is empty, and
/// every robot reads an empty command as "hold now".</summary>
public readonly ref struct SafeCommand
{
    internal SafeCommand(ReadOnlySpan<float> target, in CommandStamp stamp)
    {
        Target = target;
        Stamp = stamp;
    }

    /// <summary>[Nj] in the robot's joint order; each element's unit follows the claim's <see cref="CommandMode.Kinds"/>.
    /// Empty: hold.</summary>
    public ReadOnlySpan<float> Target { get; }

    /// <summary>What it answers to and how long it is good for.</summary>
    public CommandStamp Stamp { get; }

    /// <summary>How long it is good for after its arrival.</summary>
    public TimeSpan ValidFor => Stamp.ValidFor;

    /// <summary>True when the robot must hold now.</summary>
    public bool IsHold => Target.IsEmpty;
}
