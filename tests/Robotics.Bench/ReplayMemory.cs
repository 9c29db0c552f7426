using System.Diagnostics;
using System.Globalization;
using System.Text;
using Robotics.Learning.OffPolicy;
using Robotics.Sim;

namespace Robotics.Bench;

/// <summary>What five million transitions of the runner cost in memory, and whether training grows.</summary>
internal sealed class ReplayMemory : IBenchmark
{
    private const int Transitions = 5_000_000, Updates = 100_000, Copies = 100;

    public string Name => "replay-memory";

    public string Claim => "5 million runner transitions under 1.5 GiB resident; flat over 100,000 updates";

    public int Run(string[] args)
    {
        string folder = Directory.CreateTempSubdirectory("robotics-replay-").FullName;
        try
        {
            using var runner = new VectorEnvironment(LearningTasks.Named("runner"));
            using var still = new Shape(runner.ObservationSize, runner.ActionSize);
            using var sac = new Sac(still, new SacOptions { Hidden = [16, 16], Batch = 32, RandomSteps = Transitions, Replay = Transitions }, folder);
            sac.Begin();
            long began = Stopwatch.GetTimestamp();
            while (sac.Steps < Transitions)
            {
                sac.Advance();
            }

            double filling = Stopwatch.GetElapsedTime(began).TotalSeconds;
            var (resident, own) = Memory();
            var text = new StringBuilder();
            text.AppendLine(CultureInfo.InvariantCulture, $"""
                SAC's replay filled with {Transitions} transitions of the runner's sizes ({runner.ObservationSize} observations, {runner.ActionSize} actions; numbers of a task that costs nothing), in a file mapped
                into memory; then {Updates} updates (16 x 2, batch 32), each with a step that replaces the oldest. Resident: VmRSS, mapped file pages included, which the
                system may take back; own: RssAnon, what the process itself holds. The file: {new FileInfo(Path.Combine(folder, "replay.bin")).Length / 1048576.0:F0} MiB. Filling: {Transitions / filling:F0} transitions/s.

                | after | resident MiB | own MiB |
                |---|---|---|
                | filling | {resident:F0} | {own:F0} |
                """);
            double most = resident, first = 0, last = 0;
            for (int done = 0; done < Updates;)
            {
                for (int i = 0; i < Updates / 10 / Copies; i++, done += Copies)
                {
                    sac.Advance();
                }

                (resident, own) = Memory();
                (most, first, last) = (Math.Max(most, resident), first == 0 ? own : first, own);
                text.AppendLine(CultureInfo.InvariantCulture, $"| {done} updates | {resident:F0} | {own:F0} |");
            }

            bool holds = most < 1536 && last - first < 8;
            text.AppendLine(CultureInfo.InvariantCulture, $"\n{(holds ? "Holds" : "Falls short")}: at most {most:F0} MiB resident (limit 1536); own memory from the first to the last {Updates / 10} updates {last - first:+0.0;-0.0;0.0} MiB (limit 8).");
            Bench.Report(Name, args, text.ToString());
            return holds ? 0 : 1;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static (double Resident, double Own) Memory()
    {
        GC.Collect();
        string[] status = File.ReadAllLines("/proc/self/status");
        double Kilobytes(string name) => double.Parse(status.First(line => line.StartsWith(name, StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2], CultureInfo.InvariantCulture);
        return (Kilobytes("VmRSS:") / 1024, Kilobytes("RssAnon:") / 1024);
    }

    /// <summary>The runner's sizes, nothing of its physics.</summary>
    private sealed class Shape(int observationSize, int actionSize) : IVectorEnvironment
    {
        private float _time;

        public string Name => "shape";

        public int Count => Copies;

        public int ObservationSize => observationSize;

        public int ActionSize => actionSize;

        public void Reset(ulong seed, Span<float> observations) => observations.Clear();

        public void Step(ReadOnlySpan<float> actions, VectorStep step)
        {
            _time += 0.01f;
            for (int i = 0; i < Copies * observationSize; i++)
            {
                step.Reached[i] = step.Observations[i] = MathF.Sin(_time + i) * actions[i / observationSize * actionSize];
            }

            for (int i = 0; i < Copies; i++)
            {
                step.Rewards[i] = actions[i * actionSize];
            }
        }

        public void Dispose()
        {
        }
    }
}
