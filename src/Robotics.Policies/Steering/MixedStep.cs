using System.Numerics;
using System.Runtime.InteropServices;
using Robotics.Numerics;
using Robotics.Packages;
using Robotics.Policies.Sampling;

namespace Robotics.Policies.Steering;

/// <summary>The mixed score of several parents, as the driver's network would say it: one call per parent with a weight.</summary>
/// <remarks>
/// At one noise level noise, action and velocity are linear in each other, so the mean of the parents' answers in the driver's form
/// is the mean of their scores. A parent whose weight is 0 is not called; the only one whose weight is 1 is passed on bit for bit.
/// Rows that a shorter parent does not plan are mixed among the others, by the same shares.
/// <para>Source: "Compose Your Policies!" (general policy composition).</para>
/// </remarks>
internal sealed partial class MixedStep : StepNetwork
{
    private readonly MixedParent[] _parents;
    private readonly StepNetwork[] _steps;
    private readonly ScoreForm _form;
    private readonly ComposeSpec _compose;
    private readonly double _clip;          // the driver's
    private readonly int _driver;           // the longest, which is asked whenever others end before it
    private readonly int[] _ends;           // where parents end, ascending; the last is Width
    private readonly double[] _weights;     // [M]
    private readonly float[] _point;        // [K, Tp, Da]
    private readonly float[][] _buffers;    // [M][K, Tp, Da]
    private readonly float[][] _answers;    // [M][K, Tp, Da], in the driver's form: a buffer or a network's own output

    /// <summary>Takes each parent's network of one batch size.</summary>
    public MixedStep(MixedParent[] parents, StepNetwork[] steps, int driver, ScoreForm form, ComposeSpec compose, double clip)
        : base(steps[driver].Candidates, steps[driver].Length)
    {
        (_parents, _steps, _driver, _form, _compose, _clip) = (parents, steps, driver, form, compose, clip);
        _ends = [.. parents.Select(parent => parent.Width).Distinct().Order()];
        _weights = new double[parents.Length];
        _shares = new double[parents.Length];
        _point = new float[Length];
        _buffers = [.. parents.Select(_ => new float[Length])];
        _answers = [.. _buffers];
        bool or = compose.Operator == MixOperator.Or, and = compose.Operator == MixOperator.And;
        _before = new float[or ? Length : 0];
        _densities = new double[or ? Candidates * parents.Length : 0];
        _apart = new double[and ? (parents.Length - 1) * parents.Length : 0];
    }

    /// <inheritdoc/>
    public override void Call(ReadOnlySpan<float> sample, in StepPoint at)
    {
        Weigh(1 - at.Level.FlowTime);
        if (_densities.Length > 0)
        {
            Follow(sample, at.First);
        }

        for (int i = 0; i < _parents.Length; i++)
        {
            if (_weights[i] != 0 || (i == _driver && _ends.Length > 1) || _apart.Length > 0)
            {
                _answers[i] = _parents[i].Ask(_steps[i], sample, at, _form, _point, _buffers[i]);
            }
        }

        switch (_compose.Operator)
        {
            case MixOperator.Or:
                for (int k = 0; k < Candidates; k++)
                {
                    AtHome(k);
                    Mix(k, 1, _shares);
                }

                sample.CopyTo(_before);
                _stepBefore = at.Step;
                break;
            case MixOperator.And:
                for (int k = 0; k < Candidates; k++)
                {
                    Agree(k, at);
                    Mix(k, 1, _shares);
                }

                break;
            default:
                Mix(0, Candidates, _weights);
                break;
        }
    }

    // Weights at a share of noise: fixed, or straight between the knots.
    private void Weigh(double noise)
    {
        for (int i = 0; i < _weights.Length; i++)
        {
            _weights[i] = _compose.Weights is { } fixedOnes ? fixedOnes[i] : Between(_compose.Schedule!, noise, i);
        }
    }

    private static double Between(IReadOnlyList<WeightKnot> knots, double noise, int i)
    {
        if (noise >= knots[0].Noise)
        {
            return knots[0].Weights[i];
        }

        for (int k = 1; k < knots.Count; k++)
        {
            if (noise >= knots[k].Noise)
            {
                double share = (noise - knots[k].Noise) / (knots[k - 1].Noise - knots[k].Noise);
                return (share * knots[k - 1].Weights[i]) + ((1 - share) * knots[k].Weights[i]);
            }
        }

        return knots[^1].Weights[i];
    }

    // Candidates from first on, by the same weights.
    private void Mix(int first, int count, ReadOnlySpan<double> weights)
    {
        if (_ends.Length == 1)
        {
            Mix(first * Width, count * Width, weights, 1, 0);
            return;
        }

        for (int k = first; k < first + count; k++)
        {
            int from = 0;
            foreach (int end in _ends)
            {
                double sum = 0;
                for (int i = 0; i < weights.Length; i++)
                {
                    sum += _parents[i].Width >= end ? weights[i] : 0;
                }

                Mix((k * Width) + from, end - from, weights, sum, end);
                from = end;
            }
        }
    }

    // A stretch, by the weights of those that reach its end; by the driver where those have none.
    private void Mix(int start, int length, ReadOnlySpan<double> weights, double sum, int end)
    {
        var output = Output.AsSpan(start, length);
        bool first = true;
        for (int i = 0; i < weights.Length; i++)
        {
            double weight = sum > 0 ? weights[i] / sum : i == _driver ? 1 : 0;
            if (weight != 0 && _parents[i].Width >= end)
            {
                Add(_answers[i].AsSpan(start, length), (float)weight, output, first);
                first = false;
            }
        }
    }

    // As many at once as the machine can: this runs between any two network calls. Alone and with weight 1 it changes no bit.
    private static void Add(ReadOnlySpan<float> answer, float weight, Span<float> output, bool first)
    {
        var wide = MemoryMarshal.Cast<float, Vector<float>>(answer);
        var sums = MemoryMarshal.Cast<float, Vector<float>>(output);
        for (int n = 0; n < wide.Length; n++)
        {
            sums[n] = first ? weight * wide[n] : sums[n] + (weight * wide[n]);
        }

        for (int j = wide.Length * Vector<float>.Count; j < answer.Length; j++)
        {
            output[j] = first ? weight * answer[j] : output[j] + (weight * answer[j]);
        }
    }
}
