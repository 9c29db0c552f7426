using System.Text.Json.Nodes;
using Robotics.Tests.Firmware;

namespace Robotics.Tests.Host;

/// <summary><c>robotics device</c> with this project's own device at the end of the wire.</summary>
[Collection("real time")]
public sealed class DeviceCommandTests : IDisposable
{
    private const uint New = 0x020000;
    private const uint Crashes = 1; // a flag that the virtual device obeys, see virtual/main.c

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void InfoSetAndMonitor_SayRegistersByNameWithTheirUnits()
    {
        using var device = VirtualDevice.Start();
        string port = "serial:" + device.Link;
        var (code, text, errors) = RoboticsProcess.Run("device", "info", port, "--json");
        Assert.True(code == 0, errors);
        var info = JsonNode.Parse(text)!;
        Assert.Equal(("virtual-arm", "1.0.0"), ((string)info["name"]!, (string)info["firmware"]!));
        var stiffness = info["registers"]!["elbow.stiffness"]!;
        Assert.Equal((40, "Nm/rad", true), ((double)stiffness["value"]!, (string)stiffness["unit"]!, (bool)stiffness["writable"]!));
        Assert.Equal("us", (string)info["registers"]!["state_period"]!["unit"]!);

        (code, text, errors) = RoboticsProcess.Run("device", "set", port, "elbow.stiffness", "35.5");
        Assert.True(code == 0, errors);
        Assert.Contains("35.5 Nm/rad", text, StringComparison.Ordinal);
        (code, text, errors) = RoboticsProcess.Run("device", "info", port);
        Assert.True(code == 0, errors);
        Assert.Contains(text.Split('\n'), line => line.StartsWith("elbow.stiffness ", StringComparison.Ordinal) && line.Contains("35.5 Nm/rad  (0 to 1000000)", StringComparison.Ordinal));

        (code, text, errors) = RoboticsProcess.Run("device", "monitor", port, "--rate", "20", "--duration", "0.3", "--json");
        Assert.True(code == 0, errors);
        var joint = JsonNode.Parse(text.Split('\n')[^1])!["joints"]![1]!;
        Assert.Equal("elbow", (string)joint["name"]!);
        Assert.Equal(25, (double)joint["temperature"]!, 1.0);
    }

    [Theory]
    [InlineData("'elbow.stifness' is no register of device 'virtual-arm'", "set", "elbow.stifness", "3")]
    [InlineData("elbow.max_speed is 0, expected 1E-06 to 10000", "set", "elbow.max_speed", "0")]
    [InlineData("elbow.position is told by the device", "set", "elbow.position", "1")]
    [InlineData("disarm_after is 1.5, expected a whole number", "set", "disarm_after", "1.5")]
    [InlineData("disarm_after needs a value, 0 to 3600000 ms", "set", "disarm_after")]
    [InlineData("--id is for servos", "set", "disarm_after", "1", "--id", "3")]
    [InlineData("--id is for servos", "info", "--id", "3")]
    [InlineData("there is no image 'nowhere.bin'", "update", "nowhere.bin", "--image-version", "1.0.0")]
    [InlineData("--image-version is '1.0', expected MAJOR.MINOR.PATCH", "update", "IMAGE", "--image-version", "1.0")]
    [InlineData("takes no updates over the wire", "update", "IMAGE", "--image-version", "2.0.0")] // started without flash
    public void WhatCannotBe_IsOneErrorAndCode2(string what, string command, params string[] more)
    {
        using var device = VirtualDevice.Start();
        string image = Image(0, 1000);
        var (code, _, errors) = RoboticsProcess.Run(["device", command, "serial:" + device.Link, .. more.Select(word => word == "IMAGE" ? image : word)]);
        Assert.True(code == 2, $"code {code}: {errors}");
        Assert.Contains(what, errors, StringComparison.Ordinal);
        Assert.Single(errors.Split('\n'), line => line.StartsWith("robotics: ", StringComparison.Ordinal));
        Assert.DoesNotContain("   at ", errors, StringComparison.Ordinal);
    }

    [Fact]
    public void Update_ThatIsInterrupted_GoesOnAndInstalls()
    {
        using var device = WithFlash();
        string[] call = ["device", "update", "serial:" + device.Link, Image(0, 60_000), "--image-version", "2.0.0", "--json"];
        using (var first = RoboticsProcess.Start(call))
        {
            first.WaitFor("\"progress\"");
            first.Interrupt();
            Assert.Equal(130, first.WaitForExit(TimeSpan.FromSeconds(20)));
        }

        var (code, text, errors) = RoboticsProcess.Run(call);
        Assert.True(code == 0, errors);
        var progress = text.Split('\n').Select(line => JsonNode.Parse(line)!).Where(line => (string)line["type"]! == "progress").Select(line => (double)line["share"]!).ToList();
        Assert.Equal(progress.Order(), progress);
        Assert.True(progress[0] > 0.05 && progress[^1] == 1, $"from {progress[0]} to {progress[^1]}: it began anew");
        Assert.Contains("version 2.0.0 runs", text, StringComparison.Ordinal);
        Assert.Contains("\"firmware\": \"2.0.0\"", RoboticsProcess.Run("device", "info", "serial:" + device.Link, "--json").Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Update_OfAnImageThatCrashes_SaysThatTheOldOneRuns()
    {
        using var device = WithFlash("--confirm-ms", "300");
        var (code, _, errors) = RoboticsProcess.Run("device", "update", "serial:" + device.Link, Image(Crashes, 3_000), "--image-version", "2.0.0");
        Assert.Equal(1, code);
        Assert.Contains("did not report in; version 1.0.0 runs", errors, StringComparison.Ordinal);
    }

    [Fact]
    public void Update_LargerThanASlot_IsRefusedBeforeAnythingIsSent()
    {
        using var device = WithFlash();
        var (code, text, errors) = RoboticsProcess.Run("device", "update", "serial:" + device.Link, Image(0, 70_000), "--image-version", "2.0.0");
        Assert.Equal(2, code);
        Assert.Contains("has 70000 bytes, a slot of device 'virtual-arm' 65536", errors, StringComparison.Ordinal);
        Assert.DoesNotContain("%", text, StringComparison.Ordinal);
    }

    private VirtualDevice WithFlash(params string[] more) => VirtualDevice.Start(["--flash", Directory.CreateDirectory(_folder.At("flash")).FullName, "--image", "1.0.0", .. more]);

    private string Image(uint flags, int length)
    {
        string path = _folder.At("image.bin");
        byte[] image = FirmwareUpdateTests.Image(New, flags, length);
        File.WriteAllBytes(path, image);
        return path;
    }
}
