using Robotics.Firmware.Feetech;
using Robotics.Firmware.Servos;
using Robotics.Numerics;

namespace Robotics.Tests.Firmware;

/// <summary>Packets of the STS series against the examples of Feetech's protocol manual.</summary>
public sealed class FeetechFrameTests
{
    private const string ReplyToRead = "FF FF 01 04 00 18 05 DD";

    [Theory]
    [InlineData(1, 0x01, "", "FF FF 01 02 01 FB")]
    [InlineData(1, 0x00, "", "FF FF 01 02 00 FC")]
    [InlineData(1, 0x02, "38 02", "FF FF 01 04 02 38 02 BE")]
    [InlineData(1, 0x00, "18 05", ReplyToRead)]
    [InlineData(1, 0x03, "2A 00 08 00 00 E8 03", "FF FF 01 09 03 2A 00 08 00 00 E8 03 D5")]
    [InlineData(0xFE, 0x83, "2A 06 01 00 08 00 00 E8 03 02 00 08 00 00 E8 03 03 00 08 00 00 E8 03 04 00 08 00 00 E8 03",
        "FF FF FE 20 83 2A 06 01 00 08 00 00 E8 03 02 00 08 00 00 E8 03 03 00 08 00 00 E8 03 04 00 08 00 00 E8 03 58")]
    [InlineData(0xFE, 0x82, "38 08 01 02", "FF FF FE 06 82 38 08 01 02 36")]
    public void ManualsExamples_ByteForByte(byte id, byte code, string parameters, string frame)
    {
        byte[] into = new byte[64];
        int length = FeetechFrame.Write(into, id, code, Hex.Bytes(parameters));
        Assert.Equal(frame, Hex.Text(into.AsSpan(0, length)));

        var received = Received(into.AsSpan(0, length));
        Assert.True(FeetechFrame.TryTake(received, -1, out var packet));
        Assert.Equal((id, code), (packet.Id, packet.Code));
        Assert.Equal(parameters, Hex.Text(packet.Parameters));
        Assert.Equal(0UL, received.Skipped);
    }

    [Fact]
    public void EverySplit_GivesBothPackets()
    {
        byte[] both = [.. Hex.Bytes(ReplyToRead), .. Hex.Bytes("FF FF 02 04 00 19 05 DB")];
        for (int cut = 0; cut <= both.Length; cut++)
        {
            var received = new FrameBuffer(64);
            byte next = 1;
            foreach (byte[] part in new[] { both[..cut], both[cut..] })
            {
                received.Add(part);
                while (FeetechFrame.TryTake(received, 2, out var packet))
                {
                    Assert.Equal(next++, packet.Id);
                }
            }

            Assert.Equal(3, next);
        }
    }

    [Fact]
    public void Garbage_BeforeBetweenAndAfter_CostsNoPacket()
    {
        // A false packet of the right length passes with odds of 1 in 256 for every FF FF in the noise; a packet hidden in one would be
        // lost, so the noise has no FF: that a header of noise costs nothing is the next test.
        var random = new SeededRandom(5);
        for (int round = 0; round < 2000; round++)
        {
            byte[] bytes = [.. Noise(random), .. Hex.Bytes(ReplyToRead), .. Noise(random), .. Hex.Bytes(ReplyToRead), .. Noise(random)];
            var received = Received(bytes);
            int packets = 0;
            while (FeetechFrame.TryTake(received, 2, out var packet))
            {
                Assert.Equal("18 05", Hex.Text(packet.Parameters));
                packets++;
            }

            Assert.Equal(2, packets);
        }
    }

    [Theory]
    [InlineData("FF")]
    [InlineData("FF FF")]
    [InlineData("FF FF FF")]
    [InlineData("FF FF 01")]
    [InlineData("FF FF 01 04")]
    [InlineData("FF FF 01 04 00 18")]
    [InlineData("FF FF 01 00")]
    public void BeginningOfAPacketBeforeAWholeOne_CostsNothing(string beginning)
    {
        var received = Received([.. Hex.Bytes(beginning), .. Hex.Bytes(ReplyToRead)]);
        Assert.True(FeetechFrame.TryTake(received, 2, out var packet));
        Assert.Equal("18 05", Hex.Text(packet.Parameters));
        Assert.Equal((ulong)Hex.Bytes(beginning).Length, received.Skipped);
    }

    [Fact]
    public void SingleBitErrors_AreNeverAccepted()
    {
        // One bit changes the sum by a power of two below 256, so the checksum sees every one; in the length it makes another packet.
        byte[] good = Hex.Bytes("FF FF 03 04 00 18 05 DB");
        for (int bit = 0; bit < 8 * good.Length; bit++)
        {
            byte[] bad = [.. good];
            bad[bit / 8] ^= (byte)(1 << (bit % 8));
            var received = Received([.. bad, .. Hex.Bytes(ReplyToRead), .. new byte[8]]);
            int packets = 0;
            while (FeetechFrame.TryTake(received, 2, out var packet))
            {
                Assert.Equal(1, packet.Id);
                packets++;
            }

            Assert.True(packets == 1, $"bit {bit}: {packets} packets");
        }
    }

    [Fact]
    public void RandomBytes_NeverThrowAndAllocateNothing()
    {
        var random = new SeededRandom(6);
        var received = new FrameBuffer(512);
        byte[] buffer = new byte[64];
        long allocated = Allocated.ByThisThread(() =>
        {
            for (int round = 0; round < 50_000; round++)
            {
                Hex.Fill(random, buffer);
                received.Add(buffer);
                while (FeetechFrame.TryTake(received, (round % 12) - 1, out _))
                {
                }

                Assert.True(received.Free().Length > 0, "stuck: full of bytes that become no packet");
            }
        });
        Assert.Equal(0, allocated);
    }

    private static byte[] Noise(SeededRandom random)
    {
        byte[] noise = new byte[random.NextInt(0, 24)];
        Hex.Fill(random, noise);
        return [.. noise.Select(value => value == 0xFF ? (byte)0 : value)];
    }

    private static FrameBuffer Received(ReadOnlySpan<byte> bytes)
    {
        var received = new FrameBuffer(512);
        received.Add(bytes);
        return received;
    }
}
