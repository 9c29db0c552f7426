using Robotics.Learning.OnPolicy;

namespace Robotics.Learning.Tests.OnPolicy;

public sealed class AdvantageTests
{
    // By hand, gamma = lambda = 1/2, two environments side by side:
    // the first goes on past the last step, whose V(s') is 2: delta = 0.5, 1.5, 3, and A = delta + A'/4;
    // the second runs out of time in a state worth 4 (delta = 1 + 4/2 - 2), ends in one whose 9 must not count (2 + 0 - 2), goes on (1 + 1/2 - 3).
    [Fact]
    public void Estimate_AcrossBothEndings_IsTheHandCalculation()
    {
        float[] rewards = [1, 1, 2, 2, 3, 1], values = [1, 2, 1, 2, 1, 3], next = [1, 4, 1, 9, 2, 1];
        bool[] terminated = [false, false, false, true, false, false], ended = [false, true, false, true, false, false];
        float[] advantages = new float[6], returns = new float[6];
        Advantage.Estimate(2, rewards, values, next, terminated, ended, 0.5, 0.5, advantages, returns);
        Assert.Equal([1.0625f, 1, 2.25f, 0, 3, -1.5f], advantages);
        Assert.Equal([2.0625f, 3, 3.25f, 2, 4, 1.5f], returns);
    }

    [Fact]
    public void Normalize_GivesMeanZeroAndDeviationOne()
    {
        float[] values = [1, 2, 3, 6];
        Advantage.Normalize(values); // mean 3, deviation √(14/3) = 2.1602
        Assert.Equal([-0.9258f, -0.4629f, 0, 1.3887f], values, (a, b) => Math.Abs(a - b) < 1e-4);
        float[] one = [7];
        Advantage.Normalize(one);
        Assert.Equal([0f], one);
    }

    [Fact]
    public void Take_DividesByTheDeviationOfTheDiscountedReturn()
    {
        var scale = new RewardScale(1, 0.5);
        Assert.Equal(2, scale.Take(0, 2, ended: false), 1e-6);                             // one return has no deviation
        Assert.Equal(4 / 1.5, scale.Take(0, 4, ended: true), 1e-6);                        // returns 2 and 5: deviation 1.5
        Assert.Equal(3 / Math.Sqrt(14 / 9.0), scale.Take(0, 3, ended: false), 1e-6);       // 2, 5, and 3 of a new episode
        Assert.Equal(4 / Math.Sqrt(3), scale.Take(0, 1e9f, ended: false), 1e-5);             // one huge among four: deviation √3/4 of it
    }
}
