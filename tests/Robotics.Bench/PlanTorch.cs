using System.Diagnostics;
using System.Globalization;
using System.Text;
using Microsoft.ML.OnnxRuntime;
using Robotics.Lab;
using Robotics.Learning.Export;
using Robotics.Learning.Networks;
using Robotics.Numerics;
using Robotics.Packages;
using Robotics.Policies.Onnx;

namespace Robotics.Bench;

/// <summary>One plan of ten DDIM steps through <see cref="IPolicy"/>, beside PyTorch eager and beside ten bare ONNX Runtime calls.</summary>
internal sealed class PlanTorch : IBenchmark
{
    private const int Rounds = 61;
    private const int Steps = 10;

    public string Name => "plan-torch";

    public string Claim => "a plan of ten DDIM steps takes at most 0.40 (MLP) and 0.50 (transformer) of PyTorch eager's time, at most 1.05 of the bare ONNX Runtime calls', and allocates nothing";

    public int Run(string[] args)
    {
        var table = new StringBuilder();
        table.AppendLine(CultureInfo.InvariantCulture, $"One plan: observation normalised, {Steps} DDIM steps (leading timesteps of 100, one chunk of 16 x 2 from 40 observation elements), chunk de-normalised. Same weights everywhere, one thread each, {Rounds} interleaved rounds, back to back; medians, µs per plan; ratios are medians of the rounds' ratios, with their quartiles.");
        table.AppendLine("Ours: a package written by the trainer, through `IPolicy.Plan`. Bare: RunWithBinding ten times over tensors bound once, no sampler. PyTorch: Debian's 1.13 eager with OpenBLAS in a process of its own (`peers/torch_peer.py`).");
        table.AppendLine();
        table.AppendLine("| network | ours | bare calls | PyTorch | ours / PyTorch | limit | ours / bare calls | limit | bytes allocated by all plans | largest difference of the chunks |");
        table.AppendLine("|---|---|---|---|---|---|---|---|---|---|");
        bool holds = Measure("MLP 4 x 512", new ResidualMlp { Horizon = 16, ActionSize = 2, ConditionSize = 40, Width = 512, Layers = 4 }, 40, 0.40, table)
            & Measure("transformer 4 x 128, 4 heads", new ActionTransformer { Horizon = 16, ActionSize = 2, ConditionSize = 40, ObservationSteps = 2 }, 8, 0.50, table);
        table.AppendLine();
        table.AppendLine(holds ? "Holds." : "Falls short of a limit, or no PyTorch here (apt: python3-torch, libopenblas0-pthread).");
        Bench.Report(Name, args, table.ToString());
        return holds ? 0 : 1;
    }

    private static bool Measure(string name, NetworkSpec spec, int plans, double limit, StringBuilder table)
    {
        using var network = new Network(spec, seed: 1);
        using var peer = TorchPeer.Start(network, batch: 1);
        if (peer is null)
        {
            table.AppendLine(CultureInfo.InvariantCulture, $"| {name} | - | - | no PyTorch here | - | {limit:F2} | - | 1.05 | - | - |");
            return false;
        }

        using var policy = Load(network);
        using var bare = new BareCalls(StepGraph.Write(spec, network.Values));
        double difference = bare.Chunk().Zip(peer.Chunk(), (a, b) => Math.Abs((double)a - b)).Max();
        float[] observation = [.. Enumerable.Range(1, 40).Select(i => 0.01f * i % 1)], chunk = new float[16];
        double[] ours = new double[Rounds], calls = new double[Rounds], theirs = new double[Rounds];
        long allocated = 0;
        for (int round = -5; round < Rounds; round++) // five to warm up
        {
            int at = Math.Max(round, 0);
            if (round % 2 == 0) // each goes first as often as the other
            {
                ours[at] = Ours();
                calls[at] = Bare();
            }
            else
            {
                calls[at] = Bare();
                ours[at] = Ours();
            }

            theirs[at] = 1e6 * peer.Seconds("plan", plans) / plans;
        }

        double[] besideTorch = [.. ours.Zip(theirs, (a, b) => a / b)], besideBare = [.. ours.Zip(calls, (a, b) => a / b)];
        table.AppendLine(CultureInfo.InvariantCulture, $"| {name} | {Bench.Median(ours):F0} | {Bench.Median(calls):F0} | {Bench.Median(theirs):F0} | {Spread(besideTorch)} | {limit:F2} | {Spread(besideBare)} | 1.05 | {allocated} | {difference:0.0e-0} |");
        return Bench.Median(besideTorch) <= limit && Bench.Median(besideBare) <= 1.05 && allocated == 0 && difference < 1e-4;

        double Ours()
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            long start = Stopwatch.GetTimestamp();
            for (int i = 0; i < plans; i++)
            {
                policy.Plan(observation, new(long.MaxValue), chunk);
            }

            double each = Stopwatch.GetElapsedTime(start).TotalMicroseconds / plans;
            allocated += GC.GetAllocatedBytesForCurrentThread() - before;
            return each;
        }

        double Bare()
        {
            long start = Stopwatch.GetTimestamp();
            for (int i = 0; i < plans * Steps; i++)
            {
                bare.Call();
            }

            return Stopwatch.GetElapsedTime(start).TotalMicroseconds / plans;
        }
    }

    private static string Spread(double[] ratios) => string.Create(CultureInfo.InvariantCulture, $"**{Bench.Median(ratios):F3}** ({Bench.Percentile(ratios, 0.25):F3} to {Bench.Percentile(ratios, 0.75):F3})");

    /// <summary>An untrained network as the package that the trainer would write of it; its golden vectors are libtorch's.</summary>
    internal static OnnxPolicy Load(Network network)
    {
        string folder = Directory.CreateTempSubdirectory("robotics-plan-").FullName;
        try
        {
            PackageWriter.Write(folder, network, new()
            {
                Name = "untrained",
                Wiring = LabTask.Named("push-t").Wiring,
                ObservationSteps = 2,
                Executed = 8,
                Observations = new() { Mode = "mean_std", Mean = [0], Std = [1] },
                Actions = new() { Mode = "min_max", Min = [0, 0], Max = [512, 512] },
                Sampler = new() { Horizon = 16, Diffusion = new() { Prediction = Prediction.Sample, Steps = Steps } },
                Trained = new(),
                Examples = [new float[40]],
            });
            return OnnxPolicy.Load(PolicyPackage.Load(folder), new OnnxOptions());
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>The step network below the policy, called by nothing but a loop.</summary>
    private sealed class BareCalls : IDisposable
    {
        private readonly SessionOptions _options = new() { IntraOpNumThreads = 1, InterOpNumThreads = 1 };
        private readonly InferenceSession _session;
        private readonly OrtIoBinding _binding;
        private readonly RunOptions _run = new();
        private readonly float[] _sample = GC.AllocateArray<float>(32, pinned: true), _cond = GC.AllocateArray<float>(40, pinned: true), _prediction = GC.AllocateArray<float>(32, pinned: true);
        private readonly long[] _time = GC.AllocateArray<long>(1, pinned: true);
        private readonly OrtValue[] _values;

        public BareCalls(byte[] graph)
        {
            _session = new(graph, _options);
            _binding = _session.CreateIoBinding();
            _values =
            [
                OrtValue.CreateTensorValueFromMemory(_sample, [1, 16, 2]), OrtValue.CreateTensorValueFromMemory(_time, [1]),
                OrtValue.CreateTensorValueFromMemory(_cond, [1, 40]), OrtValue.CreateTensorValueFromMemory(_prediction, [1, 16, 2]),
            ];
            _binding.BindInput("sample", _values[0]);
            _binding.BindInput("timestep", _values[1]);
            _binding.BindInput("cond", _values[2]);
            _binding.BindOutput("prediction", _values[3]);
        }

        public void Call() => _session.RunWithBinding(_run, _binding);

        /// <summary>The chunk from the noise and condition that <c>torch_peer.py</c> says its own for.</summary>
        public float[] Chunk()
        {
            var sampler = new DiffusionSampler(NoiseSchedule.SquaredCosine(100), new() { Prediction = Prediction.Sample, Steps = Steps });
            float[] x = [.. Enumerable.Range(1, 32).Select(i => 0.1f * i % 1)], clean = new float[32];
            Enumerable.Range(1, 40).Select(i => 0.01f * i % 1).ToArray().CopyTo(_cond, 0);
            for (int i = 0; i < sampler.Steps; i++)
            {
                x.CopyTo(_sample, 0);
                _time[0] = sampler.Timesteps[i];
                Call();
                sampler.Step(i, x, _prediction, [], clean);
            }

            return x;
        }

        public void Dispose()
        {
            _binding.Dispose();
            Array.ForEach(_values, value => value.Dispose());
            _session.Dispose();
            _run.Dispose();
            _options.Dispose();
        }
    }
}
