using Robotics.Numerics;

namespace Robotics.Fleet;

/// <summary>Hands messages on later, some never, some twice, some out of order: <see cref="LinkFault"/> for one direction.</summary>
/// <remarks>A thread of its own, absolute deadlines. <see cref="Add"/> may be called from any thread and does not wait.</remarks>
internal sealed class DelayLine : IDisposable
{
    private static readonly TimeSpan Slice = TimeSpan.FromMilliseconds(0.5); // an earlier message may be added while it sleeps

    private readonly LinkFault _fault;
    private readonly TimeSpan _delay;
    private readonly Action<Memory<byte>> _deliver;
    private readonly SeededRandom _random;
    private readonly PriorityQueue<byte[], (long Due, long Order)> _waiting = new();
    private readonly Lock _lock = new();
    private readonly Thread _thread;
    private readonly MonotonicTime _begins;
    private volatile bool _disposed;
    private long _order;

    public DelayLine(string name, LinkFault fault, TimeSpan delay, ulong stream, Action<Memory<byte>> deliver)
    {
        _fault = fault;
        _delay = delay;
        _deliver = deliver;
        _random = new SeededRandom(fault.Seed + stream);
        _begins = MonotonicTime.SystemNow() + fault.After;
        _thread = new Thread(Run) { Name = name, IsBackground = true };
        _thread.Start();
    }

    public void Add(ReadOnlySpan<byte> message)
    {
        long now = MonotonicTime.SystemNow().Nanoseconds;
        lock (_lock)
        {
            if (now < _begins.Nanoseconds)
            {
                _waiting.Enqueue(message.ToArray(), (now, _order++));
                return;
            }

            // Always three draws, so that one rate does not change what another one hits.
            bool drop = _random.NextDouble() < _fault.DropRate;
            bool twice = _random.NextDouble() < _fault.DuplicateRate;
            bool late = _random.NextDouble() < _fault.ReorderRate;
            if (drop)
            {
                return;
            }

            double grown = _fault.Ramp > TimeSpan.Zero ? Math.Min(1, (now - _begins.Nanoseconds) / (_fault.Ramp.Ticks * 100.0)) : 1;
            long due = now + (((_delay * grown) + (late ? _fault.ReorderBy : TimeSpan.Zero)).Ticks * 100);
            byte[] copy = message.ToArray();
            _waiting.Enqueue(copy, (due, _order++));
            if (twice)
            {
                _waiting.Enqueue(copy, (due, _order++));
            }
        }
    }

    public void Dispose()
    {
        _disposed = true;
        _thread.Join();
    }

    private void Run()
    {
        while (!_disposed)
        {
            var now = MonotonicTime.SystemNow();
            var until = now + Slice;
            byte[]? due = null;
            lock (_lock)
            {
                if (_waiting.TryPeek(out _, out var next))
                {
                    until = next.Due < until.Nanoseconds ? new(next.Due) : until;
                    due = next.Due <= now.Nanoseconds ? _waiting.Dequeue() : null;
                }
            }

            if (due is null)
            {
                PreciseSleep.Until(until);
            }
            else
            {
                _deliver(due);
            }
        }
    }
}
