namespace Robotics;

/// <summary>Outcome of one environment step.</summary>
/// <param name="Reward">The task's own reward for this step; 0 for environments without a task.</param>
/// <param name="Terminated">The task ended in this state (success, fall): no future value beyond it.</param>
/// <param name="Truncated">The time limit ended the episode; the state itself goes on.</param>
public readonly record struct StepResult(float Reward, bool Terminated, bool Truncated);

/// <summary>A simulated robot in its world, stepped as fast as the caller likes. Deterministic: same seed and same targets,
/// same bytes.</summary>
/// <remarks>
/// Not thread-safe: one thread owns it. The observation is the robot's whole signal frame, so that policies, recorders and
/// trainers read the same numbers from a simulator and from a robot. Nothing here is gated: only simulators implement it.
/// </remarks>
public interface IEnvironment : IDisposable
{
    /// <summary>The robot that lives here; its <see cref="RobotSpec.Layout"/> describes the signal frame.</summary>
    RobotSpec Robot { get; }

    /// <summary>Simulated time that one <see cref="Step"/> takes.</summary>
    TimeSpan Period { get; }

    /// <summary>Simulated time since the last reset.</summary>
    TimeSpan Time { get; }

    /// <summary>Starts an episode.</summary>
    /// <param name="seed">Draws everything random about it. 0 is the nominal start where there is one.</param>
    /// <param name="signals">[Layout.Length] receives the first signal frame.</param>
    void Reset(ulong seed, Span<float> signals);

    /// <summary>Sets what the targets mean; kept over resets. Default: each joint's own drive, no servo.</summary>
    /// <exception cref="ArgumentException">The robot cannot take this mode.</exception>
    void SetMode(CommandMode mode);

    /// <summary>Applies <paramref name="targets"/> for one <see cref="Period"/>. Allocation-free.</summary>
    /// <param name="targets">[Nj] in joint order; empty: the robot holds as its description says.</param>
    /// <param name="signals">[Layout.Length] receives the signal frame at the end of the step.</param>
    /// <exception cref="SimulationDivergedException">The simulator warned or produced a non-finite state; reset it.</exception>
    StepResult Step(ReadOnlySpan<float> targets, Span<float> signals);
}

/// <summary>A simulation left the realm of finite numbers; never silently a robot back at its start pose.</summary>
public sealed class SimulationDivergedException : Exception
{
    /// <summary>Creates the error.</summary>
    public SimulationDivergedException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the error with its cause.</summary>
    public SimulationDivergedException(string message, Exception inner)
        : base(message, inner)
    {
    }

    /// <summary>Creates an unexplained error.</summary>
    public SimulationDivergedException()
        : base("The simulation diverged.")
    {
    }
}
