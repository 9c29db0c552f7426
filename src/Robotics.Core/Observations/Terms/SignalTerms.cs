using Robotics.Numerics;

namespace Robotics.Observations.Terms;

/// <summary>Elements of the signal frame at given places, minus a constant (joint terms: the default pose).</summary>
internal sealed class GatherTerm(int[] places, float[] minus, (string Name, string Unit)[] elements) : ITerm
{
    public IReadOnlyList<(string Name, string Unit)> Elements => elements;

    public void Sample(in TermInput input, Span<float> into)
    {
        for (int i = 0; i < places.Length; i++)
        {
            into[i] = input.Signals[places[i]] - minus[i];
        }
    }

    public void Reset()
    {
    }
}

/// <summary>Frames a vector can be given or wanted in.</summary>
internal enum VectorFrame
{
    Body,
    World,
    Yaw,
}

/// <summary>A vector of three turned from the signal's frame into the wanted one by a measured orientation.</summary>
internal sealed class VectorTerm(int signal, int orientation, VectorFrame from, VectorFrame to, (string Name, string Unit)[] elements) : ITerm
{
    public IReadOnlyList<(string Name, string Unit)> Elements => elements;

    public void Sample(in TermInput input, Span<float> into)
    {
        var v = input.Signals.Slice(signal, 3);
        var body = new Rotation(input.Signals.Slice(orientation, 4));

        // By way of the world: from = its own frame to the world, to = the world to the wanted one.
        var (x, y, z) = from switch
        {
            VectorFrame.Body => body.Rotate(v[0], v[1], v[2]),
            VectorFrame.Yaw => body.Heading.Rotate(v[0], v[1], v[2]),
            _ => (v[0], v[1], v[2]),
        };
        (into[0], into[1], into[2]) = to switch
        {
            VectorFrame.Body => body.Inverse.Rotate(x, y, z),
            VectorFrame.Yaw => body.Heading.Inverse.Rotate(x, y, z),
            _ => (x, y, z),
        };
    }

    public void Reset()
    {
    }
}
