using Robotics.Packages;

namespace Robotics.Policies.Onnx;

/// <summary>One frame's normalisation, repeated over a history or over the rows of a chunk.</summary>
internal sealed class Normalization
{
    private readonly float[] _center; // [F]
    private readonly float[] _spread; // [F], the divisor
    private readonly float _clip;     // of the normalised value; infinity: none

    private Normalization(float[] center, float[] spread, float clip) => (_center, _spread, _clip) = (center, spread, clip);

    /// <summary>Checks and prepares; null when there is none or it is wrong.</summary>
    /// <param name="spec">From the manifest.</param>
    /// <param name="length">Elements of the whole buffer.</param>
    /// <param name="frames">Frames in it; numbers are given once, per frame element, or per element of the buffer.</param>
    /// <param name="path">Path in the manifest.</param>
    /// <param name="check">Receives what is wrong.</param>
    public static Normalization? Create(NormalizationSpec? spec, int length, int frames, string path, ConfigCheck check)
    {
        if (spec is null)
        {
            return null;
        }

        bool standard = spec.Mode == "mean_std";
        if (!standard && spec.Mode != "min_max")
        {
            check.Add($"{path}.mode", $"is '{spec.Mode}'; known are mean_std, min_max");
            return null;
        }

        (string firstName, var first) = standard ? ("mean", spec.Mean) : ("min", spec.Min);
        (string secondName, var second) = standard ? ("std", spec.Std) : ("max", spec.Max);
        if (!Fits(first, $"{path}.{firstName}") | !Fits(second, $"{path}.{secondName}"))
        {
            return null;
        }

        int size = Math.Max(first!.Count, second!.Count);
        float[] center = new float[size];
        float[] spread = new float[size];
        for (int i = 0; i < size; i++)
        {
            float a = first[first.Count == 1 ? 0 : i];
            float b = second[second.Count == 1 ? 0 : i];
            center[i] = standard ? a : (a + b) / 2;
            spread[i] = standard ? b + spec.Epsilon : (b - a) / 2;
            check.That(
                float.IsFinite(center[i]) && float.IsFinite(spread[i]) && spread[i] > 0,
                $"{path}.{secondName}[{i}]",
                FormattableString.Invariant($"is {b}, expected above {(standard ? "0" : $"min, which is {a}")}"));
        }

        return new(center, spread, spec.Clip ?? float.PositiveInfinity);

        bool Fits(IReadOnlyList<float>? numbers, string where)
        {
            bool fits = numbers is { Count: > 0 } && (numbers.Count == 1 || numbers.Count == length || numbers.Count * frames == length);
            check.That(fits, where, $"has {numbers?.Count ?? 0} numbers; expected 1, {length / frames} (one frame) or {length} (all)");
            return fits;
        }
    }

    /// <summary>To the network's units.</summary>
    public void Apply(ReadOnlySpan<float> from, Span<float> to)
    {
        for (int i = 0, f = 0; i < from.Length; i++, f = f + 1 == _center.Length ? 0 : f + 1)
        {
            to[i] = Math.Clamp((from[i] - _center[f]) / _spread[f], -_clip, _clip);
        }
    }

    /// <summary>From the network's units, in place.</summary>
    public void Invert(Span<float> values)
    {
        for (int i = 0, f = 0; i < values.Length; i++, f = f + 1 == _center.Length ? 0 : f + 1)
        {
            values[i] = (Math.Clamp(values[i], -_clip, _clip) * _spread[f]) + _center[f];
        }
    }
}
