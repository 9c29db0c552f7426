using System.Diagnostics;
using Robotics.Observations;
using Robotics.Packages;

namespace Robotics.Lab;

/// <summary>A policy driven step by step, without real time: assemble, plan when the chunk is used up, map the row that is due.</summary>
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
    private int _row;
    private long _step;

    public Drive(IPolicy policy, PolicyManifest manifest, RobotSpec robot)
    {
        _policy = policy;
        _assembler = new ObservationAssembler(manifest, robot);
        _actions = new ActionMap(manifest, robot);
        _vector = new float[_assembler.Length];
        _chunk = new float[policy.Spec.Rows * policy.Spec.ActionLength];
        _raw = new float[policy.Spec.ActionLength];
        _target = new float[robot.Joints.Count];
        _command = [.. manifest.Commands.SelectMany(command => command.Default)];
        _period = TimeSpan.FromMilliseconds(manifest.Timing.PeriodMs);
        if (_vector.Length != policy.Spec.ObservationLength)
        {
            throw new ConfigException($"Policy '{policy.Spec.Name}' takes {policy.Spec.ObservationLength} observation elements; its manifest assembles {_vector.Length} on robot '{robot.Name}'.");
        }
    }

    public ReadOnlySpan<float> Target => _target;

    public int Plans { get; private set; }

    public int Calls { get; private set; }

    public double Seconds { get; private set; }

    public void Reset(ulong seed)
    {
        _policy.Reset(seed);
        _assembler.Reset();
        (_row, _step) = (_policy.Spec.Rows, 0);
        (Plans, Calls, Seconds) = (0, 0, 0);
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
        if (_row == _policy.Spec.Rows)
        {
            long start = Stopwatch.GetTimestamp();
            var result = _policy.Plan(_vector, s_never, _chunk);
            Seconds += Stopwatch.GetElapsedTime(start).TotalSeconds;
            Plans++;
            Calls += result.Calls;
            _row = 0;
            if (result.Status != PlanStatus.Planned)
            {
                return false;
            }
        }

        _chunk.AsSpan(_row * _raw.Length, _raw.Length).CopyTo(_raw);
        _actions.Map(_raw, signals[.._target.Length], _target);
        _row++;
        _step++;
        return true;
    }
}
