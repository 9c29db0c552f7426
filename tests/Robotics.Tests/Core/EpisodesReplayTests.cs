using Robotics.Episodes;

namespace Robotics.Tests.Core;

public sealed class EpisodesReplayTests
{
    [Fact]
    public void Run_WithThePolicyThatMadeTheRecord_Agrees()
    {
        var result = ReplayComparison.Run(Record(5), new Counter(), tolerance: 0);
        Assert.True(result.Agrees);
        Assert.Equal((5, 5, 0, 10L), (result.Plans, result.Compared, result.Skipped, result.Rows));
        Assert.Equal(0, result.MaxDifference);
        Assert.Empty(result.Notes);
    }

    [Fact]
    public void Run_WithAPolicyThatDiffers_NamesTheFirstElementAndTheFigures()
    {
        var result = ReplayComparison.Run(Record(5), new Counter { ErrorFrom = 3, Error = 0.5f }, tolerance: 0.01);
        Assert.False(result.Agrees);
        Assert.Equal(3, result.RowsBeyond); // the second row of plans 3, 4 and 5
        Assert.Equal(0.5, result.MaxDifference, 1e-6);
        Assert.Equal(3 * 0.5 / 20, result.MeanDifference, 1e-6);
        Assert.Equal((3UL, 1, 1), (result.First!.Plan, result.First.Row, result.First.Element));
        Assert.Equal(result.First.Recorded + 0.5f, result.First.Replayed);
        Assert.True(ReplayComparison.Run(Record(5), new Counter { ErrorFrom = 3, Error = 0.5f }, tolerance: 0.6).Agrees);
    }

    [Fact]
    public void Run_WithALateOrLostPlan_LeavesItOutAndSaysSo()
    {
        var plans = Record(6);
        plans[1].Status = PlanStatus.Late;
        plans[1].Chunk = [];
        plans.RemoveAt(4);
        var result = ReplayComparison.Run(plans, new Counter(), tolerance: 0);
        Assert.Equal((5, 4, 1), (result.Plans, result.Compared, result.Skipped));
        Assert.Contains(result.Notes, note => note.StartsWith("1 of 5 plans were recorded as late", StringComparison.Ordinal));
        Assert.Contains("Plans are missing at 1 places; a recurrent policy may differ after them.", result.Notes);
        Assert.False(result.Agrees); // its state counted fewer calls than the run did
    }

    [Fact]
    public void Run_WhereTheRecordSaysReset_ResetsThePolicy()
    {
        var plans = Record(3);
        plans.AddRange(Record(3));
        Assert.True(ReplayComparison.Run(plans, new Counter(), tolerance: 0).Agrees);
        plans[3].AfterReset = false;
        Assert.False(ReplayComparison.Run(plans, new Counter(), tolerance: 0).Agrees);
    }

    [Fact]
    public void Run_WhenOneSideIsNotFinite_DiffersInfinitely()
    {
        var plans = Record(1);
        plans[0].Chunk[0] = float.NaN;
        Assert.Equal(double.PositiveInfinity, ReplayComparison.Run(plans, new Counter(), tolerance: 1).MaxDifference);
    }

    [Fact]
    public void Run_WhenThePolicyFails_IsNoAgreement()
    {
        var result = ReplayComparison.Run(Record(2), new Counter { FailFrom = 2 }, tolerance: 0);
        Assert.Equal((1, 1), (result.Compared, result.NotPlanned));
        Assert.False(result.Agrees);
        Assert.Contains("1 plans in the record were not computed now: out of memory", result.Notes);
    }

    [Fact]
    public void Run_OfNothing_IsNoAgreement()
    {
        var result = ReplayComparison.Run([], new Counter(), tolerance: 0);
        Assert.False(result.Agrees);
        Assert.Equal(["The record holds no plans, so nothing was compared."], result.Notes);
    }

    [Fact]
    public void Run_WithAnotherPolicy_NamesBothLengths()
    {
        var plans = Record(1);
        plans[0].Observation = [1, 2, 3];
        var error = Assert.Throws<ConfigException>(() => ReplayComparison.Run(plans, new Counter(), tolerance: 0));
        Assert.Equal("record, plan 1: observation has 3 elements, policy 'counter' takes 2; replay the policy that made the record", error.Message);
    }

    private static List<EpisodePlan> Record(int count)
    {
        var plans = new List<EpisodePlan>();
        using var policy = new Counter();
        policy.Reset(0);
        for (int i = 0; i < count; i++)
        {
            float[] input = [i * 0.1f, -i];
            float[] chunk = new float[4];
            policy.Plan(input, default, chunk);
            plans.Add(new EpisodePlan { Plan = (ulong)(i + 1), AfterReset = i == 0, Observation = input, Chunk = chunk });
        }

        return plans;
    }

    /// <summary>Two rows of two: the observation plus the number of calls since the reset, so that a wrong state shows.</summary>
    private sealed class Counter : IPolicy
    {
        private int _calls;

        public int ErrorFrom { get; init; } = int.MaxValue;

        public float Error { get; init; }

        public int FailFrom { get; init; } = int.MaxValue;

        public PolicySpec Spec { get; } = new("counter", [new("all", 0, 2)], 2, 2, TimeSpan.FromMilliseconds(20));

        public string? LastFault => "out of memory";

        public void Reset(ulong seed) => _calls = 0;

        public PlanResult Plan(ReadOnlySpan<float> observation, MonotonicTime deadline, Span<float> chunk)
        {
            _calls++;
            if (_calls >= FailFrom)
            {
                return new(PlanStatus.Fault, 1);
            }

            (chunk[0], chunk[1], chunk[2], chunk[3]) = (observation[0] + _calls, observation[1] + _calls, observation[0], observation[1] + _calls);
            chunk[3] += _calls >= ErrorFrom ? Error : 0;
            return new(PlanStatus.Planned, 1);
        }

        public void Dispose()
        {
        }
    }
}
