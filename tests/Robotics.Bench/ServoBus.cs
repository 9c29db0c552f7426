using System.Globalization;
using Robotics.Firmware.Virtual;
using Robotics.Safety;
using Robotics.Tests.Firmware;

namespace Robotics.Bench;

/// <summary>An arm of six virtual servos at a pseudo-terminal, 50 Hz: one request reads all, one packet sets all, every cycle.</summary>
internal sealed class ServoBus : IBenchmark
{
    private const double PeriodMs = 20;
    private static readonly ServoProtocol[] Protocols = [ServoProtocol.Dynamixel, ServoProtocol.Feetech];

    public string Name => "servo-bus";

    public string Claim => "F: six servos at 50 Hz, sync read and write on a virtual bus: no cycle late or unanswered, 0 bytes allocated by the wire's thread (--seconds 60)";

    public int Run(string[] args)
    {
        int at = Array.IndexOf(args, "--seconds");
        double seconds = at >= 0 ? double.Parse(args[at + 1], CultureInfo.InvariantCulture) : 60;
        var runs = Protocols.Select(protocol => Drive(protocol, seconds)).ToArray();
        bool holds = runs.All(run => run is { Bytes: 0, Overruns: 0, Losses: 0 } && run.Unanswered == 0 && run.Active > 0.99);
        Bench.Report(Name, args, FormattableString.Invariant($"""
            {seconds} s each, six joints swinging by a commanded sine; the servos are `VirtualServoBus` behind a pseudo-terminal, so baud rate and cable are not
            in these times: on a wire six Dynamixel X servos are 20 + 6 x 34 + 44 bytes a cycle, 2.7 ms at 1 Mbit/s (47 ms at the factory's 57,600 bit/s: too
            slow for 50 Hz); six STS servos are 14 + 6 x 16 + 26 bytes, 1.4 ms.

            | | {string.Join(" | ", Protocols)} |
            |---|---|---|
            | cycles | {Each(runs, run => run.Cycles)} |
            | cycles in which a servo did not answer | {Each(runs, run => run.Unanswered)} |
            | cycles that began more than a period late | {Each(runs, run => run.Overruns)} |
            | request to the last answer p50, us | {Each(runs, run => run.P50)} |
            | p99, us | {Each(runs, run => run.P99)} |
            | max, us | {Each(runs, run => run.Max)} |
            | share of measurements in active mode | {Each(runs, run => run.Active)} |
            | managed bytes of the wire's thread | {Each(runs, run => run.Bytes)} |

            {(holds ? "The claim holds." : "The claim FALLS SHORT.")}
            """));
        return holds ? 0 : 1;
    }

    private static string Each(Drives[] runs, Func<Drives, double> value) =>
        string.Join(" | ", runs.Select(run => value(run).ToString("0.###", CultureInfo.InvariantCulture)));

    private static Drives Drive(ServoProtocol protocol, double seconds)
    {
        using var rig = new ServoRig(protocol, PeriodMs);
        using var arm = rig.Connect();
        arm.ClaimAsync(CommandMode.Native(arm.Spec), CancellationToken.None).GetAwaiter().GetResult();
        var gate = new SafetyGate(arm.Spec, CommandMode.Native(arm.Spec));
        var observation = new Observation(arm.Spec.Layout.Length);
        float[] target = new float[arm.Spec.Joints.Count];
        var times = new List<double>((int)(seconds * 1000 / PeriodMs) + 100);
        long active = 0;
        ulong sequence = 0;
        long first = 0;
        long bytes = 0;
        ulong overruns = 0;
        ulong measured = 0;
        var start = MonotonicTime.SystemNow();
        double warm = Math.Min(1, seconds / 4);
        for (long k = 0; (MonotonicTime.SystemNow() - start).TotalSeconds < seconds + warm; k++)
        {
            double now = (MonotonicTime.SystemNow() - start).TotalSeconds;
            if (arm.Read(observation) == ReadStatus.Fresh && first > 0)
            {
                active += observation.Mode == RobotMode.Active ? 1 : 0;
                times.Add(arm.Link.RoundTrip.TotalMicroseconds);
            }

            Array.Fill(target, 0.4f * (float)Math.Sin(now));
            var command = gate.Apply(observation.Signals, target, TimeSpan.FromMilliseconds(PeriodMs),
                new(++sequence, observation.MeasuredAt, TimeSpan.FromMilliseconds(200)), out _);
            arm.Send(in command);
            if (first == 0 && now > warm)
            {
                (first, bytes, overruns, measured) = (arm.Cycles, arm.AllocatedBytes, arm.Overruns, observation.Sequence); // compiled, warm, moving
            }

            PreciseSleep.Until(start + TimeSpan.FromMilliseconds((k + 1) * PeriodMs));
        }

        long cycles = arm.Cycles - first;
        arm.Read(observation);
        double[] sorted = [.. times];
        return new(cycles, Math.Max(0, cycles - (long)(observation.Sequence - measured) - 1), arm.Overruns - overruns, arm.Losses,
            Bench.Percentile(sorted, 0.5), Bench.Percentile(sorted, 0.99), sorted.Max(), (double)active / times.Count, arm.AllocatedBytes - bytes);
    }

    private sealed record Drives(long Cycles, long Unanswered, ulong Overruns, int Losses, double P50, double P99, double Max, double Active, long Bytes);
}
