using System.Globalization;
using System.Security.Cryptography;
using Robotics.Episodes;
using Robotics.Tests.Policies;

namespace Robotics.Tests.Host;

/// <summary>A policy that follows a route, through the program: from the task's planner, a file, the manifest and an operator.</summary>
public sealed class RouteRunTests
{
    private const string Far = """{"verb":"move","target_m":[0.3,-0.8,0],"tolerance_m":0.1,"timeout_s":5}""";
    private const string Unreachable = """{"verb":"move","target_m":[30,-0.8,0],"tolerance_m":0.1,"timeout_s":5}""";

    [Fact]
    public void Run_FollowsTheTasksRouteAndRecordsIt()
    {
        using var folder = new TemporaryFolder();
        string record = folder.At("run.mcap"), page = folder.At("run.html");
        var (code, output, errors) = RoboticsProcess.Run("run", Package(folder), "--robot", "sim:gates", "--seed", "5", "--duration", "4", "--lock-step", "--record", record, "--report", page);
        Assert.True(code == 0, $"{output}\n{errors}");
        Assert.Contains("route 1, accepted: the gates' own planner: 3 rows, rehearsed", output, StringComparison.Ordinal);
        Assert.Contains("holding: Running to Holding: all 3 rows of the route are achieved.", output, StringComparison.Ordinal);

        using var reader = new EpisodeReader(record);
        RouteNote[] notes = [.. reader.Routes()];
        Assert.Equal([RouteNoteKind.Asked, RouteNoteKind.Accepted, RouteNoteKind.Began, RouteNoteKind.Advanced, RouteNoteKind.Advanced, RouteNoteKind.Advanced], notes.OrderBy(note => note.Time).ThenBy(note => note.Kind == RouteNoteKind.Asked ? 0 : 1).Select(note => note.Kind));
        Assert.Equal(3, notes.Single(note => note.Kind == RouteNoteKind.Accepted).Table.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        int[] rows = [.. reader.Ticks().Where(tick => tick.Route == 1).Select(tick => tick.RouteRow)];
        Assert.Equal([0, 1, 2, 3], rows.Distinct());
        Assert.Equal(rows.Order(), rows);

        string html = File.ReadAllText(page);
        Assert.Contains("<h2>Route</h2>", html, StringComparison.Ordinal);
        Assert.Contains("<strong>Route 1</strong>, accepted", html, StringComparison.Ordinal);
        Assert.Contains("class=\"advanced\"", html, StringComparison.Ordinal);
    }

    [Fact]
    public void Run_OfARouteThatCannotBeDone_HoldsAndSendsNotOneCommand()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder.At("route.ndjson"), Unreachable);
        string record = folder.At("run.mcap");
        var (code, output, _) = RoboticsProcess.Run("run", Package(folder), "--robot", "sim:gates", "--route", folder.At("route.ndjson"), "--duration", "2", "--lock-step", "--record", record);
        Assert.Equal(1, code);
        Assert.Contains("row 1 target_m[0] is 30, the robot reaches -2.5 to 2.5 m", output, StringComparison.Ordinal);
        Assert.Contains("holding: Armed to Holding: the check refused the route", output, StringComparison.Ordinal);
        using var reader = new EpisodeReader(record);
        Assert.All(reader.Ticks(), tick => Assert.Empty(tick.Sent));
        Assert.Contains(reader.Events(), happened => happened.Reason == HoldReason.RouteRejected);
        Assert.Empty(reader.Plans());
        Assert.Contains(Unreachable[..30], reader.Routes().First(note => note.Kind == RouteNoteKind.Rejected).Table, StringComparison.Ordinal);
    }

    [Fact]
    public void Run_TakesTheRouteOfTheManifest()
    {
        using var folder = new TemporaryFolder();
        var (code, output, errors) = RoboticsProcess.Run("run", Package(folder, Far), "--robot", "sim:gates", "--duration", "2", "--lock-step", "--no-record");
        Assert.True(code == 0, $"{output}\n{errors}");
        Assert.Contains("all 1 rows of the route are achieved", output, StringComparison.Ordinal);
    }

    [Fact]
    public void Run_AcrossMqtt_TakesARouteFromAnOperator()
    {
        using var folder = new TemporaryFolder();
        using var world = new World("sim:gates");
        File.WriteAllText(folder.At("route.ndjson"), Far);
        using var run = RoboticsProcess.Start("run", Package(folder), "--robot", "mqtt:gates", "--broker", world.Url, "--duration", "60", "--no-record", "--no-real-time");
        run.WaitFor("the policy follows a route and there is none");
        var (code, _, errors) = RoboticsProcess.Run("control", "gates", "route", folder.At("route.ndjson"), "--broker", world.Url);
        Assert.True(code == 0, errors);
        run.WaitFor("accepted: operator: 1 rows");
        run.WaitFor("all 1 rows of the route are achieved");
    }

    [Theory]
    [InlineData("move 1 2 3", "line 1 is no JSON object")]
    [InlineData(null, "the route cannot be read")]
    public void Run_WhenTheRouteFileIsWrong_SaysSo(string? text, string expected)
    {
        using var folder = new TemporaryFolder();
        if (text is not null)
        {
            File.WriteAllText(folder.At("route.ndjson"), text);
        }

        var (code, _, errors) = RoboticsProcess.Run("run", Package(folder), "--robot", "sim:gates", "--route", folder.At("route.ndjson"), "--no-record");
        Assert.Equal(2, code);
        Assert.Contains(expected, errors, StringComparison.Ordinal);
    }

    [Fact]
    public void Run_WhenThePolicyFollowsNoRoute_SaysSo()
    {
        var (code, _, errors) = RoboticsProcess.Run("run", "push-t-reference", "--route", "route.ndjson", "--no-record");
        Assert.Equal(2, code);
        Assert.Contains("--route is 'route.ndjson', and policy 'push-t-reference'", errors, StringComparison.Ordinal);
    }

    [Fact]
    public void Check_PrintsTheRoute()
    {
        using var folder = new TemporaryFolder();
        var (code, output, errors) = RoboticsProcess.Run("check", Package(folder, Far), "--robot", "sim:gates");
        Assert.True(code == 0, $"{output}\n{errors}");
        Assert.Contains("route     follows up to 10 rows of targets; robot at joint.position; verbs move", output, StringComparison.Ordinal);
        Assert.Contains("rehearsed on a kinematic model before anything moves", output, StringComparison.Ordinal);
        Assert.Contains(Far, output, StringComparison.Ordinal);
        Assert.Contains("target             x                      m", output, StringComparison.Ordinal);

        (code, output, _) = RoboticsProcess.Run("check", Package(folder, Far.Replace("_m", "_mm", StringComparison.Ordinal)), "--robot", "sim:gates");
        Assert.Equal(2, code);
        Assert.Contains("WRONG: route.ndjson: line 1 target_mm is not a known key; did you mean 'target_m'?", output, StringComparison.Ordinal);
    }

    // Full speed along each axis until the target is near.
    private static string Package(TemporaryFolder folder, string? route = null)
    {
        byte[] network = new TinyOnnx().Input("obs", TinyOnnx.Float, 1, 2).Output("action", TinyOnnx.Float, 1, 2)
            .Constant("gains", (float[])[10, 0, 0, 10], 2, 2).Node("MatMul", "obs gains", "action").Bytes();
        File.WriteAllBytes(folder.At("policy.onnx"), network);
        string listed = $$"""{ "path": "policy.onnx", "sha256": "{{Convert.ToHexStringLower(SHA256.HashData(network))}}" }""", named = "";
        if (route is not null)
        {
            File.WriteAllText(folder.At("route.ndjson"), route);
            listed += $$""", { "path": "route.ndjson", "sha256": "{{Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(folder.At("route.ndjson"))))}}" }""";
            named = """, "file": "route.ndjson" """;
        }

        File.WriteAllText(folder.At("policy.json"), string.Create(CultureInfo.InvariantCulture, $$"""
            {
              "format": "policy-package", "version": 1, "name": "follow",
              "files": [{{listed}}],
              "models": [{ "file": "policy.onnx", "inputs": [{ "name": "obs", "from": "observation:observation" }], "outputs": [{ "name": "action", "to": "action" }] }],
              "route": { "position": { "signal": "joint.position" }{{named}} },
              "observations": [{ "name": "observation", "terms": [{ "name": "target", "kind": "route_target", "select": [0, 1] }] }],
              "action": { "joints": ["x", "y"], "kind": ["velocity"], "clip_raw": [-1, 1], "scale": 1.6 },
              "timing": { "period_ms": 50, "max_observation_age_ms": 400, "max_action_age_ms": 400, "late_ticks": 20 }
            }
            """));
        return folder.Path;
    }
}
