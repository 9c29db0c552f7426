namespace Robotics;

/// <summary>A robot's newest measurement on its way from the thread that measures to the loop that reads, without locks, waiting or
/// allocation: what every <see cref="IRobot.Read"/> of a robot that is there comes to.</summary>
/// <remarks>Exactly one writing and one reading thread.</remarks>
/// <param name="length">Elements of the robot's signal frame.</param>
public sealed class NewestObservation(int length)
{
    private readonly TripleBuffer<Observation> _slots = new(() => new Observation(length));
    private bool _read; // the reader has had one

    /// <summary>Writer: the measurement to fill; of some time ago, so fill all of it.</summary>
    public Observation Back => _slots.Back;

    /// <summary>Writer: hands <see cref="Back"/> over.</summary>
    public void Publish() => _slots.Publish();

    /// <summary>Reader: copies the newest measurement into <paramref name="into"/>, once.</summary>
    /// <returns>Fresh; Repeated when it has been read; Missing when there was none yet.</returns>
    public ReadStatus Read(Observation into)
    {
        if (!_slots.Take())
        {
            return _read ? ReadStatus.Repeated : ReadStatus.Missing;
        }

        _read = true;
        _slots.Front.CopyTo(into);
        return ReadStatus.Fresh;
    }
}
