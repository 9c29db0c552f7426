using Robotics.Packages;
using Robotics.Tests;

namespace Robotics.Learning.Tests.Lab;

/// <summary>The way of a joint model through <c>robotics-lab</c>: rollouts, training, export; and what a person can get wrong on it.</summary>
public sealed class JointLabTests
{
    [Fact]
    public void Train_OfAJointModel_PacksAPlannerWhoseRolloutsCanBeCollected()
    {
        using var folder = new TemporaryFolder();
        string[] train = ["train", "joint", "--task", "detour", "--data", "shown", "--rollouts", "done", "--run", "run", "--width", "16", "--layers", "1", "--batch", "8", "--steps", "20", "--validation", "0.2"];
        Run(0, "collect", "--task", "detour", "--episodes", "10", "--out", "shown");
        Assert.Contains("rollouts hold no failure", Run(2, [.. train[..7], "shown", .. train[8..]]), StringComparison.Ordinal);
        Run(0, "collect", "--task", "detour", "--noise", "0.3", "--seed", "2", "--episodes", "20", "--out", "done");
        Assert.Contains("--outcome names 'block'; the observation's terms are situation", Run(2, [.. train, "--outcome", "block"]), StringComparison.Ordinal);
        Assert.False(Directory.Exists(folder.At("run")));

        Run(0, train);
        var package = PolicyPackage.Load(folder.At(Path.Combine("run", "package")));
        Assert.Equal((PolicyKind.Joint, JointSelection.Planned, 8), (package.Manifest.Kind, package.Manifest.Sampler!.Joint!.Selection, package.Manifest.Sampler.Candidates));
        Assert.Equal([0, 1], package.Manifest.Sampler.Joint.Outcome!);
        Assert.DoesNotContain("outcome_r2", package.Manifest.Trained!.Metrics.Keys); // Detour's observation stands still, so there is no variance to explain
        Run(0, "export", "--run", "run", "--package", "single", "--selection", "single");
        Assert.Equal(JointSelection.Single, PolicyPackage.Load(folder.At("single")).Manifest.Sampler!.Joint!.Selection);
        Run(0, "collect", "--task", "detour", "--policy", "run/package", "--episodes", "2", "--seed", "3", "--out", "more");
        Assert.Equal(2, Directory.GetFiles(folder.At("more"), "*.mcap").Length);

        string Run(int expected, params string[] arguments)
        {
            var (code, _, errors) = LabProcess.Run(folder.Path, arguments);
            Assert.True(code == expected, $"{string.Join(' ', arguments)}: {code}\n{errors}");
            return errors;
        }
    }
}
