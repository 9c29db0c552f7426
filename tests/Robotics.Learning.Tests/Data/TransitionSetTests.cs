using Robotics.Learning.Data;
using Robotics.Learning.Networks;
using Robotics.Learning.OffPolicy;
using Robotics.Learning.Offline;
using Robotics.Numerics;

namespace Robotics.Learning.Tests.Data;

public sealed class TransitionSetTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("robotics-transitions-").FullName;

    [Fact]
    public void Build_WithSeveralBadRows_NamesEveryOne()
    {
        var builder = new TransitionSetBuilder(2, 1);
        builder.Add([0, 0], [0], 1, [0, 1], terminated: true);
        builder.Add([0, 0], [0], 1, [0, 1], terminated: false);
        builder.Add([0, float.NaN], [1.5f], float.NaN, [0, 1], terminated: false);
        var error = Assert.Throws<ConfigException>(() => builder.Build("arm.mcap"));
        Assert.Equal(
            ["episode 1, row 1 has reward NaN, expected a finite number", "episode 1, row 1 has observation element 1 NaN, expected a finite number", "episode 1, row 1 has action 1.5, expected -1 to 1"],
            error.Problems);
        Assert.Equal("arm.mcap", error.Origin);
    }

    [Fact]
    public void Build_WithoutARow_SaysSo() =>
        Assert.Equal("transitions are none: record some first", Assert.Throws<ConfigException>(() => new TransitionSetBuilder(2, 1).Build()).Problems[0]);

    [Fact]
    public void Build_WithHundredsOfBadRows_NamesAFewAndCountsTheRest()
    {
        var builder = new TransitionSetBuilder(1, 1);
        for (int i = 0; i < 300; i++)
        {
            builder.Add([0], [0], float.PositiveInfinity, [0], terminated: false);
        }

        var problems = Assert.Throws<ConfigException>(() => builder.Build()).Problems;
        Assert.Equal(6, problems.Count);
        Assert.Equal("reward is wrong in 295 more places", problems[^1]);
    }

    [Fact]
    public void Add_WithAWrongLength_SaysBothSides()
    {
        var error = Assert.Throws<ArgumentException>(() => new TransitionSetBuilder(2, 1).Add([1], [0], 0, [1, 2], terminated: false));
        Assert.Equal("A row has 1 observations, 1 actions and 2 next observations; this set takes 2, 1 and 2.", error.Message);
    }

    [Fact]
    public void Load_OfWhatWasSaved_IsTheSameSet()
    {
        string path = Path.Combine(_folder, "set.bin");
        var set = Recorded.Pendulum();
        set.Save(path);
        var loaded = TransitionSet.Load(path);
        Assert.Equal(set.Sha256, loaded.Sha256);
        Assert.Equal(set.Starts.ToArray(), loaded.Starts.ToArray());
        Assert.Equal(set.Next.ToArray(), loaded.Next.ToArray());
        Assert.Equal(set.LogPropensities.ToArray(), loaded.LogPropensities.ToArray());
        Assert.Equal(set.ToString(), loaded.ToString());
    }

    [Theory]
    [InlineData(0.5, "is damaged: its header tells of")] // cut
    [InlineData(-1, "is damaged: its content is not the one")] // one byte changed
    [InlineData(0.001, "is cut short")] // inside the header
    public void Load_OfADamagedFile_SaysSo(double keep, string message)
    {
        string path = Path.Combine(_folder, "set.bin");
        Recorded.Pendulum().Save(path);
        byte[] bytes = File.ReadAllBytes(path);
        bytes[bytes.Length / 2] ^= 1; // a low bit of some observation
        File.WriteAllBytes(path, keep < 0 ? bytes : bytes[..(int)(bytes.Length * keep)]);
        Assert.Contains(message, Assert.Throws<ConfigException>(() => TransitionSet.Load(path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Concat_OfTwoSets_KeepsEpisodesApart()
    {
        TransitionSet one = Recorded.Pendulum(200), two = Recorded.Pendulum(100, seed: 2), both = TransitionSet.Concat([one, two]);
        Assert.Equal(300, both.Count);
        Assert.Equal(one.Episodes + two.Episodes, both.Episodes);
        Assert.Equal([.. one.Returns(), .. two.Returns()], both.Returns());
        Assert.True(both.HasPropensities);
        Assert.Equal(two.Action(7).ToArray(), both.Action(207).ToArray());
    }

    [Fact]
    public void Concat_OfDifferentRobots_SaysWhich()
    {
        var error = Assert.Throws<ConfigException>(() => TransitionSet.Concat([Recorded.Pendulum(50), Recorded.Bandit(5)]));
        Assert.Equal("number 2 has 1 observations and 1 actions, the first has 3 and 1: they are of different tasks or robots", error.Problems[0]);
    }

    [Fact]
    public void Collect_WhereTimeRunsOut_KeepsWhatWasReached()
    {
        var set = Recorded.Pendulum(rows: 120, limit: 50); // two copies: 60 rows each, 50 and 10 of an episode
        Assert.Equal([0, 50, 60, 110, 120], set.Starts.ToArray());
        Assert.True(set.IsTruncated(49));
        Assert.False(set.IsTruncated(48));
        Assert.DoesNotContain(true, set.Terminated.ToArray());

        // The next episode begins elsewhere, and within one a row begins where the last one led.
        Assert.NotEqual(set.Reached(49).ToArray(), set.Observation(50).ToArray());
        Assert.Equal(set.Reached(20).ToArray(), set.Observation(21).ToArray());
        Assert.Equal(set.Sha256, Recorded.Pendulum(rows: 120, limit: 50).Sha256);
    }

    // The densities of what an actor sends sum to one over [-1, 1], ends included.
    [Theory]
    [InlineData("sac", null, 0)]
    [InlineData("sac", 0.4, 0)]
    [InlineData("sac", 0.4, 0.3)]
    [InlineData("iql", null, 0.1)]
    public void Collect_WithPropensities_RecordsADensity(string kind, double? deviation, double epsilon)
    {
        using var environment = new TinyPendulum(1, limit: 20);
        using var sac = new Sac(environment, new SacOptions { Hidden = [8], Seed = 5 });
        using var iql = new Iql(Recorded.Pendulum(), new IqlOptions { Hidden = [8], Seed = 5 });
        var actor = kind == "sac" ? sac.Actor : iql.Actor;
        var set = TransitionCollection.Collect(environment, Behaviours.Of(actor, deviation, epsilon), 4000, seed: 3);

        // E over the behaviour of 1/density on a subset is the subset's size: here the lengths of (-0.5, 0.5) and of [-1, 1].
        double inner = 0, ends = 0;
        for (int i = 0; i < set.Count; i++)
        {
            float a = set.Action(i)[0];
            inner += Math.Abs(a) < 0.5 ? Math.Exp(-set.LogPropensities[i]) / set.Count : 0;
            ends += Math.Abs(a) >= 1 ? Math.Exp(-set.LogPropensities[i]) / set.Count : 0;
        }

        Assert.Equal(1, inner, 0.1);
        Assert.InRange(ends, 0, 3.5); // two points of size 1 at most, rarely visited
    }

    [Fact]
    public void Log_OfATanhGaussian_IsWhatTheDrawKnew()
    {
        var draw = new SeededRandom(4);
        var actor = new SoftActor(3, 2, [8], 16, draw);
        var observations = new Robotics.Learning.Dense.Matrix(16, 3);
        float[] seen = Graphs.Normal(6, 48), actions = new float[32], log = new float[16];
        observations.Fill(seen);
        actor.Sample(observations, 16, draw);
        for (int i = 0; i < 16; i++)
        {
            actor.Actions[i].CopyTo(actions.AsSpan(2 * i));
        }

        new ActionDensity(actor.Actor, null).Log(seen, actions, log);
        Assert.True(Graphs.Difference(actor.LogProbability, log) < 1e-3);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
