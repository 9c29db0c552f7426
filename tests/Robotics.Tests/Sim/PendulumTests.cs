using Robotics.Sim;
using Robotics.Sim.Tasks;

namespace Robotics.Tests.Sim;

/// <summary>Steps computed by hand from the equations of Gym's Pendulum-v1.</summary>
public sealed class PendulumTests
{
    // From hanging still (angle π, sin 0) with u = 2: speed = 3·2·0.05 = 0.3; angle = π + 0.015; reward = -(π² + 0.001·4).
    // Then with u = 0: speed = 0.3 + 15·sin(π + 0.015)·0.05 = 0.3 - 0.75·0.0149994375 = 0.288750422;
    // angle = π + 0.015 + 0.0144375211; reward = -((π - 0.015)² + 0.1·0.09), the angle taken into [-π, π).
    [Fact]
    public void Step_FollowsTheEquationsOfGym()
    {
        using var pendulum = new TaskEnvironment(new Pendulum());
        float[] frame = new float[pendulum.Robot.Layout.Length];
        pendulum.Reset(0, frame);
        Assert.Equal(-((Math.PI * Math.PI) + 0.004), pendulum.Step([2f], frame).Reward, 1e-5);
        Assert.Equal(0.3, frame[1], 1e-6);
        Assert.Equal(Math.PI + 0.015, frame[0], 1e-6);
        Assert.Equal(-(Math.Pow(Math.PI - 0.015, 2) + 0.009), pendulum.Step([0f], frame).Reward, 1e-5);
        Assert.Equal(0.288750422, frame[1], 1e-6);
        Assert.Equal(Math.PI + 0.015 + 0.0144375211, frame[0], 1e-6);
        Assert.Equal(Math.Cos(frame[0]), frame[3], 1e-6);
        Assert.Equal(Math.Sin(frame[0]), frame[4], 1e-6);
    }

    [Fact]
    public void Step_ClipsTorqueAndSpeedAsGymDoes()
    {
        using var pendulum = new TaskEnvironment(new Pendulum());
        float[] frame = new float[pendulum.Robot.Layout.Length];
        pendulum.Reset(0, frame);
        pendulum.Step([50f], frame);
        Assert.Equal(0.3f, frame[1], 1e-6f);
        using var heavy = new TaskEnvironment(new Pendulum(), new() { Dynamics = DynamicsRanges.Parse("motor=10", "test") });
        heavy.Reset(0, frame);
        for (int i = 0; i < 10; i++)
        {
            heavy.Step([2f], frame);
        }

        Assert.Equal(8f, frame[1]);
    }

    [Fact]
    public void Episode_Is200StepsAndNeverTerminates()
    {
        using var environment = new VectorEnvironment(new Pendulum());
        var step = new VectorStep(1, 3);
        environment.Reset(1, step.Observations);
        for (int i = 1; i <= 400; i++)
        {
            environment.Step([0f], step);
            Assert.Equal(i % 200 == 0, step.Truncated[0]);
            Assert.False(step.Terminated[0]);
        }
    }

    [Fact]
    public void Start_CoversThePublishedRange()
    {
        using var environment = new VectorEnvironment(new Pendulum(), new() { Count = 2000 });
        float[] observations = new float[6000];
        environment.Reset(5, observations);
        float[] angles = [.. Enumerable.Range(0, 2000).Select(i => environment.Signals(i)[0])];
        float[] speeds = [.. Enumerable.Range(0, 2000).Select(i => environment.Signals(i)[1])];
        Assert.InRange(angles.Min(), -Math.PI, -3.1);
        Assert.InRange(angles.Max(), 3.1, Math.PI);
        Assert.InRange(speeds.Min(), -1, -0.99);
        Assert.InRange(speeds.Max(), 0.99, 1);
    }
}
