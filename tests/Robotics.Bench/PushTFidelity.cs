using System.Diagnostics;
using System.Globalization;
using System.Text;
using Robotics.Sim.Planar;
using Robotics.Sim.Tasks;

namespace Robotics.Bench;

/// <summary>PushT against the published engine's trajectories; the reference controller; steps per second.</summary>
internal sealed class PushTFidelity : IBenchmark
{
    private const int Seeds = 50;
    private const ulong FirstSeed = 100_000; // as the published evaluations

    public string Name => "pusht-fidelity";

    public string Claim => "agent path without contact within 1e-3 px, coverage of given poses within 1e-6";

    public int Run(string[] args)
    {
        var report = new StringBuilder();
        bool holds = Follow(report);
        Drive(report);
        Speed(report);
        Bench.Report(Name, args, report.ToString());
        return holds ? 0 : 1;
    }

    private static bool Follow(StringBuilder report)
    {
        report.AppendLine("Trajectories of `../shared/cases/pusht-dynamics` (libchipmunk 7.0.3); largest error over 80 control steps.").AppendLine();
        report.AppendLine("| episode | steps in contact | agent, px | coverage of given poses | block position, px | block angle, rad | coverage, simulated |");
        report.AppendLine("|---|---|---|---|---|---|---|");
        bool holds = true;
        string path = Path.Combine(Bench.Root, "..", "shared", "cases", "pusht-dynamics", "trajectories.csv");
        var episodes = File.ReadLines(path).Skip(1)
            .Select(line => line.Split(',').Select(cell => double.Parse(cell, CultureInfo.InvariantCulture)).ToArray())
            .GroupBy(row => (int)row[0]);
        foreach (var episode in episodes)
        {
            var world = new PushTWorld();
            double agent = 0, geometry = 0, block = 0, angle = 0, coverage = 0;
            int contact = 0;
            foreach (double[] row in episode)
            {
                var pose = new PlanarPose(row[8], row[9], row[10]);
                if (row[1] == 0)
                {
                    // The rows start after the reset; its position is the one before turning about the centre of gravity.
                    var centre = new Vec2(0, 45);
                    var before = new Vec2(pose.X, pose.Y) + centre.Rotate(Vec2.FromAngle(pose.Angle)) - centre;
                    world.Reset(new(row[4], row[5]), new(before.X, before.Y, pose.Angle));
                }
                else
                {
                    world.Step(new(row[2], row[3]));
                }

                contact += world.Touching ? 1 : 0;
                agent = Math.Max(agent, (world.Agent - new Vec2(row[4], row[5])).Length);
                geometry = Math.Max(geometry, Math.Abs(PushTWorld.CoverageOf(pose) - row[11]));
                block = Math.Max(block, (new Vec2(world.Block.X, world.Block.Y) - new Vec2(pose.X, pose.Y)).Length);
                angle = Math.Max(angle, Math.Abs(Math.IEEERemainder(world.Block.Angle - pose.Angle, Math.Tau)));
                coverage = Math.Max(coverage, Math.Abs(world.Coverage - row[11]));
            }

            report.AppendLine(CultureInfo.InvariantCulture, $"| {episode.Key} | {contact} | {agent:E1} | {geometry:E1} | {block:E1} | {angle:E1} | {coverage:E1} |");
            holds &= agent < 1e-3 && geometry < 1e-6;
        }

        report.AppendLine();
        return holds;
    }

    private static void Drive(StringBuilder report)
    {
        double driven = 0, idle = 0, planMs = 0;
        int solved = 0, plans = 0, steps = 0;
        for (int k = 0; k < Seeds; k++)
        {
            var (best, initial, taken, calls, ms) = Episode(FirstSeed + (ulong)k);
            driven += best;
            idle += initial;
            solved += best >= 1 ? 1 : 0;
            steps += taken;
            plans += calls;
            planMs += ms;
        }

        report.AppendLine(CultureInfo.InvariantCulture, $"Reference controller (privileged: it searches in the simulator itself), defaults, {Seeds} seeds from {FirstSeed}, 300 steps:");
        report.AppendLine().AppendLine("| controller | mean of best reward | solved | mean steps | ms per plan |").AppendLine("|---|---|---|---|---|");
        report.AppendLine(CultureInfo.InvariantCulture, $"| PushTReference | {driven / Seeds:F3} | {solved}/{Seeds} | {(double)steps / Seeds:F0} | {planMs / plans:F1} |");
        report.AppendLine(CultureInfo.InvariantCulture, $"| none (agent holds) | {idle / Seeds:F3} | 0/{Seeds} | 300 | |").AppendLine();
    }

    private static (double Best, double Initial, int Steps, int Plans, double PlanMs) Episode(ulong seed)
    {
        using var table = new PushT();
        using var policy = new PushTReference();
        var signals = new float[table.Robot.Layout.Length];
        float[] observation = new float[policy.Spec.ObservationLength];
        float[] chunk = new float[policy.Spec.Rows * 2];
        table.Reset(seed, signals);
        policy.Reset(seed);
        double best = signals[^1], initial = best;
        int steps = 0, plans = 0;
        var watch = new Stopwatch();
        for (StepResult result = default; !result.Terminated && !result.Truncated;)
        {
            signals.AsSpan(0, 4).CopyTo(observation);
            signals.AsSpan(6, 3).CopyTo(observation.AsSpan(4));
            watch.Start();
            policy.Plan(observation, new(long.MaxValue), chunk);
            watch.Stop();
            plans++;
            for (int row = 0; row < policy.Spec.Rows && !result.Terminated && !result.Truncated; row++)
            {
                result = table.Step(chunk.AsSpan(2 * row, 2), signals);
                best = Math.Max(best, result.Reward);
                steps++;
            }
        }

        return (best, initial, steps, plans, watch.Elapsed.TotalMilliseconds);
    }

    private static void Speed(StringBuilder report)
    {
        using var table = new PushT(new() { Endless = true });
        var signals = new float[table.Robot.Layout.Length];
        float[] target = new float[2];
        var rates = new List<double>();
        long allocated = 0;
        for (int round = 0; round < 6; round++)
        {
            const int count = 20_000;
            long bytes = GC.GetAllocatedBytesForCurrentThread();
            long start = Stopwatch.GetTimestamp();
            for (int i = 0; i < count; i++)
            {
                if (i % 100 == 0)
                {
                    table.Reset((ulong)(1 + (i / 100)), signals);
                }

                // Around the block and through it: contact about as often as in a demonstration.
                target[0] = signals[6] + (0.08f * MathF.Cos(0.07f * i));
                target[1] = signals[7] + (0.08f * MathF.Sin(0.05f * i));
                table.Step(target, signals);
            }

            double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
            bytes = GC.GetAllocatedBytesForCurrentThread() - bytes;
            if (round > 0)
            {
                rates.Add(count / seconds);
                allocated += bytes;
            }
        }

        report.AppendLine(CultureInfo.InvariantCulture, $"Speed: {Bench.Median(rates):F0} control steps (100 ms, ten physics steps) per second on one core, {allocated} bytes allocated (median of {rates.Count} rounds).");
    }
}
