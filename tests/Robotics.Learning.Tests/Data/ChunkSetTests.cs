using Robotics.Learning.Data;

namespace Robotics.Learning.Tests.Data;

public sealed class ChunkSetTests
{
    [Theory]
    [InlineData("empty", "demos: there are no chunks to train on; collect episodes first, or loosen the filter")]
    [InlineData("ragged", "demos: 4 condition, 11 action and 6 mask elements do not make whole rows of 2, 3 x 2 and 3")]
    [InlineData("nan", "demos: chunk 1, element 5 is NaN, not finite")]
    [InlineData("infinite", "demos: condition 0, element 1 is Infinity, not finite")]
    [InlineData("mask", "demos: mask 1, element 0 is 0.5, neither 0 nor 1")]
    [InlineData("padding", "demos: row 1 is all padding")]
    public void Constructor_WithDataNobodyCanTrainOn_SaysWhat(string what, string expected)
    {
        float[] conditions = what == "empty" ? [] : new float[4];
        float[] chunks = what == "empty" ? [] : new float[what == "ragged" ? 11 : 12];
        float[] valid = what == "empty" ? [] : [1, 1, 0, 1, 1, 1];
        switch (what)
        {
            case "nan": chunks[11] = float.NaN; break;
            case "infinite": conditions[1] = float.PositiveInfinity; break;
            case "mask": valid[3] = 0.5f; break;
            case "padding": valid[3] = valid[4] = valid[5] = 0; break;
        }

        Assert.Equal(expected, Assert.Throws<ConfigException>(() => new ChunkSet(conditions, chunks, valid, 2, 3, 2, "demos")).Message);
    }

    [Fact]
    public void Sha256_DependsOnEveryArray()
    {
        string[] hashes = [Hash(0, 0), Hash(1, 0), Hash(0, 1), Hash(0, 0)];
        Assert.Equal(3, hashes.Distinct().Count());
        Assert.Equal(hashes[0], hashes[3]);

        static string Hash(float condition, float chunk) =>
            new ChunkSet([condition], [chunk], null, 1, 1, 1, "demos").Sha256();
    }
}
