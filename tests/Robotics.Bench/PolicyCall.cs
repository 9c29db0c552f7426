using System.Diagnostics;
using System.Globalization;
using System.Text;
using Microsoft.ML.OnnxRuntime;
using Robotics.Packages;
using Robotics.Policies.Onnx;
using Robotics.Tests.Policies;

namespace Robotics.Bench;

/// <summary>What our checks, conversions and copies add to the network call below them.</summary>
internal sealed class PolicyCall : IBenchmark
{
    private const int Rounds = 401;
    private const int Calls = 100; // per round and way: about 2 ms, so that a neighbour's time slice spoils few rounds

    public string Name => "policy-call";

    public string Claim => "a plan through IPolicy takes at most 1.10 of the bare ONNX Runtime call on the same small network";

    public int Run(string[] args)
    {
        var table = new StringBuilder();
        table.AppendLine(CultureInfo.InvariantCulture, $"{Rounds} interleaved rounds of {Calls} calls each way, one thread, cpu, back to back; medians, µs per call. Bare C#: RunWithBinding over tensors bound once.");
        table.AppendLine("C: the same through the C API in a process of its own (`peers/ort_call.c`). Ratios are medians of the rounds' ratios, with their quartiles.");
        table.AppendLine();
        table.AppendLine("| network | IPolicy | bare C# | bare C | IPolicy / bare C# | IPolicy / bare C | bytes allocated by all plans |");
        table.AppendLine("|---|---|---|---|---|---|---|");
        bool holds = Measure("MLP 48-256-256-256-12", TinyOnnx.Mlp(1, 48, 256, 256, 256, 12), "obs", "action", table);
        string go1 = Path.Combine(Bench.Root, "..", "shared", "cases", "go1-joystick", "policy.onnx");
        if (File.Exists(go1))
        {
            holds &= Measure("go1-joystick 48-512-256-128-12", File.ReadAllBytes(go1), "obs", "continuous_actions", table);
        }

        table.AppendLine();
        table.AppendLine(holds ? "Holds: IPolicy / bare C# is at most 1.10." : "Falls short: IPolicy / bare C# is above 1.10.");
        Bench.Report(Name, args, table.ToString());
        return holds ? 0 : 1;
    }

    private static bool Measure(string name, byte[] model, string input, string output, StringBuilder table)
    {
        using var policy = OnnxPolicy.Load(Manifest(input, output), _ => model, new OnnxOptions());
        float[] observation = [.. Enumerable.Range(0, 48).Select(i => 0.01f * i)];
        float[] chunk = new float[12];
        using var options = new SessionOptions { IntraOpNumThreads = 1, InterOpNumThreads = 1 };
        using var session = new InferenceSession(model, options);
        using var binding = session.CreateIoBinding();
        using var from = OrtValue.CreateTensorValueFromMemory(observation.ToArray(), [1, 48]);
        using var to = OrtValue.CreateTensorValueFromMemory(new float[12], [1, 12]);
        binding.BindInput(input, from);
        binding.BindOutput(output, to);
        using var run = new RunOptions();
        using var peer = CPeer.Start(model, input, output);

        double[] ours = new double[Rounds];
        double[] bare = new double[Rounds];
        double[] c = new double[Rounds];
        long allocated = 0;
        for (int round = -5; round < Rounds; round++) // five to warm up
        {
            int at = Math.Max(round, 0);
            if (round % 2 == 0) // each goes first as often as the other
            {
                ours[at] = Ours();
                bare[at] = Bare();
            }
            else
            {
                bare[at] = Bare();
                ours[at] = Ours();
            }

            c[at] = peer?.Time(Calls) / 1000.0 / Calls ?? double.NaN;
        }

        double ratio = Bench.Median(Ratios(bare));
        string beside = peer is null ? "no C compiler or headers here" : Spread(Ratios(c));
        table.AppendLine(CultureInfo.InvariantCulture, $"| {name} | {Bench.Median(ours):F2} | {Bench.Median(bare):F2} | {(peer is null ? "-" : Bench.Median(c).ToString("F2", CultureInfo.InvariantCulture))} | {Spread(Ratios(bare))} | {beside} | {allocated} |");
        return ratio <= 1.10 && allocated == 0;

        double Ours()
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            long start = Stopwatch.GetTimestamp();
            for (int i = 0; i < Calls; i++)
            {
                policy.Plan(observation, new(long.MaxValue), chunk);
            }

            double each = Stopwatch.GetElapsedTime(start).TotalMicroseconds / Calls;
            allocated += GC.GetAllocatedBytesForCurrentThread() - before;
            return each;
        }

        double Bare()
        {
            long start = Stopwatch.GetTimestamp();
            for (int i = 0; i < Calls; i++)
            {
                session.RunWithBinding(run, binding);
            }

            return Stopwatch.GetElapsedTime(start).TotalMicroseconds / Calls;
        }

        double[] Ratios(double[] theirs) => [.. ours.Zip(theirs, (a, b) => a / b)];
        static string Spread(double[] ratios) => string.Create(CultureInfo.InvariantCulture, $"**{Bench.Median(ratios):F3}** ({Bench.Percentile(ratios, 0.25):F3} to {Bench.Percentile(ratios, 0.75):F3})");
    }

    private static PolicyManifest Manifest(string input, string output) => new()
    {
        Name = "bench",
        Files = [new PackageFile { Path = "policy.onnx", Sha256 = "" }],
        Models = [new ModelSpec { File = "policy.onnx", Inputs = [new ModelInput { Name = input, From = "observation:o" }], Outputs = [new ModelOutput { Name = output, To = "action" }] }],
        Observations = [new ObservationGroup { Name = "o", Terms = [] }],
        Action = new ActionSpec(),
        Timing = new TimingSpec { PeriodMs = 20 },
    };

    /// <summary>The C program, waiting for its turn.</summary>
    private sealed class CPeer(Process process) : IDisposable
    {
        /// <summary>Null when this machine cannot compile it.</summary>
        public static CPeer? Start(byte[] model, string input, string output)
        {
            string packages = Environment.GetEnvironmentVariable("NUGET_PACKAGES") is { Length: > 0 } set
                ? set
                : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
            string package = Path.Combine(packages, "microsoft.ml.onnxruntime", OrtEnv.Instance().GetVersionString());
            string include = Path.Combine(package, "build", "native", "include");
            string library = Path.Combine(package, "runtimes", "linux-x64", "native", "libonnxruntime.so");
            if (!Directory.Exists(include) || !File.Exists(library) || !File.Exists("/usr/bin/cc"))
            {
                return null;
            }

            string program = Bench.CompilePeer("ort_call.c", $"-I{include}", "-ldl");
            string file = program + ".onnx";
            File.WriteAllBytes(file, model);
            return new(Process.Start(new ProcessStartInfo(program, [library, file, input, "48", output, "12"]) { RedirectStandardInput = true, RedirectStandardOutput = true })!);
        }

        /// <summary>Nanoseconds of so many calls.</summary>
        public long Time(int calls)
        {
            process.StandardInput.WriteLine(calls);
            process.StandardInput.Flush();
            return long.Parse(process.StandardOutput.ReadLine()!, CultureInfo.InvariantCulture);
        }

        public void Dispose()
        {
            process.StandardInput.Close();
            process.WaitForExit();
            process.Dispose();
        }
    }
}
