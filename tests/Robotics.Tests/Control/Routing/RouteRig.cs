using System.Numerics;
using Robotics.Control;
using Robotics.Observations;
using Robotics.Packages;
using Robotics.Routes;
using Robotics.Safety;

namespace Robotics.Tests.Control.Routing;

/// <summary>Goes straight to the current target at full speed, whatever lies in between, and on to the next one.</summary>
/// <param name="step">m that full speed makes in a row.</param>
/// <param name="next">Where in the observation the next target begins.</param>
internal sealed class Beeline(float step = 0.05f, int next = 2) : IPolicy
{
    public PolicySpec Spec { get; } = new("beeline", [new("policy", 0, 6)], 4, 2, TimeSpan.FromMilliseconds(50));

    public string? LastFault => null;

    public int Plans { get; private set; }

    public bool Remembers { get; set; } = true;

    public List<float[]> Seen { get; } = [];

    public void Reset(ulong seed)
    {
    }

    public PlanResult Plan(ReadOnlySpan<float> observation, MonotonicTime deadline, Span<float> chunk)
    {
        Plans++;
        if (Remembers)
        {
            Seen.Add(observation.ToArray());
        }

        var way = new Vector2(observation[0], observation[1]);
        var then = new Vector2(observation[next], observation[next + 1]);
        for (int row = 0; row < chunk.Length / 2; row++)
        {
            way = way.Length() < step / 2 ? then : way;
            var go = way.Length() > step ? way / way.Length() : way / step;
            (chunk[2 * row], chunk[(2 * row) + 1]) = (go.X, go.Y);
            (way, then) = (way - (step * go), then - (step * go));
        }

        return new(PlanStatus.Planned, 1);
    }

    public void Dispose()
    {
    }
}

/// <summary>Answers from a list, and remembers what it was asked.</summary>
internal sealed class ListedRoutes(params RouteTable?[] answers) : IRoutePlanner
{
    public string Name => "the list";

    public List<(HoldReason Reason, string Text, int Attempt)> Asked { get; } = [];

    public RouteTable? Write(in RouteRequest request, RouteSpec spec)
    {
        Asked.Add((request.Reason, request.Text, request.Attempt));
        return Asked.Count <= answers.Length ? answers[Asked.Count - 1] : answers[^1];
    }
}

/// <summary>A point on two slides that moves as it is told, and can be put elsewhere.</summary>
internal sealed class PointRobot(RobotSpec spec, TimeSpan period, TimeProvider clock) : IRobot
{
    private readonly float[] _signals = new float[spec.Layout.Length];
    private readonly float[] _speed = new float[2]; // m/s
    private ulong _sequence, _applied;

    public RobotSpec Spec => spec;

    public LinkStatus Link => LinkStatus.Direct;

    public ReadOnlySpan<float> Signals => _signals;

    public bool Holds { get; private set; } = true;

    public void Place(float x, float y) => (_signals[0], _signals[1]) = (x, y);

    public void Step()
    {
        for (int axis = 0; axis < 2 && !Holds; axis++)
        {
            _signals[axis] += _speed[axis] * (float)period.TotalSeconds;
        }
    }

    public Task ClaimAsync(CommandMode mode, CancellationToken cancellation) => Task.CompletedTask;

    public Task ReleaseAsync(CancellationToken cancellation) => Task.CompletedTask;

    public ReadStatus Read(Observation into)
    {
        var now = MonotonicTime.Now(clock);
        _signals.CopyTo(into.Signals, 0);
        (into.Sequence, into.MeasuredAt, into.MeasuredAtLocal, into.ReceivedAt, into.AppliedCommand) = (++_sequence, now, now, now, _applied);
        into.Mode = Holds ? RobotMode.Holding : RobotMode.Active;
        return ReadStatus.Fresh;
    }

    public void Send(in SafeCommand command)
    {
        Holds = command.IsHold;
        _applied = command.Stamp.Sequence;
        command.Target.CopyTo(_speed);
    }

    public void EmergencyStop() => Holds = true;

    public void Dispose()
    {
    }
}

/// <summary>A point on two slides under velocities, a policy that follows routes, loop and desk in lock-step.</summary>
internal sealed class RouteRig : IDisposable
{
    public static readonly TimeSpan Period = TimeSpan.FromMilliseconds(50);

    public static readonly RouteSpec Route = new()
    {
        Position = new() { Signal = "joint.position" },
        KeepOut = [new() { Name = "post", LowerM = [0.4f, -0.1f, -1], UpperM = [0.6f, 0.1f, 1] }],
        MaxAgeS = 5,
    };

    private static readonly RobotSpec s_robot = new()
    {
        Name = "point",
        Joints = [Axis("x"), Axis("y")],
        StatePeriodMs = 50,
        ServoPeriodMs = 50,
    };

    public RouteRig(IRoutePlanner? planner = null, bool rehearse = true, Func<RouteRig, Recorder>? record = null, RouteSpec? route = null)
    {
        Manifest = new()
        {
            Name = "beeline",
            Files = [],
            Models = [],
            Route = route ?? Route,
            Observations = [new()
            {
                Name = "policy",
                Terms =
                [
                    new() { Name = "target", Kind = "route_target", Select = [0, 1] },
                    new() { Name = "next", Kind = "route_next", Select = [0, 1] },
                    new() { Name = "verb", Kind = "route_verb" },
                    new() { Name = "x", Kind = "joint_position", Joints = ["x"] },
                ],
            }],
            Action = new() { Kind = [TargetKind.Velocity], Rows = 4 },
            Timing = new() { PeriodMs = 50, ActAfterMs = 1 },
        };
        Robot = new PointRobot(s_robot, Period, Clock);
        Recorder = record?.Invoke(this);
        Loop = new ControlLoop(Manifest, Robot, Policy, new ObservationAssembler(Manifest, s_robot), new ActionMap(Manifest, s_robot),
            new() { Planner = PlannerMode.Inline }, Clock, Recorder);
        var time = new ManualClock();
        Desk = new RouteDesk(Loop, Manifest.Route, new RouteGround(Manifest.Route, s_robot), planner,
            rehearse ? new RouteRehearsal(Manifest, s_robot, new Beeline(), time, 0) : null, Recorder, Clock) { Told = note => Notes.Add((note.Kind, note.Text)) };
        Loop.ArmAsync(CancellationToken.None).GetAwaiter().GetResult();
        Loop.Run();
    }

    public ManualClock Clock { get; } = new();

    public PolicyManifest Manifest { get; }

    public Beeline Policy { get; } = new();

    public PointRobot Robot { get; }

    public Recorder? Recorder { get; }

    public ControlLoop Loop { get; }

    public RouteDesk Desk { get; }

    public List<(Robotics.Episodes.RouteNoteKind Kind, string Text)> Notes { get; } = [];

    public int Moved { get; private set; } // commands other than holds

    public Vector2 At => new(Robot.Signals[0], Robot.Signals[1]);

    public static RouteTable Table(params (float X, float Y)[] targets) =>
        new([.. targets.Select(at => new RouteRow("move", new(at.X, at.Y, 0), 0.05f, 4))], "code", Route);

    public void Place(float x, float y) => Robot.Place(x, y);

    public void Step(int ticks = 1, bool attend = true)
    {
        for (int i = 0; i < ticks; i++)
        {
            if (attend)
            {
                Desk.Attend(Robot.Signals);
            }

            Loop.Tick(MonotonicTime.Now(Clock));
            Moved += Robot.Holds ? 0 : 1;
            Robot.Step();
            Clock.Advance(Period);
            Recorder?.Drain();
        }
    }

    public void Dispose()
    {
        Loop.Dispose();
        Recorder?.Dispose();
    }

    private static JointSpec Axis(string name) =>
        new() { Name = name, Kind = JointKind.Prismatic, Command = TargetKind.Velocity, Lower = -2, Upper = 2, MaxSpeed = 1.5f };
}
