using Robotics.Numerics;
using Robotics.Packages;

namespace Robotics.Sim.Tasks;

/// <summary>Balance a pole on a cart. Gym's CartPole-v1 with a continuous force in ±10 N in place of its two pushes.</summary>
/// <remarks>
/// Gym's dynamics (cart 1 kg, pole 0.1 kg and 2 · 0.5 m, 9.8 m/s², explicit Euler at 20 ms), starts (each of the four states even in
/// ±0.05), ends (|x| > 2.4 m or |angle| > 12°), limit of 500 steps and reward of 1 for every step. The nominal start is all zero.
/// As a robot it steps at 10 ms.
/// <para>Source: gymnasium/envs/classic_control/cartpole.py (Farama, MIT).</para>
/// </remarks>
public sealed class CartPole : ILearningTask
{
    /// <summary>N.</summary>
    public const float MaxForce = 10;

    private const double FarthestCart = 2.4, FarthestPole = 12 * Math.PI / 180, HalfLength = 0.5;

    private static readonly RobotSpec s_robot = TaskRobot.Of("cart-pole", 10, 10,
        [new() { Name = "cart", Kind = JointKind.Prismatic, Command = TargetKind.Effort, Lower = -1e5f, Upper = 1e5f, MaxSpeed = 100, MaxEffort = MaxForce }],
        [
            new() { Name = "pole.angle", Length = 1, Unit = "rad", Source = "task" },
            new() { Name = "pole.angular_velocity", Length = 1, Unit = "rad/s", Source = "task" },
        ]);

    /// <inheritdoc/>
    public string Name => "cart-pole";

    /// <inheritdoc/>
    public string Description => "balance a pole on a cart (Gym's CartPole-v1 with a continuous force)";

    /// <inheritdoc/>
    public RobotSpec Robot => s_robot;

    /// <inheritdoc/>
    public PolicyManifest Wiring { get; } = TaskRobot.Wiring(s_robot, 20,
        [
            new() { Name = "cart", Kind = "joint_position" }, new() { Name = "cart_speed", Kind = "joint_velocity" },
            new() { Name = "pole", Kind = "signal", Signal = "pole.angle" }, new() { Name = "pole_speed", Kind = "signal", Signal = "pole.angular_velocity" },
        ],
        [MaxForce]);

    /// <inheritdoc/>
    public TimeSpan Period { get; } = TimeSpan.FromMilliseconds(20);

    /// <inheritdoc/>
    public int StepLimit => 500;

    /// <inheritdoc/>
    public IReadOnlyList<DynamicsParameter> Dynamics { get; } = [DynamicsParameter.Gravity, DynamicsParameter.Mass, DynamicsParameter.Motor];

    /// <inheritdoc/>
    public float Reward(ReadOnlySpan<float> previous, ReadOnlySpan<float> targets, ReadOnlySpan<float> reached) => 1;

    /// <inheritdoc/>
    public bool IsOver(ReadOnlySpan<float> reached) => Math.Abs(reached[0]) > FarthestCart || Math.Abs(reached[3]) > FarthestPole;

    /// <inheritdoc/>
    public ITaskWorld CreateWorld(TimeSpan period) => new World(period.TotalSeconds);

    private sealed class World(double dt) : ITaskWorld
    {
        private double _x, _speed, _angle, _turn;
        private double _gravity = 9.8, _cart = 1, _pole = 0.1, _strength = 1;

        public void SetDynamics(Dynamics dynamics)
        {
            _gravity = 9.8 * dynamics.Gravity;
            _cart = dynamics.Mass;
            _pole = 0.1 * dynamics.Mass;
            _strength = dynamics.Motor;
        }

        public void SetMode(CommandMode mode) => TaskRobot.RequireNative(s_robot, mode);

        public void Begin(SeededRandom? random, Span<float> signals)
        {
            _x = random?.NextDouble(-0.05, 0.05) ?? 0;
            _speed = random?.NextDouble(-0.05, 0.05) ?? 0;
            _angle = random?.NextDouble(-0.05, 0.05) ?? 0;
            _turn = random?.NextDouble(-0.05, 0.05) ?? 0;
            Write(0, signals);
        }

        public void Advance(ReadOnlySpan<float> targets, Span<float> signals)
        {
            double force = targets.IsEmpty ? 0 : _strength * Math.Clamp(targets[0], -MaxForce, MaxForce);
            var (sin, cos) = Math.SinCos(_angle);
            double total = _cart + _pole;
            double push = (force + (_pole * HalfLength * _turn * _turn * sin)) / total;
            double turning = ((_gravity * sin) - (cos * push)) / (HalfLength * ((4.0 / 3) - (_pole * cos * cos / total)));
            double pushing = push - (_pole * HalfLength * turning * cos / total);
            _x += dt * _speed;
            _speed += dt * pushing;
            _angle += dt * _turn;
            _turn += dt * turning;
            Write(force, signals);
        }

        public void Dispose()
        {
        }

        private void Write(double force, Span<float> signals)
        {
            signals[0] = (float)_x;
            signals[1] = (float)_speed;
            signals[2] = (float)force;
            signals[3] = (float)_angle;
            signals[4] = (float)_turn;
        }
    }
}
