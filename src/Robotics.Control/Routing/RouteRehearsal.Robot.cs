using Robotics.Safety;

namespace Robotics.Control;

public sealed partial class RouteRehearsal
{
    /// <summary>Joints that go where they are told, as fast as their limits allow; everything else about the robot stays as it was
    /// measured. What a route is rehearsed on: no dynamics, no delay.</summary>
    /// <param name="spec">Joints that take positions or velocities.</param>
    /// <param name="period">Time of one command.</param>
    /// <param name="clock">Moves by hand.</param>
    private sealed class KinematicRobot(RobotSpec spec, TimeSpan period, TimeProvider clock) : IRobot
    {
        private readonly float[] _signals = new float[spec.Layout.Length];
        private readonly float[] _target = new float[spec.Joints.Count];
        private ulong _sequence;
        private ulong _applied;
        private bool _holds = true;

        public RobotSpec Spec => spec;

        public LinkStatus Link => LinkStatus.Direct;

        /// <summary>[frame] what it measures.</summary>
        public ReadOnlySpan<float> Signals => _signals;

        /// <summary>Puts it where a real one is.</summary>
        public void Place(ReadOnlySpan<float> signals) => signals.CopyTo(_signals);

        /// <summary>Lets one period pass.</summary>
        public void Advance()
        {
            float dt = (float)period.TotalSeconds;
            int joints = spec.Joints.Count;
            for (int j = 0; j < joints; j++)
            {
                var joint = spec.Joints[j];
                float reach = joint.MaxSpeed * dt;
                float step = _holds ? 0
                    : joint.Command == TargetKind.Velocity ? Math.Clamp(_target[j] * dt, -reach, reach)
                    : Math.Clamp(_target[j] - _signals[j], -reach, reach);
                _signals[j] = Math.Clamp(_signals[j] + step, joint.Lower, joint.Upper);
                _signals[joints + j] = step / dt;
            }
        }

        public Task ClaimAsync(CommandMode mode, CancellationToken cancellation) => Task.CompletedTask;

        public Task ReleaseAsync(CancellationToken cancellation) => Task.CompletedTask;

        public ReadStatus Read(Observation into)
        {
            var now = MonotonicTime.Now(clock);
            _signals.CopyTo(into.Signals, 0);
            into.Sequence = ++_sequence;
            into.MeasuredAt = now;
            into.MeasuredAtLocal = now;
            into.ReceivedAt = now;
            into.Mode = _holds ? RobotMode.Holding : RobotMode.Active;
            into.AppliedCommand = _applied;
            return ReadStatus.Fresh;
        }

        public void Send(in SafeCommand command)
        {
            _holds = command.IsHold;
            _applied = command.Stamp.Sequence;
            command.Target.CopyTo(_target);
        }

        public void EmergencyStop() => _holds = true;

        public void Dispose()
        {
            // It owns nothing.
        }
    }
}
