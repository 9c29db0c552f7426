namespace Robotics;

/// <summary>What one step of several environments gave; kept by the caller and filled again and again.</summary>
/// <remarks>Letters: <c>N</c> environments, <c>Do</c> observation elements. Row-major, environment outermost.</remarks>
/// <param name="count">N.</param>
/// <param name="observationSize">Do.</param>
public sealed class VectorStep(int count, int observationSize)
{
    /// <summary>[N, Do]: what to act on next. Where an episode ended this is the first observation of the next one.</summary>
    public float[] Observations { get; } = new float[count * observationSize];

    /// <summary>[N, Do]: the observation that the step led to, also where the episode ended there: what learning bootstraps from.</summary>
    public float[] Reached { get; } = new float[count * observationSize];

    /// <summary>[N].</summary>
    public float[] Rewards { get; } = new float[count];

    /// <summary>[N]: the task ended in <see cref="Reached"/>; there is no value beyond it.</summary>
    public bool[] Terminated { get; } = new bool[count];

    /// <summary>[N]: a time limit ended the episode; the state itself goes on.</summary>
    public bool[] Truncated { get; } = new bool[count];
}

/// <summary>N seeded copies of one task, stepped together: what a learner collects from.</summary>
/// <remarks>
/// Actions lie in [-1, 1]; the task maps them to its joints' targets. An episode that ends is started again at once, with a seed that
/// follows from its environment's seed and its number. Same seed and same actions, same bytes, whatever the number of threads.
/// One thread owns it; it may spread the work over threads of its own.
/// </remarks>
public interface IVectorEnvironment : IDisposable
{
    /// <summary>The task's name.</summary>
    string Name { get; }

    /// <summary>N.</summary>
    int Count { get; }

    /// <summary>Do.</summary>
    int ObservationSize { get; }

    /// <summary>Da.</summary>
    int ActionSize { get; }

    /// <summary>Starts every environment's first episode.</summary>
    /// <param name="seed">Environment i draws from a stream of its own that follows from seed and i.</param>
    /// <param name="observations">[N, Do] receives the first observations.</param>
    void Reset(ulong seed, Span<float> observations);

    /// <summary>One step of every environment. Allocation-free.</summary>
    /// <param name="actions">[N, Da], clamped to [-1, 1] by the task.</param>
    /// <param name="step">Receives what came of it.</param>
    /// <exception cref="ArgumentException">A length is wrong or an action is not finite: the caller's policy diverged, not the task.</exception>
    /// <exception cref="SimulationDivergedException">An environment gave NaN or infinity, or its simulator warned. The message names the
    /// environment and the seed of its episode; <see cref="Reset"/> starts over.</exception>
    /// <exception cref="SimulatorFailedException">The simulator died, hung, never ends an episode or broke its own word.</exception>
    void Step(ReadOnlySpan<float> actions, VectorStep step);
}

/// <summary>A simulator broke its contract: it died, did not answer in time, lied about its shapes, or never ends an episode.
/// What was learned from it so far is not touched by it.</summary>
public sealed class SimulatorFailedException : Exception
{
    /// <summary>Creates the error. The message names the simulator and the next step.</summary>
    public SimulatorFailedException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the error with its cause.</summary>
    public SimulatorFailedException(string message, Exception inner)
        : base(message, inner)
    {
    }

    /// <summary>Creates an unexplained error.</summary>
    public SimulatorFailedException()
        : base("The simulator failed.")
    {
    }
}
