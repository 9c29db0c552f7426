using System.Text;

namespace Robotics.Learning.Training;

/// <summary>A checkpoint on disk: written beside, flushed, then renamed, so that a kill leaves the old one or the new one, never a torn one.</summary>
internal static class CheckpointFile
{
    /// <summary>Replaces the file.</summary>
    public static void Write(string path, string magic, string fingerprint, Action<BinaryWriter> content)
    {
        using (var stream = new FileStream(path + ".new", FileMode.Create))
        {
            using var writer = new BinaryWriter(stream, Encoding.UTF8, leaveOpen: true);
            writer.Write(magic);
            writer.Write(fingerprint);
            content(writer);
            writer.Flush();
            stream.Flush(flushToDisk: true);
        }

        File.Move(path + ".new", path, overwrite: true);
    }

    /// <summary>Reads it back.</summary>
    /// <param name="path">The file.</param>
    /// <param name="magic">What kind of checkpoint it must be.</param>
    /// <param name="fingerprint">Whose it must be.</param>
    /// <param name="owner">Who asks, for messages.</param>
    /// <param name="content">Reads the rest.</param>
    /// <exception cref="ConfigException">It is another kind, another run's, or cut short.</exception>
    public static void Read(string path, string magic, string fingerprint, string owner, Action<BinaryReader> content)
    {
        using var reader = new BinaryReader(File.OpenRead(path));
        try
        {
            if (reader.ReadString() != magic)
            {
                throw new ConfigException($"{path} is not a checkpoint of this trainer. Train into an empty folder.");
            }

            if (reader.ReadString() != fingerprint)
            {
                throw new ConfigException(
                    $"{path} belongs to another run: its method, network, options or data differ from {owner}. "
                    + "Train into an empty folder, or repeat the first run's arguments.");
            }

            content(reader);
        }
        catch (Exception error) when (error is EndOfStreamException or FormatException)
        {
            throw new ConfigException($"{path} is cut short. Train into an empty folder, or restore the file.", error);
        }
    }
}
