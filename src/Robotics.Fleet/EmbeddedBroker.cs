using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;
using MQTTnet.Protocol;
using MQTTnet.Server;

namespace Robotics.Fleet;

/// <summary>How the embedded broker listens.</summary>
public sealed record EmbeddedBrokerOptions
{
    /// <summary>Address to listen on; loopback: this machine only.</summary>
    public IPAddress Bind { get; init; } = IPAddress.Loopback;

    /// <summary>TCP port; 0 takes a free one.</summary>
    public int Port { get; init; } = 1883;

    /// <summary>Certificate with its key (PEM or PFX): TLS only. Null: no TLS.</summary>
    public string? Certificate { get; init; }

    /// <summary>Only this user may connect; null: anybody who reaches the port.</summary>
    public string? User { get; init; }

    /// <summary>Password of <see cref="User"/>.</summary>
    public string? Password { get; init; }
}

/// <summary>An MQTT broker (5 and 3.1.1) in this process, for robots and controllers that have no other.</summary>
public sealed class EmbeddedBroker : IAsyncDisposable
{
    private const int PendingPerClient = 10_000; // MQTTnet's 1000 overflows in a burst, silently

    private readonly EmbeddedBrokerOptions _options;
    private readonly MqttServer _server;

    /// <summary>Prepares the broker; nothing listens yet.</summary>
    /// <exception cref="ConfigException">The certificate cannot be read, or a user is given without a password.</exception>
    public EmbeddedBroker(EmbeddedBrokerOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options;
        if (options.User is not null && string.IsNullOrEmpty(options.Password))
        {
            throw new ConfigException("broker", [$"user '{options.User}' has no password; set {BrokerOptions.PasswordVariable}"]);
        }

        Port = options.Port > 0 ? options.Port : FreePort(options.Bind);
        var builder = new MqttServerOptionsBuilder()
            .WithMaxPendingMessagesPerClient(PendingPerClient)
            .WithPendingMessagesOverflowStrategy(MqttPendingMessagesOverflowStrategy.DropOldestQueuedMessage);
        if (options.Certificate is { } file)
        {
            builder.WithoutDefaultEndpoint().WithEncryptedEndpoint()
                .WithEncryptedEndpointPort(Port)
                .WithEncryptedEndpointBoundIPAddress(options.Bind)
                .WithEncryptedEndpointBoundIPV6Address(IPAddress.None)
                .WithEncryptionSslProtocol(SslProtocols.Tls12 | SslProtocols.Tls13)
                .WithEncryptionCertificate(Certificates.WithKey(file));
        }
        else
        {
            builder.WithDefaultEndpoint().WithDefaultEndpointPort(Port)
                .WithDefaultEndpointBoundIPAddress(options.Bind)
                .WithDefaultEndpointBoundIPV6Address(IPAddress.None);
        }

        _server = new MqttServerFactory().CreateMqttServer(builder.Build());
        _server.ValidatingConnectionAsync += asked =>
        {
            if (_options.User is { } user && (asked.UserName != user || asked.Password != _options.Password))
            {
                asked.ReasonCode = MqttConnectReasonCode.BadUserNameOrPassword;
            }

            return Task.CompletedTask;
        };
    }

    /// <summary>The port it listens on.</summary>
    public int Port { get; }

    /// <summary>Starts listening.</summary>
    /// <exception cref="ConfigException">The port is taken.</exception>
    public async Task StartAsync(CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        try
        {
            await _server.StartAsync().ConfigureAwait(false);
        }
        catch (SocketException taken)
        {
            throw new ConfigException($"broker: cannot listen on {_options.Bind}:{Port}: {taken.Message}. Use another --port, or 0 for a free one.", taken);
        }
    }

    /// <summary>Disconnects everybody and stops.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_server.IsStarted)
        {
            await _server.StopAsync(new MqttServerStopOptions()).ConfigureAwait(false);
        }

        _server.Dispose();
    }

    // MQTTnet does not say which port 0 became, so one is asked for first.
    private static int FreePort(IPAddress address)
    {
        using var probe = new TcpListener(address, 0);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }
}
