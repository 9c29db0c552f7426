using System.Diagnostics;
using System.Globalization;

namespace Robotics.Bench;

/// <summary>A PyTorch program under <c>peers/</c> in a process of its own, one thread, that answers lines with lines.</summary>
internal sealed class LinePeer : IDisposable
{
    private readonly Process _process;
    private readonly string _program;

    private LinePeer(Process process, string program) => (_process, _program) = (process, program);

    /// <summary>Starts it; null when this machine has no Debian PyTorch (python3-torch, libopenblas0-pthread).</summary>
    public static LinePeer? Start(string program, params int[] sizes)
    {
        if (!Directory.Exists("/usr/lib/python3/dist-packages/torch"))
        {
            return null;
        }

        var start = new ProcessStartInfo("/usr/bin/python3", [Path.Combine(Bench.Root, "tests", "Robotics.Bench", "peers", program), .. sizes.Select(n => n.ToString(CultureInfo.InvariantCulture))])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        start.Environment["OPENBLAS_NUM_THREADS"] = "1";
        start.Environment["OMP_NUM_THREADS"] = "1";
        return new LinePeer(Process.Start(start)!, program);
    }

    /// <summary>Its answer to a line.</summary>
    public string Ask(string line)
    {
        _process.StandardInput.WriteLine(line);
        _process.StandardInput.Flush();
        return _process.StandardOutput.ReadLine() ?? throw new InvalidOperationException($"peers/{_program} ended; its own message stands above.");
    }

    public void Dispose()
    {
        _process.StandardInput.Close();
        _process.WaitForExit();
        _process.Dispose();
    }
}
