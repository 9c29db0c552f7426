using System.Text;
using Robotics.Packages;
using Robotics.Policies.Onnx;
using Robotics.Policies.Steering;
using Robotics.Sim.Tasks;

namespace Robotics.Host.Running;

/// <summary>A policy as a person named it, loaded and verified.</summary>
/// <param name="Manifest">How it is wired.</param>
/// <param name="Policy">Ready to plan.</param>
/// <param name="Text">policy.json for the record; empty for policies that are code.</param>
/// <param name="Sha256">Of policy.json; empty for policies that are code.</param>
/// <param name="Serves">What computes it, in one line.</param>
/// <param name="Tree">The packages behind it; null for policies that are code.</param>
/// <param name="RouteText">The route file that the manifest names; null: none.</param>
public sealed record PolicyChoice(PolicyManifest Manifest, IPolicy Policy, string Text, string Sha256, string Serves, PolicyTree? Tree = null, string? RouteText = null) : IDisposable
{
    /// <summary>The hand-written controller that needs no model.</summary>
    public const string BuiltIn = "push-t-reference";

    /// <summary>Help text of every policy argument.</summary>
    public const string Help = $"folder, .zip or policy.json of a policy package; '{BuiltIn}' for the built-in PushT controller";

    /// <summary>Loads and verifies <paramref name="text"/>.</summary>
    /// <param name="text">What a person wrote.</param>
    /// <param name="providers">Execution providers in order; null: environment, manifest, cpu.</param>
    /// <param name="clock">The clock that deadlines are compared with.</param>
    /// <exception cref="ConfigException">Everything that is wrong with it.</exception>
    public static PolicyChoice Load(string text, IReadOnlyList<string>? providers, TimeProvider clock)
    {
        if (text == BuiltIn)
        {
            var reference = new PushTReference(clock: clock);
            return new(reference.Manifest, reference, "", "", "built-in code");
        }

        var package = PolicyPackage.Load(text);
        var tree = PolicyTree.Load(package, new OnnxOptions { Providers = providers is { Count: > 0 } ? providers : null, Clock = clock });
        return new(package.Manifest, tree.Policy, package.Text, package.Sha256, tree.Provider.ToString(), tree,
            package.Manifest.Route?.File is { } route ? Encoding.UTF8.GetString(package.Read(route).Span) : null);
    }

    /// <summary>Frees the policy.</summary>
    public void Dispose()
    {
        Policy.Dispose();
        Tree?.Dispose();
    }
}
