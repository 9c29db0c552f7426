using System.Globalization;

namespace Robotics.Lab;

/// <summary>Weights of a composition, tried one after another on a simulator.</summary>
/// <remarks>
/// Every weighting runs from the same starts with the same draws, so that what differs is the weights. The choice is by the mean best
/// reward, each weighting's half its own and half the mean of its neighbours' (one part of weight moved from one parent to another):
/// a curve over weights is smooth, and fifty starts are not enough to take the highest of eleven points at its word. A mix costs a
/// network call of every parent at every step, so it has to earn them: unless it is ahead of the best parent alone by more than one
/// standard error over the same starts, that parent is taken.
/// <para>Source: "Compose Your Policies!" (general policy composition), whose search takes the highest.</para>
/// </remarks>
internal sealed class WeightSearch
{
    private readonly List<Trial> _trials = [];

    /// <summary>One weighting and how it did.</summary>
    /// <param name="Parts">One per parent, together the number of parts.</param>
    /// <param name="Score">From every start.</param>
    /// <param name="Smooth">What the choice goes by.</param>
    public sealed record Trial(int[] Parts, Evaluation Score, double Smooth)
    {
        public double[] Weights => [.. Parts.Select(part => (double)part / Parts.Sum())];

        /// <summary>For people.</summary>
        public string Words => string.Join(" / ", Weights.Select(w => w.ToString("0.##", CultureInfo.InvariantCulture)));
    }

    /// <summary>Every weighting tried, first parent's weight rising.</summary>
    public IReadOnlyList<Trial> Trials => _trials;

    /// <summary>The one to use.</summary>
    public Trial Best { get; private set; } = null!;

    /// <summary>Wall time of all of it.</summary>
    public TimeSpan Took { get; private set; }

    /// <summary>Number of weightings of so many parents in so many parts.</summary>
    public static long Count(int parents, int parts)
    {
        long count = 1;
        for (int i = 1; i < parents; i++)
        {
            count = count * (parts + i) / i;
        }

        return count;
    }

    /// <summary>Tries them all.</summary>
    /// <param name="parents">Two or more.</param>
    /// <param name="parts">Steps from weight 0 to weight 1, at least 1.</param>
    /// <param name="score">Scores one weighting; told how many came before.</param>
    public static WeightSearch Run(int parents, int parts, Func<double[], int, Evaluation> score)
    {
        long began = System.Diagnostics.Stopwatch.GetTimestamp();
        var search = new WeightSearch();
        foreach (int[] weighting in Weightings(parents, parts))
        {
            var trial = new Trial(weighting, new([]), 0);
            search._trials.Add(trial with { Score = score(trial.Weights, search._trials.Count) });
        }

        for (int i = 0; i < search._trials.Count; i++)
        {
            var trial = search._trials[i];
            double around = search._trials.Where(other => AreNeighbours(trial.Parts, other.Parts)).Average(other => other.Score.Best);
            search._trials[i] = trial with { Smooth = (trial.Score.Best + around) / 2 };
        }

        search.Best = search.Choose();
        search.Took = System.Diagnostics.Stopwatch.GetElapsedTime(began);
        return search;
    }

    private Trial Choose()
    {
        var best = _trials.MaxBy(trial => trial.Smooth)!;
        var alone = _trials.Where(trial => trial.Parts.Count(part => part > 0) == 1).MaxBy(trial => trial.Smooth)!;
        double[] ahead = [.. best.Score.Scores.Zip(alone.Score.Scores, (mixed, parent) => mixed.Best - parent.Best)];
        double mean = ahead.Average(), error = Math.Sqrt(ahead.Sum(d => (d - mean) * (d - mean)) / Math.Max(ahead.Length - 1, 1) / ahead.Length);
        return mean > error ? best : alone;
    }

    private static IEnumerable<int[]> Weightings(int parents, int parts) => parents == 1
        ? [[parts]]
        : Enumerable.Range(0, parts + 1).SelectMany(first => Weightings(parents - 1, parts - first).Select(rest => (int[])[first, .. rest]));

    private static bool AreNeighbours(int[] a, int[] b) => a.Zip(b, (x, y) => Math.Abs(x - y)).Sum() == 2;
}
