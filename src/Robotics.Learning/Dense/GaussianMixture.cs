using Robotics.Numerics;

namespace Robotics.Learning.Dense;

/// <summary>Reads a head of M·(2·Da + 1) numbers as a mixture of M Gaussians over actions.</summary>
/// <remarks>First M·Da means before their tanh, then M·Da log σ, clamped to [-5, 2], then M log-weights up to a constant.
/// <para>Source: mixture density networks, Bishop 1994.</para></remarks>
/// <param name="components">M.</param>
/// <param name="actionSize">Da.</param>
internal sealed class GaussianMixture(int components, int actionSize)
{
    /// <summary>Range of log σ: an action that never varied has no sharper density than this.</summary>
    public const float LeastLog = -5, GreatestLog = 2;

    private readonly double[] _weight = new double[components]; // log-weights, normalised
    private readonly double[] _log = new double[components];    // the same plus the log-density of an action

    /// <summary>M.</summary>
    public int Components => components;

    /// <summary>Numbers of a head.</summary>
    public int Outputs => components * ((2 * actionSize) + 1);

    /// <summary>How many components a head of so many numbers has.</summary>
    public static int ComponentsOf(int outputs, int actionSize) => outputs / ((2 * actionSize) + 1);

    /// <summary>Mean of element <paramref name="j"/> of component <paramref name="m"/>.</summary>
    public float Mean(ReadOnlySpan<float> head, int m, int j) => MathF.Tanh(head[(m * actionSize) + j]);

    /// <summary>Log σ of the same.</summary>
    public float LogDeviation(ReadOnlySpan<float> head, int m, int j) => Math.Clamp(head[((components + m) * actionSize) + j], LeastLog, GreatestLog);

    /// <summary>The component of the largest weight, or one drawn by weight.</summary>
    public int Choose(ReadOnlySpan<float> head, SeededRandom? random)
    {
        int best = 0;
        double most = double.NegativeInfinity;
        for (int m = 0; m < components; m++)
        {
            // The largest log-weight plus Gumbel noise is a draw by weight.
            double value = Weight(head, m) - (random is null || components == 1 ? 0 : Math.Log(-Math.Log(Math.Max(random.NextDouble(), 1e-300))));
            (best, most) = value > most ? (m, value) : (best, most);
        }

        return best;
    }

    /// <summary>Log-density of an action.</summary>
    /// <param name="head">[Outputs].</param>
    /// <param name="action">[Da].</param>
    /// <param name="each">Log-density of one element's value under a Gaussian of this mean and σ.</param>
    public double LogDensity(ReadOnlySpan<float> head, ReadOnlySpan<float> action, Func<double, double, double, double> each)
    {
        for (int m = 0; m < components; m++)
        {
            _weight[m] = Weight(head, m);
        }

        double all = LogSum(_weight);
        for (int m = 0; m < components; m++)
        {
            _log[m] = _weight[m] -= all;
            for (int j = 0; j < actionSize; j++)
            {
                _log[m] += each(action[j], Mean(head, m, j), Math.Exp(LogDeviation(head, m, j)));
            }
        }

        return LogSum(_log);
    }

    /// <summary>Minus the log-density of an action, and its gradient.</summary>
    /// <param name="head">[Outputs].</param>
    /// <param name="action">[Da].</param>
    /// <param name="share">Factor of the gradient.</param>
    /// <param name="gradient">[Outputs] receives share times ∂loss/∂head.</param>
    public double Loss(ReadOnlySpan<float> head, ReadOnlySpan<float> action, float share, Span<float> gradient)
    {
        double density = LogDensity(head, action, Normal);
        for (int m = 0; m < components; m++)
        {
            double responsible = Math.Exp(_log[m] - density);
            for (int j = 0; j < actionSize; j++)
            {
                double mean = Mean(head, m, j), sigma = Math.Exp(LogDeviation(head, m, j)), z = (action[j] - mean) / sigma;
                gradient[(m * actionSize) + j] = (float)(-share * responsible * z / sigma * (1 - (mean * mean)));
                int at = ((components + m) * actionSize) + j;
                double slope = share * responsible * (1 - (z * z));
                bool clamped = slope > 0 ? head[at] < LeastLog : head[at] > GreatestLog; // further out changes nothing
                gradient[at] = clamped ? 0 : (float)slope;
            }

            gradient[(2 * components * actionSize) + m] = (float)(share * (Math.Exp(_weight[m]) - responsible));
        }

        return -density;
    }

    private float Weight(ReadOnlySpan<float> head, int m) => head[(2 * components * actionSize) + m];

    private static double Normal(double a, double mean, double sigma)
    {
        double z = (a - mean) / sigma;
        return (-0.5 * z * z) - Math.Log(sigma) - (0.5 * Math.Log(2 * Math.PI));
    }

    private static double LogSum(double[] logs)
    {
        double most = logs.Max(), sum = 0;
        foreach (double log in logs)
        {
            sum += Math.Exp(log - most);
        }

        return most + Math.Log(sum);
    }
}
