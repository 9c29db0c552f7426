using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Robotics.Learning.Networks;

namespace Robotics.Bench;

/// <summary>PyTorch with the same network and weights, in a process of its own (<c>peers/torch_peer.py</c>), waiting for its turn.</summary>
internal sealed class TorchPeer : IDisposable
{
    private readonly Process _process;
    private readonly string _weights;

    private TorchPeer(Process process, string weights) => (_process, _weights) = (process, weights);

    /// <summary>Starts it; null when this machine has no Debian PyTorch (python3-torch, libopenblas0-pthread).</summary>
    public static TorchPeer? Start(Network network, int batch)
    {
        const string python = "/usr/bin/python3";
        if (!Directory.Exists("/usr/lib/python3/dist-packages/torch"))
        {
            return null;
        }

        string weights = Path.GetTempFileName();
        File.WriteAllBytes(weights, MemoryMarshal.AsBytes<float>([.. network.Flat.data<float>()]));
        var spec = network.Spec;
        int[] sizes = spec switch
        {
            ResidualMlp mlp => [spec.Horizon, spec.ActionSize, spec.ConditionSize, mlp.Width, mlp.Layers, 0, 1, batch],
            ActionTransformer t => [spec.Horizon, spec.ActionSize, spec.ConditionSize, t.Width, t.Layers, t.Heads, t.ObservationSteps, batch],
            _ => throw new ArgumentException($"{spec.GetType().Name} has no peer."),
        };
        var start = new ProcessStartInfo(
            python,
            [Path.Combine(Bench.Root, "tests", "Robotics.Bench", "peers", "torch_peer.py"), spec is ResidualMlp ? "mlp" : "transformer", weights, .. sizes.Select(n => n.ToString(CultureInfo.InvariantCulture))])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        start.Environment["OPENBLAS_NUM_THREADS"] = "1";
        start.Environment["OMP_NUM_THREADS"] = "1";
        return new TorchPeer(Process.Start(start)!, weights);
    }

    /// <summary>Seconds that it took to do <paramref name="count"/> of <paramref name="what"/>, <c>train</c> or <c>plan</c>.</summary>
    public double Seconds(string what, int count) => double.Parse(Ask($"{what} {count}"), CultureInfo.InvariantCulture);

    /// <summary>[H·Da], its chunk for the noise and condition that both sides know.</summary>
    public float[] Chunk() => [.. Ask("say").Split(' ').Select(text => float.Parse(text, CultureInfo.InvariantCulture))];

    public void Dispose()
    {
        _process.StandardInput.Close();
        _process.WaitForExit();
        _process.Dispose();
        File.Delete(_weights);
    }

    private string Ask(string line)
    {
        _process.StandardInput.WriteLine(line);
        _process.StandardInput.Flush();
        return _process.StandardOutput.ReadLine() ?? throw new InvalidOperationException("peers/torch_peer.py ended; its own message stands above.");
    }
}
