using System.ComponentModel;
using System.Diagnostics;

namespace Robotics.Host;

/// <summary>The priority of everything in this process that is not a real-time thread: link, broker, recorder. Above ordinary
/// programs, so that a compiler next door does not age an observation.</summary>
internal static class ProcessPriority
{
    /// <summary>Asks for it before other threads start, which inherit it; false when the system said no.</summary>
    public static bool Raise()
    {
        try
        {
            using var process = Process.GetCurrentProcess();
            process.PriorityClass = ProcessPriorityClass.High;
            return true;
        }
        catch (Exception refused) when (refused is Win32Exception or PlatformNotSupportedException)
        {
            return false;
        }
    }
}
