using Robotics.Numerics;
using Robotics.Sim;
using Robotics.Sim.Tasks;

namespace Robotics.Tests.Sim;

public sealed class DynamicsTests
{
    [Fact]
    public void Gap_IsReadAndWrittenAlike()
    {
        var gap = DynamicsRanges.Parse("friction=0.3, gravity=2,latency=0..2", "--gap");
        Assert.Equal("gravity=2,friction=0.3,latency=0..2", gap.ToString());
        Assert.Equal(gap.ToString(), DynamicsRanges.Parse(gap.ToString(), "--gap").ToString());
        Assert.Equal("", DynamicsRanges.Parse("", "--gap").ToString());
        Assert.Equal(2, gap.GreatestLatency);
    }

    [Fact]
    public void Gap_ThatIsWrong_IsReportedAtOnce()
    {
        var error = Assert.Throws<ConfigException>(() => DynamicsRanges.Parse("gravity,weight=2,mass=x,friction=2..1,motor=99,latency=0.5,mass=1,mass=2", "--gap"));
        Assert.Collection(
            error.Problems,
            p => Assert.StartsWith("'gravity' is not NAME=VALUE", p, StringComparison.Ordinal),
            p => Assert.Contains("NAME one of gravity, friction, mass, damping, motor, latency, noise, bias", p, StringComparison.Ordinal),
            p => Assert.Equal("mass is 'x', expected a number or LOW..HIGH", p),
            p => Assert.Equal("friction runs from 2 down to 1; write the lower end first", p),
            p => Assert.Equal("motor is 99, expected 0 to 10", p),
            p => Assert.Equal("latency is 0.5, expected whole control steps", p),
            p => Assert.Equal("mass is given twice", p));
    }

    [Fact]
    public void Gap_ThatATaskDoesNotHave_NamesWhatItHas() =>
        Assert.Equal("--gap: friction means nothing to task 'pendulum'; it has: gravity, mass, motor, latency, noise, bias",
            Assert.Throws<ConfigException>(() => DynamicsRanges.Parse("friction=2", "--gap").CheckedFor(new Pendulum(), "--gap")).Message);

    [Fact]
    public void Usual_Restricted_FitsEveryTask() =>
        Assert.All(LearningTasks.All, task => DynamicsRanges.Usual.Restricted(task).CheckedFor(task, "test"));

    [Fact]
    public void Draw_IsEvenInTheLogarithmForFactorsAndInWholeStepsForLatency()
    {
        var ranges = DynamicsRanges.Parse("mass=0.25..4,latency=1..3,noise=0..1", "test");
        var random = new SeededRandom(1);
        var dynamics = new Dynamics();
        int light = 0, quiet = 0;
        int[] latencies = new int[5];
        for (int i = 0; i < 3000; i++)
        {
            ranges.Draw(random, dynamics);
            light += dynamics.Mass < 1 ? 1 : 0;
            quiet += dynamics.Noise < 0.5 ? 1 : 0;
            latencies[dynamics.Latency]++;
            Assert.InRange(dynamics.Mass, 0.25, 4);
            Assert.Equal(1, dynamics.Gravity);
        }

        Assert.InRange(light, 1350, 1650);
        Assert.InRange(quiet, 1350, 1650);
        Assert.Equal(0, latencies[0] + latencies[4]);
        Assert.All(latencies[1..4], count => Assert.InRange(count, 900, 1100));
    }

    // Hanging still, 2 Nm for 50 ms give 3u/(m l²) dt = 0.3 rad/s; doubled mass halves it, as does half a motor; late, nothing happens yet.
    [Theory]
    [InlineData("", 0.3f)]
    [InlineData("mass=2", 0.15f)]
    [InlineData("motor=0.5", 0.15f)]
    [InlineData("latency=1", 0f)]
    public void Pendulum_AnswersATorqueAsPhysicsSays(string gap, float speed)
    {
        using var pendulum = new TaskEnvironment(new Pendulum(), new() { Dynamics = DynamicsRanges.Parse(gap, "test") });
        float[] frame = new float[pendulum.Robot.Layout.Length];
        pendulum.Reset(0, frame);
        pendulum.Step([2f], frame);
        Assert.Equal(speed, frame[1], 1e-5f);
    }

    [Fact]
    public void Latency_DelaysTargetsByWholeControlSteps()
    {
        float[] Speeds(string gap, bool asRobot, int steps)
        {
            using var point = new TaskEnvironment(new PointMaze(), new() { Dynamics = DynamicsRanges.Parse(gap, "test"), AsRobot = asRobot });
            float[] frame = new float[point.Robot.Layout.Length];
            point.Reset(0, frame);
            return [.. Enumerable.Range(0, steps).Select(i =>
            {
                point.Step([i < 5 ? 1 : -1, 0], frame);
                return frame[2];
            })];
        }

        float[] prompt = Speeds("", false, 20), late = Speeds("latency=3", false, 23);
        Assert.Equal(new float[3], late[..3]);
        Assert.Equal(prompt, late[3..]);
        float[] promptRobot = Speeds("", true, 20), lateRobot = Speeds("latency=1", true, 25); // 50 ms of control are 5 steps of 10 ms
        Assert.Equal(promptRobot, lateRobot[5..]);
        Assert.Equal(new float[5], lateRobot[..5]);
    }

    [Fact]
    public void Noise_AndBias_HaveTheirSizeAndSpareTheTasksOwnSignals()
    {
        using var noisy = new TaskEnvironment(new PointMaze(), new() { Dynamics = DynamicsRanges.Parse("noise=0.01,bias=0.1", "test") });
        float[] frame = new float[noisy.Robot.Layout.Length];
        int steps = 150;
        double sum = 0, squares = 0, speedSum = 0, speedSquares = 0;
        noisy.Reset(0, frame);
        for (int i = 0; i < steps; i++)
        {
            noisy.Step([], frame); // it stands still at (-1, -1)
            sum += frame[0] + 1;
            squares += (frame[0] + 1) * (frame[0] + 1);
            speedSum += frame[2];
            speedSquares += frame[2] * frame[2];
            Assert.Equal(0, frame[^1]);
        }

        Assert.Equal(0.01, Math.Sqrt((squares / steps) - Math.Pow(sum / steps, 2)), 0.002);
        Assert.Equal(0.1, Math.Sqrt((speedSquares / steps) - Math.Pow(speedSum / steps, 2)), 0.02);
        Assert.InRange(Math.Abs(sum / steps), 0.002, 0.1 + 0.003);
        Assert.InRange(Math.Abs(speedSum / steps), 0.02, 1 + 0.03);
    }

    [Fact]
    public void Start_IsTheSameUnderEveryGap()
    {
        float[] First(string gap)
        {
            using var pendulum = new TaskEnvironment(new Pendulum(), new() { Dynamics = DynamicsRanges.Parse(gap, "test") });
            float[] frame = new float[pendulum.Robot.Layout.Length];
            pendulum.Reset(77, frame);
            return frame;
        }

        Assert.Equal(First(""), First("gravity=2,mass=0.5..2"));
    }

    // The hopper is dropped from where its foot is 4 mm above the floor; falling freely, the speed after t is -g t.
    [Theory]
    [InlineData("", 1)]
    [InlineData("gravity=2", 2)]
    [InlineData("gravity=2,mass=3", 2)]
    public void Mujoco_GravityScalesTheFall(string gap, float factor)
    {
        var task = (Hopper)LearningTaskTests.Open("hopper");
        using var hopper = new TaskEnvironment(task, new() { Dynamics = DynamicsRanges.Parse(gap, "test"), AsRobot = true });
        float[] frame = new float[hopper.Robot.Layout.Length];
        int lift = hopper.Robot.Layout.Find("base.lift")!.Offset;
        hopper.Reset(0, frame);
        hopper.Step([0, 0, 0], frame);
        Assert.Equal(-9.81f * 0.004f * factor, frame[lift], 1e-3f);
    }

    // With no gravity a torque turns the joint; the acceleration goes with 1/mass (the rotor's armature apart) and with the motor.
    [Fact]
    public void Mujoco_MassAndMotorScaleWhatATorqueDoes()
    {
        double nominal = Elbow("");
        Assert.InRange(nominal, 1, 200);
        Assert.Equal(nominal / 2, Elbow("motor=0.5"), nominal * 0.01);
        Assert.InRange(Elbow("mass=20"), nominal * 0.05, nominal * 0.95);
        Assert.True(Elbow("damping=5") < nominal);
        Assert.Equal(nominal, Elbow("motor=1"), 1e-9);

        static double Elbow(string gap)
        {
            using var arm = new TaskEnvironment(LearningTaskTests.Open("reacher"), new() { Dynamics = DynamicsRanges.Parse(gap, "test"), AsRobot = true });
            float[] frame = new float[arm.Robot.Layout.Length];
            arm.Reset(0, frame);
            arm.Step([0, 0.5f], frame);
            return frame[3] / 0.01;
        }
    }

    // A runner that is pushed by nothing but slips: with less friction its feet slide farther for the same torques.
    [Fact]
    public void Mujoco_FrictionChangesOnlyWhatTouches()
    {
        var task = LearningTaskTests.Open("runner");
        float[] Play(string gap, int steps)
        {
            using var runner = new TaskEnvironment(task, new() { Dynamics = DynamicsRanges.Parse(gap, "test") });
            float[] frame = new float[task.Robot.Layout.Length];
            runner.Reset(0, frame);
            for (int i = 0; i < steps; i++)
            {
                runner.Step([40, 0, 0, -40, 0, 0], frame);
            }

            return frame;
        }

        Assert.Equal(Play("", 1), Play("friction=0.3", 1)); // still in the air
        Assert.NotEqual(Play("", 25), Play("friction=0.3", 25));
        Assert.Equal(Play("", 25), Play("friction=1", 25));
    }

    [Fact]
    public void Mujoco_DrawsDoNotPileUp()
    {
        var task = LearningTaskTests.Open("runner");
        using var runner = new TaskEnvironment(task, new() { Dynamics = DynamicsRanges.Parse("mass=0.5..2,gravity=0.5..2,damping=0.5..2,motor=0.5..2,friction=0.5..2", "test") });
        float[] first = new float[task.Robot.Layout.Length], again = new float[first.Length];
        float[] Play(ulong seed)
        {
            float[] frame = new float[first.Length];
            runner.Reset(seed, frame);
            for (int i = 0; i < 20; i++)
            {
                runner.Step([10, 10, 10, -10, -10, -10], frame);
            }

            return frame;
        }

        first = Play(5);
        for (ulong seed = 100; seed < 130; seed++)
        {
            Play(seed);
        }

        again = Play(5);
        Assert.Equal(first, again);
    }
}
