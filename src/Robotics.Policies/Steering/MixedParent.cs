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
    private readonly int _whole;                // Tp·Da of the driver; the parent's own may be less
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
        _whole = his.Sampler!.Horizon * driver.Spec.ActionLength;
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

    /// <summary>Tp·Da: of the driver's sample it knows the beginning.</summary>
    public int Width => _scale.Length;

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
    /// <returns>[K, Tp, Da], the answer: <paramref name="answer"/>, or the network's own output where that is it already. Of a shorter
    /// parent the first <see cref="Width"/> elements of each candidate mean something.</returns>
    public float[] Ask(StepNetwork step, ReadOnlySpan<float> sample, in StepPoint at, ScoreForm form, float[] point, float[] answer)
    {
        if (_ownGround && Width == _whole)
        {
            step.Call(sample, at);
            return Form == form ? step.Output : Translate(step.Output, sample, at.Level, form, answer);
        }

        // The same point on the parent's own path: its action there is scale·a + shift, its noise scale·n.
        var level = at.Level;
        double spread = _meanScale * level.Noise;
        double norm = _ownGround ? 1 : _schedule is null ? level.Signal + spread : Math.Sqrt((level.Signal * level.Signal) + (spread * spread));
        var own = new NoiseLevel(level.Signal / norm, spread / norm);
        int width = Width, length = step.Length;
        for (int j = 0; j < length; j++)
        {
            int e = j % width;
            point[j] = (float)(((_scale[e] * sample[(j / width * _whole) + e]) + (level.Signal * _shift[e])) / norm);
        }

        double time = _ownGround ? at.Time : _schedule is null ? own.FlowTime : Timestep(own.Signal * own.Signal);
        step.Call(point.AsSpan(0, length), new(time, own, default, at.First));

        // Pure noise says nothing of the action: below the schedule's noisiest level its reading there is taken.
        double least = _schedule is null ? 0 : Math.Sqrt(_alphaBars[^1]);
        var read = own.Signal < least ? NoiseLevel.OfDiffusion(_alphaBars[^1]) : own;
        var action = read.ActionFrom(Form);
        var output = level.OutputOf(form);
        for (int j = 0; j < length; j++)
        {
            int e = j % width, there = (j / width * _whole) + e;
            double a = Math.Clamp(action.At(point[j], step.Output[j]), -_clip, _clip);
            answer[there] = (float)output.At(sample[there], (a - _shift[e]) / _scale[e]);
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
