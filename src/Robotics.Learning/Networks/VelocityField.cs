using Robotics.Learning.Dense;
using Robotics.Numerics;

namespace Robotics.Learning.Networks;

/// <summary>Which way, and how fast, a point on its way from noise (t = 0) to an action (t = 1) moves: v(x, t | s). What a flow actor's
/// network means.</summary>
/// <remarks>
/// The network sees [observation, x, sin and cos of t·{1, 2, 4, 8}]; what it gives is bounded smoothly to ±4, which carries any noise to
/// any action. Its free numbers are the deviation σ that is added at the end, bounded by a sigmoid.
/// <para>Source: the time features are those of FPO (arXiv:2507.21053), the bounds the advice of the PolicyFlow notes.</para>
/// </remarks>
internal sealed class VelocityField
{
    /// <summary>Greatest velocity.</summary>
    public const float Bound = 4;

    private static readonly double[] s_frequencies = [1, 2, 4, 8];

    private readonly Mlp _network;
    private readonly int _observationSize;
    private readonly int _actionSize;
    private readonly int _steps;
    private readonly float _low;
    private readonly float _high;

    /// <param name="network">Of <see cref="Spec"/>.</param>
    /// <param name="observationSize">Do.</param>
    /// <param name="actionSize">Da.</param>
    /// <param name="steps">Euler steps from noise to action.</param>
    /// <param name="low">Least σ.</param>
    /// <param name="high">Greatest σ.</param>
    public VelocityField(Mlp network, int observationSize, int actionSize, int steps, double low, double high) =>
        (_network, _observationSize, _actionSize, _steps, _low, _high) = (network, observationSize, actionSize, steps, (float)low, (float)high);

    /// <summary>Sizes of its network.</summary>
    public static MlpSpec Spec(int observationSize, int actionSize, IReadOnlyList<int> hidden) =>
        new(observationSize + actionSize + (2 * s_frequencies.Length), hidden, actionSize, HiddenActivation.Tanh, Free: actionSize);

    /// <summary>Euler steps from noise to action.</summary>
    public int Steps => _steps;

    /// <summary>[8] what the network is told of a time, from 0 to 1.</summary>
    public static float[] Features(double t)
    {
        var features = new float[2 * s_frequencies.Length];
        TimeFeatures.Write(s_frequencies, t, features);
        return features;
    }

    /// <summary>Velocity of what the network gave.</summary>
    public static float Velocity(float raw) => Bound * MathF.Tanh(raw / Bound);

    /// <summary>∂v/∂ what the network gave.</summary>
    public static float Slope(float velocity) => 1 - (velocity * velocity / (Bound * Bound));

    /// <summary>Puts a point into an input row whose observation is already there.</summary>
    public void Place(Span<float> input, ReadOnlySpan<float> point, double t)
    {
        point.CopyTo(input[_observationSize..]);
        TimeFeatures.Write(s_frequencies, t, input[(_observationSize + _actionSize)..]);
    }

    /// <summary>Carries noise to actions.</summary>
    /// <param name="pass">Its first rows' observations have been filled in.</param>
    /// <param name="rows">How many.</param>
    /// <param name="points">[rows, Da] from row <paramref name="first"/> on: noise, which becomes the endpoint.</param>
    /// <param name="first">The first row.</param>
    public void Integrate(MlpPass pass, int rows, Matrix points, int first = 0)
    {
        for (int k = 0; k < _steps; k++)
        {
            for (int i = 0; i < rows; i++)
            {
                Place(pass.Input[i], points[first + i], (double)k / _steps);
            }

            _network.Forward(pass, rows);
            for (int i = 0; i < rows; i++)
            {
                Span<float> point = points[first + i], raw = pass.Output[i];
                for (int j = 0; j < point.Length; j++)
                {
                    point[j] += Velocity(raw[j]) / _steps;
                }
            }
        }
    }

    /// <summary>σ of an action element.</summary>
    public float Deviation(int element, Weights weights = Weights.Trained) =>
        _low + ((_high - _low) / (1 + MathF.Exp(-_network.Free(weights: weights)[element])));

    /// <summary>∂σ/∂ its free number.</summary>
    public float DeviationSlope(float deviation) => (deviation - _low) * (_high - deviation) / (_high - _low);

    /// <summary>The free number that makes σ what it is to be, strictly between its bounds.</summary>
    public float Raw(double deviation) => (float)Math.Log((deviation - _low) / (_high - deviation));
}
