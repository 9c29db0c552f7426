using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Robotics.Json;

namespace Robotics.Packages;

/// <summary>A policy package on disk: a folder with <c>policy.json</c>, a <c>.zip</c> of such a folder, or the manifest file
/// itself. Verified when loaded: schema, every hash, no file outside the package. Immutable; safe for any thread.</summary>
public sealed class PolicyPackage
{
    private const string ManifestName = "policy.json";
    private static readonly Lazy<JsonSchema> Schema = new(() => new JsonSchema(SchemaText));
    private const int DeepestTree = 8;
    private readonly Dictionary<string, byte[]> _files;

    private PolicyPackage(PolicyManifest manifest, string text, string sha256, Dictionary<string, byte[]> files, IReadOnlyList<PackagePart> parts)
    {
        (Manifest, Text, Sha256, Parts) = (manifest, text, sha256, parts);
        _files = files;
    }

    /// <summary>The published schema, as text.</summary>
    public static string SchemaText => JsonSchema.Text("policy.schema.json");

    /// <summary>The manifest; of a steered package with everything that its parents give.</summary>
    public PolicyManifest Manifest { get; }

    /// <summary>policy.json as it stands in the package; of a steered package as <see cref="Manifest"/> says it, whole in itself.</summary>
    public string Text { get; }

    /// <summary>SHA-256 of policy.json, 64 lower-case hex digits; of a steered package together with its parts' own, so that the
    /// whole tree is known by it.</summary>
    public string Sha256 { get; }

    /// <summary>The packages that a steered one names, in the manifest's order; empty for others.</summary>
    public IReadOnlyList<PackagePart> Parts { get; }

    /// <summary>The part named at <paramref name="at"/>, or null.</summary>
    public PackagePart? Part(string at) => Parts.FirstOrDefault(part => part.At == at);

    /// <summary>Loads and verifies.</summary>
    /// <param name="path">A folder, a .zip, or the manifest file.</param>
    /// <exception cref="ConfigException">Missing or unreadable file, unknown key, newer version, wrong hash: all at once.</exception>
    public static PolicyPackage Load(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        return Load(path, []);
    }

    private static PolicyPackage Load(string path, IReadOnlyList<string> above)
    {
        try
        {
            if (path.EndsWith(".zip", StringComparison.OrdinalIgnoreCase) && File.Exists(path))
            {
                using var zip = new ZippedFiles(path, ManifestName);
                return Load(zip, $"{path}/{ManifestName}", Path.GetFullPath(path), [.. above, Path.GetFullPath(path)]);
            }

            string file = Directory.Exists(path) ? Path.Combine(path, ManifestName) : path;
            string folder = Path.GetDirectoryName(Path.GetFullPath(file))!;
            return Load(new FolderFiles(folder, Path.GetFileName(file)), file, folder, [.. above, Path.GetFullPath(file)]);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            throw new ConfigException($"{path}: the policy package cannot be read: {e.Message}", e);
        }
    }

    /// <summary>Reads and checks a manifest without its files (a record's header, a test).</summary>
    /// <param name="json">The text.</param>
    /// <param name="origin">Where it came from, for messages.</param>
    /// <exception cref="ConfigException">Everything that is wrong with it.</exception>
    public static PolicyManifest Parse(string json, string origin)
    {
        var check = new ConfigCheck(origin);
        var root = VersionedJson.Read(Encoding.UTF8.GetBytes(json), origin, Schema.Value, check);
        check.Throw();
        var manifest = Manifested(root, origin, check);
        check.Throw();
        return manifest;
    }

    private static PolicyManifest Manifested(JsonElement root, string origin, ConfigCheck check)
    {
        if (!root.TryGetProperty("action", out _))
        {
            throw new ConfigException(origin, ["is of kind 'steered', which takes observations, action and timing from its parents; load it as a package, beside them"]);
        }

        var manifest = Schema.Value.WithDefaults(root).Deserialize(PackageJson.Default.PolicyManifest)! with { Origin = origin };
        ManifestCheck.Run(manifest, check);
        return check.Ok ? manifest with { Commands = [.. manifest.Commands.Select(OnePerElement)] } : manifest;
    }

    // One number may stand for all elements of a command; who reads the manifest shall not have to know.
    private static CommandSpec OnePerElement(CommandSpec command)
    {
        int count = command.Elements.Count;
        return command with { Lower = Spread(command.Lower), Upper = Spread(command.Upper), Default = Spread(command.Default) };

        IReadOnlyList<float> Spread(IReadOnlyList<float> values) => values.Count == count ? values : [.. Enumerable.Repeat(values[0], count)];
    }

    /// <summary>Writes <c>policy.json</c> into <paramref name="folder"/>, each listed file's hash taken from the file that lies
    /// there. For exporters.</summary>
    /// <returns>The manifest as written.</returns>
    /// <exception cref="ConfigException">A listed file is missing, or the manifest is wrong.</exception>
    public static PolicyManifest Write(string folder, PolicyManifest manifest)
    {
        ArgumentNullException.ThrowIfNull(folder);
        ArgumentNullException.ThrowIfNull(manifest);
        string path = Path.Combine(folder, ManifestName);
        var check = new ConfigCheck(path);
        var files = new FolderFiles(folder, ManifestName);
        var hashed = new List<PackageFile>();
        for (int i = 0; i < manifest.Files.Count; i++)
        {
            if (Read(files, manifest.Files[i].Path, $"files[{i}]", check) is { } bytes)
            {
                hashed.Add(manifest.Files[i] with { Sha256 = Hash(bytes) });
            }
        }

        check.Throw();
        string text = JsonSerializer.Serialize(manifest with { Files = hashed }, PackageJson.Default.PolicyManifest) + "\n";
        var read = Parse(text, path); // what is written is what a reader accepts
        File.WriteAllText(path, text);
        return read;
    }

    /// <summary>Writes the <c>policy.json</c> of a steered package into <paramref name="folder"/>. What it names is found when it is
    /// loaded.</summary>
    /// <param name="folder">Made where there is none; parents are named relative to it.</param>
    /// <param name="name">Of the policy.</param>
    /// <param name="description">For people.</param>
    /// <param name="steering">What it does.</param>
    /// <param name="files">Files of its own that lie in the folder; null: none.</param>
    public static void WriteSteered(string folder, string name, string description, SteeringSpec steering, IReadOnlyList<string>? files = null)
    {
        ArgumentNullException.ThrowIfNull(folder);
        ArgumentNullException.ThrowIfNull(steering);
        Directory.CreateDirectory(folder);
        var file = new SteeredFile
        {
            Name = name,
            Description = description,
            Files = [.. (files ?? []).Select(path => new PackageFile { Path = path, Sha256 = Hash(File.ReadAllBytes(Path.Combine(folder, path))) })],
            Steering = steering,
        };
        File.WriteAllText(Path.Combine(folder, ManifestName), JsonSerializer.Serialize(file, PackageJson.Default.SteeredFile) + "\n");
    }

    /// <summary>Contents of a file listed in the manifest; read once at load.</summary>
    /// <exception cref="ArgumentException">The manifest does not list it.</exception>
    public ReadOnlyMemory<byte> Read(string file) => _files.TryGetValue(file, out byte[]? bytes)
        ? bytes : throw new ArgumentException($"Policy '{Manifest.Name}' lists no file '{file}'; it lists {string.Join(", ", _files.Keys)}.", nameof(file));

    // place: what relative paths of parts start from; above: manifests from the outermost package down to this one.
    private static PolicyPackage Load(IPackageFiles files, string origin, string place, IReadOnlyList<string> above)
    {
        byte[] text = files.Read(files.Manifest) ?? throw new ConfigException(origin, ["there is no such file; a policy package is a folder, or a .zip of it, that holds policy.json"]);
        var check = new ConfigCheck(origin);
        var root = VersionedJson.Read(text, origin, Schema.Value, check);
        if (!check.Ok)
        {
            OfferHashes(root, files, check);
            check.Throw();
        }

        bool steered = root.TryGetProperty("kind", out var kind) && kind.ValueEquals("steered");
        return steered ? Steered(files, text, root, origin, place, above, check) : Plain(files, text, root, origin, check);
    }

    private static PolicyPackage Plain(IPackageFiles files, byte[] text, JsonElement root, string origin, ConfigCheck check)
    {
        var manifest = Manifested(root, origin, check);
        var contents = Contents(files, manifest.Files, check);
        check.Throw();
        return new(manifest, Encoding.UTF8.GetString(text), Hash(text), contents, []);
    }

    private static PolicyPackage Steered(IPackageFiles files, byte[] text, JsonElement root, string origin, string place, IReadOnlyList<string> above, ConfigCheck check)
    {
        SteeredManifest.CheckKeys(root, check);
        var file = Schema.Value.WithDefaults(root).Deserialize(PackageJson.Default.SteeredFile)!;
        SteeringCheck.Run(file.Steering, file.Files, check);
        var contents = Contents(files, file.Files, check);
        check.Throw();

        var parts = new List<(PackageRole Role, string At, PolicyPackage Package)>();
        foreach (var (role, at, spec) in SteeredManifest.Named(file.Steering))
        {
            string path = Path.GetFullPath(Path.Combine(place, spec.Package));
            string inner = Directory.Exists(path) ? Path.Combine(path, ManifestName) : path;
            int before = above.ToList().IndexOf(inner);
            if (before >= 0)
            {
                check.Add($"{at}.package", $"is '{spec.Package}', which leads back to itself: {string.Join(" -> ", above.Skip(before).Append(inner))}");
                continue;
            }

            if (above.Count >= DeepestTree)
            {
                check.Add($"{at}.package", $"is '{spec.Package}', the {above.Count + 1}th package inside one another; {DeepestTree} are the most");
                continue;
            }

            try
            {
                var package = Load(path, above);
                check.That(spec.Sha256 is null || spec.Sha256 == package.Sha256, $"{at}.sha256", $"is {spec.Sha256} (expected), '{spec.Package}' has {package.Sha256}; it is another package than this one was made with");
                parts.Add((role, at, package));
            }
            catch (ConfigException wrong)
            {
                check.Add($"{at}.package", $"is '{spec.Package}', which cannot be used: {wrong.Message}");
            }
        }

        check.Throw();
        var merged = SteeredManifest.Merge(file, parts, origin, check, out var placed);
        check.Throw();
        string whole = JsonSerializer.Serialize(merged!, PackageJson.Default.PolicyManifest) + "\n";
        var manifest = Parse(whole, origin); // what a record keeps is what a reader accepts
        string hash = Hash(Encoding.UTF8.GetBytes(string.Join('\n', parts.Select(part => part.Package.Sha256).Prepend(Hash(text)))));
        return new(manifest, whole, hash, contents, placed);
    }

    private static Dictionary<string, byte[]> Contents(IPackageFiles files, IReadOnlyList<PackageFile> listed, ConfigCheck check)
    {
        var contents = new Dictionary<string, byte[]>();
        for (int i = 0; i < listed.Count; i++)
        {
            var file = listed[i];
            if (Read(files, file.Path, $"files[{i}]", check) is not { } bytes)
            {
                continue;
            }

            string hash = Hash(bytes);
            check.That(hash == file.Sha256, $"files[{i}].sha256",
                $"is {file.Sha256} (expected), {file.Path} has {hash}; copy the file again, or put its hash here if the change was meant");
            contents[file.Path] = bytes;
        }

        return contents;
    }

    // Somebody who writes a manifest by hand leaves the hash out first; tell them what belongs there.
    private static void OfferHashes(JsonElement root, IPackageFiles files, ConfigCheck check)
    {
        if (root.ValueKind != JsonValueKind.Object || !root.TryGetProperty("files", out var list) || list.ValueKind != JsonValueKind.Array)
        {
            return;
        }

        int i = 0;
        foreach (var entry in list.EnumerateArray())
        {
            if (entry.ValueKind == JsonValueKind.Object && entry.TryGetProperty("path", out var path) && path.ValueKind == JsonValueKind.String
                && !(entry.TryGetProperty("sha256", out var hash) && hash.ValueKind == JsonValueKind.String && hash.GetString()!.Length == 64)
                && Read(files, path.GetString()!, $"files[{i}]", check) is { } bytes)
            {
                check.Add($"files[{i}].sha256", $"belongs to {path.GetString()}, which has {Hash(bytes)}");
            }

            i++;
        }
    }

    private static byte[]? Read(IPackageFiles files, string file, string path, ConfigCheck check)
    {
        bool inside = file.Length > 0 && !file.Contains('\\') && !file.Contains(':') && !file.Contains('\0')
            && file.Split('/').All(part => part is not ("" or "." or ".."));
        if (!inside)
        {
            check.Add($"{path}.path", $"is '{file}', expected a relative path inside the package, with forward slashes");
            return null;
        }

        try
        {
            byte[]? bytes = files.Read(file);
            check.That(bytes is not null, $"{path}.path", $"is '{file}', which is not in the package ({files.Place})");
            return bytes;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            check.Add($"{path}.path", $"is '{file}', which cannot be read: {e.Message}");
            return null;
        }
    }

    private static string Hash(ReadOnlySpan<byte> bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));
}
