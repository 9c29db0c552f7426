using System.Numerics;
using Robotics.Routes;

namespace Robotics.Tests.Core.Routes;

public sealed class RouteTextTests
{
    private const string Good = """{"verb":"move","target_m":[0.4,-0.3,0],"tolerance_m":0.05,"timeout_s":3}""";

    private static readonly RouteSpec Spec = new() { Position = new() { Signal = "joint.position" }, Verbs = ["move", "reach"] };

    [Fact]
    public void Read_OfWhatWasWritten_GivesTheSameRows()
    {
        RouteRow[] rows = [new("move", new(0.1f, -1 / 3f, 0), 0.12f, 3), new("reach", new(1e-7f, 999.99f, -2), 0.001f, 0.1f)];
        var read = RouteText.Read(new RouteTable(rows, "code", Spec).ToString(), "text", Spec);
        Assert.Equal(rows, read.Rows.ToArray());
        Assert.Equal("text", read.Source);
    }

    [Fact]
    public void Read_SkipsEmptyLinesAndTakesWindowsOnes() =>
        Assert.Equal(2, RouteText.Read($"\n{Good}\r\n\n{Good}\r\n", "text", Spec).Count);

    [Theory]
    [InlineData("", "the route has 0 rows, expected 1 to 10")]
    [InlineData("move 0.4 -0.3", "line 1 is no JSON object")]
    [InlineData("""{"verb":"move","target_mm":[400,-300,0],"tolerance_m":0.05,"timeout_s":3}""", "line 1 target_mm is not a known key; did you mean 'target_m'?")]
    [InlineData("""{"verb":"move","target_m":[400,-3000,0],"tolerance_m":0.05,"timeout_s":3}""", "row 1 target_m[1] is -3000, expected a finite number of at most 1000 m (metres in the world, not millimetres)")]
    [InlineData("""{"verb":"move","target_m":[0,0],"tolerance_m":0.05,"timeout_s":3}""", "line 1 target_m has 2 entries")]
    [InlineData("""{"verb":"move","target_m":[1e39,0,0],"tolerance_m":0.05,"timeout_s":3}""", "target_m[0] is ")]
    [InlineData("""{"verb":"move","target_m":[NaN,0,0],"tolerance_m":0.05,"timeout_s":3}""", "line 1 is no JSON object")]
    [InlineData("""{"verb":"move","target_m":[0,0,0],"tolerance_m":0,"timeout_s":3}""", "line 1 tolerance_m is 0")]
    [InlineData("""{"verb":"move","target_m":[0,0,0],"tolerance_m":0.05,"timeout_s":3000}""", "line 1 timeout_s is 3000")]
    [InlineData("""{"verb":"move","target_m":[0,0,0],"tolerance_m":0.05}""", "line 1 the file has no 'timeout_s'")]
    [InlineData("""{"verb":"fly","target_m":[0,0,0],"tolerance_m":0.05,"timeout_s":3}""", "row 1 verb is 'fly', the policy's route.verbs are: move, reach")]
    public void Read_WhenALineIsWrong_SaysWhichAndWhat(string text, string expected)
    {
        var wrong = Assert.Throws<ConfigException>(() => RouteText.Read(text, "plan.ndjson", Spec));
        Assert.StartsWith("plan.ndjson: ", wrong.Message, StringComparison.Ordinal);
        Assert.Contains(expected, wrong.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_WhenThereAreElevenRows_SaysHowManyAreAllowed()
    {
        var wrong = Assert.Throws<ConfigException>(() => RouteText.Read(string.Join('\n', Enumerable.Repeat(Good, 11)), "text", Spec));
        Assert.Contains("the route has 11 rows, expected 1 to 10", wrong.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_WhenSeveralLinesAreWrong_SaysAllOfThem()
    {
        var wrong = Assert.Throws<ConfigException>(() => RouteText.Read(Good.Replace("0.05", "5", StringComparison.Ordinal) + "\n" + Good + "\n{}", "text", Spec));
        Assert.Equal(5, wrong.Problems.Count);
    }

    [Fact]
    public void From_LeavesTheFirstRowsOut()
    {
        var table = new RouteTable([new("move", Vector3.UnitX, 0.1f, 1), new("reach", Vector3.UnitY, 0.1f, 1)], "code", Spec);
        Assert.Equal("reach", table.From(1, Spec).Rows[0].Verb);
        Assert.Same(table, table.From(0, Spec));
    }
}
