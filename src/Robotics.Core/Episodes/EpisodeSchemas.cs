namespace Robotics.Episodes;

/// <summary>Topics of a record and the JSON schemas of their messages. Fields may be added, never renamed: old records stay
/// readable.</summary>
internal static class EpisodeSchemas
{
    public const string TickTopic = "/tick", PlanTopic = "/plan", EventTopic = "/event", LinkTopic = "/link", RouteTopic = "/route";

    public const string RobotFile = "robot.json", PolicyFile = "policy.json";

    /// <summary>Metadata records: what the header says, its properties, and the meaning of every array element.</summary>
    public const string HeaderMetadata = "robotics", PropertiesMetadata = "properties", ElementsMetadata = "elements";

    public static ReadOnlySpan<byte> Tick => """
        {"title":"robotics.Tick","description":"One control tick. Times in ns on the controller's monotonic clock. Numbers that are not finite are the strings NaN, Infinity, -Infinity. The metadata record 'elements' names the array elements.","type":"object","properties":{
        "tick":{"type":"integer","description":"counts from 0"},
        "due_ns":{"type":"integer","description":"when the tick was due"},
        "late_ns":{"type":"integer","description":"how late the loop woke"},
        "work_ns":{"type":"integer","description":"the tick's own work, waiting excluded"},
        "state":{"type":"integer","description":"0 idle, 1 armed, 2 running, 3 holding, 4 stopped, 5 emergency stop"},
        "reason":{"type":"integer","description":"HoldReason; 0 none"},
        "observation":{"type":"integer","description":"sequence of the observation used"},
        "observation_age_ns":{"type":"integer"},
        "action_age_ns":{"type":"integer","description":"newest action age that the robot reported"},
        "plan":{"type":"integer","description":"plan that the targets came from; 0 none"},
        "row":{"type":"integer","description":"row of the plan; -1 none"},
        "route":{"type":"integer","description":"route that is followed; left out without one"},
        "route_row":{"type":"integer","description":"current row of the route, from 0; left out without a route"},
        "gate_joints":{"type":"integer","description":"bit j: the gate changed joint j"},
        "gate_reasons":{"type":"integer","description":"bits: 1 target not finite, 2 range, 4 lead, 8 speed, 16 acceleration, 32 jerk, 64 effort, 128 blind, 256 out of range, 512 workspace, 1024 length"},
        "signals":{"type":"array","items":{"type":"number"},"description":"the robot's signal frame, SI units"},
        "wanted":{"type":"array","items":{"type":"number"},"description":"targets before the gate; empty for none"},
        "sent":{"type":"array","items":{"type":"number"},"description":"targets sent; empty for a hold"},
        "command":{"type":"array","items":{"type":"number"},"description":"operator command"}}}
        """u8;

    public static ReadOnlySpan<byte> Plan => """
        {"title":"robotics.Plan","description":"One call of the policy. Times in ns on the controller's monotonic clock.","type":"object","properties":{
        "plan":{"type":"integer","description":"counts from 1"},
        "requested_ns":{"type":"integer"},
        "started_ns":{"type":"integer"},
        "finished_ns":{"type":"integer"},
        "deadline_ns":{"type":"integer"},
        "took_ns":{"type":"integer","description":"finished - started"},
        "slack_ns":{"type":"integer","description":"deadline - finished; negative when late"},
        "status":{"type":"integer","description":"0 planned, 1 late, 2 refused, 3 not finite, 4 fault"},
        "calls":{"type":"integer","description":"network calls"},
        "after_reset":{"type":"boolean","description":"the policy was reset before this plan"},
        "input":{"type":"array","items":{"type":"number"},"description":"the observation vector it planned from"},
        "chunk":{"type":"array","items":{"type":"number"},"description":"[Ta, Da] the plan, row-major; empty unless planned"}}}
        """u8;

    /// <summary>Foxglove's own log schema with our fields beside it: its panels show the events with no set-up.</summary>
    public static ReadOnlySpan<byte> Log => """
        {"title":"foxglove.Log","description":"A log message","type":"object","properties":{
        "timestamp":{"type":"object","title":"time","properties":{"sec":{"type":"integer","minimum":0},"nsec":{"type":"integer","minimum":0,"maximum":999999999}},"description":"Timestamp of log message"},
        "level":{"title":"foxglove.LogLevel","description":"Log level","oneOf":[{"title":"UNKNOWN","const":0},{"title":"DEBUG","const":1},{"title":"INFO","const":2},{"title":"WARNING","const":3},{"title":"ERROR","const":4},{"title":"FATAL","const":5}]},
        "message":{"type":"string","description":"Log message"},
        "name":{"type":"string","description":"Process or node name"},
        "file":{"type":"string","description":"Filename"},
        "line":{"type":"integer","minimum":0,"description":"Line number in the file"},
        "time_ns":{"type":"integer","description":"monotonic"},
        "from":{"type":"integer","description":"state before, as in /tick"},
        "to":{"type":"integer","description":"state after"},
        "reason":{"type":"integer","description":"HoldReason; 0 none"},
        "text":{"type":"string","description":"the sentence alone"}}}
        """u8;

    public static ReadOnlySpan<byte> Route => """
        {"title":"robotics.Route","description":"Something that happened to the route, a table of targets that the policy follows.","type":"object","properties":{
        "time_ns":{"type":"integer","description":"monotonic"},
        "kind":{"type":"integer","description":"0 accepted, 1 rejected, 2 asked for, 3 began, 4 advanced, 5 strayed, 6 stalled"},
        "route":{"type":"integer","description":"counts from 1"},
        "row":{"type":"integer","description":"current row, from 0"},
        "text":{"type":"string","description":"one sentence"},
        "table":{"type":"string","description":"of an accepted or rejected route its rows, newline-delimited JSON"}}}
        """u8;

    public static ReadOnlySpan<byte> Link => """
        {"title":"robotics.Link","description":"State of the path to the robot.","type":"object","properties":{
        "time_ns":{"type":"integer","description":"monotonic"},
        "up":{"type":"boolean"},
        "reason":{"type":"integer","description":"HoldReason; 0 none"},
        "round_trip_ns":{"type":"integer"},
        "clock_offset_ns":{"type":"integer","description":"robot clock minus controller clock"},
        "dropped":{"type":"integer","description":"frames dropped since the start"}}}
        """u8;
}
