using System.Diagnostics;
using System.Globalization;
using Robotics.Learning.OffPolicy;

namespace Robotics.Bench;

/// <summary>SAC updates per second of the hand-written networks beside PyTorch's.</summary>
internal sealed class SacUpdate : IBenchmark
{
    private const int Observation = 17, Action = 6, Width = 256, Batch = 256, Updates = 25, Rounds = 25;

    public string Name => "sac-update";

    public string Claim => "a SAC update (2 x 256, batch 256) is at least as fast as PyTorch's with OpenBLAS, one thread each";

    public int Run(string[] args)
    {
        using var peer = LinePeer.Start("sac_peer.py", Observation, Action, Width, Batch);
        using var environment = new Still();
        using var sac = new Sac(environment, new SacOptions { RandomSteps = 1000, UpdatesPerStep = Updates, Replay = 100_000 });
        sac.Begin();
        for (int i = 0; i < 1000; i++)
        {
            sac.Advance();
        }

        double[] ours = new double[Rounds], theirs = new double[Rounds];
        for (int round = -3; round < Rounds; round++)
        {
            int at = Math.Max(round, 0);
            ours[at] = round % 2 == 0 ? Ours() : ours[at];
            theirs[at] = peer is null ? double.NaN : Updates / double.Parse(peer.Ask($"update {Updates}"), CultureInfo.InvariantCulture);
            ours[at] = round % 2 == 0 ? ours[at] : Ours();
        }

        double[] ratios = [.. ours.Zip(theirs, (a, b) => a / b)];
        double ratio = Bench.Median(ratios);
        bool holds = ratio >= 1;
        Bench.Report(Name, args, string.Create(CultureInfo.InvariantCulture, $"""
            SAC, {Observation} observations, {Action} actions, {Width} x 2, batch {Batch}: draw a batch, two critics, actor, temperature, slow copies. {Rounds} interleaved rounds of
            {Updates} updates, one thread, medians; the ratio is the median of the rounds' ratios, with its quartiles.
            Ours: `Robotics.Learning.Dense`, one environment step per round included. Peer: CleanRL's update in Debian's PyTorch 1.13 with OpenBLAS
            (`peers/sac_peer.py`).

            | ours, updates/s | PyTorch, updates/s | ours / PyTorch |
            |---|---|---|
            | {Bench.Median(ours):F0} | {(peer is null ? "no PyTorch here" : Bench.Median(theirs).ToString("F0", CultureInfo.InvariantCulture))} | **{ratio:F2}** ({Bench.Percentile(ratios, 0.25):F2} to {Bench.Percentile(ratios, 0.75):F2}) |

            {(holds ? "Holds: at least 1.0." : "Falls short of 1.0, or no PyTorch here (apt: python3-torch, libopenblas0-pthread).")}
            """));
        return holds ? 0 : 1;

        double Ours()
        {
            long start = Stopwatch.GetTimestamp();
            sac.Advance();
            return Updates / Stopwatch.GetElapsedTime(start).TotalSeconds;
        }
    }

    /// <summary>A task that costs nothing.</summary>
    private sealed class Still : IVectorEnvironment
    {
        public string Name => "still";

        public int Count => 1;

        public int ObservationSize => Observation;

        public int ActionSize => Action;

        public void Reset(ulong seed, Span<float> observations) => observations.Clear();

        public void Step(ReadOnlySpan<float> actions, VectorStep step)
        {
            for (int j = 0; j < Observation; j++)
            {
                step.Reached[j] = step.Observations[j] = actions[j % Action] * (j + 1) / Observation;
            }

            step.Rewards[0] = actions[0];
        }

        public void Dispose()
        {
        }
    }
}
