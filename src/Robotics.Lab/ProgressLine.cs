using System.Diagnostics;

namespace Robotics.Lab;

/// <summary>One line on standard error that says how far a long job is and how long it will take; rewritten in place on a terminal,
/// a line every ten seconds elsewhere. Any thread.</summary>
internal sealed class ProgressLine(string what, long total) : IDisposable
{
    private readonly Lock _lock = new();
    private readonly long _began = Stopwatch.GetTimestamp();
    private readonly bool _terminal = !Console.IsErrorRedirected;
    private long _last;
    private long _from = -1;
    private bool _open;

    /// <summary>Says where the job is, at most ten times a second.</summary>
    /// <param name="done">Of the total.</param>
    /// <param name="more">What else to say.</param>
    public void Report(long done, string more)
    {
        lock (_lock)
        {
            _from = _from < 0 ? done : _from;
            long now = Stopwatch.GetTimestamp();
            var every = _terminal ? TimeSpan.FromSeconds(0.1) : TimeSpan.FromSeconds(10);
            if (done < total && _last != 0 && Stopwatch.GetElapsedTime(_last, now) < every)
            {
                return;
            }

            _last = now;
            var spent = Stopwatch.GetElapsedTime(_began, now);
            string left = done > _from && done < total ? $", {Short(spent / (done - _from) * (total - done))} left" : "";
            string line = $"{what} {done}/{total}  {more}  {Short(spent)}{left}";
            if (_terminal)
            {
                Console.Error.Write($"\r\e[K{line}");
                _open = true;
            }
            else
            {
                Console.Error.WriteLine(line);
            }
        }
    }

    public void Dispose()
    {
        if (_open)
        {
            Console.Error.WriteLine();
            _open = false;
        }
    }

    private static string Short(TimeSpan time) => time.TotalMinutes >= 1 ? $"{(int)time.TotalMinutes} min {time.Seconds:00} s" : $"{time.TotalSeconds:F0} s";
}
