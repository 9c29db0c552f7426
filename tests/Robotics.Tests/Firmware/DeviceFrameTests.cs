using System.Globalization;
using Robotics.Firmware.Wire;
using Robotics.Numerics;

namespace Robotics.Tests.Firmware;

/// <summary>Frames of the device protocol: as PROTOCOL.md writes them, cut everywhere, with garbage everywhere, broken everywhere.</summary>
public sealed class DeviceFrameTests
{
    private static readonly CommandHeader Command = new(77, 50, 1000, 5_000_000, 5_060_000, 20_000);
    private static readonly StateHeader State = new(5_010_000, 1000, 4_200, DeviceMode.Active, DeviceReason.None, 2, DeviceReason.Stale);

    [Fact]
    public void Protocol_Hello_IsWhatWeWrite()
    {
        Span<byte> payload = stackalloc byte[8];
        Payloads.WriteHello(payload, 0x11223344);
        Check("hello", MessageType.Hello, 1, payload);
    }

    [Fact]
    public void Protocol_Command_IsWhatWeWrite()
    {
        Span<byte> payload = stackalloc byte[24];
        Assert.Equal(24, Payloads.WriteCommand(payload, in Command, 1, [5000, -2500]));
        Check("command", MessageType.Command, 258, payload);
    }

    [Fact]
    public void Protocol_State_IsWhatWeRead()
    {
        var reader = new FrameReader();
        ReadOnlySpan<byte> wire = Documented("state-wire");
        Assert.True(reader.Next(ref wire));
        Assert.Equal(MessageType.State, reader.Type);
        var counts = new short[6];
        Assert.True(Payloads.ReadState(reader.Payload, out var header, counts));
        Assert.Equal(State, header);
        Assert.Equal<short>([4900, 1000, -1500, -2500, 0, 0], counts);
        Assert.False(Payloads.ReadState(reader.Payload, out _, new short[3]));
        Check("state", MessageType.State, 513, reader.Payload.ToArray());
    }

    [Fact]
    public void Protocol_Event_IsWhatWeFrame() => Check("event", MessageType.Event, 514, Documented("event").AsSpan(4..^4));

    [Theory]
    [InlineData("", "01")]
    [InlineData("00", "01 01")]
    [InlineData("11 22 00 33", "03 11 22 02 33")]
    [InlineData("11 00 00 00", "02 11 01 01 01")]
    public void Cobs_Vectors(string plain, string stuffed)
    {
        var bytes = new byte[8];
        int length = Cobs.Encode(Hex(plain), bytes);
        Assert.Equal(Hex(stuffed), bytes[..length]);
        int back = Cobs.Decode(bytes.AsSpan(0, length));
        Assert.Equal(Hex(plain), bytes[..back]);
    }

    [Fact]
    public void Cobs_OfEveryLength_ComesBack()
    {
        var random = new SeededRandom(3);
        for (int length = 0; length < 600; length++)
        {
            byte[] plain = [.. Enumerable.Range(0, length).Select(_ => (byte)(random.NextInt(0, 300) == 0 ? 0 : random.NextInt(1, 256)))];
            var stuffed = new byte[Cobs.Room(length)];
            int count = Cobs.Encode(plain, stuffed);
            Assert.False(stuffed.AsSpan(0, count).Contains((byte)0));
            Assert.Equal(length, Cobs.Decode(stuffed.AsSpan(0, count)));
            Assert.Equal(plain, stuffed[..length]);
        }
    }

    [Fact]
    public void Reader_OfEveryCut_ReadsTheFrameOnce()
    {
        var random = new SeededRandom(4);
        for (int i = 0; i < 50; i++)
        {
            byte[] frame = RandomFrame(random, i == 0 ? Frame.MaxPayload : 40);
            for (int cut = 0; cut <= frame.Length; cut++)
            {
                var reader = new FrameReader();
                Assert.Equal(cut == frame.Length ? 1 : 0, Feed(reader, frame.AsSpan(0, cut)));
                Assert.Equal(cut == frame.Length ? 0 : 1, Feed(reader, frame.AsSpan(cut)));
                Assert.Equal(0ul, reader.Bad);
            }
        }
    }

    [Fact]
    public void Reader_AfterAnyGarbage_LosesOneFrameAtMost()
    {
        var random = new SeededRandom(5);
        var junk = new byte[400];
        for (int i = 0; i < 20_000; i++)
        {
            var reader = new FrameReader();
            Fill(random, junk);
            Feed(reader, junk.AsSpan(0, random.NextInt(0, junk.Length)));
            Feed(reader, RandomFrame(random, 60));
            Assert.Equal(1, Feed(reader, RandomFrame(random, 60)));
        }
    }

    [Fact]
    public void Reader_OfEverySingleBitError_RefusesAndReadsTheNext()
    {
        var random = new SeededRandom(6);
        byte[] next = RandomFrame(random, 4);
        var reader = new FrameReader();
        for (int i = 0; i < 1000; i++)
        {
            byte[] frame = RandomFrame(random, 40);
            for (int bit = 0; bit < 8 * frame.Length; bit++)
            {
                frame[bit / 8] ^= (byte)(1 << (bit % 8));
                Assert.Equal(0, Feed(reader, frame));

                // A broken delimiter glues the next frame to this one; the one after that is read.
                int read = Feed(reader, next);
                Assert.True(read == 1 || (bit / 8 == frame.Length - 1 && Feed(reader, next) == 1));
                frame[bit / 8] ^= (byte)(1 << (bit % 8));
            }
        }
    }

    [Fact]
    public void Reader_OfAMillionRandomBuffers_AcceptsNone()
    {
        var random = new SeededRandom(7);
        var reader = new FrameReader();
        var bytes = new byte[64];
        int accepted = 0;
        for (int i = 0; i < 1_000_000; i++)
        {
            Fill(random, bytes);
            int length = bytes[0] % bytes.Length;
            bytes[length] = 0;
            accepted += Feed(reader, bytes.AsSpan(0, length + 1));
        }

        Assert.Equal(0, accepted);
        Assert.True(reader.BadChecksum > 1000, "the buffers never came as far as the checksum");
    }

    [Fact]
    public void Reader_OfAnEndlessFrame_SkipsItAndOfAnotherVersionSaysSo()
    {
        var reader = new FrameReader();
        byte[] endless = new byte[1000];
        Array.Fill(endless, (byte)9);
        Assert.Equal(0, Feed(reader, endless));
        Assert.Equal(0, Feed(reader, [0]));
        Assert.Equal(1ul, reader.BadLength);
        byte[] packet = [2, 1, 0, 0, 0, 0, 0, 0];
        System.Buffers.Binary.BinaryPrimitives.WriteUInt32LittleEndian(packet.AsSpan(4), Crc32.Compute(packet.AsSpan(0, 4)));
        var wire = new byte[16];
        Feed(reader, wire.AsSpan(0, Cobs.Encode(packet, wire) + 1));
        Assert.Equal(1ul, reader.BadVersion);
    }

    [Fact]
    public void ReaderAndWriter_AllocateNothing()
    {
        var reader = new FrameReader();
        var wire = new byte[Frame.MaxWire];
        var payload = new byte[100];
        int read = 0;
        Assert.Equal(0, Allocated.ByThisThread(() =>
        {
            for (int i = 0; i < 10_000; i++)
            {
                read += Feed(reader, wire.AsSpan(0, Frame.Write(wire, MessageType.State, (ushort)i, payload)));
                Feed(reader, payload);
            }
        }));
        Assert.True(read >= 10_000);
    }

    [Fact]
    public void DeviceClock_FindsOffsetAndDrift()
    {
        var clock = new Robotics.Firmware.DeviceClock();
        var random = new SeededRandom(8);
        const double Drift = 50e-6;
        long DeviceUs(long localNs) => (long)(((localNs * (1 + Drift)) + 7e9) / 1000);
        long now = 1_000_000_000;
        for (int i = 0; i < 400; i++)
        {
            // Both ways take 100 us, and some of them up to 2 ms longer.
            long there = 100_000 + (random.NextInt(0, 4) == 0 ? random.NextInt(0, 2_000_000) : 0);
            long back = 100_000 + (random.NextInt(0, 4) == 0 ? random.NextInt(0, 2_000_000) : 0);
            clock.Add(new(now), (ulong)DeviceUs(now + there), (ulong)DeviceUs(now + there + 5_000), new(now + there + 5_000 + back));
            now += 100_000_000;
        }

        Assert.Equal(Drift, clock.Drift, 3e-6);
        Assert.True(Math.Abs(clock.ToLocal((ulong)DeviceUs(now)).Nanoseconds - now) < 20_000);
        Assert.True(Math.Abs((long)clock.ToDevice(new(now)) - DeviceUs(now)) < 20);
    }

    private static void Check(string name, MessageType type, ushort sequence, ReadOnlySpan<byte> payload)
    {
        byte[] documented = Documented(name + "-wire");
        var wire = new byte[Frame.MaxWire];
        Assert.Equal(documented, wire[..Frame.Write(wire, type, sequence, payload)]);
        int length = Cobs.Decode(documented.AsSpan(..^1));
        Assert.Equal(Documented(name), documented[..length]);
    }

    private static byte[] Documented(string fence)
    {
        string[] lines = File.ReadAllLines(Path.Combine(Repository.Root, "firmware-bridge", "PROTOCOL.md"));
        var bytes = new List<byte>();
        foreach (string line in lines.SkipWhile(line => line != "```" + fence).Skip(1).TakeWhile(line => line != "```"))
        {
            Assert.Equal(bytes.Count, int.Parse(line.AsSpan(0, 4), CultureInfo.InvariantCulture));
            bytes.AddRange(Hex(fence.EndsWith("-wire", StringComparison.Ordinal) ? line[6..] : line[6..30]));
        }

        Assert.NotEmpty(bytes);
        return [.. bytes];
    }

    private static byte[] Hex(string text) => Convert.FromHexString(text.Replace(" ", "", StringComparison.Ordinal));

    private static void Fill(SeededRandom random, byte[] bytes)
    {
        for (int i = 0; i + 4 <= bytes.Length; i += 4)
        {
            System.Buffers.Binary.BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(i), random.NextInt(int.MinValue, int.MaxValue));
        }
    }

    private static byte[] RandomFrame(SeededRandom random, int longest)
    {
        var payload = new byte[random.NextInt(0, longest + 1)];
        for (int i = 0; i < payload.Length; i++)
        {
            payload[i] = (byte)(random.NextInt(0, 4) == 0 ? 0 : random.NextInt(0, 256));
        }

        var wire = new byte[Frame.MaxWire];
        return wire[..Frame.Write(wire, (MessageType)random.NextInt(0, 256), (ushort)random.NextInt(0, 65536), payload)];
    }

    private static int Feed(FrameReader reader, ReadOnlySpan<byte> bytes)
    {
        int good = 0;
        while (reader.Next(ref bytes))
        {
            good++;
        }

        return good;
    }
}
