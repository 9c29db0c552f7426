namespace Robotics.Packages;

/// <summary>Reads robot descriptions (<c>robot.json</c>).</summary>
public static class RobotFile
{
    /// <summary>Reads and checks the robot file at <paramref name="path"/>.</summary>
    /// <exception cref="ConfigException">Everything that is wrong with it.</exception>
    public static RobotSpec Load(string path) => throw new NotSupportedException();

    /// <summary>Reads and checks a description that came another way (MQTT, a record).</summary>
    /// <param name="json">The text.</param>
    /// <param name="origin">Where it came from, for messages.</param>
    /// <exception cref="ConfigException">Everything that is wrong with it.</exception>
    public static RobotSpec Parse(string json, string origin) => throw new NotSupportedException();

    /// <summary>The text of a description, as <see cref="Parse"/> reads it.</summary>
    public static string Write(RobotSpec robot) => throw new NotSupportedException();
}
