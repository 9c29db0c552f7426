using Robotics.Numerics;

namespace Robotics.Sim.Mujoco;

/// <summary>A learning task's world in MuJoCo: its scene, and signals of its own behind the robot's.</summary>
/// <remarks>Signals whose source is <c>task</c> are the task's own; they come last in the frame.</remarks>
internal sealed class MujocoWorld : ITaskWorld
{
    private readonly MujocoEnvironment _environment;
    private readonly Action<SeededRandom?, Span<float>> _draw;
    private readonly Action<Span<float>> _derive;
    private readonly float[] _drawn; // [Layout.Length], only the task's own part is used
    private readonly int _inner;

    /// <summary>Loads the scene <c>TYPE.xml</c> that lies beside the task's source file.</summary>
    /// <param name="task">Whose robot it is.</param>
    /// <param name="period">Of one step.</param>
    /// <param name="start">How seeded starts stray.</param>
    /// <param name="draw">Writes the task's own signals of an episode into its frame (a goal); null: zeros.</param>
    /// <param name="derive">Computes signals of a frame from its others; null: none.</param>
    public MujocoWorld(ILearningTask task, TimeSpan period, MujocoStart start, Action<SeededRandom?, Span<float>>? draw = null, Action<Span<float>>? derive = null)
    {
        var robot = task.Robot with { Signals = [.. task.Robot.Signals.Where(signal => signal.Source != "task")] };
        _environment = new(robot, Scene(task.GetType()), $"{task.GetType().Name}.xml", period, start);
        _draw = draw ?? ((_, _) => { });
        _derive = derive ?? (_ => { });
        _inner = robot.Layout.Length;
        _drawn = new float[task.Robot.Layout.Length];
    }

    public void SetDynamics(Dynamics dynamics) => _environment.SetDynamics(dynamics);

    public void SetMode(CommandMode mode) => _environment.SetMode(mode);

    public void Begin(SeededRandom? random, Span<float> signals)
    {
        _environment.Reset(random is null ? 0 : random.NextBits() | 1, signals[.._inner]);
        _draw(random, _drawn);
        Complete(signals);
    }

    public void Advance(ReadOnlySpan<float> targets, Span<float> signals)
    {
        _environment.Step(targets, signals[.._inner]);
        Complete(signals);
    }

    public void Dispose() => _environment.Dispose();

    private void Complete(Span<float> signals)
    {
        _drawn.AsSpan(_inner).CopyTo(signals[_inner..]);
        _derive(signals);
    }

    private static string Scene(Type task)
    {
        using var stream = task.Assembly.GetManifestResourceStream($"{task.Name}.xml")
            ?? throw new InvalidOperationException($"{task.Name}.xml is not embedded.");
        return new StreamReader(stream).ReadToEnd();
    }
}
