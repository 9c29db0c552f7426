using Robotics.Sim;

namespace Robotics.Tests.Sim;

/// <summary>Signals that tasks draw and derive by themselves.</summary>
public sealed class TaskSignalTests
{
    [Fact]
    public void Reacher_DrawsAGoalAndKnowsTheWayToIt()
    {
        using var arm = new TaskEnvironment(LearningTaskTests.Open("reacher"));
        float[] frame = new float[arm.Robot.Layout.Length];
        int goal = arm.Robot.Layout.Find("task.goal")!.Offset, way = arm.Robot.Layout.Find("arm.way")!.Offset;
        var goals = new HashSet<(float, float)>();
        for (ulong seed = 0; seed < 20; seed++)
        {
            arm.Reset(seed, frame);
            var (x, y) = (frame[goal], frame[goal + 1]);
            Assert.InRange(Math.Sqrt((x * x) + (y * y)), 0.0499, 0.2201);
            goals.Add((x, y));
            var result = arm.Step([1, -1], frame);
            Assert.Equal((x, y), (frame[goal], frame[goal + 1]));
            double tipX = 0.12 * (Math.Cos(frame[0]) + Math.Cos(frame[0] + frame[1])), tipY = 0.12 * (Math.Sin(frame[0]) + Math.Sin(frame[0] + frame[1]));
            Assert.Equal(x - tipX, frame[way], 1e-6);
            Assert.Equal(y - tipY, frame[way + 1], 1e-6);
            Assert.Equal((-10 * Math.Sqrt(Math.Pow(x - tipX, 2) + Math.Pow(y - tipY, 2))) - 0.02, result.Reward, 1e-4);
        }

        Assert.Equal(20, goals.Count);
    }

    [Fact]
    public void Quadruped_StandsAndIsPaidForTheCommandedVelocity()
    {
        var task = LearningTaskTests.Open("quadruped");
        using var quadruped = new TaskEnvironment(task);
        float[] frame = new float[task.Robot.Layout.Length], previous = new float[frame.Length];
        int command = task.Robot.Layout.Find("task.velocity")!.Offset, gravity = task.Robot.Layout.Find("base.gravity")!.Offset, velocity = task.Robot.Layout.Find("base.linear_velocity")!.Offset;
        float[] stance = task.Robot.DefaultPose();
        quadruped.Reset(0, frame);
        Assert.Equal([0.5f, 0, 0], frame[command..(command + 3)]);
        for (int i = 0; i < 100; i++)
        {
            frame.CopyTo(previous, 0);
            quadruped.Step(stance, frame);
        }

        Assert.InRange(frame[gravity + 2], -1.0001f, -0.99f);
        Assert.False(task.IsOver(frame));
        frame[command] = frame[velocity];
        float told = task.Reward(previous, stance, frame);
        Assert.InRange(told, 1.4f, 1.5f); // it stands, as now commanded
        frame[command] = 1;
        Assert.InRange(task.Reward(previous, stance, frame), 0.4f, 0.55f);
        var commands = new HashSet<float>();
        for (ulong seed = 1; seed < 10; seed++)
        {
            quadruped.Reset(seed, frame);
            commands.Add(frame[command]);
            Assert.InRange(frame[command], -0.5f, 1);
        }

        Assert.Equal(9, commands.Count);
    }

    [Fact]
    public void MultiGoal_HasSixGoalsWorthTheSame()
    {
        var task = new Robotics.Sim.Tasks.MultiGoal();
        using var environment = new TaskEnvironment(task);
        float[] frame = new float[task.Robot.Layout.Length];
        var returns = new List<double>();
        for (int goal = 0; goal < 6; goal++)
        {
            var (sin, cos) = Math.SinCos(goal * Math.PI / 3);
            environment.Reset(0, frame);
            double sum = 0;
            var result = default(StepResult);
            while (!result.Terminated && !result.Truncated)
            {
                result = environment.Step([(float)cos, (float)sin], frame);
                sum += result.Reward;
            }

            Assert.True(result.Terminated);
            Assert.Equal(goal, Robotics.Sim.Tasks.MultiGoal.GoalAt(frame));
            returns.Add(sum);
        }

        Assert.Equal(returns.Min(), returns.Max(), 0.06); // a step more or less on the last decimetre
        Assert.InRange(returns[0], 11, 15);
    }

    [Fact]
    public void PointMaze_StopsAtTheWallAndLeadsAroundIt()
    {
        var task = new Robotics.Sim.Tasks.PointMaze();
        using var maze = new TaskEnvironment(task);
        float[] frame = new float[task.Robot.Layout.Length];
        maze.Reset(0, frame);
        for (int i = 0; i < 50; i++)
        {
            maze.Step([0, 5], frame); // straight at the wall
        }

        Assert.Equal(0f, frame[1], 1e-6f);
        Assert.Equal(0f, frame[3], 1e-6f);

        // Around the end of the wall (0.75, 0), steering at the next corner.
        maze.Reset(0, frame);
        var result = default(StepResult);
        double sum = 0;
        while (!result.Terminated && !result.Truncated)
        {
            double toX = frame[1] < 0.05 ? 0.95 : -1, toY = frame[1] < 0.05 && frame[0] < 0.8 ? -0.4 : 1;
            result = maze.Step([(float)Math.Clamp((4 * (toX - frame[0])) - (3 * frame[2]), -5, 5), (float)Math.Clamp((4 * (toY - frame[1])) - (3 * frame[3]), -5, 5)], frame);
            sum += result.Reward;
        }

        Assert.True(result.Terminated, $"ended at {frame[0]}, {frame[1]}");
        Assert.InRange(sum, 3, 5); // the way is 4 m, every step costs 0.01, arriving gives 1
    }

    [Fact]
    public void Layout_FollowsASpecThatIsCopiedWithOtherSignals()
    {
        var robot = LearningTasks.Named("reacher").Robot;
        int length = robot.Layout.Length;
        var less = robot with { Signals = [] };
        Assert.Equal(6, less.Layout.Length);
        Assert.Equal(length, robot.Layout.Length);
    }
}
