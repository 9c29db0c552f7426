using Robotics.Safety;

namespace Robotics.Bench;

/// <summary>Joints that are where they were told to be.</summary>
/// <param name="joints">How many.</param>
/// <param name="stateMs">Period of its measurements.</param>
internal sealed class FollowingRobot(int joints, int stateMs) : IRobot
{
    private readonly float[] _q = new float[joints];
    private ulong _sequence;
    private CommandStamp _stamp;
    private bool _holds = true;

    public RobotSpec Spec { get; } = new()
    {
        Name = "bench",
        Joints = [.. Enumerable.Range(0, joints).Select(i => new JointSpec { Name = $"j{i}", Lower = -1, Upper = 1, MaxSpeed = 10 })],
        StatePeriodMs = stateMs,
        ServoPeriodMs = 1,
    };

    public LinkStatus Link => LinkStatus.Direct;

    public Task ClaimAsync(CommandMode mode, CancellationToken cancellation) => Task.CompletedTask;

    public Task ReleaseAsync(CancellationToken cancellation) => Task.CompletedTask;

    public ReadStatus Read(Observation into)
    {
        var now = MonotonicTime.SystemNow();
        _q.CopyTo(into.Signals, 0);
        into.Sequence = ++_sequence;
        into.MeasuredAt = now;
        into.MeasuredAtLocal = now;
        into.ReceivedAt = now;
        into.Mode = _holds ? RobotMode.Holding : RobotMode.Active;
        into.AppliedCommand = _stamp.Sequence;
        into.ActionAgeNs = 500_000;
        return ReadStatus.Fresh;
    }

    public void Send(in SafeCommand command)
    {
        _holds = command.IsHold;
        if (!_holds)
        {
            _stamp = command.Stamp;
            command.Target.CopyTo(_q);
        }
    }

    public void EmergencyStop() => _holds = true;

    public void Dispose()
    {
    }
}
