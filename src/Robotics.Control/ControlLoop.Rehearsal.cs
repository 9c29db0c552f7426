using System.Numerics;
using Robotics.Observations;
using Robotics.Packages;
using Robotics.Routes;
using Robotics.Safety;

namespace Robotics.Control;

public sealed partial class ControlLoop
{
    private const int RehearsedTicks = 12;

    /// <summary>Runs a few ticks with <paramref name="policy"/> on a robot of air, so that the first real ticks do not wait for the
    /// compiler, the network's first pass or cold memory. Moves nothing; the policy is reset by the run that follows.</summary>
    /// <param name="manifest">As for the loop.</param>
    /// <param name="robot">As for the loop.</param>
    /// <param name="policy">Used on the calling thread meanwhile.</param>
    /// <returns>What a plan took.</returns>
    public static TimeSpan Rehearse(PolicyManifest manifest, RobotSpec robot, IPolicy policy)
    {
        ArgumentNullException.ThrowIfNull(robot);
        using var air = new RobotOfAir(robot);
        if (manifest.Route is { } followed)
        {
            manifest = manifest with { Route = followed with { KeepOut = [] } }; // wherever air stands
        }

        using var loop = new ControlLoop(manifest, air, policy, new ObservationAssembler(manifest, robot), new ActionMap(manifest, robot),
            new ControlOptions { Planner = PlannerMode.Inline });
        loop.ArmAsync(CancellationToken.None).GetAwaiter().GetResult(); // air answers at once
        if (loop._ground is { } ground)
        {
            var away = ground.Position(new float[robot.Layout.Length]) + Vector3.UnitX;
            loop.SetRoute(new RouteTable([new(manifest.Route!.Verbs[0], away, 0.001f, 600)], "rehearsal", manifest.Route), 1);
        }

        loop.Run();
        for (int i = 0; i < RehearsedTicks; i++)
        {
            loop.Tick(MonotonicTime.SystemNow());
        }

        return TimeSpan.FromTicks(loop._planNs / 100);
    }

    /// <summary>Stands in its default pose, level and still, whatever it is sent.</summary>
    private sealed class RobotOfAir : IRobot
    {
        private readonly float[] _signals;
        private ulong _sequence;
        private ulong _applied;

        public RobotOfAir(RobotSpec spec)
        {
            Spec = spec;
            _signals = new float[spec.Layout.Length];
            spec.DefaultPose().CopyTo(_signals, 0);
            foreach (var slice in spec.Layout.Slices.Where(slice => slice is { Length: 4, Unit: "" }))
            {
                _signals[slice.Offset] = 1; // the quaternion that turns nothing
            }
        }

        public RobotSpec Spec { get; }

        public LinkStatus Link => LinkStatus.Direct;

        public Task ClaimAsync(CommandMode mode, CancellationToken cancellation) => Task.CompletedTask;

        public Task ReleaseAsync(CancellationToken cancellation) => Task.CompletedTask;

        public ReadStatus Read(Observation into)
        {
            var now = MonotonicTime.SystemNow();
            _signals.CopyTo(into.Signals, 0);
            into.Sequence = ++_sequence;
            into.MeasuredAt = now;
            into.MeasuredAtLocal = now;
            into.ReceivedAt = now;
            into.Mode = RobotMode.Active;
            into.AppliedCommand = _applied;
            return ReadStatus.Fresh;
        }

        public void Send(in SafeCommand command) => _applied = command.Stamp.Sequence;

        public void EmergencyStop()
        {
            // Air needs no stopping.
        }

        public void Dispose()
        {
            // Air holds nothing.
        }
    }
}
