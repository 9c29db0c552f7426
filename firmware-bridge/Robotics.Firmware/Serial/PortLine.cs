using System.IO.Ports;

namespace Robotics.Firmware.Serial;

/// <summary>A serial line through the base library's <see cref="SerialPort"/>: works wherever .NET does.</summary>
/// <remarks>Looks for bytes every millisecond, because the library's own waiting ends in exceptions; the library allocates within
/// its reads and writes.</remarks>
public sealed class PortLine : ISerialLine
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(1);

    private readonly SerialPort _port;
    private readonly Stream _stream;
    private readonly string? _file; // a Unix port whose device was unplugged goes on saying "nothing there"; only its file is gone

    /// <summary>Opens and sets up the port.</summary>
    /// <param name="name">For example <c>COM3</c>, or a device file.</param>
    /// <param name="baud">Bits per second.</param>
    /// <exception cref="IOException">It is not there, may not be opened, is used by another program, or is not a serial port.</exception>
    public PortLine(string name, int baud)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        Name = name;
        _port = new SerialPort(name, baud) { WriteTimeout = (int)SerialLine.WritePatience.TotalMilliseconds };
        try
        {
            _port.Open();
            _port.DiscardInBuffer();
            _stream = _port.BaseStream;
            _file = name.StartsWith('/') ? File.ResolveLinkTarget(name, returnFinalTarget: true)?.FullName ?? name : null;
        }
        catch (Exception e) when (IsLoss(e) || e is ArgumentException)
        {
            _port.Dispose();
            throw new IOException($"Serial line {name} cannot be opened at {baud} bit/s: {e.Message}", e);
        }
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public int Read(Span<byte> into, TimeSpan wait)
    {
        var deadline = MonotonicTime.SystemNow() + wait;
        try
        {
            while (true)
            {
                int there = _port.BytesToRead;
                if (there > 0)
                {
                    int count = _stream.Read(into[..Math.Min(there, into.Length)]);
                    return count > 0 ? count : -1;
                }

                var now = MonotonicTime.SystemNow();
                if (now >= deadline)
                {
                    return _file is null || File.Exists(_file) ? 0 : -1;
                }

                PreciseSleep.Until(now + Look < deadline ? now + Look : deadline);
            }
        }
        catch (Exception e) when (IsLoss(e))
        {
            return -1;
        }
    }

    /// <inheritdoc/>
    public bool Write(ReadOnlySpan<byte> bytes)
    {
        try
        {
            _stream.Write(bytes);
            return true;
        }
        catch (Exception e) when (IsLoss(e))
        {
            return false;
        }
    }

    /// <summary>Closes the port; it can be opened again.</summary>
    public void Dispose()
    {
        try
        {
            _port.Dispose();
        }
        catch (IOException)
        {
            // The device went first: nothing is left to flush.
        }
    }

    private static bool IsLoss(Exception e) => e is IOException or UnauthorizedAccessException or InvalidOperationException or TimeoutException;
}
