using Robotics.Episodes;
using Robotics.Safety;

namespace Robotics.Tests.Core;

public sealed class EpisodesTests
{
    [Fact]
    public void Reader_OfAWholeRun_ReturnsHeaderAndRowsBitEqual()
    {
        float[] odd = [0f, -0f, float.Epsilon, float.MaxValue, 0.1f, 1 / 3f, float.NaN, float.PositiveInfinity, float.NegativeInfinity, 16777217f];
        var stream = new MemoryStream();
        using (var writer = new EpisodeWriter(stream, SampleRun.Header))
        {
            writer.Write(new TickRow
            {
                Tick = 3,
                Due = new(5_000_000_123),
                LatenessNs = -4,
                WorkNs = 5,
                State = ControlState.Holding,
                Reason = HoldReason.ClockJump,
                Observation = ulong.MaxValue,
                ObservationAgeNs = 6,
                ActionAgeNs = 7,
                Plan = 8,
                Row = 9,
                GateTouched = ulong.MaxValue,
                GateReasons = GateReasons.Range | GateReasons.Length,
                Signals = odd,
                Wanted = [1],
                Sent = [],
                Command = [2, 3],
            });
            writer.Write(new PlanRow
            {
                Plan = 1,
                RequestedAt = new(10),
                StartedAt = new(20),
                FinishedAt = new(30),
                Deadline = new(40),
                Status = PlanStatus.NotFinite,
                Calls = 8,
                AfterReset = true,
                Observation = odd,
                Chunk = [],
            });
            writer.Write(new EventRow(new(50), ControlState.Running, ControlState.EmergencyStop, HoldReason.EmergencyStop, "\"stop\" <now> → é"));
            writer.Write(new(60), new LinkStatus(false, HoldReason.LinkLost, TimeSpan.FromTicks(12), TimeSpan.FromTicks(-34), 56));
        }

        using var reader = Read(stream.ToArray());
        Assert.Equal(SampleRun.Header.StartedUtc, reader.Header!.StartedUtc);
        Assert.Equal(SampleRun.Header.StartedAt, reader.Header.StartedAt);
        Assert.Equal(SampleRun.Header.Robot, reader.Header.Robot);
        Assert.Equal(SampleRun.Header.Policy, reader.Header.Policy);
        Assert.Equal(SampleRun.Header.PolicySha256, reader.Header.PolicySha256);
        Assert.Equal(SampleRun.Header.Program, reader.Header.Program);
        Assert.Equal(SampleRun.Header.Properties.OrderBy(pair => pair.Key), reader.Header.Properties.OrderBy(pair => pair.Key));

        var tick = Assert.Single(reader.Ticks());
        Assert.Equal((3UL, 5_000_000_123L, -4L, 5L), (tick.Tick, tick.Due.Nanoseconds, tick.LatenessNs, tick.WorkNs));
        Assert.Equal((ControlState.Holding, HoldReason.ClockJump), (tick.State, tick.Reason));
        Assert.Equal((ulong.MaxValue, 6L, 7L, 8UL, 9), (tick.Observation, tick.ObservationAgeNs, tick.ActionAgeNs, tick.Plan, tick.Row));
        Assert.Equal((ulong.MaxValue, GateReasons.Range | GateReasons.Length), (tick.GateTouched, tick.GateReasons));
        Assert.Equal(odd.Select(BitConverter.SingleToUInt32Bits), tick.Signals.Select(BitConverter.SingleToUInt32Bits));
        Assert.Equal([1f], tick.Wanted);
        Assert.Empty(tick.Sent);
        Assert.Equal([2f, 3f], tick.Command);

        var plan = Assert.Single(reader.Plans());
        Assert.Equal((1UL, 10L, 20L, 30L, 40L), (plan.Plan, plan.RequestedAt.Nanoseconds, plan.StartedAt.Nanoseconds, plan.FinishedAt.Nanoseconds, plan.Deadline.Nanoseconds));
        Assert.Equal((PlanStatus.NotFinite, 8, true), (plan.Status, plan.Calls, plan.AfterReset));
        Assert.Equal(odd.Select(BitConverter.SingleToUInt32Bits), plan.Observation.Select(BitConverter.SingleToUInt32Bits));
        Assert.Empty(plan.Chunk);

        Assert.Equal(new EventRow(new(50), ControlState.Running, ControlState.EmergencyStop, HoldReason.EmergencyStop, "\"stop\" <now> → é"), Assert.Single(reader.Events()));
        Assert.Equal(new EpisodeLink(new(60), new LinkStatus(false, HoldReason.LinkLost, TimeSpan.FromTicks(12), TimeSpan.FromTicks(-34), 56)), Assert.Single(reader.Links()));
        Assert.Empty(reader.Damage());
    }

    [Fact]
    public void Write_WithRandomFloatBits_ReadsBackEqual()
    {
        var random = new Random(11);
        float[] values = [.. Enumerable.Range(0, 4000).Select(_ => BitConverter.Int32BitsToSingle(random.Next(int.MinValue, int.MaxValue))).Where(float.IsFinite)];
        var stream = new MemoryStream();
        using (var writer = new EpisodeWriter(stream, SampleRun.Header))
        {
            writer.Write(new TickRow { Signals = values });
        }

        using var reader = Read(stream.ToArray());
        Assert.Equal(values.Select(BitConverter.SingleToUInt32Bits), Assert.Single(reader.Ticks()).Signals.Select(BitConverter.SingleToUInt32Bits));
    }

    [Fact]
    public void Write_Twice_GivesTheSameBytes() => Assert.Equal(SampleRun.Bytes(2), SampleRun.Bytes(2));

    [Fact]
    public void Write_TenThousandRows_AllocatesNextToNothing()
    {
        using var writer = new EpisodeWriter(Stream.Null, SampleRun.Header);
        SampleRun.Write(writer, 1); // buffers grow and code is compiled here
        float[] signals = new float[SampleRun.Frame];
        float[] targets = new float[SampleRun.Joints];
        long start = writer.Length;
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 10_000; i++)
        {
            Array.Fill(signals, 0.1f + (i * 0.37f));
            writer.Write(new TickRow { Tick = (ulong)i, Due = new(i * 2_000_000L), Signals = signals, Wanted = targets, Sent = targets });
            writer.Write(new PlanRow { Plan = (ulong)i, FinishedAt = new(i * 2_000_000L), Observation = signals, Chunk = targets });
        }

        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.True(writer.Length - start > 4 << 20, "the run must span several chunks");
        Assert.True(allocated < 64 * 1024, $"10,000 ticks and 10,000 plans allocated {allocated} bytes");
    }

    [Fact]
    public void Reader_OfAKilledRun_HasEverythingUpToTheLastFlush()
    {
        byte[] killed = SampleRun.Bytes(2, finish: false);
        using var whole = Read(SampleRun.Bytes(2));
        using var reader = Read(killed);
        Assert.False(reader.Finished);
        Assert.Equal(SampleRun.Header.Robot, reader.Header!.Robot);
        Assert.Equal(whole.Ticks().Select(tick => tick.Tick), reader.Ticks().Select(tick => tick.Tick));
        Assert.Equal(["The recorder did not finish this file; every row that reached it is here."], reader.Damage());
    }

    [Fact]
    public void Reader_OfAKilledRunCutAnywhere_ReturnsAPrefixAndSaysWhatIsLost()
    {
        byte[] whole = SampleRun.Bytes(0.2);
        using var all = Read(whole);
        ulong[] ticks = [.. all.Ticks().Select(tick => tick.Tick)];
        for (int cut = 0; cut < whole.Length; cut += 7)
        {
            using var reader = Read(whole[..cut]);
            ulong[] found = [.. reader.Ticks().Select(tick => tick.Tick)];
            Assert.Equal(ticks[..found.Length], found);
            Assert.NotEmpty(reader.Damage());
        }
    }

    [Fact]
    public void Reader_WhenARowIsNotOurs_LeavesItOutAndCountsIt()
    {
        var stream = new MemoryStream();
        using (var writer = new McapWriter(stream, "other"))
        {
            ushort tick = writer.AddChannel(writer.AddSchema("robotics.Tick", "jsonschema", "{}"u8), "/tick", "json");
            writer.Write(tick, 1, """{"tick":1,"new_field":{"a":[1,2]},"signals":[1,"NaN"]}"""u8);
            foreach (string bad in new[] { "", "[]", "{", """{"tick":-1}""", """{"tick":"1"}""", """{"signals":["x"]}""", """{"signals":[[1]]}""", """{"state":700}""" })
            {
                writer.Write(tick, 2, System.Text.Encoding.UTF8.GetBytes(bad));
            }
        }

        using var reader = Read(stream.ToArray());
        var row = Assert.Single(reader.Ticks());
        Assert.Equal([1f, float.NaN], row.Signals);
        Assert.Equal(8, reader.UnreadableRows);
        Assert.Null(reader.Header);
        Assert.Contains("8 rows could not be understood and were left out.", reader.Damage());
    }

    [Fact]
    public void RecordedRobot_NamesEverySignalElement()
    {
        var robot = new RecordedRobot(SampleRun.Header.Robot);
        Assert.Equal("sample-dog", robot.Name);
        Assert.Equal(SampleRun.Frame, robot.Signals.Count);
        Assert.Equal("joint.position front_right_hip [rad]", robot.Signals[0]);
        Assert.Equal("joint.effort front_right_hip [Nm]", robot.Signals[2 * SampleRun.Joints]);
        Assert.Equal("imu.orientation w", robot.Signals[3 * SampleRun.Joints]);
        Assert.Empty(new RecordedRobot("not json").Signals);
        Assert.Empty(new RecordedRobot("[1]").Joints);
    }

    [Theory]
    [InlineData(HoldReason.ObservationStale, "observation stale")]
    [InlineData((HoldReason)200, "200")] // a newer program's reason
    public void Words_OfAReason_ReadLikeASentence(HoldReason reason, string expected) => Assert.Equal(expected, Words.Of(reason));

    [Fact]
    public void Words_OfASet_ListItsMembers() => Assert.Equal("range, speed", Words.Of(GateReasons.Range | GateReasons.Speed));

    private static EpisodeReader Read(byte[] bytes) => new(new MemoryStream(bytes), "test.mcap");
}
