namespace Robotics.Fleet;

/// <summary>The topic tree of one robot; PROTOCOL.md says who publishes what, with which QoS and retention.</summary>
/// <param name="robot">Robot name, [A-Za-z0-9_.-]{1,64}: never a wildcard or a slash.</param>
public sealed class Topics(string robot)
{
    /// <summary>Everything of version 1 starts with this.</summary>
    public const string Root = "robotics/v1/";

    /// <summary>Filter for the connection documents of every robot on a broker.</summary>
    public const string AllConnections = Root + "+/connection";

    /// <summary>Content type of binary frames (MQTT 5).</summary>
    public const string FrameContentType = "application/x-robotics-frame; v=1";

    /// <summary>The robot's name.</summary>
    public string Robot { get; } = Checked(robot);

    /// <summary>Connection document: retained, QoS 1, robot side.</summary>
    public string Connection { get; } = Root + robot + "/connection";

    /// <summary>Robot description: retained, QoS 1, robot side.</summary>
    public string Description { get; } = Root + robot + "/description";

    /// <summary>State frames: QoS 0, robot side.</summary>
    public string State { get; } = Root + robot + "/state";

    /// <summary>Command frames: QoS 0, never retained, controller side.</summary>
    public string Command { get; } = Root + robot + "/command";

    /// <summary>Events for people: QoS 1, robot side.</summary>
    public string Event { get; } = Root + robot + "/event";

    /// <summary>Control requests (claim, release, renew, hold, resume, estop, clear): QoS 1, to the robot side.</summary>
    public string Control { get; } = Root + robot + "/control";

    /// <summary>Time requests for the clock offset: QoS 0, to the robot side.</summary>
    public string Time { get; } = Root + robot + "/time";

    /// <summary>Where the robot side answers a client's control requests: QoS 1.</summary>
    public string Reply(string client) => Root + Robot + "/reply/" + client;

    /// <summary>Where the robot side answers a client's time requests: QoS 0.</summary>
    public string TimeReply(string client) => Root + Robot + "/time/" + client;

    /// <summary>True for a name that may stand in a topic.</summary>
    public static bool IsName(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return text.Length is >= 1 and <= 64 && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '.' or '-');
    }

    private static string Checked(string robot) => IsName(robot)
        ? robot
        : throw new ConfigException($"robot name '{robot}'", ["is not a robot name; expected 1 to 64 of A-Z a-z 0-9 _ . -"]);
}
