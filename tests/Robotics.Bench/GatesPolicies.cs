using Robotics.Learning.Data;
using Robotics.Learning.Export;
using Robotics.Learning.Imitation;
using Robotics.Learning.Networks;
using Robotics.Learning.Training;
using Robotics.Numerics;
using Robotics.Packages;
using Robotics.Policies.Onnx;
using Robotics.Policies.Steering;
using Robotics.Routes;
using Robotics.Sim;
using Robotics.Sim.Tasks;

namespace Robotics.Bench;

/// <summary>Policies for the gates, trained from the same demonstrations: one that sees the whole scene, one that sees two rows.</summary>
internal sealed class GatesPolicies : IDisposable
{
    public const int Horizon = 8, Executed = 4, Batch = 128;

    /// <summary>m that demonstrators are pushed aside at most.</summary>
    public const double Push = 0.9;

    private readonly string _folder = Directory.CreateTempSubdirectory("robotics-gates-").FullName;

    /// <summary>Windows cut from demonstrations.</summary>
    /// <param name="Whole">[N, 8] position, gates, goal.</param>
    /// <param name="Rows">[N, 4] two rows relative to the position, in hindsight.</param>
    /// <param name="Chunks">[N, 8, 2] commands, 1 is full speed.</param>
    public sealed record Windows(float[] Whole, float[] Rows, float[] Chunks);

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>The demonstrator goes to the mark that is next, a little unsteadily, and stays at the goal. In every
    /// demonstration somebody pushes it aside once, and it goes on.</summary>
    /// <remarks>Rows in hindsight: what the demonstrator reached is what it was going for. The end of each leg is a row, and in half of
    /// the windows so is a point on the way to it.</remarks>
    public static Windows Demonstrate(ulong seed, int episodes)
    {
        var random = new SeededRandom(seed);
        using var scene = new TaskEnvironment(new Gates());
        float[] signals = new float[scene.Robot.Layout.Length];
        List<float> whole = [], rows = [], chunks = [];
        for (int e = 0; e < episodes; e++)
        {
            scene.Reset((1_000_000 * seed) + (ulong)e + 1, signals);
            int pushed = random.NextInt(3, 33);
            var path = Path(signals, random, pushed);
            Cut(signals, random, path, pushed, whole, rows, chunks);
        }

        return new([.. whole], [.. rows], [.. chunks]);
    }

    private sealed record Demonstration(List<(double X, double Y)> At, List<(float X, float Y)> Commands, int[] LegEnds);

    private static Demonstration Path(float[] signals, SeededRandom random, int pushed)
    {
        const double reached = 0.06;
        var at = new List<(double X, double Y)> { (signals[0], signals[1]) };
        var commands = new List<(float X, float Y)>();
        int[] ends = new int[Gates.Marks];
        for (int mark = 0, rest = Horizon; rest > 0;)
        {
            var (gx, gy) = Gates.Mark(signals, Math.Min(mark, Gates.Marks - 1));
            var (x, y) = at[^1];
            double dx = gx - x, dy = gy - y, length = double.Hypot(dx, dy);
            double share = Math.Min(1, 0.95 * Gates.Reach / Math.Max(length, 1e-9)) / Gates.Reach;
            float Noisy(double command) => (float)Math.Clamp(command + (0.05 * random.NextGaussian()), -1, 1);
            (float cx, float cy) = mark < Gates.Marks ? (Noisy(share * dx), Noisy(share * dy)) : (0, 0);
            commands.Add((cx, cy));
            double push = commands.Count == pushed && mark < Gates.Marks ? random.NextDouble(-Push, Push) : 0;
            (x, y) = (x + (Gates.Reach * cx) + push, y + (Gates.Reach * cy));
            at.Add((x, y));
            if (mark < Gates.Marks && double.Hypot(gx - x, gy - y) < reached)
            {
                ends[mark++] = commands.Count;
            }

            rest -= mark == Gates.Marks ? 1 : 0;
        }

        return new(at, commands, ends);
    }

    private static void Cut(float[] signals, SeededRandom random, Demonstration shown, int pushed, List<float> whole, List<float> rows, List<float> chunks)
    {
        for (int t = 0; t + Horizon <= shown.Commands.Count; t++)
        {
            if (t < pushed && pushed < t + Horizon)
            {
                continue; // what follows the push answers to something that the window does not show
            }

            var (x, y) = shown.At[t];
            int leg = Array.FindIndex(shown.LegEnds, end => end > t), end = leg < 0 ? shown.LegEnds[^1] : shown.LegEnds[leg];
            int next = leg < 0 || leg == Gates.Marks - 1 ? end : shown.LegEnds[leg + 1];
            if (leg >= 0 && end - t > 2 && !(t < pushed && pushed <= end) && random.NextDouble() < 0.5)
            {
                (end, next) = (random.NextInt(t + 2, end), end);
            }

            foreach (int row in (int[])[end, next])
            {
                rows.Add((float)(shown.At[row].X - x));
                rows.Add((float)(shown.At[row].Y - y));
            }

            whole.AddRange([(float)x, (float)y]);
            for (int mark = 0; mark < Gates.Marks; mark++)
            {
                var (gx, gy) = Gates.Mark(signals, mark);
                whole.AddRange([gx, gy]);
            }

            foreach (var (cx, cy) in shown.Commands.GetRange(t, Horizon))
            {
                chunks.AddRange([cx, cy]);
            }
        }
    }

    /// <summary>A flow of three layers.</summary>
    public static Network Train(float[] seen, float[] chunks, int size, ulong seed, int width, int updates)
    {
        var network = new Network(
            new ResidualMlp { Horizon = Horizon, ActionSize = 2, ConditionSize = size, Width = width, Layers = 3, Time = TimeSignal.Continuous, TimeScale = 100 }, seed);
        using (network)
        {
            var data = new ChunkSet(seen, chunks, null, size, Horizon, 2, "gates");
            using var trainer = new Trainer(new FlowMatching(network, FlowTime.Beta), data,
                new TrainingOptions { Steps = updates, Batch = Batch, LearningRate = 2e-3, LogEvery = updates, CheckpointEvery = updates, Seed = seed }, folder: null);
            trainer.Run();
            return trainer.Averaged();
        }
    }

    /// <summary>Packs a policy that sees position, gates and goal.</summary>
    public void Whole(string name, Network network) => Write(name, network, null,
        [new() { Name = "position", Kind = "joint_position" }, .. ((string[])["gate.first", "gate.second", "goal"]).Select(mark => new ObservationTerm { Name = mark.Replace('.', '_'), Kind = "signal", Signal = mark })]);

    /// <summary>Packs a policy that sees two rows of a route.</summary>
    public void Rows(string name, Network network, RouteSpec route) => Write(name, network, route,
        [new() { Name = "target", Kind = "route_target", Select = [0, 1] }, new() { Name = "next", Kind = "route_next", Select = [0, 1] }]);

    public PolicyManifest Manifest(string name) => PolicyPackage.Load(Path(name)).Manifest;

    public PolicyTree Load(string name, TimeProvider clock) => PolicyTree.Load(PolicyPackage.Load(Path(name)), new OnnxOptions { Clock = clock });

    private string Path(string name) => System.IO.Path.Combine(_folder, name);

    private void Write(string name, Network network, RouteSpec? route, IReadOnlyList<ObservationTerm> terms)
    {
        var task = new Gates();
        string folder = Path(name);
        Directory.CreateDirectory(folder);
        File.WriteAllBytes(System.IO.Path.Combine(folder, "net.onnx"), StepGraph.Write(network.Spec, network.Values));
        PolicyPackage.Write(folder, new()
        {
            Name = name,
            Kind = PolicyKind.Velocity,
            Files = [new() { Path = "net.onnx", Sha256 = "" }],
            Models = [new() { File = "net.onnx", Inputs = [new() { Name = "sample", From = "sample" }, new() { Name = "time", From = "time" }, new() { Name = "cond", From = "observation:o" }], Outputs = [new() { Name = "velocity", To = "prediction" }] }],
            Observations = [new() { Name = "o", Terms = terms }],
            Route = route,
            Action = task.Wiring.Action with { Rows = Executed, Normalization = new() { Mode = "mean_std", Mean = [0], Std = [1], Epsilon = 0 } },
            Sampler = new() { Horizon = Horizon, Flow = new() { Steps = 5 } },
            Timing = task.Wiring.Timing,
        });
    }
}
