using Robotics.Control;
using Robotics.Packages;

namespace Robotics.Tests.Control;

/// <summary>Two threads at full speed: nothing torn, nothing lost, nothing twice.</summary>
public sealed class HandOverTests
{
    [Fact]
    public void PlanExchange_UnderTwoThreads_HandsOverWholeRequestsAndAnswers()
    {
        const int Rounds = 50_000;
        const int Size = 64;
        var slot = new PlanExchange(Size, Size);
        using var wake = new WakeUp();
        var planner = new Thread(() =>
        {
            for (ulong expected = 1; expected <= Rounds;)
            {
                if (!slot.IsAsked)
                {
                    wake.Wait();
                    continue;
                }

                // Every element of a whole request is its number; a torn one would show here.
                bool whole = slot.Plan == expected && !slot.Observation.AsSpan().ContainsAnyExcept((float)expected);
                slot.Chunk.AsSpan().Fill(whole ? expected : -1);
                expected++;
                slot.Answer();
            }
        });
        planner.Start();

        int bad = 0;
        for (ulong round = 1; round <= Rounds; round++)
        {
            slot.Observation.AsSpan().Fill(round);
            slot.Plan = round;
            slot.Ask();
            wake.Signal();
            SpinWait.SpinUntil(() => slot.IsAnswered);
            bad += slot.Chunk.AsSpan().ContainsAnyExcept((float)round) ? 1 : 0;
            slot.Release();
        }

        planner.Join();
        Assert.Equal(0, bad);
    }

    [Fact]
    public void RowRing_UnderTwoThreads_KeepsOrderAndCountsWhatItDrops()
    {
        const long Rows = 300_000;
        var ring = new RowRing<long>(32, 8);
        var producer = new Thread(() =>
        {
            for (long i = 1; i <= Rows; i++)
            {
                if (ring.TryReserve(in i, out var row))
                {
                    row.Fill(i);
                    ring.Publish();
                }
            }
        });
        producer.Start();
        long last = 0;
        long taken = 0;
        long bad = 0;
        while (producer.IsAlive || ring.TryPeek(out _, out _))
        {
            if (ring.TryPeek(out long head, out var row))
            {
                bad += head <= last || row.ContainsAnyExcept((float)head) ? 1 : 0;
                last = head;
                taken++;
                ring.Release();
            }
        }

        Assert.Equal(0, bad);
        Assert.Equal(Rows, taken + ring.Dropped);
    }

    [Fact]
    public void OperatorCommand_UnderTwoThreads_IsNeverTorn()
    {
        string[] names = [.. Enumerable.Range(0, 32).Select(i => $"e{i}")];
        float[] ones = [.. names.Select(_ => 1f)];
        var command = new OperatorCommand([new CommandSpec
        {
            Name = "c", Elements = names, Lower = [.. ones.Select(x => -1e6f)], Upper = [.. ones.Select(x => 1e6f)], Default = new float[32],
        }]);
        bool stop = false;
        var writer = new Thread(() =>
        {
            Span<float> values = stackalloc float[32];
            for (int i = 1; !Volatile.Read(ref stop); i = (i + 1) % 1_000_000)
            {
                values.Fill(i);
                command.Set(values);
            }
        });
        writer.Start();
        float[] read = new float[32];
        int torn = 0;
        int whole = 0;
        var until = TimeProvider.System.GetTimestamp();
        while (whole < 20_000 && TimeProvider.System.GetElapsedTime(until) < TimeSpan.FromSeconds(2))
        {
            if (command.TryRead(read))
            {
                whole++;
                torn += read.AsSpan().ContainsAnyExcept(read[0]) ? 1 : 0;
            }
        }

        Volatile.Write(ref stop, true);
        writer.Join();
        Assert.Equal(0, torn);
        Assert.True(whole > 0);
    }

    [Fact]
    public void SetCommand_ClipsToTheRangeAndRefusesNonsense()
    {
        var command = new OperatorCommand(Rig.Describe().Commands);
        float[] read = new float[2];
        Assert.True(command.TryRead(read));
        Assert.Equal([0.25f, 0], read); // the manifest's default
        command.Set([3, -3]);
        command.TryRead(read);
        Assert.Equal([1, -0.5f], read);
        Assert.Equal("Command element velocity.vy is NaN, expected a finite number. (Parameter 'values')",
            Assert.Throws<ArgumentException>(() => command.Set([0, float.NaN])).Message);
        Assert.StartsWith("The command has 1 elements, the policy takes 2: velocity.vx, velocity.vy.",
            Assert.Throws<ArgumentException>(() => command.Set([0])).Message, StringComparison.Ordinal);
        command.TryRead(read);
        Assert.Equal([1, -0.5f], read);
    }
}
