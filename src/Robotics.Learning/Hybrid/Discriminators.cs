using Robotics.Learning.Dense;
using Robotics.Numerics;

namespace Robotics.Learning.Hybrid;

/// <summary>Tells transitions of the robot from those of a simulator, and thereby how much likelier one of them makes a next state.</summary>
/// <remarks>
/// D_sa(s, a) and D_sas(s, a, s') give two logits each, 2·tanh of a network's; class 0 is the robot, class 1 the simulator. The second adds
/// to the first: p_sas = softmax(l_sas + l_sa), p_sa = softmax(l_sa). Then ln P_sim(s'|s,a)/P_real(s'|s,a) =
/// -ln p_sas[0] + ln p_sas[1] + ln p_sa[0] - ln p_sa[1], which is l_sas[1] - l_sas[0]: within ±4.
/// <para>Source: Eysenbach et al. 2021 (arXiv:2006.13916) and the published code of H2O (Niu et al. 2022, arXiv:2206.13464). Differs: the
/// loss of D_sas does not move D_sa, which has one of its own.</para>
/// </remarks>
internal sealed class Discriminators
{
    private readonly Mlp _pair;
    private readonly Mlp _triple;
    private readonly MlpPass _pairPass;
    private readonly MlpPass _triplePass;
    private readonly int _observationSize;
    private readonly int _actionSize;
    private readonly double _inputNoise;

    /// <param name="observationSize">Do.</param>
    /// <param name="actionSize">Da.</param>
    /// <param name="hidden">Widths of the hidden layers.</param>
    /// <param name="capacity">Most rows at a time.</param>
    /// <param name="inputNoise">Deviation of the noise on every input while training: without it they overfit a small record.</param>
    /// <param name="random">Draws the weights.</param>
    public Discriminators(int observationSize, int actionSize, IReadOnlyList<int> hidden, int capacity, double inputNoise, SeededRandom random)
    {
        (_observationSize, _actionSize, _inputNoise) = (observationSize, actionSize, inputNoise);
        MlpSpec pair = new(observationSize + actionSize, hidden, 2), triple = new((2 * observationSize) + actionSize, hidden, 2);
        (_pair, _triple) = (new Mlp(pair, 1, random), new Mlp(triple, 1, random));
        (_pairPass, _triplePass) = (new MlpPass(pair, capacity), new MlpPass(triple, capacity));
    }

    /// <summary>One step on a batch whose first rows are the robot's and whose others are the simulator's.</summary>
    /// <param name="batch">s, a, s'.</param>
    /// <param name="real">Rows of the robot.</param>
    /// <param name="rows">Rows in all.</param>
    /// <param name="rate">Learning rate.</param>
    /// <param name="random">Draws the noise.</param>
    /// <returns>The sum of both cross-entropies.</returns>
    public double Train(Data.Batch batch, int real, int rows, double rate, SeededRandom random)
    {
        Fill(batch, 0, rows, random);
        _pair.Forward(_pairPass, rows);
        _triple.Forward(_triplePass, rows);
        double loss = 0;
        for (int i = 0; i < rows; i++)
        {
            int label = i < real ? 0 : 1;
            float share = 0.5f / (label == 0 ? real : rows - real); // both sides count the same
            Span<float> a = _pairPass.Output[i], b = _triplePass.Output[i], da = _pairPass.OutputGradient[i], db = _triplePass.OutputGradient[i];
            float a0 = MathF.Tanh(a[0]), a1 = MathF.Tanh(a[1]), b0 = MathF.Tanh(b[0]), b1 = MathF.Tanh(b[1]);
            loss += share * CrossEntropy(2 * a0, 2 * a1, label, out float forPair) + (share * CrossEntropy(2 * (a0 + b0), 2 * (a1 + b1), label, out float forTriple));

            // p[1] - [label = 1] is the gradient of logit 1, and of logit 0 with the other sign.
            (da[0], da[1]) = (-2 * share * forPair * (1 - (a0 * a0)), 2 * share * forPair * (1 - (a1 * a1)));
            (db[0], db[1]) = (-2 * share * forTriple * (1 - (b0 * b0)), 2 * share * forTriple * (1 - (b1 * b1)));
        }

        _pair.Backward(_pairPass, rows);
        _triple.Backward(_triplePass, rows);
        _pair.Step(rate);
        _triple.Step(rate);
        return loss;
    }

    /// <summary>ln P_sim/P_real of the next state of some rows.</summary>
    /// <param name="batch">s, a, s'.</param>
    /// <param name="from">First row.</param>
    /// <param name="into">[rows].</param>
    /// <param name="random">Draws noise of deviation 1 on s' (observations are normalised); null: none.</param>
    public void LogRatio(Data.Batch batch, int from, Span<float> into, SeededRandom? random)
    {
        for (int i = 0; i < into.Length; i++)
        {
            Span<float> input = _triplePass.Input[i];
            batch.Observations[from + i].CopyTo(input);
            batch.Actions[from + i].CopyTo(input[_observationSize..]);
            batch.Next[from + i].CopyTo(input[(_observationSize + _actionSize)..]);
            Disturb(input[(_observationSize + _actionSize)..], 1, random);
        }

        _triple.Forward(_triplePass, into.Length);
        for (int i = 0; i < into.Length; i++)
        {
            into[i] = 2 * (MathF.Tanh(_triplePass.Output[i][1]) - MathF.Tanh(_triplePass.Output[i][0]));
        }
    }

    public void Write(BinaryWriter writer)
    {
        _pair.Write(writer);
        _triple.Write(writer);
    }

    public void Read(BinaryReader reader)
    {
        _pair.Read(reader);
        _triple.Read(reader);
    }

    private static double CrossEntropy(double l0, double l1, int label, out float slope)
    {
        double one = 1 / (1 + Math.Exp(l0 - l1)), chosen = label == 1 ? one : 1 - one;
        slope = (float)(one - label);
        return -Math.Log(Math.Max(chosen, 1e-300));
    }

    // Both networks see the same noise.
    private void Fill(Data.Batch batch, int from, int rows, SeededRandom random)
    {
        for (int i = 0; i < rows; i++)
        {
            Span<float> input = _triplePass.Input[i];
            batch.Observations[from + i].CopyTo(input);
            batch.Actions[from + i].CopyTo(input[_observationSize..]);
            batch.Next[from + i].CopyTo(input[(_observationSize + _actionSize)..]);
            Disturb(input, _inputNoise, random);
            input[..(_observationSize + _actionSize)].CopyTo(_pairPass.Input[i]);
        }
    }

    private static void Disturb(Span<float> values, double deviation, SeededRandom? random)
    {
        for (int j = 0; j < values.Length && random is not null; j++)
        {
            values[j] += (float)(deviation * random.NextGaussian());
        }
    }
}
