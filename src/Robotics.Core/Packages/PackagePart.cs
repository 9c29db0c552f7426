using System.Text.Json;
using Robotics.Json;

namespace Robotics.Packages;

/// <summary>What a package is to the steered one that names it.</summary>
public enum PackageRole
{
    /// <summary>A policy that is steered.</summary>
    Parent,

    /// <summary>Judges actions.</summary>
    Critic,

    /// <summary>Plans when the steered policy refuses.</summary>
    Fallback,
}

/// <summary>A package inside a steered one.</summary>
/// <param name="Role">What it is there.</param>
/// <param name="At">Where the manifest names it, for example <c>steering.parents[0]</c>.</param>
/// <param name="Package">Loaded and verified, with parts of its own where it is steered too.</param>
/// <param name="Groups">For each of its observation groups, in order, the index of the same group in the steered manifest.</param>
public sealed record PackagePart(PackageRole Role, string At, PolicyPackage Package, IReadOnlyList<int> Groups);

/// <summary>What a steered package says itself.</summary>
internal sealed record SteeredFile
{
    public string Format { get; init; } = "policy-package";

    public int Version { get; init; } = 1;

    public required string Name { get; init; }

    public string Description { get; init; } = "";

    public PolicyKind Kind { get; init; } = PolicyKind.Steered;

    public IReadOnlyList<PackageFile> Files { get; init; } = [];

    public TimingSpec? Timing { get; init; }

    public required SteeringSpec Steering { get; init; }
}

/// <summary>Makes one manifest of a steered package and its parts, or says why they do not belong together.</summary>
internal static class SteeredManifest
{
    private static readonly string[] Inherited = ["models", "states", "providers", "commands", "route", "observations", "action", "sampler", "trained", "golden"];

    /// <summary>Keys that only the parents may give.</summary>
    public static void CheckKeys(JsonElement root, ConfigCheck check)
    {
        foreach (string key in Inherited.Where(key => root.TryGetProperty(key, out _)))
        {
            check.Add(key, "is given; a steered package takes it from its parents. Remove it");
        }
    }

    /// <summary>Every package that the steering names: role, where, and the words.</summary>
    public static IEnumerable<(PackageRole Role, string At, ParentSpec Spec)> Named(SteeringSpec steering)
    {
        for (int i = 0; i < steering.Parents.Count; i++)
        {
            yield return (PackageRole.Parent, $"steering.parents[{i}]", steering.Parents[i]);
        }

        if (steering.Guide is { } guide)
        {
            yield return (PackageRole.Critic, "steering.guide.critic", guide.Critic);
        }

        if (steering.Improve is { } improve)
        {
            yield return (PackageRole.Critic, "steering.improve.critic", improve.Critic);
        }

        for (int g = 0; g < (steering.Refuse?.Gates.Count ?? 0); g++)
        {
            if (steering.Refuse!.Gates[g].Critic is { } critic)
            {
                yield return (PackageRole.Critic, $"steering.refuse.gates[{g}].critic", critic);
            }
        }

        if (steering.Refuse?.Fallback is { } fallback)
        {
            yield return (PackageRole.Fallback, "steering.refuse.fallback", fallback);
        }
    }

    /// <summary>The manifest as if one policy had it; problems land in <paramref name="check"/>, and then the answer is null.</summary>
    public static PolicyManifest? Merge(SteeredFile file, List<(PackageRole Role, string At, PolicyPackage Package)> parts, string origin, ConfigCheck check, out List<PackagePart> placed)
    {
        placed = [];
        var (_, driverAt, driver) = parts[file.Steering.DriverIndex];
        var groups = new List<ObservationGroup>();
        var keys = new List<string>();
        var commands = new List<CommandSpec>();
        foreach (var (role, at, package) in parts)
        {
            var manifest = package.Manifest;
            Kind(file.Steering, role, at, manifest, check);
            Action(role, at, manifest, driverAt, driver.Manifest, check);
            foreach (var command in manifest.Commands)
            {
                var known = commands.Find(candidate => candidate.Name == command.Name);
                check.That(known is null || Text(known) == Text(command), at, $"({manifest.Origin}) describes command '{command.Name}' otherwise than the packages before it");
                if (known is null)
                {
                    commands.Add(command);
                }
            }

            check.That(manifest.Route is null || (driver.Manifest.Route is { } route && Text(manifest.Route) == Text(route)), at,
                $"({manifest.Origin}) follows a route otherwise than the package that drives, {driverAt} ({driver.Manifest.Origin}): their 'route' sections must say the same");
            placed.Add(new(role, at, package, [.. manifest.Observations.Select(group => Place(group, groups, keys))]));
        }

        return !check.Ok ? null : driver.Manifest with
        {
            Name = file.Name,
            Description = file.Description,
            Kind = PolicyKind.Steered,
            Files = file.Files,
            Models = [],
            States = new Dictionary<string, StateSpec>(),
            Providers = [],
            Commands = commands,
            Route = driver.Manifest.Route is { } followed ? followed with { File = null } : null, // the file stays the parent's own
            Observations = groups,
            Action = driver.Manifest.Action with { Normalization = null },
            Timing = file.Timing ?? driver.Manifest.Timing,
            Sampler = null,
            Steering = file.Steering,
            Trained = null,
            Golden = null,
            Origin = origin,
        };
    }

    private static void Kind(SteeringSpec steering, PackageRole role, string at, PolicyManifest manifest, ConfigCheck check)
    {
        string is_ = $"({manifest.Origin}) is of kind '{Word(manifest.Kind)}'";
        check.That((role == PackageRole.Critic) == (manifest.Kind == PolicyKind.Critic), at, role == PackageRole.Critic ? $"{is_}, expected 'critic'" : $"{is_}, which judges actions and makes none");
        check.That(
            role != PackageRole.Parent || steering.Compose is null || manifest.Kind is PolicyKind.Denoiser or PolicyKind.Velocity, at,
            $"{is_}; 'compose' mixes scores, which only 'denoiser' and 'velocity' have");
    }

    // Which robot, which joints, what the numbers mean and how often they come: the same for all, or they cannot be mixed or judged.
    private static void Action(PackageRole role, string at, PolicyManifest manifest, string driverAt, PolicyManifest driver, ConfigCheck check)
    {
        if (ReferenceEquals(manifest, driver))
        {
            return;
        }

        var ours = JsonElement.Parse(Text(Plain(manifest.Action)));
        var theirs = JsonElement.Parse(Text(Plain(driver.Action)));
        foreach (string name in theirs.EnumerateObject().Concat(ours.EnumerateObject()).Select(property => property.Name).Distinct())
        {
            bool here = ours.TryGetProperty(name, out var our), there = theirs.TryGetProperty(name, out var their);
            check.That(here == there && (!here || JsonElement.DeepEquals(our, their)), at,
                $"({manifest.Origin}) has action.{name} {Show(here, our)}, {driverAt} ({driver.Origin}) {Show(there, their)}: "
                + (role == PackageRole.Critic ? "the critic judges other actions than these" : "they drive different robots, or mean different things"));
        }

        check.That(Math.Abs(manifest.Timing.PeriodMs - driver.Timing.PeriodMs) < 1e-9, at,
            FormattableString.Invariant($"({manifest.Origin}) has timing.period_ms {manifest.Timing.PeriodMs}, {driverAt} ({driver.Origin}) {driver.Timing.PeriodMs}"));
        bool parent = role == PackageRole.Parent;
        check.That(!parent || manifest.Action.FirstRow == driver.Action.FirstRow, at,
            $"({manifest.Origin}) executes its rows from {manifest.Action.FirstRow} on, {driverAt} ({driver.Origin}) from {driver.Action.FirstRow}: the same row would be two times");
        check.That(!parent || !(manifest.Sampler?.Horizon > driver.Sampler?.Horizon), at,
            $"({manifest.Origin}) plans {manifest.Sampler?.Horizon} rows, {driverAt} ({driver.Origin}), which drives, {driver.Sampler?.Horizon}; the one that plans the most must drive: set steering.compose.driver");
        check.That(role != PackageRole.Critic || manifest.Action.Rows <= driver.Action.Rows, at, $"({manifest.Origin}) judges {manifest.Action.Rows} rows, {driverAt} ({driver.Origin}) executes {driver.Action.Rows}");
        check.That(role != PackageRole.Fallback || manifest.Action.Rows >= driver.Action.Rows, at, $"({manifest.Origin}) plans {manifest.Action.Rows} rows, {driverAt} ({driver.Origin}) {driver.Action.Rows}: too few to stand in");

        static string Show(bool given, JsonElement value) => given ? value.GetRawText().ReplaceLineEndings("").Replace("  ", "", StringComparison.Ordinal) : "not given";
    }

    private static ActionSpec Plain(ActionSpec action) => action with { Normalization = null, Rows = 1, FirstRow = 0 };

    // The same group once, whoever reads it; another one of the same name under a name of its own.
    private static int Place(ObservationGroup group, List<ObservationGroup> groups, List<string> keys)
    {
        string key = JsonSerializer.Serialize(group with { Name = "", Normalization = null }, PackageJson.Default.ObservationGroup);
        int at = keys.IndexOf(key);
        if (at >= 0)
        {
            return at;
        }

        string name = group.Name;
        for (int n = 2; groups.Any(known => known.Name == name); n++)
        {
            name = $"{group.Name[..Math.Min(group.Name.Length, 60)]}-{n}";
        }

        groups.Add(group with { Name = name, Normalization = null });
        keys.Add(key);
        return groups.Count - 1;
    }

    private static string Word(PolicyKind kind) => kind.ToString().ToLowerInvariant();

    private static string Text(CommandSpec command) => JsonSerializer.Serialize(command, PackageJson.Default.CommandSpec);

    private static string Text(Routes.RouteSpec route) => JsonSerializer.Serialize(route with { File = null }, PackageJson.Default.RouteSpec);

    private static string Text(ActionSpec action) => JsonSerializer.Serialize(action, PackageJson.Default.ActionSpec);
}
