using Robotics.Learning.Data;
using Robotics.Learning.Networks;

namespace Robotics.Learning.Evaluation;

/// <summary>What likelihood ratios of logged actions say about another policy; discounted returns.</summary>
/// <param name="Ordinary">Mean over episodes of ratio x return: right on average, and hardly ever near.</param>
/// <param name="Weighted">Per decision, ratios of all episodes at the same step divided by their sum.</param>
/// <param name="DoublyRobust">Fitted Q, corrected by the weighted errors it makes on the record.</param>
/// <param name="EffectiveEpisodes">Episodes that the weights at the end amount to: 1 / Σ w². Near 1, all of the above rest on one episode.</param>
public sealed record ImportanceEstimates(double Ordinary, double Weighted, double DoublyRobust, double EffectiveEpisodes)
{
    /// <summary>A few words for people.</summary>
    public override string ToString() => FormattableString.Invariant($"weighted {Weighted:g5}, doubly robust {DoublyRobust:g5}, from as good as {EffectiveEpisodes:g3} episodes");
}

/// <summary>Importance sampling of whole episodes.</summary>
/// <remarks>Source: Precup et al. 2000 (per decision, weighted); Thomas and Brunskill 2016 (arXiv:1604.00923), the weighted doubly robust
/// estimator. An episode that is over keeps its last ratio.</remarks>
internal static class ImportanceSampling
{
    /// <summary>All estimates.</summary>
    /// <param name="data">With propensities.</param>
    /// <param name="density">Of the policy that is judged.</param>
    /// <param name="gamma">Discount per step.</param>
    /// <param name="values">[N] each: Q(s, a), V(s) and V(s') of that policy.</param>
    public static ImportanceEstimates Estimate(TransitionSet data, ActionDensity density, double gamma, (double[] Taken, double[] Here, double[] Beyond) values)
    {
        var log = new float[data.Count];
        density.Log(data.Observations, data.Actions, log);
        int episodes = data.Episodes, longest = 0;
        for (int e = 0; e < episodes; e++)
        {
            longest = Math.Max(longest, data.Starts[e + 1] - data.Starts[e]);
        }

        double[] ratio = new double[episodes], share = new double[episodes];
        double weighted = 0, robust = 0, discount = 1;
        for (int e = 0; e < episodes; e++)
        {
            robust += values.Here[data.Starts[e]] / episodes;
        }

        for (int t = 0; t < longest; t++, discount *= gamma)
        {
            for (int e = 0; e < episodes; e++)
            {
                int row = data.Starts[e] + t;
                ratio[e] += row < data.Starts[e + 1] ? log[row] - (double)data.LogPropensities[row] : 0;
            }

            Softmax(ratio, share);
            for (int e = 0; e < episodes; e++)
            {
                int row = data.Starts[e] + t;
                if (row < data.Starts[e + 1])
                {
                    double beyond = data.Terminated[row] ? 0 : gamma * values.Beyond[row];
                    weighted += discount * share[e] * data.Rewards[row];
                    robust += discount * share[e] * (data.Rewards[row] + beyond - values.Taken[row]);
                }
            }
        }

        double ordinary = ratio.Zip(data.Returns(gamma), (r, g) => Math.Exp(r) * g).Average();
        return new ImportanceEstimates(ordinary, weighted, robust, 1 / share.Sum(w => w * w));
    }

    private static void Softmax(double[] log, double[] share)
    {
        double most = log.Max(), sum = 0;
        for (int i = 0; i < log.Length; i++)
        {
            sum += share[i] = Math.Exp(log[i] - most);
        }

        for (int i = 0; i < log.Length; i++)
        {
            share[i] /= sum;
        }
    }
}
