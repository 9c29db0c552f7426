using System.Runtime.InteropServices;

namespace Robotics.Control;

/// <summary>What one thread asked of the operating system and what it got. Data, not a condition: a loop without real-time
/// scheduling runs, only less punctually, and says so.</summary>
/// <param name="Thread">Name of the thread.</param>
/// <param name="Asked">For example <c>SCHED_FIFO 80, timer slack 1 ns, mlockall</c>.</param>
/// <param name="Granted">The part that was granted; "nothing" when none.</param>
/// <param name="Refused">One sentence per refusal: what, the system's own words, and what would help.</param>
public sealed record SchedulingReport(string Thread, string Asked, string Granted, IReadOnlyList<string> Refused)
{
    /// <summary>True when everything that was asked was granted.</summary>
    public bool Complete => Refused.Count == 0;

    /// <summary>One line for people.</summary>
    public override string ToString() =>
        Refused.Count == 0 ? $"{Thread}: {Granted}" : $"{Thread}: asked {Asked}; granted {Granted}; {string.Join("; ", Refused)}";
}

/// <summary>A dedicated thread that asks for real-time scheduling before its body starts. Nothing it asks for is required.</summary>
public sealed class RealTimeThread
{
    private readonly Thread _thread;
    private readonly TaskCompletionSource<SchedulingReport> _report = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private RealTimeThread(string name, Func<SchedulingReport> prepare, Action body)
    {
        _thread = new Thread(() =>
        {
            try
            {
                _report.SetResult(prepare());
            }
            catch (Exception error)
            {
                _report.SetException(error); // a C library without these calls: the starter hears it
                return;
            }

            body();
        })
        {
            Name = name,
            IsBackground = true,
        };
    }

    /// <summary>What was asked and what was granted.</summary>
    public SchedulingReport Report => _report.Task.GetAwaiter().GetResult();

    /// <summary>Starts <paramref name="body"/> on a thread of its own; returns once the system has answered its requests.</summary>
    /// <param name="name">Name of the thread, for the report and for debuggers.</param>
    /// <param name="priority">SCHED_FIFO priority, 1 to 99.</param>
    /// <param name="cpu">Processor to pin to; null: any.</param>
    /// <param name="options">What else to ask.</param>
    /// <param name="body">Runs to the thread's end; must not throw.</param>
    public static RealTimeThread Start(string name, int priority, int? cpu, SchedulingOptions options, Action body)
    {
        ArgumentNullException.ThrowIfNull(options);
        var thread = new RealTimeThread(name, () => Ask(name, priority, cpu, options), body);
        thread._thread.Start();
        _ = thread.Report;
        return thread;
    }

    /// <summary>Waits for the end of the body; false when it did not end in time.</summary>
    public bool Join(TimeSpan patience) => _thread.Join(patience);

    /// <summary>Asks for the calling thread.</summary>
    internal static unsafe SchedulingReport Ask(string name, int priority, int? cpu, SchedulingOptions options)
    {
        if (!options.RealTime)
        {
            return new(name, "nothing", "nothing", []);
        }

        if (!OperatingSystem.IsLinux())
        {
            Thread.CurrentThread.Priority = ThreadPriority.Highest;
            return new(name, $"SCHED_FIFO {priority}", "highest thread priority", ["real-time scheduling is implemented for Linux only"]);
        }

        List<string> asked = [];
        List<string> granted = [];
        List<string> refused = [];

        int* parameter = stackalloc int[1] { priority };
        Note($"SCHED_FIFO {priority}", Libc.SchedSetscheduler(0, Libc.SchedFifo, parameter), "run as root, or give CAP_SYS_NICE or an rtprio limit");
        Note("timer slack 1 ns", Libc.Prctl(Libc.PrSetTimerslack, 1, 0, 0, 0), "");
        if (cpu is { } pinned)
        {
            ulong* mask = stackalloc ulong[16];
            new Span<ulong>(mask, 16).Clear();
            mask[pinned / 64] = 1UL << (pinned % 64);
            Note($"processor {pinned}", Libc.SchedSetaffinity(0, 16 * sizeof(ulong), mask), "name a processor this process may use");
        }

        if (options.LockMemory)
        {
            // ONFAULT: what the loop has touched stays; the collector's reserved but unused memory is not dragged in.
            Note("mlockall", Libc.Mlockall(Libc.MclCurrent | Libc.MclFuture | Libc.MclOnfault), "give CAP_IPC_LOCK or raise the memlock limit");
        }

        return new(name, string.Join(", ", asked), granted.Count == 0 ? "nothing" : string.Join(", ", granted), refused);

        void Note(string what, int result, string help)
        {
            asked.Add(what);
            if (result == 0)
            {
                granted.Add(what);
                return;
            }

            string why = Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError());
            refused.Add($"{what} refused: {why}" + (help.Length == 0 ? "" : $" ({help})"));
        }
    }
}
