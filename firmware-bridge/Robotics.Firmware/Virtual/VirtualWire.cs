using Robotics.Firmware.Serial;

namespace Robotics.Firmware.Virtual;

/// <summary>Makes virtual servos a serial port: a pseudo-terminal and the thread that plays the other end of the wire.</summary>
/// <remarks><see cref="Unplug"/> and <see cref="Plug"/> belong to one thread.</remarks>
public sealed class VirtualWire : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(20);

    private readonly VirtualServoBus _bus;
    private readonly string? _link;
    private PseudoTerminal? _terminal;
    private Thread? _thread;
    private volatile bool _unplug;

    /// <summary>Plugs the servos in.</summary>
    /// <param name="bus">The servos; used by this wire's thread only, but for what a test may turn.</param>
    /// <param name="link">Where the port can be found again after a replug; null: only at <see cref="Path"/>.</param>
    public VirtualWire(VirtualServoBus bus, string? link = null)
    {
        ArgumentNullException.ThrowIfNull(bus);
        _bus = bus;
        _link = link;
        Plug();
    }

    /// <summary>The port to open; changes with every <see cref="Plug"/> unless there is a link.</summary>
    public string Path => _terminal?.Name ?? throw new InvalidOperationException("The wire is unplugged.");

    /// <summary>Plugs in again; does nothing when it is.</summary>
    public void Plug()
    {
        if (_terminal is not null)
        {
            return;
        }

        var terminal = new PseudoTerminal(_link);
        _terminal = terminal;
        _unplug = false;
        _thread = new Thread(() => Run(terminal)) { Name = "virtual wire", IsBackground = true };
        _thread.Start();
    }

    /// <summary>Pulls the plug, in the middle of whatever is said; does nothing when it is pulled.</summary>
    public void Unplug()
    {
        _unplug = true;
        _thread?.Join();
        _thread = null;
        _terminal?.Dispose();
        _terminal = null;
    }

    /// <summary>Unplugs for good.</summary>
    public void Dispose() => Unplug();

    private void Run(PseudoTerminal terminal)
    {
        byte[] buffer = new byte[1024];
        while (!_unplug)
        {
            int count = terminal.Read(buffer, Patience);
            if (count < 0)
            {
                return;
            }

            // An empty exchange lets time pass.
            var answers = _bus.Exchange(buffer.AsSpan(0, count));
            terminal.Write(answers);
        }
    }
}
