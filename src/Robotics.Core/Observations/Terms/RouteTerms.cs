namespace Robotics.Observations.Terms;

/// <summary>A part of what <see cref="Routes.RouteFollower.Observe"/> says of the route.</summary>
internal sealed class RouteTerm(int offset, (string Name, string Unit)[] elements) : ITerm
{
    public IReadOnlyList<(string Name, string Unit)> Elements => elements;

    public void Sample(in TermInput input, Span<float> into) => input.Route.Slice(offset, elements.Length).CopyTo(into);

    public void Reset()
    {
    }
}
