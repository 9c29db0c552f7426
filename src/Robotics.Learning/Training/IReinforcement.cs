using Robotics.Learning.Networks;
using Robotics.Numerics;

namespace Robotics.Learning.Training;

/// <summary>A reinforcement learner, as the run around it sees it.</summary>
/// <remarks>
/// Everything it draws comes from <see cref="RandomStream"/>, named by seed and round, so there is no random state to save; everything else
/// that the next round depends on is what <see cref="Write"/> writes. One thread owns it.
/// </remarks>
public interface IReinforcement : IDisposable
{
    /// <summary>The method's name.</summary>
    string Name { get; }

    /// <summary>Method, settings, sizes and data in words: a checkpoint of another run is refused by it.</summary>
    string Fingerprint { get; }

    /// <summary>Names of the numbers that <see cref="Report"/> gives.</summary>
    IReadOnlyList<string> Columns { get; }

    /// <summary>Steps taken: of the environment, or updates where there is only data.</summary>
    long Steps { get; }

    /// <summary>The policy as it stands.</summary>
    Actor Actor { get; }

    /// <summary>Called at the start of a run and before every checkpoint: episodes start anew, so that a run that goes on from there
    /// does what one that was never interrupted does.</summary>
    void Begin();

    /// <summary>One round: some steps, the updates that go with them.</summary>
    /// <exception cref="InvalidOperationException">An environment or a loss gave no number.</exception>
    void Advance();

    /// <summary>Means since the last call, in the order of <see cref="Columns"/>; NaN where there was nothing to average.</summary>
    void Report(Span<double> line);

    /// <summary>Everything that the next round depends on.</summary>
    void Write(BinaryWriter writer);

    /// <summary>What <see cref="Write"/> wrote.</summary>
    void Read(BinaryReader reader);
}

/// <summary>A learner with critics that other policies can be steered by.</summary>
public interface IActorCritic : IReinforcement
{
    /// <summary>The critics, Q(s, a).</summary>
    Critic Q { get; }
}

/// <summary>Random streams named by numbers.</summary>
public static class RandomStream
{
    /// <summary>The seed of the stream that belongs to a seed and two numbers; unrelated to that of any other three.</summary>
    public static ulong Seed(ulong seed, long round, ulong purpose)
    {
        var random = new SeededRandom(seed);
        random.Reset(random.NextBits() ^ (ulong)round);
        random.Reset(random.NextBits() ^ purpose);
        return random.NextBits();
    }
}

/// <summary>Means of named numbers between two lines of metrics.</summary>
internal sealed class Means(int count)
{
    private readonly double[] _sums = new double[count];
    private readonly long[] _counts = new long[count];

    public void Add(int column, double value)
    {
        _sums[column] += value;
        _counts[column]++;
    }

    public void Take(Span<double> line)
    {
        for (int i = 0; i < _sums.Length; i++)
        {
            line[i] = _counts[i] == 0 ? double.NaN : _sums[i] / _counts[i];
            (_sums[i], _counts[i]) = (0, 0);
        }
    }
}
