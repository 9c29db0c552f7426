using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Robotics.Firmware;
using Robotics.Firmware.Serial;
using Robotics.Tests.Host;

namespace Robotics.Tests.Firmware;

/// <summary>The device's C code in a process of its own, compiled once per run, on a pty.</summary>
internal sealed class VirtualDevice : IDisposable
{
    private static readonly Lazy<string?> Built = new(Build);

    private readonly Process _process;
    private readonly BlockingCollection<string> _lines = [];

    private VirtualDevice(Process process)
    {
        _process = process;
        process.OutputDataReceived += (_, e) =>
        {
            if (e.Data is null)
            {
                _lines.CompleteAdding();
            }
            else
            {
                _lines.Add(e.Data);
            }
        };
        process.BeginOutputReadLine();
        Boot = WaitFor("boot ");
        Link = WaitFor("pty ")[4..];
    }

    /// <summary>Its serial port.</summary>
    public string Link { get; }

    /// <summary>What the boot loader said first.</summary>
    public string Boot { get; }

    public bool HasExited => _process.HasExited;

    public static VirtualDevice Start(params string[] args)
    {
        string? program = Built.Value;
        Assert.SkipUnless(program is not null, "no make and C compiler here (gcc, make): the virtual device cannot be built");
        var start = new ProcessStartInfo(program!, args) { RedirectStandardInput = true, RedirectStandardOutput = true };
        return new(Process.Start(start)!);
    }

    /// <summary>A robot on this device's line.</summary>
    public Task<FirmwareRobot> Connect(FirmwareRobotOptions? options = null, string? path = null)
    {
        string at = path ?? Link;
        return FirmwareRobot.ConnectAsync(() => SerialLine.Open(at, 115_200), at, options ?? new() { Patience = TimeSpan.FromSeconds(20) }, TimeProvider.System, TestContext.Current.CancellationToken);
    }

    /// <summary>Sends a signal by its kill(1) name.</summary>
    public void Signal(string name) => RoboticsProcess.Signal(_process, name);

    public void Tell(string order)
    {
        _process.StandardInput.WriteLine(order);
        _process.StandardInput.Flush();
    }

    /// <summary>The truth about the motors.</summary>
    public PlantTruth Truth()
    {
        Tell("plant");
        var words = WaitFor("plant ").Split(' ')[1..].Select(word => word.Split('=', 2)).ToDictionary(pair => pair[0], pair => pair[1]);
        double Number(string key) => double.Parse(words[key], CultureInfo.InvariantCulture);
        return new(Number("t"), (int)Number("mode"), (int)Number("reason"), Number("taken"), Number("left"), Number("moving"), Number("q0"), Number("v0"));
    }

    public string WaitFor(string prefix)
    {
        while (_lines.TryTake(out string? line, 20_000))
        {
            if (line.StartsWith(prefix, StringComparison.Ordinal))
            {
                return line;
            }
        }

        throw new TimeoutException($"The virtual device said no '{prefix}'.");
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            _process.WaitForExit();
        }

        _process.Dispose();
        _lines.Dispose();
    }

    private static string? Build()
    {
        string build = Path.Combine(Repository.Root, "artifacts", "device");
        try
        {
            var start = new ProcessStartInfo("make", ["-C", Path.Combine(Repository.Root, "firmware-bridge", "device"), $"BUILD={build}", "virtual"]) { RedirectStandardOutput = true };
            using var make = Process.Start(start)!;
            make.StandardOutput.ReadToEnd();
            make.WaitForExit();
            return make.ExitCode == 0 ? Path.Combine(build, "device-virtual") : throw new InvalidOperationException("The virtual device does not compile; run make virtual in firmware-bridge/device.");
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }
}

/// <summary>What the plant knows, by the device's clock.</summary>
/// <param name="NowUs">Device time.</param>
/// <param name="Mode">Device mode.</param>
/// <param name="Reason">Its reason.</param>
/// <param name="TakenUs">When the newest command was taken.</param>
/// <param name="LeftActiveUs">When it last stopped following.</param>
/// <param name="MovingUs">When a joint last moved.</param>
/// <param name="Position">Of joint 0, rad.</param>
/// <param name="Speed">Of joint 0, rad/s.</param>
internal sealed record PlantTruth(double NowUs, int Mode, int Reason, double TakenUs, double LeftActiveUs, double MovingUs, double Position, double Speed);
