using Robotics.Numerics;

namespace Robotics.Learning.Dense;

/// <summary>Which of an ensemble's values an actor climbs.</summary>
internal enum Ascent
{
    /// <summary>The lowest in each row: SAC.</summary>
    Lowest,

    /// <summary>The mean of all: RLPD.</summary>
    Mean,

    /// <summary>The first alone: TD3.</summary>
    First,
}

/// <summary>An ensemble of Q(s, a) with its slow copies.</summary>
/// <remarks>Two for the clipped double Q of TD3 and SAC, ten with layer norm for RLPD.</remarks>
internal sealed class Critics
{
    private readonly MlpPass[] _passes;
    private readonly int _observationSize;
    private readonly int _actionSize;

    public Critics(int observationSize, int actionSize, IReadOnlyList<int> hidden, bool layerNorm, int copies, int capacity, SeededRandom random)
    {
        (_observationSize, _actionSize) = (observationSize, actionSize);
        var spec = new MlpSpec(observationSize + actionSize, hidden, 1, LayerNorm: layerNorm);
        Network = new Mlp(spec, copies, random, target: true);
        _passes = [.. Enumerable.Range(0, copies).Select(_ => new MlpPass(spec, capacity))];
        ActionGradient = new Matrix(capacity, actionSize);
        All = [.. Enumerable.Range(0, copies)];
    }

    /// <summary>The weights.</summary>
    public Mlp Network { get; }

    /// <summary>Every copy.</summary>
    public int[] All { get; }

    /// <summary>[rows, Da], see <see cref="Ascend"/>.</summary>
    public Matrix ActionGradient { get; }

    /// <summary>Evaluates the chosen copies; their values stay until the next call.</summary>
    public void Forward(Matrix observations, Matrix actions, int rows, Weights weights, ReadOnlySpan<int> copies)
    {
        foreach (int copy in copies)
        {
            var input = _passes[copy].Input;
            for (int i = 0; i < rows; i++)
            {
                observations[i].CopyTo(input[i]);
                actions[i].CopyTo(input[i][_observationSize..]);
            }

            Network.Forward(_passes[copy], rows, copy, weights);
        }
    }

    /// <summary>Q of one copy, from the last <see cref="Forward"/>.</summary>
    public float Value(int copy, int row) => _passes[copy].Output[row][0];

    /// <summary>The lowest of the chosen copies, from the last <see cref="Forward"/>.</summary>
    public float Lowest(int row, ReadOnlySpan<int> copies)
    {
        float lowest = Value(copies[0], row);
        foreach (int copy in copies[1..])
        {
            lowest = Math.Min(lowest, Value(copy, row));
        }

        return lowest;
    }

    /// <summary>Sets ∂L/∂Q of one copy and row, for <see cref="Backward"/>.</summary>
    public void SetGradient(int copy, int row, float gradient) => _passes[copy].OutputGradient[row][0] = gradient;

    /// <summary>Weight gradients of every copy, whose ∂L/∂Q have been set.</summary>
    public void Backward(int rows)
    {
        foreach (int copy in All)
        {
            Network.Backward(_passes[copy], rows, copy);
        }
    }

    /// <summary>Mean squared error of every copy against one target; leaves the gradients of Σ over copies.</summary>
    /// <param name="observations">[rows, Do].</param>
    /// <param name="actions">[rows, Da].</param>
    /// <param name="rows">How many.</param>
    /// <param name="target">[rows].</param>
    /// <returns>The loss, mean over rows and copies.</returns>
    public double Regress(Matrix observations, Matrix actions, int rows, ReadOnlySpan<float> target)
    {
        Forward(observations, actions, rows, Weights.Trained, All);
        double loss = 0;
        foreach (int copy in All)
        {
            for (int i = 0; i < rows; i++)
            {
                float error = Value(copy, i) - target[i];
                loss += error * error;
                SetGradient(copy, i, 2 * error / rows);
            }
        }

        Backward(rows);
        return loss / (rows * All.Length);
    }

    /// <summary>How to change actions so that the chosen value rises: writes <see cref="ActionGradient"/>, -∂/∂a of its mean over rows.</summary>
    /// <param name="observations">[rows, Do].</param>
    /// <param name="actions">[rows, Da].</param>
    /// <param name="rows">How many.</param>
    /// <param name="ascent">Which value.</param>
    /// <returns>The mean over rows of that value.</returns>
    public double Ascend(Matrix observations, Matrix actions, int rows, Ascent ascent)
    {
        int[] copies = ascent == Ascent.First ? All[..1] : All;
        Forward(observations, actions, rows, Weights.Trained, copies);
        float share = 1f / (ascent == Ascent.Lowest ? rows : rows * copies.Length);
        double sum = 0;
        for (int i = 0; i < rows; i++)
        {
            float low = Lowest(i, copies);
            bool taken = false;
            foreach (int copy in copies)
            {
                bool chosen = ascent != Ascent.Lowest || (!taken && Value(copy, i) == low);
                taken |= chosen;
                SetGradient(copy, i, chosen ? -share : 0);
                sum += chosen ? (double)Value(copy, i) * share : 0;
            }

            ActionGradient[i].Clear();
        }

        foreach (int copy in copies)
        {
            Network.Backward(_passes[copy], rows, copy, weights: false, inputs: true);
            for (int i = 0; i < rows; i++)
            {
                Span<float> into = ActionGradient[i], from = _passes[copy].InputGradient[i].Slice(_observationSize, _actionSize);
                for (int j = 0; j < into.Length; j++)
                {
                    into[j] += from[j];
                }
            }
        }

        return sum;
    }
}
