using System.Globalization;
using System.Text;
using Robotics.Learning.Networks;
using Robotics.Numerics;
using Robotics.Packages;

namespace Robotics.Learning.Export;

/// <summary>What goes into the package of an actor or a critic beside the network.</summary>
public sealed record ActorContents
{
    /// <summary>Name of the policy.</summary>
    public required string Name { get; init; }

    /// <summary>The task's wiring: one observation group, actions in [-1, 1] and what they mean.</summary>
    public required PolicyManifest Wiring { get; init; }

    /// <summary>Where it came from.</summary>
    public required TrainedSpec Trained { get; init; }

    /// <summary>[N][Do] observations, physical, for the golden vectors; the first three are used.</summary>
    public required IReadOnlyList<float[]> Examples { get; init; }
}

/// <summary>Writes what reinforcement learning made as packages that <c>robotics run</c> and steered packages take as they are.</summary>
public static class ActorWriter
{
    private const int GoldenRows = 3;

    // The action's own units.
    private static readonly NormalizationSpec s_own = new() { Mode = "mean_std", Mean = [0], Std = [1], Epsilon = 0 };

    /// <summary>Writes <c>policy.json</c>, <c>policy.onnx</c> and <c>golden.csv</c>.</summary>
    /// <param name="folder">Made when it is not there; the three files are replaced.</param>
    /// <param name="actor">With the weights to export.</param>
    /// <param name="contents">Everything else.</param>
    /// <param name="drawn">True: actions are drawn (kind <c>unrolled</c>, the noise is an input); false: the deterministic action.</param>
    /// <returns>The manifest as written.</returns>
    /// <exception cref="ConfigException">A deterministic actor cannot be drawn from, or actor and wiring do not fit together.</exception>
    public static PolicyManifest Write(string folder, Actor actor, ActorContents contents, bool drawn = false)
    {
        ArgumentNullException.ThrowIfNull(folder);
        ArgumentNullException.ThrowIfNull(actor);
        ArgumentNullException.ThrowIfNull(contents);
        if (drawn && (actor.Field is not null || actor.Mixture is not null))
        {
            throw new ConfigException($"The actor of '{contents.Name}' is a {(actor.Field is null ? "mixture" : "flow")}: only its deterministic action can be exported. Leave out --drawn.");
        }

        if (drawn && !actor.Stochastic)
        {
            throw new ConfigException($"The actor of '{contents.Name}' is deterministic: there is nothing to draw. Export it without --drawn.");
        }

        Directory.CreateDirectory(folder);
        File.WriteAllBytes(Path.Combine(folder, "policy.onnx"), ActorGraph.Write(actor, drawn, normalized: true));
        File.WriteAllText(Path.Combine(folder, "golden.csv"), Golden(actor, contents, drawn));
        var group = contents.Wiring.Observations[0];
        ModelInput observation = new() { Name = "observation", From = $"observation:{group.Name}" };
        var outputs = new List<ModelOutput> { new() { Name = "action", To = "action" } };
        if (!drawn && ActorGraph.HasDeviation(actor))
        {
            outputs.Add(new() { Name = "log_std", To = "log_std" });
            if (actor.Mixture is { Components: > 1 })
            {
                outputs.Add(new() { Name = "log_weight", To = "log_weight" });
            }
        }

        return PolicyPackage.Write(folder, contents.Wiring with
        {
            Name = contents.Name,
            Kind = drawn ? PolicyKind.Unrolled : PolicyKind.Direct,
            Files = Files("policy.onnx", "golden.csv"),
            Models = [new() { File = "policy.onnx", Inputs = drawn ? [observation, new() { Name = "noise", From = "noise" }] : [observation], Outputs = outputs }],
            Observations = [group with { Normalization = actor.Normalizer.Spec() }],
            Action = contents.Wiring.Action with { Normalization = drawn ? s_own : null },
            Sampler = drawn ? new() { Horizon = 1 } : null,
            Trained = contents.Trained,
            Golden = new() { File = "golden.csv" },
        });
    }

    /// <summary>The actor as one ONNX file, its normaliser inside, for programs that have ONNX Runtime and nothing else.</summary>
    /// <param name="actor">With the weights to export.</param>
    /// <param name="drawn">True: actions are drawn, the noise is an input.</param>
    public static byte[] Graph(Actor actor, bool drawn)
    {
        ArgumentNullException.ThrowIfNull(actor);
        return ActorGraph.Write(actor, drawn, normalized: false);
    }

    /// <summary>Writes <c>policy.json</c> and <c>critic.onnx</c> of an ensemble.</summary>
    /// <param name="folder">Made when it is not there; both files are replaced.</param>
    /// <param name="critic">Q(s, a), with the weights to export.</param>
    /// <param name="contents">Everything else; the examples are not used.</param>
    /// <returns>The manifest as written.</returns>
    /// <exception cref="ConfigException">Critic and wiring do not fit together.</exception>
    public static PolicyManifest Write(string folder, Critic critic, ActorContents contents)
    {
        ArgumentNullException.ThrowIfNull(folder);
        ArgumentNullException.ThrowIfNull(critic);
        ArgumentNullException.ThrowIfNull(contents);
        var group = contents.Wiring.Observations[0];
        Directory.CreateDirectory(folder);
        File.WriteAllBytes(Path.Combine(folder, "critic.onnx"), ActorGraph.Write(critic));
        return PolicyPackage.Write(folder, contents.Wiring with
        {
            Name = contents.Name,
            Kind = PolicyKind.Critic,
            Files = Files("critic.onnx"),
            Models =
            [
                new()
                {
                    File = "critic.onnx",
                    Inputs = [new() { Name = "observation", From = $"observation:{group.Name}" }, new() { Name = "action", From = "action" }],
                    Outputs = [new() { Name = "q", To = "q" }, new() { Name = "gradient", To = "gradient" }],
                },
            ],
            Observations = [group with { Normalization = critic.Normalizer.Spec() }],
            Trained = contents.Trained,
        });
    }

    private static PackageFile[] Files(params string[] paths) => [.. paths.Select(path => new PackageFile { Path = path, Sha256 = "" })];

    // Made by the learner's own actor, so that the file disagrees when the exported graph does.
    private static string Golden(Actor actor, ActorContents contents, bool drawn)
    {
        var text = new StringBuilder("# observation; action. Computed by the learner.\n");
        for (int row = 0; row < Math.Min(GoldenRows, contents.Examples.Count); row++)
        {
            float[] action = new float[actor.ActionSize], noise = new float[actor.ActionSize];
            ulong seed = 1000 + (ulong)row;
            actor.Act(contents.Examples[row], action, drawn ? new SeededRandom(seed) : null);
            text.Append(Join(contents.Examples[row])).Append(';').Append(Join(action));
            if (drawn)
            {
                new SeededRandom(seed).FillGaussian(noise);
                text.Append(';').Append(Join(noise));
            }

            text.Append('\n');
        }

        return text.ToString();

        static string Join(float[] values) => string.Join(',', values.Select(value => value.ToString("R", CultureInfo.InvariantCulture)));
    }
}
