using Robotics.Numerics;

namespace Robotics.Tests.Core.Numerics;

/// <summary>Expected numbers: squaredcos_cap_v2 with T = 100 from the policy cards' appendix (A.1, A.4), computed there in
/// float64 from diffusers' formula.</summary>
public sealed class NoiseScheduleTests
{
    private readonly NoiseSchedule _schedule = NoiseSchedule.SquaredCosine(100);

    [Theory]
    [InlineData(0, .9993687184)]
    [InlineData(1, .9982524865)]
    [InlineData(2, .9966523884)]
    [InlineData(5, .9889667788)]
    [InlineData(10, .9667167049)]
    [InlineData(20, .8891031288)]
    [InlineData(30, .7740062071)]
    [InlineData(40, .6325157494)]
    [InlineData(50, .4782646329)]
    [InlineData(60, .3261152490)]
    [InlineData(70, .1907274828)]
    [InlineData(80, .0851462057)]
    [InlineData(84, .0536592345)]
    [InlineData(90, .0195443764)]
    [InlineData(95, .0038809998)]
    [InlineData(98, .0002428572)]
    [InlineData(99, 2.429e-7)]
    public void AlphaBars_OfSquaredCosine_MatchTheTable(int t, double expected) =>
        Assert.Equal(expected, _schedule.AlphaBars[t], t == 99 ? 1e-10 : 1e-9);

    [Fact]
    public void Betas_OfSquaredCosine_MatchTheTable()
    {
        Assert.Equal(.00063128, _schedule.Betas[0], 1e-8);
        Assert.Equal(.999, _schedule.Betas[99], 1e-12);
        Assert.Equal(49.10778, _schedule.AlphaBars.ToArray().Sum(), 1e-5);
    }

    [Theory]
    [InlineData(GridSpacing.Leading, new[] { 66, 33, 0 })]
    [InlineData(GridSpacing.Leading, new[] { 80, 60, 40, 20, 0 })]
    [InlineData(GridSpacing.Leading, new[] { 84, 72, 60, 48, 36, 24, 12, 0 })]
    [InlineData(GridSpacing.Leading, new[] { 90, 80, 70, 60, 50, 40, 30, 20, 10, 0 })]
    [InlineData(GridSpacing.Trailing, new[] { 99, 66, 32 })]
    [InlineData(GridSpacing.Trailing, new[] { 99, 79, 59, 39, 19 })]
    [InlineData(GridSpacing.Trailing, new[] { 99, 87, 74, 61, 49, 37, 24, 11 })] // 87.5 goes to 88 and 62.5 to 62: half to even
    [InlineData(GridSpacing.Trailing, new[] { 99, 89, 79, 69, 59, 49, 39, 29, 19, 9 })]
    [InlineData(GridSpacing.Linspace, new[] { 99, 74, 50, 25, 0 })]
    [InlineData(GridSpacing.Linspace, new[] { 99, 85, 71, 57, 42, 28, 14, 0 })]
    [InlineData(GridSpacing.Linspace, new[] { 99, 88, 77, 66, 55, 44, 33, 22, 11, 0 })]
    public void Grid_MatchesTheTable(GridSpacing spacing, int[] expected) =>
        Assert.Equal(expected, _schedule.Grid(spacing, expected.Length));

    [Theory]
    [InlineData(GridSpacing.Leading)]
    [InlineData(GridSpacing.Trailing)]
    [InlineData(GridSpacing.Linspace)]
    public void Grid_OfEveryLength_DescendsWithinTheSchedule(GridSpacing spacing)
    {
        for (int steps = 1; steps <= 100; steps++)
        {
            int[] grid = _schedule.Grid(spacing, steps);
            Assert.Equal(grid.Distinct().OrderDescending(), grid);
            Assert.InRange(grid[0], 0, 99);
            Assert.InRange(grid[^1], 0, 99);
        }
    }

    [Fact]
    public void FromBetas_OfAnExistingSchedule_RebuildsItAndItsHash()
    {
        var rebuilt = NoiseSchedule.FromBetas(_schedule.Betas);
        Assert.Equal(_schedule.AlphaBars, rebuilt.AlphaBars);
        Assert.Equal(_schedule.BetasSha256(), rebuilt.BetasSha256());
        Assert.NotEqual(_schedule.BetasSha256(), NoiseSchedule.SquaredCosine(50).BetasSha256());
    }

    [Theory]
    [InlineData(0.0)]
    [InlineData(1.0)]
    [InlineData(double.NaN)]
    public void FromBetas_WithAnImpossibleBeta_NamesIt(double beta)
    {
        var error = Assert.Throws<ArgumentException>(() => NoiseSchedule.FromBetas([0.1, beta]));
        Assert.StartsWith(FormattableString.Invariant($"betas[1] is {beta}, expected above 0 and below 1."), error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Grid_WithMoreStepsThanTheSchedule_Throws() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => _schedule.Grid(GridSpacing.Leading, 101));
}
