using System.Globalization;
using Robotics.Numerics;
using Robotics.Packages;
using Robotics.Policies.Onnx;
using Robotics.Policies.Steering;

namespace Robotics.Lab;

/// <summary>A policy scored over many seeded starts.</summary>
/// <param name="Scores">One per start, in order.</param>
internal sealed record Evaluation(IReadOnlyList<EpisodeScore> Scores)
{
    /// <summary>Mean of the episodes' best rewards.</summary>
    public double Best => Scores.Average(score => score.Best);

    /// <summary>Share of episodes solved.</summary>
    public double Success => Scores.Average(score => score.Success ? 1.0 : 0.0);

    /// <summary>Network calls of one plan.</summary>
    public double Calls => (double)Scores.Sum(score => score.Calls) / Math.Max(1, Scores.Sum(score => score.Plans));

    /// <summary>Plans that missed their deadline.</summary>
    public int Late => Scores.Sum(score => score.Late);

    /// <summary>ms of one plan.</summary>
    public double PlanMs => 1000 * Scores.Sum(score => score.PlanSeconds) / Math.Max(1, Scores.Sum(score => score.Plans));

    /// <summary>Of the valid ones, the share on side +1, where the task has sides.</summary>
    public double Right => (double)Scores.Count(score => score is { Success: true, Side: > 0 }) / Math.Max(1, Scores.Count(score => score.Success));

    /// <summary>95 % interval of the success rate (Wilson 1927).</summary>
    public (double Low, double High) Interval()
    {
        const double z = 1.959964;
        double n = Scores.Count, p = Success, middle = p + (z * z / (2 * n)), spread = z * Math.Sqrt((p * (1 - p) / n) + (z * z / (4 * n * n))), scale = 1 + (z * z / n);
        return ((middle - spread) / scale, (middle + spread) / scale);
    }

    /// <summary>95 % half width of the mean best reward.</summary>
    public double BestError()
    {
        double mean = Best;
        return 1.96 * Math.Sqrt(Scores.Sum(score => (score.Best - mean) * (score.Best - mean)) / Math.Max(1, Scores.Count - 1) / Scores.Count);
    }

    /// <summary>Scores a policy; each thread has a policy of its own, and every episode its own draws, so the numbers do not depend
    /// on the threads; unless <paramref name="budget"/> makes them depend on the machine.</summary>
    public static Evaluation Run(
        LabTask task, Func<(IPolicy Policy, PolicyManifest Manifest)> make, int episodes, ulong firstSeed, int threads, ProgressLine? line, CancellationToken cancellation, TimeSpan? budget = null)
    {
        var scores = new EpisodeScore[episodes];
        int next = -1, done = 0;
        Parallel.For(0, threads, new ParallelOptions { MaxDegreeOfParallelism = threads, CancellationToken = cancellation }, _ =>
        {
            var (policy, manifest) = make();
            using (policy)
            {
                for (int i = Interlocked.Increment(ref next); i < episodes && !cancellation.IsCancellationRequested; i = Interlocked.Increment(ref next))
                {
                    scores[i] = task.Run(policy, manifest, firstSeed + (ulong)i, firstSeed + (ulong)i, budget: budget);
                    line?.Report(Interlocked.Increment(ref done), "");
                }
            }
        });
        cancellation.ThrowIfCancellationRequested();
        return new(scores);
    }

    /// <summary>Loads a package, with another sampler where one is given.</summary>
    /// <exception cref="ConfigException">The package does not fit its graphs, or is steered and another sampler or Ta is asked for.</exception>
    public static (IPolicy Policy, PolicyManifest Manifest) Load(PolicyPackage package, SamplerSpec? sampler, int? executed)
    {
        var manifest = package.Manifest;
        if (manifest.Kind == PolicyKind.Steered)
        {
            return sampler is null && executed is null
                ? (PolicyTree.Load(package, new OnnxOptions()).Policy, manifest)
                : throw new ConfigException(manifest.Origin, ["is a steered package, whose sampler and rows are its parents'; change those"]);
        }

        if (sampler is not null || executed is not null)
        {
            manifest = manifest with
            {
                Sampler = sampler ?? manifest.Sampler,
                Action = manifest.Action with { Rows = executed ?? manifest.Action.Rows },
                Golden = sampler is null ? manifest.Golden : null, // those are the package's own sampler's
            };
        }

        return (OnnxPolicy.Load(manifest, package.Read, new OnnxOptions()), manifest);
    }

    /// <summary>The sampler of a package with so many network calls at most.</summary>
    public static SamplerSpec WithCalls(SamplerSpec sampler, int calls) => sampler switch
    {
        // Leading timesteps with few steps begin where the network never saw pure noise; all hundred are the ancestral sampler.
        { Diffusion: { } d } => sampler with
        {
            Diffusion = calls >= d.TrainSteps ? d with { Solver = DiffusionSolver.Ddpm, Steps = d.TrainSteps, Spacing = GridSpacing.Leading } : d with { Solver = DiffusionSolver.Ddim, Steps = calls, Spacing = GridSpacing.Trailing },
        },
        { Joint: not null, Flow: { } f } => sampler with { Flow = f with { Solver = FlowSolver.Euler, Steps = calls } },
        { Flow: { } f } => sampler with { Flow = calls % 2 == 0 ? f with { Solver = FlowSolver.Midpoint, Steps = calls / 2 } : f with { Solver = FlowSolver.Euler, Steps = calls } },

        // The same share of the way in another number of steps, each a share of what is left.
        { Energy: { StepSize: < 1 } e } => sampler with { Energy = e with { MaxSteps = calls, StepSize = 1 - Math.Pow(1 - e.StepSize, (double)e.MaxSteps / calls) } },
        { Energy: { } e } => sampler with { Energy = e with { MaxSteps = calls } },
        _ => throw new ConfigException("The package has no sampler whose calls could be set."),
    };

    /// <summary>One line for people.</summary>
    public override string ToString()
    {
        var (low, high) = Interval();
        return string.Create(CultureInfo.InvariantCulture, $"best reward {Best:F3} ± {BestError():F3}, solved {Success:P1} ({low:P1} to {high:P1}), {Calls:F1} calls and {PlanMs:F2} ms per plan");
    }
}
