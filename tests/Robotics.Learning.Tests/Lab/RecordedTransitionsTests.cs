using Robotics.Episodes;
using Robotics.Lab.Reinforcement;
using Robotics.Numerics;
using Robotics.Packages;
using Robotics.Sim;
using Robotics.Tests;

namespace Robotics.Learning.Tests.Lab;

/// <summary>Records as the controller writes them, of a simulated cart-pole, read as transitions.</summary>
public sealed class RecordedTransitionsTests : IDisposable
{
    private static readonly ILearningTask s_task = LearningTasks.Named("cart-pole");

    private readonly TemporaryFolder _folder = new();

    [Fact]
    public void Read_OfOneUnbrokenRun_GivesWhatTheSimulatorWouldHaveGiven()
    {
        // The environment that learners step, beside the record of the same targets.
        using var environment = new TaskEnvironment(s_task);
        var spaces = new TaskSpaces(s_task);
        float[] signals = new float[s_task.Robot.Layout.Length], targets = new float[1], observation = new float[spaces.ObservationSize];
        environment.Reset(3, signals);
        var random = new SeededRandom(1);
        var ticks = new List<(float[] Signals, float[] Sent)>();
        var expected = new List<(float[] Observation, float Reward, bool Over)>();
        for (bool over = false; !over;)
        {
            targets[0] = (float)random.NextDouble(-10, 10);
            spaces.Observe(signals, observation);
            ticks.Add(([.. signals], [.. targets]));
            var result = environment.Step(targets, signals);
            expected.Add(([.. observation], result.Reward, result.Terminated));
            over = result.Terminated;
        }

        ticks.Add(([.. signals], [0]));
        var set = Read(Record("run.mcap", ticks)).Set;
        Assert.Equal((expected.Count, 1), (set.Count, set.Episodes));
        for (int i = 0; i < set.Count; i++)
        {
            Assert.Equal(expected[i].Observation, set.Observation(i).ToArray());
            Assert.Equal(expected[i].Reward, set.Rewards[i]);
            Assert.Equal(expected[i].Over, set.Terminated[i]);
            Assert.Equal(ticks[i].Sent[0] / 10, set.Action(i)[0], 1e-6);
        }
    }

    [Fact]
    public void Read_AcrossARestart_JoinsNothingAndLeavesOutTheStandstill()
    {
        var ticks = Standing(10);
        ticks.AddRange(Standing(10, episode: 1));
        var set = Read(Record("run.mcap", ticks)).Set;
        Assert.Equal(2, set.Episodes);
        Assert.Equal(7 + 9, set.Count); // nine steps each; two before the restart are left out
        Assert.False(set.Terminated.Contains(true));
    }

    [Fact]
    public void Read_AcrossAHold_CutsTheEpisodeThere()
    {
        var ticks = Standing(10);
        string path = Record("run.mcap", ticks, hold: 4);
        var set = Read(path).Set;
        Assert.Equal(2, set.Episodes);
        Assert.Equal([0, 4, 8], set.Starts.ToArray()); // 0 to 3 lead somewhere, 4 held, 5 to 8
        Assert.True(set.IsTruncated(3));
    }

    [Fact]
    public void Read_WhereTheGateChangedAnAction_LearnsWhatWasSent()
    {
        var ticks = Standing(4);
        ticks[1] = (ticks[1].Signals, [5f]);
        var records = Read(Record("run.mcap", ticks, touched: 1));
        Assert.Equal(1, records.Gated);
        Assert.Equal(0.5f, records.Set.Action(1)[0]);
    }

    [Fact]
    public void Read_WithoutANewObservation_LeavesTheStepOut()
    {
        var records = Read(Record("run.mcap", Standing(6), stale: 3));
        Assert.Equal(1, records.Stale);
        Assert.Equal(4, records.Set.Count);
    }

    [Fact]
    public void Read_OfRecordsAndASetTogether_HasThemAll()
    {
        string record = Record("a.mcap", Standing(5));
        string saved = _folder.At("b" + RecordedTransitions.Extension);
        Read(record).Set.Save(saved);
        Assert.Equal(8, RecordedTransitions.Read([record, saved], s_task, allowTruncated: false).Set.Count);
    }

    [Theory]
    [InlineData("other robot", "was recorded on robot 'pendulum'", "task 'cart-pole' is about robot 'cart-pole'")]
    [InlineData("nan", "tick 2: an observation is not finite", "Remove the record")]
    [InlineData("infinite", "tick 2: an action is not finite", "Remove the record")]
    [InlineData("period", "ticks are 40 ms apart, a step of task 'cart-pole' is 20 ms", "record with a policy of that period")]
    [InlineData("nothing", "holds two ticks in a row that drove the robot", "")]
    public void Read_OfWhatCannotBeLearnedFrom_SaysWhy(string what, string expected, string alsoExpected)
    {
        var ticks = Standing(5);
        var task = what == "other robot" ? LearningTasks.Named("pendulum") : s_task;
        switch (what)
        {
            case "other robot":
                ticks = [.. Enumerable.Range(0, 3).Select(_ => (new float[task.Robot.Layout.Length], new float[1]))];
                break;
            case "nan":
                ticks[2].Signals[0] = float.NaN;
                break;
            case "infinite":
                ticks[2] = (ticks[2].Signals, [float.PositiveInfinity]);
                break;
            case "nothing":
                ticks = Standing(1);
                break;
        }

        string record = Record("run.mcap", ticks, robot: task.Robot, periodMs: what == "period" ? 40 : 20);
        var error = Assert.Throws<ConfigException>(() => Read(record));
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.Contains(alsoExpected, error.Message, StringComparison.Ordinal);
    }

    public void Dispose() => _folder.Dispose();

    private static RecordedTransitions Read(string path) => RecordedTransitions.Read([path], s_task, allowTruncated: false);

    // A pole that stands, and moves a little so that frames differ.
    private static List<(float[] Signals, float[] Sent)> Standing(int count, float episode = 0)
    {
        int at = s_task.Robot.Layout.Find(TaskEnvironment.EpisodeSignal)!.Offset;
        return [.. Enumerable.Range(0, count).Select(i =>
        {
            float[] signals = new float[s_task.Robot.Layout.Length];
            (signals[0], signals[at]) = (0.001f * i, episode);
            return (signals, new float[] { 1 });
        })];
    }

    private string Record(string name, List<(float[] Signals, float[] Sent)> ticks, int hold = -1, int touched = -1, int stale = -1, RobotSpec? robot = null, double periodMs = 20)
    {
        string path = _folder.At(name);
        using var writer = new EpisodeWriter(new FileStream(path, FileMode.Create), new EpisodeHeader
        {
            Program = "test",
            StartedUtc = DateTimeOffset.UnixEpoch,
            StartedAt = new(0),
            Robot = RobotFile.Write(robot ?? s_task.Robot),
        });
        for (int i = 0; i < ticks.Count; i++)
        {
            writer.Write(new TickRow
            {
                Tick = (ulong)i,
                Due = new((long)(i * periodMs * 1e6)),
                State = i == hold ? ControlState.Holding : ControlState.Running,
                Observation = (ulong)(i == stale ? i - 1 : i),
                GateTouched = i == touched ? 1u : 0,
                Signals = ticks[i].Signals,
                Wanted = ticks[i].Sent,
                Sent = i == hold ? [] : ticks[i].Sent,
            });
        }

        return path;
    }
}
