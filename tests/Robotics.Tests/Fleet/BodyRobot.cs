using Robotics.Safety;

namespace Robotics.Tests.Fleet;

/// <summary>Two joints that are where they were last told to be, and everything that a robot may say.</summary>
internal sealed class BodyRobot(TimeProvider clock, double statePeriodMs = 5) : IRobot
{
    public const string Json = """{"name":"body"}""";

    private readonly Lock _lock = new();
    private readonly float[] _position = new float[2];
    private ulong _sequence;
    private ulong _applied;
    private long _age;

    public RobotSpec Spec { get; } = new()
    {
        Name = "body",
        Joints =
        [
            new() { Name = "a", Lower = -1, Upper = 1, MaxSpeed = 100 },
            new() { Name = "b", Lower = -1, Upper = 1, MaxSpeed = 100 },
        ],
        StatePeriodMs = statePeriodMs,
        ServoPeriodMs = 1,
    };

    public LinkStatus Link => LinkStatus.Direct;

    public float[] Position => _position;

    public int Sent;

    public int Holds;

    public bool HoldsNow { get; private set; } = true;

    public int Claims { get; private set; }

    public int Releases { get; private set; }

    public bool Stopped { get; set; }

    public RobotMode? Reports { get; set; }

    public Exception? Refuses { get; set; }

    public CommandStamp Stamp { get; private set; }

    public Task ClaimAsync(CommandMode mode, CancellationToken cancellation)
    {
        if (Refuses is { } refusal)
        {
            throw refusal;
        }

        Assert.Equal(Claims, Releases);
        Claims++;
        return Task.CompletedTask;
    }

    public Task ReleaseAsync(CancellationToken cancellation)
    {
        Releases++;
        return Task.CompletedTask;
    }

    public ReadStatus Read(Observation into)
    {
        lock (_lock)
        {
            _position.CopyTo(into.Signals, 0);
            into.Sequence = ++_sequence;
            into.MeasuredAt = into.MeasuredAtLocal = MonotonicTime.Now(clock);
            into.Mode = Reports ?? (Stopped ? RobotMode.EmergencyStop : HoldsNow ? RobotMode.Holding : RobotMode.Active);
            into.AppliedCommand = _applied;
            into.ActionAgeNs = _age;
            return ReadStatus.Fresh;
        }
    }

    public void Send(in SafeCommand command)
    {
        lock (_lock)
        {
            HoldsNow = command.IsHold;
            if (command.IsHold)
            {
                Holds++;
                return;
            }

            Sent++;
            Stamp = command.Stamp;
            _applied = command.Stamp.Sequence;
            _age = MonotonicTime.Now(clock).NanosecondsSince(command.Stamp.ObservedAt);
            command.Target.CopyTo(_position);
        }
    }

    public void EmergencyStop() => Stopped = true;

    public void Dispose()
    {
    }
}
