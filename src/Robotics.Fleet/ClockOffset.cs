namespace Robotics.Fleet;

/// <summary>Estimates another machine's clock from time requests: of a sliding window the exchange with the shortest round trip
/// counts, because its path was the least congested.</summary>
/// <remarks>Source: the clock filter of NTP (RFC 5905, section 10). Exact when both directions take equally long; a one-sided delay
/// of d shifts it by d/2 once the window holds nothing older. Owner: one thread; reading is safe from any.</remarks>
public sealed class ClockOffset
{
    private const int Window = 64;

    private readonly (long RoundTripNs, long OffsetNs)[] _samples = new (long, long)[Window];
    private long _count;
    private long _offsetNs;
    private long _roundTripNs;

    /// <summary>True once there was an exchange.</summary>
    public bool Known => Volatile.Read(ref _count) > 0;

    /// <summary>Their clock minus ours, ns.</summary>
    public long OffsetNs => Volatile.Read(ref _offsetNs);

    /// <summary>Round trip of the newest exchange, ns, the answerer's own time excluded.</summary>
    public long RoundTripNs => Volatile.Read(ref _roundTripNs);

    /// <summary>Adds an exchange.</summary>
    /// <param name="sent">Ours, when the request left.</param>
    /// <param name="arrived">Theirs, when it arrived.</param>
    /// <param name="answered">Theirs, when the answer left.</param>
    /// <param name="received">Ours, when the answer arrived.</param>
    public void Add(MonotonicTime sent, MonotonicTime arrived, MonotonicTime answered, MonotonicTime received)
    {
        long roundTrip = received.NanosecondsSince(sent) - answered.NanosecondsSince(arrived);
        long offset = (arrived.NanosecondsSince(sent) + answered.NanosecondsSince(received)) / 2;
        if (roundTrip < 0)
        {
            return; // an answer to nothing that was asked
        }

        long count = _count;
        _samples[count % Window] = (roundTrip, offset);
        var best = _samples[0];
        for (int i = 1; i < Math.Min(count + 1, Window); i++)
        {
            best = _samples[i].RoundTripNs < best.RoundTripNs ? _samples[i] : best;
        }

        Volatile.Write(ref _offsetNs, best.OffsetNs);
        Volatile.Write(ref _roundTripNs, roundTrip);
        Volatile.Write(ref _count, count + 1);
    }
}
