using Robotics.Sim.Tasks;

namespace Robotics.Sim;

/// <summary>The built-in learning tasks by name.</summary>
public static class LearningTasks
{
    /// <summary>Every one, in the order of their names.</summary>
    public static IReadOnlyList<ILearningTask> All { get; } =
    [
        new CartPole(),
        new Hopper(),
        new MultiGoal(),
        new Pendulum(),
        new PointMaze(),
        new Quadruped(),
        new Reacher(),
        new Runner(),
        new Swimmer(),
    ];

    /// <summary>Their names, for help texts.</summary>
    public static string Names { get; } = string.Join(", ", All.Select(task => task.Name));

    /// <summary>The task called <paramref name="name"/>, or null.</summary>
    public static ILearningTask? Find(string name) => All.FirstOrDefault(task => task.Name == name);

    /// <summary>The task called <paramref name="name"/>.</summary>
    /// <exception cref="ConfigException">There is none; the message lists what there is.</exception>
    public static ILearningTask Named(string name) =>
        Find(name) ?? throw new ConfigException("command line", [$"there is no task '{name}'; there are: {Names}"]);
}
