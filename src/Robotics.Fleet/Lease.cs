using Robotics.Safety;

namespace Robotics.Fleet;

/// <summary>Who commands the robot, and until when. Owner: <see cref="CommandIntake"/>, under its lock.</summary>
internal sealed class Lease(string client, uint epoch, TimeSpan length, TimeSpan period, SafetyGate gate, MonotonicTime now)
{
    public string Client { get; } = client;

    public uint Epoch { get; } = epoch;

    public TimeSpan Length { get; } = length;

    /// <summary>Nominal time between commands.</summary>
    public TimeSpan Period { get; } = period;

    public SafetyGate Gate { get; } = gate;

    public MonotonicTime ExpiresAt { get; private set; } = now + length;

    /// <summary>Newest sequence seen with the right epoch, whatever became of it: what came once never counts again.</summary>
    public ulong Seen { get; set; }

    public MonotonicTime AcceptedAt { get; set; }

    public TimeSpan ValidFor { get; set; }

    public void Renew(MonotonicTime now) => ExpiresAt = now + Length;
}
