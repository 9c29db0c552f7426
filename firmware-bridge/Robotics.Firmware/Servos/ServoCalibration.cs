using System.Text.Json;

namespace Robotics.Firmware.Servos;

/// <summary>How one motor's ticks relate to its joint.</summary>
/// <param name="Name">The joint's name.</param>
/// <param name="Id">On the wire.</param>
/// <param name="DriveMode">0: more ticks turn the joint up; 1: down.</param>
/// <param name="HomingOffset">What stands in the servo's own homing offset; its present position includes it.</param>
/// <param name="RangeMin">Lowest allowed tick.</param>
/// <param name="RangeMax">Highest allowed tick; the joint's zero lies in the middle of the two.</param>
public sealed record ServoMotor(string Name, int Id, int DriveMode, int HomingOffset, int RangeMin, int RangeMax)
{
    private const double RadPerTick = 2 * Math.PI / ServoTable.TicksPerTurn;

    private double Middle => (RangeMin + RangeMax) / 2.0;

    private int Direction => DriveMode == 0 ? 1 : -1;

    /// <summary>The joint's angle at a tick, rad.</summary>
    public float Angle(int ticks) => (float)((ticks - Middle) * Direction * RadPerTick);

    /// <summary>A motor's speed or effort in the joint's sense.</summary>
    public float Sense(float value) => value * Direction;

    /// <summary>The tick of an angle, inside the range; the middle for an angle that is no number.</summary>
    public int Ticks(float angle)
    {
        double ticks = Middle + (angle * Direction / RadPerTick);
        return double.IsFinite(ticks) ? (int)Math.Round(Math.Clamp(ticks, RangeMin, RangeMax)) : (int)Middle;
    }

    /// <summary>Lowest and highest angle, rad.</summary>
    public (float Lower, float Upper) Limits()
    {
        float half = (float)((RangeMax - RangeMin) / 2.0 * RadPerTick);
        return (-half, half);
    }
}

/// <summary>An arm's calibration: its motors in joint order. Read and written as LeRobot does:
/// <c>{ "shoulder_pan": { "id": 1, "drive_mode": 0, "homing_offset": 123, "range_min": 700, "range_max": 3300 }, … }</c>.</summary>
/// <remarks>As in LeRobot, an angle of zero is the middle of the range. LeRobot divides a turn into 4095 parts where the servos have
/// 4096: its degrees are 0.02 % larger.</remarks>
/// <param name="Origin">Where it came from, for messages.</param>
/// <param name="Motors">In the file's order.</param>
public sealed record ServoCalibration(string Origin, IReadOnlyList<ServoMotor> Motors)
{
    private static readonly string[] Keys = ["id", "drive_mode", "homing_offset", "range_min", "range_max"];

    /// <summary>Reads the file at <paramref name="path"/>.</summary>
    /// <exception cref="ConfigException">Everything that is wrong with it.</exception>
    public static ServoCalibration Load(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        try
        {
            return Parse(File.ReadAllText(path), path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ConfigException($"{path}: the calibration cannot be read: {e.Message} 'robotics device calibrate' makes one.", e);
        }
    }

    /// <summary>Reads a text.</summary>
    /// <param name="json">As LeRobot writes it.</param>
    /// <param name="origin">Where it came from, for messages.</param>
    /// <exception cref="ConfigException">Everything that is wrong with it.</exception>
    public static ServoCalibration Parse(string json, string origin)
    {
        JsonElement root;
        try
        {
            root = JsonElement.Parse(json);
        }
        catch (JsonException broken)
        {
            throw new ConfigException($"{origin}: not JSON at line {broken.LineNumber + 1}: {broken.Message.Split(" LineNumber:")[0]}", broken);
        }

        var check = new ConfigCheck(origin);
        var motors = new List<ServoMotor>();
        check.That(root.ValueKind == JsonValueKind.Object && root.EnumerateObject().Any(), "", "is no calibration: expected an object with one entry for each motor");
        foreach (var member in root.ValueKind == JsonValueKind.Object ? root.EnumerateObject() : default)
        {
            int[] values = new int[Keys.Length];
            for (int k = 0; k < Keys.Length; k++)
            {
                bool there = member.Value.ValueKind == JsonValueKind.Object && member.Value.TryGetProperty(Keys[k], out var value)
                    && value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out values[k]);
                check.That(there, $"{member.Name}.{Keys[k]}", "is missing or no whole number");
            }

            motors.Add(new(member.Name, values[0], values[1], values[2], values[3], values[4]));
        }

        check.Throw();
        foreach (var motor in motors)
        {
            check.Range(motor.Id, 0, 253, $"{motor.Name}.id");
            check.Range(motor.DriveMode, 0, 1, $"{motor.Name}.drive_mode");
            check.That(motor.RangeMin < motor.RangeMax, motor.Name, $"has range_min {motor.RangeMin}, which is not below range_max {motor.RangeMax}");
            check.That(motors.First(other => other.Id == motor.Id) == motor, $"{motor.Name}.id", $"is {motor.Id}, as another motor's already is");
        }

        check.Throw();
        return new(origin, motors);
    }

    /// <summary>The text, as <see cref="Parse"/> and LeRobot read it.</summary>
    public string Write()
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true, IndentSize = 4, NewLine = "\n" }))
        {
            writer.WriteStartObject();
            foreach (var motor in Motors)
            {
                writer.WriteStartObject(motor.Name);
                int[] values = [motor.Id, motor.DriveMode, motor.HomingOffset, motor.RangeMin, motor.RangeMax];
                for (int k = 0; k < Keys.Length; k++)
                {
                    writer.WriteNumber(Keys[k], values[k]);
                }

                writer.WriteEndObject();
            }

            writer.WriteEndObject();
        }

        return System.Text.Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length) + "\n";
    }

    /// <summary>The motors of <paramref name="robot"/> in its joint order.</summary>
    /// <exception cref="ConfigException">The two do not belong together; the message says why.</exception>
    public ServoMotor[] For(RobotSpec robot)
    {
        ArgumentNullException.ThrowIfNull(robot);
        var check = new ConfigCheck(Origin);
        string[] joints = robot.JointNames();
        string[] motors = [.. Motors.Select(motor => motor.Name)];
        check.That(joints.ToHashSet().SetEquals(motors), "",
            $"is not the calibration of robot '{robot.Name}' ({robot.Origin}). Only in the calibration: {List(motors.Except(joints))}. Only in the robot: {List(joints.Except(motors))}.");
        check.Throw();
        ServoMotor[] ordered = [.. joints.Select(joint => Motors.Single(motor => motor.Name == joint))];
        for (int j = 0; j < ordered.Length; j++)
        {
            const float Tolerance = 1e-3f;
            var (lower, upper) = ordered[j].Limits();
            var joint = robot.Joints[j];
            check.That(joint.Lower >= lower - Tolerance && joint.Upper <= upper + Tolerance, joint.Name,
                FormattableString.Invariant($"may move from {lower:F3} to {upper:F3} rad, but robot '{robot.Name}' ({robot.Origin}) allows {joint.Lower} to {joint.Upper}; narrow the robot file or calibrate again"));
        }

        check.Throw();
        return ordered;

        static string List(IEnumerable<string> names) => string.Join(", ", names) is { Length: > 0 } list ? list : "none";
    }
}
