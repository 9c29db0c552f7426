using Robotics.Numerics;

namespace Robotics.Learning.Data;

/// <summary>One demonstrated episode: what was observed and what was done, at each control step.</summary>
/// <param name="Name">For messages: a file name.</param>
/// <param name="Observations">[T, Do], in physical units.</param>
/// <param name="Actions">[T, Da], in physical units.</param>
/// <param name="ObservationSize">Do.</param>
/// <param name="ActionSize">Da.</param>
public sealed record Demonstration(string Name, float[] Observations, float[] Actions, int ObservationSize, int ActionSize)
{
    /// <summary>Whether it ended in success; null: not known, or its record went on after it.</summary>
    public bool? Success { get; init; }

    /// <summary>T.</summary>
    public int Steps => Actions.Length / ActionSize;

    /// <summary>Parts episodes into those that train and those that validate; an episode is never cut in two.</summary>
    /// <param name="episodes">All of them.</param>
    /// <param name="validationShare">0 to 0.5; above 0, at least one episode validates.</param>
    /// <param name="seed">Draws which.</param>
    /// <exception cref="ConfigException">The share is out of range, or too few episodes are left to train on.</exception>
    public static (IReadOnlyList<Demonstration> Training, IReadOnlyList<Demonstration> Validation) Split(
        IReadOnlyList<Demonstration> episodes, double validationShare, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(episodes);
        var check = new ConfigCheck("split");
        check.Range(validationShare, 0, 0.5, "validation_share");
        int held = validationShare > 0 ? Math.Max(1, (int)Math.Round(validationShare * episodes.Count, MidpointRounding.ToEven)) : 0;
        check.That(episodes.Count > held, "episodes", $"are {episodes.Count}, of which {held} would validate: none is left to train on");
        check.Throw();
        var random = new SeededRandom(seed);
        var order = Enumerable.Range(0, episodes.Count).Select(i => (Key: random.NextBits(), Index: i)).Order().Select(p => p.Index);
        var validation = order.Take(held).ToHashSet();
        return ([.. episodes.Where((_, i) => !validation.Contains(i))], [.. episodes.Where((_, i) => validation.Contains(i))]);
    }
}
