using Robotics.Safety;

namespace Robotics.Sim.Tasks;

/// <summary>A real robot with two slides at a simulated PushT table (hardware in the loop): the joints are what the robot measures; the
/// block, its contact and the score follow them. Commands go to the robot as they are.</summary>
/// <remarks>Threads as for any robot; the table belongs to the one that reads.</remarks>
public sealed class PushTTable : IRobot
{
    private const int LongestGap = 50; // physics steps; what moved unseen for longer pushed nothing

    private readonly IRobot _robot;
    private readonly PushT _table = new(new PushTOptions { Endless = true });
    private readonly Observation _joints;
    private readonly float[] _frame;
    private readonly int _measured; // elements of the frame that the robot measures itself
    private MonotonicTime _before;
    private bool _met; // the agent has been seen

    /// <summary>Sets the table; owns <paramref name="robot"/> from here on.</summary>
    /// <param name="robot">Slides x and y that take positions.</param>
    /// <param name="seed">Where the block starts, as in the simulator; 0 is the nominal start.</param>
    /// <exception cref="ConfigException">It has other joints, or measures at another rhythm than the table's physics can follow.</exception>
    public PushTTable(IRobot robot, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(robot);
        var (table, real) = (PushT.Describe(), robot.Spec);
        var check = new ConfigCheck("PushT table");
        check.That(real.Joints.Select(Kind).SequenceEqual(table.Joints.Select(Kind)), "", $"needs {string.Join(", ", table.Joints.Select(Kind))}; "
            + $"robot '{real.Name}' has {string.Join(", ", real.Joints.Select(Kind))} ({real.Origin})");
        double steps = real.StatePeriodMs / PushT.PhysicsPeriod.TotalMilliseconds;
        check.That(steps >= 1 && steps == Math.Round(steps), "", FormattableString.Invariant(
            $"robot '{real.Name}' measures every {real.StatePeriodMs} ms, the table's physics needs a multiple of {PushT.PhysicsPeriod.TotalMilliseconds} ms"));
        check.Throw();
        _robot = robot;
        _joints = new(real.Layout.Length);
        Spec = table with { Name = real.Name, Absent = real.Absent, StatePeriodMs = real.StatePeriodMs, ServoPeriodMs = real.ServoPeriodMs, Simulator = null, Origin = real.Origin };
        _frame = new float[Spec.Layout.Length];
        _measured = real.Layout.Length;
        _table.Reset(seed, _frame);
    }

    /// <inheritdoc/>
    public RobotSpec Spec { get; }

    /// <inheritdoc/>
    public LinkStatus Link => _robot.Link;

    /// <inheritdoc/>
    public Task ClaimAsync(CommandMode mode, CancellationToken cancellation) => _robot.ClaimAsync(mode, cancellation);

    /// <inheritdoc/>
    public Task ReleaseAsync(CancellationToken cancellation) => _robot.ReleaseAsync(cancellation);

    /// <inheritdoc/>
    public ReadStatus Read(Observation into)
    {
        ArgumentNullException.ThrowIfNull(into);
        var status = _robot.Read(_joints);
        if (status == ReadStatus.Fresh)
        {
            double steps = (_joints.MeasuredAt - _before) / PushT.PhysicsPeriod;
            bool seen = _met && steps is > 0 and < LongestGap; // a device that was restarted counts anew
            _table.Follow(new(_joints.Signals[0], _joints.Signals[1]), seen ? Math.Max(1, (int)Math.Round(steps)) : 0, _frame);
            (_before, _met) = (_joints.MeasuredAt, true);
            _joints.CopyTo(into); // fills the front, what it measures itself
            _frame.AsSpan(_measured).CopyTo(into.Signals.AsSpan(_measured));
        }

        return status;
    }

    /// <inheritdoc/>
    public void Send(in SafeCommand command) => _robot.Send(in command);

    /// <inheritdoc/>
    public void EmergencyStop() => _robot.EmergencyStop();

    /// <inheritdoc/>
    public void Dispose()
    {
        _robot.Dispose();
        _table.Dispose();
    }

    private static string Kind(JointSpec joint) => $"joint '{joint.Name}' ({joint.Kind}, {joint.Command})";
}
