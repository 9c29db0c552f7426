using System.Diagnostics;
using Robotics.Numerics;
using Robotics.Observations;
using Robotics.Packages;

namespace Robotics.Lab;

/// <summary>A policy driven step by step, without real time: assemble, plan when the chunk is used up, map the row that is due.</summary>
/// <remarks>With a budget, every plan has a deadline on the real clock, though the robot's time stands still while it plans; a late
/// one leaves the last target standing for a step.</remarks>
internal sealed class Drive
{
    private static readonly MonotonicTime s_never = new(long.MaxValue);

    private readonly IPolicy _policy;
    private readonly ObservationAssembler _assembler;
    private readonly ActionMap _actions;
    private readonly float[] _vector;
    private readonly float[] _chunk;
    private readonly float[] _raw;
    private readonly float[] _target;
    private readonly float[] _command;
    private readonly TimeSpan _period;
    private readonly TimeSpan? _budget;
    private readonly ChunkEnsemble? _ensemble;
    private int _row;
    private long _step;

    public Drive(IPolicy policy, PolicyManifest manifest, RobotSpec robot, TimeSpan? budget = null)
    {
        (_policy, _budget) = (policy, budget);
        _assembler = new ObservationAssembler(manifest, robot);
        _actions = new ActionMap(manifest, robot);
        _vector = new float[_assembler.Length];
        _chunk = new float[policy.Spec.Rows * policy.Spec.ActionLength];
        _raw = new float[policy.Spec.ActionLength];
        _target = new float[robot.Joints.Count];
        _command = [.. manifest.Commands.SelectMany(command => command.Default)];
        _period = TimeSpan.FromMilliseconds(manifest.Timing.PeriodMs);
        _ensemble = manifest.Action.Ensemble is { } decay ? new(policy.Spec.Rows, policy.Spec.ActionLength, 1, decay) : null;
        if (_vector.Length != policy.Spec.ObservationLength)
        {
            throw new ConfigException($"Policy '{policy.Spec.Name}' takes {policy.Spec.ObservationLength} observation elements; its manifest assembles {_vector.Length} on robot '{robot.Name}'.");
        }
    }

    public ReadOnlySpan<float> Target => _target;

    public int Plans { get; private set; }

    public int Calls { get; private set; }

    public int Late { get; private set; }

    public double Seconds { get; private set; }

    public void Reset(ulong seed)
    {
        _policy.Reset(seed);
        _assembler.Reset();
        _ensemble?.Clear();
        (_row, _step) = (_policy.Spec.Rows, 0);
        (Plans, Calls, Late, Seconds) = (0, 0, 0, 0);
        Array.Clear(_raw);
    }

    /// <summary>The next step's targets; false when the policy gave no plan.</summary>
    public bool Next(ReadOnlySpan<float> signals)
    {
        if (_step == 0)
        {
            signals[.._target.Length].CopyTo(_target);
            _actions.Reset(signals[.._target.Length]);
        }

        _assembler.Assemble(signals, _period * _step, _command, _raw, _target, _vector);
        if (_row == _policy.Spec.Rows || _ensemble is not null)
        {
            long start = Stopwatch.GetTimestamp();
            var result = _policy.Plan(_vector, _budget is { } budget ? MonotonicTime.SystemNow() + budget : s_never, _chunk);
            Seconds += Stopwatch.GetElapsedTime(start).TotalSeconds;
            Plans++;
            Calls += result.Calls;
            if (result.Status == PlanStatus.Late && _budget is not null)
            {
                Late++;
                _step++;
                return true;
            }

            _row = 0;
            if (result.Status != PlanStatus.Planned)
            {
                return false;
            }

            _ensemble?.Add(_step, _chunk);
        }

        _chunk.AsSpan(_row * _raw.Length, _raw.Length).CopyTo(_raw);
        _ensemble?.Mix(_step, _raw);
        _actions.Map(_raw, signals[.._target.Length], _target);
        _row++;
        _step++;
        return true;
    }
}
