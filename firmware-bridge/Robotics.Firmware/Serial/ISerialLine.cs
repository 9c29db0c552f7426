namespace Robotics.Firmware.Serial;

/// <summary>A line of bytes to a device: a serial port, or a pseudo-terminal in its place.</summary>
/// <remarks>
/// One thread at a time calls <see cref="Read"/> and <see cref="Write"/>. Neither allocates, throws on what the line does, or
/// waits longer than it says. A line that is gone (unplugged, hung up) stays gone: dispose it and open another.
/// </remarks>
public interface ISerialLine : IDisposable
{
    /// <summary>What it was opened as, for messages: a path or a port's name.</summary>
    string Name { get; }

    /// <summary>Takes what has arrived, waiting for the first byte.</summary>
    /// <param name="into">At least one byte long.</param>
    /// <param name="wait">Longest wait for the first byte; zero or less: only what is there already.</param>
    /// <returns>Bytes taken; 0 when none came in time; -1 when the line is gone.</returns>
    int Read(Span<byte> into, TimeSpan wait);

    /// <summary>Hands all of <paramref name="bytes"/> to the line.</summary>
    /// <returns>False when the line is gone, or took nothing for <see cref="SerialLine.WritePatience"/>.</returns>
    bool Write(ReadOnlySpan<byte> bytes);
}

/// <summary>Opens serial lines: raw termios on Linux, <see cref="PortLine"/> elsewhere.</summary>
public static class SerialLine
{
    /// <summary>How long a line may take no byte at all before a write gives up on it.</summary>
    public static TimeSpan WritePatience => TimeSpan.FromMilliseconds(200);

    /// <summary>Opens <paramref name="path"/> with 8 data bits, no parity, one stop bit and no flow control.</summary>
    /// <param name="path">A device file (<c>/dev/serial/by-id/...</c>) or a port's name (<c>COM3</c>).</param>
    /// <param name="baud">Bits per second, any rate that the hardware can make; pseudo-terminals ignore it.</param>
    /// <exception cref="IOException">It is not there, in use, or not a serial line; the message names it and says which.</exception>
    public static ISerialLine Open(string path, int baud) =>
        OperatingSystem.IsLinux() ? new TermiosLine(path, baud) : new PortLine(path, baud);
}
