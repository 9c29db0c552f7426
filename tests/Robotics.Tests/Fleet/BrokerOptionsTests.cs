using Robotics.Fleet;

namespace Robotics.Tests.Fleet;

public sealed class BrokerOptionsTests
{
    [Theory]
    [InlineData("mqtt://robot.example", "robot.example", 1883, false, null, null, false)]
    [InlineData("mqtt://10.0.0.7:1884", "10.0.0.7", 1884, false, null, null, false)]
    [InlineData("mqtts://robot.example", "robot.example", 8883, true, null, null, false)]
    [InlineData("mqtts://ann@robot.example:9000/", "robot.example", 9000, true, "ann", null, false)]
    [InlineData("mqtt://ann:secret@h", "h", 1883, false, "ann", "secret", false)]
    [InlineData("mqtt://ann%40home:p%3A%2F%40@h", "h", 1883, false, "ann@home", "p:/@", false)]
    [InlineData("mqtt://ann:a:b@h", "h", 1883, false, "ann", "a:b", false)]
    [InlineData("mqtt://h?version=3.1.1", "h", 1883, false, null, null, true)]
    [InlineData("mqtt://h:1/?version=5", "h", 1, false, null, null, false)]
    [InlineData("mqtt://[::1]:1885", "::1", 1885, false, null, null, false)]
    public void Parse_OfAGoodUrl_ReadsEveryPart(string url, string host, int port, bool tls, string? user, string? password, bool old)
    {
        Assert.SkipWhen(Environment.GetEnvironmentVariable(BrokerOptions.PasswordVariable) is not null, $"{BrokerOptions.PasswordVariable} is set");
        var read = BrokerOptions.Parse(url);
        Assert.Equal((host, port, tls, user, password, old), (read.Host, read.Port, read.Tls, read.User, read.Password, read.Version311));
    }

    [Theory]
    [InlineData("")]
    [InlineData("robot.example:1883")]
    [InlineData("robot.example")]
    [InlineData("http://robot.example")]
    [InlineData("tcp://robot.example:1883")]
    [InlineData("mqtt:robot.example")]
    [InlineData("mqtt://")]
    [InlineData("mqtt://:1883")]
    [InlineData("mqtt://h:0")]
    [InlineData("mqtt://h:65536")]
    [InlineData("mqtt://h:x")]
    [InlineData("mqtt://h/topic")]
    [InlineData("mqtt://h?version=4")]
    [InlineData("mqtt://h?Version=3.1.1")]
    [InlineData("mqtt://h#part")]
    [InlineData("mqtt://two words")]
    public void Parse_OfABadUrl_ShowsAGoodOne(string url)
    {
        var wrong = Assert.Throws<ConfigException>(() => BrokerOptions.Parse(url));
        Assert.Contains("mqtt://127.0.0.1:1883", wrong.Message, StringComparison.Ordinal);
        Assert.Contains($"'{url}'", wrong.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("mqtt://ann:hunter2@h/topic")]
    [InlineData("http://ann:hunter2@h")]
    [InlineData("mqtt://ann:hunter2@h:0")]
    [InlineData("mqtt://ann:hunter2@h?version=9")]
    public void Parse_OfABadUrlWithAPassword_DoesNotRepeatIt(string url) =>
        Assert.DoesNotContain("hunter2", Assert.Throws<ConfigException>(() => BrokerOptions.Parse(url)).ToString(), StringComparison.Ordinal);

    [Fact]
    public void ToString_HasNoSecret()
    {
        Assert.Equal("mqtts://h:8883", BrokerOptions.Parse("mqtts://ann:hunter2@h").ToString());
        Assert.Equal("mqtt://[::1]:1885", BrokerOptions.Parse("mqtt://ann:hunter2@[::1]:1885").ToString());
        Assert.Equal("mqtt://h:1883", $"{new BrokerOptions { Host = "h", User = "ann", Password = "hunter2" }}");
    }

    [Fact]
    public void Check_OfContradictions_NamesTheOption()
    {
        string pin = new('a', 64);
        new BrokerOptions().Check();
        new BrokerOptions { Tls = true, PinnedSha256 = pin }.Check();
        new BrokerOptions { Tls = true, PinnedSha256 = string.Join(':', Enumerable.Repeat("0F", 32)) }.Check();

        // Somebody who pins a certificate believes to be encrypted.
        Refused(new() { PinnedSha256 = pin }, "mqtts://");
        Refused(new() { Tls = true, PinnedSha256 = "abc" }, "--broker-pin is no SHA-256");
        Refused(new() { Tls = true, CaFile = "nowhere.pem" }, "'nowhere.pem', which is no file");
        Refused(new() { Tls = true, ClientCertificate = "nowhere.pfx" }, "nowhere.pfx");

        static void Refused(BrokerOptions options, string says) =>
            Assert.Contains(says, Assert.Throws<ConfigException>(options.Check).Message, StringComparison.Ordinal);
    }
}
