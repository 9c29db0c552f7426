using System.Globalization;

namespace Robotics;

/// <summary>An instant on one machine's monotonic clock, in nanoseconds since an origin that only that machine knows.
/// Never compare instants of two machines; a link translates them first.</summary>
/// <param name="Nanoseconds">Nanoseconds since the origin; on Linux CLOCK_MONOTONIC.</param>
public readonly record struct MonotonicTime(long Nanoseconds) : IComparable<MonotonicTime>
{
    /// <summary>Now, read from <paramref name="clock"/>; tests hand in a clock they can hold.</summary>
    public static MonotonicTime Now(TimeProvider clock)
    {
        ArgumentNullException.ThrowIfNull(clock);
        long ticks = clock.GetTimestamp();
        long frequency = clock.TimestampFrequency;
        // .NET's clock counts nanoseconds on Linux: the common case needs no division.
        return new(frequency == 1_000_000_000 ? ticks : (long)((Int128)ticks * 1_000_000_000 / frequency));
    }

    /// <summary>Now, on the system's own monotonic clock.</summary>
    public static MonotonicTime SystemNow() => Now(TimeProvider.System);

    /// <summary>The span from <paramref name="earlier"/> to <paramref name="later"/>, rounded to 100 ns.</summary>
    public static TimeSpan operator -(MonotonicTime later, MonotonicTime earlier) =>
        TimeSpan.FromTicks((later.Nanoseconds - earlier.Nanoseconds) / 100);

    /// <summary>The instant <paramref name="span"/> after <paramref name="time"/>.</summary>
    public static MonotonicTime operator +(MonotonicTime time, TimeSpan span) => new(time.Nanoseconds + (span.Ticks * 100));

    /// <summary>The instant <paramref name="span"/> before <paramref name="time"/>.</summary>
    public static MonotonicTime operator -(MonotonicTime time, TimeSpan span) => new(time.Nanoseconds - (span.Ticks * 100));

    /// <summary>Earlier than.</summary>
    public static bool operator <(MonotonicTime left, MonotonicTime right) => left.Nanoseconds < right.Nanoseconds;

    /// <summary>Later than.</summary>
    public static bool operator >(MonotonicTime left, MonotonicTime right) => left.Nanoseconds > right.Nanoseconds;

    /// <summary>Not later than.</summary>
    public static bool operator <=(MonotonicTime left, MonotonicTime right) => left.Nanoseconds <= right.Nanoseconds;

    /// <summary>Not earlier than.</summary>
    public static bool operator >=(MonotonicTime left, MonotonicTime right) => left.Nanoseconds >= right.Nanoseconds;

    /// <summary>Nanoseconds since <paramref name="earlier"/>; negative when it lies in the future.</summary>
    public long NanosecondsSince(MonotonicTime earlier) => Nanoseconds - earlier.Nanoseconds;

    /// <inheritdoc/>
    public int CompareTo(MonotonicTime other) => Nanoseconds.CompareTo(other.Nanoseconds);

    /// <summary>Seconds with six decimals.</summary>
    public override string ToString() => (Nanoseconds / 1e9).ToString("F6", CultureInfo.InvariantCulture) + " s";
}
