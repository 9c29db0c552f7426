namespace Robotics.Fleet;

/// <summary>Numbers the frames of a lease and finds the loop's own command number again in what the robot reports. Holds carry no
/// number of the loop's, but every frame on the wire needs one that grows.</summary>
/// <remarks><see cref="Next"/> belongs to the loop thread, <see cref="Find"/> to the receiver.</remarks>
internal sealed class AppliedSequences
{
    private const int Remembered = 1024; // frames; the robot reports the newest applied one, which is a few frames old

    private readonly ulong[] _wire = new ulong[Remembered];
    private readonly ulong[] _loop = new ulong[Remembered];
    private uint _epoch;
    private ulong _last;
    private uint _foundEpoch;
    private ulong _foundWire;
    private ulong _foundLoop;

    /// <summary>The next frame's number.</summary>
    /// <param name="epoch">Lease; a new one starts again at 1.</param>
    /// <param name="sequence">The loop's number of the command; 0 for a hold.</param>
    public ulong Next(uint epoch, ulong sequence)
    {
        if (epoch != _epoch)
        {
            _epoch = epoch;
            _last = 0;
        }

        ulong wire = ++_last;
        int at = (int)(wire % Remembered);
        Volatile.Write(ref _wire[at], 0); // unreadable while it changes
        Volatile.Write(ref _loop[at], sequence);
        Volatile.Write(ref _wire[at], wire);
        return wire;
    }

    /// <summary>The loop's number of frame <paramref name="wire"/> of lease <paramref name="epoch"/>; 0 when there is none.</summary>
    public ulong Find(uint epoch, ulong wire)
    {
        if (epoch != _foundEpoch)
        {
            _foundEpoch = epoch; // another lease counts from 1 again
            _foundWire = 0;
        }

        if (wire == 0 || wire == _foundWire)
        {
            return wire == 0 ? 0 : _foundLoop;
        }

        int at = (int)(wire % Remembered);
        ulong sequence = Volatile.Read(ref _loop[at]);
        if (Volatile.Read(ref _wire[at]) != wire)
        {
            return 0;
        }

        _foundWire = wire;
        _foundLoop = sequence;
        return sequence;
    }
}
