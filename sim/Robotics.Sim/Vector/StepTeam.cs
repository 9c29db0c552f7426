namespace Robotics.Sim;

/// <summary>Threads that share the items of a loop; the caller is one of them.</summary>
/// <remarks>
/// Items are claimed in blocks, and a run is over when all items are done, not when all threads came by: one that lost its core holds
/// nobody up longer than the block it had begun. Waiting spins for some microseconds before it sleeps, because steps follow
/// each other closely. No allocation per run.
/// </remarks>
internal sealed class StepTeam : IDisposable
{
    private const int Spins = 200; // some 20 µs; a sleeping thread costs a system call to wake

    private readonly int _count;
    private readonly int _block;
    private readonly Action<int, int> _work;
    private readonly Func<string?> _broken;
    private readonly Thread[] _workers;
    private readonly object _start = new(); // Monitors, which a sleeper gives back while it waits
    private readonly object _end = new();
    private long _claims; // run in the upper half, next item in the lower: a claim for an earlier run cannot succeed
    private int _run;     // written under _start
    private int _done;    // items of this run
    private volatile bool _stop;

    /// <summary>Starts the workers.</summary>
    /// <param name="count">Items of a run.</param>
    /// <param name="threads">The caller included; at least 1.</param>
    /// <param name="work">Works on items [from, to), on any of the threads; never throws.</param>
    /// <param name="broken">Says why a worker will never come back; null while it may.</param>
    public StepTeam(int count, int threads, Action<int, int> work, Func<string?> broken)
    {
        _count = count;
        _block = Math.Max(1, count / (4 * threads));
        _work = work;
        _broken = broken;
        _workers = [.. Enumerable.Range(1, threads - 1).Select(i => new Thread(Serve) { Name = $"environments {i}", IsBackground = true })];
        foreach (var worker in _workers)
        {
            worker.Start();
        }
    }

    /// <summary>Works on every item and returns when all are done.</summary>
    /// <exception cref="SimulatorFailedException">A worker will never come back.</exception>
    public void Run()
    {
        if (_workers.Length == 0)
        {
            _work(0, _count);
            return;
        }

        _done = 0;
        int run;
        lock (_start)
        {
            run = _run + 1;
            Volatile.Write(ref _claims, (long)run << 32); // first, so that whoever sees the run finds its items
            Volatile.Write(ref _run, run);
            Monitor.PulseAll(_start);
        }

        Claim(run);
        var spin = new SpinWait();
        for (int i = 0; i < Spins && Volatile.Read(ref _done) < _count; i++)
        {
            spin.SpinOnce(sleep1Threshold: -1);
        }

        if (Volatile.Read(ref _done) < _count)
        {
            Sleep();
        }
    }

    /// <summary>Ends the workers that can still end.</summary>
    public void Dispose()
    {
        lock (_start)
        {
            _stop = true;
            _run++;
            Monitor.PulseAll(_start);
        }

        foreach (var worker in _workers)
        {
            worker.Join(1000);
        }
    }

    private void Sleep()
    {
        lock (_end)
        {
            while (Volatile.Read(ref _done) < _count)
            {
                if (!Monitor.Wait(_end, 500) && _broken() is { } why)
                {
                    throw new SimulatorFailedException(why);
                }
            }
        }
    }

    private void Serve()
    {
        int seen = 0;
        while (true)
        {
            seen = Await(seen);
            if (_stop)
            {
                return;
            }

            Claim(seen);
        }
    }

    /// <summary>Waits for a run other than <paramref name="seen"/>; returns it.</summary>
    private int Await(int seen)
    {
        var spin = new SpinWait();
        for (int i = 0; i < Spins; i++)
        {
            int run = Volatile.Read(ref _run);
            if (run != seen)
            {
                return run;
            }

            spin.SpinOnce(sleep1Threshold: -1);
        }

        lock (_start)
        {
            while (_run == seen)
            {
                Monitor.Wait(_start);
            }

            return _run;
        }
    }

    private void Claim(int run)
    {
        while (true)
        {
            long claims = Volatile.Read(ref _claims);
            int from = (int)claims;
            if ((int)(claims >> 32) != run || from >= _count)
            {
                return;
            }

            int to = Math.Min(from + _block, _count);
            if (Interlocked.CompareExchange(ref _claims, ((long)run << 32) | (uint)to, claims) != claims)
            {
                continue; // somebody else was faster
            }

            _work(from, to);
            if (Interlocked.Add(ref _done, to - from) == _count)
            {
                lock (_end)
                {
                    Monitor.PulseAll(_end);
                }
            }
        }
    }
}
