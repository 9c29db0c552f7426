using System.CommandLine;
using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;
using Robotics.Control;
using Robotics.Sim.Mujoco;

namespace Robotics.Host.Commands;

/// <summary><c>robotics doctor</c>: what this machine can promise.</summary>
internal static class DoctorCommand
{
    private const int PeriodUs = 1000;

    public static Command Create()
    {
        var seconds = new Option<double>("--seconds") { Description = "length of the jitter measurement, 0.5 to 600", HelpName = "S", DefaultValueFactory = _ => 5 };
        var json = new Option<bool>("--json") { Description = "one JSON object instead of text" };
        var command = new Command("doctor", """
            Says what this machine can promise a control loop: scheduler, memory lock, CPU governor, timer, wake-up lateness at 1 kHz,
            execution providers, simulators. Everything it lists is optional; what is missing is named with what to do.

            Example:
              robotics doctor --seconds 30
            """)
        { seconds, json };
        command.SetGuardedAction((parsed, cancellation) =>
        {
            double length = parsed.GetValue(seconds);
            var check = new ConfigCheck("command line");
            check.Range(length, 0.5, 600, "--seconds");
            check.Throw();
            var findings = Findings();
            bool asJson = parsed.GetValue(json);
            if (!asJson)
            {
                foreach (var finding in findings)
                {
                    Console.WriteLine($"{(finding.Good ? "ok  " : "note")}  {finding.Name,-14} {finding.Text}");
                }

                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"      jitter         waking every {PeriodUs} us for {length} s ..."));
            }

            var lateness = new LatencyHistogram();
            var thread = RealTimeThread.Start("doctor", 80, null, new SchedulingOptions(), () => Measure(lateness, length, cancellation));
            thread.Join(Timeout.InfiniteTimeSpan);
            Console.WriteLine(asJson ? Json(findings, thread.Report, lateness) : Text(thread.Report, lateness));
            return Task.FromResult(ExitCode.Done);
        });
        return command;
    }

    private static void Measure(LatencyHistogram lateness, double seconds, CancellationToken cancellation)
    {
        var start = MonotonicTime.SystemNow() + TimeSpan.FromMilliseconds(10);
        var spin = new SchedulingOptions().Spin;
        for (long k = 0; k * PeriodUs < seconds * 1e6 && !cancellation.IsCancellationRequested; k++)
        {
            var due = new MonotonicTime(start.Nanoseconds + (k * PeriodUs * 1000L));
            PreciseSleep.Until(due, spin);
            lateness.Record(MonotonicTime.SystemNow().NanosecondsSince(due));
        }
    }

    private static List<Finding> Findings()
    {
        var findings = new List<Finding>
        {
            new("system", true, $"{RuntimeInformation.OSDescription}, {RuntimeInformation.ProcessArchitecture}, {Environment.ProcessorCount} processors, {RuntimeInformation.FrameworkDescription}"),
            new("timer", System.Diagnostics.Stopwatch.IsHighResolution, string.Create(CultureInfo.InvariantCulture, $"monotonic clock counts {TimeProvider.System.TimestampFrequency / 1e6:F0} per us")),
        };

        const string governor = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor";
        string? governs = File.Exists(governor) ? File.ReadAllText(governor).Trim() : null;
        findings.Add(new("governor", governs is null or "performance", governs switch
        {
            null => "not visible here (a virtual machine, or fixed frequency)",
            "performance" => "performance",
            _ => $"{governs}: the first tick after idling is slower; 'cpupower frequency-set -g performance' fixes it",
        }));

        const string realTime = "/sys/kernel/realtime";
        findings.Add(new("kernel", true, File.Exists(realTime) ? "PREEMPT_RT" : "ordinary kernel; PREEMPT_RT lowers the worst case"));

        string[] known = OrtEnv.Instance().GetAvailableProviders();
        findings.Add(new("providers", true, "ONNX Runtime " + OrtEnv.Instance().GetVersionString() + ": "
            + string.Join(", ", known.Select(provider => provider.Replace("ExecutionProvider", "", StringComparison.Ordinal).ToLowerInvariant()))
            + (known.Contains("CUDAExecutionProvider") ? "" : "; for a GPU build with -p:OnnxRuntimePackage=Microsoft.ML.OnnxRuntime.Gpu")));

        bool mujoco = MujocoLibrary.IsAvailable(out string? problem);
        findings.Add(new("mujoco", mujoco, mujoco ? "found, its layout checks out" : problem!));
        return findings;
    }

    private static string Text(SchedulingReport report, LatencyHistogram lateness) => string.Create(CultureInfo.InvariantCulture, $"""
        {(report.Complete ? "ok  " : "note")}  scheduler      {report}
              lateness       p50 {Us(lateness, 0.5)} us, p99 {Us(lateness, 0.99)} us, p99.9 {Us(lateness, 0.999)} us, max {lateness.MaxNs / 1e3:F1} us ({lateness.Count} wake-ups)
        {Bars(lateness)}
        """);

    private static string Us(LatencyHistogram lateness, double fraction) => (lateness.PercentileNs(fraction) / 1e3).ToString("F1", CultureInfo.InvariantCulture);

    // One bar per factor of two, from 1 us up, logarithmic in the count: one late wake-up in a million is what one looks for.
    private static string Bars(LatencyHistogram lateness)
    {
        var byOctave = lateness.Buckets()
            .GroupBy(bucket => Math.Max(0, (int)Math.Ceiling(Math.Log2(Math.Max(1, bucket.UpperNs / 1000.0)))))
            .OrderBy(octave => octave.Key)
            .Select(octave => (UpTo: 1L << octave.Key, Count: octave.Sum(bucket => bucket.Count)))
            .Where(octave => octave.Count > 0);
        return string.Join(Environment.NewLine, byOctave.Select(octave => string.Create(CultureInfo.InvariantCulture,
            $"        up to {octave.UpTo,7} us  {octave.Count,8}  {new string('#', 1 + (int)(6 * Math.Log10(octave.Count)))}")));
    }

    private static string Json(List<Finding> findings, SchedulingReport report, LatencyHistogram lateness) => JsonText.Object(writer =>
    {
        foreach (var finding in findings)
        {
            writer.WriteStartObject(finding.Name);
            writer.WriteBoolean("ok", finding.Good);
            writer.WriteString("text", finding.Text);
            writer.WriteEndObject();
        }

        writer.WriteStartObject("scheduler");
        writer.WriteBoolean("ok", report.Complete);
        writer.WriteString("asked", report.Asked);
        writer.WriteString("granted", report.Granted);
        writer.WriteStrings("refused", report.Refused);
        writer.WriteEndObject();
        writer.WriteStartObject("lateness_us");
        writer.WriteNumber("count", lateness.Count);
        writer.WriteNumber("p50", lateness.PercentileNs(0.5) / 1e3);
        writer.WriteNumber("p99", lateness.PercentileNs(0.99) / 1e3);
        writer.WriteNumber("p99_9", lateness.PercentileNs(0.999) / 1e3);
        writer.WriteNumber("max", lateness.MaxNs / 1e3);
        writer.WriteEndObject();
    });

    private sealed record Finding(string Name, bool Good, string Text);
}
