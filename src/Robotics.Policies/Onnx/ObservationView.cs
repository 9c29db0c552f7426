namespace Robotics.Policies.Onnx;

/// <summary>The groups of a larger observation vector that one of several networks reads, in its own order.</summary>
internal sealed class ObservationView
{
    private readonly (int From, int To, int Length)[] _pieces;
    private readonly float[] _part; // [Do of the part]; empty: the part is the whole

    private ObservationView((int From, int To, int Length)[] pieces, int length) => (_pieces, _part) = (pieces, new float[length]);

    /// <summary>Reads everything as it is.</summary>
    public static ObservationView Whole { get; } = new([], 0);

    /// <summary>Reads the groups that <paramref name="groups"/> names.</summary>
    /// <param name="part">What the part takes.</param>
    /// <param name="whole">What there is.</param>
    /// <param name="groups">For each group of the part, its index in the whole.</param>
    public static ObservationView Of(PolicySpec part, PolicySpec whole, IReadOnlyList<int> groups)
    {
        var pieces = part.Observation.Select((slice, g) => (whole.Observation[groups[g]].Offset, slice.Offset, slice.Length)).ToArray();
        bool same = part.ObservationLength == whole.ObservationLength && Array.TrueForAll(pieces, piece => piece.Item1 == piece.Item2);
        return same ? Whole : new(pieces, part.ObservationLength);
    }

    /// <summary>[Do of the part]; valid until the next call. Allocation-free.</summary>
    public ReadOnlySpan<float> Of(ReadOnlySpan<float> whole)
    {
        if (_part.Length == 0)
        {
            return whole;
        }

        foreach ((int from, int to, int length) in _pieces)
        {
            whole.Slice(from, length).CopyTo(_part.AsSpan(to));
        }

        return _part;
    }
}
