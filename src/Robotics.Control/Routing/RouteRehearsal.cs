using System.Numerics;
using Robotics.Observations;
using Robotics.Packages;
using Robotics.Routes;

namespace Robotics.Control;

/// <summary>Plays a route before anything moves: the whole runtime, with a policy of its own, on a <see cref="KinematicRobot"/> that
/// starts where the real one is (stage 1 of Spatial Policy).</summary>
/// <remarks>What it cannot foresee is what the model leaves out: dynamics, delay, contact. Owner: one thread, not the loop's.</remarks>
public sealed partial class RouteRehearsal
{
    private const int Spare = 20; // ticks for arming and the first plan

    private readonly PolicyManifest _manifest;
    private readonly IPolicy _policy;
    private readonly RouteGround _ground;
    private readonly RobotSpec _robot;
    private readonly ManualClock _clock;
    private readonly ulong _seed;

    /// <summary>Prepares for one policy on one robot.</summary>
    /// <param name="manifest">With a route section.</param>
    /// <param name="robot">Whose position is made of joints that take positions or velocities.</param>
    /// <param name="policy">A second copy of the policy, loaded with <paramref name="clock"/>; not owned.</param>
    /// <param name="clock">The time in which it is played.</param>
    /// <param name="seed">Draws everything random about the policy, as in the run.</param>
    /// <exception cref="ConfigException">The policy does not fit, or it is not known what a command does to the position.</exception>
    public RouteRehearsal(PolicyManifest manifest, RobotSpec robot, IPolicy policy, ManualClock clock, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        ArgumentNullException.ThrowIfNull(robot);
        (_manifest, _robot, _policy, _clock, _seed) = (manifest, robot, policy, clock, seed);
        _ground = new(manifest.Route ?? throw new ConfigException(manifest.Origin, ["has no 'route' section, so there is nothing to rehearse"]), robot);
        if (!IsPossible(manifest, robot))
        {
            throw new ConfigException(manifest.Origin, [$"route.rehearse cannot be done on robot '{robot.Name}' ({robot.Origin}): it is not known what a command does to '{manifest.Route.Position.Signal}'"]);
        }
    }

    /// <summary>Whether a command's effect on the position is known: joints, none of which takes efforts.</summary>
    public static bool IsPossible(PolicyManifest manifest, RobotSpec robot)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        ArgumentNullException.ThrowIfNull(robot);
        return manifest.Route is { } route && new RouteGround(route, robot).ReadsJoints && robot.Joints.All(joint => joint.Command != TargetKind.Effort);
    }

    /// <summary>Plays the rest of a route.</summary>
    /// <param name="route">From its current row on.</param>
    /// <param name="signals">[frame] the robot's newest measurement.</param>
    /// <returns>What would go wrong, in a sentence; null when every row is achieved.</returns>
    public string? Play(RouteTable route, ReadOnlySpan<float> signals)
    {
        ArgumentNullException.ThrowIfNull(route);
        var period = ControlTiming.From(_manifest, _robot).Period;
        using var robot = new KinematicRobot(_robot, period, _clock);
        robot.Place(signals);
        using var loop = new ControlLoop(_manifest, robot, _policy, new ObservationAssembler(_manifest, _robot), new ActionMap(_manifest, _robot),
            new ControlOptions { Planner = PlannerMode.Inline, Seed = _seed }, _clock);
        loop.ArmAsync(CancellationToken.None).GetAwaiter().GetResult(); // it answers at once
        loop.SetRoute(route, 1);
        loop.Run();
        double most = 0;
        foreach (var row in route.Rows)
        {
            most += row.Timeout;
        }

        for (long ticks = (long)Math.Ceiling(most / period.TotalSeconds) + Spare; ticks > 0 && loop.State != ControlState.Holding; ticks--)
        {
            loop.Tick(MonotonicTime.Now(_clock));
            robot.Advance();
            _clock.Advance(period);
        }

        if (loop.Reason == HoldReason.RouteDone)
        {
            return null;
        }

        int at = Math.Clamp(loop.RouteRow, 0, route.Count - 1);
        var missed = route.Rows[at];
        return FormattableString.Invariant(
            $"row {at + 1} would end {Vector3.Distance(_ground.Position(robot.Signals), missed.Target):F3} m from its target, tolerated are {missed.Tolerance} m ({Episodes.Words.Of(loop.Reason)}, in rehearsal)");
    }
}
