using Robotics.Numerics;
using Robotics.Observations;
using Robotics.Packages;
using Robotics.Safety;
using Robotics.Sim;

namespace Robotics.Tests.Sim;

/// <summary>What every learning task keeps to.</summary>
public sealed class LearningTaskTests
{
    public static TheoryData<string> Names => [.. LearningTasks.All.Select(task => task.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Wiring_GivesTheSameObservationAndTargetsAsTheRuntime(string name)
    {
        var task = LearningTasks.Named(name);
        var spaces = new TaskSpaces(task);
        var assembler = new ObservationAssembler(task.Wiring, task.Robot);
        var map = new ActionMap(task.Wiring, task.Robot);
        Assert.Equal(assembler.Length, spaces.ObservationSize);
        Assert.Equal(map.ActionLength, spaces.ActionSize);
        var random = new SeededRandom(3);
        float[] frame = new float[task.Robot.Layout.Length], action = new float[spaces.ActionSize], observation = new float[spaces.ObservationSize];
        random.FillGaussian(frame);
        random.FillGaussian(action);
        int joints = task.Robot.Joints.Count;
        float[] command = [.. task.Wiring.Commands.SelectMany(spec => frame.AsSpan(task.Robot.Layout.Find("task." + spec.Name)!.Offset, spec.Elements.Count).ToArray())];
        float[] expected = new float[spaces.ObservationSize], targets = new float[joints], wanted = new float[joints];
        assembler.Assemble(frame, TimeSpan.Zero, command, new float[action.Length], new float[joints], expected);
        spaces.Observe(frame, observation);
        Assert.Equal(expected, observation);
        map.Map(action, frame.AsSpan(0, joints), wanted);
        spaces.ToTargets(action, targets);
        Assert.Equal(wanted, targets);
        float[] back = new float[action.Length];
        spaces.ToAction(targets, back);
        Assert.All(back.Zip(action), pair => Assert.Equal(Math.Clamp(pair.Second, -1, 1), pair.First, 1e-6f));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Robot_IsOneThatTheRuntimeTakes(string name)
    {
        var task = LearningTasks.Named(name);
        var again = RobotFile.Parse(RobotFile.Write(task.Robot), "written");
        Assert.Equal(task.Robot.Layout.Length, again.Layout.Length);
        Assert.Equal(0, task.Period.TotalMilliseconds % task.Robot.StatePeriodMs, 1e-9);
        _ = new SafetyGate(task.Robot, CommandMode.Native(task.Robot));
        Assert.Same(task, LearningTasks.Named(name));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Step_GivesSaneRewardsAndEndsForRandomActions(string name)
    {
        var task = Open(name);
        using var environment = new VectorEnvironment(task, new() { Count = 4 });
        var step = new VectorStep(4, environment.ObservationSize);
        environment.Reset(11, step.Observations);
        var random = new SeededRandom(12);
        float[] actions = new float[4 * environment.ActionSize];
        int ends = 0;
        for (int i = 0; i < task.StepLimit; i++)
        {
            Draw(random, actions);
            environment.Step(actions, step);
            Assert.All(step.Rewards, reward => Assert.InRange(reward, -60, 60));
            ends += step.Terminated.Count(ended => ended) + step.Truncated.Count(ended => ended);
        }

        Assert.True(ends >= 4, $"{ends} ends in {task.StepLimit} steps of 4 environments");
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Reward_OfTheSignalsIsTheRewardOfTheStep(string name)
    {
        var task = Open(name);
        using var environment = new TaskEnvironment(task);
        var spaces = new TaskSpaces(task);
        float[] previous = new float[task.Robot.Layout.Length], reached = new float[previous.Length];
        float[] action = new float[spaces.ActionSize], targets = new float[task.Robot.Joints.Count];
        var random = new SeededRandom(4);
        environment.Reset(9, previous);
        for (int i = 0; i < 50; i++)
        {
            Draw(random, action);
            spaces.ToTargets(action, targets);
            var result = environment.Step(targets, reached);
            Assert.Equal(result.Reward, task.Reward(previous, targets, reached));
            Assert.Equal(result.Terminated, task.IsOver(reached));
            reached.CopyTo(previous, 0);
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Step_WhenWarm_AllocatesNothingAcrossEpisodesAndThreads(string name)
    {
        var task = Open(name);
        using var environment = new VectorEnvironment(task, new() { Count = 4, Threads = 2, Dynamics = DynamicsRanges.Usual.Restricted(task) });
        var step = new VectorStep(4, environment.ObservationSize);
        environment.Reset(11, step.Observations);
        float[] actions = new float[4 * environment.ActionSize];
        var random = new SeededRandom(12);
        void Work()
        {
            for (int i = 0; i < task.StepLimit; i++)
            {
                Draw(random, actions);
                environment.Step(actions, step);
            }
        }

        Work();
        Assert.Equal(0, Allocated.ByThisThread(Work));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void AsRobot_ShowsTheEndOfAnEpisodeAndIsPutBack(string name)
    {
        var task = Open(name);
        using var robot = new TaskEnvironment(task, new() { AsRobot = true });
        float[] frame = new float[task.Robot.Layout.Length], seen = new float[frame.Length];
        int episode = task.Robot.Layout.Find(TaskEnvironment.EpisodeSignal)!.Offset;
        int each = (int)(task.Period / robot.Period);
        robot.Reset(5, frame);
        int ticks = 0;
        while (frame[episode] == 0 && ticks++ <= task.StepLimit + 3)
        {
            frame.CopyTo(seen, 0); // what a recorder saw at its last tick
            for (int i = 0; i < each; i++)
            {
                Assert.Equal(default, robot.Step([], frame));
            }
        }

        Assert.Equal(1, frame[episode]);
        Assert.Equal(0, seen[episode]);
        Assert.True(task.IsOver(seen) || ticks >= task.StepLimit, $"put back after {ticks} ticks from a frame that is no end");
        Assert.False(task.IsOver(frame));
    }

    internal static ILearningTask Open(string name)
    {
        var task = LearningTasks.Named(name);
        if (task.GetType().Assembly.GetManifestResourceNames().Contains($"{task.GetType().Name}.xml"))
        {
            MujocoScenes.Require();
        }

        return task;
    }

    internal static void Draw(SeededRandom random, Span<float> actions)
    {
        foreach (ref float action in actions)
        {
            action = (float)random.NextDouble(-1, 1);
        }
    }
}
