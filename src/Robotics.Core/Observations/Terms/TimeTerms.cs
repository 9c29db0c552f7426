namespace Robotics.Observations.Terms;

/// <summary>A gait clock: cycles since the reset, as sine and cosine or as a fraction, one set per leg's offset.</summary>
internal sealed class PhaseTerm(double frequency, int? commanded, float[] offsets, string output) : ITerm
{
    private double _cycles;

    public IReadOnlyList<(string Name, string Unit)> Elements { get; } =
        [.. from i in Enumerable.Range(0, offsets.Length)
            from part in output == "sin_cos" ? new[] { "sin", "cos" } : [output]
            select ($"{part} {i}", "")];

    public void Sample(in TermInput input, Span<float> into)
    {
        // A commanded frequency is integrated, so that a change of it bends the phase instead of jumping it.
        _cycles = commanded is { } element ? _cycles + (input.Command[element] * input.Elapsed) : frequency * input.Seconds;
        int at = 0;
        foreach (float offset in offsets)
        {
            double cycle = _cycles + offset;
            cycle -= Math.Floor(cycle);
            double angle = 2 * Math.PI * cycle;
            switch (output)
            {
                case "fraction":
                    into[at++] = (float)cycle;
                    break;
                case "sin":
                    into[at++] = (float)Math.Sin(angle);
                    break;
                case "cos":
                    into[at++] = (float)Math.Cos(angle);
                    break;
                default:
                    into[at++] = (float)Math.Sin(angle);
                    into[at++] = (float)Math.Cos(angle);
                    break;
            }
        }
    }

    public void Reset() => _cycles = 0;
}

/// <summary>Seconds since the reset.</summary>
internal sealed class ClockTerm : ITerm
{
    public IReadOnlyList<(string Name, string Unit)> Elements { get; } = [("time", "s")];

    public void Sample(in TermInput input, Span<float> into) => into[0] = (float)input.Seconds;

    public void Reset()
    {
    }
}

/// <summary>Numbers that never change.</summary>
internal sealed class ConstantTerm(float[] values) : ITerm
{
    public IReadOnlyList<(string Name, string Unit)> Elements { get; } = [.. values.Select((_, i) => ($"{i}", ""))];

    public void Sample(in TermInput input, Span<float> into) => values.CopyTo(into);

    public void Reset()
    {
    }
}
