namespace Robotics.Tests;

/// <summary>Managed bytes that a piece of work allocates.</summary>
internal static class Allocated
{
    /// <summary>Runs the work three times on the calling thread; the least bytes of the three.</summary>
    /// <remarks>The runtime counts the unused rest of a thread's allocation context (up to 8 KiB) as allocated when a background
    /// collection passes, which other tests cause. Work that does allocate does so all three times.</remarks>
    public static long ByThisThread(Action work) => Least(GC.GetAllocatedBytesForCurrentThread, work);

    /// <summary>The same for a counter that somebody else keeps.</summary>
    public static long Least(Func<long> counter, Action work)
    {
        counter(); // what is compiled on first use
        long least = long.MaxValue;
        for (int run = 0; run < 3 && least > 0; run++)
        {
            long before = counter();
            work();
            least = Math.Min(least, counter() - before);
        }

        return least;
    }
}
