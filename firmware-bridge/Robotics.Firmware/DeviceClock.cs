namespace Robotics.Firmware;

/// <summary>Translates a device's microsecond clock to this machine's: offset and drift from time exchanges.</summary>
/// <remarks>
/// Of every window of exchanges the one with the shortest round trip counts, because it waited least; the slope between the two
/// newest such anchors is the drift of the device's crystal. Error of the offset: at most half that round trip. Owner: the thread
/// that reads the link; <see cref="OffsetNs"/>, <see cref="RoundTripNs"/> and <see cref="ToDevice"/> may be read by any.
/// <para>Source: the clock filter of NTP (RFC 5905, section 10).</para>
/// </remarks>
public sealed class DeviceClock
{
    private const int Window = 16;
    private const double WorstDrift = 200e-6; // of any crystal that still deserves the name

    private Sample _best;
    private Sample _anchor;
    private int _inWindow;
    private int _anchors;
    private double _drift; // device seconds per local second, minus 1
    private long _localNs;  // reference: at this local instant
    private long _offsetNs; // the device's clock was ahead by this
    private long _roundTripNs;
    private long _known;

    /// <summary>True after the first exchange.</summary>
    public bool Known => Volatile.Read(ref _known) != 0;

    /// <summary>Device clock minus local clock, ns, at the newest reference.</summary>
    public long OffsetNs => Volatile.Read(ref _offsetNs);

    /// <summary>Round trip of the newest exchange, ns, the device's own time excluded.</summary>
    public long RoundTripNs => Volatile.Read(ref _roundTripNs);

    /// <summary>Drift of the device's clock against ours; 1e-6 is one microsecond per second.</summary>
    public double Drift => Volatile.Read(ref _drift);

    /// <summary>Forgets everything: the device was restarted, or is another one.</summary>
    public void Reset()
    {
        _inWindow = 0;
        _anchors = 0;
        Volatile.Write(ref _drift, 0);
        Volatile.Write(ref _known, 0);
    }

    /// <summary>Adds an exchange.</summary>
    /// <param name="sent">Ours, when the question left.</param>
    /// <param name="arrivedUs">The device's, when it arrived.</param>
    /// <param name="answeredUs">The device's, when the answer left.</param>
    /// <param name="received">Ours, when the answer arrived.</param>
    public void Add(MonotonicTime sent, ulong arrivedUs, ulong answeredUs, MonotonicTime received)
    {
        long inside = (long)(answeredUs - arrivedUs) * 1000;
        long roundTrip = received.NanosecondsSince(sent) - inside;
        if (roundTrip < 0 || inside < 0)
        {
            return; // no answer to this question
        }

        var sample = new Sample(sent.Nanoseconds + ((received.Nanoseconds - sent.Nanoseconds) / 2), ((long)arrivedUs * 1000) + (inside / 2), roundTrip);
        Volatile.Write(ref _roundTripNs, roundTrip);
        if (_inWindow == 0 || sample.RoundTripNs < _best.RoundTripNs)
        {
            _best = sample;
            if (!Known || _anchors == 0 || sample.RoundTripNs <= 2 * _anchor.RoundTripNs)
            {
                Refer(sample);
            }
        }

        if (++_inWindow == Window)
        {
            Anchor(_best);
            _inWindow = 0;
        }
    }

    /// <summary>The local instant at which the device's clock said <paramref name="deviceUs"/>.</summary>
    public MonotonicTime ToLocal(ulong deviceUs)
    {
        long local = ((long)deviceUs * 1000) - OffsetNs;
        return new(local - DriftedNs(local));
    }

    /// <summary>What the device's clock says at <paramref name="local"/>, us.</summary>
    public ulong ToDevice(MonotonicTime local)
    {
        long now = local.Nanoseconds;
        return (ulong)Math.Max(0, (now + OffsetNs + DriftedNs(now)) / 1000);
    }

    private void Anchor(in Sample newest)
    {
        if (_anchors > 0)
        {
            double local = newest.LocalNs - _anchor.LocalNs;
            double drift = (newest.DeviceNs - _anchor.DeviceNs - local) / local;
            double doubt = (newest.RoundTripNs + _anchor.RoundTripNs) / (2 * local);
            if (doubt < WorstDrift && Math.Abs(drift) < 2 * WorstDrift)
            {
                // The first slope counts whole; later ones smooth its noise away.
                Volatile.Write(ref _drift, _anchors == 1 ? drift : Drift + (0.25 * (drift - Drift)));
            }
        }

        _anchor = newest;
        _anchors++;
        Refer(newest);
    }

    // How far the device's clock has run away since the reference.
    private long DriftedNs(long localNs) => (long)((localNs - Volatile.Read(ref _localNs)) * Drift);

    // A reader between the two writes is off by the drift over the time between two references: tens of nanoseconds.
    private void Refer(in Sample sample)
    {
        Volatile.Write(ref _offsetNs, sample.DeviceNs - sample.LocalNs);
        Volatile.Write(ref _localNs, sample.LocalNs);
        Volatile.Write(ref _known, 1);
    }

    private readonly record struct Sample(long LocalNs, long DeviceNs, long RoundTripNs);
}
