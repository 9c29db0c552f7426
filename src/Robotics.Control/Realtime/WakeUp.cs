using System.Runtime.InteropServices;

namespace Robotics.Control;

/// <summary>Wakes one waiting thread without a lock or an allocation on the side that wakes: eventfd on Linux, an
/// <see cref="AutoResetEvent"/> elsewhere. Signals before a wait are remembered.</summary>
internal sealed class WakeUp : IDisposable
{
    private readonly int _file = -1;
    private readonly AutoResetEvent? _portable;

    public WakeUp()
    {
        if (OperatingSystem.IsLinux())
        {
            _file = Libc.Eventfd(0, 0);
            if (_file < 0)
            {
                throw new IOException($"No event descriptor for the inference thread: {Marshal.GetLastPInvokeErrorMessage()}.");
            }
        }
        else
        {
            _portable = new AutoResetEvent(false);
        }
    }

    public unsafe void Signal()
    {
        if (_portable is not null)
        {
            _portable.Set();
            return;
        }

        ulong one = 1;
        // Blocks only at 2^64-2 unread signals; interrupted writes are repeated.
        while (Libc.Write(_file, &one, sizeof(ulong)) < 0 && Marshal.GetLastPInvokeError() == Libc.Eintr)
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
        _ = Libc.Read(_file, &count, sizeof(ulong));
    }

    public void Dispose()
    {
        _portable?.Dispose();
        if (_file >= 0)
        {
            _ = Libc.Close(_file);
        }
    }
}
