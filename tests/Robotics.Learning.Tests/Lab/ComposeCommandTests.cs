using Robotics.Lab;
using Robotics.Packages;
using Robotics.Policies.Onnx;
using Robotics.Policies.Steering;
using Robotics.Tests;

namespace Robotics.Learning.Tests.Lab;

/// <summary><c>robotics-lab compose</c> on the committed packages.</summary>
public sealed class ComposeCommandTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private static string Model(string name) => Path.Combine(Repository.Root, "models", name);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Compose_WithASearch_WritesThePackageAndSaysWhatItCost()
    {
        string[] both = ["--parents", Model("detour-diffusion"), Model("detour-flow")];
        string[] search = ["--search", "--task", "detour", "--parts", "2", "--episodes", "4", "--threads", "1", "--out", "both", "--picture", "curve.svg"];
        var (code, output, errors) = LabProcess.Run(_folder.Path, ["compose", .. both, .. search]);
        Assert.True(code == 0, errors);
        Assert.Contains("3 weightings x 4 starts of detour from seed 600000: 12 episodes, 12 plans, ", output, StringComparison.Ordinal);
        Assert.Contains("composed (convex 0.5 / 0.5)", errors, StringComparison.Ordinal);
        Assert.Contains("<polyline", File.ReadAllText(_folder.At("curve.svg")), StringComparison.Ordinal);
        var package = PolicyPackage.Load(_folder.At("both"));
        Assert.Equal(PolicyPackage.Load(Model("detour-flow")).Sha256, package.Manifest.Steering!.Parents[1].Sha256);
        using var tree = PolicyTree.Load(package, new OnnxOptions());
        Assert.StartsWith("composed (convex", tree.What, StringComparison.Ordinal);

        (code, output, errors) = LabProcess.Run(_folder.Path, "eval", "--policy", "both", "--task", "detour", "--episodes", "2");
        Assert.True(code == 0, errors);
        Assert.Contains("both: best reward", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--parents are 1, expected 2 to 16", "detour-flow")]
    [InlineData("--weights are missing; give one per parent, or --search", "detour-flow", "detour-diffusion")]
    [InlineData("--weights are given, and --search looks for them", "detour-flow", "detour-diffusion", "--search", "--weights", "0.5", "0.5")]
    [InlineData("steering.compose.weights add up to 0.9, expected 1", "detour-flow", "detour-diffusion", "--weights", "0.5", "0.4")]
    [InlineData("composing 'both': ", "detour-flow", "push-t-flow", "--weights", "0.5", "0.5")]
    [InlineData("'compose' mixes scores, which only 'denoiser' and 'velocity' have", "detour-flow", "detour-energy", "--search", "--task", "detour")]
    [InlineData("follows densities along a path with noise", "detour-diffusion", "detour-flow", "--operator", "and", "--weights", "0.5", "0.5")]
    public void Compose_OfWhatDoesNotFit_SaysSoAndWritesNothing(string expected, params string[] args)
    {
        var (code, _, errors) = LabProcess.Run(_folder.Path, ["compose", "--out", "both", "--parents", .. args.Select(arg => arg.Contains("detour-", StringComparison.Ordinal) || arg.Contains("push-", StringComparison.Ordinal) ? Model(arg) : arg)]);
        Assert.Equal(2, code);
        Assert.Contains(expected, errors, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_folder.At("both")));
    }

    [Fact]
    public void Search_ChoosesAmongNeighboursAndNotTheLuckiest()
    {
        // One lucky point among poor ones, and a broad rise elsewhere.
        double[] scores = [0.1, 0.95, 0.1, 0.5, 0.8, 0.85, 0.8, 0.5, 0.2, 0.1, 0.0];
        var found = WeightSearch.Run(2, 10, (weights, before) => new([new(scores[before], false, 1, 1, 1, 0, 0, 0)]));
        Assert.Equal(11, found.Trials.Count);
        Assert.Equal([0.5, 0.5], found.Best.Weights);
        Assert.Equal((WeightSearch.Count(3, 4), 15), (WeightSearch.Run(3, 4, (weights, _) => new([new(weights.Sum(), false, 1, 1, 1, 0, 0, 0)])).Trials.Count, 15));
    }

    [Theory]
    [InlineData(1.0, 0.2, 0)]     // ahead by 0.1 on average, by luck: a parent alone, at half the calls
    [InlineData(0.61, 0.59, 0.5)] // ahead by as much on every start
    public void Search_TakesAMixOnlyWhenItIsAheadByMoreThanItsError(double first, double second, double expected)
    {
        EpisodeScore[] Of(params double[] best) => [.. best.Select(score => new EpisodeScore(score, false, 1, 1, 1, 0, 0, 0))];
        var found = WeightSearch.Run(2, 4, (weights, _) => new(weights[0] is > 0 and < 1 ? Of(first, second) : weights[0] == 0 ? Of(0.5, 0.5) : Of(0.4, 0.4)));
        Assert.Equal(expected, found.Best.Weights[0]);
    }
}
