using Robotics.Packages;
using Robotics.Sim.Mujoco;
using Robotics.Sim.Tasks;

namespace Robotics.Host.Running;

/// <summary>Which robot a person named: a built-in simulator, a robot file with a simulator, or a robot on MQTT.</summary>
/// <param name="Text">As written.</param>
/// <param name="MqttName">Name on the broker; null for simulators.</param>
/// <param name="File">Robot file; null for the built-in one and for MQTT.</param>
public sealed record RobotChoice(string Text, string? MqttName, string? File)
{
    /// <summary>Help text of every <c>--robot</c> option.</summary>
    public const string Help = "sim:push-t (built in), a robot.json with a simulator, or mqtt:NAME for a robot on the broker";

    private const string BuiltIn = "sim:push-t";

    /// <summary>Reads what a person wrote.</summary>
    /// <exception cref="ConfigException">None of the three forms.</exception>
    public static RobotChoice Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
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
            : throw new ConfigException("command line", [$"--robot '{text}' is none of: {Help}. There is no file '{path}'."]);
    }

    /// <summary>True when this program plays the robot itself.</summary>
    public bool IsSimulated => MqttName is null;

    /// <summary>The robot's description; not for robots on MQTT, which say it themselves.</summary>
    public RobotSpec Describe() => File is null ? PushT.Describe() : RobotFile.Load(File);

    /// <summary>The simulator that plays this robot.</summary>
    /// <param name="period">Simulated time of one step; null: the robot's state period.</param>
    /// <exception cref="ConfigException">The robot file names no simulator, or one that this build does not have.</exception>
    public IEnvironment Simulate(TimeSpan? period = null)
    {
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
