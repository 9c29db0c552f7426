using System.Globalization;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using MQTTnet;
using MQTTnet.Exceptions;
using MQTTnet.Formatter;

namespace Robotics.Fleet;

/// <summary>Where a broker is and how to get in.</summary>
public sealed record BrokerOptions
{
    /// <summary>The environment variable that a password may come from.</summary>
    public const string PasswordVariable = "ROBOTICS_MQTT_PASSWORD";

    // MQTT 3.1.1's return code 1, "unacceptable protocol version"; MQTTnet hands it through as it came.
    private const MqttClientConnectResultCode RefusedByOldBroker = (MqttClientConnectResultCode)1;

    private const string Example = "mqtt://127.0.0.1:1883 or mqtts://user@broker.example:8883";

    /// <summary>Host name or address.</summary>
    public string Host { get; init; } = "127.0.0.1";

    /// <summary>TCP port, 1 to 65535.</summary>
    public int Port { get; init; } = 1883;

    /// <summary>TLS 1.2 or 1.3.</summary>
    public bool Tls { get; init; }

    /// <summary>User name; null for none.</summary>
    public string? User { get; init; }

    /// <summary>Password; null for none.</summary>
    public string? Password { get; init; }

    /// <summary>PEM file of the authority that signed the broker's certificate; null: the system's authorities.</summary>
    public string? CaFile { get; init; }

    /// <summary>SHA-256 of the broker's certificate, 64 hex digits; then nothing else about it is checked. Null: not pinned.</summary>
    public string? PinnedSha256 { get; init; }

    /// <summary>Client certificate with its key, PEM or PFX; null for none.</summary>
    public string? ClientCertificate { get; init; }

    /// <summary>Speak MQTT 3.1.1; otherwise 5, falling back when the broker refuses it.</summary>
    public bool Version311 { get; init; }

    /// <summary>Reads <c>mqtt[s]://[user[:password]@]host[:port][?version=3.1.1]</c>.</summary>
    /// <exception cref="ConfigException">It is none; the message shows one.</exception>
    public static BrokerOptions Parse(string url)
    {
        ArgumentNullException.ThrowIfNull(url);
        if (!Uri.TryCreate(url, UriKind.Absolute, out var uri) || uri.Scheme is not ("mqtt" or "mqtts") || uri.Host.Length == 0
            || uri.Port == 0 || uri.Fragment.Length > 0 || uri.AbsolutePath is not ("" or "/") || uri.Query is not ("" or "?version=3.1.1" or "?version=5"))
        {
            // The password must not be echoed, so neither is the URL once it has a user part.
            string said = url.Contains('@', StringComparison.Ordinal) ? "the broker URL" : $"broker URL '{url}'";
            throw new ConfigException("command line", [$"{said} is none that this program understands; expected for example {Example}, with ?version=3.1.1 for old brokers"]);
        }

        string[] user = uri.UserInfo.Split(':', 2);
        bool tls = uri.Scheme == "mqtts";
        return new()
        {
            Host = uri.DnsSafeHost, // no brackets around an IPv6 address
            Port = uri.Port > 0 ? uri.Port : tls ? 8883 : 1883,
            Tls = tls,
            User = user[0].Length > 0 ? Uri.UnescapeDataString(user[0]) : null,
            Password = user.Length == 2 ? Uri.UnescapeDataString(user[1]) : Environment.GetEnvironmentVariable(PasswordVariable),
            Version311 = uri.Query == "?version=3.1.1",
        };
    }

    /// <summary>The broker without any secret.</summary>
    public override string ToString() => $"{(Tls ? "mqtts" : "mqtt")}://{(Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]" : Host)}:{Port.ToString(CultureInfo.InvariantCulture)}";

    /// <summary>Throws when the options contradict each other or a file cannot be read: before anything connects.</summary>
    /// <exception cref="ConfigException">Everything that is wrong.</exception>
    public void Check()
    {
        var check = new ConfigCheck($"broker {this}");
        check.That(Tls || (CaFile ?? PinnedSha256 ?? ClientCertificate) is null, "", "is reached without TLS, so a CA file, a pin or a client certificate protects nothing; use mqtts://");
        check.That(PinnedSha256 is not { } pin || IsSha256(pin), "--broker-pin", "is no SHA-256; expected 64 hex digits, as 'openssl x509 -in broker.pem -noout -fingerprint -sha256' prints them");
        check.That(CaFile is not { } ca || File.Exists(ca), "--broker-ca", $"names '{CaFile}', which is no file");
        check.Throw();
        if (ClientCertificate is { } file)
        {
            Certificates.WithKey(file).Dispose();
        }
    }

    /// <summary>True when <paramref name="client"/>'s connection is MQTT 5: only that has response topics and content types.</summary>
    internal static bool SpeaksVersion5(IMqttClient client) => client.Options?.ProtocolVersion == MqttProtocolVersion.V500;

    /// <summary>Connects <paramref name="client"/>, on 3.1.1 when the broker refuses 5.</summary>
    /// <param name="client">Not connected.</param>
    /// <param name="clientId">Unique on the broker.</param>
    /// <param name="more">Last will and such; null for nothing.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <exception cref="BrokerException">Refused or unreachable; the message says which broker and why.</exception>
    internal async Task ConnectAsync(IMqttClient client, string clientId, Action<MqttClientOptionsBuilder>? more, CancellationToken cancellation)
    {
        try
        {
            if (client.IsConnected)
            {
                // Half a connection, one that stands but could not subscribe for example, is none.
                await client.DisconnectAsync(new MqttClientDisconnectOptions(), cancellation).ConfigureAwait(false);
            }

            var answer = await client.ConnectAsync(Build(Version311), cancellation).ConfigureAwait(false);
            if (answer.ResultCode is MqttClientConnectResultCode.UnsupportedProtocolVersion or RefusedByOldBroker && !Version311)
            {
                answer = await client.ConnectAsync(Build(true), cancellation).ConfigureAwait(false);
            }

            if (answer.ResultCode != MqttClientConnectResultCode.Success)
            {
                throw new BrokerException($"Broker {this} refused '{clientId}': {answer.ResultCode}. Check user, password ({PasswordVariable}) and its access rules.");
            }
        }
        catch (Exception error) when ((error is MqttCommunicationException or MqttProtocolViolationException or IOException or System.Net.Sockets.SocketException or AuthenticationException or TimeoutException
            || (error is OperationCanceledException && !cancellation.IsCancellationRequested)) && error is not BrokerException)
        {
            throw new BrokerException($"No connection to broker {this}: {Innermost(error)}{(Tls ? " With TLS, check --broker-ca or --broker-pin." : "")}", error);
        }

        MqttClientOptions Build(bool old)
        {
            var builder = new MqttClientOptionsBuilder()
                .WithTcpServer(Host, Port)
                .WithClientId(clientId)
                .WithCleanSession()
                .WithProtocolVersion(old ? MqttProtocolVersion.V311 : MqttProtocolVersion.V500)
                .WithTimeout(TimeSpan.FromSeconds(5))
                .WithKeepAlivePeriod(TimeSpan.FromSeconds(5));
            if (User is not null)
            {
                builder.WithCredentials(User, Password ?? "");
            }

            if (Tls)
            {
                builder.WithTlsOptions(tls =>
                {
                    tls.UseTls();
                    tls.WithSslProtocols(SslProtocols.Tls12 | SslProtocols.Tls13);
                    tls.WithTargetHost(Host);
                    tls.WithCertificateValidationHandler(seen => Trust(seen.Certificate, seen.SslPolicyErrors));
                    if (ClientCertificate is { } file)
                    {
                        tls.WithClientCertificates(new X509Certificate2Collection(Certificates.WithKey(file)));
                    }
                });
            }

            more?.Invoke(builder);
            return builder.Build();
        }
    }

    private bool Trust(X509Certificate shown, SslPolicyErrors errors)
    {
        using var certificate = X509CertificateLoader.LoadCertificate(shown.GetRawCertData());
        if (PinnedSha256 is { } pin)
        {
            return string.Equals(certificate.GetCertHashString(HashAlgorithmName.SHA256), Digits(pin), StringComparison.OrdinalIgnoreCase);
        }

        if (CaFile is not { } file)
        {
            return errors == SslPolicyErrors.None;
        }

        // Our own authority instead of the system's; the name must still be right.
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.ImportFromPemFile(file);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        return (errors & ~SslPolicyErrors.RemoteCertificateChainErrors) == SslPolicyErrors.None && chain.Build(certificate);
    }

    private static string Digits(string pin) => pin.Replace(":", "", StringComparison.Ordinal);

    private static bool IsSha256(string pin) => Digits(pin) is { Length: 64 } digits && digits.All(char.IsAsciiHexDigit);

    private static string Innermost(Exception error)
    {
        while (error.InnerException is { } inner)
        {
            error = inner;
        }

        return error.Message;
    }
}

/// <summary>A broker refused or could not be reached; the message says which and why.</summary>
public sealed class BrokerException : IOException
{
    /// <summary>Creates the error.</summary>
    public BrokerException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the error with its cause.</summary>
    public BrokerException(string message, Exception inner)
        : base(message, inner)
    {
    }

    /// <summary>Creates an unexplained error.</summary>
    public BrokerException()
        : base("The broker cannot be reached.")
    {
    }
}

/// <summary>Certificates with their keys, from files.</summary>
internal static class Certificates
{
    /// <summary>Reads a PEM (certificate and key in one file) or a PFX without password.</summary>
    /// <exception cref="ConfigException">Missing, or neither.</exception>
    public static X509Certificate2 WithKey(string file)
    {
        try
        {
            if (!file.EndsWith(".pem", StringComparison.OrdinalIgnoreCase))
            {
                return X509CertificateLoader.LoadPkcs12FromFile(file, null);
            }

            using var pem = X509Certificate2.CreateFromPemFile(file);
            // Some TLS stacks want the key in a store of theirs: through PKCS#12 it is.
            return X509CertificateLoader.LoadPkcs12(pem.Export(X509ContentType.Pkcs12), null);
        }
        catch (Exception unreadable) when (unreadable is CryptographicException or IOException or UnauthorizedAccessException)
        {
            throw new ConfigException($"{file}: no certificate with its key (PEM with both, or PFX without password): {unreadable.Message}", unreadable);
        }
    }
}
