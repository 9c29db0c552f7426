using Robotics.Numerics;
using Robotics.Policies.Sampling;

namespace Robotics.Policies.Steering;

/// <summary>Weights that follow the parents' densities along the path: "or" and "and".</summary>
/// <remarks>
/// A step of ancestral sampling ends in x' = μ + σξ, and every parent would have gone to a μ of its own: to it the step has the density
/// N(x'; μ_i, σ²). What the forward process adds is the same for all parents and falls out of every comparison.
/// <para>Source: the superposition of diffusion models (Skreta et al. 2024, arXiv:2412.17762), with the density of a step in place of
/// its limit.</para>
/// </remarks>
internal sealed partial class MixedStep
{
    private const double Close = 0.1;       // parents that agree to this share of a step's own noise count as one

    private readonly float[] _before;       // [K, Tp, Da], the sample of the call before, for 'or'
    private readonly double[] _densities;   // [K, M], log density along the path, for 'or'
    private readonly double[] _apart;       // [M-1, M], the equations of 'and'
    private readonly double[] _shares;      // [M], of one candidate
    private DenoisingStep _stepBefore;

    // Elements that every parent plans: their densities are compared there.
    private int Common => _ends[0];

    // Each candidate came here by a step whose mean every parent had predicted for itself: the nearer, the more at home it is.
    private void Follow(ReadOnlySpan<float> sample, bool first)
    {
        if (first)
        {
            Array.Clear(_densities);
            return;
        }

        double variance = _stepBefore.Draw * _stepBefore.Draw;
        for (int i = 0; i < _parents.Length && variance > 0; i++)
        {
            for (int j = 0; j < sample.Length && _weights[i] != 0; j++)
            {
                if (j % Width >= Common)
                {
                    continue;
                }

                double x = _before[j], o = _answers[i][j];
                double clean = Math.Clamp((_stepBefore.CleanX * x) + (_stepBefore.CleanOutput * o), -_clip, _clip);
                double epsilon = (_stepBefore.NoiseX * x) + (_stepBefore.NoiseOutput * o);
                double off = sample[j] - ((_stepBefore.X * x) + (_stepBefore.Clean * clean) + (_stepBefore.Epsilon * epsilon));
                _densities[(j / Width * _parents.Length) + i] -= off * off / (2 * variance);
            }
        }
    }

    // softmax(sharpness·log density + log prior) of one candidate.
    private void AtHome(int k)
    {
        double most = double.NegativeInfinity, sum = 0;
        for (int i = 0; i < _shares.Length; i++)
        {
            _shares[i] = (_compose.Sharpness * _densities[(k * _shares.Length) + i]) + Math.Log(_weights[i]);
            most = Math.Max(most, _shares[i]);
        }

        for (int i = 0; i < _shares.Length; i++)
        {
            _shares[i] = Math.Exp(_shares[i] - most);
            sum += _shares[i];
        }

        for (int i = 0; i < _shares.Length; i++)
        {
            _shares[i] /= sum;
        }
    }

    // Weights κ, together 1, with which this step, its noise included, ends equally far from every parent's own mean: with
    // d_i = μ_i - μ_0 that is Σ_j κ_j d_j·d_i = |d_i|²/2 - σ ξ·d_i for every i > 0. Where parents agree to within the noise that is
    // ill-conditioned and does not matter: a ridge lets the prior shares stand there.
    private void Agree(int k, in StepPoint at)
    {
        _weights.CopyTo(_shares);
        double sigma = at.Step.Draw;
        if (sigma == 0)
        {
            return; // the last step, which draws nothing
        }

        int n = _parents.Length - 1, from = k * Width;
        double reach = (at.Step.Clean * at.Step.CleanOutput) + (at.Step.Epsilon * at.Step.NoiseOutput); // of an answer on the mean
        var origin = _answers[0].AsSpan(from, Common);
        for (int i = 0; i < n; i++)
        {
            var here = _answers[i + 1].AsSpan(from, Common);
            for (int j = 0; j <= i; j++)
            {
                _apart[(i * (n + 1)) + j] = _apart[(j * (n + 1)) + i] = reach * reach * Product(here, _answers[j + 1].AsSpan(from, Common), origin);
            }

            double drawn = 0;
            for (int e = 0; e < Common; e++)
            {
                drawn += at.Noise[from + e] * (double)(here[e] - origin[e]);
            }

            double ridge = Close * Close * sigma * sigma, square = _apart[(i * (n + 1)) + i];
            _apart[(i * (n + 1)) + n] = (square / 2) - (sigma * reach * drawn) + (ridge * _weights[i + 1]);
            _apart[(i * (n + 1)) + i] = square + ridge;
        }

        Solve(n);
        double sum = 0;
        for (int i = 0; i < n; i++)
        {
            _shares[i + 1] = _apart[(i * (n + 1)) + n];
            sum += _shares[i + 1];
        }

        _shares[0] = 1 - sum;
    }

    private static double Product(ReadOnlySpan<float> a, ReadOnlySpan<float> b, ReadOnlySpan<float> origin)
    {
        double sum = 0;
        for (int e = 0; e < origin.Length; e++)
        {
            sum += (double)(a[e] - origin[e]) * (b[e] - origin[e]);
        }

        return sum;
    }

    // Gauss; positive definite by its ridge, so that no pivot is sought. The answer stands in the last column.
    private void Solve(int n)
    {
        int row = n + 1;
        for (int p = 0; p < n; p++)
        {
            for (int i = 0; i < n; i++)
            {
                double factor = i == p ? 0 : _apart[(i * row) + p] / _apart[(p * row) + p];
                for (int j = p; j <= n && factor != 0; j++)
                {
                    _apart[(i * row) + j] -= factor * _apart[(p * row) + j];
                }
            }
        }

        for (int i = 0; i < n; i++)
        {
            _apart[(i * row) + n] /= _apart[(i * row) + i];
        }
    }
}
