using System.Diagnostics;
using System.Globalization;
using Robotics.Firmware.Serial;
using Robotics.Firmware.Wire;

namespace Robotics.Bench;

/// <summary>A 32-byte command there and its 32 bytes back over a pty, framed and checked in C#, beside a C program that moves the
/// same bytes over the same pty and looks at none of them; then an exchange every millisecond, for both in turn.</summary>
internal sealed class SerialRoundTrip : IBenchmark
{
    private const int Exchanges = 5000;
    private const int Rounds = 7;
    private const int Segments = 6;

    public string Name => "serial-round-trip";

    public string Claim => "32 bytes there and back over a pty: p50 and p99 at most 1.3 of C's; 1 kHz without a lost or late frame, 0 bytes (--seconds 60)";

    public int Run(string[] args)
    {
        int at = Array.IndexOf(args, "--seconds");
        double seconds = at >= 0 ? double.Parse(args[at + 1], CultureInfo.InvariantCulture) : 60;
        string peer = Bench.CompilePeer("serial_round_trip.c", "-lutil");
        using var echo = Process.Start(new ProcessStartInfo(peer, ["echo"]) { RedirectStandardOutput = true, RedirectStandardInput = true })!;
        string path = echo.StandardOutput.ReadLine()!;
        var ours = new List<double[]>();
        var theirs = new List<double[]>();
        for (int round = 0; round < Rounds; round++)
        {
            using (var line = SerialLine.Open(path, 115_200))
            {
                ours.Add(new Exchange(line).Times(Exchanges));
            }

            theirs.Add([.. Bench.Capture(peer, "ping", path, $"{Exchanges}").Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Select(text => double.Parse(text, CultureInfo.InvariantCulture) / 1000)]);
        }

        double Each(List<double[]> rounds, double share) => Bench.Median(rounds.Select(values => Bench.Percentile(values, share)));
        double Ratio(double share) => Bench.Median(ours.Zip(theirs, (a, b) => Bench.Percentile(a, share) / Bench.Percentile(b, share)));
        var (paced, peers) = (default(Paced), default(Paced));
        for (int segment = 0; segment < Segments; segment++)
        {
            using (var line = SerialLine.Open(path, 115_200))
            {
                paced += new Exchange(line).Paced(seconds / Segments);
            }

            long[] counts = [.. Bench.Capture(peer, "paced", path, FormattableString.Invariant($"{(int)(seconds * 1000 / Segments)}")).Split(' ').Select(long.Parse)];
            peers += new Paced(counts[0], counts[1], counts[2], counts[3], 0);
        }

        echo.StandardInput.Close();
        echo.WaitForExit();
        bool holds = Ratio(0.5) <= 1.3 && Ratio(0.99) <= 1.3 && paced is { Lost: 0, Late: 0, Bytes: 0 };
        Bench.Report(Name, args, FormattableString.Invariant($"""
            {Rounds} rounds of {Exchanges} exchanges each, C# and C in turn, on the same pty of the same echoing C program. C# writes the frame
            (COBS, CRC-32), reads it back and checks it; C moves 32 bytes by write, poll and read.

            | | C# | C |
            |---|---|---|
            | p50, us (median of rounds) | {Each(ours, 0.5):F1} | {Each(theirs, 0.5):F1} |
            | p99, us | {Each(ours, 0.99):F1} | {Each(theirs, 0.99):F1} |

            Ratio C#/C: p50 **{Ratio(0.5):F2}**, p99 **{Ratio(0.99):F2}** (limit 1.3).

            An exchange every millisecond, {seconds:F0} s for each, in {Segments} segments in turn; both sleep with `clock_nanosleep` to an absolute instant. Late: the
            answer had not come when the next exchange was due, 1 ms after its own. Of these the system woke the program itself more than 0.5 ms late, before
            anything was sent: the second row. Scheduling of all three programs: {Scheduling()}.

            | every millisecond | C# | C |
            |---|---|---|
            | late | **{paced.Late}** of {paced.Sent} | {peers.Late} of {peers.Sent} |
            | of these woken late | {paced.WokenLate} | {peers.WokenLate} |
            | lost | {paced.Lost} | {peers.Lost} |
            | bytes allocated | {paced.Bytes} | |

            {(holds ? "The claim holds." : paced.Late > 0 && paced.Late <= 1.3 * peers.Late ? "The claim FALLS SHORT: not without a late frame. The C program, which checks nothing, is late as often: it is the machine that wakes and runs them late." : "The claim FALLS SHORT.")}
            """));
        return holds ? 0 : 1;
    }

    // Children inherit it.
    private static string Scheduling()
    {
        string[] stat = File.ReadAllText("/proc/self/stat").Split(')')[^1].Split(' ', StringSplitOptions.RemoveEmptyEntries); // from field 3 on
        return stat[41 - 3] == "1" ? $"SCHED_FIFO {stat[40 - 3]} (`chrt -f`)" : "ordinary";
    }

    private readonly record struct Paced(long Sent, long Lost, long Late, long WokenLate, long Bytes)
    {
        public static Paced operator +(Paced a, Paced b) => new(a.Sent + b.Sent, a.Lost + b.Lost, a.Late + b.Late, a.WokenLate + b.WokenLate, a.Bytes + b.Bytes);
    }

    /// <summary>The two ends of one exchange.</summary>
    private sealed class Exchange(ISerialLine line)
    {
        private readonly FrameReader _reader = new();
        private readonly byte[] _wire = new byte[Frame.MaxWire];
        private readonly byte[] _payload = new byte[Payloads.CommandHeaderLength + 2];
        private readonly byte[] _buffer = new byte[256];
        private readonly short[] _counts = [1234];

        public double[] Times(int count)
        {
            var times = new double[count];
            for (int i = 0; i < count; i++)
            {
                long begin = Stopwatch.GetTimestamp();
                if (!Once((uint)i, TimeSpan.FromSeconds(1)))
                {
                    throw new InvalidOperationException("The echo lost a frame.");
                }

                times[i] = Stopwatch.GetElapsedTime(begin).TotalMicroseconds;
            }

            return times;
        }

        public Paced Paced(double seconds)
        {
            Beat(TimeSpan.FromSeconds(0.2)); // compiled and warm, the sleep too: its first call binds to the system's
            return Beat(TimeSpan.FromSeconds(seconds));
        }

        private Paced Beat(TimeSpan length)
        {
            var period = TimeSpan.FromMilliseconds(1);
            long sent = 0, lost = 0, late = 0, wokenLate = 0;
            long bytes = GC.GetAllocatedBytesForCurrentThread();
            var due = MonotonicTime.SystemNow();
            var end = due + length;
            for (; due < end; due += period)
            {
                PreciseSleep.Until(due);
                bool woken = MonotonicTime.SystemNow() > due + (period / 2);
                lost += Once((uint)++sent, TimeSpan.FromMilliseconds(100)) ? 0 : 1;
                bool slow = MonotonicTime.SystemNow() > due + period;
                late += slow ? 1 : 0;
                wokenLate += slow && woken ? 1 : 0;
            }

            return new(sent, lost, late, wokenLate, GC.GetAllocatedBytesForCurrentThread() - bytes);
        }

        private bool Once(uint sequence, TimeSpan patience)
        {
            var header = new CommandHeader(1, 50, sequence, 2, 3, 0);
            Payloads.WriteCommand(_payload, in header, 1, _counts);
            line.Write(_wire.AsSpan(0, Frame.Write(_wire, MessageType.Command, (ushort)sequence, _payload)));
            while (true)
            {
                int count = line.Read(_buffer, patience);
                if (count <= 0)
                {
                    return false;
                }

                ReadOnlySpan<byte> bytes = _buffer.AsSpan(0, count);
                if (_reader.Next(ref bytes) && _reader.Sequence == (ushort)sequence)
                {
                    return true;
                }
            }
        }
    }
}
