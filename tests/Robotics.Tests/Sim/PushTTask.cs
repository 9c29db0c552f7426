using Robotics.Sim.Planar;
using Robotics.Sim.Tasks;

namespace Robotics.Tests.Sim;

public sealed class PushTTask : IDisposable
{
    private readonly PushT _table = new();
    private readonly float[] _signals = new float[PushT.Describe().Layout.Length];

    public void Dispose() => _table.Dispose();

    [Fact]
    public void World_FollowsThePublishedEngine_ThroughContacts()
    {
        // trajectories.csv was computed with libchipmunk 7.0.3, the engine under pymunk.
        foreach (var episode in PushTRow.Read(Repository.Case("pusht-dynamics/trajectories.csv")))
        {
            var world = new PushTWorld();
            world.Reset(episode[0].Agent, BeforeReset(episode[0].Block));
            foreach (var row in episode)
            {
                if (row.Step > 0)
                {
                    world.Step(row.Action);
                }

                Assert.Equal(0, (world.Agent - row.Agent).Length, 1e-9);
                Assert.Equal(0, (new Vec2(world.Block.X, world.Block.Y) - new Vec2(row.Block.X, row.Block.Y)).Length, 1e-9);
                Assert.Equal(0, Math.IEEERemainder(world.Block.Angle - row.Block.Angle, Math.Tau), 1e-9);
                Assert.Equal(row.Coverage, world.Coverage, 1e-9);
            }
        }
    }

    [Theory]
    [InlineData(1, 1e-4)]
    [InlineData(2, 2e-3)] // every other measurement was lost: the way between is taken as straight
    public void Follow_OfWhereTheDriveTookTheAgent_PushesTheBlockAsTheDriveDid(int steps, double within)
    {
        using var driven = new PushT(new() { Period = PushT.PhysicsPeriod, Endless = true });
        float[] signals = new float[_signals.Length];
        driven.Reset(PushT.NominalSeed, signals);
        _table.Reset(PushT.NominalSeed, _signals);
        for (int i = 1; i <= 300; i++)
        {
            driven.Step([0.256f + (0.05f * MathF.Sin(i / 60f)), 0.4f - (0.0006f * i)], signals);
            if (i % steps == 0)
            {
                _table.Follow(new(signals[0], signals[1]), steps, _signals);
            }
        }

        Assert.InRange(signals[7], 0, 0.27); // pushed by more than 3 cm
        Assert.All(Enumerable.Range(0, signals.Length).Where(e => e is not (2 or 3)), e => Assert.Equal(signals[e], _signals[e], within));
    }

    [Fact]
    public void Follow_OfAnAgentThatWasNotSeenOnItsWay_PushesNothing()
    {
        _table.Reset(PushT.NominalSeed, _signals);
        var block = _table.World.Block;
        _table.Follow(new(0.256, 0.1), 0, _signals); // past the block, through it
        Assert.Equal(block, _table.World.Block);
        Assert.Equal(0.1f, _signals[1], 1e-6f);
    }

    [Fact]
    public void CoverageOf_PublishedPoses_AgreesTo1e6()
    {
        foreach (var row in PushTRow.Read(Repository.Case("pusht-dynamics/trajectories.csv")).SelectMany(rows => rows))
        {
            Assert.Equal(row.Coverage, PushTWorld.CoverageOf(row.Block), 1e-6);
        }

        Assert.Equal(1, PushTWorld.CoverageOf(PushTWorld.Goal), 1e-12);
        Assert.Equal(0, PushTWorld.CoverageOf(new(60, 60, 0)));
    }

    [Fact]
    public void Step_InMetres_FollowsThePublishedPathWithinFloatTargets()
    {
        // Targets and signals are float32 metres: 3e-8 m at 0.5 m, so 1e-3 px is generous.
        var episode = PushTRow.Read(Repository.Case("pusht-dynamics/trajectories.csv"))[1];
        var block = BeforeReset(episode[0].Block);
        _table.ResetTo(episode[0].Agent * PushT.MetresPerPixel, block with { X = block.X * PushT.MetresPerPixel, Y = block.Y * PushT.MetresPerPixel }, _signals);
        foreach (var row in episode.Skip(1))
        {
            var result = _table.Step([(float)(row.Action.X * PushT.MetresPerPixel), (float)(row.Action.Y * PushT.MetresPerPixel)], _signals);
            Assert.Equal(row.Agent.X, _signals[0] * PushT.PixelsPerMetre, 1e-3);
            Assert.Equal(row.Agent.Y, _signals[1] * PushT.PixelsPerMetre, 1e-3);
            Assert.Equal(row.Block.X, _signals[6] * PushT.PixelsPerMetre, 1e-2);
            Assert.Equal(row.Block.Angle, _signals[8], 1e-4);
            Assert.Equal(row.Values[10], result.Reward, 1e-4);
        }
    }

    [Fact]
    public void Description_MatchesTheSignalsThatAreWritten()
    {
        _table.Reset(PushT.NominalSeed, _signals);
        var layout = _table.Robot.Layout;
        Assert.Equal(32, layout.Length);
        Assert.Equal(0.256f, _signals[0]);
        Assert.Equal(0.4f, _signals[1]);
        Assert.Equal([0.256f, 0.3f, 0f], Slice("block.pose"));
        Assert.Equal([0.256f, 0.256f, (float)(Math.PI / 4)], Slice("goal.pose"));
        Assert.Equal(0.16700165f, Slice("task.coverage")[0], 1e-6f); // ../shared/cases/pusht-dynamics/NOTES.md
        Assert.Equal(0.16700165f / 0.95f, Slice("task.reward")[0], 1e-6f);

        // At angle 0 a keypoint is its local position beside the block's origin.
        Assert.Equal(0.256f + 0.0092698f, Slice("block.keypoints")[0], 1e-6f);
        Assert.Equal(0.3f + 0.0900410f, Slice("block.keypoints")[1], 1e-6f);

        float[] Slice(string name) => _signals.AsSpan(layout.Find(name)!.Offset, layout.Find(name)!.Length).ToArray();
    }

    [Fact]
    public void Step_WithoutTargets_KeepsTheLastTarget()
    {
        _table.Reset(PushT.NominalSeed, _signals);
        _table.Step([], _signals);
        Assert.Equal(0.256f, _signals[0]); // nothing commanded yet: stays where it is

        _table.Step([0.1f, 0.45f], _signals);
        for (int i = 0; i < 30; i++)
        {
            _table.Step([], _signals);
        }

        Assert.Equal(0.1f, _signals[0], 1e-4f);
        Assert.Equal(0.45f, _signals[1], 1e-4f);
    }

    [Fact]
    public void Reset_WhenSeedRepeats_RepeatsEveryByte()
    {
        Assert.Equal(Run(17), Run(17));
        Assert.NotEqual(Run(17), Run(18));

        // Instances share nothing: four threads see what one sees.
        var together = new float[4][];
        Parallel.For(0, 4, k => together[k] = Run((ulong)(20 + k)));
        Assert.All(Enumerable.Range(0, 4), k => Assert.Equal(Run((ulong)(20 + k)), together[k]));

        static float[] Run(ulong seed)
        {
            var table = new PushT();
            var signals = new float[table.Robot.Layout.Length];
            var all = new List<float>();
            table.Reset(seed, signals);
            for (int i = 0; i < 50; i++)
            {
                table.Step([0.05f + (0.008f * i), 0.256f], signals);
                all.AddRange(signals);
            }

            return [.. all];
        }
    }

    [Fact]
    public void Reset_OfUsedTable_LeavesNothingBehind()
    {
        var fresh = new float[_signals.Length];
        new PushT().Reset(5, fresh);
        _table.Reset(3, _signals);
        for (int i = 0; i < 40; i++)
        {
            _table.Step([0.256f, 0.256f], _signals); // pushes through the middle
        }

        _table.Reset(5, _signals);
        Assert.Equal(fresh, _signals);
        Assert.Equal(TimeSpan.Zero, _table.Time);
    }

    [Fact]
    public void Step_TenPhysicsPeriods_EqualsOneControlPeriod()
    {
        var fine = new PushT(new() { Period = TimeSpan.FromMilliseconds(10), Endless = true });
        var other = new float[_signals.Length];
        _table.Reset(7, _signals);
        fine.Reset(7, other);
        for (int i = 0; i < 20; i++)
        {
            _table.Step([0.3f, 0.2f], _signals);
            for (int k = 0; k < 10; k++)
            {
                fine.Step([0.3f, 0.2f], other);
            }

            Assert.Equal(_signals, other);
            Assert.Equal(_table.Time, fine.Time);
        }
    }

    [Fact]
    public void Step_WhenSolved_TerminatesOnlyWhereAsked()
    {
        const double solved = 0.9999;
        Assert.True(Solved(new()).Terminated);
        Assert.False(Solved(new() { Endless = true }).Terminated);

        static StepResult Solved(PushTOptions options)
        {
            var table = new PushT(options);
            var signals = new float[table.Robot.Layout.Length];

            // ResetTo turns about the centre of gravity, so its position is the goal's, turned back.
            var at = BeforeReset(PushTWorld.Goal);
            table.ResetTo(new(0.05, 0.05), new(at.X * PushT.MetresPerPixel, at.Y * PushT.MetresPerPixel, at.Angle), signals);
            var result = table.Step([], signals);
            Assert.InRange(signals[30], (float)solved, 1.0001f);
            Assert.Equal(1, result.Reward);
            return result;
        }
    }

    [Fact]
    public void Step_AtTheTimeLimit_Truncates()
    {
        _table.Reset(PushT.NominalSeed, _signals);
        for (int i = 1; i < 300; i++)
        {
            Assert.False(_table.Step([], _signals).Truncated);
        }

        Assert.True(_table.Step([], _signals).Truncated);
        Assert.Equal(TimeSpan.FromSeconds(30), _table.Time);
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void Step_WithNonFiniteTarget_IsADivergenceAndAResetCuresIt(float target)
    {
        _table.Reset(PushT.NominalSeed, _signals);
        Assert.Throws<SimulationDivergedException>(() => _table.Step([target, 0.1f], _signals));
        _table.Reset(PushT.NominalSeed, _signals);
        _table.Step([0.2f, 0.2f], _signals);
        Assert.All(_signals, value => Assert.True(float.IsFinite(value)));
    }

    [Fact]
    public void Step_WithWrongLengths_NamesBothSides()
    {
        var error = Assert.Throws<ArgumentException>(() => _table.Step([1], _signals));
        Assert.Contains("1 targets, robot 'push-t' has 2 joints (x, y)", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => _table.Step([], new float[3]));
    }

    [Fact]
    public void SetMode_WhenNotPosition_IsRefused()
    {
        _table.SetMode(CommandMode.Native(_table.Robot));
        Assert.Throws<ArgumentException>(() => _table.SetMode(new([TargetKind.Effort, TargetKind.Effort], null)));
    }

    [Fact]
    public void Options_WhenWrong_ReportEverythingAtOnce()
    {
        var error = Assert.Throws<ConfigException>(() => new PushT(new() { Period = TimeSpan.FromMilliseconds(15), TimeLimit = TimeSpan.Zero }));
        Assert.Equal(2, error.Problems.Count);
        Assert.Contains("PushTOptions.Period is 15 ms, expected a multiple of 10 ms up to 10 s", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Step_InContact_AllocatesNothing()
    {
        _table.Reset(PushT.NominalSeed, _signals);
        float[] target = [0.256f, 0.2f];
        for (int i = 0; i < 50; i++)
        {
            _table.Step(target, _signals);
        }

        Assert.Equal(0, Allocated.ByThisThread(() =>
        {
            for (int i = 0; i < 200; i++)
            {
                target[0] = 0.2f + (0.0005f * i);
                _table.Step(target, _signals);
                if (i % 50 == 0)
                {
                    _table.Reset((ulong)i, _signals);
                }
            }
        }));
    }

    /// <summary>The position to reset to so that turning about the centre of gravity ends at <paramref name="pose"/>.</summary>
    private static PlanarPose BeforeReset(PlanarPose pose)
    {
        var centre = new Vec2(0, 45);
        var at = new Vec2(pose.X, pose.Y) + centre.Rotate(Vec2.FromAngle(pose.Angle)) - centre;
        return new(at.X, at.Y, pose.Angle);
    }
}
