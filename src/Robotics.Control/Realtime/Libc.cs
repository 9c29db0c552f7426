using System.Runtime.InteropServices;

namespace Robotics.Control;

/// <summary>The few calls of the C library that the base library does not offer; Linux only.</summary>
internal static partial class Libc
{
    public const int SchedFifo = 1;
    public const int PrSetTimerslack = 29;
    public const int MclCurrent = 1;
    public const int MclFuture = 2;
    public const int MclOnfault = 4;
    public const int Eintr = 4;

    [LibraryImport("libc", EntryPoint = "read", SetLastError = true)]
    public static unsafe partial nint Read(int file, void* buffer, nint count);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    public static unsafe partial nint Write(int file, void* buffer, nint count);

    [LibraryImport("libc", EntryPoint = "close")]
    public static partial int Close(int file);

    [LibraryImport("libc", EntryPoint = "eventfd", SetLastError = true)]
    public static partial int Eventfd(uint initial, int flags);

    [LibraryImport("libc", EntryPoint = "sched_setscheduler", SetLastError = true)]
    public static unsafe partial int SchedSetscheduler(int thread, int policy, int* priority);

    [LibraryImport("libc", EntryPoint = "sched_setaffinity", SetLastError = true)]
    public static unsafe partial int SchedSetaffinity(int thread, nint size, ulong* mask);

    [LibraryImport("libc", EntryPoint = "mlockall", SetLastError = true)]
    public static partial int Mlockall(int flags);

    [LibraryImport("libc", EntryPoint = "prctl", SetLastError = true)]
    public static partial int Prctl(int option, nuint argument2, nuint argument3, nuint argument4, nuint argument5);
}
