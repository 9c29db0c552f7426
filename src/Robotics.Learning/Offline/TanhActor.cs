using Robotics.Learning.Data;
using Robotics.Learning.Dense;
using Robotics.Learning.Networks;
using Robotics.Numerics;

namespace Robotics.Learning.Offline;

/// <summary>A deterministic actor a = tanh μ(s) with its slow copy: what behaviour cloning and TD3+BC share.</summary>
internal sealed class TanhActor
{
    private readonly MlpPass _pass;

    public TanhActor(TransitionSet data, IReadOnlyList<int> hidden, int capacity, SeededRandom random)
    {
        var spec = new MlpSpec(data.ObservationSize, hidden, data.ActionSize);
        Network = new Mlp(spec, 1, random, target: true);
        _pass = new MlpPass(spec, capacity);
        Actions = new Matrix(capacity, data.ActionSize);
        Actor = new Actor(Network, ActorHead.Tanh, data.Normalizer(), data.ActionSize);
    }

    /// <summary>The policy; its normaliser is the data's.</summary>
    public Actor Actor { get; }

    /// <summary>The weights.</summary>
    public Mlp Network { get; }

    /// <summary>[rows, Da] of the last <see cref="Forward"/>.</summary>
    public Matrix Actions { get; }

    /// <summary>Acts on normalised observations.</summary>
    public void Forward(Matrix observations, int rows, Weights weights)
    {
        for (int i = 0; i < rows; i++)
        {
            observations[i].CopyTo(_pass.Input[i]);
        }

        Network.Forward(_pass, rows, 0, weights);
        for (int i = 0; i < rows; i++)
        {
            Span<float> head = _pass.Output[i], action = Actions[i];
            for (int j = 0; j < action.Length; j++)
            {
                action[j] = MathF.Tanh(head[j]);
            }
        }
    }

    /// <summary>Gradient of the mean squared distance between the last actions and others, plus another loss of those actions.</summary>
    /// <param name="others">[rows, Da].</param>
    /// <param name="rows">As in the last <see cref="Forward"/>, with the trained weights.</param>
    /// <param name="more">[rows, Da], ∂/∂a of the other loss; null: none.</param>
    /// <returns>The mean squared distance per element.</returns>
    public double Imitate(Matrix others, int rows, Matrix? more)
    {
        double loss = 0;
        for (int i = 0; i < rows; i++)
        {
            Span<float> action = Actions[i], other = others[i], gradient = _pass.OutputGradient[i];
            for (int j = 0; j < action.Length; j++)
            {
                float error = action[j] - other[j];
                loss += error * error;
                gradient[j] = ((2 * error / (rows * action.Length)) + (more is null ? 0 : more[i][j])) * (1 - (action[j] * action[j]));
            }
        }

        Network.Backward(_pass, rows);
        return loss / (rows * others.Columns);
    }
}

/// <summary>Ranges that all offline methods share.</summary>
internal static class OfflineChecks
{
    public static void Common(ConfigCheck check, IReadOnlyList<int> hidden, double learningRate, int batch)
    {
        check.That(hidden.Count > 0 && hidden.All(width => width is >= 1 and <= 4096), "hidden", "are widths of 1 to 4096, one per layer");
        check.That(learningRate is > 0 and <= 1, "learning_rate", FormattableString.Invariant($"is {learningRate}, expected above 0, up to 1"));
        check.Range(batch, 1, 65536, "batch");
    }

    public static void Value(ConfigCheck check, double gamma, double tau)
    {
        check.That(gamma is >= 0 and < 1, "gamma", FormattableString.Invariant($"is {gamma}, expected 0 to below 1"));
        check.That(tau is > 0 and <= 1, "tau", FormattableString.Invariant($"is {tau}, expected above 0, up to 1"));
    }
}
