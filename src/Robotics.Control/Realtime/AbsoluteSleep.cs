namespace Robotics.Control;

/// <summary>Sleeps to an instant on the system's monotonic clock. Allocation-free.</summary>
/// <remarks>Linux: <c>clock_nanosleep</c> to the instant less the spin, then a spin on the clock. Elsewhere
/// <see cref="Thread.Sleep(int)"/> to 2 ms before, because it counts in milliseconds, then the same spin.</remarks>
public static class AbsoluteSleep
{
    private static readonly bool Linux = OperatingSystem.IsLinux();

    /// <summary>Returns at <paramref name="instant"/> or, when that is past, at once.</summary>
    /// <param name="instant">On the clock of <see cref="TimeProvider.System"/>.</param>
    /// <param name="spin">How long before it the thread stops sleeping; 0 for none.</param>
    public static unsafe void Until(MonotonicTime instant, TimeSpan spin)
    {
        if (Linux)
        {
            long wake = instant.Nanoseconds - (spin.Ticks * 100);
            if (wake > MonotonicTime.SystemNow().Nanoseconds)
            {
                var at = new Libc.Timespec { Seconds = wake / 1_000_000_000, Nanoseconds = wake % 1_000_000_000 };
                while (Libc.ClockNanosleep(Libc.ClockMonotonic, Libc.TimerAbstime, &at, null) == Libc.Eintr)
                {
                    // A signal (the collector sends some) cut the sleep short; the instant is absolute, so sleep again.
                }
            }
        }
        else
        {
            double left = (instant - MonotonicTime.SystemNow()).TotalMilliseconds;
            if (left > 2)
            {
                Thread.Sleep((int)(left - 2));
            }
        }

        while (MonotonicTime.SystemNow() < instant)
        {
            // The clock read itself takes about 25 ns: pace enough.
        }
    }
}
