using System.Text.Json;
using System.Text.RegularExpressions;
using Robotics.Episodes;
using Robotics.Host.Report;
using Robotics.Tests.Core;

namespace Robotics.Tests.Host;

public sealed partial class ReportTests
{
    [Fact]
    public void Write_OfASampleRun_SaysWhatHappened()
    {
        string html = Report(SampleRun.Bytes());
        Assert.Contains("<h1>sample-walk on sample-dog</h1>", html, StringComparison.Ordinal);
        Assert.Contains("Ended: stopped, end of run", html, StringComparison.Ordinal);
        Assert.Contains("1000 at 50 Hz", html, StringComparison.Ordinal);
        Assert.Contains("1 time, 2.00 s", html, StringComparison.Ordinal);
        Assert.Contains("<td>observation stale</td><td>Newest observation is 61.0 ms old, 40.0 ms are tolerated.</td>", html, StringComparison.Ordinal);
        Assert.Contains("3 of 900", html, StringComparison.Ordinal); // every 211th plan is late, one of them would fall into the hold
        Assert.Contains("rear_left_calf", html, StringComparison.Ordinal);
        Assert.DoesNotContain("incomplete", html, StringComparison.Ordinal);
    }

    [Fact]
    public void Write_AsksForNothingFromOutside()
    {
        string html = Report(SampleRun.Bytes(2));
        Assert.DoesNotMatch(Outside(), html);
        Assert.Contains("Copyright (c) 2022 Leon Sorokin", html, StringComparison.Ordinal); // uPlot's licence travels with it
    }

    [Fact]
    public void Write_HasOneFigurePerEntryOfTheChartData()
    {
        string html = Report(SampleRun.Bytes(2));
        using var charts = JsonDocument.Parse(ChartData().Match(html).Groups[1].Value);
        Assert.Equal(charts.RootElement.GetArrayLength(), Figure().Count(html));
        foreach (var chart in charts.RootElement.EnumerateArray())
        {
            int points = chart.GetProperty("data")[0].GetArrayLength();
            Assert.All(chart.GetProperty("data").EnumerateArray(), series => Assert.Equal(points, series.GetArrayLength()));
            Assert.Equal(chart.GetProperty("lines").GetArrayLength() + 1, chart.GetProperty("data").GetArrayLength());
        }
    }

    [Fact]
    public void Write_WithTextFromOutside_EscapesAllOfIt()
    {
        const string evil = "</script><img src=x onerror=alert(1)>";
        var stream = new MemoryStream();
        using (var writer = new EpisodeWriter(stream, SampleRun.Header with
        {
            Program = evil,
            Robot = $$"""{"name":"{{evil}}","joints":[{"name":"{{evil}}"}]}""",
            Policy = $$"""{"name":"{{evil}}"}""",
            Properties = new Dictionary<string, string> { [evil] = evil },
        }))
        {
            writer.Write(new EventRow(default, ControlState.Idle, ControlState.Holding, HoldReason.PolicyFault, evil));
            writer.Write(new TickRow { Signals = [0, 0, 0], Wanted = [float.NaN], Sent = [1] });
        }

        Assert.DoesNotContain("<img", Report(stream.ToArray()), StringComparison.Ordinal);
    }

    [Fact]
    public void Write_OfATornRecord_SaysWhatIsLost()
    {
        byte[] whole = SampleRun.Bytes(4, finish: false);
        string html = Report(whole[..(whole.Length - 20_000)]);
        Assert.Contains("This record is incomplete.", html, StringComparison.Ordinal);
        Assert.Contains("The recorder did not finish this file.", html, StringComparison.Ordinal);
        Assert.Contains("Last recorded state: running", html, StringComparison.Ordinal);
        Assert.Matches(@"\d+ bytes at offset \d+ are lost: the file ends within a chunk of rows\.", html);
    }

    [Fact]
    public void Write_OfARecordCutBeforeItsHeader_StillWritesAPage()
    {
        string html = Report(SampleRun.Bytes(0.1)[..30]);
        Assert.Contains("Run of an unknown robot", html, StringComparison.Ordinal);
        Assert.Contains("The record holds no ticks.", html, StringComparison.Ordinal);
        Assert.Contains("No state was recorded", html, StringComparison.Ordinal);
        Assert.DoesNotContain("never", html[..html.IndexOf("<script", StringComparison.Ordinal)], StringComparison.Ordinal); // "never held" would be a guess
        Assert.Contains("</html>", html, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(10, false)] // 500 ticks: each is drawn
    [InlineData(30, true)] // 1500 ticks: merged in pairs
    public void Write_OfALongRun_SaysThatChartsAreThinned(double seconds, bool thinned) =>
        Assert.Equal(thinned, Report(SampleRun.Bytes(seconds)).Contains("highest value of 2 ticks in a row", StringComparison.Ordinal));

    [Fact]
    public void Write_WithASection_ShowsItAsItIs()
    {
        using var reader = Open(SampleRun.Bytes(0.1));
        var writer = new StringWriter();
        RunReport.Write(reader, writer, [new ReportSection("Path & target", "<svg id=\"path\"></svg>")]);
        Assert.Contains("<h2>Path &amp; target</h2>", writer.ToString(), StringComparison.Ordinal);
        Assert.Contains("<svg id=\"path\"></svg>", writer.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Summary_CountsGateReasonsPerJoint()
    {
        using var reader = Open(SampleRun.Bytes(4)); // ticks 0, 97 and 194 push joint 4 out of range; 120 to 139 hold
        var summary = RunSummary.Of(reader);
        Assert.Equal(3, summary.GateTotal);
        Assert.Equal(3, summary.GateJoints[1, 4]); // bit 1: range
        Assert.Equal(3, summary.GateJoints[3, 4]); // bit 3: speed
        Assert.Equal(0, summary.GateJoints[1, 5]);
    }

    [Theory]
    [InlineData(0.5, 2)]
    [InlineData(0.75, 3)]
    [InlineData(0.99, 4)]
    [InlineData(1, 4)]
    [InlineData(0, 1)]
    public void Percentile_IsTheNearestRank(double share, double expected) => Assert.Equal(expected, RunSummary.Percentile([1, 2, 3, 4], share));

    [Fact]
    public void Percentile_OfNothing_IsNotANumber() => Assert.Equal(double.NaN, RunSummary.Percentile([], 0.5));

    [Fact]
    public void Trace_OfFewRows_KeepsEveryOne()
    {
        var trace = new Trace(2, 4);
        trace.Add(0, [1, float.NaN]);
        trace.Add(1, [2, 5]);
        Assert.Equal(1, trace.RowsPerBucket);
        Assert.Equal([0.0, 1.0], trace.Times());
        Assert.Equal([1f, 2f], trace.Values(0));
        Assert.Equal([float.NaN, 5f], trace.Values(1));
    }

    [Fact]
    public void Trace_OfAMillionRows_KeepsTheOneSpikeAndTheOrderOfTime()
    {
        var trace = new Trace(1, 600);
        for (int i = 0; i < 1_000_000; i++)
        {
            trace.Add(i, [i == 777_777 ? 9 : i == 3 ? -9 : 0]);
        }

        Assert.Equal(2048, trace.RowsPerBucket);
        Assert.Equal(1_000_000, trace.Rows);
        Assert.Equal(9, trace.Values(0).Max());
        Assert.Equal(-9, trace.Values(0).Min());
        double[] times = [.. trace.Times()];
        Assert.Equal(times.Order(), times);
        Assert.Equal(times.Length, trace.Values(0).Count());
        int spike = trace.Values(0).ToList().IndexOf(9);
        Assert.InRange(777_777 - times[spike], -2048, 2048);
    }

    private static EpisodeReader Open(byte[] bytes) => new(new MemoryStream(bytes), "folder/test.mcap");

    private static string Report(byte[] bytes)
    {
        using var reader = Open(bytes);
        var writer = new StringWriter();
        RunReport.Write(reader, writer);
        return writer.ToString();
    }

    // Anything a browser would fetch: an attribute, a style sheet's url() or @import, or a request from script.
    [GeneratedRegex("""(src|href|action|data)\s*=\s*["']?\s*(https?:)?//|url\(\s*["']?(https?:)?//|@import|<link|<iframe|fetch\(|XMLHttpRequest|WebSocket|importScripts""", RegexOptions.IgnoreCase)]
    private static partial Regex Outside();

    [GeneratedRegex("""<script type="application/json" id="charts">(.*?)</script>""", RegexOptions.Singleline)]
    private static partial Regex ChartData();

    [GeneratedRegex("""<figure [^>]*data-chart="\d+""")]
    private static partial Regex Figure();
}
