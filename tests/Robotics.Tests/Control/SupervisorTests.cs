using Robotics.Control;
using static Robotics.ControlState;

namespace Robotics.Tests.Control;

public sealed class SupervisorTests
{
    private static readonly (string Name, Func<Supervisor, bool> Go)[] Moves =
    [
        ("arm", s => s.Arm()),
        ("begin", s => s.Begin()),
        ("hold", s => s.Hold(HoldReason.LinkLost)),
        ("resume", s => s.Resume()),
        ("stop", s => s.Stop(HoldReason.EndOfRun)),
        ("estop", s => s.EmergencyStop()),
        ("clear", s => s.Clear()),
    ];

    // The whole table: where each of the seven moves leads from each of the six states; null: refused.
    private static readonly Dictionary<ControlState, ControlState?[]> Table = new()
    {
        //                  arm     begin    hold     resume  stop     estop                       clear
        [Idle] = [Armed, null, null, null, Stopped, ControlState.EmergencyStop, null],
        [Armed] = [null, Running, Holding, null, Stopped, ControlState.EmergencyStop, null],
        [Running] = [null, null, Holding, null, Stopped, ControlState.EmergencyStop, null],
        [Holding] = [null, null, null, Armed, Stopped, ControlState.EmergencyStop, null],
        [Stopped] = [null, null, null, null, null, ControlState.EmergencyStop, null],
        [ControlState.EmergencyStop] = [null, null, null, null, null, null, Holding],
    };

    [Fact]
    public void EveryMove_FromEveryState_LeadsWhereTheTableSays()
    {
        foreach (var (from, row) in Table)
        {
            for (int m = 0; m < Moves.Length; m++)
            {
                var supervisor = At(from);
                bool moved = Moves[m].Go(supervisor);
                Assert.True(moved == row[m] is not null && supervisor.State == (row[m] ?? from), $"{from} {Moves[m].Name}: {supervisor.State}");
            }
        }
    }

    [Fact]
    public void FirstReason_SurvivesStopAndIsForgottenByResume()
    {
        var supervisor = At(Running);
        supervisor.Hold(HoldReason.ObservationStale);
        supervisor.Hold(HoldReason.LinkLost);
        Assert.Equal(HoldReason.ObservationStale, supervisor.Reason);
        supervisor.Resume();
        Assert.Equal(HoldReason.None, supervisor.FirstReason);
        supervisor.Hold(HoldReason.PlanOverdue);
        supervisor.Stop(HoldReason.EndOfRun);
        Assert.Equal((HoldReason.EndOfRun, HoldReason.PlanOverdue, 2), (supervisor.Reason, supervisor.FirstReason, supervisor.Holds));
    }

    [Fact]
    public void Moves_AllocateNothing()
    {
        var supervisor = At(Running);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 10_000; i++)
        {
            supervisor.Hold(HoldReason.LinkLost);
            supervisor.Resume();
            supervisor.Begin();
        }

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    [Fact]
    public void Describe_HasASentenceForEveryReason()
    {
        foreach (var reason in Enum.GetValues<HoldReason>().Where(reason => reason != HoldReason.None))
        {
            string text = new ControlEvent(default, Running, Holding, reason, 1, 2).Describe();
            Assert.Matches("^Running to Holding: .*[a-z] .*\\.$", text);
        }
    }

    private static Supervisor At(ControlState state)
    {
        var supervisor = new Supervisor();
        string[] way = state switch
        {
            Idle => [],
            Armed => ["arm"],
            Running => ["arm", "begin"],
            Holding => ["arm", "begin", "hold"],
            Stopped => ["stop"],
            _ => ["estop"],
        };
        foreach (string name in way)
        {
            Assert.True(Moves.Single(move => move.Name == name).Go(supervisor));
        }

        return supervisor;
    }
}
