using Robotics.Sim.Planar;

namespace Robotics.Sim.Tasks;

/// <summary>Position and angle in the plane.</summary>
/// <param name="X">px or m, as the user says.</param>
/// <param name="Y">px or m; grows downwards in pictures.</param>
/// <param name="Angle">rad.</param>
public readonly record struct PlanarPose(double X, double Y, double Angle);

/// <summary>The PushT table in its published units: 512 x 512 px, a disc that follows a target, a T-shaped block, four walls.</summary>
/// <remarks>
/// Everything here is in pixels; the PushT environment is the SI face (1 px is 1 mm there). Not thread-safe; allocation-free
/// after construction; deterministic.
/// <para>Source: huggingface/gym-pusht, gym_pusht/envs/pusht.py (Apache-2.0; semantics, not code), after Chi et al. 2023
/// (arXiv:2303.04137) and Florence et al. 2021 (arXiv:2109.00137).</para>
/// </remarks>
public sealed class PushTWorld
{
    /// <summary>Side of the table, px.</summary>
    public const double Side = 512;

    /// <summary>Radius of the agent, px.</summary>
    public const double AgentRadius = 15;

    /// <summary>Physics period, s.</summary>
    public const double SubstepSeconds = 0.01;

    /// <summary>Area of the T, px²; what coverage is measured against.</summary>
    public const double BlockArea = 6300;

    private const double Stiffness = 100; // 1/s², of the agent's drive
    private const double Damping = 20;    // 1/s

    // A T in block coordinates, counter-clockwise: the bar and the stem. The origin is the middle of the bar's far edge.
    private static readonly Vec2[] s_bar = [new(-60, 0), new(60, 0), new(60, 30), new(-60, 30)];
    private static readonly Vec2[] s_stem = [new(-15, 30), new(15, 30), new(15, 120), new(-15, 120)];

    private readonly Body _agent = Body.Kinematic();
    private readonly Body _block = Body.Dynamic(mass: 1, moment: 3000, centreOfGravity: new(0, 45)); // twice the bar's own moment
    private readonly Shape _barShape;
    private readonly Shape _stemShape;
    private readonly Space _space;

    /// <summary>Sets up the table in its nominal state.</summary>
    public PushTWorld()
    {
        _barShape = Shape.Polygon(_block, s_bar);
        _stemShape = Shape.Polygon(_block, s_stem);
        var walls = Body.Static();
        _space = new Space(
            Shape.Segment(walls, new(5, 506), new(5, 5), 2),
            Shape.Segment(walls, new(5, 5), new(506, 5), 2),
            Shape.Segment(walls, new(506, 5), new(506, 506), 2),
            Shape.Segment(walls, new(5, 506), new(506, 506), 2),
            Shape.Circle(_agent, AgentRadius),
            _barShape,
            _stemShape)
        {
            Damping = 0,
        };
        Reset(NominalAgent, NominalBlock);
    }

    /// <summary>Where the block belongs, px and rad.</summary>
    public static PlanarPose Goal { get; } = new(256, 256, Math.PI / 4);

    /// <summary>Where the agent starts unless told otherwise, px.</summary>
    public static Vec2 NominalAgent { get; } = new(256, 400);

    /// <summary>Where the block starts unless told otherwise, px and rad.</summary>
    public static PlanarPose NominalBlock { get; } = new(256, 300, 0);

    /// <summary>Corners of the T in block coordinates, px; a closed outline.</summary>
    public static IReadOnlyList<Vec2> Outline { get; } =
        [new(-60, 0), new(60, 0), new(60, 30), new(15, 30), new(15, 120), new(-15, 120), new(-15, 30), new(-60, 30)];

    /// <summary>Centre of the agent, px.</summary>
    public Vec2 Agent => _agent.Position;

    /// <summary>px/s.</summary>
    public Vec2 AgentVelocity => _agent.Velocity;

    /// <summary>Pose of the block's origin (the middle of the bar's far edge), px and rad; the angle is not wrapped.</summary>
    public PlanarPose Block => new(_block.Position.X, _block.Position.Y, _block.Angle);

    /// <summary>World position of the block's centre of gravity, px.</summary>
    public Vec2 BlockCentre => _block.ToWorld(_block.CentreOfGravity);

    /// <summary>True when anything touched in the last physics step.</summary>
    public bool Touching => _space.Touching > 0;

    /// <summary>Share of the goal that the block covers, 0 to 1.</summary>
    public double Coverage => CoverageOf(Block);

    /// <summary>Starts an episode as the published task does: positions, then the block's angle about its centre of gravity
    /// (which moves the block's origin), then one physics step.</summary>
    /// <param name="agent">px.</param>
    /// <param name="block">px and rad; the position is that of a block at angle 0.</param>
    public void Reset(Vec2 agent, PlanarPose block)
    {
        _space.Clear();
        _agent.Position = agent;
        _block.Angle = 0;
        _block.Position = new(block.X, block.Y);
        _block.Angle = block.Angle;
        _space.Step(SubstepSeconds);
    }

    /// <summary>Puts everything exactly where it is told; nothing steps.</summary>
    /// <param name="agent">px.</param>
    /// <param name="velocity">Of the agent, px/s.</param>
    /// <param name="block">Pose of the block's origin, as <see cref="Block"/> reports it.</param>
    public void Place(Vec2 agent, Vec2 velocity, PlanarPose block)
    {
        _space.Clear();
        _agent.Position = agent;
        _agent.Velocity = velocity;
        _block.Angle = block.Angle;
        _block.Position = new(block.X, block.Y);
    }

    /// <summary>One physics step of 10 ms: the agent accelerates towards <paramref name="target"/>, then the world moves.</summary>
    /// <param name="target">px.</param>
    public void Substep(Vec2 target)
    {
        var acceleration = ((target - _agent.Position) * Stiffness) + ((default(Vec2) - _agent.Velocity) * Damping);
        _agent.Velocity += acceleration * SubstepSeconds;
        _space.Step(SubstepSeconds);
    }

    /// <summary>One physics step of 10 ms in which the agent goes to <paramref name="position"/>, whatever drives it; the block gives way.</summary>
    /// <param name="position">px.</param>
    public void SubstepTo(Vec2 position)
    {
        _agent.Velocity = (position - _agent.Position) * (1 / SubstepSeconds);
        _space.Step(SubstepSeconds);
    }

    /// <summary>One published control step of 100 ms: ten physics steps towards the same target.</summary>
    /// <param name="target">px.</param>
    public void Step(Vec2 target)
    {
        for (int i = 0; i < 10; i++)
        {
            Substep(target);
        }
    }

    /// <summary>Distance from <paramref name="point"/> to the block's outline, px; negative inside.</summary>
    public double DistanceToBlock(Vec2 point)
    {
        // Place() moves the body without stepping; shapes follow here.
        _barShape.Update();
        _stemShape.Update();
        return Math.Min(_barShape.Distance(point), _stemShape.Distance(point));
    }

    /// <summary>Share of the goal that a block at <paramref name="pose"/> covers, 0 to 1. Pure geometry.</summary>
    public static double CoverageOf(PlanarPose pose)
    {
        // Goal and block are both two rectangles that share only an edge, so the four overlaps add up.
        Span<Vec2> blockBar = stackalloc Vec2[4];
        Span<Vec2> blockStem = stackalloc Vec2[4];
        Span<Vec2> goalBar = stackalloc Vec2[4];
        Span<Vec2> goalStem = stackalloc Vec2[4];
        Transform(s_bar, pose, blockBar);
        Transform(s_stem, pose, blockStem);
        Transform(s_bar, Goal, goalBar);
        Transform(s_stem, Goal, goalStem);
        return (ConvexOverlap.Area(blockBar, goalBar) + ConvexOverlap.Area(blockBar, goalStem)
            + ConvexOverlap.Area(blockStem, goalBar) + ConvexOverlap.Area(blockStem, goalStem)) / BlockArea;
    }

    /// <summary>World positions of points given in block coordinates.</summary>
    /// <param name="local">[n] px.</param>
    /// <param name="pose">px and rad.</param>
    /// <param name="world">[n] px.</param>
    public static void Transform(ReadOnlySpan<Vec2> local, PlanarPose pose, Span<Vec2> world)
    {
        var rotation = Vec2.FromAngle(pose.Angle);
        for (int i = 0; i < local.Length; i++)
        {
            world[i] = local[i].Rotate(rotation) + new Vec2(pose.X, pose.Y);
        }
    }
}
