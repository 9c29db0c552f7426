using Robotics.Packages;
using Robotics.Sim;
using Robotics.Sim.Mujoco;
using Robotics.Sim.Tasks;

namespace Robotics.Host.Running;

/// <summary>Which robot a person named: a built-in simulator, a learning task, a robot file with a simulator, or a robot on MQTT.</summary>
/// <param name="Text">As written.</param>
/// <param name="MqttName">Name on the broker; null for simulators.</param>
/// <param name="File">Robot file; null for the built-in ones and for MQTT.</param>
public sealed record RobotChoice(string Text, string? MqttName, string? File)
{
    /// <summary>Help text of every <c>--robot</c> option.</summary>
    public const string Help = "sim:push-t or sim:TASK (built in), a robot.json with a simulator, or mqtt:NAME for a robot on the broker";

    /// <summary>Help text of every <c>--gap</c> option.</summary>
    public const string GapHelp = "how a simulated task differs from nominal, for example gravity=2,friction=0.3,latency=1; a range LOW..HIGH is drawn every episode";

    private const string BuiltIn = "sim:push-t";

    /// <summary>The learning task that is played; null for every other robot.</summary>
    public ILearningTask? Task { get; private init; }

    /// <summary>How the task differs from nominal.</summary>
    public DynamicsRanges Gap { get; private init; } = DynamicsRanges.Nominal;

    /// <summary>Reads what a person wrote.</summary>
    /// <param name="text">The robot.</param>
    /// <param name="gap">What of its dynamics differs; null: nothing.</param>
    /// <exception cref="ConfigException">None of the four forms, or a gap that the robot cannot have.</exception>
    public static RobotChoice Parse(string text, string? gap = null)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (text.StartsWith("sim:", StringComparison.Ordinal) && LearningTasks.Find(text[4..]) is { } task)
        {
            return new(text, null, null) { Task = task, Gap = DynamicsRanges.Parse(gap ?? "", "--gap").CheckedFor(task, "--gap") };
        }

        if (!string.IsNullOrEmpty(gap))
        {
            throw new ConfigException("command line", [$"--gap changes a learning task, and '{text}' is none; tasks: {string.Join(", ", LearningTasks.All.Select(known => "sim:" + known.Name))}"]);
        }

        if (text.StartsWith("mqtt:", StringComparison.Ordinal) && text.Length > 5)
        {
            return new(text, text[5..], null);
        }

        if (text == BuiltIn)
        {
            return new(text, null, null);
        }

        string path = text.StartsWith("sim:", StringComparison.Ordinal) ? text[4..] : text;
        path = Directory.Exists(path) ? Path.Combine(path, "robot.json") : path;
        return System.IO.File.Exists(path)
            ? new(text, null, path)
            : throw new ConfigException("command line", [$"--robot '{text}' is none of: {Help}. There is no file '{path}', and the tasks are {LearningTasks.Names}."]);
    }

    /// <summary>True when this program plays the robot itself.</summary>
    public bool IsSimulated => MqttName is null;

    /// <summary>The robot's description; not for robots on MQTT, which say it themselves.</summary>
    public RobotSpec Describe() => Task?.Robot ?? (File is null ? PushT.Describe() : RobotFile.Load(File));

    /// <summary>A name for files about this robot.</summary>
    public string Name => MqttName ?? Task?.Name ?? (File is null ? "push-t" : Path.GetFileName(Path.GetDirectoryName(Path.GetFullPath(File))!));

    /// <summary>The simulator that plays this robot.</summary>
    /// <param name="period">Simulated time of one step; null: the robot's state period, which a task always steps at.</param>
    /// <exception cref="ConfigException">The robot file names no simulator, or one that this build does not have.</exception>
    public IEnvironment Simulate(TimeSpan? period = null)
    {
        if (Task is not null)
        {
            return new TaskEnvironment(Task, new() { AsRobot = true, Dynamics = Gap });
        }

        var robot = Describe();
        var step = period ?? TimeSpan.FromMilliseconds(robot.StatePeriodMs);
        return robot.Simulator?.Kind switch
        {
            "push-t" => new PushT(new PushTOptions { Period = step, Endless = true }),
            "mujoco" => new MujocoEnvironment(robot, step),
            null => throw new ConfigException(robot.Origin, ["has no 'simulator' section, so it cannot be simulated; add one, or use mqtt:NAME for a real robot"]),
            var other => throw new ConfigException(robot.Origin, [$"simulator.kind is '{other}', expected 'mujoco' or 'push-t'"]),
        };
    }
}
