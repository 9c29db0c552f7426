using Robotics.Numerics;

namespace Robotics.Tests.Core.Numerics;

/// <summary>Expected numbers: the policy cards' appendix (A.5, A.6).</summary>
public sealed class TimeFeaturesTests
{
    [Fact]
    public void Write_WithSinusoidFrequencies_MatchesTheTable()
    {
        var features = new float[8];
        TimeFeatures.Write(TimeFeatures.Sinusoid(4), 7, features);
        Assert.Equal([.656987f, .319225f, .015080f, .000700f, .753902f, .947679f, .999886f, 1f], features, Close.Element(1e-6f));
    }

    [Fact]
    public void Write_WithPeriods_MatchesTheTable()
    {
        var features = new float[8];
        TimeFeatures.Write(TimeFeatures.Periods(4), 0.5, features); // periods .004 .04 .4 4
        Assert.Equal([0, 0, 1, .707107f, 1, -1, 0, .707107f], features, Close.Element(1e-6f));
    }

    [Fact]
    public void Write_IntoTheWrongLength_Throws() =>
        Assert.Throws<ArgumentException>(() => TimeFeatures.Write(TimeFeatures.Sinusoid(4), 7, new float[7]));
}

public sealed class ChunkGuidanceTests
{
    [Theory]
    [InlineData(GuidanceDecay.Linear, new[] { 1, 1, .8f, .6f, .4f, .2f, 0, 0, 0, 0 }, 1e-6f)]
    [InlineData(GuidanceDecay.Exponential, new[] { 1, 1, .571f, .287f, .114f, .026f, 0, 0, 0, 0 }, 5e-4f)]
    public void Mask_MatchesTheTable(GuidanceDecay decay, float[] expected, float tolerance)
    {
        var mask = new float[10];
        ChunkGuidance.Mask(delay: 2, end: 6, decay, mask);
        Assert.Equal(expected, mask, Close.Element(tolerance));
    }

    [Theory]
    [InlineData(0, 5)]
    [InlineData(.2, 4.25)]
    [InlineData(.4, 2.1667)]
    [InlineData(.6, 2.1667)]
    [InlineData(.8, 4.25)]
    [InlineData(.99, 5)] // capped
    public void Gain_MatchesTheTable(double s, double expected) => Assert.Equal(expected, ChunkGuidance.Gain(s, cap: 5), 5e-5);
}

public sealed class EnergyDescentTests
{
    [Fact]
    public void Step_OnAQuadratic_FollowsTheHandCalculation()
    {
        // E = x²/2, gradient x, from 1: 1 - .06 = .94; then move .35·(-.06) - .06·.94 = -.0774.
        var descent = new EnergyDescent(new EnergyOptions());
        float[] x = [1], velocity = [0];
        Assert.False(descent.Step(x, [x[0]], velocity));
        Assert.Equal(.94f, x[0], 1e-6f);
        Assert.False(descent.Step(x, [x[0]], velocity));
        Assert.Equal(.8626f, x[0], 1e-6f);
    }

    [Fact]
    public void Step_OfASettledSample_LeavesItAlone()
    {
        var descent = new EnergyDescent(new EnergyOptions { Tolerance = 0.1 });
        float[] x = [1, 2], velocity = [3, 4];
        Assert.True(descent.Step(x, [.05f, -.05f], velocity));
        Assert.Equal([1, 2], x);
    }

    [Fact]
    public void Step_WithANonFiniteGradient_NeverCallsItSettled()
    {
        var descent = new EnergyDescent(new EnergyOptions { Tolerance = 0.1 });
        float[] x = [1];
        Assert.False(descent.Step(x, [float.NaN], [0]));
        Assert.True(float.IsNaN(x[0]));
    }

    [Fact]
    public void Constructor_WithSeveralBadOptions_ReportsAllOfThem()
    {
        var error = Assert.Throws<ConfigException>(
            () => new EnergyDescent(new EnergyOptions { StepSize = 0, Momentum = 1, Tolerance = double.NaN, MaxSteps = 0 }));
        Assert.Equal(4, error.Problems.Count);
    }
}
