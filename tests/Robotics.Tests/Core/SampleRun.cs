using System.Globalization;
using Robotics.Episodes;
using Robotics.Safety;

namespace Robotics.Tests.Core;

/// <summary>A run that nobody ran: twelve joints on sine waves at 50 Hz, a late plan, gate interventions and one hold, all drawn
/// from a fixed seed, so that it has the same bytes every time.</summary>
internal static class SampleRun
{
    public const int Joints = 12;
    public const int Frame = (3 * Joints) + 4;
    public const double PeriodS = 0.02;

    public static EpisodeHeader Header { get; } = new()
    {
        Program = "robotics 0.1.0",
        StartedUtc = new DateTimeOffset(2026, 3, 14, 9, 26, 53, TimeSpan.Zero),
        StartedAt = new MonotonicTime(5_000_000_000),
        Robot = RobotJson(),
        Policy = """{"format":"policy-package","version":1,"name":"sample-walk","timing":{"period_ms":20}}""",
        PolicySha256 = new string('a', 64),
        Properties = new Dictionary<string, string> { ["period_ms"] = "20", ["seed"] = "7", ["provider"] = "cpu", ["host"] = "bench <1>" },
    };

    public static byte[] Bytes(double seconds = 20, bool finish = true)
    {
        var stream = new MemoryStream();
        var writer = new EpisodeWriter(stream, Header);
        Write(writer, seconds);
        if (finish)
        {
            writer.Dispose();
        }
        else
        {
            writer.Flush();
        }

        return stream.ToArray();
    }

    public static void Write(EpisodeWriter writer, double seconds)
    {
        var random = new Random(7);
        int ticks = (int)Math.Round(seconds / PeriodS);
        int holdFrom = ticks * 6 / 10;
        int holdTo = ticks * 7 / 10;
        writer.Write(new EventRow(At(0), ControlState.Idle, ControlState.Armed, HoldReason.Ready, "Robot 'sample-dog' claimed, 12 joints match."));
        writer.Write(new EventRow(At(0), ControlState.Armed, ControlState.Running, HoldReason.Started, "First plan after 3.1 ms."));
        for (int tick = 0; tick < ticks; tick++)
        {
            if (tick == holdFrom)
            {
                writer.Write(new EventRow(At(tick), ControlState.Running, ControlState.Holding, HoldReason.ObservationStale,
                    "Newest observation is 61.0 ms old, 40.0 ms are tolerated."));
            }

            if (tick == holdTo)
            {
                writer.Write(new EventRow(At(tick), ControlState.Holding, ControlState.Running, HoldReason.Started, "Resumed by the operator."));
            }

            bool holding = tick >= holdFrom && tick < holdTo;
            WriteTick(writer, random, tick, holding);
            if (!holding)
            {
                WritePlan(writer, random, tick);
            }

            if (tick % 50 == 0)
            {
                writer.Write(At(tick), new LinkStatus(!holding, holding ? HoldReason.LinkLost : HoldReason.None,
                    TimeSpan.FromMicroseconds(400 + random.Next(300)), TimeSpan.FromMicroseconds(-1200 + random.Next(40)), (ulong)(tick / 200)));
            }
        }

        writer.Write(new EventRow(At(ticks), ControlState.Running, ControlState.Stopped, HoldReason.EndOfRun, "The run's 20 s are over."));
    }

    private static void WriteTick(EpisodeWriter writer, Random random, int tick, bool holding)
    {
        Span<float> signals = stackalloc float[Frame];
        Span<float> wanted = stackalloc float[Joints];
        Span<float> sent = stackalloc float[Joints];
        ulong touched = 0;
        for (int j = 0; j < Joints; j++)
        {
            double phase = (2 * Math.PI * 1.25 * tick * PeriodS) + (j % 2 * Math.PI);
            double amplitude = 0.12 + (0.03 * (j % 3));
            double middle = (j % 3) switch { 0 => 0.0, 1 => 0.9, _ => -1.8 };
            wanted[j] = (float)(middle + (amplitude * Math.Sin(phase)) + (tick % 97 == 0 && j == 4 ? 0.8 : 0));
            sent[j] = Math.Clamp(wanted[j], (float)(middle - 0.19), (float)(middle + 0.19));
            touched |= wanted[j] != sent[j] ? 1UL << j : 0;
            signals[j] = (float)(middle + (holding ? 0 : 0.93 * amplitude * Math.Sin(phase - 0.35)) + (0.004 * random.NextDouble()));
            signals[Joints + j] = (float)(amplitude * 7.8 * Math.Cos(phase - 0.35));
            signals[(2 * Joints) + j] = (float)(3 * Math.Sin(phase));
        }

        signals[3 * Joints] = 1;
        long late = 20_000 + (long)(60_000 * -Math.Log(1 - random.NextDouble())) + (tick % 331 == 330 ? 2_400_000 : 0);
        writer.Write(new TickRow
        {
            Tick = (ulong)tick,
            Due = At(tick),
            LatenessNs = late,
            WorkNs = 18_000 + random.Next(9_000),
            State = holding ? ControlState.Holding : ControlState.Running,
            Reason = holding ? HoldReason.ObservationStale : HoldReason.None,
            Observation = (ulong)(holding ? 0 : tick * 2),
            ObservationAgeNs = holding ? 61_000_000 : 4_000_000 + random.Next(5_000_000),
            ActionAgeNs = 9_000_000 + random.Next(4_000_000),
            Plan = holding ? 0 : (ulong)tick + 1,
            Row = holding ? -1 : 0,
            GateTouched = holding ? 0 : touched,
            GateReasons = holding || touched == 0 ? GateReasons.None : GateReasons.Range | GateReasons.Speed,
            Signals = signals,
            Wanted = holding ? default : wanted,
            Sent = holding ? default : sent,
            Command = [1, 0, 0],
        });
    }

    private static void WritePlan(EpisodeWriter writer, Random random, int tick)
    {
        var asked = At(tick);
        bool late = tick % 211 == 210;
        var took = TimeSpan.FromMicroseconds(late ? 6200 : 600 + random.Next(900));
        Span<float> input = stackalloc float[8];
        Span<float> chunk = stackalloc float[Joints];
        for (int i = 0; i < input.Length; i++)
        {
            input[i] = (float)random.NextDouble();
        }

        chunk.Fill(input[0] * 2);
        writer.Write(new PlanRow
        {
            Plan = (ulong)tick + 1,
            RequestedAt = asked,
            StartedAt = asked + TimeSpan.FromMicroseconds(35),
            FinishedAt = asked + TimeSpan.FromMicroseconds(35) + took,
            Deadline = asked + TimeSpan.FromMilliseconds(4),
            Status = late ? PlanStatus.Late : PlanStatus.Planned,
            Calls = 1,
            AfterReset = tick == 0,
            Observation = input,
            Chunk = late ? default : chunk,
        });
    }

    private static MonotonicTime At(int tick) => Header.StartedAt + TimeSpan.FromSeconds(tick * PeriodS);

    private static string RobotJson()
    {
        string[] legs = ["front_right", "front_left", "rear_right", "rear_left"];
        (string Name, double Middle)[] parts = [("hip", 0), ("thigh", 0.9), ("calf", -1.8)];
        var joints = legs.SelectMany(leg => parts.Select(part => string.Create(CultureInfo.InvariantCulture,
            $$"""{"name":"{{leg}}_{{part.Name}}","kind":"revolute","lower":{{part.Middle - 0.19}},"upper":{{part.Middle + 0.19}},"max_speed":20}""")));
        return $$"""{"name":"sample-dog","joints":[{{string.Join(",", joints)}}],"signals":[{"name":"imu.orientation","length":4,"elements":["w","x","y","z"]}]}""";
    }
}
