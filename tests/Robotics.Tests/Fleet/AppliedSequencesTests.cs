using Robotics.Fleet;

namespace Robotics.Tests.Fleet;

public sealed class AppliedSequencesTests
{
    private readonly AppliedSequences _sequences = new();

    [Fact]
    public void Find_AcrossHolds_GivesTheLoopsOwnNumber()
    {
        ulong first = _sequences.Next(1, 10);
        ulong hold = _sequences.Next(1, 0);
        ulong second = _sequences.Next(1, 11);

        Assert.Equal((1UL, 2UL, 3UL), (first, hold, second));
        Assert.Equal((10UL, 0UL, 11UL), (_sequences.Find(1, first), _sequences.Find(1, hold), _sequences.Find(1, second)));
        Assert.Equal(0UL, _sequences.Find(1, 0));
        Assert.Equal(0UL, _sequences.Find(1, 4));
    }

    [Fact]
    public void Find_InTheNextLease_ForgetsTheOneBefore()
    {
        _sequences.Next(1, 10);
        Assert.Equal(10UL, _sequences.Find(1, 1));

        Assert.Equal(1UL, _sequences.Next(2, 0));
        _sequences.Next(2, 1);

        Assert.Equal(0UL, _sequences.Find(2, 1));
        Assert.Equal(1UL, _sequences.Find(2, 2));
    }

    [Fact]
    public void Find_OfAFrameLongGone_KeepsWhatWasFoundAndInventsNothing()
    {
        ulong applied = _sequences.Next(1, 7);
        Assert.Equal(7UL, _sequences.Find(1, applied));
        for (int i = 0; i < 5000; i++)
        {
            _sequences.Next(1, 0);
        }

        Assert.Equal(7UL, _sequences.Find(1, applied)); // the robot still reports it while it holds
        Assert.Equal(0UL, _sequences.Find(1, 2));
    }
}
