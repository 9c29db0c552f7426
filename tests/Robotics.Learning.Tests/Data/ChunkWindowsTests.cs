using Robotics.Learning.Data;
using Robotics.Numerics;
using Robotics.Packages;

namespace Robotics.Learning.Tests.Data;

public sealed class ChunkWindowsTests
{
    // Observations 0, 1, 2, …; actions 100, 101, 102, …: every number says which step it came from.
    private static readonly Normalizer _plain = new(new NormalizationSpec { Mode = "mean_std", Mean = [0], Std = [1], Epsilon = 0 }, 1);

    [Fact]
    public void Cut_OfAShortEpisode_IsThePublishedSampling()
    {
        // To 2, H 4, Ta 2, T 5: by hand from the reference's rule, starts run from -1 to 5 - 4 + 1 = 2.
        var set = ChunkWindows.Cut([Episode("a", 5)], new WindowOptions { ObservationSteps = 2, Horizon = 4, Executed = 2 }, _plain, _plain, "demos");
        Assert.Equal(4, set.Count);
        Assert.Equal([0, 0, 0, 1, 1, 2, 2, 3], set.Conditions);
        Assert.Equal([100, 100, 101, 102, 100, 101, 102, 103, 101, 102, 103, 104, 102, 103, 104, 104], set.Chunks);
        Assert.Equal([0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0], set.Valid);
    }

    [Fact]
    public void Cut_OfSeveralEpisodes_NeverMixesThem()
    {
        var set = ChunkWindows.Cut(
            [Episode("a", 7), Episode("b", 9, offset: 1000)], new WindowOptions { ObservationSteps = 3, Horizon = 6, Executed = 4 }, _plain, _plain, "demos");
        for (int n = 0; n < set.Count; n++)
        {
            bool second = set.Conditions[n * 3] >= 1000;
            Assert.All(set.Conditions[(n * 3)..((n * 3) + 3)], o => Assert.Equal(second, o >= 1000));
            Assert.All(set.Chunks[(n * 6)..((n * 6) + 6)], a => Assert.Equal(second, a >= 1100));

            // The newest observation and the first executed row are the same step.
            Assert.Equal(set.Conditions[(n * 3) + 2] + 100, set.Chunks[(n * 6) + 2]);
        }
    }

    [Fact]
    public void Cut_OfAnEpisodeShorterThanAChunk_PadsIt()
    {
        var set = ChunkWindows.Cut([Episode("a", 2)], new WindowOptions { ObservationSteps = 1, Horizon = 5, Executed = 1 }, _plain, _plain, "demos");
        Assert.Equal([100, 101, 101, 101, 101], set.Chunks);
        Assert.Equal([1, 1, 0, 0, 0], set.Valid);
    }

    [Fact]
    public void Cut_OfEpisodesThatDoNotFit_NamesEachOfThem()
    {
        var error = Assert.Throws<ConfigException>(() => ChunkWindows.Cut(
            [Episode("a", 5), new Demonstration("b", new float[4], new float[2], 2, 1), new Demonstration("c", new float[3], new float[2], 1, 1)],
            new WindowOptions { Horizon = 4, Executed = 2 },
            _plain,
            _plain,
            "demos"));
        Assert.Equal(
            [
                "b has 2 observation and 1 action elements, the others have 1 and 1: episodes of different robots do not mix",
                "c holds 3 observation and 2 action numbers, which are not as many whole steps",
            ],
            error.Problems);
        Assert.Equal(
            "demos: there are no episodes to cut windows from; collect some first, or loosen the filter",
            Assert.Throws<ConfigException>(() => ChunkWindows.Cut([], new WindowOptions(), _plain, _plain, "demos")).Message);
    }

    [Fact]
    public void Checked_WithMoreRowsExecutedThanPlanned_SaysHowMany() => Assert.Equal(
        "code: executed is 16, expected 1 to 15, horizon - observation_steps + 1",
        Assert.Throws<ConfigException>(() => new WindowOptions { Executed = 16 }.Checked("code")).Message);

    [Fact]
    public void Split_KeepsEpisodesWholeAndRepeats()
    {
        Demonstration[] all = [.. Enumerable.Range(0, 50).Select(i => Episode($"{i}", 3))];
        var (training, validation) = Demonstration.Split(all, 0.1, seed: 4);
        Assert.Equal((45, 5), (training.Count, validation.Count));
        Assert.Equal(all.OrderBy(e => e.Name), training.Concat(validation).OrderBy(e => e.Name));
        Assert.Equal(validation, Demonstration.Split(all, 0.1, seed: 4).Validation);
        Assert.NotEqual(validation, Demonstration.Split(all, 0.1, seed: 5).Validation);
        Assert.Single(Demonstration.Split(all[..3], 0.02, seed: 4).Validation);
        Assert.Throws<ConfigException>(() => Demonstration.Split(all[..1], 0.1, seed: 4));
    }

    [Theory]
    [InlineData("min_max", -1, 1)]
    [InlineData("mean_std", -1.3416408, 1.3416408)] // 1 2 3 4: mean 2.5, deviation √1.25
    public void Fit_MakesTheNormaliserOfItsData(string mode, double lowest, double highest)
    {
        // Second element: a constant, which becomes 0 and stays calm beside it.
        var spec = Statistics.Fit(mode, [[1, 7, 2, 7], [3, 7, 4, 7]], 2);
        var normalizer = new Normalizer(spec, 2);
        float[] low = new float[2], high = new float[2], back = new float[2];
        normalizer.Normalize([1, 7], low);
        normalizer.Normalize([4, 7.1f], high);
        normalizer.Denormalize(high, back);
        Assert.Equal(lowest, low[0], 1e-6);
        Assert.Equal(0, low[1], 1e-6);
        Assert.Equal(highest, high[0], 1e-6);
        Assert.Equal(0.1, high[1], 1e-6);
        Assert.Equal(4, back[0], 1e-5);
    }

    [Fact]
    public void Fit_FarFromZero_KeepsItsDigits()
    {
        float[] values = [.. Enumerable.Range(0, 1000).Select(i => 10000 + (i % 2))];
        var spec = Statistics.Fit("mean_std", [values], 1);
        Assert.Equal(10000.5, spec.Mean![0], 1e-3);
        Assert.Equal(0.5, spec.Std![0], 1e-6);
    }

    [Fact]
    public void Fit_OfBadData_SaysWhat()
    {
        Assert.StartsWith("Element 1 of a frame is NaN", Assert.Throws<ConfigException>(
            () => Statistics.Fit("min_max", [[1, float.NaN]], 2)).Message, StringComparison.Ordinal);
        Assert.StartsWith("There is no frame", Assert.Throws<ConfigException>(() => Statistics.Fit("min_max", [], 2)).Message, StringComparison.Ordinal);
        Assert.StartsWith("The normalisation mode is 'limits'", Assert.Throws<ConfigException>(
            () => Statistics.Fit("limits", [[1]], 1)).Message, StringComparison.Ordinal);
    }

    private static Demonstration Episode(string name, int steps, float offset = 0) => new(
        name,
        [.. Enumerable.Range(0, steps).Select(t => t + offset)],
        [.. Enumerable.Range(0, steps).Select(t => t + offset + 100)],
        1,
        1);
}
