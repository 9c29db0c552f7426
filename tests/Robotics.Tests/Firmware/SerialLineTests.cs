using Robotics.Firmware.Serial;

namespace Robotics.Tests.Firmware;

/// <summary>Both kinds of serial line over a pseudo-terminal.</summary>
public sealed class SerialLineTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Glance = TimeSpan.FromMilliseconds(5);

    private readonly TemporaryFolder _folder = new();
    private readonly PseudoTerminal _device;

    public SerialLineTests()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "pseudo-terminals are Linux here");
        _device = new PseudoTerminal(Path.Combine(_folder.Path, "port"));
    }

    public enum Kind
    {
        Termios,
        Port,
    }

    public void Dispose()
    {
        _device?.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData(Kind.Termios)]
    [InlineData(Kind.Port)]
    public void EveryByteValue_PassesBothWaysUnchanged(Kind kind)
    {
        using var line = Open(kind);
        byte[] all = [.. Enumerable.Range(0, 256).Select(i => (byte)i)];
        Assert.True(line.Write(all));
        Assert.Equal(all, Take(_device, 256));
        Assert.True(_device.Write(all));
        Assert.Equal(all, Take(line, 256));
    }

    [Theory]
    [InlineData(Kind.Termios)]
    [InlineData(Kind.Port)]
    public void Read_WhenNothingComes_IsZero(Kind kind)
    {
        using var line = Open(kind);
        Assert.Equal(0, line.Read(new byte[8], TimeSpan.Zero));
        Assert.Equal(0, line.Read(new byte[8], Glance));
    }

    [Theory]
    [InlineData(Kind.Termios)]
    [InlineData(Kind.Port)]
    public void ReadAndWrite_WhenTheDeviceWasUnplugged_SayGone(Kind kind)
    {
        using var line = Open(kind);
        _device.Dispose();
        Assert.Equal(-1, line.Read(new byte[8], Glance));
        Assert.False(line.Write([1, 2, 3]));
        Assert.Equal(-1, line.Read(new byte[8], Glance));
    }

    [Fact]
    public void Open_AfterTheDeviceCameBackElsewhere_FollowsTheLink()
    {
        using (Open(Kind.Termios))
        {
            _device.Dispose();
        }

        using var other = new PseudoTerminal(); // takes the number that the first one had
        using var again = new PseudoTerminal(_device.Link);
        Assert.NotEqual(_device.Path, again.Path);
        using var line = Open(Kind.Termios);
        Assert.True(line.Write([42]));
        Assert.Equal([42], Take(again, 1));
    }

    [Theory]
    [InlineData(Kind.Termios)]
    [InlineData(Kind.Port)]
    public void Open_WhenNothingIsThere_NamesThePort(Kind kind)
    {
        string absent = Path.Combine(_folder.Path, "absent");
        var failure = Assert.Throws<IOException>(() => Open(kind, absent));
        Assert.Contains(absent, failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_OfAFile_SaysThatItIsNoSerialLine()
    {
        string file = Path.Combine(_folder.Path, "file");
        File.WriteAllText(file, "");
        var failure = Assert.Throws<IOException>(() => Open(Kind.Termios, file));
        Assert.Contains("cannot be set to 1000000 bit/s", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_OfAPortInUse_SaysSo()
    {
        using var first = Open(Kind.Termios);
        var failure = Assert.Throws<IOException>(() => Open(Kind.Termios));
        Assert.Contains("is used by another program", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ReadAndWrite_AllocateNothing()
    {
        using var line = Open(Kind.Termios);
        byte[] sent = new byte[32];
        byte[] taken = new byte[64];
        Assert.Equal(0, Allocated.ByThisThread(() =>
        {
            for (int i = 0; i < 100; i++)
            {
                line.Write(sent);
                for (int got = 0; got < sent.Length;)
                {
                    got += _device.Read(taken, Patience);
                }

                _device.Write(sent);
                for (int got = 0; got < sent.Length;)
                {
                    got += line.Read(taken, Patience);
                }

                line.Read(taken, TimeSpan.Zero);
            }
        }));
    }

    [Fact]
    public void Write_WhenNobodyTakes_GivesUp()
    {
        using var line = Open(Kind.Termios);
        Assert.False(line.Write(new byte[1 << 20]));
    }

    private ISerialLine Open(Kind kind, string? path = null) => kind == Kind.Port
        ? new PortLine(path ?? _device.Name, 115_200)
        : SerialLine.Open(path ?? _device.Name, 1_000_000);

    private static byte[] Take(ISerialLine line, int count)
    {
        byte[] taken = new byte[count];
        for (int at = 0; at < count;)
        {
            int got = line.Read(taken.AsSpan(at), Patience);
            Assert.True(got > 0, $"{line.Name} gave {at} of {count} bytes, then {got}");
            at += got;
        }

        return taken;
    }
}
