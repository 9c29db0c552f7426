using System.Runtime.InteropServices;

namespace Robotics;

/// <summary>Sleeps to an instant of the system's monotonic clock. Allocation-free.</summary>
/// <remarks>Linux: <c>clock_nanosleep</c> to the instant less the spin (tens of µs late without one), then a spin on the clock.
/// Elsewhere <see cref="Thread.Sleep(int)"/> to 2 ms before, because it counts in milliseconds, then the same spin.</remarks>
public static partial class PreciseSleep
{
    private const int ClockMonotonic = 1;
    private const int TimerAbsTime = 1;
    private const int Interrupted = 4; // EINTR

    private static readonly bool s_linux = OperatingSystem.IsLinux();

    /// <summary>Returns at <paramref name="instant"/>, or at once when it has passed.</summary>
    /// <param name="instant">On the clock of <see cref="TimeProvider.System"/>.</param>
    /// <param name="spin">How long before it the thread stops sleeping and spins; default none.</param>
    public static void Until(MonotonicTime instant, TimeSpan spin = default)
    {
        if (s_linux)
        {
            long wake = instant.Nanoseconds - (spin.Ticks * 100);
            if (wake > MonotonicTime.SystemNow().Nanoseconds)
            {
                var at = new Timespec(wake / 1_000_000_000, wake % 1_000_000_000);
                while (ClockNanosleep(ClockMonotonic, TimerAbsTime, in at, 0) == Interrupted)
                {
                    // A signal (the collector sends some) cut the sleep short; the instant is absolute, so sleep again.
                }
            }
        }
        else if ((instant - MonotonicTime.SystemNow()).TotalMilliseconds is > 2 and var left)
        {
            Thread.Sleep((int)(left - 2));
        }

        while (MonotonicTime.SystemNow() < instant)
        {
            // The clock read itself takes about 25 ns: pace enough.
        }
    }

    // Not SuppressGCTransition: this waits, and a collection must not wait for it.
    [LibraryImport("libc", EntryPoint = "clock_nanosleep")]
    private static partial int ClockNanosleep(int clock, int flags, in Timespec request, nint remain);

    private readonly record struct Timespec(long Seconds, long Nanoseconds);
}
