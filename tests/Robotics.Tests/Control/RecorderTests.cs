using Robotics.Control;
using Robotics.Episodes;

namespace Robotics.Tests.Control;

public sealed class RecorderTests
{
    private static readonly RecorderOptions ByHand = new() { Background = false };

    [Fact]
    public void Loop_WhenTheDiskIsFull_HoldsRecorderFailedForGood()
    {
        var disk = new FullDisk();
        using var rig = new Rig(record: rig => Record(rig, disk, ByHand)).Driving();
        disk.Room = disk.Length + 6000;
        int ticks = 0;
        while (!rig.Recorder!.Failed && ticks < 500)
        {
            rig.Step(10);
            ticks += 10;
            rig.Recorder.Drain();
        }

        Assert.True(rig.Recorder.Failed);
        rig.Step(2);
        Assert.Equal((ControlState.Holding, HoldReason.RecorderFailed), (rig.Loop.State, rig.Loop.Reason));
        Assert.Equal("No space left on device", rig.Recorder.Failure);
        Assert.True(rig.Robot.HoldsNow);

        rig.Loop.Resume();
        rig.Step(5);
        Assert.Equal(ControlState.Holding, rig.Loop.State);
        Assert.InRange(disk.Length, disk.Room - 6000, disk.Room); // what was written stays
    }

    [Fact]
    public void Loop_WhenTheRecordersOwnThreadMeetsAFullDisk_Holds()
    {
        var disk = new FullDisk();
        using var rig = new Rig(record: rig => Record(rig, disk, new())).Driving();
        disk.Room = 0;
        rig.Step(10);
        var clock = TimeProvider.System.GetTimestamp();
        while (!rig.Recorder!.Failed && TimeProvider.System.GetElapsedTime(clock) < TimeSpan.FromSeconds(5))
        {
            rig.Step(25); // half a second on the held clock: time to flush
            Thread.Sleep(5);
        }

        rig.Step(2);
        Assert.Equal((ControlState.Holding, HoldReason.RecorderFailed), (rig.Loop.State, rig.Loop.Reason));
    }

    [Fact]
    public void Append_WhenTheRingIsFull_DropsTheNewestAndCounts()
    {
        using var rig = new Rig(record: rig => Record(rig, new MemoryStream(), ByHand with { Ticks = 16 })).Driving();
        rig.Step(100);
        Assert.Equal(103 - 16, rig.Loop.Snapshot().RecordsDropped);
        Assert.Equal(ControlState.Running, rig.Loop.State);
        rig.Recorder!.Drain();
        rig.Step(16);
        Assert.Equal(103 - 16, rig.Recorder.Dropped);
    }

    [Fact]
    public void Loop_WithARecorder_AllocatesNothingInTicksAndPlans()
    {
        using var rig = new Rig(PlannerMode.Thread, record: rig => Record(rig, new MemoryStream(), ByHand with { Ticks = 4096, Plans = 4096 })).Driving();
        rig.Step(200); // whatever is compiled or cached on first use
        rig.Recorder!.Drain();
        var before = rig.Loop.Snapshot();
        rig.Step(2000);
        var after = rig.Loop.Snapshot();
        Assert.Equal(ControlState.Running, after.State);
        Assert.Equal(0, after.LoopAllocatedBytes - before.LoopAllocatedBytes);
        Assert.Equal(0, after.PlannerAllocatedBytes - before.PlannerAllocatedBytes);
        Assert.InRange(after.Plans - before.Plans, 1990, 2000);
    }

    [Fact]
    public void Loop_WhileHolding_AllocatesNothing()
    {
        using var rig = new Rig().Driving();
        rig.Robot.Missing = true;
        rig.Step(100);
        long before = rig.Loop.Snapshot().LoopAllocatedBytes;
        for (int i = 0; i < 1000; i++)
        {
            rig.Robot.Missing = i % 3 == 0; // into and out of holds, events and all
            rig.Loop.Resume();
            rig.Step();
        }

        Assert.True(rig.Loop.Snapshot().Holds > 100);
        Assert.Equal(before, rig.Loop.Snapshot().LoopAllocatedBytes);
    }

    [Fact]
    public void Loop_Twice_WritesTheSameBytes()
    {
        byte[] first = Once();
        Assert.True(first.Length > 5000);
        Assert.Equal(first, Once());

        static byte[] Once()
        {
            var stream = new MemoryStream();
            using (var rig = new Rig(record: rig => Record(rig, stream, ByHand)).Driving())
            {
                rig.Step(60);
                rig.Recorder!.Drain();
                rig.Robot.Missing = true;
                rig.Step(5);
            }

            return stream.ToArray();
        }
    }

    private static Recorder Record(Rig rig, Stream stream, RecorderOptions options) => new(
        stream,
        new EpisodeHeader { StartedUtc = DateTimeOffset.UnixEpoch, StartedAt = rig.Clock.Instant, Robot = RobotText },
        rig.Robot,
        rig.Policy.Spec,
        2,
        options,
        rig.Clock);

    private const string RobotText = """{"name":"plant","joints":[{"name":"a","lower":-1,"upper":1,"max_speed":20},{"name":"b","lower":-1,"upper":1,"max_speed":20}]}""";

    /// <summary>A stream with room for so many bytes in all, after which it fails like a full disk.</summary>
    private sealed class FullDisk : MemoryStream
    {
        public long Room { get; set; } = long.MaxValue;

        public override void Write(byte[] buffer, int offset, int count)
        {
            if (Position + count > Room)
            {
                throw new IOException("No space left on device");
            }

            base.Write(buffer, offset, count);
        }

        public override void Write(ReadOnlySpan<byte> buffer) => Write(buffer.ToArray(), 0, buffer.Length);

        public override void WriteByte(byte value) => Write([value]);
    }
}
