using System.Globalization;
using Robotics.Fleet;
using Robotics.Numerics;

namespace Robotics.Tests.Fleet;

public sealed class FramesTests
{
    private static readonly StateHeader State = new(1000, new(5_000_000_000), new(5_000_150_000), RobotMode.Active, HoldReason.None, 3, 77, 12_345_678, 2);
    private static readonly CommandHeader Command = new(3, 78, new(5_000_000_000), new(900_000_000_000), new(5_050_000_000), 100_000, false);
    private static readonly float[] Signals = [0.25f, -0.5f, 1, 0, 0, 2];
    private static readonly float[] Targets = [0.3f, -0.45f];

    [Fact]
    public void Protocol_StateFrame_IsWhatWeWriteAndRead()
    {
        byte[] documented = Documented("state");

        Assert.Equal(documented, StateFrame());
        var signals = new float[6];
        Assert.Equal(FrameStatus.Ok, Frames.ReadState(documented, out var header, signals));
        Assert.Equal(State, header);
        Assert.Equal(Signals, signals);
    }

    [Fact]
    public void Protocol_CommandFrame_IsWhatWeWriteAndRead()
    {
        byte[] documented = Documented("command");

        Assert.Equal(documented, CommandFrame(Command));
        var targets = new float[2];
        Assert.Equal(FrameStatus.Ok, Frames.ReadCommand(documented, out var header, targets));
        Assert.Equal(Command, header);
        Assert.Equal(Targets, targets);
    }

    [Fact]
    public void ReadCommand_OfAHold_HasNoTargets()
    {
        byte[] frame = CommandFrame(Command with { Hold = true });
        float[] targets = [9, 9];

        Assert.Equal(Frames.CommandOverhead, frame.Length);
        Assert.Equal(FrameStatus.Ok, Frames.ReadCommand(frame, out var header, targets));
        Assert.True(header.Hold);
        Assert.Equal([9, 9], targets);
    }

    [Fact]
    public void Read_OfEveryCut_IsRefused()
    {
        foreach (byte[] frame in Samples())
        {
            for (int length = 0; length < frame.Length; length++)
            {
                Refused(frame.AsSpan(0, length));
            }
        }
    }

    [Fact]
    public void Read_OfATail_IsRefused()
    {
        foreach (byte[] frame in Samples())
        {
            foreach (int more in new[] { 1, 3, 4, 8, 4096, 70_000 })
            {
                Refused([.. frame, .. new byte[more]]);
            }
        }
    }

    [Fact]
    public void Read_OfEverySingleBitError_IsRefused()
    {
        foreach (byte[] frame in Samples())
        {
            for (int bit = 0; bit < 8 * frame.Length; bit++)
            {
                frame[bit / 8] ^= (byte)(1 << (bit % 8));
                Refused(frame);
                frame[bit / 8] ^= (byte)(1 << (bit % 8));
            }
        }
    }

    [Fact]
    public void Read_OfRandomMutations_IsRefusedAndLeavesTheBuffers()
    {
        var random = new SeededRandom(1);
        var samples = Samples();
        for (int i = 0; i < 100_000; i++)
        {
            Refused(Mutation.Of(samples[i % samples.Length], random));
        }
    }

    [Fact]
    public void ReadCommand_OfANewerVersion_SaysSo()
    {
        byte[] frame = CommandFrame(Command);
        frame[2] = 2;
        Seal(frame);

        Assert.Equal(FrameStatus.Version, Frames.ReadCommand(frame, out _, new float[2]));
    }

    [Fact]
    public void ReadCommand_OfAnotherType_IsForeign()
    {
        byte[] frame = CommandFrame(Command);
        frame[3] = 1;
        Seal(frame);

        Assert.Equal(FrameStatus.Foreign, Frames.ReadCommand(frame, out _, new float[2]));
        Assert.NotEqual(FrameStatus.Ok, Frames.ReadCommand(StateFrame(), out _, new float[2]));
    }

    [Fact]
    public void ReadCommand_ForAnotherRobot_HasTheWrongLength()
    {
        Assert.Equal(FrameStatus.Length, Frames.ReadCommand(CommandFrame(Command), out _, new float[3]));
    }

    [Fact]
    public void TimeRequest_OfAnyLength_IsReadOrRefused()
    {
        for (int length = 0; length < 200; length++)
        {
            Assert.Equal(length is > 8 and <= 72, Frames.ReadTimeRequest(new byte[length], out _, out _));
            Assert.Equal(length == 24, Frames.ReadTimeReply(new byte[length], out _, out _, out _));
        }
    }

    internal static void Seal(byte[] frame) =>
        System.Buffers.Binary.BinaryPrimitives.WriteUInt32LittleEndian(frame.AsSpan(frame.Length - 4), Crc32.Compute(frame.AsSpan(0, frame.Length - 4)));

    private static void Refused(ReadOnlySpan<byte> bytes)
    {
        float[] signals = [7, 7, 7, 7, 7, 7];
        float[] targets = [7, 7];
        Assert.NotEqual(FrameStatus.Ok, Frames.ReadState(bytes, out _, signals));
        Assert.NotEqual(FrameStatus.Ok, Frames.ReadCommand(bytes, out _, targets));
        Assert.All(signals, value => Assert.Equal(7, value));
        Assert.All(targets, value => Assert.Equal(7, value));
    }

    private static byte[][] Samples() => [StateFrame(), CommandFrame(Command), CommandFrame(Command with { Hold = true })];

    private static byte[] StateFrame()
    {
        var frame = new byte[Frames.StateOverhead + (4 * Signals.Length)];
        Assert.Equal(frame.Length, Frames.WriteState(frame, State, Signals));
        return frame;
    }

    private static byte[] CommandFrame(in CommandHeader header)
    {
        var frame = new byte[Frames.CommandOverhead + (4 * Targets.Length)];
        return frame[..Frames.WriteCommand(frame, header, Targets)];
    }

    // Lines of the fenced block: offset, bytes in hex, two blanks or more, meaning.
    private static byte[] Documented(string fence)
    {
        string[] lines = File.ReadAllLines(Path.Combine(Repository.Root, "src", "Robotics.Fleet", "PROTOCOL.md"));
        var bytes = new List<byte>();
        foreach (string line in lines.SkipWhile(line => line != "```" + fence).Skip(1).TakeWhile(line => line != "```"))
        {
            string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            Assert.Equal(bytes.Count, int.Parse(words[0], CultureInfo.InvariantCulture));
            bytes.AddRange(line[6..30].Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(hex => byte.Parse(hex, NumberStyles.HexNumber, CultureInfo.InvariantCulture)));
        }

        Assert.NotEmpty(bytes);
        return [.. bytes];
    }
}

/// <summary>Bytes broken at random, never back to what they were.</summary>
internal static class Mutation
{
    public static byte[] Of(byte[] whole, SeededRandom random)
    {
        while (true)
        {
            byte[] bytes = [.. whole];
            int changes = random.NextInt(1, 9);
            for (int i = 0; i < changes; i++)
            {
                int at = random.NextInt(0, bytes.Length);
                bytes[at] = random.NextInt(0, 3) switch
                {
                    0 => (byte)(bytes[at] ^ (1 << random.NextInt(0, 8))),
                    1 => (byte)random.NextInt(0, 256),
                    _ => bytes[random.NextInt(0, bytes.Length)],
                };
            }

            bytes = random.NextInt(0, 4) switch
            {
                0 => bytes[..random.NextInt(0, bytes.Length)],
                1 => [.. bytes, .. new byte[random.NextInt(1, 20)]],
                _ => bytes,
            };
            if (!bytes.AsSpan().SequenceEqual(whole))
            {
                return bytes;
            }
        }
    }
}
