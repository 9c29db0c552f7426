using Robotics.Control;
using Robotics.Observations;
using Robotics.Routes;
using Robotics.Sim;
using Robotics.Sim.Tasks;

namespace Robotics.Tests.Control.Routing;

/// <summary>The gates with a straight-lined policy: the trial of card 7 in short, without training.</summary>
public sealed class GatesTests
{
    private const int Runs = 40, Ticks = 72;

    private static readonly RouteSpec Route = new() { Position = new() { Signal = "joint.position" } };

    [Fact]
    public void Planner_WritesTheMarksThatAreLeft()
    {
        var task = new Gates();
        using var scene = new TaskEnvironment(task);
        float[] signals = new float[task.Robot.Layout.Length];
        scene.Reset(7, signals);
        var table = task.Routes.Write(new(HoldReason.RouteMissing, "", 1, signals), Route)!;
        Assert.Equal(3, table.Count);
        Assert.Equal(Gates.Mark(signals, 1), (table.Rows[1].Target.X, table.Rows[1].Target.Y));
        Assert.Equal((-0.35f, 0.35f, 1f), (table.Rows[0].Target.Y, table.Rows[1].Target.Y, table.Rows[2].Target.Y));
        Assert.InRange(Math.Abs(table.Rows[0].Target.X), 0.35f, 0.65f);
    }

    [Fact]
    public void Step_PassesMarksOnlyInOrder()
    {
        var task = new Gates();
        using var scene = new TaskEnvironment(task);
        float[] signals = new float[task.Robot.Layout.Length];
        scene.Reset(7, signals);
        Go(2);
        Assert.Equal(0, Gates.Passed(signals)); // straight to the goal
        Go(0);
        Assert.Equal(1, Gates.Passed(signals));
        Go(1);
        Go(2);
        Assert.Equal(3, Gates.Passed(signals));
        Assert.True(task.IsOver(signals));

        void Go(int mark)
        {
            for (int i = 0; i < 50; i++)
            {
                var (x, y) = Gates.Mark(signals, mark);
                scene.Step([10 * (x - signals[0]), 10 * (y - signals[1])], signals);
            }
        }
    }

    [Fact]
    public void Anchoring_PassesTheGatesAfterAKickWhereTheClockDoesNot()
    {
        int anchored = 0, byClock = 0, replans = 0;
        for (ulong seed = 1; seed <= Runs; seed++)
        {
            anchored += Drive(seed, 0.6, clock: false).Passed ? 1 : 0;
            byClock += Drive(seed, 0.6, clock: true).Passed ? 1 : 0;
            replans += Drive(seed, 0, clock: false).Replans;
        }

        Assert.True(anchored >= 0.95 * Runs, $"{anchored} of {Runs}");
        Assert.True(anchored >= byClock + (0.15 * Runs), $"{anchored} beside {byClock} by the clock");
        Assert.Equal(0, replans);
    }

    private static (bool Passed, int Replans) Drive(ulong seed, double kick, bool clock)
    {
        var time = new ManualClock();
        var task = new Gates(kick);
        using var robot = new SimulatedRobot(new TaskEnvironment(task, new() { AsRobot = true }), seed, time);
        var spec = clock ? Route with { DeviationEnterM = 100, DeviationExitM = 99, ProgressTicks = 10_000 } : Route;
        var manifest = task.Wiring with
        {
            Route = spec,
            Observations = [new() { Name = "policy", Terms = [new() { Name = "target", Kind = "route_target" }, new() { Name = "next", Kind = "route_next" }] }],
            Action = task.Wiring.Action with { Rows = 4 },
        };
        using var policy = new Beeline(Gates.Reach, next: 3);
        using var loop = new ControlLoop(manifest, robot, policy, new ObservationAssembler(manifest, robot.Spec), new ActionMap(manifest, robot.Spec), new() { Planner = PlannerMode.Inline }, time);
        var desk = new RouteDesk(loop, spec, new RouteGround(spec, robot.Spec), clock ? null : task.Routes, null, null, time);
        float[] signals = new float[robot.Spec.Layout.Length];
        robot.Stepped = frame => frame.CopyTo(signals);
        loop.Tick(MonotonicTime.Now(time));
        robot.Advance(loop.Timing.Period, time);
        var rows = clock ? task.Routes.Write(new(HoldReason.RouteMissing, "", 1, signals), spec)!.Rows.ToArray() : [];
        loop.ArmAsync(CancellationToken.None).GetAwaiter().GetResult();
        loop.Run();
        int replans = 0, row = -1, due = 0;
        for (int tick = 0; tick < Ticks && Gates.Passed(signals) < Gates.Marks; tick++)
        {
            if (clock && tick == due && row + 1 < rows.Length)
            {
                // The rows that are left, whatever was achieved; none of them ends by itself.
                row++;
                loop.SetRoute(new RouteTable([.. rows[row..].Select(one => one with { Tolerance = 0.001f, Timeout = 600 })], "the clock", spec), (ulong)row + 1);
                float x = row == 0 ? signals[0] : rows[row - 1].Target.X, y = row == 0 ? signals[1] : rows[row - 1].Target.Y;
                due += (int)(1.1 * double.Hypot(rows[row].Target.X - x, rows[row].Target.Y - y) / Gates.Reach) + 1;
            }

            desk.Attend(signals);
            loop.Tick(MonotonicTime.Now(time));
            robot.Advance(loop.Timing.Period, time);
            while (loop.TryReadRouteEvent(out var happened))
            {
                replans += happened.Kind is Robotics.Episodes.RouteNoteKind.Strayed or Robotics.Episodes.RouteNoteKind.Stalled ? 1 : 0;
            }
        }

        return (Gates.Passed(signals) == Gates.Marks, replans);
    }
}
