using Robotics.Numerics;

namespace Robotics.Tests.Core.Numerics;

public sealed class ChunkEnsembleTests
{
    [Fact]
    public void Mix_OfFourChunks_WeighsThemAsPublished()
    {
        // The policy cards' appendix, A.8: m = 0.01, four predictions, oldest first. Each element shows one chunk's weight.
        var ensemble = new ChunkEnsemble(4, 4, 1, 0.01);
        for (int plan = 0; plan < 4; plan++)
        {
            var chunk = new float[16];
            for (int row = 0; row < 4; row++)
            {
                chunk[(4 * row) + plan] = 1;
            }

            ensemble.Add(plan, chunk);
        }

        var mixed = new float[4];
        Assert.Equal(4, ensemble.Mix(3, mixed));
        Assert.Equal([.253762, .251237, .248738, .246263], mixed.Select(w => Math.Round(w, 6)));
    }

    [Fact]
    public void Mix_TakesTheRowThatEachChunkHasForTheTick()
    {
        var ensemble = new ChunkEnsemble(3, 1, 2, 0);
        ensemble.Add(10, [0, 1, 2]);
        ensemble.Add(13, [10, 11, 12]); // in the middle of the first one's row 1
        float[] row = [-1];
        Assert.Equal(0, ensemble.Mix(9, row));
        Assert.Equal(-1, row[0]);
        Assert.Equal((1, 1f), (ensemble.Mix(12, row), row[0]));
        Assert.Equal((2, 5.5f), (ensemble.Mix(13, row), row[0]));  // 1 and 10
        Assert.Equal((2, 6.5f), (ensemble.Mix(15, row), row[0]));  // 2 and 11
        Assert.Equal((1, 11f), (ensemble.Mix(16, row), row[0]));   // the first one is over
        Assert.Equal((1, 12f), (ensemble.Mix(18, row), row[0]));
        Assert.Equal(0, ensemble.Mix(19, row));
    }

    [Fact]
    public void Add_BeyondItsRoom_ForgetsTheOldest()
    {
        var ensemble = new ChunkEnsemble(2, 1, 1, 0);
        float[] row = [0];
        for (int i = 0; i < 5; i++)
        {
            ensemble.Add(0, [i, i]);
        }

        Assert.Equal(2, ensemble.Count);
        Assert.Equal((2, 3.5f), (ensemble.Mix(0, row), row[0]));
        ensemble.Clear();
        Assert.Equal(0, ensemble.Mix(0, row));
        Assert.Throws<ArgumentException>(() => ensemble.Add(0, [1]));
    }
}
