using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Robotics.Fleet;

namespace Robotics.Tests.Fleet;

/// <summary>Who gets in, and what somebody who does not is told.</summary>
public sealed class BrokerSecurityTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("robotics-broker-").FullName;

    public void Dispose() => Directory.Delete(_folder, true);

    [Theory]
    [InlineData("pfx")]
    [InlineData("pem")]
    public async Task Tls_WithAPinnedCertificate_CarriesARobot(string form)
    {
        var (file, certificate) = SelfSigned(form);
        string pin = certificate.GetCertHashString(HashAlgorithmName.SHA256);
        await using var rig = await FleetRig.Start(new() { Port = 0, Certificate = file }, at => at with { Tls = true, PinnedSha256 = pin });
        await Moves(rig);
    }

    [Fact]
    public async Task Tls_WithAnAuthorityFile_ChecksTheNameToo()
    {
        var (file, certificate) = SelfSigned("pfx");
        string authority = Path.Combine(_folder, "ca.pem");
        File.WriteAllText(authority, certificate.ExportCertificatePem());
        await using var rig = await FleetRig.Start(new() { Port = 0, Certificate = file }, at => at with { Tls = true, CaFile = authority });
        await Moves(rig);

        var (_, other) = SelfSigned("pfx", "other");
        File.WriteAllText(authority, other.ExportCertificatePem());
        await Refused(rig.At, "--broker-ca");
    }

    [Fact]
    public async Task Tls_WithACertificateForAnotherName_IsRefused()
    {
        var (file, certificate) = SelfSigned("pfx", host: "elsewhere.example", address: null);
        string authority = Path.Combine(_folder, "ca.pem");
        File.WriteAllText(authority, certificate.ExportCertificatePem());
        await using var broker = await Broker(new() { Port = 0, Certificate = file });
        await Refused(new() { Port = broker.Port, Tls = true, CaFile = authority }, "--broker-ca");
    }

    [Fact]
    public async Task Tls_WithAnotherPinOrNone_IsRefusedNamingTheBroker()
    {
        var (file, _) = SelfSigned("pfx");
        await using var broker = await Broker(new() { Port = 0, Certificate = file });
        var at = new BrokerOptions { Port = broker.Port, Tls = true };
        await Refused(at with { PinnedSha256 = new('a', 64) }, $"mqtts://127.0.0.1:{broker.Port}", "--broker-pin");
        await Refused(at, $"mqtts://127.0.0.1:{broker.Port}", "--broker-pin");
        await Refused(at with { Tls = false }, $"mqtt://127.0.0.1:{broker.Port}");
    }

    [Fact]
    public async Task Tls_WithAClientCertificate_GetsIntoABrokerThatAsksForOne()
    {
        const string Mosquitto = "/usr/sbin/mosquitto";
        Assert.SkipUnless(File.Exists(Mosquitto), "mosquitto is not installed: apt install mosquitto");
        var (server, certificate) = SelfSigned("pem");
        var (client, other) = SelfSigned("pem", "controller");
        string trusted = Path.Combine(_folder, "clients.pem");
        File.WriteAllText(trusted, other.ExportCertificatePem());
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        int port = ((IPEndPoint)probe.LocalEndpoint).Port;
        probe.Stop();
        string config = Path.Combine(_folder, "mosquitto.conf");
        File.WriteAllText(config, $"""
            listener {port} 127.0.0.1
            allow_anonymous true
            require_certificate true
            cafile {trusted}
            certfile {server}
            keyfile {server}
            user root

            """);
        using var broker = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo(Mosquitto, ["-c", config]) { RedirectStandardError = true })!;
        try
        {
            var at = new BrokerOptions { Port = port, Tls = true, PinnedSha256 = certificate.GetCertHashString(HashAlgorithmName.SHA256), ClientCertificate = client };
            using var with = new MQTTnet.MqttClientFactory().CreateMqttClient();
            for (int attempt = 0; !with.IsConnected; attempt++)
            {
                try
                {
                    await at.ConnectAsync(with, "with", null, CancellationToken.None);
                }
                catch (BrokerException) when (attempt < 200 && !broker.HasExited)
                {
                    await Task.Delay(10, TestContext.Current.CancellationToken); // the broker's process is still starting
                }
            }

            await Refused(at with { ClientCertificate = null }, $"mqtts://127.0.0.1:{port}");
        }
        finally
        {
            broker.Kill();
        }
    }

    [Fact]
    public async Task Password_RightGetsInAndWrongIsToldWhatToCheck()
    {
        await using var rig = await FleetRig.Start(
            new() { Port = 0, User = "ann", Password = "hunter2" }, at => at with { User = "ann", Password = "hunter2" });
        await Moves(rig);

        await Refused(rig.At with { Password = "hunter3" }, rig.At.ToString(), "BadUserNameOrPassword", BrokerOptions.PasswordVariable);
        await Refused(rig.At with { User = "bob" }, "BadUserNameOrPassword");
        await Refused(rig.At with { User = null, Password = null }, "BadUserNameOrPassword");
        await Refused(rig.At with { Password = "hunter3", Version311 = true }, BrokerOptions.PasswordVariable);
    }

    [Fact]
    public async Task Version311_CarriesARobotFromEndToEnd()
    {
        await using var rig = await FleetRig.Start(at: at => at with { Version311 = true });
        await Moves(rig);
    }

    [Fact]
    public async Task Version5_IsTriedAgainAs311WhereTheBrokerKnowsNoOther()
    {
        using var old = new TcpListener(IPAddress.Loopback, 0);
        old.Start();
        var levels = new List<byte>();
        var serving = Task.Run(() =>
        {
            for (int i = 0; i < 2; i++)
            {
                using var socket = old.AcceptSocket();
                var connect = new byte[512];
                socket.Receive(connect);
                levels.Add(connect[8]); // fixed header 2, "MQTT" 6, then the level
                socket.Send(connect[8] == 4 ? [0x20, 2, 0, 0] : [0x20, 2, 0, 1]);
                Thread.Sleep(50); // the client reads the refusal before the socket closes
            }
        }, CancellationToken.None);
        using var client = new MQTTnet.MqttClientFactory().CreateMqttClient();
        await new BrokerOptions { Port = ((IPEndPoint)old.LocalEndpoint).Port }.ConnectAsync(client, "c", null, CancellationToken.None);

        Assert.False(BrokerOptions.SpeaksVersion5(client));
        await serving;
        Assert.Equal([5, 4], levels);
    }

    [Fact]
    public async Task StartAsync_WhenThePortIsTaken_SaysWhatToDo()
    {
        await using var first = await Broker(new() { Port = 0 });
        var second = new EmbeddedBroker(new() { Port = first.Port });
        var taken = await Assert.ThrowsAsync<ConfigException>(() => second.StartAsync(CancellationToken.None));
        await second.DisposeAsync();
        Assert.Contains($"127.0.0.1:{first.Port}", taken.Message, StringComparison.Ordinal);
        Assert.Contains("--port", taken.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task StartAsync_ListensOnLoopbackUnlessToldOtherwise()
    {
        await using var broker = await Broker(new() { Port = 0 });
        var listeners = IPGlobalProperties.GetIPGlobalProperties().GetActiveTcpListeners().Where(at => at.Port == broker.Port).ToArray();
        Assert.NotEmpty(listeners);
        Assert.All(listeners, at => Assert.Equal(IPAddress.Loopback, at.Address));
    }

    [Fact]
    public void Constructor_WithoutACertificateOrAPassword_SaysSo()
    {
        Assert.Contains("nowhere.pfx", Assert.Throws<ConfigException>(() => new EmbeddedBroker(new() { Certificate = "nowhere.pfx" })).Message, StringComparison.Ordinal);
        string text = Path.Combine(_folder, "text.pem");
        File.WriteAllText(text, "no certificate");
        Assert.Contains(text, Assert.Throws<ConfigException>(() => new EmbeddedBroker(new() { Certificate = text })).Message, StringComparison.Ordinal);
        Assert.Contains("'ann' has no password", Assert.Throws<ConfigException>(() => new EmbeddedBroker(new() { User = "ann" })).Message, StringComparison.Ordinal);
    }

    private static async Task Moves(FleetRig rig)
    {
        var robot = await rig.Controller();
        await robot.ClaimAsync(CommandMode.Native(robot.Spec), CancellationToken.None);
        new Hand(robot).Move(0.1f);
        await FleetRig.Until(() => rig.Body.Sent == 1, "the command");
        await robot.ReleaseAsync(CancellationToken.None);
        Assert.Equal(1, rig.Body.Releases);
    }

    private static async Task Refused(BrokerOptions at, params string[] says)
    {
        var refusal = await Assert.ThrowsAsync<BrokerException>(() => MqttRobot.ConnectAsync(at, "body", new(), TimeProvider.System, CancellationToken.None));
        Assert.All(says, part => Assert.Contains(part, refusal.Message, StringComparison.Ordinal));
        Assert.DoesNotContain("hunter", refusal.Message, StringComparison.Ordinal);
    }

    private static async Task<EmbeddedBroker> Broker(EmbeddedBrokerOptions options)
    {
        var broker = new EmbeddedBroker(options);
        await broker.StartAsync(CancellationToken.None);
        return broker;
    }

    private (string File, X509Certificate2 Certificate) SelfSigned(string form, string name = "broker", string host = "localhost", string? address = "127.0.0.1")
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(host);
        if (address is not null)
        {
            names.AddIpAddress(IPAddress.Parse(address));
        }

        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        var now = TimeProvider.System.GetUtcNow();
        var certificate = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
        string file = Path.Combine(_folder, $"{name}.{form}");
        if (form == "pfx")
        {
            File.WriteAllBytes(file, certificate.Export(X509ContentType.Pfx));
        }
        else
        {
            File.WriteAllText(file, certificate.ExportCertificatePem() + "\n" + key.ExportPkcs8PrivateKeyPem());
        }

        return (file, certificate);
    }
}
