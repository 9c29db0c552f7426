using Robotics.Numerics;

namespace Robotics.Sim;

/// <summary>How a task is played.</summary>
public sealed record TaskOptions
{
    /// <summary>What differs from nominal; ranges are drawn anew for every episode.</summary>
    public DynamicsRanges Dynamics { get; init; } = DynamicsRanges.Nominal;

    /// <summary>False: as a learner steps it, one control period at a time, ended by the caller. True: as a robot that is switched on
    /// for good: it steps at its state period, and where an episode ends it stands still for one control period, so that a record shows
    /// the end, is put back to a new start, and <see cref="TaskEnvironment.EpisodeSignal"/> counts on.</summary>
    public bool AsRobot { get; init; }
}

/// <summary>One world of a task: its physics with late targets, noisy measurements, rewards and ends.</summary>
/// <remarks>
/// Reward and end are judged on the true state; what is measured, and so recorded, carries noise and bias. A seed draws the start;
/// dynamics and noise come from streams of their own, so that the same seed starts alike under every gap.
/// Owner: one thread.
/// </remarks>
public sealed class TaskEnvironment : IEnvironment
{
    /// <summary>Every task's robot has this signal [1]: episodes since it was switched on, so that a long record can be cut.</summary>
    public const string EpisodeSignal = "task.episode";

    private const ulong DynamicsStream = 0x9E6C63D0876A9A47, NoiseStream = 0xC2B2AE3D27D4EB4F; // arbitrary; fixed, so that seeds repeat

    private readonly ITaskWorld _world;
    private readonly DynamicsRanges _ranges;
    private readonly SeededRandom _start = new(0);
    private readonly SeededRandom _noise = new(0);
    private readonly bool _asRobot;
    private readonly int _stepsPerControl; // of this environment, in one control period
    private readonly long _limit;          // steps of this environment
    private readonly int _episodeAt;
    private readonly float[] _late;        // ring of targets that have not arrived yet
    private readonly bool[] _lateHolds;
    private readonly float[] _weight;      // [Layout.Length] units of noise on each element
    private readonly float[] _bias;        // [Layout.Length]
    private float[] _previous;             // [Layout.Length] true frames
    private float[] _reached;
    private int _lateAt;
    private int _delay;                    // steps of this environment
    private int _rest;                     // steps of this environment until the next episode; 0 while one runs
    private bool _clean;                   // measurements are the truth
    private long _steps;
    private ulong _seed;
    private ulong _episode;
    private float _episodeNumber;

    /// <summary>Sets up the nominal start.</summary>
    /// <exception cref="ConfigException">The dynamics do not fit the task, or what its world needs is not installed.</exception>
    public TaskEnvironment(ILearningTask task, TaskOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(task);
        options ??= new();
        Task = task;
        _ranges = options.Dynamics.CheckedFor(task, "dynamics");
        _asRobot = options.AsRobot;
        Period = options.AsRobot ? TimeSpan.FromMilliseconds(task.Robot.StatePeriodMs) : task.Period;
        _stepsPerControl = (int)(task.Period / Period);
        _limit = (long)task.StepLimit * _stepsPerControl;
        var layout = task.Robot.Layout;
        _episodeAt = layout.Find(EpisodeSignal)!.Offset;
        _weight = new float[layout.Length];
        foreach (var slice in layout.Slices)
        {
            bool speed = slice.Name == SignalLayout.JointVelocity || slice.Unit.EndsWith("/s", StringComparison.Ordinal);
            bool exact = slice.Name == SignalLayout.JointEffort || slice.Name.StartsWith("task.", StringComparison.Ordinal);
            _weight.AsSpan(slice.Offset, slice.Length).Fill(exact ? 0 : speed ? 10 : 1);
        }

        int slots = (_ranges.GreatestLatency * _stepsPerControl) + 1;
        _late = new float[slots * task.Robot.Joints.Count];
        _lateHolds = new bool[slots];
        _bias = new float[layout.Length];
        _previous = new float[layout.Length];
        _reached = new float[layout.Length];
        _world = task.CreateWorld(Period);
        Begin(0);
    }

    /// <summary>What is done here.</summary>
    public ILearningTask Task { get; }

    /// <inheritdoc/>
    public RobotSpec Robot => Task.Robot;

    /// <inheritdoc/>
    public TimeSpan Period { get; }

    /// <inheritdoc/>
    public TimeSpan Time => Period * _steps;

    /// <summary>What was drawn for this episode; the same object, filled again by every reset.</summary>
    public Dynamics Dynamics { get; } = new();

    /// <inheritdoc/>
    public void Reset(ulong seed, Span<float> signals)
    {
        CheckLength(signals.Length);
        _episode = 0;
        Begin(seed);
        Measure(signals);
    }

    /// <inheritdoc/>
    public void SetMode(CommandMode mode) => _world.SetMode(mode);

    /// <inheritdoc/>
    /// <remarks>As a robot no reward is given: it belongs to control steps, and the robot steps more finely.</remarks>
    public StepResult Step(ReadOnlySpan<float> targets, Span<float> signals)
    {
        CheckLength(signals.Length);
        if (_rest > 0)
        {
            Rest();
            Measure(signals);
            return default;
        }

        (_previous, _reached) = (_reached, _previous);
        _world.Advance(_delay == 0 ? targets : Late(targets), _reached);
        _reached[_episodeAt] = _episodeNumber;
        _steps++;
        bool over = Task.IsOver(_reached);
        bool cut = _steps >= _limit;
        Measure(signals);
        if (!_asRobot)
        {
            return new(Task.Reward(_previous, targets, _reached), over, cut);
        }

        _rest = over || cut ? _stepsPerControl + 1 : 0;
        return default;
    }

    /// <inheritdoc/>
    public void Dispose() => _world.Dispose();

    private void Begin(ulong seed)
    {
        _seed = _episode == 0 ? seed : _seed;
        _start.Reset(seed ^ DynamicsStream);
        _ranges.Draw(_start, Dynamics);
        _world.SetDynamics(Dynamics);
        _start.Reset(seed);
        _world.Begin(seed == 0 ? null : _start, _reached);
        _episodeNumber = _episode;
        _reached[_episodeAt] = _episodeNumber;
        _steps = 0;
        _rest = 0;
        _delay = Dynamics.Latency * _stepsPerControl;
        _lateAt = 0;
        Array.Fill(_lateHolds, true);
        _clean = Dynamics.Noise == 0 && Dynamics.Bias == 0;
        if (!_clean)
        {
            _noise.Reset(seed ^ NoiseStream);
            for (int i = 0; i < _bias.Length; i++)
            {
                _bias[i] = (float)(_noise.NextDouble(-1, 1) * Dynamics.Bias * _weight[i]);
            }
        }
    }

    /// <summary>Stands still where an episode ended until everybody who looks once a control period has seen it; then starts anew.</summary>
    private void Rest()
    {
        if (--_rest == 0)
        {
            _episode++;
            Begin(Seeds.Episode(_seed, 0, _episode));
        }
    }

    /// <summary>Puts targets in at the back and takes the ones out that are due.</summary>
    private ReadOnlySpan<float> Late(ReadOnlySpan<float> targets)
    {
        int joints = Robot.Joints.Count;
        int slots = _delay + 1;
        _lateHolds[_lateAt] = targets.IsEmpty;
        targets.CopyTo(_late.AsSpan(_lateAt * joints));
        _lateAt = (_lateAt + 1) % slots; // the oldest one
        return _lateHolds[_lateAt] ? [] : _late.AsSpan(_lateAt * joints, joints);
    }

    private void Measure(Span<float> signals)
    {
        if (_clean)
        {
            _reached.CopyTo(signals);
            return;
        }

        for (int i = 0; i < signals.Length; i++)
        {
            signals[i] = _weight[i] == 0 ? _reached[i] : _reached[i] + _bias[i] + (float)(_noise.NextGaussian() * Dynamics.Noise * _weight[i]);
        }
    }

    private void CheckLength(int length)
    {
        if (length != _reached.Length)
        {
            throw new ArgumentException($"{length} signals for the {_reached.Length} of task '{Task.Name}'.");
        }
    }
}
