using Robotics.Numerics;

namespace Robotics.Learning.Dense;

/// <summary>The squashed Gaussian: u ~ N(μ, σ²), a = tanh u, drawn so that gradients flow through the draw.</summary>
/// <remarks>
/// A head of 2·Da numbers: μ, then log σ, which is shifted by an offset and clamped to [-20, 2].
/// log π(a) = Σ [log N(u; μ, σ) - 2(ln 2 - u - softplus(-2u))].
/// <para>Source: Haarnoja et al. 2018 (arXiv:1812.05905), appendix C; the softplus form is the numerically stable one.</para>
/// </remarks>
internal sealed class TanhGaussian(int actionSize, int capacity, double offset = 0)
{
    /// <summary>Range of log σ.</summary>
    public const float Low = -20, High = 2;

    private static readonly float s_halfLogTwoPi = 0.5f * MathF.Log(2 * MathF.PI);

    private readonly float[] _draw = new float[capacity * actionSize];      // ε
    private readonly float[] _deviation = new float[capacity * actionSize]; // σ
    private readonly float[] _action = new float[capacity * actionSize];    // tanh u

    /// <summary>log σ of a head's raw number.</summary>
    public static float LogDeviation(float raw, double offset = 0) => Math.Clamp(raw + (float)offset, Low, High);

    /// <summary>Draws one action per row.</summary>
    /// <param name="head">[rows, 2·Da].</param>
    /// <param name="rows">How many.</param>
    /// <param name="random">Draws.</param>
    /// <param name="actions">Receives the actions.</param>
    /// <param name="column">Where they begin in a row.</param>
    /// <param name="logProbability">[rows] receives log π.</param>
    public void Sample(Matrix head, int rows, SeededRandom random, Matrix actions, int column, Span<float> logProbability)
    {
        for (int i = 0, at = 0; i < rows; i++)
        {
            Span<float> row = head[i], into = actions[i].Slice(column, actionSize);
            float sum = 0;
            for (int j = 0; j < actionSize; j++, at++)
            {
                float log = LogDeviation(row[actionSize + j], offset), e = (float)random.NextGaussian(), sigma = MathF.Exp(log);
                float u = row[j] + (sigma * e);
                (_draw[at], _deviation[at], _action[at]) = (e, sigma, MathF.Tanh(u));
                into[j] = _action[at];
                sum += (-0.5f * e * e) - log - s_halfLogTwoPi - (2 * (0.6931472f - u - Softplus(-2 * u)));
            }

            logProbability[i] = sum;
        }
    }

    /// <summary>The head's gradient of the last draw.</summary>
    /// <param name="head">As on the way forward.</param>
    /// <param name="rows">How many.</param>
    /// <param name="actionGradient">∂L/∂a of the last draw.</param>
    /// <param name="column">Where it begins in a row.</param>
    /// <param name="logGradient">∂L/∂log π, the same for every row.</param>
    /// <param name="into">[rows, 2·Da] receives ∂L/∂head.</param>
    public void Backward(Matrix head, int rows, Matrix actionGradient, int column, float logGradient, Matrix into)
    {
        for (int i = 0, at = 0; i < rows; i++)
        {
            Span<float> raw = head[i], given = actionGradient[i].Slice(column, actionSize), row = into[i];
            for (int j = 0; j < actionSize; j++, at++)
            {
                // log π falls by the log-derivative of tanh, whose own derivative by u is -2 tanh u.
                float a = _action[at], u = (given[j] * (1 - (a * a))) + (logGradient * 2 * a), shifted = raw[actionSize + j] + (float)offset;
                row[j] = u;
                row[actionSize + j] = shifted is > Low and < High ? (u * _deviation[at] * _draw[at]) - logGradient : 0;
            }
        }
    }

    private static float Softplus(float x) => x > 20 ? x : MathF.Log(1 + MathF.Exp(x));
}
