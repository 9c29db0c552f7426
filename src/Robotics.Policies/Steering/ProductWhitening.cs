namespace Robotics.Policies.Steering;

/// <summary>Whitens a set together with the products of its widest directions.</summary>
/// <remarks>What keeps its size while it turns and moves (a rigid body seen by its corners) lies on a curved surface, which fills the
/// directions it bends into: they hide a change of size. Squares and products straighten the surface, and being off it stands out.</remarks>
internal sealed class ProductWhitening : IWhitening
{
    private const int Most = 12; // 78 products

    // Of the widest direction. Narrower ones are mostly speeds: still for long, their products have tails that hide everything else.
    private const double LeastShare = 0.2;

    private readonly Whitening _first;
    private readonly Whitening _second;
    private readonly float[] _mean;     // [n], of what the first gives
    private readonly int[] _wide;       // directions
    private readonly float[] _features; // [n + products]

    /// <summary>Learns it from rows whose elements have deviation 1.</summary>
    /// <param name="set">[N, n].</param>
    /// <param name="n">Elements of a row.</param>
    public ProductWhitening(ReadOnlySpan<float> set, int n)
    {
        _first = new(set, n);
        double widest = Enumerable.Range(0, n).Max(_first.Deviation);
        _wide = [.. Enumerable.Range(0, n).Where(r => _first.Deviation(r) >= LeastShare * widest).OrderByDescending(_first.Deviation).Take(Most)];
        Length = n + (_wide.Length * (_wide.Length + 1) / 2);
        (_mean, _features) = (new float[n], new float[Length]);
        int count = set.Length / n;
        double[] sums = new double[n];
        for (int at = 0; at < set.Length; at += n)
        {
            _first.Apply(set.Slice(at, n), _features);
            for (int r = 0; r < n; r++)
            {
                sums[r] += _features[r];
            }
        }

        for (int r = 0; r < n; r++)
        {
            _mean[r] = (float)(sums[r] / count);
        }

        float[] all = new float[count * Length];
        for (int i = 0; i < count; i++)
        {
            Expand(set.Slice(i * n, n));
            _features.CopyTo(all, i * Length);
        }

        _second = new(all, Length);
    }

    /// <inheritdoc/>
    public int Length { get; }

    /// <inheritdoc/>
    public void Apply(ReadOnlySpan<float> x, Span<float> y)
    {
        Expand(x);
        _second.Apply(_features, y);
    }

    private void Expand(ReadOnlySpan<float> x)
    {
        int n = _mean.Length, at = n;
        _first.Apply(x, _features);
        for (int r = 0; r < n; r++)
        {
            _features[r] -= _mean[r];
        }

        for (int i = 0; i < _wide.Length; i++)
        {
            for (int j = 0; j <= i; j++)
            {
                _features[at++] = _features[_wide[i]] * _features[_wide[j]];
            }
        }
    }
}
