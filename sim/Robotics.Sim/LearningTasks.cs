using Robotics.Sim.External;
using Robotics.Sim.Tasks;

namespace Robotics.Sim;

/// <summary>The built-in learning tasks by name.</summary>
public static class LearningTasks
{
    /// <summary>Every one, in the order of their names.</summary>
    public static IReadOnlyList<ILearningTask> All { get; } =
    [
        new CartPole(),
        new Gates(),
        new Hopper(),
        new MultiGoal(),
        new Pendulum(),
        new PointMaze(),
        new Quadruped(),
        new Reacher(),
        new Runner(),
        new Swimmer(),
    ];

    private const string ExternalPrefix = "external:";

    /// <summary>Their names, for help texts.</summary>
    public static string Names { get; } = string.Join(", ", All.Select(task => task.Name));

    /// <summary>The task called <paramref name="name"/>, or null.</summary>
    public static ILearningTask? Find(string name) => All.FirstOrDefault(task => task.Name == name);

    /// <summary>The task called <paramref name="name"/>.</summary>
    /// <exception cref="ConfigException">There is none; the message lists what there is.</exception>
    public static ILearningTask Named(string name) =>
        Find(name) ?? throw new ConfigException("command line", [$"there is no task '{name}'; there are: {Names}, and {ExternalPrefix}ADDRESS for a program of your own"]);

    /// <summary>Environments of a task by name, or of a program that listens: <c>external:tcp:127.0.0.1:PORT</c>, <c>external:unix:PATH</c>.</summary>
    /// <param name="name">What a person wrote.</param>
    /// <param name="options">How many; an external simulator has its own threads and dynamics.</param>
    /// <exception cref="ConfigException">There is no such task, or an option does not fit it.</exception>
    /// <exception cref="SimulatorFailedException">Nobody listens at an external address, or not with this protocol.</exception>
    public static IVectorEnvironment Open(string name, VectorOptions options)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(options);
        if (!name.StartsWith(ExternalPrefix, StringComparison.Ordinal))
        {
            return new VectorEnvironment(Named(name), options);
        }

        return options.Dynamics.Ranges.Count == 0
            ? new ExternalEnvironment(new() { Address = name[ExternalPrefix.Length..], Count = options.Count })
            : throw new ConfigException("command line", [$"the dynamics of '{name}' are its own; '{options.Dynamics}' can only be set for the built-in tasks: {Names}"]);
    }
}
