namespace Robotics.Packages;

/// <summary>A policy package on disk: a folder with <c>policy.json</c>, a <c>.zip</c> of such a folder, or the manifest file
/// itself. Verified when loaded: schema, every hash, no file outside the package.</summary>
public sealed class PolicyPackage
{
    private PolicyPackage(PolicyManifest manifest, string text) => (Manifest, Text) = (manifest, text);

    /// <summary>The manifest.</summary>
    public PolicyManifest Manifest { get; }

    /// <summary>policy.json as it stands in the package.</summary>
    public string Text { get; }

    /// <summary>SHA-256 of policy.json, 64 lower-case hex digits.</summary>
    public string Sha256 => throw new NotSupportedException();

    /// <summary>Loads and verifies.</summary>
    /// <exception cref="ConfigException">Missing or unreadable file, unknown key, newer version, wrong hash: all at once.</exception>
    public static PolicyPackage Load(string path) => throw new NotSupportedException();

    /// <summary>Contents of a file listed in the manifest; read once at load.</summary>
    public ReadOnlyMemory<byte> Read(string file) => throw new NotSupportedException();
}
