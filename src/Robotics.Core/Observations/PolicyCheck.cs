using System.Globalization;
using Robotics.Packages;

namespace Robotics.Observations;

/// <summary>Whether a policy can drive a robot, as data: what is wrong, what a person should know, what every element is.</summary>
/// <param name="Problems">Everything that keeps it from running, one sentence each; empty when it can run.</param>
/// <param name="Notes">What does not keep it from running and may still explain a bad walk.</param>
/// <param name="Elements">The observation vector's elements in order; empty when it could not be wired.</param>
/// <param name="ActionLength">Da; 0 when it could not be wired.</param>
public sealed record PolicyCheck(IReadOnlyList<string> Problems, IReadOnlyList<string> Notes, IReadOnlyList<ObservationElement> Elements, int ActionLength)
{
    /// <summary>True when nothing keeps it from running.</summary>
    public bool Ok => Problems.Count == 0;

    /// <summary>Wires <paramref name="policy"/> to <paramref name="robot"/> on paper.</summary>
    public static PolicyCheck Run(PolicyManifest policy, RobotSpec robot)
    {
        ArgumentNullException.ThrowIfNull(policy);
        ArgumentNullException.ThrowIfNull(robot);
        var problems = new List<string>();
        var assembler = Try(() => new ObservationAssembler(policy, robot));
        var map = Try(() => new ActionMap(policy, robot));
        var ground = policy.Route is { } route ? Try(() => new Routes.RouteGround(route, robot)) : null;
        if (policy.Route?.Rehearse == true && ground is { ReadsJoints: false })
        {
            problems.Add($"route.rehearse is true, and route.position reads '{policy.Route.Position.Signal}': it is not known what a command does to that signal; remove it, or read joint.position");
        }

        var notes = new List<string>();
        var timing = policy.Timing;
        if (robot.StatePeriodMs > timing.PeriodMs)
        {
            problems.Add(Text($"timing.period_ms is {timing.PeriodMs}, robot '{robot.Name}' ({robot.Origin}) publishes every {robot.StatePeriodMs} ms (state_period_ms)"));
        }

        if (timing.MaxObservationAgeMs < robot.StatePeriodMs)
        {
            problems.Add(Text($"timing.max_observation_age_ms is {timing.MaxObservationAgeMs}, robot '{robot.Name}' ({robot.Origin}) publishes every {robot.StatePeriodMs} ms (state_period_ms): every observation would be too old"));
        }

        if (timing.PhysicsPeriodMs is { } physics && Math.Abs(physics - robot.ServoPeriodMs) > 1e-6)
        {
            notes.Add(Text($"timing.physics_period_ms is {physics}, robot '{robot.Name}' runs its servo or physics every {robot.ServoPeriodMs} ms (servo_period_ms)"));
        }

        if (policy.Action.Servo is not null && robot.Joints.All(joint => joint.Command != TargetKind.Effort))
        {
            notes.Add($"action.servo has gains, robot '{robot.Name}' has no joint that takes efforts: its own drives' gains apply");
        }

        return new([.. problems.Distinct()], notes, assembler?.Elements ?? [], map?.ActionLength ?? 0);

        T? Try<T>(Func<T> wire)
            where T : class
        {
            try
            {
                return wire();
            }
            catch (ConfigException wrong)
            {
                problems.AddRange(wrong.Problems);
                return null;
            }
        }

        static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
    }
}
