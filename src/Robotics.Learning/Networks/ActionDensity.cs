using Robotics.Learning.Dense;

namespace Robotics.Learning.Networks;

/// <summary>How likely an actor is to send an action.</summary>
/// <remarks>
/// A Gaussian draw that leaves [-1, 1] is sent as ±1, so that an end of the range has a probability of its own, not a density; inside it is
/// the density. A ratio of two such numbers is a likelihood ratio either way. A squashed Gaussian never reaches the ends: float32 rounds
/// it there, and it is rated just inside.
/// </remarks>
/// <param name="actor">Whose.</param>
/// <param name="deviation">Null: as the actor draws. Otherwise a Gaussian of this deviation around its deterministic action.</param>
internal sealed class ActionDensity(IActor actor, double? deviation)
{
    private readonly Actor? _drawn = actor as Actor; // whose draws have a density that is known
    private const double Inside = 1 - 1e-6;
    private float[] _means = [];
    private MlpPass? _pass;

    /// <summary>False: the actor draws nothing, or through a flow, whose density has no closed form.</summary>
    public bool Known => deviation is > 0 || (deviation is null && _drawn is { Stochastic: true, Field: null });

    /// <summary>Log-density of every row's action; NaN where it is not <see cref="Known"/>.</summary>
    /// <param name="observations">[N, Do], physical.</param>
    /// <param name="actions">[N, Da], in [-1, 1].</param>
    /// <param name="into">[N].</param>
    public void Log(ReadOnlySpan<float> observations, ReadOnlySpan<float> actions, Span<float> into)
    {
        int rows = into.Length, width = actor.ActionSize;
        if (!Known)
        {
            into.Fill(float.NaN);
            return;
        }

        if (_means.Length < rows * width)
        {
            _means = new float[rows * width];
        }

        if (deviation is null)
        {
            Heads(observations, rows);
        }
        else
        {
            actor.Act(observations, _means.AsSpan(0, rows * width), null);
        }

        for (int i = 0; i < rows; i++)
        {
            if (deviation is null && _drawn!.Mixture is { } mixture)
            {
                into[i] = (float)mixture.LogDensity(_pass!.Output[i], actions.Slice(i * width, width), Clamped);
                continue;
            }

            double sum = 0;
            for (int j = 0; j < width; j++)
            {
                int at = (i * width) + j;
                double a = actions[at];
                if (deviation is { } sigma)
                {
                    sum += Clamped(a, _means[at], sigma);
                    continue;
                }

                Span<float> head = _pass!.Output[i];
                sum += _drawn!.Head switch
                {
                    ActorHead.TanhGaussian => Squashed(a, head[j], Math.Exp(TanhGaussian.LogDeviation(head[width + j], _drawn.DeviationOffset))),
                    ActorHead.TanhMean => Clamped(a, Math.Tanh(head[j]), Math.Exp(_drawn.Network.Free()[j])),
                    _ => Clamped(a, head[j], Math.Exp(_drawn.Network.Free()[j])),
                };
            }

            into[i] = (float)sum;
        }
    }

    private void Heads(ReadOnlySpan<float> observations, int rows)
    {
        if (_pass is null || _pass.Input.Rows < rows)
        {
            _pass = new MlpPass(_drawn!.Network.Spec, rows);
        }

        for (int i = 0; i < rows; i++)
        {
            _drawn!.Normalizer.Apply(observations.Slice(i * actor.ObservationSize, actor.ObservationSize), _pass.Input[i]);
        }

        _drawn!.Network.Forward(_pass, rows);
    }

    private static double Squashed(double a, double mean, double sigma)
    {
        a = Math.Clamp(a, -Inside, Inside);
        return Normal(Math.Atanh(a), mean, sigma) - Math.Log(1 - (a * a));
    }

    private static double Clamped(double a, double mean, double sigma) =>
        a <= -1 ? LogTail((-1 - mean) / sigma) : a >= 1 ? LogTail((mean - 1) / sigma) : Normal(a, mean, sigma);

    private static double Normal(double x, double mean, double sigma) =>
        (-0.5 * (x - mean) * (x - mean) / (sigma * sigma)) - Math.Log(sigma) - (0.5 * Math.Log(2 * Math.PI));

    // ln Φ(z): the lower tail of the normal distribution, by Zelen and Severo's polynomial (Abramowitz and Stegun 26.2.17), in its
    // logarithm so that a far tail is no zero.
    private static double LogTail(double z)
    {
        double x = Math.Abs(z), t = 1 / (1 + (0.2316419 * x));
        double series = t * (0.319381530 + (t * (-0.356563782 + (t * (1.781477937 + (t * (-1.821255978 + (t * 1.330274429))))))));
        double tail = Normal(x, 0, 1) + Math.Log(series);
        return z <= 0 ? tail : Math.Log(1 - Math.Exp(tail));
    }
}
