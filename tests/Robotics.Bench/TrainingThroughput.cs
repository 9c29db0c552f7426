using System.Diagnostics;
using System.Globalization;
using System.Text;
using Robotics.Learning.Data;
using Robotics.Learning.Imitation;
using Robotics.Learning.Networks;
using Robotics.Learning.Training;
using Robotics.Numerics;

namespace Robotics.Bench;

/// <summary>Samples per second of the trainer beside PyTorch eager on the same network.</summary>
internal sealed class TrainingThroughput : IBenchmark
{
    private const int Batch = 256;
    private const int Rounds = 15;

    public string Name => "training-throughput";

    public string Claim => "the trainer makes at least 0.90 of the samples per second that PyTorch eager makes on the same network, one thread each";

    public int Run(string[] args)
    {
        var table = new StringBuilder();
        table.AppendLine(CultureInfo.InvariantCulture, $"Diffusion training, batch {Batch}: draw, noise, forward, backward, clip, AdamW, weight average. {Rounds} interleaved rounds, one thread, medians; the ratio is the median of the rounds' ratios, with its quartiles.");
        table.AppendLine("Ours: TorchSharp (libtorch 2.10). Peer: Debian's PyTorch 1.13 eager with OpenBLAS (`peers/torch_peer.py`).");
        table.AppendLine();
        table.AppendLine("| network | ours, samples/s | PyTorch, samples/s | ours / PyTorch |");
        table.AppendLine("|---|---|---|---|");
        bool holds = Measure("MLP 4 x 512", new ResidualMlp { Horizon = 16, ActionSize = 2, ConditionSize = 40, Width = 512, Layers = 4 }, 40, table)
            & Measure("transformer 4 x 128, 4 heads", new ActionTransformer { Horizon = 16, ActionSize = 2, ConditionSize = 40, ObservationSteps = 2 }, 4, table);
        table.AppendLine();
        table.AppendLine(holds ? "Holds: both ratios are at least 0.90." : "Falls short of 0.90, or no PyTorch here (apt: python3-torch, libopenblas0-pthread).");
        Bench.Report(Name, args, table.ToString());
        return holds ? 0 : 1;
    }

    private static bool Measure(string name, NetworkSpec spec, int updates, StringBuilder table)
    {
        using var network = new Network(spec, seed: 1);
        using var peer = TorchPeer.Start(network, Batch);
        if (peer is null)
        {
            table.AppendLine(CultureInfo.InvariantCulture, $"| {name} | - | no PyTorch here | - |");
            return false;
        }

        var random = new SeededRandom(1);
        const int rows = 20000;
        float[] Uniform(int count) => [.. Enumerable.Range(0, count).Select(_ => (float)random.NextDouble(-1, 1))];
        var data = new ChunkSet(Uniform(rows * spec.ConditionSize), Uniform(rows * 32), null, spec.ConditionSize, 16, 2, "noise");
        using var method = new Diffusion(network, NoiseSchedule.SquaredCosine(100), Prediction.Sample);
        using var trainer = new Trainer(method, data, new TrainingOptions { Steps = 1_000_000, Batch = Batch, LogEvery = updates, CheckpointEvery = updates }, folder: null);
        double[] ours = new double[Rounds], theirs = new double[Rounds];
        for (int round = -2; round < Rounds; round++)
        {
            int at = Math.Max(round, 0);
            if (round % 2 == 0)
            {
                ours[at] = Ours();
            }

            theirs[at] = updates * Batch / peer.Seconds("train", updates);
            if (round % 2 != 0)
            {
                ours[at] = Ours();
            }
        }

        double[] ratios = [.. ours.Zip(theirs, (a, b) => a / b)];
        table.AppendLine(CultureInfo.InvariantCulture, $"| {name} | {Bench.Median(ours):F0} | {Bench.Median(theirs):F0} | **{Bench.Median(ratios):F2}** ({Bench.Percentile(ratios, 0.25):F2} to {Bench.Percentile(ratios, 0.75):F2}) |");
        return Bench.Median(ratios) >= 0.9;

        double Ours()
        {
            using var enough = new CancellationTokenSource();
            long start = Stopwatch.GetTimestamp();
            trainer.Run(new Stop(enough), enough.Token);
            return updates * Batch / Stopwatch.GetElapsedTime(start).TotalSeconds;
        }
    }

    private sealed class Stop(CancellationTokenSource enough) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value) => enough.Cancel();
    }
}
