using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Robotics.Sim.External;

/// <summary>Where an external simulator listens and how long it may take.</summary>
public sealed record ExternalOptions
{
    /// <summary><c>tcp:HOST:PORT</c> with a loopback host, or <c>unix:PATH</c>.</summary>
    public required string Address { get; init; }

    /// <summary>N to ask for; 0: as many as the simulator likes; at most 65536.</summary>
    public int Count { get; init; }

    /// <summary>Time until somebody must listen there; above 0, at most an hour.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Time that one answer may take; above 0, at most an hour.</summary>
    public TimeSpan AnswerTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Returns this record, or reports everything wrong with it at once.</summary>
    /// <exception cref="ConfigException">One or more values are out of range.</exception>
    public ExternalOptions Checked(string source)
    {
        var check = new ConfigCheck(source);
        check.Range(Count, 0, 65_536, "ExternalOptions.Count");
        check.Range(ConnectTimeout.TotalSeconds, 0.001, 3600, "ExternalOptions.ConnectTimeout, s,");
        check.Range(AnswerTimeout.TotalSeconds, 0.001, 3600, "ExternalOptions.AnswerTimeout, s,");
        check.That(EndPoint() is not null, "", $"'{Address}' is no address of an external simulator: expected tcp:127.0.0.1:PORT, another loopback host, or unix:PATH");
        check.Throw();
        return this;
    }

    /// <summary>Where to connect, or null where the address is none.</summary>
    internal EndPoint? EndPoint()
    {
        if (Address.StartsWith("unix:", StringComparison.Ordinal) && Address.Length is > 5 and < 105)
        {
            return new UnixDomainSocketEndPoint(Address[5..]);
        }

        int colon = Address.LastIndexOf(':');
        if (!Address.StartsWith("tcp:", StringComparison.Ordinal) || colon < 5
            || !int.TryParse(Address[(colon + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out int port) || port is < 1 or > 65_535)
        {
            return null;
        }

        string host = Address[4..colon];
        return host == "localhost" ? new IPEndPoint(IPAddress.Loopback, port)
            : IPAddress.TryParse(host.Trim('[', ']'), out var ip) && IPAddress.IsLoopback(ip) ? new IPEndPoint(ip, port) : null;
    }
}
