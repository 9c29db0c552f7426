using System.Text;
using Robotics.Episodes;
using Robotics.Numerics;

namespace Robotics.Tests.Core;

public sealed class EpisodesMcapTests
{
    [Theory]
    [InlineData("123456789", 0xCBF43926)] // the check value of every CRC catalogue
    [InlineData("", 0x00000000)]
    [InlineData("a", 0xE8B7BE43)] // zlib.crc32(b"a")
    [InlineData("The quick brown fox jumps over the lazy dog", 0x414FA339)] // zlib
    public void Crc32_OfKnownText_IsTheKnownValue(string text, uint expected) =>
        Assert.Equal(expected, Crc32.Compute(Encoding.ASCII.GetBytes(text)));

    [Fact]
    public void Crc32_InAnyTwoPieces_IsTheCrcOfTheWhole()
    {
        byte[] bytes = [.. Enumerable.Range(0, 41).Select(i => (byte)(i * 37))];
        for (int cut = 0; cut <= bytes.Length; cut++)
        {
            Assert.Equal(Crc32.Compute(bytes), Crc32.Append(Crc32.Compute(bytes.AsSpan(0, cut)), bytes.AsSpan(cut)));
        }
    }

    [Fact]
    public void Reader_OfAFinishedFile_ReturnsEverythingThatWasWritten()
    {
        using var reader = Read(Small());
        Assert.True(reader.Finished);
        Assert.Empty(reader.Losses);
        Assert.Equal(Expected(), Payloads(reader));
        Assert.Equal("schema.A", reader.Channels.First(channel => channel.Topic == "/a").SchemaName);
        Assert.Equal("hello", Encoding.UTF8.GetString(Assert.Single(reader.Attachments).Data.Span));
        Assert.Equal("värde", reader.Metadata["facts"]["nyckel"]);
        Assert.Equal(2, reader.Messages("/b").Count());
    }

    [Fact]
    public void Reader_OfAFileCutAtEveryByte_ReturnsAPrefixAndSaysSo()
    {
        byte[] whole = Small();
        string[] expected = Expected();
        int most = 0;
        for (int cut = 0; cut < whole.Length; cut++)
        {
            using var reader = Read(whole[..cut]);
            string[] found = Payloads(reader);
            Assert.False(reader.Finished);
            Assert.Equal(expected[..found.Length], found);
            Assert.True(found.Length >= most, $"a longer file gave fewer rows at {cut}");
            Assert.True(reader.Losses.All(loss => (loss.Bytes > 0 || cut == 0) && loss.Offset + loss.Bytes == cut), $"the loss does not reach the end at {cut}");
            most = found.Length;
        }

        Assert.Equal(expected.Length, most);
    }

    [Fact]
    public void Reader_OfAFileWithAnyByteChanged_NeverThrowsAndNeverInventsRows()
    {
        byte[] whole = Small();
        for (int at = 8; at < whole.Length; at++)
        {
            byte[] hurt = [.. whole];
            hurt[at] ^= 0x41;
            using var reader = Read(hurt);
            Assert.Subset(Expected().ToHashSet(), Payloads(reader).ToHashSet());
        }
    }

    [Fact]
    public void Reader_OfRandomBytesBehindTheMagic_NeverThrows()
    {
        var random = new Random(3);
        for (int i = 0; i < 2000; i++)
        {
            byte[] bytes = new byte[8 + random.Next(200)];
            random.NextBytes(bytes);
            Small().AsSpan(0, 8).CopyTo(bytes);
            if (bytes.Length > 17)
            {
                bytes[8] = (byte)random.Next(1, 16); // a real record kind with a length that may even fit
                bytes.AsSpan(10, 7).Clear();
            }

            using var reader = Read(bytes);
            Assert.NotNull(Payloads(reader));
        }
    }

    [Fact]
    public void Reader_WhenOneChunkIsDamaged_KeepsTheOthersAndNamesTheLoss()
    {
        byte[] bytes = Small();
        int at = bytes.AsSpan().IndexOf("a-2"u8); // inside the first chunk
        bytes[at] ^= 1;
        using var reader = Read(bytes);
        var loss = Assert.Single(reader.Losses);
        Assert.Contains("CRC", loss.Why, StringComparison.Ordinal);
        Assert.InRange(at, loss.Offset, loss.Offset + loss.Bytes);
        Assert.Equal(Expected()[3..], Payloads(reader));
    }

    [Fact]
    public void Reader_OfSomethingElse_SaysWhatItSawAndWhatToGive()
    {
        var error = Assert.Throws<EpisodeException>(() => Read("PK\u0003\u0004 a zip file"u8.ToArray()));
        Assert.Equal("test.mcap is not a record: an MCAP file begins with the bytes 89 4D 43 41 50 30 0D 0A, this one with 504B03042061207A. "
            + "Give the .mcap file that a run wrote.", error.Message);
    }

    [Fact]
    public void Writer_WhenTheDiskIsFull_ThrowsAtOnceAndLeavesTheChunksBefore()
    {
        var disk = new SmallDisk(900);
        var writer = Begin(disk, out ushort a, out ushort b);
        writer.Write(a, 1, "a-1"u8);
        writer.CloseChunk();
        writer.Write(b, 2, new byte[2000]);
        Assert.Throws<IOException>(writer.CloseChunk);
        Assert.Throws<IOException>(writer.Flush);
        writer.Dispose(); // told already: closes in peace

        using var reader = Read(disk.Taken);
        Assert.Equal(["/a 1 a-1"], Payloads(reader));
        Assert.Contains("ends within a chunk of rows", Assert.Single(reader.Losses).Why, StringComparison.Ordinal);
    }

    [Fact]
    public void Dispose_WhenTheDiskIsFullOnlyThen_Throws()
    {
        var disk = new SmallDisk(900);
        var writer = Begin(disk, out ushort a, out _);
        writer.Write(a, 1, new byte[2000]);
        Assert.Throws<IOException>(writer.Dispose);
        writer.Dispose();
    }

    private static McapWriter Begin(Stream stream, out ushort a, out ushort b)
    {
        var writer = new McapWriter(stream, "test", chunkSize: 80);
        a = writer.AddChannel(writer.AddSchema("schema.A", "jsonschema", "{}"u8), "/a", "json");
        b = writer.AddChannel(writer.AddSchema("schema.B", "jsonschema", "{}"u8), "/b", "json");
        return writer;
    }

    private static byte[] Small()
    {
        var stream = new MemoryStream();
        using (var writer = Begin(stream, out ushort a, out ushort b))
        {
            writer.AddMetadata("facts", [new("nyckel", "värde"), new("empty", "")]);
            writer.AddAttachment("note.txt", "text/plain", 9, "hello"u8);
            writer.Write(a, 10, "a-1"u8);
            writer.Write(a, 30, "a-2"u8);
            writer.Write(b, 20, "b-1"u8); // the chunk is full here
            writer.Write(a, 40, "a-3"u8);
            writer.CloseChunk();
            writer.Write(b, 50, ""u8);
        }

        return stream.ToArray();
    }

    private static string[] Expected() => ["/a 10 a-1", "/a 30 a-2", "/b 20 b-1", "/a 40 a-3", "/b 50 "];

    private static McapReader Read(byte[] bytes) => new(new MemoryStream(bytes), "test.mcap");

    private static string[] Payloads(McapReader reader) =>
        [.. reader.Messages().Select(message => $"{message.Channel.Topic} {message.LogTime} {Encoding.UTF8.GetString(message.Data.Span)}")];

    /// <summary>A disk that takes so many bytes and then, like a real one, part of a write before it fails.</summary>
    private sealed class SmallDisk(int room) : MemoryStream
    {
        public byte[] Taken => ToArray();

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            int fits = Math.Min(buffer.Length, room - (int)Length);
            base.Write(buffer[..fits]);
            if (fits < buffer.Length)
            {
                throw new IOException("No space left on device");
            }
        }
    }
}
