using Robotics.Numerics;
using Robotics.Sim.Planar;

namespace Robotics.Sim.Tasks;

/// <summary>How a <see cref="PushT"/> environment steps and when its episodes end.</summary>
public sealed record PushTOptions
{
    /// <summary>Simulated time of one step; a multiple of 10 ms, up to 10 s. The published task steps at 100 ms.</summary>
    public TimeSpan Period { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>Episode length; above 0. The published task allows 300 steps of 100 ms.</summary>
    public TimeSpan TimeLimit { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>True: a robot that runs for ever, with no time limit, and success does not stop it.</summary>
    public bool Endless { get; init; }

    /// <summary>Returns this record, or reports everything wrong with it at once.</summary>
    /// <param name="source">Where the values came from, for the message: a file path or "code".</param>
    /// <exception cref="ConfigException">One or more values are out of range.</exception>
    public PushTOptions Checked(string source)
    {
        var check = new ConfigCheck(source);
        check.That(Period.Ticks > 0 && Period <= TimeSpan.FromSeconds(10) && Period.Ticks % PushT.PhysicsPeriod.Ticks == 0,
            "PushTOptions.Period", FormattableString.Invariant($"is {Period.TotalMilliseconds} ms, expected a multiple of 10 ms up to 10 s"));
        check.That(TimeLimit > TimeSpan.Zero, "PushTOptions.TimeLimit", $"is {TimeLimit}, expected a positive time");
        check.Throw();
        return this;
    }
}

/// <summary>The PushT task: an agent on two sliding joints pushes a T-shaped block onto its goal.</summary>
/// <remarks>
/// Published in pixels; here 1 px is 1 mm, so that every signal is SI: the table is 0.512 m wide, positions are
/// <c>px * MetresPerPixel</c>. The y axis points down in pictures. Joints <c>x</c> and <c>y</c> take position targets; the
/// drive accelerates the agent by <c>100 (target - position) - 20 velocity</c> at 100 Hz and nothing can push it back.
/// Holding keeps the last target; before the first, the position after the reset.
/// <para>Signals beside the joints: <c>block.pose</c> [3] m, m, rad in [0, 2π); <c>block.keypoints</c> [18] m;
/// <c>goal.pose</c> [3]; <c>task.coverage</c> [1]; <c>task.reward</c> [1].</para>
/// <para>Reward is min(coverage / 0.95, 1); success is coverage above 0.95. An episode's score is its highest reward.</para>
/// <para>Source: see <see cref="PushTWorld"/>. Not thread-safe; separate instances may run on separate threads.</para>
/// </remarks>
public sealed class PushT : IEnvironment
{
    /// <summary>Length of one published pixel in this environment.</summary>
    public const double MetresPerPixel = 0.001;

    /// <summary>Published pixels in one metre.</summary>
    public const double PixelsPerMetre = 1000;

    /// <summary>Coverage above which the task is solved.</summary>
    public const double SuccessCoverage = 0.95;

    /// <summary>The seed of the nominal start: agent at (256, 400) px, block at (256, 300) px and angle 0.</summary>
    public const ulong NominalSeed = 0;

    // Diffusion Policy's nine block keypoints, px in block coordinates: farthest-point samples of the block's pixels and a
    // small shift, computed with numpy's default_rng(0) and pygame 2.1.2 as diffusion_policy/env/pusht/pymunk_keypoint_manager.py
    // describes (real-stanford/diffusion_policy, MIT).
    private static readonly Vec2[] s_keypoints =
    [
        new(9.269786713763871, 90.04097352393619), new(-60.983472364471474, -1.1867297607997276),
        new(60.91275557727772, -1.3933642242328201), new(-0.2705034390160016, 25.54362499146542),
        new(-14.064927576212233, 122.81585355412153), new(39.002738500170146, 32.857404276587566),
        new(-39.966414424694534, 32.729655446429945), new(-16.82434437939744, 62.86317892234989),
        new(23.54146122024909, -1.7002881094626152),
    ];

    private static readonly RobotSpec s_robot = new()
    {
        Name = "push-t",
        Joints = [Slide("x", (float)(PushTWorld.NominalAgent.X * MetresPerPixel)), Slide("y", (float)(PushTWorld.NominalAgent.Y * MetresPerPixel))],
        Signals =
        [
            new() { Name = "block.pose", Length = 3, Frame = "table", Source = "block", Elements = ["x", "y", "angle"] },
            new() { Name = "block.keypoints", Length = 18, Unit = "m", Frame = "table", Source = "block", Elements = [.. from i in Enumerable.Range(0, 9) from axis in "xy" select $"{i}.{axis}"] },
            new() { Name = "goal.pose", Length = 3, Frame = "table", Source = "goal", Elements = ["x", "y", "angle"] },
            new() { Name = "task.coverage", Length = 1, Source = "task" },
            new() { Name = "task.reward", Length = 1, Source = "task" },
        ],
        Absent = [SignalLayout.JointEffort],
        StatePeriodMs = 10,
        ServoPeriodMs = 10,
        Hold = new() { Mode = HoldMode.Keep },
        Simulator = new() { Kind = "push-t" },
        Origin = "push-t (built in)",
    };

    private readonly SeededRandom _random = new(NominalSeed);
    private readonly PushTOptions _options;
    private readonly int _substeps;
    private Vec2 _target; // px
    private long _elapsed; // physics steps

    /// <summary>Sets up the table in its nominal state.</summary>
    /// <exception cref="ConfigException">An option is out of range.</exception>
    public PushT(PushTOptions? options = null)
    {
        _options = (options ?? new()).Checked("code");
        _substeps = (int)(_options.Period / PhysicsPeriod);
        _target = World.Agent;
    }

    /// <summary>Time between two physics steps.</summary>
    public static TimeSpan PhysicsPeriod { get; } = TimeSpan.FromMilliseconds(10);

    /// <summary>The robot that every PushT table is; always the same object.</summary>
    public static RobotSpec Describe() => s_robot;

    /// <inheritdoc/>
    public RobotSpec Robot => s_robot;

    /// <inheritdoc/>
    public TimeSpan Period => _options.Period;

    /// <inheritdoc/>
    public TimeSpan Time => PhysicsPeriod * _elapsed;

    /// <summary>The table itself, in pixels; for pictures and comparisons.</summary>
    public PushTWorld World { get; } = new();

    /// <summary>Reward of a coverage.</summary>
    public static double RewardOf(double coverage) => Math.Clamp(coverage / SuccessCoverage, 0, 1);

    /// <summary>Starts an episode. Seed <see cref="NominalSeed"/> is the nominal start; every other seed draws the agent from
    /// 50 to 449 px, the block from 100 to 399 px (whole pixels) and its angle from a normal distribution of deviation 2π about -π, as published.</summary>
    /// <inheritdoc/>
    public void Reset(ulong seed, Span<float> signals)
    {
        CheckFrame(signals);
        var agent = PushTWorld.NominalAgent;
        var block = PushTWorld.NominalBlock;
        if (seed != NominalSeed)
        {
            _random.Reset(seed);
            agent = new(_random.NextInt(50, 450), _random.NextInt(50, 450));
            block = new(_random.NextInt(100, 400), _random.NextInt(100, 400), (_random.NextGaussian() * 2 * Math.PI) - Math.PI);
        }

        Begin(agent, block, signals);
    }

    /// <summary>Starts an episode from a given state, for tests and demonstrations.</summary>
    /// <param name="agent">m.</param>
    /// <param name="block">m and rad, as the published reset takes it: the position is that of a block at angle 0, which is
    /// then turned about its centre of gravity.</param>
    /// <param name="signals">[Layout.Length] receives the first signal frame.</param>
    public void ResetTo(Vec2 agent, PlanarPose block, Span<float> signals)
    {
        CheckFrame(signals);
        Begin(agent * PixelsPerMetre, new(block.X * PixelsPerMetre, block.Y * PixelsPerMetre, block.Angle), signals);
    }

    /// <inheritdoc/>
    public void SetMode(CommandMode mode)
    {
        ArgumentNullException.ThrowIfNull(mode);
        if (mode.Mismatch(Robot) is { } mismatch)
        {
            throw new ArgumentException(mismatch, nameof(mode));
        }
    }

    /// <inheritdoc/>
    public StepResult Step(ReadOnlySpan<float> targets, Span<float> signals)
    {
        CheckFrame(signals);
        if (targets.Length is not (0 or 2))
        {
            throw new ArgumentException($"{targets.Length} targets, robot 'push-t' has 2 joints (x, y); none means hold.", nameof(targets));
        }

        if (!targets.IsEmpty)
        {
            _target = new(targets[0] * PixelsPerMetre, targets[1] * PixelsPerMetre);
        }

        for (int i = 0; i < _substeps; i++)
        {
            World.Substep(_target);
        }

        _elapsed += _substeps;
        var (agent, block) = (World.Agent, World.Block);
        if (!double.IsFinite(agent.X + agent.Y + block.X + block.Y + block.Angle))
        {
            throw new SimulationDivergedException(
                FormattableString.Invariant($"PushT diverged at {Time.TotalSeconds:F2} s: agent {agent.X}, {agent.Y} px, target {_target.X}, {_target.Y} px. Reset the environment."));
        }

        double coverage = Write(signals);
        bool ends = !_options.Endless;
        return new((float)RewardOf(coverage), ends && coverage > SuccessCoverage, ends && Time >= _options.TimeLimit);
    }

    /// <summary>Lets the agent be where a real drive was measured, instead of driving it: the block, its contact and the score follow.</summary>
    /// <param name="agent">Measured position, m.</param>
    /// <param name="steps">Physics steps since the measurement before, in which it moved evenly; 0: nothing is known of the way, so
    /// it is put there and pushed nothing.</param>
    /// <param name="signals">[Layout.Length] receives the signal frame.</param>
    public void Follow(Vec2 agent, int steps, Span<float> signals)
    {
        CheckFrame(signals);
        var (from, to) = (World.Agent, agent * PixelsPerMetre);
        if (steps == 0)
        {
            World.Place(to, default, World.Block);
        }

        for (int i = 1; i <= steps; i++)
        {
            World.SubstepTo(from + ((to - from) * ((double)i / steps)));
        }

        _elapsed += steps;
        Write(signals);
    }

    /// <summary>Nothing to release.</summary>
    public void Dispose()
    {
    }

    private void Begin(Vec2 agent, PlanarPose block, Span<float> signals)
    {
        World.Reset(agent, block);
        _target = World.Agent;
        _elapsed = 0;
        Write(signals);
    }

    /// <summary>Fills the frame in the order of <see cref="Describe"/>; returns the coverage.</summary>
    private double Write(Span<float> signals)
    {
        double coverage = World.Coverage;
        var block = World.Block;
        signals[0] = (float)(World.Agent.X * MetresPerPixel);
        signals[1] = (float)(World.Agent.Y * MetresPerPixel);
        signals[2] = (float)(World.AgentVelocity.X * MetresPerPixel);
        signals[3] = (float)(World.AgentVelocity.Y * MetresPerPixel);
        signals[4] = 0;
        signals[5] = 0;
        WritePose(block, signals[6..]);

        Span<Vec2> keypoints = stackalloc Vec2[s_keypoints.Length];
        PushTWorld.Transform(s_keypoints, block, keypoints);
        for (int i = 0; i < keypoints.Length; i++)
        {
            signals[9 + (2 * i)] = (float)(keypoints[i].X * MetresPerPixel);
            signals[10 + (2 * i)] = (float)(keypoints[i].Y * MetresPerPixel);
        }

        WritePose(PushTWorld.Goal, signals[27..]);
        signals[30] = (float)coverage;
        signals[31] = (float)RewardOf(coverage);
        return coverage;
    }

    private static void WritePose(PlanarPose pose, Span<float> into)
    {
        into[0] = (float)(pose.X * MetresPerPixel);
        into[1] = (float)(pose.Y * MetresPerPixel);
        into[2] = (float)(pose.Angle - (Math.Tau * Math.Floor(pose.Angle / Math.Tau))); // the published task wraps it as well
    }

    private void CheckFrame(Span<float> signals)
    {
        if (signals.Length != Robot.Layout.Length)
        {
            throw new ArgumentException($"The signal buffer has {signals.Length} elements, robot 'push-t' has {Robot.Layout.Length}.", nameof(signals));
        }
    }

    private static JointSpec Slide(string name, float home) => new()
    {
        Name = name,
        Kind = JointKind.Prismatic,
        Command = TargetKind.Position,
        Lower = 0,
        Upper = 0.512f,
        MaxSpeed = 5, // human demonstrations move the target by several centimetres per 100 ms
        Default = home,
    };
}
