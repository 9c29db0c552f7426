using System.Buffers;
using System.Text;
using System.Text.Json;
using Robotics.Json;
using Robotics.Safety;

namespace Robotics.Packages;

/// <summary>Reads robot descriptions (<c>robot.json</c>); <c>robot.schema.json</c> is the authority on names and ranges.</summary>
/// <remarks>Safe for any thread.</remarks>
public static class RobotFile
{
    private static readonly Lazy<JsonSchema> Schema = new(() => new JsonSchema(SchemaText));

    /// <summary>The published schema, as text.</summary>
    public static string SchemaText => JsonSchema.Text("robot.schema.json");

    /// <summary>Reads and checks the robot file at <paramref name="path"/>.</summary>
    /// <exception cref="ConfigException">Everything that is wrong with it.</exception>
    public static RobotSpec Load(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        try
        {
            return Parse(File.ReadAllBytes(path), path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ConfigException($"{path}: the robot file cannot be read: {e.Message}", e);
        }
    }

    /// <summary>Reads and checks a description that came another way (MQTT, a record).</summary>
    /// <param name="json">The text.</param>
    /// <param name="origin">Where it came from, for messages.</param>
    /// <exception cref="ConfigException">Everything that is wrong with it.</exception>
    public static RobotSpec Parse(string json, string origin) => Parse(Encoding.UTF8.GetBytes(json), origin);

    /// <summary>The text of a description, as <see cref="Parse(string, string)"/> reads it.</summary>
    public static string Write(RobotSpec robot)
    {
        ArgumentNullException.ThrowIfNull(robot);
        var body = JsonSerializer.SerializeToElement(robot, PackageJson.Default.RobotSpec);
        var text = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(text, new JsonWriterOptions { Indented = true, NewLine = "\n" }))
        {
            writer.WriteStartObject();
            writer.WriteString("format", "robot");
            writer.WriteNumber("version", 1);
            foreach (var member in body.EnumerateObject())
            {
                member.WriteTo(writer);
            }

            writer.WriteEndObject();
        }

        return Encoding.UTF8.GetString(text.WrittenSpan) + "\n";
    }

    private static RobotSpec Parse(byte[] utf8, string origin)
    {
        var check = new ConfigCheck(origin);
        var root = VersionedJson.Read(utf8, origin, Schema.Value, check);
        check.Throw();
        var robot = Schema.Value.WithDefaults(root).Deserialize(PackageJson.Default.RobotSpec)! with { Origin = origin };
        Check(robot, check);
        check.Throw();
        return robot;
    }

    /// <summary>What a schema cannot say: unique names, lengths that belong together, limits that make sense.</summary>
    private static void Check(RobotSpec robot, ConfigCheck check)
    {
        Unique("joints", [.. robot.Joints.Select(joint => joint.Name)]);
        Unique("signals", [SignalLayout.JointPosition, SignalLayout.JointVelocity, SignalLayout.JointEffort, .. robot.Signals.Select(signal => signal.Name)], 3);
        try
        {
            _ = new JointLimits(robot);
        }
        catch (ConfigException limits)
        {
            foreach (string problem in limits.Problems)
            {
                check.Add("", problem);
            }
        }

        for (int j = 0; j < robot.Joints.Count; j++)
        {
            var joint = robot.Joints[j];
            check.That(joint.Default >= joint.Lower && joint.Default <= joint.Upper, $"joints[{j}] '{joint.Name}'",
                FormattableString.Invariant($"has default {joint.Default}, which lies outside lower {joint.Lower} to upper {joint.Upper}"));
        }

        for (int s = 0; s < robot.Signals.Count; s++)
        {
            var signal = robot.Signals[s];
            check.That(signal.Elements is null || signal.Elements.Count == signal.Length, $"signals[{s}].elements",
                $"has {signal.Elements?.Count} names, signal '{signal.Name}' has {signal.Length} elements");
        }

        for (int b = 0; b < robot.Workspace.Count; b++)
        {
            var box = robot.Workspace[b];
            var slice = robot.Layout.Find(box.Signal);
            if (slice is null)
            {
                check.Add($"workspace[{b}].signal", $"is '{box.Signal}', the robot has: {string.Join(", ", robot.Layout.Slices.Select(known => known.Name))}");
                continue;
            }

            check.That(box.Lower.Count == slice.Length && box.Upper.Count == slice.Length, $"workspace[{b}]",
                $"has {box.Lower.Count} lower and {box.Upper.Count} upper numbers, signal '{box.Signal}' has {slice.Length} elements");
            check.That(box.Lower.Zip(box.Upper).All(pair => pair.First < pair.Second), $"workspace[{b}]", "has a lower number that is not below its upper one");
        }

        check.That(robot.ServoPeriodMs <= robot.StatePeriodMs, "servo_period_ms",
            FormattableString.Invariant($"is {robot.ServoPeriodMs}, which is longer than state_period_ms {robot.StatePeriodMs}"));
        if (robot.Simulator is { } simulator)
        {
            check.That(simulator.Kind != "mujoco" || simulator.Model is not null, "simulator", "has no 'model', which a mujoco robot needs (the scene file)");
            check.That(simulator.Actuators is null || simulator.Actuators.Count == robot.Joints.Count, "simulator.actuators",
                $"has {simulator.Actuators?.Count} names, the robot has {robot.Joints.Count} joints");
        }

        void Unique(string path, string[] names, int reserved = 0)
        {
            for (int i = 0; i < names.Length; i++)
            {
                int first = Array.IndexOf(names, names[i]);
                check.That(first == i, $"{path}[{i - reserved}].name", first < reserved
                    ? $"is '{names[i]}', which every robot has already" : $"is '{names[i]}', as {path}[{first - reserved}].name already is");
            }
        }
    }
}
