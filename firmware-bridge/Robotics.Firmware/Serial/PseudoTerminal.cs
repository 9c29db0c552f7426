using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Robotics.Firmware.Serial;

/// <summary>A pair of terminals in place of a wire: a virtual device holds this end, and <see cref="Path"/> is the serial port
/// that a program opens.</summary>
/// <remarks>Disposing it unplugs the port: whoever has it open finds the line gone. The next one gets another path, so give a
/// <see cref="Link"/> to be found again. Linux only.</remarks>
public sealed class PseudoTerminal : ISerialLine
{
    private readonly SafeFileHandle _master;
    private readonly SafeFileHandle _slave; // kept open, or this end would see a hang-up whenever nobody has the port open

    /// <summary>Makes a pair.</summary>
    /// <param name="link">A symbolic link to make beside it, replacing one that is there; null: none.</param>
    /// <exception cref="IOException">The system has no pair left, or the link cannot be made.</exception>
    /// <exception cref="PlatformNotSupportedException">This is not Linux.</exception>
    public unsafe PseudoTerminal(string? link = null)
    {
        const int NameLength = 128;
        if (!OperatingSystem.IsLinux())
        {
            throw new PlatformNotSupportedException("Pseudo-terminals are made on Linux only.");
        }

        _master = Tty.OpenMaster(Tty.ReadWrite | Tty.NoControllingTerminal | Tty.NonBlocking | Tty.CloseOnExec);
        byte* name = stackalloc byte[NameLength];
        if (_master.IsInvalid || Tty.Grant(_master) != 0 || Tty.Unlock(_master) != 0 || Tty.NameOf(_master, name, NameLength) != 0)
        {
            throw new IOException($"No pseudo-terminal: {Tty.Error()}.");
        }

        Path = Marshal.PtrToStringUTF8((nint)name)!;
        _slave = Tty.Open(Path, Tty.ReadWrite | Tty.NoControllingTerminal | Tty.CloseOnExec);
        if (_slave.IsInvalid || !Tty.MakeRaw(_slave, 115_200))
        {
            throw new IOException($"Pseudo-terminal {Path} cannot be set up: {Tty.Error()}.");
        }

        Link = link;
        if (link is not null)
        {
            // Renamed into place, so that nobody finds the link missing or half made.
            string fresh = link + ".new";
            File.Delete(fresh);
            File.CreateSymbolicLink(fresh, Path);
            File.Move(fresh, link, overwrite: true);
        }
    }

    /// <summary>The port to open, <c>/dev/pts/N</c>.</summary>
    public string Path { get; }

    /// <summary>The link to it; null: none was asked for.</summary>
    public string? Link { get; }

    /// <inheritdoc/>
    public string Name => Link ?? Path;

    /// <inheritdoc/>
    public int Read(Span<byte> into, TimeSpan wait) => Tty.Read(_master, into, wait);

    /// <inheritdoc/>
    public bool Write(ReadOnlySpan<byte> bytes) => Tty.Write(_master, bytes);

    /// <summary>Unplugs the port and removes the link.</summary>
    public void Dispose()
    {
        if (Link is not null && new FileInfo(Link).LinkTarget == Path)
        {
            File.Delete(Link);
        }

        _slave.Dispose();
        _master.Dispose();
    }
}
