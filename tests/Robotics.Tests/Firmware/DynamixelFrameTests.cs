using System.Text;
using Robotics.Firmware.Dynamixel;
using Robotics.Firmware.Servos;
using Robotics.Numerics;

namespace Robotics.Tests.Firmware;

/// <summary>Packets of Protocol 2.0 against the examples of Robotis' e-Manual ("Protocol 2.0", sections "Ping" to "Sync Write").</summary>
public sealed class DynamixelFrameTests
{
    private const string ReplyToPing = "FF FF FD 00 01 07 00 55 00 06 04 26 65 5D";
    private const string ReplyToRead = "FF FF FD 00 01 08 00 55 00 A6 00 00 00 8C C0";

    [Theory]
    [InlineData(1, DynamixelInstruction.Ping, "", "FF FF FD 00 01 03 00 01 19 4E")]
    [InlineData(1, DynamixelInstruction.Status, "00 06 04 26", ReplyToPing)]
    [InlineData(1, DynamixelInstruction.Read, "84 00 04 00", "FF FF FD 00 01 07 00 02 84 00 04 00 1D 15")]
    [InlineData(1, DynamixelInstruction.Status, "00 A6 00 00 00", ReplyToRead)]
    [InlineData(1, DynamixelInstruction.Write, "74 00 00 02 00 00", "FF FF FD 00 01 09 00 03 74 00 00 02 00 00 CA 89")]
    [InlineData(0xFE, DynamixelInstruction.SyncRead, "84 00 04 00 01 02", "FF FF FD 00 FE 09 00 82 84 00 04 00 01 02 CE FA")]
    [InlineData(0xFE, DynamixelInstruction.SyncWrite, "74 00 04 00 01 96 00 00 00 02 AA 00 00 00",
        "FF FF FD 00 FE 11 00 83 74 00 04 00 01 96 00 00 00 02 AA 00 00 00 82 87")]
    public void ManualsExamples_ByteForByte(byte id, DynamixelInstruction instruction, string parameters, string frame)
    {
        byte[] into = new byte[64];
        int length = DynamixelFrame.Write(into, id, instruction, Hex.Bytes(parameters));
        Assert.Equal(frame, Hex.Text(into.AsSpan(0, length)));

        var received = Received(into.AsSpan(0, length));
        Assert.True(DynamixelFrame.TryTake(received, out var packet));
        Assert.Equal(id, packet.Id);
        Assert.Equal(instruction, packet.Instruction);
        Assert.Equal(parameters, Hex.Text(packet.Parameters));
        Assert.Equal(0, received.Bytes.Length);
        Assert.Equal(0UL, received.Skipped);
    }

    // CRC-16/BUYPASS (also CRC-16/UMTS): check value of the catalogue of parametrised CRC algorithms.
    [Fact]
    public void Crc_OfTheCheckString_IsTheCatalogues() => Assert.Equal(0xFEE8, DynamixelFrame.Crc(Encoding.ASCII.GetBytes("123456789")));

    [Theory]
    [InlineData("FF FF FD", "FF FF FD FD")]
    [InlineData("01 FF FF FD 02", "01 FF FF FD FD 02")]
    [InlineData("FF FF FD FD", "FF FF FD FD FD")]
    [InlineData("FF FF FF FD", "FF FF FF FD FD")]
    [InlineData("FF FF FD FF FF FD", "FF FF FD FD FF FF FD FD")]
    [InlineData("FF FD FF FD", "FF FD FF FD")]
    public void HeaderInsideParameters_IsStuffedOnTheWireAndGoneAfterwards(string parameters, string onTheWire)
    {
        byte[] into = new byte[64];
        int length = DynamixelFrame.Write(into, 7, DynamixelInstruction.Write, Hex.Bytes(parameters));
        Assert.Equal(onTheWire, Hex.Text(into.AsSpan(8, length - DynamixelFrame.Overhead)));
        Assert.Equal(length - 7, into[5]);
        Assert.True(DynamixelFrame.TryTake(Received(into.AsSpan(0, length)), out var packet));
        Assert.Equal(parameters, Hex.Text(packet.Parameters));
    }

    [Fact]
    public void EverySplit_GivesBothPackets()
    {
        byte[] both = [.. Hex.Bytes(ReplyToPing), .. Hex.Bytes(ReplyToRead)];
        for (int cut = 0; cut <= both.Length; cut++)
        {
            var received = new FrameBuffer(64);
            int packets = 0;
            foreach (byte[] part in new[] { both[..cut], both[cut..] })
            {
                received.Add(part);
                while (DynamixelFrame.TryTake(received, out var packet))
                {
                    Assert.Equal(packets == 0 ? "00 06 04 26" : "00 A6 00 00 00", Hex.Text(packet.Parameters));
                    packets++;
                }
            }

            Assert.Equal(2, packets);
        }
    }

    [Fact]
    public void Garbage_BeforeBetweenAndAfter_CostsNoPacket()
    {
        var random = new SeededRandom(3);
        for (int round = 0; round < 2000; round++)
        {
            byte[] bytes = [.. Noise(random), .. Hex.Bytes(ReplyToPing), .. Noise(random), .. Hex.Bytes(ReplyToRead), .. Noise(random)];
            var received = Received(bytes);
            int pings = 0;
            int reads = 0;
            while (DynamixelFrame.TryTake(received, out var packet))
            {
                pings += packet.Parameters.SequenceEqual(Hex.Bytes("00 06 04 26")) ? 1 : 0;
                reads += packet.Parameters.SequenceEqual(Hex.Bytes("00 A6 00 00 00")) ? 1 : 0;
            }

            Assert.Equal((1, 1), (pings, reads));
        }
    }

    [Fact]
    public void SingleBitErrors_AreNeverAccepted()
    {
        byte[] good = Hex.Bytes("FF FF FD 00 FE 11 00 83 74 00 04 00 01 96 00 00 00 02 AA 00 00 00 82 87");
        for (int bit = 0; bit < 8 * good.Length; bit++)
        {
            byte[] bad = [.. good];
            bad[bit / 8] ^= (byte)(1 << (bit % 8));
            var received = Received([.. bad, .. Hex.Bytes(ReplyToRead), .. new byte[64]]);
            int packets = 0;
            while (DynamixelFrame.TryTake(received, out var packet))
            {
                Assert.Equal("00 A6 00 00 00", Hex.Text(packet.Parameters));
                packets++;
            }

            // The packet behind the bad one is there, whatever the bad one claimed to be.
            Assert.True(packets == 1, $"bit {bit}: {packets} packets");
        }
    }

    [Fact]
    public void RandomBytes_NeverThrowAndAllocateNothing()
    {
        var random = new SeededRandom(4);
        var received = new FrameBuffer(256);
        byte[] buffer = new byte[64];
        long allocated = Allocated.ByThisThread(() =>
        {
            for (int round = 0; round < 50_000; round++)
            {
                Hex.Fill(random, buffer);
                received.Add(buffer);
                while (DynamixelFrame.TryTake(received, out _))
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
        return noise;
    }

    private static FrameBuffer Received(ReadOnlySpan<byte> bytes)
    {
        var received = new FrameBuffer(512);
        received.Add(bytes);
        return received;
    }
}
