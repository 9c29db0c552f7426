using Robotics.Numerics;
using Robotics.Packages;

namespace Robotics.Sim;

/// <summary>Something to learn: a robot, what a policy sees of it, what it may do, and what is good.</summary>
/// <remarks>
/// A task is a description without state: one object serves any number of worlds and threads. Everything a learner sees is a function
/// of the robot's signal frame, so that a record of a run, of this task or of a real robot with the same frame, can be learned from:
/// observation, reward and end are computed from recorded frames exactly as from simulated ones.
/// </remarks>
public interface ILearningTask
{
    /// <summary>Name on command lines, also the robot's.</summary>
    string Name { get; }

    /// <summary>One line for people.</summary>
    string Description { get; }

    /// <summary>Joints, signals, limits. Its state period divides <see cref="Period"/>: the same task played as a robot.</summary>
    RobotSpec Robot { get; }

    /// <summary>One observation group of <c>joint_position</c>, <c>joint_velocity</c>, <c>signal</c> and <c>command</c> terms, and the
    /// targets that an action in [-1, 1] means; no networks. A command's value in simulation is signal <c>task.COMMAND</c>. A package
    /// trained on this task carries it.</summary>
    PolicyManifest Wiring { get; }

    /// <summary>Time of one control step.</summary>
    TimeSpan Period { get; }

    /// <summary>Control steps after which an episode is cut, above 0: a time limit, not an end of the task.</summary>
    int StepLimit { get; }

    /// <summary>Physical parameters that its worlds can change; latency, noise and bias are there for every task.</summary>
    IReadOnlyList<DynamicsParameter> Dynamics { get; }

    /// <summary>The task's own reward for one control step, also of a recorded one. Pure, allocation-free.</summary>
    /// <param name="previous">[Layout.Length] the frame the action answered.</param>
    /// <param name="targets">[Nj] joint targets of the step, in the robot's units; empty where it held: rated as targets of 0.</param>
    /// <param name="reached">[Layout.Length] the frame one <see cref="Period"/> later.</param>
    float Reward(ReadOnlySpan<float> previous, ReadOnlySpan<float> targets, ReadOnlySpan<float> reached);

    /// <summary>Whether the task ends in this frame (success, fall): there is no value beyond it.</summary>
    bool IsOver(ReadOnlySpan<float> reached);

    /// <summary>Writes routes for policies that follow one here; null: nobody does.</summary>
    Routes.IRoutePlanner? Routes => null;

    /// <summary>A world to do it in.</summary>
    /// <param name="period">Simulated time of one step: <see cref="Period"/> or the robot's state period.</param>
    /// <exception cref="ConfigException">What it needs is not installed, or cannot step at this period.</exception>
    ITaskWorld CreateWorld(TimeSpan period);
}

/// <summary>The physics of one task: no noise, no delay, no end. One thread owns it.</summary>
public interface ITaskWorld : IDisposable
{
    /// <summary>Sets what differs from nominal, from the next <see cref="Begin"/> on.</summary>
    void SetDynamics(Dynamics dynamics);

    /// <summary>Sets what the targets mean.</summary>
    /// <exception cref="ArgumentException">The robot cannot take this mode.</exception>
    void SetMode(CommandMode mode);

    /// <summary>Starts an episode.</summary>
    /// <param name="random">Draws the start; null: the nominal one.</param>
    /// <param name="signals">[Layout.Length] receives the true frame.</param>
    void Begin(SeededRandom? random, Span<float> signals);

    /// <summary>One step. Allocation-free.</summary>
    /// <param name="targets">[Nj], already late and never NaN; empty: the robot holds.</param>
    /// <param name="signals">[Layout.Length] receives the true frame at its end.</param>
    /// <exception cref="SimulationDivergedException">The simulator warned or left the finite numbers.</exception>
    void Advance(ReadOnlySpan<float> targets, Span<float> signals);
}
