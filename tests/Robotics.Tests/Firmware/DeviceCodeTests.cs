using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Robotics.Tests.Firmware;

/// <summary>The device's own tests in C, with sanitizers, and the share of its lines that they reach.</summary>
public sealed class DeviceCodeTests(ITestOutputHelper output)
{
    [Fact]
    public async Task MakeTest_PassesAndReachesNineTenthsOfTheLines()
    {
        Assert.SkipUnless(Runs("make") && Runs("cc") && Runs("gcov"), "no make, cc or gcov here (packages make, gcc): the device's own tests cannot be built");
        string build = Path.Combine(Repository.Root, "artifacts", "device");
        using var make = Process.Start(new ProcessStartInfo("make", ["-C", Path.Combine(Repository.Root, "firmware-bridge", "device"), $"BUILD={build}", "test"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var errors = make.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        string text = await make.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await make.WaitForExitAsync(TestContext.Current.CancellationToken);
        output.WriteLine(text);
        Assert.True(make.ExitCode == 0, text + await errors);
        Assert.Matches(@"\b[1-9]\d* checks, 0 failed", text);
        var covered = Regex.Match(text, @"line coverage ([\d.]+) % of [1-9]\d* lines");
        Assert.InRange(double.Parse(covered.Groups[1].Value, CultureInfo.InvariantCulture), 90, 100);
    }

    private static bool Runs(string program)
    {
        try
        {
            using var version = Process.Start(new ProcessStartInfo(program, ["--version"]) { RedirectStandardOutput = true })!;
            version.StandardOutput.ReadToEnd();
            version.WaitForExit();
            return version.ExitCode == 0;
        }
        catch (Win32Exception)
        {
            return false;
        }
    }
}
