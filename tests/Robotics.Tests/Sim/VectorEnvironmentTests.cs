using Robotics.Numerics;
using Robotics.Sim;
using Robotics.Sim.Tasks;

namespace Robotics.Tests.Sim;

public sealed class VectorEnvironmentTests
{
    [Theory]
    [InlineData("pendulum", "noise=0.01,latency=0..2,mass=0.5..2", 450)]
    [InlineData("cart-pole", "", 200)]
    [InlineData("hopper", "gravity=0.9..1.1,mass=0.8..1.2,bias=0.02", 60)]
    public void Step_GivesTheSameBytesForEveryNumberOfThreads(string name, string dynamics, int steps)
    {
        var task = LearningTaskTests.Open(name);
        byte[] one = Play(task, 1, dynamics, steps, 7);
        Assert.Equal(one, Play(task, 2, dynamics, steps, 7));
        Assert.Equal(one, Play(task, 5, dynamics, steps, 7));
        Assert.NotEqual(one, Play(task, 1, dynamics, steps, 8));
    }

    [Fact]
    public void Step_WhereAnEpisodeEnds_KeepsTheTrueLastObservation()
    {
        var task = new CartPole();
        using var environment = new VectorEnvironment(task, new() { Count = 3 });
        using var alone = new TaskEnvironment(task);
        var step = new VectorStep(3, 4);
        environment.Reset(21, step.Observations);
        float[] frame = new float[task.Robot.Layout.Length], observation = new float[4];
        var spaces = new TaskSpaces(task);
        alone.Reset(environment.EpisodeSeed(1), frame);
        ulong first = environment.EpisodeSeed(1);
        for (int i = 0; i < 200; i++)
        {
            environment.Step([1, 1, 1], step);
            var result = alone.Step([CartPole.MaxForce], frame);
            spaces.Observe(frame, observation);
            Assert.Equal(observation, step.Reached[4..8]);
            if (!step.Terminated[1])
            {
                Assert.Equal(observation, step.Observations[4..8]);
                continue;
            }

            Assert.True(result.Terminated);
            Assert.True(Math.Abs(step.Reached[6]) > 0.2); // the fallen pole
            Assert.All(step.Observations[4..8], value => Assert.InRange(value, -0.05f, 0.05f)); // the next start
            Assert.NotEqual(first, environment.EpisodeSeed(1));
            Assert.Equal(Seeds.Episode(21, 1, 1), environment.EpisodeSeed(1));
            return;
        }

        Assert.Fail("the pole never fell");
    }

    [Fact]
    public void Step_WhenTheTaskEndsAtTheLimit_IsNotTruncatedToo()
    {
        using var environment = new VectorEnvironment(new CartPole(), _ => new Fake((_, _) => new(1, true, true)));
        var step = new VectorStep(1, 4);
        environment.Reset(1, step.Observations);
        environment.Step([0], step);
        Assert.True(step.Terminated[0]);
        Assert.False(step.Truncated[0]);
    }

    [Fact]
    public void Step_WhenAnEnvironmentGivesNaN_NamesItAndItsSeed()
    {
        using var environment = new VectorEnvironment(new CartPole(),
            i => new Fake((at, signals) =>
            {
                signals[3] = i == 2 && at == 5 ? float.NaN : 0;
                return new(0, false, false);
            }), new() { Count = 4, Threads = 2 });
        var step = new VectorStep(4, 4);
        environment.Reset(33, step.Observations);
        float[] actions = new float[4];
        for (int i = 0; i < 4; i++)
        {
            environment.Step(actions, step);
        }

        var error = Assert.Throws<SimulationDivergedException>(() => environment.Step(actions, step));
        Assert.StartsWith($"Environment 2 of task 'cart-pole', episode 0 (seed {Seeds.Episode(33, 2, 0)}) is not finite at step 5: observation [0, 0, NaN, 0], reward 0.", error.Message, StringComparison.Ordinal);
        Assert.Contains("Reset task 'cart-pole'", Assert.Throws<InvalidOperationException>(() => environment.Step(actions, step)).Message, StringComparison.Ordinal);
        environment.Reset(34, step.Observations);
        environment.Step(actions, step);
    }

    [Fact]
    public void Step_WhenARewardIsNaN_SaysSo()
    {
        using var environment = new VectorEnvironment(new CartPole(), _ => new Fake((_, _) => new(float.NaN, false, false)));
        var step = new VectorStep(1, 4);
        environment.Reset(1, step.Observations);
        Assert.Contains("is not finite at step 1: observation [0, 0, 0, 0], reward NaN.", Assert.Throws<SimulationDivergedException>(() => environment.Step([0], step)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Step_WhenAnEnvironmentNeverEnds_IsAnErrorAtTheStatedLimit()
    {
        var task = new CartPole();
        using var environment = new VectorEnvironment(task, _ => new Fake((_, _) => default));
        var step = new VectorStep(1, 4);
        environment.Reset(1, step.Observations);
        for (int i = 1; i < task.StepLimit + VectorEnvironment.LimitMargin; i++)
        {
            environment.Step([0], step);
        }

        var error = Assert.Throws<SimulatorFailedException>(() => environment.Step([0], step));
        Assert.Contains($"did not end: it is at step 510, and the task's limit is 500", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Step_WhenAnActionIsNaN_BlamesThePolicy()
    {
        using var environment = new VectorEnvironment(new Pendulum(), new() { Count = 2 });
        var step = new VectorStep(2, 3);
        environment.Reset(1, step.Observations);
        Assert.Contains("Action element 0 of environment 1 is NaN: the policy", Assert.Throws<ArgumentException>(() => environment.Step([0, float.NaN], step)).Message, StringComparison.Ordinal);
        environment.Step([0, 0], step); // nothing was stepped, so nothing is lost
    }

    [Fact]
    public void Step_BeforeAReset_SaysWhatToDo()
    {
        using var environment = new VectorEnvironment(new Pendulum());
        Assert.Contains("before its first step", Assert.Throws<InvalidOperationException>(() => environment.Step([0], new VectorStep(1, 3))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Options_OutOfRange_AreReportedTogether() =>
        Assert.Equal(2, Assert.Throws<ConfigException>(() => new VectorEnvironment(new Pendulum(), new() { Count = 0, Threads = 0 })).Problems.Count);

    [Fact]
    public void Draws_DifferByEnvironmentAndAreShown()
    {
        var task = new Pendulum();
        using var environment = new VectorEnvironment(task, new() { Count = 50, Dynamics = DynamicsRanges.Parse("mass=0.5..2,gravity=2", "test") });
        environment.Reset(3, new float[150]);
        double[] masses = [.. Enumerable.Range(0, 50).Select(i => environment.Dynamics(i)!.Mass)];
        Assert.Equal(50, masses.Distinct().Count());
        Assert.InRange(masses.Count(mass => mass < 1), 15, 35); // halving is as likely as doubling
        Assert.All(masses, mass => Assert.InRange(mass, 0.5, 2));
        Assert.Contains("gravity=2,mass=", environment.Dynamics(0)!.ToString(), StringComparison.Ordinal);
    }

    private static byte[] Play(ILearningTask task, int threads, string dynamics, int steps, ulong seed)
    {
        const int Count = 6;
        using var environment = new VectorEnvironment(task, new() { Count = Count, Threads = threads, Dynamics = DynamicsRanges.Parse(dynamics, "test") });
        var step = new VectorStep(Count, environment.ObservationSize);
        environment.Reset(seed, step.Observations);
        var random = new SeededRandom(1);
        float[] actions = new float[Count * environment.ActionSize];
        var all = new MemoryStream();
        for (int i = 0; i < steps; i++)
        {
            LearningTaskTests.Draw(random, actions);
            environment.Step(actions, step);
            foreach (float[] values in new[] { step.Observations, step.Reached, step.Rewards })
            {
                all.Write(System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.AsSpan()));
            }

            all.Write([.. step.Terminated.Concat(step.Truncated).Select(ended => (byte)(ended ? 1 : 0))]);
        }

        return all.ToArray();
    }

    private delegate StepResult FakeStep(int at, Span<float> signals);

    /// <summary>A cart-pole whose physics is a lambda.</summary>
    private sealed class Fake(FakeStep step) : IEnvironment
    {
        private int _at;

        public RobotSpec Robot => new CartPole().Robot;

        public TimeSpan Period => TimeSpan.FromMilliseconds(20);

        public TimeSpan Time => Period * _at;

        public void Reset(ulong seed, Span<float> signals)
        {
            _at = 0;
            signals.Clear();
        }

        public void SetMode(CommandMode mode)
        {
        }

        public StepResult Step(ReadOnlySpan<float> targets, Span<float> signals) => step(++_at, signals);

        public void Dispose()
        {
        }
    }
}
