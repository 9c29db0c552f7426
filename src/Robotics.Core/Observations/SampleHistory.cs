using Robotics.Observations.Terms;
using Robotics.Packages;

namespace Robotics.Observations;

/// <summary>Terms sampled side by side, with their past: one contiguous piece of the observation vector.</summary>
internal sealed class SampleHistory
{
    private readonly WiredTerm[] _terms;
    private readonly int _width;
    private readonly int _length;
    private readonly bool _newestFirst;
    private readonly bool _zeros;
    private readonly float[] _samples; // [_length, _width], oldest first
    private bool _empty = true;

    public SampleHistory(WiredTerm[] terms, HistorySpec? history)
    {
        _terms = terms;
        _width = terms.Sum(term => term.Length);
        _length = history?.Length ?? 1;
        _newestFirst = history?.Order == "newest_first";
        _zeros = history?.Fill == "zeros";
        _samples = new float[_length * _width];
    }

    /// <summary>Floats in the observation vector.</summary>
    public int Length => _samples.Length;

    /// <summary>What every float is: its term, the element of it, and its age in samples.</summary>
    public IEnumerable<(WiredTerm Term, int Element, int Age)> Elements =>
        from k in Enumerable.Range(0, _length)
        from term in _terms
        from i in Enumerable.Range(0, term.Length)
        select (term, i, _newestFirst ? k : _length - 1 - k);

    public void Reset()
    {
        _empty = true;
        foreach (var term in _terms)
        {
            term.Reset();
        }
    }

    /// <summary>Takes one sample and writes the piece.</summary>
    public void Write(in TermInput input, Span<float> into)
    {
        // Shifting whole rows is one copy of a few kB at most and keeps the output contiguous.
        _samples.AsSpan(_width).CopyTo(_samples);
        var newest = _samples.AsSpan((_length - 1) * _width);
        int at = 0;
        foreach (var term in _terms)
        {
            term.Sample(in input, newest.Slice(at, term.Length));
            at += term.Length;
        }

        if (_empty)
        {
            for (int k = 0; k < _length - 1; k++)
            {
                var row = _samples.AsSpan(k * _width, _width);
                if (_zeros)
                {
                    row.Clear();
                }
                else
                {
                    newest.CopyTo(row);
                }
            }

            _empty = false;
        }

        for (int k = 0; k < _length; k++)
        {
            int from = _newestFirst ? _length - 1 - k : k;
            _samples.AsSpan(from * _width, _width).CopyTo(into[(k * _width)..]);
        }
    }
}
