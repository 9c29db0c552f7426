using System.Runtime.ExceptionServices;
using Robotics.Sim.Mujoco;

namespace Robotics.Sim;

/// <summary>How many environments are stepped, by how many threads, and how they differ.</summary>
public sealed record VectorOptions
{
    /// <summary>N, environments; 1 to 65536.</summary>
    public int Count { get; init; } = 1;

    /// <summary>T, threads that step them, the caller's included; 1 to 256, and at most one for every environment is used.</summary>
    public int Threads { get; init; } = 1;

    /// <summary>What differs from nominal; ranges are drawn anew for every episode of every environment.</summary>
    public DynamicsRanges Dynamics { get; init; } = DynamicsRanges.Nominal;

    /// <summary>Returns this record, or reports everything wrong with it at once.</summary>
    /// <exception cref="ConfigException">One or more values are out of range.</exception>
    public VectorOptions Checked(string source)
    {
        var check = new ConfigCheck(source);
        check.Range(Count, 1, 65536, "VectorOptions.Count");
        check.Range(Threads, 1, 256, "VectorOptions.Threads");
        check.Throw();
        return this;
    }
}

/// <summary>N environments of one task stepped together by T threads.</summary>
/// <remarks>
/// Environment i runs episode k with seed <see cref="Seeds.Episode"/>(seed, i, k); nothing depends on which thread steps it, so the
/// number of threads never changes a byte. Where an episode ends the next one begins in the same step.
/// <para>An environment that still runs <see cref="LimitMargin"/> steps after its task's limit will never end: that is an error, not an
/// endless training.</para>
/// </remarks>
public sealed class VectorEnvironment : IVectorEnvironment
{
    /// <summary>Steps past <see cref="ILearningTask.StepLimit"/> after which an environment is said never to end.</summary>
    public const int LimitMargin = 10;

    private readonly ILearningTask _task;
    private readonly TaskSpaces _spaces;
    private readonly IEnvironment[] _environments;
    private readonly Exception?[] _failures;
    private readonly ulong[] _episodes;
    private readonly ulong[] _seeds;
    private readonly int[] _steps;
    private readonly int _frame;
    private readonly int _joints;
    private readonly int _observationSize;
    private readonly int _actionSize;
    private readonly int _limit;
    private readonly float[] _signals;      // [N, Layout.Length]
    private readonly float[] _targets;      // [N, Nj]
    private readonly float[] _actions;      // [N, Da]
    private readonly StepTeam _team;
    private VectorStep? _into;              // of the step in progress
    private ulong _seed;
    private bool _started;
    private bool _failed;
    private bool _disposed;

    /// <summary>Opens the worlds.</summary>
    /// <exception cref="ConfigException">Options out of range, dynamics that the task does not have, or a simulator that is missing.</exception>
    public VectorEnvironment(ILearningTask task, VectorOptions? options = null)
        : this(task, _ => new TaskEnvironment(task, new() { Dynamics = (options ?? new()).Dynamics }), options)
    {
    }

    /// <summary>Steps worlds that the caller opens; they speak the frame of the task's robot.</summary>
    /// <param name="task">Says what is observed and what an action means.</param>
    /// <param name="open">Opens environment i; owned by this object from then on.</param>
    /// <param name="options">Its dynamics are not used here.</param>
    public VectorEnvironment(ILearningTask task, Func<int, IEnvironment> open, VectorOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(task);
        ArgumentNullException.ThrowIfNull(open);
        options = (options ?? new()).Checked("code");
        _task = task;
        _spaces = new TaskSpaces(task);
        int count = options.Count;
        _frame = task.Robot.Layout.Length;
        _joints = task.Robot.Joints.Count;
        _observationSize = _spaces.ObservationSize;
        _actionSize = _spaces.ActionSize;
        _limit = task.StepLimit + LimitMargin;
        _environments = new IEnvironment[count];
        try
        {
            for (int i = 0; i < count; i++)
            {
                _environments[i] = open(i);
            }
        }
        catch
        {
            CloseAll();
            throw;
        }

        _failures = new Exception?[count];
        _episodes = new ulong[count];
        _seeds = new ulong[count];
        _steps = new int[count];
        _signals = new float[count * _frame];
        _targets = new float[count * _joints];
        _actions = new float[count * _spaces.ActionSize];
        _team = new StepTeam(count, Math.Min(options.Threads, count), StepSome, () => MujocoLibrary.Fault);
    }

    /// <inheritdoc/>
    public string Name => _task.Name;

    /// <inheritdoc/>
    public int Count => _environments.Length;

    /// <inheritdoc/>
    public int ObservationSize => _observationSize;

    /// <inheritdoc/>
    public int ActionSize => _actionSize;

    /// <summary>Seed of environment <paramref name="i"/>'s current episode.</summary>
    public ulong EpisodeSeed(int i) => _seeds[i];

    /// <summary>What was drawn for environment <paramref name="i"/>'s current episode, for logs; null for a foreign environment. Filled
    /// again by the next episode.</summary>
    public Dynamics? Dynamics(int i) => (_environments[i] as TaskEnvironment)?.Dynamics;

    /// <summary>[Layout.Length] environment <paramref name="i"/>'s newest signal frame, of the new episode where one ended.</summary>
    public ReadOnlySpan<float> Signals(int i) => _signals.AsSpan(i * _frame, _frame);

    /// <inheritdoc/>
    public void Reset(ulong seed, Span<float> observations)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (observations.Length != Count * ObservationSize)
        {
            throw new ArgumentException($"{observations.Length} observation elements for {Count} environments of {ObservationSize}.", nameof(observations));
        }

        _seed = seed;
        for (int i = 0; i < Count; i++)
        {
            _episodes[i] = 0;
            Begin(i, observations.Slice(i * ObservationSize, ObservationSize));
        }

        ThrowFirstFailure();
        _started = true;
        _failed = false;
    }

    /// <inheritdoc/>
    public void Step(ReadOnlySpan<float> actions, VectorStep step)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ArgumentNullException.ThrowIfNull(step);
        CheckStep(actions, step);
        actions.CopyTo(_actions);
        _into = step;
        _failed = true; // until all of them came back
        _team.Run();
        ThrowFirstFailure();
        _failed = false;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            _team.Dispose();
            CloseAll();
        }
    }

    /// <summary>Steps environments <paramref name="from"/> to <paramref name="to"/> - 1; what goes wrong is kept for the caller's thread,
    /// because an exception on a worker would end the process.</summary>
    private void StepSome(int from, int to)
    {
        for (int i = from; i < to; i++)
        {
            try
            {
                while (i < to && StepOne(i))
                {
                    i++;
                }
            }
            catch (SimulationDivergedException diverged)
            {
                _failures[i] = new SimulationDivergedException($"{Who(i)} diverged at step {_steps[i] + 1}: {diverged.Message}", diverged);
            }
            catch (Exception failure)
            {
                _failures[i] = failure;
            }
        }
    }

    /// <summary>False where what came is no result to learn from; <see cref="_failures"/> says why.</summary>
    private bool StepOne(int i)
    {
        var into = _into!;
        var signals = _signals.AsSpan(i * _frame, _frame);
        var targets = _targets.AsSpan(i * _joints, _joints);
        var reached = into.Reached.AsSpan(i * _observationSize, _observationSize);
        var next = into.Observations.AsSpan(i * _observationSize, _observationSize);
        _spaces.ToTargets(_actions.AsSpan(i * _actionSize, _actionSize), targets);
        var (reward, terminated, truncated) = _environments[i].Step(targets, signals);
        bool finite = _spaces.Observe(signals, reached);
        if (!finite || !float.IsFinite(reward))
        {
            _failures[i] = NotFinite(i, reached, reward);
            return false;
        }

        into.Rewards[i] = reward;
        into.Terminated[i] = terminated;
        into.Truncated[i] = truncated & !terminated;
        _steps[i]++;
        if (terminated | truncated)
        {
            _episodes[i]++;
            return Begin(i, next);
        }

        reached.CopyTo(next);
        if (_steps[i] < _limit)
        {
            return true;
        }

        _failures[i] = new SimulatorFailedException($"{Who(i)} did not end: it is at step {_steps[i]}, and the task's limit is {_task.StepLimit}.");
        return false;
    }

    private bool Begin(int i, Span<float> observation)
    {
        _steps[i] = 0;
        _seeds[i] = Seeds.Episode(_seed, i, _episodes[i]);
        var signals = _signals.AsSpan(i * _frame, _frame);
        _environments[i].Reset(_seeds[i], signals);
        if (_spaces.Observe(signals, observation))
        {
            return true;
        }

        _failures[i] = NotFinite(i, observation, 0);
        return false;
    }

    private void ThrowFirstFailure()
    {
        for (int i = 0; i < _failures.Length; i++)
        {
            if (_failures[i] is { } failure)
            {
                Array.Clear(_failures);
                ExceptionDispatchInfo.Throw(failure); // the first environment's, whatever the threads did
            }
        }
    }

    private SimulationDivergedException NotFinite(int i, ReadOnlySpan<float> observation, float reward) => new(
        $"{Who(i)} is not finite at step {_steps[i] + 1}: observation [{string.Join(", ", observation.ToArray())}], reward {reward}.");

    private string Who(int i) => FormattableString.Invariant($"Environment {i} of task '{Name}', episode {_episodes[i]} (seed {_seeds[i]})");

    private void CheckStep(ReadOnlySpan<float> actions, VectorStep step)
    {
        if (!_started || _failed)
        {
            throw new InvalidOperationException($"Reset task '{Name}' before its {(_failed ? "next step: the last one failed" : "first step")}.");
        }

        if (actions.Length != Count * ActionSize || step.Rewards.Length != Count || step.Observations.Length != Count * ObservationSize)
        {
            throw new ArgumentException($"Task '{Name}' steps {Count} environments with {ActionSize} action and {ObservationSize} observation elements; got "
                + $"{actions.Length} action elements and room for {step.Rewards.Length} rewards and {step.Observations.Length} observation elements.");
        }

        for (int i = 0; i < actions.Length; i++)
        {
            if (!float.IsFinite(actions[i]))
            {
                throw new ArgumentException($"Action element {i % ActionSize} of environment {i / ActionSize} is {actions[i]}: the policy left the finite numbers.", nameof(actions));
            }
        }
    }

    private void CloseAll()
    {
        foreach (var environment in _environments)
        {
            environment?.Dispose();
        }
    }
}
