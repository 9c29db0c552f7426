using Robotics.Numerics;

namespace Robotics.Learning.Dense;

/// <summary>Random matrices whose shorter side is orthonormal: what PPO's networks start from.</summary>
internal static class Orthogonal
{
    /// <summary>Fills [rows, columns], row-major, by orthogonalising Gaussian vectors one after the other.</summary>
    public static void Fill(Span<float> into, int rows, int columns, double gain, SeededRandom random)
    {
        bool wide = rows <= columns;
        int count = Math.Min(rows, columns), length = Math.Max(rows, columns);
        double[][] basis = new double[count][];
        for (int i = 0; i < count; i++)
        {
            double[] vector = [.. Enumerable.Range(0, length).Select(_ => random.NextGaussian())];

            // Twice, because once leaves rounding errors behind in the last vectors of a square matrix.
            for (int j = 0; j < 2 * i; j++)
            {
                double[] other = basis[j % i];
                double along = vector.Zip(other, (a, b) => a * b).Sum();
                for (int k = 0; k < length; k++)
                {
                    vector[k] -= along * other[k];
                }
            }

            double norm = Math.Sqrt(vector.Sum(x => x * x));
            basis[i] = [.. vector.Select(x => x / norm)];
            for (int k = 0; k < length; k++)
            {
                into[wide ? (i * columns) + k : (k * columns) + i] = (float)(gain * basis[i][k]);
            }
        }
    }
}
