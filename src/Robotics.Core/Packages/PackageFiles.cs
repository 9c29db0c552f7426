using System.IO.Compression;

namespace Robotics.Packages;

/// <summary>Where a package's files come from. Paths were checked: relative, forward slashes, no dots.</summary>
internal interface IPackageFiles
{
    /// <summary>Path of the manifest.</summary>
    string Manifest { get; }

    /// <summary>For messages.</summary>
    string Place { get; }

    /// <summary>The whole file, or null when it is not there.</summary>
    /// <exception cref="InvalidDataException">It leads out of the package, or is not what it says it is.</exception>
    byte[]? Read(string path);
}

/// <summary>Files beside a manifest.</summary>
internal sealed class FolderFiles(string folder, string manifest) : IPackageFiles
{
    public string Manifest => manifest;

    public string Place => folder;

    public byte[]? Read(string path)
    {
        string full = Path.Combine(folder, path);
        if (!File.Exists(full))
        {
            return null;
        }

        // A link is as good a way out of a folder as "..".
        string at = folder;
        foreach (string part in path.Split('/'))
        {
            at = Path.Combine(at, part);
            FileSystemInfo info = Directory.Exists(at) ? new DirectoryInfo(at) : new FileInfo(at);
            if (info.ResolveLinkTarget(returnFinalTarget: true) is { } target
                && !target.FullName.StartsWith(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)) + Path.DirectorySeparatorChar, StringComparison.Ordinal))
            {
                throw new InvalidDataException($"it is a link to {target.FullName}, outside the package; copy the file into the package");
            }
        }

        return File.ReadAllBytes(full);
    }
}

/// <summary>Files of a zip, read straight from it: nothing is ever unpacked to disk.</summary>
internal sealed class ZippedFiles : IPackageFiles, IDisposable
{
    private const int LargestFile = int.MaxValue - 64; // one byte array
    private readonly string _path;
    private readonly ZipArchive _zip;
    private readonly string _root = "";

    public ZippedFiles(string path, string manifest)
    {
        _path = path;
        _zip = ZipFile.OpenRead(path);
        Manifest = manifest;

        // Zipping a folder usually puts the folder itself in front: take the one place where the manifest lies.
        if (_zip.GetEntry(manifest) is null
            && _zip.Entries.Where(entry => entry.FullName.EndsWith("/" + manifest, StringComparison.Ordinal) && entry.FullName.Count(c => c == '/') == 1).ToArray() is [var only])
        {
            _root = only.FullName[..^manifest.Length];
        }
    }

    public string Manifest { get; }

    public string Place => _path;

    public byte[]? Read(string path)
    {
        string name = _root + path;
        var entries = _zip.Entries.Where(entry => entry.FullName == name).ToArray();
        if (entries.Length == 0)
        {
            return null;
        }

        if (entries.Length > 1 || entries[0].Length > LargestFile)
        {
            throw new InvalidDataException(entries.Length > 1 ? "the zip holds it twice" : $"it is larger than {LargestFile} bytes");
        }

        // The announced length is read and not a byte more, so that a lying zip cannot fill the memory.
        using var stream = entries[0].Open();
        byte[] bytes = new byte[entries[0].Length];
        int read = stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        return read == bytes.Length && stream.ReadByte() < 0 ? bytes : throw new InvalidDataException("its length is not what the zip says");
    }

    public void Dispose() => _zip.Dispose();
}
