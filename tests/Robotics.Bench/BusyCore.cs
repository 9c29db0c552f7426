using Robotics.Control;

namespace Robotics.Bench;

/// <summary>A thread that does nothing but keep one processor busy.</summary>
internal sealed class BusyCore : IDisposable
{
    private readonly RealTimeThread _thread;
    private volatile bool _enough;

    public BusyCore(int processor) => _thread = RealTimeThread.Start("busy", 0, processor, new SchedulingOptions { LockMemory = false }, () =>
    {
        while (!_enough)
        {
            Thread.SpinWait(1000);
        }
    });

    public void Dispose()
    {
        _enough = true;
        _thread.Join(TimeSpan.FromSeconds(5));
    }
}
