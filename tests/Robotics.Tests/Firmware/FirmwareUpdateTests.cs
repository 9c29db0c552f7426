using System.Buffers.Binary;
using Robotics.Firmware;
using Robotics.Numerics;

namespace Robotics.Tests.Firmware;

/// <summary>Images over the wire into the virtual device's two slots.</summary>
public sealed class FirmwareUpdateTests
{
    private const uint Old = 0x010000;
    private const uint New = 0x020000;
    private const uint Crashes = 1; // flags that the virtual device obeys, see virtual/main.c
    private const uint Deaf = 2;

    [Fact]
    public async Task Update_RunsTheNewImageAndKeepsIt()
    {
        using var folder = new TemporaryFolder();
        using (var device = Start(folder))
        {
            using var robot = await device.Connect();
            Assert.Equal(Old, robot.Device.Firmware);
            var report = await robot.UpdateAsync(Image(New, 0, 20_000), New, null, TestContext.Current.CancellationToken);
            Assert.Equal(UpdateOutcome.Installed, report.Outcome);
            Assert.Equal(157, report.BlocksSent);
        }

        using var later = Start(folder);
        using var again = await later.Connect();
        Assert.Equal((New, false), (again.Device.Firmware, again.Device.OnTrial));
    }

    [Theory]
    [InlineData(Crashes)]
    [InlineData(Deaf)]
    public async Task Update_OfAnImageThatDoesNotReportIn_GoesBack(uint flags)
    {
        using var folder = new TemporaryFolder();
        using var device = Start(folder, "--confirm-ms", "300");
        using var robot = await device.Connect();
        var report = await robot.UpdateAsync(Image(New, flags, 5_000), New, null, TestContext.Current.CancellationToken);
        Assert.Equal((UpdateOutcome.RolledBack, Old), (report.Outcome, robot.Device.Firmware));
    }

    [Fact]
    public async Task Update_WhileArmed_IsRefused()
    {
        using var folder = new TemporaryFolder();
        using var device = Start(folder);
        using var robot = await device.Connect();
        await robot.ClaimAsync(CommandMode.Native(robot.Spec), CancellationToken.None);
        var report = await robot.UpdateAsync(Image(New, 0, 5_000), New, null, TestContext.Current.CancellationToken);
        Assert.Equal(UpdateOutcome.Refused, report.Outcome);
        Assert.Contains("release it first", report.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Update_BrokenOff_GoesOnWhereItStopped()
    {
        using var folder = new TemporaryFolder();
        using var device = Start(folder);
        byte[] image = Image(New, 0, 20_000);
        using (var robot = await device.Connect())
        {
            using var halfWay = new CancellationTokenSource();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => robot.UpdateAsync(image, New, share =>
            {
                if (share > 0.5)
                {
                    halfWay.Cancel();
                }
            }, halfWay.Token));
        }

        using var second = await device.Connect();
        var report = await second.UpdateAsync(image, New, null, TestContext.Current.CancellationToken);
        Assert.Equal(UpdateOutcome.Installed, report.Outcome);
        Assert.InRange(report.BlocksSent, 1, 80);
    }

    [Fact]
    public async Task Update_KilledAtTwentyRandomPoints_AlwaysBootsAWholeImage()
    {
        var random = new SeededRandom(11);
        byte[] image = Image(New, 0, 9_000);
        var options = new FirmwareRobotOptions { Patience = TimeSpan.FromSeconds(20), RebootPatience = TimeSpan.FromSeconds(20), Silence = TimeSpan.FromMilliseconds(300) };
        int killed = 0;
        for (int i = 0; i < 20; i++)
        {
            using var folder = new TemporaryFolder();
            // The update takes about 90 flash writes; the device dies with one of them half done.
            using (var device = Start(folder, "--die-at-write", $"{random.NextInt(1, 88)}"))
            {
                using var stop = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
                using var robot = await device.Connect(options);
                var update = robot.UpdateAsync(image, New, null, stop.Token);
                await Fleet.FleetRig.Until(() => device.HasExited || update.IsCompleted, "the end");
                await stop.CancelAsync();
                killed += device.HasExited ? 1 : 0;
                await ((Task)update).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
            }

            using var revived = Start(folder);
            string boot = revived.Boot;
            Assert.True(boot.Contains("version=1.0.0", StringComparison.Ordinal) || boot.Contains("version=2.0.0", StringComparison.Ordinal), boot);
            Assert.DoesNotContain("slot=-", boot, StringComparison.Ordinal);
            using var again = await revived.Connect(options);
            if (again.Device.Firmware == Old)
            {
                Assert.Equal(UpdateOutcome.Installed, (await again.UpdateAsync(image, New, null, TestContext.Current.CancellationToken)).Outcome);
            }

            Assert.Equal(New, again.Device.Firmware);
        }

        Assert.InRange(killed, 18, 20);
    }

    private static VirtualDevice Start(TemporaryFolder folder, params string[] more) => VirtualDevice.Start(["--flash", folder.Path, "--image", "1.0.0", .. more]);

    internal static byte[] Image(uint version, uint flags, int length)
    {
        byte[] image = new byte[length];
        for (int i = 0; i < length; i++)
        {
            image[i] = (byte)(i * 31);
        }

        "RBIM"u8.CopyTo(image);
        BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(4), version);
        BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(8), flags);
        return image;
    }
}
