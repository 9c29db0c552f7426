using Robotics.Numerics;
using Robotics.Packages;
using Robotics.Sim.Planar;

namespace Robotics.Sim.Tasks;

/// <summary>How the PushT reference controller searches.</summary>
public sealed record PushTReferenceOptions
{
    /// <summary>Ta: rows of one plan, 1 to 16; the time between two plans when each is used up.</summary>
    public int Rows { get; init; } = 8;

    /// <summary>Futures tried per plan when the deadline allows, 1 to 10000.</summary>
    public int Candidates { get; init; } = 100;

    /// <summary>Returns this record, or reports everything wrong with it at once.</summary>
    /// <param name="source">Where the values came from, for the message: a file path or "code".</param>
    /// <exception cref="ConfigException">One or more values are out of range.</exception>
    public PushTReferenceOptions Checked(string source)
    {
        var check = new ConfigCheck(source);
        check.Range(Rows, 1, 16, "PushTReferenceOptions.Rows");
        check.Range(Candidates, 1, 10000, "PushTReferenceOptions.Candidates");
        check.Throw();
        return this;
    }
}

/// <summary>A hand-written controller for PushT: tries random pushes in a copy of the simulator and takes the best.</summary>
/// <remarks>
/// It knows what no learned policy knows: the physics. So it is a yardstick and a first driver for the whole stack, not a
/// competitor. Each candidate either carries on with the last plan for a while and then pushes straight on, or walks around
/// the block to a point of its outline and pushes there; its cost is the mean distance of the block's corners from their
/// goal, at the end and on the way. Deterministic for a seed as long as no deadline cuts the search short.
/// <para>Allocation-free after construction; not thread-safe.</para>
/// </remarks>
public sealed class PushTReference : IPolicy
{
    private const int Horizon = 36;             // control steps of 100 ms that a candidate is followed
    private const int ObservationLength = 7;
    private const double Clearance = 5;         // px between the agent and the block before a push
    private const double OrbitRadius = 108;     // px from the block's centre: outside every corner, with room for the agent

    private static readonly Vec2[] s_corners = [.. PushTWorld.Outline];
    private static readonly Vec2[] s_goal = GoalCorners();

    private readonly PushTWorld _world = new();
    private readonly PushTReferenceOptions _options;
    private readonly TimeProvider _clock;
    private readonly SeededRandom _random = new(0);
    private Vec2[] _plan = new Vec2[Horizon];   // px, the best future of the last call
    private Vec2[] _best = new Vec2[Horizon];
    private Vec2[] _trial = new Vec2[Horizon];
    private bool _hasPlan;

    /// <summary>Prepares the search.</summary>
    /// <param name="options">Null: the defaults.</param>
    /// <param name="clock">What deadlines are compared with; null: the system's.</param>
    /// <exception cref="ConfigException">An option is out of range.</exception>
    public PushTReference(PushTReferenceOptions? options = null, TimeProvider? clock = null)
    {
        _options = (options ?? new()).Checked("code");
        _clock = clock ?? TimeProvider.System;
        Spec = new("push-t-reference", [new("state", 0, ObservationLength)], _options.Rows, 2, TimeSpan.FromMilliseconds(100));
    }

    /// <summary>How the controller is wired to the robot: its observation terms and what its actions mean. No files, no
    /// networks: this policy is code.</summary>
    public PolicyManifest Manifest => new()
    {
        Name = Spec.Name,
        Description = "Hand-written PushT controller: random shooting in the simulator.",
        Files = [],
        Models = [],
        Observations =
        [
            new()
            {
                Name = "state",
                Terms =
                [
                    new() { Name = "agent", Kind = "joint_position", Joints = ["x", "y"] },
                    new() { Name = "agent_velocity", Kind = "joint_velocity", Joints = ["x", "y"] },
                    new() { Name = "block", Kind = "signal", Signal = "block.pose" },
                ],
            },
        ],
        Action = new() { Joints = ["x", "y"], Rows = _options.Rows, RowPeriodMs = 100 },
        Timing = new() { PeriodMs = 100, PhysicsPeriodMs = 10 },
        Origin = "push-t-reference (built in)",
    };

    /// <inheritdoc/>
    public PolicySpec Spec { get; }

    /// <inheritdoc/>
    public string? LastFault => null;

    /// <inheritdoc/>
    public void Reset(ulong seed)
    {
        _random.Reset(seed);
        _hasPlan = false;
    }

    /// <summary>Plans by search.</summary>
    /// <param name="observation">[7]: agent x, y in m; agent velocity x, y in m/s; block x, y in m and angle in rad.</param>
    /// <param name="deadline">The search stops here with the best future so far; Late when not even one was tried.</param>
    /// <param name="chunk">[Rows, 2] position targets, m.</param>
    /// <returns>Planned, with the number of futures tried; Late; or Refused when the observation is not finite.</returns>
    public PlanResult Plan(ReadOnlySpan<float> observation, MonotonicTime deadline, Span<float> chunk)
    {
        if (observation.Length != ObservationLength || chunk.Length != 2 * _options.Rows)
        {
            throw new ArgumentException($"The observation has {observation.Length} and the chunk {chunk.Length} elements, expected {ObservationLength} and {2 * _options.Rows}.");
        }

        foreach (float value in observation)
        {
            if (!float.IsFinite(value))
            {
                return new(PlanStatus.Refused, 0);
            }
        }

        const double px = PushT.PixelsPerMetre;
        var start = new State(
            new(observation[0] * px, observation[1] * px),
            new(observation[2] * px, observation[3] * px),
            new(observation[4] * px, observation[5] * px, observation[6]));
        if (!_hasPlan)
        {
            Array.Fill(_plan, start.Agent);
        }

        // How many rows of the last plan were executed is the caller's business: every possible number is tried first, the
        // most likely one before the others.
        int alignments = _hasPlan ? _options.Rows + 1 : 1;
        int shift = _options.Rows;
        double lowest = double.PositiveInfinity;
        int tried = 0;
        while (tried < _options.Candidates && MonotonicTime.Now(_clock) < deadline)
        {
            int carryOn = _options.Rows - tried;
            double cost = tried < alignments ? Follow(start, carryOn, Horizon, default, 0, 0)
                : tried % 2 == 0 ? Follow(start, shift, _random.NextInt(0, 8), Direction(), _random.NextDouble(2, 16), _random.NextInt(1, 14))
                : GoRound(start);
            if (cost < lowest)
            {
                lowest = cost;
                shift = tried < alignments ? carryOn : shift;
                (_best, _trial) = (_trial, _best);
            }

            tried++;
        }

        if (tried == 0)
        {
            return new(PlanStatus.Late, 0);
        }

        (_plan, _best) = (_best, _plan);
        _hasPlan = true;
        for (int row = 0; row < _options.Rows; row++)
        {
            chunk[2 * row] = (float)(_plan[row].X * PushT.MetresPerPixel);
            chunk[(2 * row) + 1] = (float)(_plan[row].Y * PushT.MetresPerPixel);
        }

        return new(PlanStatus.Planned, tried);
    }

    /// <summary>Nothing to release.</summary>
    public void Dispose()
    {
    }

    private readonly record struct State(Vec2 Agent, Vec2 Velocity, PlanarPose Block);

    private static Vec2[] GoalCorners()
    {
        var corners = new Vec2[PushTWorld.Outline.Count];
        PushTWorld.Transform([.. PushTWorld.Outline], PushTWorld.Goal, corners);
        return corners;
    }

    private Vec2 Direction() => Vec2.FromAngle(_random.NextDouble(0, Math.Tau));

    /// <summary>The last plan from row <paramref name="shift"/> for <paramref name="keep"/> steps, then straight on for a while,
    /// then still.</summary>
    private double Follow(in State start, int shift, int keep, Vec2 direction, double stepPx, int steps)
    {
        _world.Place(start.Agent, start.Velocity, start.Block);
        double sum = 0;
        double error = 0;
        var target = start.Agent;
        for (int t = 0; t < Horizon; t++)
        {
            target = Clamp(t < keep ? _plan[Math.Min(t + shift, Horizon - 1)] : t < keep + steps ? (t == keep ? _world.Agent : target) + (direction * stepPx) : target);
            error = Advance(t, target);
            sum += error;
            if (t > keep + steps + 6)
            {
                return Finish(t, target, sum, error);
            }
        }

        return Finish(Horizon - 1, target, sum, error);
    }

    /// <summary>Around the block to a random point of its outline, then a straight push, then still.</summary>
    private double GoRound(in State start)
    {
        // A point of the outline, its outward normal, and a push within 40° of straight in; all in block coordinates.
        int edge = _random.NextInt(0, s_corners.Length);
        Vec2 a = s_corners[edge], b = s_corners[(edge + 1) % s_corners.Length];
        var contact = Vec2.Lerp(a, b, _random.NextDouble(0.02, 0.98));
        var normal = (-(b - a).Perp()).Normalized();
        var standoff = contact + (normal * (PushTWorld.AgentRadius + Clearance));
        var inward = (-normal).Rotate(Vec2.FromAngle(_random.NextDouble(-0.7, 0.7)));
        double stepPx = _random.NextDouble(2, 18);
        int steps = _random.NextInt(2, 16);

        _world.Place(start.Agent, start.Velocity, start.Block);
        double sum = 0;
        double error = 0;
        int pushed = -1;
        Vec2 target = start.Agent, direction = default;
        for (int t = 0; t < Horizon; t++)
        {
            if (pushed < 0)
            {
                var pose = _world.Block;
                var rotation = Vec2.FromAngle(pose.Angle);
                var place = standoff.Rotate(rotation) + new Vec2(pose.X, pose.Y);
                target = Towards(place);
                if ((_world.Agent - place).Length < 6)
                {
                    pushed = 0;
                    direction = inward.Rotate(rotation);
                    target = place;
                }
            }

            if (pushed >= 0 && pushed < steps)
            {
                target += direction * stepPx;
                pushed++;
            }

            target = Clamp(target);
            error = Advance(t, target);
            sum += error;
        }

        return Finish(Horizon - 1, target, sum, error);
    }

    /// <summary>A target on the way to <paramref name="place"/> that keeps clear of the block.</summary>
    private Vec2 Towards(Vec2 place)
    {
        var agent = _world.Agent;
        if (IsClear(agent, place))
        {
            return place;
        }

        var centre = _world.BlockCentre;
        var from = agent - centre;
        var to = place - centre;
        double turn = Math.Atan2(Vec2.Cross(from, to), Vec2.Dot(from, to));

        // Out first, then round: a corner that is cut short pushes the block.
        double ahead = 0.8 * Math.Clamp((from.Length - 60) / 40, 0, 1);
        double angle = Math.Atan2(from.Y, from.X) + Math.Clamp(turn, -ahead, ahead);
        return centre + (Vec2.FromAngle(angle) * OrbitRadius);
    }

    private bool IsClear(Vec2 from, Vec2 to)
    {
        double length = (to - from).Length;
        for (double at = 0; at < length;)
        {
            double room = _world.DistanceToBlock(Vec2.Lerp(from, to, at / length)) - (PushTWorld.AgentRadius + 1);
            if (room < 0)
            {
                return false;
            }

            at += Math.Max(room, 3);
        }

        return true;
    }

    /// <summary>One control step of a trial; the block's distance from its goal after it, px.</summary>
    private double Advance(int t, Vec2 target)
    {
        _trial[t] = target;
        _world.Step(target);

        Span<Vec2> corners = stackalloc Vec2[s_corners.Length];
        PushTWorld.Transform(s_corners, _world.Block, corners);
        double sum = 0;
        for (int i = 0; i < corners.Length; i++)
        {
            sum += (corners[i] - s_goal[i]).Length;
        }

        return sum / corners.Length;
    }

    /// <summary>Cost of a trial whose last steps, from <paramref name="t"/> on, change nothing.</summary>
    private double Finish(int t, Vec2 target, double sum, double error)
    {
        _trial.AsSpan(t + 1).Fill(target);
        double mean = (sum + (error * (Horizon - 1 - t))) / Horizon;
        return error + (0.3 * mean);
    }

    private static Vec2 Clamp(Vec2 target) => new(Math.Clamp(target.X, 0, PushTWorld.Side), Math.Clamp(target.Y, 0, PushTWorld.Side));
}
