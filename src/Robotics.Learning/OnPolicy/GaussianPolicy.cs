using Robotics.Learning.Data;
using Robotics.Learning.Dense;
using Robotics.Learning.Networks;
using Robotics.Numerics;

namespace Robotics.Learning.OnPolicy;

/// <summary>a = μ(s) + σε with a σ that does not depend on the state. A trace is the action, before anybody clips it, and its log π.</summary>
internal sealed class GaussianPolicy : IDrawnPolicy
{
    private static readonly float s_halfLogTwoPi = 0.5f * MathF.Log(2 * MathF.PI);

    private readonly MlpPass _pass;
    private readonly int _actionSize;

    /// <param name="observationSize">Do.</param>
    /// <param name="actionSize">Da.</param>
    /// <param name="hidden">Widths of the hidden layers.</param>
    /// <param name="capacity">Most rows at a time.</param>
    /// <param name="normalizer">Travels with the actor.</param>
    /// <param name="random">Draws the weights.</param>
    public GaussianPolicy(int observationSize, int actionSize, IReadOnlyList<int> hidden, int capacity, RunningNormalizer normalizer, SeededRandom random)
    {
        _actionSize = actionSize;
        var spec = new MlpSpec(observationSize, hidden, actionSize, HiddenActivation.Tanh, Free: actionSize); // log σ = 0
        Network = new Mlp(spec, 1, random);
        Network.MakeOrthogonal(random, head: 0.01);
        _pass = new MlpPass(spec, capacity);
        Actor = new Actor(Network, ActorHead.Gaussian, normalizer, actionSize);
    }

    public Actor Actor { get; }

    public Mlp Network { get; }

    public int TraceSize => _actionSize + 1;

    public double Entropy
    {
        get
        {
            double sum = 0;
            foreach (float log in Network.Free())
            {
                sum += log + s_halfLogTwoPi + 0.5;
            }

            return sum;
        }
    }

    public void Draw(Matrix observations, int first, int count, SeededRandom random, Span<float> actions, Matrix traces)
    {
        Forward(observations, first, count);
        for (int i = 0; i < count; i++)
        {
            Span<float> mean = _pass.Output[i], action = actions.Slice(i * _actionSize, _actionSize), trace = traces[first + i];
            for (int j = 0; j < _actionSize; j++)
            {
                action[j] = mean[j] + (float)(random.NextGaussian() * MathF.Exp(Network.Free()[j]));
            }

            action.CopyTo(trace);
            trace[_actionSize] = LogProbability(mean, action);
        }
    }

    public void Freeze()
    {
        // The trace says it all.
    }

    public void LogRatios(Matrix observations, Matrix traces, int rows, SeededRandom random, Span<float> logRatios)
    {
        Forward(observations, 0, rows);
        for (int i = 0; i < rows; i++)
        {
            logRatios[i] = LogProbability(_pass.Output[i], traces[i][.._actionSize]) - traces[i][_actionSize];
        }
    }

    public void Backward(Matrix traces, int rows, ReadOnlySpan<float> slopes, double entropyWeight)
    {
        Span<float> logs = Network.Free(), deviation = Network.FreeGradient();
        deviation.Fill(-(float)entropyWeight); // ∂H/∂ log σ = 1
        for (int i = 0; i < rows; i++)
        {
            Span<float> mean = _pass.Output[i], into = _pass.OutputGradient[i], trace = traces[i];
            for (int j = 0; j < _actionSize; j++)
            {
                float precision = MathF.Exp(-logs[j]), z = (trace[j] - mean[j]) * precision;
                into[j] = slopes[i] * z * precision;
                deviation[j] += slopes[i] * ((z * z) - 1);
            }
        }

        Network.Backward(_pass, rows);
    }

    private void Forward(Matrix observations, int first, int count)
    {
        for (int i = 0; i < count; i++)
        {
            observations[first + i].CopyTo(_pass.Input[i]);
        }

        Network.Forward(_pass, count);
    }

    private float LogProbability(ReadOnlySpan<float> mean, ReadOnlySpan<float> action)
    {
        Span<float> logs = Network.Free();
        float sum = 0;
        for (int j = 0; j < action.Length; j++)
        {
            float z = (action[j] - mean[j]) * MathF.Exp(-logs[j]);
            sum -= (0.5f * z * z) + logs[j] + s_halfLogTwoPi;
        }

        return sum;
    }
}
