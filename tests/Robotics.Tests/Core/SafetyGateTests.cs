using System.Reflection;
using System.Runtime.CompilerServices;
using Robotics.Safety;

namespace Robotics.Tests.Core;

public sealed class SafetyGateTests
{
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(10);

    [Theory]
    [InlineData(0.00f, 0.05f, 0.05f, GateReasons.None)]            // reachable: unchanged
    [InlineData(0.00f, 0.50f, 0.10f, GateReasons.Speed)]           // too far for one tick: cut to reach
    [InlineData(0.95f, 1.50f, 1.00f, GateReasons.Range)]           // beyond the range: cut to range
    [InlineData(1.30f, 1.30f, 1.20f, GateReasons.Range | GateReasons.Speed)] // outside, within the margin: walks back one reach
    [InlineData(0.20f, float.NaN, 0.20f, GateReasons.TargetNotFinite)] // nonsense: holds position
    [InlineData(0.20f, float.PositiveInfinity, 0.20f, GateReasons.TargetNotFinite)]
    public void Apply_ReturnsNearestAllowedTarget(float measured, float wanted, float expected, GateReasons reasons)
    {
        var gate = Gate(Joint() with { RangeMargin = 0.5f });
        float[] target = [wanted];
        var command = gate.Apply([measured, 0, 0], target, Tick, default, out var report);
        Assert.Equal(expected, command.Target[0], 1e-6f);
        Assert.Equal(expected, target[0], 1e-6f);
        Assert.Equal(reasons, report.Reasons);
        Assert.Equal(reasons == GateReasons.None ? 0UL : 1UL, report.Touched);
        Assert.All(Enum.GetValues<GateReasons>().Where(one => one != GateReasons.None), one => Assert.Equal((reasons & one) != 0 ? 1UL : 0UL, gate.Count(one)));
    }

    [Theory]
    [InlineData(float.NaN, GateReasons.Blind)]
    [InlineData(float.NegativeInfinity, GateReasons.Blind)]
    [InlineData(1.11f, GateReasons.OutOfRange)] // 5 % of the range of 2 is 0.1
    [InlineData(-1.11f, GateReasons.OutOfRange)]
    public void Apply_WhenItCannotSee_Holds(float measured, GateReasons reason)
    {
        float[] target = [0];
        var gate = Gate(Joint());
        Assert.True(gate.Apply([measured, 0, 0], target, Tick, default, out var report).IsHold);
        Assert.True(report.Refused);
        Assert.Equal(reason, report.Reasons);
        Assert.Equal(1UL, gate.Count(reason));
    }

    [Fact]
    public void Apply_WhenALengthIsWrong_Holds()
    {
        var gate = Gate(Joint());
        Assert.True(gate.Apply([0, 0], [0], Tick, default, out var report).IsHold);
        Assert.Equal(GateReasons.Length, report.Reasons);
        Assert.True(gate.Apply([0, 0, 0], [0, 0], Tick, default, out _).IsHold);
    }

    [Fact]
    public void Apply_WhenASignalLeavesItsBox_Holds()
    {
        var gate = new SafetyGate(Box([-1], [1]), CommandMode.Native(Box([-1], [1])));
        Assert.False(gate.Apply([0, 0, 0, 0.9f], [0], Tick, default, out _).IsHold);
        Assert.True(gate.Apply([0, 0, 0, 1.1f], [0], Tick, default, out var report).IsHold);
        Assert.Equal(GateReasons.Workspace, report.Reasons);
    }

    [Theory]
    [InlineData(new[] { float.NaN }, new[] { 1f })] // would watch nothing
    [InlineData(new[] { 0f, 0f }, new[] { 1f })]
    [InlineData(new[] { 2f }, new[] { 1f })]
    public void Constructor_WhenABoxWatchesNothing_Refuses(float[] lower, float[] upper) =>
        Assert.Contains("workspace of signal 'height' needs 1", Assert.Throws<ConfigException>(() => new SafetyGate(Box(lower, upper), CommandMode.Native(Box(lower, upper)))).Message, StringComparison.Ordinal);

    [Fact]
    public void Apply_KeepsTheLead()
    {
        var gate = Gate(Joint() with { MaxLead = 0.03f });
        float[] target = [0.08f];
        gate.Apply([0, 0, 0], target, Tick, default, out var report);
        Assert.Equal(0.03f, target[0], 1e-6f);
        Assert.Equal(GateReasons.Lead, report.Reasons);
    }

    [Theory]
    [InlineData(0.5f, null)]
    [InlineData(1.0f, null)]  // the range's end
    [InlineData(-0.8f, null)]
    [InlineData(0.5f, 5000f)]
    public void Apply_WithAnAcceleration_MeetsAStepWithoutShootingPast(float goal, float? jerk)
    {
        const float acceleration = 20;
        var gate = Gate(Joint() with { MaxAcceleration = acceleration, MaxJerk = jerk });
        float at = 0, speed = 0, beyond = 0;
        float[] target = new float[1];
        for (int i = 0; i < 400; i++)
        {
            target[0] = goal;
            gate.Apply([at, 0, 0], target, Tick, default, out _);
            float next = (target[0] - at) / 0.01f;
            Assert.True(jerk is not null || Math.Abs(next - speed) <= (acceleration * 0.01f) + 1e-3f, $"tick {i}: {speed} to {next}");
            (at, speed) = (target[0], next);
            beyond = Math.Max(beyond, (at - goal) * Math.Sign(goal));
        }

        Assert.Equal(goal, at, 1e-3f);
        Assert.True(beyond < (jerk is null ? 1e-4f : 0.02f), $"shot {beyond} past");
    }

    [Fact]
    public void Apply_WithAnAcceleration_FollowsASmoothTargetUntouched()
    {
        var gate = Gate(Joint() with { MaxAcceleration = 20 });
        float[] target = new float[1];
        for (int i = 0; i < 600; i++)
        {
            double t = i * 0.01;
            float wanted = (float)(0.25 * (1 - Math.Cos(3 * t))); // 2.25 rad/s² at most
            target[0] = wanted;
            gate.Apply([wanted, 0, 0], target, Tick, default, out var report);
            Assert.Equal(wanted, target[0], 2e-6f);
            Assert.Equal(GateReasons.None, report.Reasons);
        }
    }

    [Fact]
    public void Apply_LimitsTheJerk()
    {
        var gate = Gate(Joint() with { MaxAcceleration = 50, MaxJerk = 1000 });
        float[] target = [0.5f];
        gate.Apply([0, 0, 0], target, Tick, default, out var report);
        Assert.Equal(0.001f, target[0], 1e-6f); // jerk 1000 x (0.01 s)³
        Assert.True(report.Reasons.HasFlag(GateReasons.Jerk));
    }

    [Theory]
    [InlineData(0.0f, 9f, 4f, GateReasons.Effort)]
    [InlineData(1.0f, 3f, 0f, GateReasons.Range)]  // at the end: not further
    [InlineData(1.0f, -3f, -3f, GateReasons.None)] // back inside is allowed
    [InlineData(-1f, -3f, 0f, GateReasons.Range)]
    [InlineData(0.0f, float.NaN, 0f, GateReasons.TargetNotFinite)]
    public void Apply_LimitsEfforts(float measured, float wanted, float expected, GateReasons reasons)
    {
        var gate = Gate(Joint() with { Command = TargetKind.Effort, MaxEffort = 4 });
        float[] target = [wanted];
        gate.Apply([measured, 0, 0], target, Tick, default, out var report);
        Assert.Equal(expected, target[0], 1e-6f);
        Assert.Equal(reasons, report.Reasons);
    }

    [Theory]
    [InlineData(0.00f, 99f, 10f, GateReasons.Speed)]
    [InlineData(0.95f, 9f, 5f, GateReasons.Range)]  // 0.05 left, 10 ms: 5 rad/s reaches the end
    [InlineData(1.00f, 9f, 0f, GateReasons.Range)]
    [InlineData(1.00f, -9f, -9f, GateReasons.None)]
    public void Apply_LimitsVelocities(float measured, float wanted, float expected, GateReasons reasons)
    {
        var gate = Gate(Joint() with { Command = TargetKind.Velocity });
        float[] target = [wanted];
        gate.Apply([measured, 0, 0], target, Tick, default, out var report);
        Assert.Equal(expected, target[0], 1e-4f);
        Assert.Equal(reasons, report.Reasons);
    }

    [Fact]
    public void Apply_WhateverTheTargets_StaysInsideRangeAndReach()
    {
        var random = new Random(7);
        foreach (float? acceleration in new float?[] { null, 30 })
        {
            var gate = Gate(Joint() with { MaxAcceleration = acceleration });
            float at = 0.3f;
            float[] target = new float[1];
            float[] frame = new float[3];
            for (int i = 0; i < 100_000; i++)
            {
                target[0] = random.Next(20) switch { 0 => float.NaN, 1 => float.PositiveInfinity, 2 => float.MinValue, 3 => float.MaxValue, _ => (random.NextSingle() * 6) - 3 };
                frame[0] = at;
                gate.Apply(frame, target, Tick, default, out _);
                Assert.True(target[0] is >= -1 and <= 1 && Math.Abs(target[0] - at) <= 0.1f + 1e-6f, $"{i}: {at} to {target[0]}");
                at = target[0];
            }
        }
    }

    [Fact]
    public void Apply_WhenTheCallerWritesItsBufferLater_TheCommandStands()
    {
        float[] target = [0.05f];
        var command = Gate(Joint()).Apply([0, 0, 0], target, Tick, default, out _);
        target[0] = 99;
        Assert.Equal(0.05f, command.Target[0]);
    }

    [Fact]
    public void Apply_AllocatesNothing()
    {
        var gate = Gate(Joint() with { MaxAcceleration = 5, MaxJerk = 100 });
        float[] target = [0.5f];
        float[] frame = new float[3];
        gate.Apply(frame, target, Tick, default, out _);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 10_000; i++)
        {
            gate.Apply(frame, target, Tick, default, out _);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void SafeCommand_CanOnlyBeMadeByTheGate()
    {
        Assert.Empty(typeof(SafeCommand).GetConstructors(BindingFlags.Public | BindingFlags.Instance));
        Assert.Empty(typeof(SafeCommand).Assembly.GetCustomAttributes<InternalsVisibleToAttribute>());
    }

    private static JointSpec Joint() => new() { Name = "j", Lower = -1, Upper = 1, MaxSpeed = 10 };

    private static SafetyGate Gate(JointSpec joint)
    {
        var robot = new RobotSpec { Name = "r", Joints = [joint] };
        return new SafetyGate(robot, CommandMode.Native(robot));
    }

    private static RobotSpec Box(float[] lower, float[] upper) => new()
    {
        Name = "r",
        Joints = [Joint()],
        Signals = [new SignalSpec { Name = "height", Length = 1 }],
        Workspace = [new WorkspaceBox { Signal = "height", Lower = lower, Upper = upper }],
    };
}
