using System.Diagnostics;
using System.Runtime.InteropServices;
using Robotics.Sim.Mujoco;

namespace Robotics.Tests.Sim;

public sealed unsafe class MujocoLibraryTests
{
    [Fact]
    public void Probe_WhenNothingIsThere_SaysWhatWasLookedForAndWhatToDo() =>
        Assert.Equal(
            "MuJoCo is not installed. Looked for: libnothing.so, libnone.so. Do: apt install libmujoco2.2.2, or set "
            + "ROBOTICS_MUJOCO to the library file.",
            MujocoLibrary.Probe(["libnothing.so", "libnone.so"]));

    [Fact]
    public void Probe_WhenItIsAnotherLibrary_SaysSo()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "names a Linux library");
        Assert.StartsWith("'libc.so.6' is not MuJoCo", MujocoLibrary.Probe(["libc.so.6"]), StringComparison.Ordinal);
    }

    [Fact]
    public void Error_WhenMujocoRaisesOne_ParksThatThreadAndTheProcessLives()
    {
        MujocoScenes.Require();
        nint library = NativeLibrary.Load("libmujoco.so.2.2.2");
        nint raise = NativeLibrary.GetExport(library, "mju_error");
        var thread = new Thread(() =>
        {
            fixed (byte* text = "test of the handler\0"u8)
            {
                ((delegate* unmanaged<byte*, void>)raise)(text);
            }
        })
        { IsBackground = true };
        thread.Start();
        Assert.True(SpinWait.SpinUntil(() => MujocoLibrary.Fault is not null, TimeSpan.FromSeconds(5)));
        Assert.Equal("MuJoCo stopped for good: test of the handler", MujocoLibrary.Fault);
        Assert.True(thread.IsAlive);
    }

    [Fact]
    public void Offsets_WhenRegenerated_AreTheSameBytes()
    {
        Assert.SkipUnless(File.Exists("/usr/include/mujoco/mujoco.h") && File.Exists("/usr/bin/cc"), "needs cc and apt install libmujoco-dev");
        string folder = Path.Combine(Repository.Root, "sim", "Robotics.Sim", "Mujoco");
        var start = new ProcessStartInfo("sh", [Path.Combine(folder, "generate-offsets.sh")]) { RedirectStandardOutput = true };
        using var script = Process.Start(start)!;
        string table = script.StandardOutput.ReadToEnd();
        script.WaitForExit();
        Assert.Equal(0, script.ExitCode);
        Assert.Equal(File.ReadAllText(Path.Combine(folder, "MujocoOffsets.g.cs")), table);
        Assert.Contains("SizeOfModel = 3280;", table, StringComparison.Ordinal);
        Assert.Contains("SizeOfData = 41176;", table, StringComparison.Ordinal);
    }
}
