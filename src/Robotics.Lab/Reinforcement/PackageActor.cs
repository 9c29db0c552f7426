using System.Text.Json;
using Robotics.Learning.Networks;
using Robotics.Numerics;
using Robotics.Packages;
using Robotics.Policies.Onnx;
using Robotics.Policies.Steering;
using Robotics.Sim;

namespace Robotics.Lab.Reinforcement;

/// <summary>A package as an actor of a task, whoever trained it: what the judge asks.</summary>
/// <remarks>It sees and does what the task's own wiring says, one action a plan. A policy that draws does so anew for every observation, from
/// seeds that count up: the same questions in the same order get the same answers.</remarks>
internal sealed class PackageActor : IActor, IDisposable
{
    private static readonly MonotonicTime s_never = new(long.MaxValue);

    private readonly PolicyTree _tree;
    private ulong _asked;

    private PackageActor(PolicyTree tree, PolicyPackage package) => (_tree, Package) = (tree, package);

    /// <summary>What it was loaded from.</summary>
    public PolicyPackage Package { get; }

    /// <inheritdoc/>
    public int ObservationSize => _tree.Policy.Spec.ObservationLength;

    /// <inheritdoc/>
    public int ActionSize => _tree.Policy.Spec.ActionLength;

    /// <summary>Loads a package for a task.</summary>
    /// <exception cref="ConfigException">The package is wrong, or wired to see or do something else than the task says.</exception>
    public static PackageActor Load(string path, ILearningTask task)
    {
        var package = PolicyPackage.Load(path);
        var (policy, wanted) = (package.Manifest, task.Wiring);
        var check = new ConfigCheck(policy.Origin);
        string[] Terms(PolicyManifest manifest) => [.. manifest.Observations.SelectMany(group => group.Terms).Select(term => JsonSerializer.Serialize(term, TrainingConfig.Json))];
        string Meaning(PolicyManifest manifest) => JsonSerializer.Serialize(manifest.Action with { Normalization = null }, TrainingConfig.Json);
        check.That(policy.Kind != PolicyKind.Critic, "kind", "is 'critic'; a critic moves nothing, name the policy");
        check.That(Terms(policy).SequenceEqual(Terms(wanted)), "observations", $"are {Names(policy)}, task '{task.Name}' observes {Names(wanted)} (with the same kinds and signals); a record of the task can only tell about policies that see what it does");
        check.That(Meaning(policy) == Meaning(wanted), "action", $"is {Meaning(policy)}, task '{task.Name}' has {Meaning(wanted)}");
        check.That(policy.Timing.PeriodMs == wanted.Timing.PeriodMs, "timing.period_ms", FormattableString.Invariant($"is {policy.Timing.PeriodMs}, task '{task.Name}' has {wanted.Timing.PeriodMs}"));
        check.Throw();
        return new(PolicyTree.Load(package, new OnnxOptions()), package);

        static string Names(PolicyManifest manifest) => string.Join(", ", manifest.Observations.SelectMany(group => group.Terms).Select(term => term.Name));
    }

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">It gave no action.</exception>
    public void Act(ReadOnlySpan<float> observations, Span<float> actions, SeededRandom? random)
    {
        int width = ObservationSize, size = ActionSize;
        for (int i = 0; i < observations.Length / width; i++)
        {
            var action = actions.Slice(i * size, size);
            _tree.Policy.Reset(++_asked);
            var result = _tree.Policy.Plan(observations.Slice(i * width, width), s_never, action);
            if (result.Status != PlanStatus.Planned)
            {
                throw new InvalidOperationException($"Policy '{Package.Manifest.Name}' gave no action for a recorded observation: {result.Status}{(_tree.Policy.LastFault is { } fault ? $", {fault}" : "")}.");
            }

            foreach (ref float value in action)
            {
                value = Math.Clamp(value, -1, 1);
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _tree.Dispose();
}
