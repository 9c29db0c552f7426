using System.Text.Json.Nodes;

namespace Robotics.Tests.Host;

/// <summary>What a person can get wrong: one error that names both sides, exit code 2, and the robot never armed.</summary>
public sealed class BadInputTests
{
    /// <summary>What is broken, and what the message must name: both sides and where.</summary>
    public static TheoryData<string, string[]> Broken => new()
    {
        { "missing model", ["policy.onnx", "policy.json"] },
        { "wrong hash", ["386cde6a1eac679e2f2a313ade2b395d9f26905b151ee3b019c2c4163d49b6f2", "policy.onnx"] },
        { "wrong joint names", ["FR_hip_joimt", "FR_hip_joint", "robot.json"] },
        { "wrong shapes", ["48", "47", "obs"] },
        { "unknown key", ["observatoins", "observations"] },
        { "unreadable network", ["policy.onnx"] },
        { "newer version", ["version 2", "reads 1"] },
        { "no package", ["nowhere"] },
        { "no json", ["policy.json"] },
    };

    [Theory]
    [MemberData(nameof(Broken))]
    public void Run_WhenTheInputIsWrong_SaysOneErrorAndNeverArms(string what, string[] named)
    {
        using var go1 = new Go1();
        string manifest = Path.Combine(go1.Policy, "policy.json");
        string network = Path.Combine(go1.Policy, "policy.onnx");
        string policy = go1.Policy;
        switch (what)
        {
            case "missing model":
                File.Delete(network);
                break;
            case "wrong hash":
                File.AppendAllText(network, "x");
                break;
            case "wrong joint names":
                Replace(manifest, "FR_hip_joint", "FR_hip_joimt");
                break;
            case "wrong shapes":
                Replace(manifest, "{ \"name\": \"command\", \"kind\": \"command\", \"command\": \"velocity\" }", "{ \"name\": \"command\", \"kind\": \"command\", \"command\": \"velocity\", \"select\": [0, 1] }");
                break;
            case "unknown key":
                Replace(manifest, "\"observations\"", "\"observatoins\"");
                break;
            case "unreadable network":
                File.WriteAllText(network, "this is no network");
                Replace(manifest, "386cde6a1eac679e2f2a313ade2b395d9f26905b151ee3b019c2c4163d49b6f2", Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(network))));
                break;
            case "newer version":
                var json = JsonNode.Parse(File.ReadAllText(manifest))!;
                json["version"] = 2;
                json["something_new"] = true;
                File.WriteAllText(manifest, json.ToJsonString());
                break;
            case "no package":
                policy = Path.Combine(go1.Policy, "nowhere");
                break;
            default:
                File.WriteAllText(manifest, "{ not json");
                break;
        }

        var (code, text, errors) = RoboticsProcess.Run("run", policy, "--robot", go1.Robot, "--duration", "1", "--json", "--record", go1.Record);
        Assert.True(code == 2, $"code {code}\n{text}\n{errors}");
        Assert.All(named, word => Assert.Contains(word, errors, StringComparison.Ordinal));
        Assert.Single(errors.Split('\n'), line => line.StartsWith("robotics: ", StringComparison.Ordinal));
        Assert.DoesNotContain("armed", text, StringComparison.Ordinal);
        Assert.False(File.Exists(go1.Record), "a record was begun");
    }

    [Theory]
    [InlineData("run", "--robot", "nothing.json")]
    [InlineData("run", "--broker", "http://example")]
    [InlineData("run", "--command", "vx=1")]
    [InlineData("run", "--duration", "-1")]
    [InlineData("run", "--nonsense")]
    [InlineData("run", "--lock-step")]
    [InlineData("report", "nothing.mcap")]
    [InlineData("sim-robot", "mqtt:x")]
    [InlineData("broker", "--bind", "everywhere")]
    [InlineData("doctor", "--seconds", "0")]
    [InlineData("frobnicate")]
    public void Program_WhenTheCommandLineIsWrong_EndsWithCode2AndSaysWhy(params string[] args)
    {
        var (code, _, errors) = RoboticsProcess.Run(args);
        Assert.Equal(2, code);
        Assert.Contains("robotics: ", errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", errors, StringComparison.Ordinal);
    }

    private static void Replace(string file, string what, string with)
    {
        string text = File.ReadAllText(file);
        Assert.Contains(what, text, StringComparison.Ordinal);
        File.WriteAllText(file, text.Replace(what, with, StringComparison.Ordinal));
    }
}
