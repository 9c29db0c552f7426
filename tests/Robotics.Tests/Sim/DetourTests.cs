using Robotics.Numerics;
using Robotics.Sim.Tasks;

namespace Robotics.Tests.Sim;

public sealed class DetourTests
{
    [Fact]
    public void Demonstrate_OverManySituations_IsValidOnBothSides()
    {
        var random = new SeededRandom(1);
        float[] observation = new float[2], chunk = new float[32];
        int valid = 0, left = 0;
        for (int i = 0; i < 2000; i++)
        {
            Detour.Observe(random, observation);
            Detour.Demonstrate(random, observation, chunk);
            valid += Detour.IsValid(observation, chunk) ? 1 : 0;
            left += Detour.Side(observation, chunk) < 0 ? 1 : 0;
        }

        Assert.True(valid >= 1990, $"{valid} of 2000 demonstrations are valid");
        Assert.InRange(left, 900, 1100);
    }

    [Fact]
    public void IsValid_OfTheAverageOfBothSides_IsFalse()
    {
        float[] observation = [0.1f, 0.2f], left = new float[32], right = new float[32];
        Detour.Demonstrate(new SeededRandom(1), observation, left, side: -1);
        Detour.Demonstrate(new SeededRandom(2), observation, right, side: 1);
        float[] average = [.. left.Zip(right, (a, b) => (a + b) / 2)];
        Assert.True(Detour.IsValid(observation, left) && Detour.IsValid(observation, right));
        Assert.False(Detour.IsValid(observation, average));
        Assert.Equal((-1, 1), (Detour.Side(observation, left), Detour.Side(observation, right)));
    }

    [Theory]
    [InlineData(15, 0, 0.2f)]        // ends beside the goal
    [InlineData(7, 0, -0.5f)]        // jumps
    [InlineData(4, 1, float.NaN)]    // not a number
    public void IsValid_OfADemonstrationWithOnePointMoved_IsFalse(int row, int element, float by)
    {
        float[] observation = [0, 0], chunk = new float[32];
        Detour.Demonstrate(new SeededRandom(1), observation, chunk, side: 1);
        Assert.True(Detour.IsValid(observation, chunk));
        chunk[(2 * row) + element] += by;
        Assert.False(Detour.IsValid(observation, chunk));
    }
}
