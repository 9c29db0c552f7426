using System.Runtime.Versioning;
using Microsoft.Win32.SafeHandles;

namespace Robotics.Firmware.Serial;

/// <summary>A serial line by Linux's own calls: open, termios, read, write, ppoll. Allocation-free, and tens of microseconds
/// where <see cref="PortLine"/> takes milliseconds.</summary>
[SupportedOSPlatform("linux")]
public sealed class TermiosLine : ISerialLine
{
    private readonly SafeFileHandle _file;

    /// <summary>Opens and sets up the line; what had been received before is thrown away.</summary>
    /// <param name="path">A device file, or a link to one.</param>
    /// <param name="baud">50 to 16,000,000 bit/s.</param>
    /// <exception cref="IOException">It is not there, may not be opened, is used by another program, or is not a serial line.</exception>
    public TermiosLine(string path, int baud)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentOutOfRangeException.ThrowIfLessThan(baud, 50);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(baud, 16_000_000);
        Name = path;

        // Non-blocking from the start: a port with modem lines would wait for a carrier here.
        _file = Tty.Open(path, Tty.ReadWrite | Tty.NoControllingTerminal | Tty.NonBlocking | Tty.CloseOnExec);
        if (_file.IsInvalid)
        {
            throw Failed("cannot be opened: " + Tty.Error());
        }

        if (Tty.Lock(_file, Tty.Exclusive | Tty.DoNotWait) != 0)
        {
            throw Failed("is used by another program");
        }

        if (!Tty.MakeRaw(_file, baud))
        {
            throw Failed($"cannot be set to {baud} bit/s: {Tty.Error()}");
        }

        Tty.HurryUp(_file);
        Discard();
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public int Read(Span<byte> into, TimeSpan wait) => Tty.Read(_file, into, wait);

    /// <inheritdoc/>
    public bool Write(ReadOnlySpan<byte> bytes) => Tty.Write(_file, bytes);

    /// <summary>Closes the line; it can be opened again.</summary>
    public void Dispose() => _file.Dispose();

    private unsafe void Discard() => _ = Tty.Control(_file, Tty.Flush, (void*)Tty.FlushBoth);

    private IOException Failed(string why)
    {
        var failure = new IOException($"Serial line {Name} {why}.");
        _file.Dispose();
        return failure;
    }
}
