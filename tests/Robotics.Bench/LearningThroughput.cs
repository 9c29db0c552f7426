using System.Diagnostics;
using System.Globalization;
using Robotics.Learning.OffPolicy;
using Robotics.Learning.OnPolicy;
using Robotics.Learning.Training;
using Robotics.Sim;

namespace Robotics.Bench;

/// <summary>Samples per second, acting and learning included, of SAC and PPO beside CleanRL's loops in PyTorch.</summary>
internal sealed class LearningThroughput : IBenchmark
{
    private const int Horizon = 2048, Epochs = 10, Minibatches = 32, Steps = 25;

    public string Name => "learning-throughput";

    public string Claim => "SAC and PPO learn from at least as many samples per second as CleanRL's loops in PyTorch, one thread each";

    public int Run(string[] args)
    {
        using var environment = LearningTasks.Open("pendulum", new());
        using var sac = new Sac(environment, new SacOptions { RandomSteps = 1000, Replay = 100_000 });
        using var sacPeer = LinePeer.Start("sac_peer.py", 3, 1, 256, 256);
        sac.Begin();
        for (int i = 0; i < 1000; i++)
        {
            sac.Advance();
        }

        var left = Pairs(sac, Steps, 21, sacPeer, $"step {Steps}", Steps);
        using var ppo = new Ppo(environment, new OnPolicyOptions { Gamma = 0.9, LearningRate = 1e-3, Horizon = Horizon, Epochs = Epochs, Minibatches = Minibatches });
        using var ppoPeer = LinePeer.Start("ppo_peer.py", Horizon, Epochs, Minibatches);
        ppo.Begin();
        var right = Pairs(ppo, 1, 9, ppoPeer, "round 1", Horizon);
        bool holds = left.Ratio >= 1 && right.Ratio >= 1;
        Bench.Report(Name, args, string.Create(CultureInfo.InvariantCulture, $"""
            Environment steps per second of whole loops on the pendulum, one environment, one thread each: acting, stepping, keeping, learning. Interleaved
            rounds, medians; the ratio is the median of the rounds' ratios, with its quartiles. The peers are CleanRL's loops re-created in Debian's
            PyTorch 1.13 with OpenBLAS, with the pendulum in plain Python floats (`peers/sac_peer.py`, `peers/ppo_peer.py`).
            SAC: 256 x 2, batch 256, an update of everything per step, {Steps} steps a round. PPO: 64 x 2, {Horizon} steps, {Epochs} epochs of {Minibatches} minibatches a round;
            ours also evaluates the value of every observation reached, and the ratios after each update.

            | method | ours, samples/s | PyTorch, samples/s | ours / PyTorch |
            |---|---|---|---|
            {Row("SAC", left)}
            {Row("PPO", right)}

            {(holds ? "Holds: at least 1.0 for both." : "Falls short of 1.0, or no PyTorch here (apt: python3-torch, libopenblas0-pthread).")}
            """));
        return holds ? 0 : 1;
    }

    private static string Row(string method, (double Ours, double Theirs, double Ratio, double Low, double High) one) => string.Create(
        CultureInfo.InvariantCulture, $"| {method} | {one.Ours:F0} | {one.Theirs:F0} | **{one.Ratio:F2}** ({one.Low:F2} to {one.High:F2}) |");

    private static (double Ours, double Theirs, double Ratio, double Low, double High) Pairs(
        IReinforcement method, int advances, int rounds, LinePeer? peer, string question, int samples)
    {
        double[] ours = new double[rounds], theirs = new double[rounds];
        for (int round = -2; round < rounds; round++) // the first two warm up
        {
            int at = Math.Max(round, 0);
            ours[at] = round % 2 == 0 ? Ours() : ours[at];
            theirs[at] = peer is null ? double.NaN : samples / double.Parse(peer.Ask(question), CultureInfo.InvariantCulture);
            ours[at] = round % 2 == 0 ? ours[at] : Ours();
        }

        double[] ratios = [.. ours.Zip(theirs, (a, b) => a / b)];
        return (Bench.Median(ours), Bench.Median(theirs), Bench.Median(ratios), Bench.Percentile(ratios, 0.25), Bench.Percentile(ratios, 0.75));

        double Ours()
        {
            long start = Stopwatch.GetTimestamp();
            for (int i = 0; i < advances; i++)
            {
                method.Advance();
            }

            return samples / Stopwatch.GetElapsedTime(start).TotalSeconds;
        }
    }
}
