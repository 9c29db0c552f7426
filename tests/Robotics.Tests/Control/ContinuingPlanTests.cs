using Robotics.Control;

namespace Robotics.Tests.Control;

/// <summary>What a policy is told of the chunk in execution, and that nobody waits for a slow one.</summary>
public sealed class ContinuingPlanTests
{
    [Fact]
    public void Plan_InTime_IsToldWhichRowIsDue()
    {
        using var rig = new Rig(rows: 4).Driving();
        Assert.Equal(new ChunkInExecution(-1, 0), rig.Policy.Running); // the first plan goes on from nothing
        ulong asked = rig.Loop.PlansAsked;
        while (rig.Loop.PlansAsked == asked)
        {
            rig.Step();
        }

        Assert.Equal(new ChunkInExecution(4, 0), rig.Policy.Running); // asked when the last row is over, answered in the same tick
    }

    [Fact]
    public void Plan_AfterAHold_GoesOnFromNothing()
    {
        using var rig = new Rig(rows: 4).Driving();
        rig.Step(4);
        rig.Loop.Hold();
        rig.Step(2);
        rig.Loop.Resume();
        ulong asked = rig.Loop.PlansAsked;
        while (rig.Loop.PlansAsked == asked)
        {
            rig.Step();
        }

        Assert.Equal(-1, rig.Policy.Running.RowsSince);
    }

    [Fact]
    public void Plan_WithALatencyOfFourTicks_IsToldSoAndMissesNoneOfTenThousand()
    {
        const int latency = 4, rows = 16;
        using var rig = new Rig(PlannerMode.Thread, rows, lateTicks: latency + 1).Driving();
        rig.Policy.Free.Reset();
        ulong seen = rig.Loop.PlansAsked;
        int waited = -1;
        long repeated = 0;
        for (int tick = 0; tick < 10_000 + (2 * rows); tick++)
        {
            rig.Step();
            if (rig.Loop.PlansAsked > seen)
            {
                (seen, waited) = (rig.Loop.PlansAsked, 0);
            }

            if (waited >= 0 && ++waited == latency)
            {
                rig.Policy.Free.Set();
                Assert.True(SpinWait.SpinUntil(() => rig.Loop.PlanIsThere, TimeSpan.FromSeconds(5)));
                rig.Policy.Free.Reset();
                waited = -1;
            }

            if (tick == 2 * rows)
            {
                repeated = rig.Loop.Snapshot().RowsRepeated; // by now the loop knows how slow it is
            }
        }

        Assert.Equal(ControlState.Running, rig.Loop.State);
        Assert.Equal(repeated, rig.Loop.Snapshot().RowsRepeated);
        Assert.Equal(0, rig.Loop.Snapshot().TicksMissed);
        Assert.InRange(rig.Policy.Running.Delay, latency, latency + 2);
        Assert.Equal(rows - rig.Policy.Running.Delay, rig.Policy.Running.RowsSince); // the rest of the chunk runs meanwhile
    }
}
