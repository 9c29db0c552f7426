using Robotics.Lab.Reinforcement;
using Robotics.Learning.Evaluation;

namespace Robotics.Learning.Tests.Lab;

public sealed class VerdictTests
{
    [Theory]
    [InlineData(10, 0.1, 50, 5, 0.1, 50, false, "expect more")]           // clearly better on the robot's records
    [InlineData(10, 0.1, 5, 5, 0.1, 50, false, "expect more")]            // the simulator is not the robot: it does not overrule
    [InlineData(5, 0.1, 50, 10, 0.1, 50, true, "expect less")]            // clearly worse
    [InlineData(5, 0.1, 90, 10, 0.1, 50, true, "expect less")]            // whatever the simulator says
    [InlineData(10, 0.1, 50, 10.5, 0.1, 50, false, "cannot tell")]        // nobody can tell: no worse
    [InlineData(10, 0.1, 20, 10.5, 0.1, 50, true, "earns less")]          // the simulator can
    [InlineData(99, 0.9, 50, 10, 0.1, 50, true, "never recorded")]        // too good to be believed, and the simulator cannot tell
    [InlineData(99, 0.9, 90, 10, 0.1, 50, false, "never recorded")]       // the simulator speaks for it
    [InlineData(99, 0.9, 20, 10, 0.1, 50, true, "never recorded")]        // and against it
    public void Of_TwoPolicies_LetsTheRecordsDecideWhereTheyCan(
        double estimate, double outside, double simulated, double before, double outsideBefore, double simulatedBefore, bool worse, string reason)
    {
        var verdict = Verdict.Of(Candidate("new", estimate, outside, simulated), Candidate("old", before, outsideBefore, simulatedBefore));
        Assert.Equal(worse, verdict.Worse);
        Assert.Contains(reason, verdict.Reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(10, 0.1, false)]
    [InlineData(1, 0.1, true)]   // less than the record itself, 4
    [InlineData(10, 0.9, true)]  // not to be believed, and nothing else to go by
    public void Of_OnePolicy_ComparesItWithTheRecord(double estimate, double outside, bool worse) =>
        Assert.Equal(worse, Verdict.Of(Candidate("new", estimate, outside, 50), null).Worse);

    [Fact]
    public void InterquartileMean_OfEight_IsTheMeanOfTheMiddleFour() =>
        Assert.Equal(4.5, Spread.InterquartileMean([100, 3, 4, 5, 6, 2, 7, -100]), 12);

    [Fact]
    public void InterquartileMean_OfThree_CountsTheOuterOnesAQuarterEach() => // each a third wide, of which a twelfth lies inside
        Assert.Equal((1 + (4 * 2) + 6) / 6.0, Spread.InterquartileMean([6, 1, 2]), 12);

    private static Candidate Candidate(string name, double estimate, double outside, double simulated) =>
        new(name, new string('0', 64), new Judgement(estimate, estimate - 1, estimate + 1, null, outside, 4, 100, 10), [simulated - 1, simulated, simulated + 1]);
}
