using Microsoft.Extensions.Time.Testing;
using Robotics.Sim.Planar;
using Robotics.Sim.Tasks;

namespace Robotics.Tests.Sim;

public class PushTController
{
    private static readonly MonotonicTime s_never = new(long.MaxValue);

    [Fact]
    public void Plan_DrivesTheBlockOntoItsGoal()
    {
        // One seed keeps the test short; the benchmark pusht-fidelity runs fifty.
        using var table = new PushT();
        using var policy = new PushTReference(new() { Candidates = 30, Rows = 2 });
        Assert.True(Score(table, policy, seed: 100007) > 0.9);
    }

    [Fact]
    public void Plan_WhenSeedRepeats_RepeatsThePlan()
    {
        using var a = new PushTReference(new() { Candidates = 20 });
        using var b = new PushTReference(new() { Candidates = 20 });
        float[] first = new float[16], second = new float[16];
        for (int i = 0; i < 2; i++)
        {
            a.Reset(5);
            a.Plan(Observation(), s_never, first);
            b.Reset(5);
            b.Plan(Observation(), s_never, second);
            Assert.Equal(first, second);
        }

        b.Reset(6);
        b.Plan(Observation(), s_never, second);
        Assert.NotEqual(first, second);
    }

    [Fact]
    public void Plan_WhenDeadlinePassed_IsLateAndTouchesNothing()
    {
        var clock = new FakeTimeProvider();
        using var policy = new PushTReference(clock: clock);
        float[] chunk = [.. Enumerable.Repeat(7f, 16)];
        Assert.Equal(PlanStatus.Late, policy.Plan(Observation(), MonotonicTime.Now(clock), chunk).Status);
        Assert.All(chunk, value => Assert.Equal(7f, value));
    }

    [Fact]
    public void Plan_WhenDeadlineComesEarly_ReturnsTheBestSoFar()
    {
        var clock = new FakeTimeProvider { AutoAdvanceAmount = TimeSpan.FromMilliseconds(1) }; // every look at it takes 1 ms
        using var policy = new PushTReference(clock: clock);
        var result = policy.Plan(Observation(), MonotonicTime.Now(clock) + TimeSpan.FromMilliseconds(20), new float[16]);
        Assert.Equal(PlanStatus.Planned, result.Status);
        Assert.InRange(result.Calls, 5, 20);
    }

    [Fact]
    public void Plan_WhenObservationIsNotFinite_Refuses()
    {
        using var policy = new PushTReference();
        float[] observation = Observation();
        observation[6] = float.NaN;
        Assert.Equal(PlanStatus.Refused, policy.Plan(observation, s_never, new float[16]).Status);
    }

    [Fact]
    public void Plan_StaysOnTheTableAndAllocatesNothing()
    {
        using var policy = new PushTReference(new() { Candidates = 30 });
        float[] observation = Observation();
        float[] chunk = new float[16];
        policy.Plan(observation, s_never, chunk);
        long before = GC.GetAllocatedBytesForCurrentThread();
        policy.Plan(observation, s_never, chunk);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.All(chunk, value => Assert.InRange(value, 0f, 0.512f));
    }

    [Fact]
    public void Plan_WithWrongLengths_IsACallersError()
    {
        using var policy = new PushTReference();
        Assert.Throws<ArgumentException>(() => policy.Plan(new float[6], s_never, new float[16]));
        Assert.Throws<ArgumentException>(() => policy.Plan(Observation(), s_never, new float[15]));
    }

    [Fact]
    public void Manifest_NamesJointsAndSignalsOfTheRobot()
    {
        using var policy = new PushTReference();
        var group = Assert.Single(policy.Manifest.Observations);
        Assert.Equal(policy.Spec.ObservationLength, group.Terms.Sum(term => term.Signal is { } name ? PushT.Describe().Layout.Find(name)!.Length : term.Joints!.Count));
        Assert.Equal(PushT.Describe().JointNames(), policy.Manifest.Action.Joints);
        Assert.Equal(policy.Spec.Rows, policy.Manifest.Action.Rows);
    }

    [Fact]
    public void WriteSvg_IsWellFormedAndShowsEveryPart()
    {
        var text = new StringWriter();
        Scene().WriteSvg(text, [new(1, 2), new(3, 4)], [new(5, 6)]);
        var svg = System.Xml.Linq.XDocument.Parse(text.ToString()).Root!;
        Assert.Equal(2, svg.Elements().Count(element => element.Name.LocalName == "polygon"));
        Assert.Equal(2, svg.Elements().Count(element => element.Name.LocalName == "circle"));
        Assert.Contains("coverage 16.7 %", svg.Value, StringComparison.Ordinal);
    }

    [Fact]
    public void WriteText_ShowsAgentBlockAndGoal()
    {
        char[] text = new char[PushTScene.TextLength(32, 16)];
        Assert.Equal(text.Length, Scene().WriteText(text, 32, 16, new Vec2(10, 10)));
        string[] lines = new string(text).TrimEnd('\n').Split('\n');
        Assert.Equal(16, lines.Length);
        Assert.Equal('+', lines[0][0]);
        Assert.Equal('●', lines[12][16]);              // agent at (256, 400) px
        Assert.Equal('▓', lines[9][18]);               // the bar's right arm, beside the goal
        Assert.Contains('░', string.Concat(lines));
        Assert.Contains('█', string.Concat(lines));
    }

    private static PushTScene Scene()
    {
        var signals = new float[PushT.Describe().Layout.Length];
        new PushT().Reset(PushT.NominalSeed, signals);
        return PushTScene.From(signals);
    }

    private static float[] Observation() => [0.256f, 0.4f, 0, 0, 0.256f, 0.3f, 0];

    private static double Score(PushT table, PushTReference policy, ulong seed)
    {
        var signals = new float[table.Robot.Layout.Length];
        float[] observation = new float[7];
        float[] chunk = new float[4];
        table.Reset(seed, signals);
        policy.Reset(seed);
        double best = 0;
        for (StepResult result = default; !result.Terminated && !result.Truncated;)
        {
            signals.AsSpan(0, 4).CopyTo(observation);
            signals.AsSpan(6, 3).CopyTo(observation.AsSpan(4));
            Assert.Equal(PlanStatus.Planned, policy.Plan(observation, s_never, chunk).Status);
            for (int row = 0; row < 2 && !result.Terminated && !result.Truncated; row++)
            {
                result = table.Step(chunk.AsSpan(2 * row, 2), signals);
                best = Math.Max(best, result.Reward);
            }
        }

        return best;
    }
}
