using System.IO.Compression;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Robotics.Packages;

namespace Robotics.Tests.Core;

public sealed class PolicyPackageTests
{
    private static readonly byte[] Onnx = [1, 2, 3];

    internal static string Minimal(string change = "", string observations = """{ "name": "obs", "terms": [{ "name": "q", "kind": "joint_position" }] }""") => $$"""
        { "format": "policy-package", "version": 1, "name": "p",
          "files": [{ "path": "policy.onnx", "sha256": "{{Convert.ToHexStringLower(SHA256.HashData(Onnx))}}" }],
          "models": [{ "file": "policy.onnx", "inputs": [{ "name": "obs", "from": "observation:obs" }], "outputs": [{ "name": "act", "to": "action" }] }],
          "observations": [{{observations}}], "action": {}, "timing": { "period_ms": 20 } {{change}} }
        """;

    [Fact]
    public void Parse_WhenKeysAreLeftOut_TakesTheRecordsOwnDefaults()
    {
        var policy = PolicyPackage.Parse(Minimal(), "p");
        Assert.Equal((1, 0, "absolute", 1), (policy.Action.Rows, policy.Action.FirstRow, policy.Action.Mode, policy.Timing.LateTicks));
        Assert.Equal([TargetKind.Position], policy.Action.Kind);
        Assert.Empty(policy.Commands);
        Assert.Empty(policy.States);
        var robot = RobotFile.Parse("""{"format":"robot","version":1,"name":"r","joints":[{"name":"a","lower":-1,"upper":1,"max_speed":2}]}""", "r");
        Assert.Equal((10, 10, HoldMode.Keep, 1f), (robot.StatePeriodMs, robot.ServoPeriodMs, robot.Hold.Mode, robot.Hold.Damping));
        Assert.Equal(JointKind.Revolute, robot.Joints[0].Kind);
    }

    [Fact]
    public void Parse_WhenManyThingsAreWrong_ReportsAllAtOnce()
    {
        string json = Minimal("""
            , "timming": {}, "commands": [{ "name": "v", "elements": ["x"], "lower": "low", "upper": 1, "default": 0 }]
            """, """{ "name": "obs", "terms": [{ "name": "q", "kind": "joint_positon", "scael": 2 }] }""")
            .Replace("\"period_ms\": 20", "\"period_ms\": 0.1", StringComparison.Ordinal).Replace("\"version\": 1,", "\"version\": 1, \"name\": \"p\",", StringComparison.Ordinal);
        var problems = Assert.Throws<ConfigException>(() => PolicyPackage.Parse(json, "policy.json")).Problems;
        Assert.Contains("timming is not a known key; did you mean 'timing'?", problems);
        Assert.Contains("observations[0].terms[0].scael is not a known key; did you mean 'scale'?", problems);
        Assert.Contains(problems, p => p.StartsWith("observations[0].terms[0].kind is \"joint_positon\", expected one of", StringComparison.Ordinal) && p.EndsWith("did you mean 'joint_position'?", StringComparison.Ordinal));
        Assert.Contains("commands[0].lower is \"low\", expected a number or an array", problems);
        Assert.Contains("timing.period_ms is 0.1, expected 0.5 to 1000", problems);
        Assert.Contains("name is given twice", problems);
        Assert.Equal(6, problems.Count);
    }

    [Fact]
    public void Parse_OfARoute_TakesDefaultsAndKnowsItsTerms()
    {
        var policy = PolicyPackage.Parse(Minimal(""", "route": { "position": { "signal": "joint.position" } }""", """{ "name": "obs", "terms": [{ "name": "to", "kind": "route_target", "select": [0, 1] }] }"""), "p");
        Assert.Equal((0.15f, 0.075f, 20, 0.3, 10.0), (policy.Route!.DeviationEnterM, policy.Route.DeviationExitM, policy.Route.ProgressTicks, policy.Route.ReplanGapS, policy.Route.MaxAgeS));
        Assert.Equal(["move"], policy.Route.Verbs);
        Assert.Equal((0.01f, (bool?)null, (string?)null), (policy.Route.ProgressM, policy.Route.Rehearse, policy.Route.File));
    }

    [Theory]
    [InlineData("", "route_target", "observations[0].terms[0] is a route_target term, which needs a 'route' section that says where the robot is")]
    [InlineData(""", "route": { "position": { "signal": "p" }, "deviation_exit_m": 0.2 }""", "route_next", "route.deviation_exit_m is 0.2, expected less than route.deviation_enter_m 0.15")]
    [InlineData(""", "route": { "position": { "signal": "p" }, "file": "r.ndjson" }""", "route_verb", "route.file is 'r.ndjson', which 'files' does not list")]
    [InlineData(""", "route": { "position": { "signal": "p" }, "verbs": ["a", "a"] }""", "route_verb", "route.verbs has the same entry twice: a, a")]
    [InlineData(""", "route": { "position": { "signal": "p" }, "replan_gap_s": 0.1 }""", "route_verb", "route.replan_gap_s is 0.1, expected 0.3 to 60")]
    [InlineData(""", "route": { "position": { "signal": "p" }, "keep_out": [{ "name": "post", "lower_m": [0, 1, 0], "upper_m": [1, 0, 1] }] }""", "route_verb", "route.keep_out[0] has lower 1 above upper 0 m at axis 1")]
    public void Parse_WhenTheRouteIsWrong_SaysWhat(string route, string kind, string expected)
    {
        var wrong = Assert.Throws<ConfigException>(() => PolicyPackage.Parse(Minimal(route, $$"""{ "name": "obs", "terms": [{ "name": "to", "kind": "{{kind}}" }] }"""), "p"));
        Assert.Contains(wrong.Problems, problem => problem.StartsWith(expected, StringComparison.Ordinal));
    }

    [Fact]
    public void Parse_WhenNamesReferToNothing_ReportsAllAtOnce()
    {
        string json = Minimal(observations: """
            { "name": "obs", "clip": [1, -1], "terms": [{ "name": "q", "kind": "command", "command": "velocty", "joints": ["a"] }, { "name": "q", "kind": "phase" }] }
            """).Replace("observation:obs", "state:h", StringComparison.Ordinal);
        var problems = Assert.Throws<ConfigException>(() => PolicyPackage.Parse(json, "p")).Problems;
        Assert.Contains("models[0].inputs[0].from is 'state:h', the manifest's states are: none", problems);
        Assert.Contains(problems, p => p.StartsWith("observations[0] 'obs' is read by no model input", StringComparison.Ordinal));
        Assert.Contains("observations[0].terms[0].command is 'velocty', the manifest's commands are: none", problems);
        Assert.Contains(problems, p => p.StartsWith("observations[0].terms[0].joints is given, a command term does not read it", StringComparison.Ordinal));
        Assert.Contains("observations[0].terms[1].name is 'q', as observations[0].terms[0].name already is", problems);
        Assert.Contains("observations[0].clip has low 1 and high -1, expected low below high", problems);
        Assert.Contains(problems, p => p.StartsWith("observations[0].terms[1] needs either 'frequency'", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("{ \"ensemble\": 0.01 }", "action.ensemble is given, but action.rows is 1: plans of one row never overlap")]
    [InlineData("{ \"ensemble\": 0.01, \"rows\": 4, \"mode\": \"delta\" }", "action.ensemble is given and action.mode is delta; only absolute targets of different plans can be averaged")]
    [InlineData("{ \"ensemble\": -1, \"rows\": 4 }", "action.ensemble is -1, expected 0 to 10")]
    public void Parse_WhenAnEnsembleCannotBe_SaysWhy(string action, string expected)
    {
        string json = Minimal().Replace("\"action\": {}", $"\"action\": {action}", StringComparison.Ordinal);
        Assert.Equal([expected], Assert.Throws<ConfigException>(() => PolicyPackage.Parse(json, "p")).Problems);
    }

    [Fact]
    public void Parse_WhenTheVersionIsNewer_SaysOnlyThat()
    {
        var error = Assert.Throws<ConfigException>(() => PolicyPackage.Parse("""{ "version": 2, "nonsense": 1 }""", "policy.json"));
        Assert.Equal("policy.json: is version 2, this build reads 1; update the program or re-export", error.Message);
    }

    [Fact]
    public void Load_FromFolderFileAndZip_ReadsTheSame()
    {
        using var folder = Package(Minimal());
        using var zips = new TemporaryFolder();
        ZipFile.CreateFromDirectory(folder.Path, zips.At("flat.zip"));
        ZipFile.CreateFromDirectory(folder.Path, zips.At("nested.zip"), CompressionLevel.Fastest, includeBaseDirectory: true);
        foreach (string path in new[] { folder.Path, folder.At("policy.json"), zips.At("flat.zip"), zips.At("nested.zip") })
        {
            var package = PolicyPackage.Load(path);
            Assert.Equal(Onnx, package.Read("policy.onnx").ToArray());
            Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(folder.At("policy.json")))), package.Sha256);
        }
    }

    [Fact]
    public void Load_WhenTheFileChanged_NamesBothHashes()
    {
        using var folder = Package(Minimal());
        File.WriteAllBytes(folder.At("policy.onnx"), [9]);
        string message = Assert.Throws<ConfigException>(() => PolicyPackage.Load(folder.Path)).Message;
        Assert.Contains(Convert.ToHexStringLower(SHA256.HashData(Onnx)), message, StringComparison.Ordinal);
        Assert.Contains(Convert.ToHexStringLower(SHA256.HashData([9])), message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_WhenTheHashIsMissing_TellsIt()
    {
        var json = JsonNode.Parse(Minimal())!;
        json["files"]![0]!.AsObject().Remove("sha256");
        using var folder = Package(json.ToJsonString());
        Assert.Contains("policy.onnx, which has " + Convert.ToHexStringLower(SHA256.HashData(Onnx)), Assert.Throws<ConfigException>(() => PolicyPackage.Load(folder.Path)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("../policy.onnx")]
    [InlineData("/etc/hostname")]
    [InlineData("a/../../policy.onnx")]
    [InlineData("C:/policy.onnx")]
    [InlineData("./policy.onnx")]
    public void Load_WhenAPathLeavesThePackage_Refuses(string path)
    {
        using var folder = Package(Minimal().Replace("\"path\": \"policy.onnx\"", $"\"path\": \"{path}\"", StringComparison.Ordinal).Replace("\"file\": \"policy.onnx\"", $"\"file\": \"{path}\"", StringComparison.Ordinal));
        using var zips = new TemporaryFolder();
        ZipFile.CreateFromDirectory(folder.Path, zips.At("p.zip"));
        foreach (string place in new[] { folder.Path, zips.At("p.zip") })
        {
            Assert.Contains("expected a relative path inside the package", Assert.Throws<ConfigException>(() => PolicyPackage.Load(place)).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Load_WhenALinkLeavesThePackage_Refuses()
    {
        using var folder = Package(Minimal());
        using var elsewhere = new TemporaryFolder();
        File.Move(folder.At("policy.onnx"), elsewhere.At("policy.onnx"));
        File.CreateSymbolicLink(folder.At("policy.onnx"), elsewhere.At("policy.onnx"));
        Assert.Contains("outside the package", Assert.Throws<ConfigException>(() => PolicyPackage.Load(folder.Path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_WhenNothingIsThere_SaysSo()
    {
        using var folder = new TemporaryFolder();
        Assert.Contains("there is no such file", Assert.Throws<ConfigException>(() => PolicyPackage.Load(folder.Path)).Message, StringComparison.Ordinal);
        File.WriteAllText(folder.At("policy.json"), Minimal());
        Assert.Contains("files[0].path is 'policy.onnx', which is not in the package", Assert.Throws<ConfigException>(() => PolicyPackage.Load(folder.Path)).Message, StringComparison.Ordinal);
        File.WriteAllText(folder.At("bad.zip"), "no zip");
        Assert.Throws<ConfigException>(() => PolicyPackage.Load(folder.At("bad.zip")));
        File.WriteAllText(folder.At("policy.json"), "{ nonsense");
        Assert.Contains("not JSON at line 1", Assert.Throws<ConfigException>(() => PolicyPackage.Load(folder.Path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Write_PutsTheHashesInAndReadsBack()
    {
        using var folder = Package(Minimal());
        var policy = PolicyPackage.Parse(Minimal(), "p");
        File.WriteAllBytes(folder.At("policy.onnx"), [7, 7]);
        PolicyPackage.Write(folder.Path, policy);
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData([7, 7])), PolicyPackage.Load(folder.Path).Manifest.Files[0].Sha256);
    }

    private static TemporaryFolder Package(string json)
    {
        var folder = new TemporaryFolder();
        File.WriteAllText(folder.At("policy.json"), json);
        File.WriteAllBytes(folder.At("policy.onnx"), Onnx);
        return folder;
    }
}
