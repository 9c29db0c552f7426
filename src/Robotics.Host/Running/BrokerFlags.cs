using System.CommandLine;
using Robotics.Fleet;

namespace Robotics.Host.Running;

/// <summary>The options that say how to reach a broker; the same on every command.</summary>
internal sealed class BrokerFlags
{
    private readonly Option<string?> _url = new("--broker", "-b")
    {
        Description = "mqtt://[user[:password]@]host[:port] or mqtts://...; ?version=3.1.1 for old brokers. The password may come from ROBOTICS_MQTT_PASSWORD",
        HelpName = "URL",
    };

    private readonly Option<string?> _ca = new("--broker-ca") { Description = "PEM file of the authority that signed the broker's certificate", HelpName = "FILE" };
    private readonly Option<string?> _pin = new("--broker-pin") { Description = "SHA-256 of the broker's certificate, 64 hex digits", HelpName = "HEX" };
    private readonly Option<string?> _certificate = new("--broker-cert") { Description = "client certificate with its key (PEM or PFX)", HelpName = "FILE" };

    /// <summary>Adds the options to <paramref name="command"/>.</summary>
    public BrokerFlags(Command command)
    {
        command.Add(_url);
        command.Add(_ca);
        command.Add(_pin);
        command.Add(_certificate);
    }

    /// <summary>What was asked for; null when no broker was named.</summary>
    /// <exception cref="ConfigException">The URL is none.</exception>
    public BrokerOptions? Read(ParseResult parsed) => parsed.GetValue(_url) is { } url
        ? BrokerOptions.Parse(url) with
        {
            CaFile = parsed.GetValue(_ca),
            PinnedSha256 = parsed.GetValue(_pin),
            ClientCertificate = parsed.GetValue(_certificate),
        }
        : null;

    /// <summary>What was asked for, or the embedded broker's default address.</summary>
    public BrokerOptions ReadOrLocal(ParseResult parsed) => Read(parsed) ?? BrokerOptions.Parse("mqtt://127.0.0.1:1883");
}
