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
    private readonly Dictionary<string, byte[]> _files;

    private PolicyPackage(PolicyManifest manifest, byte[] text, Dictionary<string, byte[]> files)
    {
        Manifest = manifest;
        Text = Encoding.UTF8.GetString(text);
        Sha256 = Hash(text);
        _files = files;
    }

    /// <summary>The published schema, as text.</summary>
    public static string SchemaText => JsonSchema.Text("policy.schema.json");

    /// <summary>The manifest.</summary>
    public PolicyManifest Manifest { get; }

    /// <summary>policy.json as it stands in the package.</summary>
    public string Text { get; }

    /// <summary>SHA-256 of policy.json, 64 lower-case hex digits.</summary>
    public string Sha256 { get; }

    /// <summary>Loads and verifies.</summary>
    /// <param name="path">A folder, a .zip, or the manifest file.</param>
    /// <exception cref="ConfigException">Missing or unreadable file, unknown key, newer version, wrong hash: all at once.</exception>
    public static PolicyPackage Load(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        try
        {
            if (path.EndsWith(".zip", StringComparison.OrdinalIgnoreCase) && File.Exists(path))
            {
                using var zip = new ZippedFiles(path, ManifestName);
                return Load(zip, $"{path}/{ManifestName}");
            }

            string file = Directory.Exists(path) ? Path.Combine(path, ManifestName) : path;
            return Load(new FolderFiles(Path.GetDirectoryName(Path.GetFullPath(file))!, Path.GetFileName(file)), file);
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
        var manifest = Schema.Value.WithDefaults(root).Deserialize(PackageJson.Default.PolicyManifest)! with { Origin = origin };
        ManifestCheck.Run(manifest, check);
        check.Throw();
        return manifest;
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

    /// <summary>Contents of a file listed in the manifest; read once at load.</summary>
    /// <exception cref="ArgumentException">The manifest does not list it.</exception>
    public ReadOnlyMemory<byte> Read(string file) => _files.TryGetValue(file, out byte[]? bytes)
        ? bytes : throw new ArgumentException($"Policy '{Manifest.Name}' lists no file '{file}'; it lists {string.Join(", ", _files.Keys)}.", nameof(file));

    private static PolicyPackage Load(IPackageFiles files, string origin)
    {
        byte[] text = files.Read(files.Manifest) ?? throw new ConfigException(origin, ["there is no such file; a policy package is a folder, or a .zip of it, that holds policy.json"]);
        var check = new ConfigCheck(origin);
        var root = VersionedJson.Read(text, origin, Schema.Value, check);
        if (!check.Ok)
        {
            OfferHashes(root, files, check);
            check.Throw();
        }

        var manifest = Schema.Value.WithDefaults(root).Deserialize(PackageJson.Default.PolicyManifest)! with { Origin = origin };
        ManifestCheck.Run(manifest, check);
        var contents = new Dictionary<string, byte[]>();
        for (int i = 0; i < manifest.Files.Count; i++)
        {
            var file = manifest.Files[i];
            if (Read(files, file.Path, $"files[{i}]", check) is not { } bytes)
            {
                continue;
            }

            string hash = Hash(bytes);
            check.That(hash == file.Sha256, $"files[{i}].sha256",
                $"is {file.Sha256} (expected), {file.Path} has {hash}; copy the file again, or put its hash here if the change was meant");
            contents[file.Path] = bytes;
        }

        check.Throw();
        return new(manifest, text, contents);
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
