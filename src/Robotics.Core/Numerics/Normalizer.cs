using Robotics.Packages;

namespace Robotics.Numerics;

/// <summary>Normalises vectors and takes it back: mean and deviation, or minimum and maximum to [-1, 1].</summary>
/// <remarks>
/// Allocation-free after construction; immutable, safe for any thread. A statistic shorter than the vector repeats: one number for
/// all, or one frame after another. A min_max element whose max lies less than 1e-4 above its min is a constant of the training
/// data: its scale is 1 and its offset such that the constant becomes 0, so that noise around it is not blown up.
/// <para>Source of the constant rule: the linear normaliser of Diffusion Policy, Chi et al. 2023 (arXiv:2303.04137).</para>
/// </remarks>
public sealed class Normalizer
{
    private const float ConstantRange = 1e-4f;
    private readonly float[] _center; // [Length]
    private readonly float[] _spread; // [Length], above 0
    private readonly float _clip;

    /// <summary>Prepares <paramref name="spec"/> for vectors of <paramref name="length"/> elements.</summary>
    /// <exception cref="ArgumentException">The statistics do not fit; the message says which (see <see cref="Mismatch"/>).</exception>
    public Normalizer(NormalizationSpec spec, int length)
    {
        ArgumentNullException.ThrowIfNull(spec);
        if (Mismatch(spec, length) is { } mismatch)
        {
            throw new ArgumentException(mismatch, nameof(spec));
        }

        _center = new float[length];
        _spread = new float[length];
        _clip = spec.Clip ?? float.PositiveInfinity;
        for (int i = 0; i < length; i++)
        {
            if (spec.Mode == "mean_std")
            {
                _center[i] = At(spec.Mean!, i);
                _spread[i] = At(spec.Std!, i) + spec.Epsilon;
            }
            else
            {
                float min = At(spec.Min!, i);
                float max = At(spec.Max!, i);
                bool constant = max - min < ConstantRange;
                _center[i] = constant ? min : min + (0.5f * (max - min));
                _spread[i] = constant ? 1 : 0.5f * (max - min);
            }
        }

        static float At(IReadOnlyList<float> list, int i) => list[i % list.Count];
    }

    /// <summary>Elements of a vector.</summary>
    public int Length => _center.Length;

    /// <summary>Why <paramref name="spec"/> cannot serve vectors of <paramref name="length"/>, or null when it can.</summary>
    public static string? Mismatch(NormalizationSpec spec, int length)
    {
        ArgumentNullException.ThrowIfNull(spec);
        if (spec.Mode is not ("mean_std" or "min_max"))
        {
            return $"mode is '{spec.Mode}', expected mean_std or min_max";
        }

        (string Name, IReadOnlyList<float>? List)[] statistics = spec.Mode == "mean_std"
            ? [("mean", spec.Mean), ("std", spec.Std)] : [("min", spec.Min), ("max", spec.Max)];
        foreach (var (name, list) in statistics)
        {
            if (list is null || list.Count == 0 || length % list.Count != 0)
            {
                return $"'{name}' has {list?.Count ?? 0} numbers, the vector has {length} elements; expected 1, {length}, or one frame of it";
            }

            if (list.Any(number => !float.IsFinite(number)) || (name == "std" && list.Any(number => number + spec.Epsilon <= 0)))
            {
                return name == "std" ? "'std' holds a number that is not above 0" : $"'{name}' holds NaN or infinity";
            }
        }

        return null;
    }

    /// <summary>Physical units to the network's.</summary>
    /// <param name="values">[Length].</param>
    /// <param name="into">[Length]; may be the same memory.</param>
    /// <exception cref="ArgumentException">A length is not <see cref="Length"/>.</exception>
    public void Normalize(ReadOnlySpan<float> values, Span<float> into)
    {
        CheckLengths(values.Length, into.Length);
        for (int i = 0; i < values.Length; i++)
        {
            float value = (values[i] - _center[i]) / _spread[i];
            into[i] = value < -_clip ? -_clip : value > _clip ? _clip : value; // NaN stays NaN and is caught by the loop
        }
    }

    /// <summary>The network's units back to physical ones; never clipped.</summary>
    /// <param name="values">[Length].</param>
    /// <param name="into">[Length]; may be the same memory.</param>
    /// <exception cref="ArgumentException">A length is not <see cref="Length"/>.</exception>
    public void Denormalize(ReadOnlySpan<float> values, Span<float> into)
    {
        CheckLengths(values.Length, into.Length);
        for (int i = 0; i < values.Length; i++)
        {
            into[i] = (values[i] * _spread[i]) + _center[i];
        }
    }

    private void CheckLengths(int values, int into)
    {
        if (values != Length || into != Length)
        {
            throw new ArgumentException($"The normaliser takes {Length} elements, the buffers have {values} and {into}.");
        }
    }
}
