using Robotics.Sim.Mujoco;
using static Robotics.Tests.Sim.MujocoScenes;

namespace Robotics.Tests.Sim;

public sealed class MujocoEnvironmentTests
{
    private static readonly CommandMode Servoed = new([TargetKind.Position], new([20f], [3f], [10f]));

    [Fact]
    public void Step_WhenServoDrivesAMotor_ReachesTheTarget()
    {
        using var arm = Open(Arm(Motor, TargetKind.Effort));
        arm.SetMode(Servoed);
        Assert.Equal(-0.25f, Run(arm, [-0.25f], 300)[0], 0.01f);
    }

    [Fact]
    public void Step_WhenMotorHasAGear_PutsTheTargetEffortOnTheJoint()
    {
        using var arm = Open(Arm(Motor, TargetKind.Effort));
        Assert.Equal(0.3f, Run(arm, [0.3f], 1)[2], 1e-6f);
    }

    [Fact]
    public void Step_WhenItHoldsByKeeping_StaysAtTheLastTarget()
    {
        using var arm = Open(Arm(Motor, TargetKind.Effort));
        arm.SetMode(Servoed);
        Run(arm, [1f], 5);
        Assert.Equal(1f, Run(arm, [], 300)[0], 0.01f);
    }

    [Fact]
    public void Step_WhenItHoldsBeforeAnyTarget_StaysWhereItIs()
    {
        using var arm = Open(Arm(Position, TargetKind.Position));
        Assert.Equal(0.5f, Run(arm, [], 200)[0], 1e-4f);
    }

    [Theory]
    [InlineData(Motor, TargetKind.Effort)]
    [InlineData(Position, TargetKind.Position)]
    public void Step_WhenItHoldsByDamping_StopsAndLetsGoOfTheTarget(string actuator, TargetKind command)
    {
        using var arm = Open(Arm(actuator, command, new() { Mode = HoldMode.Damp, Damping = 2 }));
        float[] moving = Run(arm, [command == TargetKind.Effort ? 5f : 3f], 10);
        Assert.True(moving[1] > 0.5f, $"dq {moving[1]}");
        float[] still = Run(arm, [], 100);
        Assert.Equal(0f, still[1], 1e-3f);
        Assert.Equal(0f, still[2], 1e-2f);
    }

    [Theory]
    [InlineData(Motor, TargetKind.Effort)]
    [InlineData(Position, TargetKind.Position)]
    public void Step_WhenItHoldsByZero_CoastsWithoutEffort(string actuator, TargetKind command)
    {
        using var arm = Open(Arm(actuator, command, new() { Mode = HoldMode.Zero }));
        float[] moving = Run(arm, [command == TargetKind.Effort ? 1f : 1f], 5);
        float[] coasting = Run(arm, [], 10);
        Assert.True(moving[1] > 0.1f, $"dq {moving[1]}");
        Assert.Equal(moving[1], coasting[1], 1e-3f);
        Assert.Equal(0f, coasting[2], 1e-5f);
    }

    [Fact]
    public void Step_WhenTheStateExplodes_ThrowsWithTheWarningAndStaysDivergedUntilReset()
    {
        using var arm = Open(Arm("""<motor name="m" joint="hinge" gear="1e12"/>""", TargetKind.Effort));
        var error = Assert.Throws<SimulationDivergedException>(() => Run(arm, [1e13f], 3));
        Assert.Matches("Robot 'arm' diverged at 0.0[0-9]+ s of simulated time: BADQ(POS|VEL|ACC)", error.Message);
        Assert.Throws<SimulationDivergedException>(() => Run(arm, [0f], 1));
        float[] frame = new float[arm.Robot.Layout.Length];
        arm.Reset(0, frame);
        Assert.Equal(0.5f, Run(arm, [0f], 1)[0], 1e-6f);
    }

    [Fact]
    public void Step_WhenATargetIsNaN_Diverges()
    {
        using var arm = Open(Arm(Motor, TargetKind.Effort));
        Assert.Contains("BADCTRL", Assert.Throws<SimulationDivergedException>(() => Run(arm, [float.NaN], 1)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Step_WhenWarm_AllocatesNothing()
    {
        using var arm = Open(Arm(Motor, TargetKind.Effort, null,
            new SignalSpec { Name = "v", Length = 3, Source = "body_linear_velocity:arm" },
            new SignalSpec { Name = "o", Length = 4, Source = "site_orientation:tip" }));
        arm.SetMode(Servoed);
        float[] frame = Run(arm, [1f], 10);
        float[] target = [1f];
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1000; i++)
        {
            arm.Step(i % 2 == 0 ? target : [], frame);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public async Task Step_WhenInstancesRunInParallel_EachGivesTheSameBytesPerSeed()
    {
        var robot = Arm(Motor, TargetKind.Effort);
        float[] Play(ulong seed)
        {
            using var arm = Open(robot);
            arm.Reset(seed, new float[arm.Robot.Layout.Length]);
            return Run(arm, [0.01f], 200);
        }

        float[][] runs = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => Task.Run(() => Play((ulong)(i % 2) + 1))));
        for (int i = 2; i < runs.Length; i++)
        {
            Assert.Equal(runs[i % 2], runs[i]);
        }

        Assert.NotEqual(runs[0], runs[1]);
    }

    [Fact]
    public void Constructor_WhenNamesAreUnknown_ListsEverythingAtOnce()
    {
        var robot = Arm(Position, TargetKind.Effort, null,
            new SignalSpec { Name = "a", Length = 1, Source = "sensor:gyro" },
            new SignalSpec { Name = "b", Length = 2, Source = "sensor:angle" },
            new SignalSpec { Name = "c", Length = 2, Source = "smell:angle" }) with { ServoPeriodMs = 5 };
        var error = Assert.Throws<ConfigException>(() => new MujocoEnvironment(robot, TimeSpan.FromMilliseconds(3)));
        Assert.Collection(
            error.Problems.Order(StringComparer.Ordinal),
            p => Assert.Contains("joints[0].command of 'hinge' is Effort, and its actuator 'm' in the model takes Position", p, StringComparison.Ordinal),
            p => Assert.Contains("servo_period_ms is 5, and the model's timestep is 2 ms", p, StringComparison.Ordinal),
            p => Assert.Contains("signals[0].source names sensor 'gyro', which the model does not have; it has: angle", p, StringComparison.Ordinal),
            p => Assert.Contains("signals[1].length of 'b' is 2, and 'sensor:angle' has 1 elements", p, StringComparison.Ordinal),
            p => Assert.Contains("expected sensor:NAME, body_position:NAME", p, StringComparison.Ordinal),
            p => Assert.Contains("the control period 3 ms is not a whole number", p, StringComparison.Ordinal));
    }

    [Fact]
    public void Constructor_WhenTheSceneIsBroken_CarriesMujocosOwnText()
    {
        var robot = Arm("<nonsense/>", TargetKind.Effort);
        var error = Assert.Throws<ConfigException>(() => Open(robot));
        Assert.Contains("arm.xml", error.Message, StringComparison.Ordinal);
        Assert.Contains("nonsense", error.Message, StringComparison.Ordinal);
    }

    private static float[] Run(MujocoEnvironment robot, float[] target, int steps)
    {
        float[] frame = new float[robot.Robot.Layout.Length];
        for (int i = 0; i < steps; i++)
        {
            robot.Step(target, frame);
        }

        return frame;
    }
}
