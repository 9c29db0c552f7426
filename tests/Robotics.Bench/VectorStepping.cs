using System.Diagnostics;
using System.Globalization;
using System.Text;
using Robotics.Sim;

namespace Robotics.Bench;

/// <summary>Environment steps per second through VectorEnvironment beside C programs doing the same work.</summary>
internal sealed class VectorStepping : IBenchmark
{
    private const int Pairs = 9;

    public string Name => "vector-step";

    public string Claim => "N runners on two threads: at least 0.90 of C's steps per second; the managed pendulum: 5 million a second on one core; 0 bytes";

    public int Run(string[] args)
    {
        var text = new StringBuilder($"Median of {Pairs} interleaved pairs; environment steps per second. The C peers do the same per environment and step and write the same\n"
            + "arrays; runners start from the nominal pose on both sides, and equal checksums mean equal trajectories. Pendulums start from drawn\n"
            + "states of each side's own generator. Bytes are of all threads, per environment step.\n\n"
            + "| task | environments | threads | C# /s | C /s | C#/C median (min..max) | bytes | checksums |\n|---|---|---|---|---|---|---|---|\n");
        string runner = Bench.CompilePeer("vector_step.c", "-lmujoco", "-lm", "-lpthread");
        string pendulum = Bench.CompilePeer("pendulum_step.c", "-lm");
        string scene = Path.Combine(Bench.Root, "sim", "Robotics.Sim", "Tasks", "Runner.xml");
        bool holds = Measure(text, "runner", 16, 2, 600, 0.5f, nominal: true, steps => Bench.Capture(runner, scene, "16", $"{steps}"), ratio => ratio >= 0.90, _ => true);
        holds &= Measure(text, "pendulum", 1024, 1, 2000, 1, nominal: false, steps => Bench.Capture(pendulum, "1024", $"{steps}"), _ => true, rate => rate >= 5e6);
        Bench.Report(Name, args, text.ToString());
        return holds ? 0 : 1;
    }

    private static bool Measure(StringBuilder text, string name, int count, int threads, int steps, float amplitude, bool nominal, Func<int, string> peer,
        Func<double, bool> ratioHolds, Func<double, bool> rateHolds)
    {
        var task = LearningTasks.Named(name);
        using var environment = new VectorEnvironment(task, _ => nominal ? new Nominal(new TaskEnvironment(task)) : new TaskEnvironment(task), new() { Count = count, Threads = threads });
        var ours = new List<double>();
        var theirs = new List<double>();
        double sum = 0, peerSum = 0;
        long bytes = long.MaxValue;
        Play(environment, steps, amplitude, out _, out _);
        for (int pair = 0; pair < Pairs; pair++)
        {
            ours.Add(Play(environment, steps, amplitude, out sum, out long allocated));
            bytes = Math.Min(bytes, allocated); // a background collection counts the unused rest of a thread's context
            string[] said = peer(steps).Split(' ');
            theirs.Add(double.Parse(said[0], CultureInfo.InvariantCulture));
            peerSum = double.Parse(said[1], CultureInfo.InvariantCulture);
        }

        double[] ratios = [.. ours.Zip(theirs, (a, b) => a / b)];
        bool same = !nominal || Math.Abs(sum - peerSum) <= 1e-6 * Math.Max(1, Math.Abs(peerSum));
        text.AppendLine(CultureInfo.InvariantCulture, $"| {name} | {count} | {threads} | {Bench.Median(ours):F0} | {Bench.Median(theirs):F0} | "
            + $"{Bench.Median(ratios):F3} ({ratios.Min():F3}..{ratios.Max():F3}) | {(double)bytes / count / steps} | "
            + $"{(!nominal ? "-" : same ? "equal" : $"differ: {sum:G9}, {peerSum:G9}")} |");
        return ratioHolds(Bench.Median(ratios)) && rateHolds(Bench.Median(ours)) && bytes == 0 && same;
    }

    private static double Play(VectorEnvironment environment, int steps, float amplitude, out double sum, out long allocated)
    {
        int actionSize = environment.ActionSize;
        float[] actions = new float[environment.Count * actionSize];
        var step = new VectorStep(environment.Count, environment.ObservationSize);
        environment.Reset(1, step.Observations);
        sum = 0;
        long before = GC.GetTotalAllocatedBytes(precise: true);
        long begin = Stopwatch.GetTimestamp();
        for (int k = 0; k < steps; k++)
        {
            for (int e = 0; e < environment.Count; e++)
            {
                for (int u = 0; u < actionSize; u++)
                {
                    actions[(e * actionSize) + u] = amplitude * ((((k / 10) + u + e) % 3) - 1);
                }
            }

            environment.Step(actions, step);
            foreach (float reward in step.Rewards)
            {
                sum += reward;
            }
        }

        double rate = (double)environment.Count * steps / Stopwatch.GetElapsedTime(begin).TotalSeconds;
        allocated = GC.GetTotalAllocatedBytes(precise: true) - before;
        return rate;
    }

    /// <summary>Starts every episode from the nominal pose, which C starts from, too.</summary>
    private sealed class Nominal(IEnvironment inner) : IEnvironment
    {
        public RobotSpec Robot => inner.Robot;

        public TimeSpan Period => inner.Period;

        public TimeSpan Time => inner.Time;

        public void Reset(ulong seed, Span<float> signals) => inner.Reset(0, signals);

        public void SetMode(CommandMode mode) => inner.SetMode(mode);

        public StepResult Step(ReadOnlySpan<float> targets, Span<float> signals) => inner.Step(targets, signals);

        public void Dispose() => inner.Dispose();
    }
}
