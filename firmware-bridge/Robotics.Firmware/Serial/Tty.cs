using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Robotics.Firmware.Serial;

/// <summary>The Linux calls behind serial lines and pseudo-terminals, and what their numbers mean.</summary>
internal static unsafe partial class Tty
{
    public const int ReadWrite = 2;                                  // O_RDWR
    public const int NoControllingTerminal = 0x100;                  // O_NOCTTY
    public const int NonBlocking = 0x800;                            // O_NONBLOCK
    public const int CloseOnExec = 0x80000;                          // O_CLOEXEC

    public const int Interrupted = 4;                                // EINTR
    public const int TryAgain = 11;                                  // EAGAIN

    public const short Readable = 1;                                 // POLLIN
    public const short Writable = 4;                                 // POLLOUT

    public const int Exclusive = 2;                                  // LOCK_EX
    public const int DoNotWait = 4;                                  // LOCK_NB

    public const nuint GetSettings = 0x802C542A;                     // TCGETS2
    public const nuint SetSettings = 0x402C542B;                     // TCSETS2
    public const nuint GetSerial = 0x541E;                           // TIOCGSERIAL
    public const nuint SetSerial = 0x541F;                           // TIOCSSERIAL
    public const nuint Flush = 0x540B;                               // TCFLSH
    public const int FlushBoth = 2;                                  // TCIOFLUSH

    /// <summary>Waits until the descriptor can do one of <paramref name="events"/>, is gone, or the deadline passes.</summary>
    /// <returns>What it can do; 0 at the deadline; -1 when it is gone.</returns>
    public static int Await(SafeFileHandle file, short events, MonotonicTime deadline)
    {
        while (true)
        {
            long left = Math.Max(0, deadline.NanosecondsSince(MonotonicTime.SystemNow()));
            var wait = new Timespec(left / 1_000_000_000, left % 1_000_000_000);
            var watched = new Watched((int)file.DangerousGetHandle(), events, 0);
            int ready = PollFiles(&watched, 1, in wait, 0);
            GC.KeepAlive(file);
            if (ready > 0)
            {
                // Bytes that arrived before the hang-up are still worth reading.
                return (watched.Found & events) != 0 ? watched.Found & events : -1;
            }

            if (ready == 0)
            {
                return 0;
            }

            if (Marshal.GetLastPInvokeError() != Interrupted)
            {
                return -1;
            }
        }
    }

    /// <summary>Reads what is there, waiting for the first byte; as <see cref="ISerialLine.Read"/>.</summary>
    public static int Read(SafeFileHandle file, Span<byte> into, TimeSpan wait)
    {
        var deadline = MonotonicTime.SystemNow() + wait;
        while (true)
        {
            int ready = Await(file, Readable, deadline);
            if (ready <= 0)
            {
                return ready;
            }

            nint count;
            fixed (byte* at = into)
            {
                count = ReadFile(file, at, into.Length);
            }

            if (count > 0)
            {
                return (int)count;
            }

            // Nothing although readable: the end of a line that was hung up.
            if (count == 0 || Marshal.GetLastPInvokeError() is not (Interrupted or TryAgain))
            {
                return -1;
            }
        }
    }

    /// <summary>Writes all of it; as <see cref="ISerialLine.Write"/>.</summary>
    public static bool Write(SafeFileHandle file, ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            nint count;
            fixed (byte* at = bytes)
            {
                count = WriteFile(file, at, bytes.Length);
            }

            if (count > 0)
            {
                bytes = bytes[(int)count..];
                continue;
            }

            int error = Marshal.GetLastPInvokeError();
            bool full = error == TryAgain && Await(file, Writable, MonotonicTime.SystemNow() + SerialLine.WritePatience) > 0;
            if (!full && error != Interrupted)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Turns a terminal into a plain line of bytes at <paramref name="baud"/>; false when it is not a terminal.</summary>
    public static bool MakeRaw(SafeFileHandle file, int baud)
    {
        const uint OtherBaud = 0x1000;      // BOTHER: the rate stands in the speed fields
        const uint EightBits = 0x30;        // CS8
        const uint Receive = 0x80;          // CREAD
        const uint NoModem = 0x800;         // CLOCAL
        const int MinimumBytes = 6;         // VMIN
        var settings = default(Termios2);
        if (Control(file, GetSettings, &settings) < 0)
        {
            return false;
        }

        // No HUPCL: a closing program must not pull DTR, which resets many boards.
        settings.Input = 0;
        settings.Output = 0;
        settings.Local = 0;
        settings.Hardware = OtherBaud | EightBits | Receive | NoModem;
        settings.InputSpeed = (uint)baud;
        settings.OutputSpeed = (uint)baud;
        for (int i = 0; i < 19; i++)
        {
            settings.Characters[i] = 0;
        }

        settings.Characters[MinimumBytes] = 1;
        return Control(file, SetSettings, &settings) >= 0;
    }

    /// <summary>Asks a USB adapter to hand bytes over at once; many wait 16 ms for more. Pseudo-terminals have no such thing.</summary>
    public static void HurryUp(SafeFileHandle file)
    {
        const int FlagsAt = 4;              // struct serial_struct: type, line, port, irq, flags, ...
        const int LowLatency = 0x2000;      // ASYNC_LOW_LATENCY
        int* serial = stackalloc int[32];   // 72 bytes today
        if (Control(file, GetSerial, serial) >= 0)
        {
            serial[FlagsAt] |= LowLatency;
            _ = Control(file, SetSerial, serial); // slower without, not wrong
        }
    }

    /// <summary>The newest error in words.</summary>
    public static string Error() => Marshal.GetLastPInvokeErrorMessage();

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial SafeFileHandle Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    public static partial int Control(SafeFileHandle file, nuint request, void* argument);

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    public static partial int Lock(SafeFileHandle file, int operation);

    [LibraryImport("libc", EntryPoint = "posix_openpt", SetLastError = true)]
    public static partial SafeFileHandle OpenMaster(int flags);

    [LibraryImport("libc", EntryPoint = "grantpt", SetLastError = true)]
    public static partial int Grant(SafeFileHandle master);

    [LibraryImport("libc", EntryPoint = "unlockpt", SetLastError = true)]
    public static partial int Unlock(SafeFileHandle master);

    [LibraryImport("libc", EntryPoint = "ptsname_r", SetLastError = true)]
    public static partial int NameOf(SafeFileHandle master, byte* name, nuint length);

    [LibraryImport("libc", EntryPoint = "ppoll", SetLastError = true)]
    private static partial int PollFiles(Watched* files, nuint count, in Timespec wait, nint signals);

    [LibraryImport("libc", EntryPoint = "read", SetLastError = true)]
    private static partial nint ReadFile(SafeFileHandle file, byte* buffer, nint count);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    private static partial nint WriteFile(SafeFileHandle file, byte* buffer, nint count);

    private readonly record struct Timespec(long Seconds, long Nanoseconds);

    private record struct Watched(int File, short Events, short Found);

    private struct Termios2
    {
        public uint Input;
        public uint Output;
        public uint Hardware;
        public uint Local;
        public byte Discipline;
        public fixed byte Characters[19];
        public uint InputSpeed;
        public uint OutputSpeed;
    }
}
