namespace Robotics;

/// <summary>A clock that stands still until it is told to move: simulated time for runs that are as fast as possible and
/// repeat exactly.</summary>
/// <remarks>Reading is safe from any thread; one thread advances it.</remarks>
/// <param name="utcStart">Wall-clock instant at time zero.</param>
public sealed class ManualClock(DateTimeOffset utcStart) : TimeProvider
{
    private long _nanoseconds;

    /// <summary>A clock whose wall time starts at the Unix epoch.</summary>
    public ManualClock()
        : this(DateTimeOffset.UnixEpoch)
    {
    }

    /// <inheritdoc/>
    public override long TimestampFrequency => 1_000_000_000;

    /// <inheritdoc/>
    public override long GetTimestamp() => Volatile.Read(ref _nanoseconds);

    /// <inheritdoc/>
    public override DateTimeOffset GetUtcNow() => utcStart.AddTicks(GetTimestamp() / 100);

    /// <summary>Moves time forward by <paramref name="span"/>; it must not be negative.</summary>
    public void Advance(TimeSpan span)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(span, TimeSpan.Zero);
        Volatile.Write(ref _nanoseconds, _nanoseconds + (span.Ticks * 100));
    }
}
