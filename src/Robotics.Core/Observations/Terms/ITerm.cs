namespace Robotics.Observations.Terms;

/// <summary>What a term may read at one tick.</summary>
internal readonly ref struct TermInput
{
    public required ReadOnlySpan<float> Signals { get; init; }

    public required ReadOnlySpan<float> Command { get; init; }

    public required ReadOnlySpan<float> RawAction { get; init; }

    public required ReadOnlySpan<float> Target { get; init; }

    /// <summary>[6 + verbs] what the route's follower says; empty without a route.</summary>
    public required ReadOnlySpan<float> Route { get; init; }

    /// <summary>Since the first sample after a reset, s.</summary>
    public required double Seconds { get; init; }

    /// <summary>Since the sample before, s; 0 for the first.</summary>
    public required double Elapsed { get; init; }
}

/// <summary>One wired term: knows its elements' indices, allocates nothing per sample.</summary>
internal interface ITerm
{
    /// <summary>Name and unit of every element, before selection.</summary>
    IReadOnlyList<(string Name, string Unit)> Elements { get; }

    /// <summary>Writes every element.</summary>
    void Sample(in TermInput input, Span<float> into);

    /// <summary>A run starts.</summary>
    void Reset();
}
