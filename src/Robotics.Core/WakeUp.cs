using System.Runtime.InteropServices;

namespace Robotics;

/// <summary>Wakes one waiting thread without a lock or an allocation on the side that wakes: eventfd on Linux, an
/// <see cref="AutoResetEvent"/> elsewhere. Signals before a wait are remembered.</summary>
public sealed partial class WakeUp : IDisposable
{
    private const int Interrupted = 4; // EINTR

    private readonly int _file = -1;
    private readonly AutoResetEvent? _portable;

    /// <summary>Creates it, unsignalled.</summary>
    /// <exception cref="IOException">The system has no descriptor left.</exception>
    public WakeUp()
    {
        if (OperatingSystem.IsLinux())
        {
            _file = Eventfd(0, 0);
            if (_file < 0)
            {
                throw new IOException($"No event descriptor: {Marshal.GetLastPInvokeErrorMessage()}.");
            }
        }
        else
        {
            _portable = new AutoResetEvent(false);
        }
    }

    /// <summary>Wakes the waiting thread, or the next that waits; any thread.</summary>
    public unsafe void Signal()
    {
        if (_portable is not null)
        {
            _portable.Set();
            return;
        }

        ulong one = 1;
        // Blocks only at 2^64-2 unread signals; interrupted writes are repeated.
        while (Write(_file, &one, sizeof(ulong)) < 0 && Marshal.GetLastPInvokeError() == Interrupted)
        {
        }
    }

    /// <summary>Returns after a signal; may return without one.</summary>
    public unsafe void Wait()
    {
        if (_portable is not null)
        {
            _portable.WaitOne();
            return;
        }

        ulong count;
        _ = Read(_file, &count, sizeof(ulong));
    }

    /// <summary>Frees the descriptor; nobody may be waiting.</summary>
    public void Dispose()
    {
        _portable?.Dispose();
        if (_file >= 0)
        {
            _ = Close(_file);
        }
    }

    [LibraryImport("libc", EntryPoint = "read", SetLastError = true)]
    private static unsafe partial nint Read(int file, void* buffer, nint count);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    private static unsafe partial nint Write(int file, void* buffer, nint count);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int file);

    [LibraryImport("libc", EntryPoint = "eventfd", SetLastError = true)]
    private static partial int Eventfd(uint initial, int flags);
}
