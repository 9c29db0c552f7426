using Robotics.Observations.Terms;

namespace Robotics.Observations;

/// <summary>A term with its selection, offset, scale and clips, ready to be sampled.</summary>
internal sealed class WiredTerm(string name, ITerm term, int[]? select, (float[] Low, float[] High) clipRaw, float[] offset, float[] scale, (float[] Low, float[] High) clip)
{
    private readonly float[] _all = new float[term.Elements.Count];

    public string Name => name;

    public int Length => offset.Length;

    public float[] Scale => scale;

    public (string Name, string Unit) Element(int i) => term.Elements[select is null ? i : select[i]];

    public void Sample(in TermInput input, Span<float> into)
    {
        term.Sample(in input, _all);
        for (int i = 0; i < into.Length; i++)
        {
            float value = Clip(_all[select is null ? i : select[i]], clipRaw.Low[i], clipRaw.High[i]);
            into[i] = Clip((value + offset[i]) * scale[i], clip.Low[i], clip.High[i]);
        }
    }

    public void Reset() => term.Reset();

    // Unlike Math.Clamp, never throws; NaN stays NaN and is caught by the loop.
    private static float Clip(float value, float low, float high) => value < low ? low : value > high ? high : value;
}
