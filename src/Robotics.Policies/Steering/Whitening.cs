namespace Robotics.Policies.Steering;

/// <summary>A map of rows, learned from a set, under which everything that is usual has the same size.</summary>
internal interface IWhitening
{
    /// <summary>Elements that a mapped row has.</summary>
    int Length { get; }

    /// <summary>One row.</summary>
    /// <param name="x">[n].</param>
    /// <param name="y">[Length], not the same memory.</param>
    void Apply(ReadOnlySpan<float> x, Span<float> y);
}

/// <summary>Turns and stretches a set so that it has deviation 1 in every direction, or less where it hardly varies.</summary>
/// <remarks>Elements that move together (the corners of a rigid body, two readings of one sensor) leave directions in which the set
/// has almost no extent; a fault that pulls them apart stands out there and nowhere else.</remarks>
internal sealed class Whitening : IWhitening
{
    /// <summary>Least deviation that is stretched to 1, of elements whose own is 1: below it lie rounding and sensor noise.</summary>
    private const double Floor = 0.02;
    private const int Sweeps = 64;

    private readonly float[] _rows;        // [n, n]
    private readonly double[] _deviations; // [n], as they were
    private readonly int _n;

    /// <summary>Learns it from rows whose elements have deviation 1.</summary>
    /// <param name="set">[N, n].</param>
    /// <param name="n">Elements of a row.</param>
    public Whitening(ReadOnlySpan<float> set, int n)
    {
        _n = n;
        _rows = new float[n * n];
        _deviations = new double[n];
        double[,] covariance = Covariance(set, n), vectors = new double[n, n];
        Diagonalize(covariance, vectors);
        for (int r = 0; r < n; r++)
        {
            _deviations[r] = Math.Sqrt(Math.Max(covariance[r, r], 0));
            double deviation = Math.Max(_deviations[r], Floor);
            for (int e = 0; e < n; e++)
            {
                _rows[(r * n) + e] = (float)(vectors[e, r] / deviation);
            }
        }
    }

    /// <inheritdoc/>
    public int Length => _n;

    /// <summary>The deviation that a direction had, of elements whose own is 1.</summary>
    public double Deviation(int direction) => _deviations[direction];

    /// <inheritdoc/>
    public void Apply(ReadOnlySpan<float> x, Span<float> y)
    {
        for (int r = 0; r < _n; r++)
        {
            float sum = 0;
            for (int e = 0; e < _n; e++)
            {
                sum += _rows[(r * _n) + e] * x[e];
            }

            y[r] = sum;
        }
    }

    private static double[,] Covariance(ReadOnlySpan<float> set, int n)
    {
        int count = set.Length / n;
        double[] mean = new double[n];
        for (int at = 0; at < set.Length; at++)
        {
            mean[at % n] += (double)set[at] / count;
        }

        double[,] covariance = new double[n, n];
        for (int at = 0; at < set.Length; at += n)
        {
            for (int i = 0; i < n; i++)
            {
                for (int j = 0; j <= i; j++)
                {
                    covariance[i, j] += (set[at + i] - mean[i]) * (set[at + j] - mean[j]) / count;
                }
            }
        }

        for (int i = 0; i < n; i++)
        {
            for (int j = i + 1; j < n; j++)
            {
                covariance[i, j] = covariance[j, i];
            }
        }

        return covariance;
    }

    // Cyclic Jacobi rotations (Golub and Van Loan, 8.5): a becomes diagonal, the columns of v its eigenvectors.
    private static void Diagonalize(double[,] a, double[,] v)
    {
        int n = v.GetLength(0);
        double all = 0;
        for (int i = 0; i < n; i++)
        {
            v[i, i] = 1;
            for (int j = 0; j < n; j++)
            {
                all += a[i, j] * a[i, j];
            }
        }

        for (int sweep = 0; sweep < Sweeps; sweep++)
        {
            double off = 0;
            for (int p = 0; p < n; p++)
            {
                for (int q = p + 1; q < n; q++)
                {
                    off += a[p, q] * a[p, q];
                    Rotate(a, v, n, p, q);
                }
            }

            if (off <= 1e-24 * all)
            {
                return;
            }
        }
    }

    private static void Rotate(double[,] a, double[,] v, int n, int p, int q)
    {
        if (a[p, q] == 0)
        {
            return;
        }

        double half = (a[q, q] - a[p, p]) / (2 * a[p, q]);
        double t = (half >= 0 ? 1 : -1) / (Math.Abs(half) + Math.Sqrt((half * half) + 1)), c = 1 / Math.Sqrt((t * t) + 1), s = t * c;
        for (int k = 0; k < n; k++)
        {
            (a[k, p], a[k, q]) = ((c * a[k, p]) - (s * a[k, q]), (s * a[k, p]) + (c * a[k, q]));
        }

        for (int k = 0; k < n; k++)
        {
            (a[p, k], a[q, k]) = ((c * a[p, k]) - (s * a[q, k]), (s * a[p, k]) + (c * a[q, k]));
            (v[k, p], v[k, q]) = ((c * v[k, p]) - (s * v[k, q]), (s * v[k, p]) + (c * v[k, q]));
        }
    }
}
