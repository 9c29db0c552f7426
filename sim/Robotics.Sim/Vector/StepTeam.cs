namespace Robotics.Sim;

/// <summary>Threads that share the items of a loop and meet at its end; the caller is one of them.</summary>
/// <remarks>
/// Items are claimed in blocks, so a thread that lost its core for a while holds nobody up longer than one block. Waiting spins for
/// some microseconds before it sleeps: steps follow each other closely. No allocation per run.
/// </remarks>
internal sealed class StepTeam : IDisposable
{
    private const int Spins = 200; // some 20 µs; then a sleeping thread costs less than the other core's heat

    private readonly Action<int> _work;
    private readonly Func<string?> _broken;
    private readonly Thread[] _workers;
    private readonly object _start = new(); // Monitor's, which a sleeping worker gives back while it waits
    private readonly SemaphoreSlim _finished = new(0);
    private int _generation; // written under _start
    private int _count;
    private int _block;
    private int _next;
    private int _busy;
    private volatile bool _stop;

    /// <summary>Starts the workers.</summary>
    /// <param name="threads">The caller included; at least 1.</param>
    /// <param name="work">Called once for every item, on any of the threads; never throws.</param>
    /// <param name="broken">Says why a worker will never come back; null while it may.</param>
    public StepTeam(int threads, Action<int> work, Func<string?> broken)
    {
        _work = work;
        _broken = broken;
        _workers = [.. Enumerable.Range(1, threads - 1).Select(i => new Thread(Serve) { Name = $"environments {i}", IsBackground = true })];
        foreach (var worker in _workers)
        {
            worker.Start();
        }
    }

    /// <summary>Works on items 0 to <paramref name="count"/> - 1 and returns when all are done.</summary>
    /// <exception cref="SimulatorFailedException">A worker will never come back.</exception>
    public void Run(int count)
    {
        if (_workers.Length == 0)
        {
            for (int i = 0; i < count; i++)
            {
                _work(i);
            }

            return;
        }

        _count = count;
        _block = Math.Max(1, count / (4 * (_workers.Length + 1)));
        _next = 0;
        _busy = _workers.Length;
        lock (_start)
        {
            _generation++;
            Monitor.PulseAll(_start);
        }

        Claim();
        var spin = new SpinWait();
        for (int i = 0; i < Spins && Volatile.Read(ref _busy) > 0; i++)
        {
            spin.SpinOnce(sleep1Threshold: -1);
        }

        // The last worker always releases once; taken here also where spinning saw the end.
        while (!_finished.Wait(500))
        {
            if (_broken() is { } why)
            {
                throw new SimulatorFailedException(why);
            }
        }
    }

    /// <summary>Ends the workers that can still end.</summary>
    public void Dispose()
    {
        if (_stop)
        {
            return;
        }

        lock (_start)
        {
            _stop = true;
            _generation++;
            Monitor.PulseAll(_start);
        }

        foreach (var worker in _workers)
        {
            worker.Join(1000);
        }
    }

    private void Serve()
    {
        int seen = 0;
        while (true)
        {
            Await(seen);
            seen++;
            if (_stop)
            {
                return;
            }

            Claim();
            if (Interlocked.Decrement(ref _busy) == 0)
            {
                _finished.Release();
            }
        }
    }

    private void Await(int seen)
    {
        var spin = new SpinWait();
        for (int i = 0; i < Spins; i++)
        {
            if (Volatile.Read(ref _generation) != seen)
            {
                return;
            }

            spin.SpinOnce(sleep1Threshold: -1);
        }

        lock (_start)
        {
            while (_generation == seen)
            {
                Monitor.Wait(_start);
            }
        }
    }

    private void Claim()
    {
        while (true)
        {
            int from = Interlocked.Add(ref _next, _block) - _block;
            if (from >= _count)
            {
                return;
            }

            int to = Math.Min(from + _block, _count);
            for (int i = from; i < to; i++)
            {
                _work(i);
            }
        }
    }
}
