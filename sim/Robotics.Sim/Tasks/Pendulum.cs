using Robotics.Numerics;
using Robotics.Packages;

namespace Robotics.Sim.Tasks;

/// <summary>Swing a pendulum up and keep it there with a motor too weak to lift it at once. Gym's Pendulum-v1: same dynamics, reward,
/// starts and limit of 200 steps, so that published returns compare.</summary>
/// <remarks>
/// Angle 0 is upright. With g 10 m/s², m 1 kg, l 1 m and the torque u in ±2 Nm, one step of dt is: speed += (3g/(2l) sin(angle) +
/// 3/(m l²) u) dt, clipped to ±8 rad/s; angle += speed·dt. Reward, of the state before the step: -(angle² + 0.1 speed² + 0.001 u²)
/// with the angle in [-π, π). The nominal start hangs still; every other draws the angle from ±π and the speed from ±1.
/// As a robot it steps at 10 ms instead of 50: the same equations, integrated more finely.
/// <para>Source: gymnasium/envs/classic_control/pendulum.py (Farama, MIT).</para>
/// </remarks>
public sealed class Pendulum : ILearningTask
{
    /// <summary>Nm.</summary>
    public const float MaxTorque = 2;

    /// <summary>rad/s.</summary>
    public const double MaxSpeed = 8;

    private static readonly RobotSpec s_robot = TaskRobot.Of("pendulum", 10, 10,
        [new() { Name = "pivot", Command = TargetKind.Effort, Lower = -1e5f, Upper = 1e5f, MaxSpeed = 100, MaxEffort = MaxTorque }],
        [new() { Name = "pendulum.direction", Length = 2, Source = "task", Elements = ["cos", "sin"] }]);

    /// <inheritdoc/>
    public string Name => "pendulum";

    /// <inheritdoc/>
    public string Description => "swing a pendulum up and keep it there (Gym's Pendulum-v1)";

    /// <inheritdoc/>
    public RobotSpec Robot => s_robot;

    /// <inheritdoc/>
    public PolicyManifest Wiring { get; } = TaskRobot.Wiring(s_robot, 50,
        [new() { Name = "direction", Kind = "signal", Signal = "pendulum.direction" }, new() { Name = "speed", Kind = "joint_velocity" }],
        [MaxTorque]);

    /// <inheritdoc/>
    public TimeSpan Period { get; } = TimeSpan.FromMilliseconds(50);

    /// <inheritdoc/>
    public int StepLimit => 200;

    /// <inheritdoc/>
    public IReadOnlyList<DynamicsParameter> Dynamics { get; } = [DynamicsParameter.Gravity, DynamicsParameter.Mass, DynamicsParameter.Motor];

    /// <inheritdoc/>
    public float Reward(ReadOnlySpan<float> previous, ReadOnlySpan<float> targets, ReadOnlySpan<float> reached)
    {
        double angle = previous[0];
        angle -= 2 * Math.PI * Math.Floor((angle + Math.PI) / (2 * Math.PI));
        double speed = previous[1];
        double u = targets.IsEmpty ? 0 : targets[0];
        return (float)-((angle * angle) + (0.1 * speed * speed) + (0.001 * u * u));
    }

    /// <inheritdoc/>
    public bool IsOver(ReadOnlySpan<float> reached) => false;

    /// <inheritdoc/>
    public ITaskWorld CreateWorld(TimeSpan period) => new World(period.TotalSeconds);

    private sealed class World(double dt) : ITaskWorld
    {
        private double _angle = Math.PI, _speed, _sin;
        private double _pull = 15, _push = 3, _strength = 1; // 3g/(2l), 3/(m l²)

        public void SetDynamics(Dynamics dynamics)
        {
            _pull = 15 * dynamics.Gravity;
            _push = 3 / dynamics.Mass;
            _strength = dynamics.Motor;
        }

        public void SetMode(CommandMode mode) => TaskRobot.RequireNative(s_robot, mode);

        public void Begin(SeededRandom? random, Span<float> signals)
        {
            _angle = random?.NextDouble(-Math.PI, Math.PI) ?? Math.PI;
            _speed = random?.NextDouble(-1, 1) ?? 0;
            Write(0, signals);
        }

        public void Advance(ReadOnlySpan<float> targets, Span<float> signals)
        {
            double u = targets.IsEmpty ? 0 : _strength * Math.Clamp(targets[0], -MaxTorque, MaxTorque);
            _speed = Math.Clamp(_speed + (((_pull * _sin) + (_push * u)) * dt), -MaxSpeed, MaxSpeed);
            _angle += _speed * dt;
            Write(u, signals);
        }

        public void Dispose()
        {
        }

        private void Write(double u, Span<float> signals)
        {
            (_sin, double cos) = Math.SinCos(_angle);
            signals[0] = (float)_angle;
            signals[1] = (float)_speed;
            signals[2] = (float)u;
            signals[3] = (float)cos;
            signals[4] = (float)_sin;
        }
    }
}
