using System.Runtime.InteropServices;

namespace Robotics;

/// <summary>Sleeps to an absolute instant of the system's monotonic clock: <c>clock_nanosleep</c> on Linux (tens of µs late),
/// <see cref="Thread.Sleep(TimeSpan)"/> elsewhere (about a millisecond).</summary>
public static partial class PreciseSleep
{
    private const int ClockMonotonic = 1;
    private const int TimerAbsTime = 1;
    private const int Interrupted = 4; // EINTR: a signal arrived; the deadline is absolute, so the same call continues

    /// <summary>Returns at <paramref name="deadline"/>, or at once when it has passed. Allocation-free.</summary>
    public static void Until(MonotonicTime deadline)
    {
        if (OperatingSystem.IsLinux())
        {
            var at = new Timespec(deadline.Nanoseconds / 1_000_000_000, deadline.Nanoseconds % 1_000_000_000);
            while (ClockNanosleep(ClockMonotonic, TimerAbsTime, in at, 0) == Interrupted)
            {
            }

            return;
        }

        while (deadline - MonotonicTime.SystemNow() is { Ticks: > 0 } left)
        {
            Thread.Sleep(left < TimeSpan.FromMilliseconds(1) ? TimeSpan.Zero : left);
        }
    }

    [LibraryImport("libc", EntryPoint = "clock_nanosleep")]
    private static partial int ClockNanosleep(int clock, int flags, in Timespec request, nint remain);

    private readonly record struct Timespec(long Seconds, long Nanoseconds);
}
