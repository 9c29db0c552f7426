using System.Numerics;
using System.Runtime.InteropServices;
using Robotics.Numerics;
using Robotics.Packages;
using Robotics.Policies.Onnx;
using Robotics.Policies.Sampling;

namespace Robotics.Policies.Steering;

/// <summary>One parent of a composition, as its networks know it.</summary>
internal sealed class MixedParent
{
    private readonly NoiseSchedule? _schedule;  // of a denoiser
    private readonly double[] _alphaBars = [];  // [T], falling
    private readonly bool _ownGround;           // the driver itself, or one with the same noise and the same normaliser
    private readonly double[] _scale;           // [Tp·Da]: its normalised action = scale · the driver's + shift
    private readonly double[] _shift;
    private readonly double _meanScale;
    private readonly double _clip;

    /// <summary>Compares the parent with the driver.</summary>
    public MixedParent(OnnxNetworks parent, OnnxNetworks driver)
    {
        var (own, his) = (parent.Manifest, driver.Manifest);
        Form = FormOf(own);
        int width = own.Sampler!.Horizon * parent.Spec.ActionLength;
        (_scale, _shift) = Affine(own.Action.Normalization, his.Action.Normalization, width);
        bool sameAction = Array.TrueForAll(_scale, s => Math.Abs(s - 1) < 1e-6) && Array.TrueForAll(_shift, s => Math.Abs(s) < 1e-6);
        _meanScale = Math.Exp(_scale.Average(Math.Log));
        Uneven = _scale.Max() / _scale.Min();
        if (own.Sampler.Diffusion is { } diffusion)
        {
            _schedule = DenoisingSampler.Schedule(diffusion);
            _alphaBars = _schedule.AlphaBars.ToArray();
        }

        _clip = own.Sampler.Diffusion is { Clip: > 0 } clipped && his.Kind == PolicyKind.Velocity ? clipped.Clip : double.PositiveInfinity;
        bool sameNoise = own.Kind == his.Kind
            && (_schedule is null || _schedule.Betas.SequenceEqual(DenoisingSampler.Schedule(his.Sampler!.Diffusion!).Betas));
        _ownGround = sameAction && sameNoise;
    }

    /// <summary>What its network puts out.</summary>
    public ScoreForm Form { get; }

    /// <summary>Largest over smallest ratio of the two normalisers' units; 1: all alike. Between elements of different ratio the noise
    /// levels match only on average.</summary>
    public double Uneven { get; }

    /// <summary>What a package's step network puts out.</summary>
    public static ScoreForm FormOf(PolicyManifest manifest) =>
        manifest.Sampler!.Diffusion is { } diffusion ? NoiseLevel.FormOf(diffusion.Prediction) : ScoreForm.FlowVelocity;

    /// <summary>Asks the parent about the driver's sample, and gives its answer as the driver's network would.</summary>
    /// <param name="step">The parent's network.</param>
    /// <param name="sample">[K, Tp, Da], as the driver normalises.</param>
    /// <param name="at">Where the driver's sample stands.</param>
    /// <param name="form">The driver's.</param>
    /// <param name="point">[K, Tp, Da], scratch.</param>
    /// <param name="answer">[K, Tp, Da], scratch.</param>
    /// <returns>[K, Tp, Da], the answer: <paramref name="answer"/>, or the network's own output where that is it already.</returns>
    public float[] Ask(StepNetwork step, ReadOnlySpan<float> sample, in StepPoint at, ScoreForm form, float[] point, float[] answer)
    {
        if (_ownGround)
        {
            step.Call(sample, at);
            return Form == form ? step.Output : Translate(step.Output, sample, at.Level, form, answer);
        }

        // The same point on the parent's own path: its action there is scale·a + shift, its noise scale·n.
        var level = at.Level;
        double spread = _meanScale * level.Noise;
        double norm = _schedule is null ? level.Signal + spread : Math.Sqrt((level.Signal * level.Signal) + (spread * spread));
        var own = new NoiseLevel(level.Signal / norm, spread / norm);
        int width = _scale.Length;
        for (int j = 0; j < sample.Length; j++)
        {
            int e = j % width;
            point[j] = (float)(((_scale[e] * sample[j]) + (level.Signal * _shift[e])) / norm);
        }

        step.Call(point, new(_schedule is null ? own.FlowTime : Timestep(own.Signal * own.Signal), own, default, at.First));

        // Pure noise says nothing of the action: below the schedule's noisiest level its reading there is taken.
        double least = _schedule is null ? 0 : Math.Sqrt(_alphaBars[^1]);
        var read = own.Signal < least ? NoiseLevel.OfDiffusion(_alphaBars[^1]) : own;
        var action = read.ActionFrom(Form);
        var output = level.OutputOf(form);
        for (int j = 0; j < sample.Length; j++)
        {
            int e = j % width;
            double a = Math.Clamp(action.At(point[j], step.Output[j]), -_clip, _clip);
            answer[j] = (float)output.At(sample[j], (a - _shift[e]) / _scale[e]);
        }

        return answer;
    }

    private float[] Translate(ReadOnlySpan<float> said, ReadOnlySpan<float> sample, NoiseLevel level, ScoreForm form, float[] answer)
    {
        var action = level.ActionFrom(Form);
        var output = level.OutputOf(form);
        for (int j = 0; j < sample.Length; j++)
        {
            answer[j] = (float)output.At(sample[j], action.At(sample[j], said[j]));
        }

        return answer;
    }

    // The training step whose noise is nearest.
    private int Timestep(double alphaBar)
    {
        int low = 0, high = _alphaBars.Length - 1;
        while (low < high)
        {
            int middle = (low + high) / 2;
            (low, high) = _alphaBars[middle] > alphaBar ? (middle + 1, high) : (low, middle);
        }

        return low > 0 && alphaBar - _alphaBars[low] > _alphaBars[low - 1] - alphaBar ? low - 1 : low;
    }

    private static (double[] Scale, double[] Shift) Affine(NormalizationSpec? own, NormalizationSpec? his, int width)
    {
        float[] one = [.. Enumerable.Repeat(1f, width)], zero = new float[width];
        double[] hisUnit = new double[width], hisZero = new double[width], ownUnit = new double[width], ownZero = new double[width];
        Measure(his, hisUnit, hisZero);
        Measure(own, ownUnit, ownZero);
        double[] scale = [.. hisUnit.Zip(ownUnit, (a, b) => a / b)];
        return (scale, [.. Enumerable.Range(0, width).Select(e => (hisZero[e] - ownZero[e]) / ownUnit[e])]);

        void Measure(NormalizationSpec? spec, double[] unit, double[] origin)
        {
            float[] at1 = [.. one], at0 = [.. zero];
            if (spec is not null)
            {
                var normalizer = new Normalizer(spec, width);
                normalizer.Denormalize(one, at1);
                normalizer.Denormalize(zero, at0);
            }

            for (int e = 0; e < width; e++)
            {
                (unit[e], origin[e]) = ((double)at1[e] - at0[e], at0[e]);
            }
        }
    }
}

/// <summary>The mixed score of several parents, as the driver's network would say it: one call per parent with a weight.</summary>
/// <remarks>
/// At one noise level noise, action and velocity are linear in each other, so the mean of the parents' answers in the driver's form
/// is the mean of their scores. A parent whose weight is 0 is not called; the only one whose weight is 1 is passed on bit for bit.
/// <para>Source: "Compose Your Policies!" (general policy composition); for <see cref="MixOperator.Or"/> the superposition of diffusion
/// models (Skreta et al. 2024, arXiv:2412.17762), with the density of a step in place of its limit: what the forward process
/// contributes is the same for all parents and falls out of the weights.</para>
/// </remarks>
internal sealed class MixedStep : StepNetwork
{
    private readonly MixedParent[] _parents;
    private readonly StepNetwork[] _steps;
    private readonly ScoreForm _form;
    private readonly ComposeSpec _compose;
    private readonly double _clip;          // the driver's
    private readonly double[] _weights;     // [M]
    private readonly float[] _point;        // [K, Tp, Da]
    private readonly float[][] _buffers;    // [M][K, Tp, Da]
    private readonly float[][] _answers;    // [M][K, Tp, Da], in the driver's form: a buffer or a network's own output
    private readonly float[] _before;       // [K, Tp, Da], the sample of the call before, for 'or'
    private readonly double[] _densities;   // [K, M], log density along the path, for 'or'
    private readonly double[] _shares;      // [M], of one candidate
    private DenoisingStep _stepBefore;

    /// <summary>Takes each parent's network of one batch size.</summary>
    public MixedStep(MixedParent[] parents, StepNetwork[] steps, ScoreForm form, ComposeSpec compose, double clip)
        : base(steps[0].Candidates, steps[0].Length)
    {
        (_parents, _steps, _form, _compose, _clip) = (parents, steps, form, compose, clip);
        _weights = new double[parents.Length];
        _shares = new double[parents.Length];
        _point = new float[Length];
        _buffers = [.. parents.Select(_ => new float[Length])];
        _answers = [.. _buffers];
        bool or = compose.Operator == MixOperator.Or;
        _before = new float[or ? Length : 0];
        _densities = new double[or ? Candidates * parents.Length : 0];
    }

    /// <inheritdoc/>
    public override void Call(ReadOnlySpan<float> sample, in StepPoint at)
    {
        Weigh(1 - at.Level.FlowTime);
        bool or = _densities.Length > 0;
        if (or)
        {
            Follow(sample, at.First);
        }

        for (int i = 0; i < _parents.Length; i++)
        {
            if (_weights[i] != 0)
            {
                _answers[i] = _parents[i].Ask(_steps[i], sample, at, _form, _point, _buffers[i]);
            }
        }

        if (!or)
        {
            Mix(0, Length, _weights);
            return;
        }

        for (int k = 0; k < Candidates; k++)
        {
            AtHome(k);
            Mix(k * Width, Width, _shares);
        }

        sample.CopyTo(_before);
        _stepBefore = at.Step;
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

    private void Mix(int start, int length, ReadOnlySpan<double> weights)
    {
        var output = Output.AsSpan(start, length);
        bool first = true;
        for (int i = 0; i < weights.Length; i++)
        {
            if (weights[i] != 0)
            {
                Add(_answers[i].AsSpan(start, length), (float)weights[i], output, first);
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
}
