using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Robotics.Learning.Dense;

/// <summary>A matrix as it lies in memory: where it starts and how far apart rows and columns are, in numbers. Turning the two
/// strides around is the transposed matrix.</summary>
internal readonly unsafe struct View(float* start, nint row, nint column)
{
    public readonly float* Start = start;
    public readonly nint Row = row;
    public readonly nint Column = column;

    /// <summary>The transposed matrix.</summary>
    public View Transposed => new(Start, Column, Row);

    /// <summary>A batch of rows.</summary>
    public static View Of(Matrix matrix) => new(matrix.Pointer, matrix.Stride, 1);
}

/// <summary>Matrix products in float32, one thread, without allocating.</summary>
/// <remarks>
/// The right matrix is copied into panels of 32 columns, one row of a panel after the other; a tile of 8 x 32 results then lives in
/// sixteen 512-bit registers while the common dimension runs past. Every result is the sum over the common dimension in order, with
/// fused multiply-adds, on the 512-bit path as on the 256-bit one: the two give the same bits.
/// The left matrix is read where it lies, up to the next multiple of 8 rows: see <see cref="Matrix"/>.
/// </remarks>
internal static unsafe class Gemm
{
    /// <summary>Rows of a tile.</summary>
    public const int TileRows = 8;

    private const int Wide = 32, Narrow = 16;

    [ThreadStatic]
    private static AlignedArray? t_panels;

    [ThreadStatic]
    private static AlignedArray? t_edge;

    /// <summary>True: 512-bit registers; tests turn it off to see the other path.</summary>
    public static bool Use512 { get; set; } = Vector512.IsHardwareAccelerated;

    /// <summary>C = A·B + bias.</summary>
    /// <param name="a">[m, k].</param>
    /// <param name="b">[k, n].</param>
    /// <param name="c">[m, n], rows <paramref name="stride"/> apart.</param>
    /// <param name="stride">Numbers from one row of c to the next.</param>
    /// <param name="m">Rows of the result.</param>
    /// <param name="n">Columns of the result.</param>
    /// <param name="k">Common dimension.</param>
    /// <param name="bias">[n], added to every row; null: none.</param>
    public static void Multiply(View a, View b, float* c, nint stride, int m, int n, int k, float* bias = null)
    {
        if (t_panels is null || t_panels.Length < k * Wide)
        {
            t_panels = new AlignedArray(k * Wide);
        }

        t_edge ??= new AlignedArray((TileRows + 1) * Wide);
        float* panel = t_panels.Pointer, edge = t_edge.Pointer, edgeBias = edge + (TileRows * Wide);
        for (int j = 0; j < n; j += Wide)
        {
            int columns = Math.Min(Wide, n - j), width = columns <= Narrow ? Narrow : Wide;
            Pack(new View(b.Start + (j * b.Column), b.Row, b.Column), panel, columns, width, k);
            for (int x = 0; x < width; x++)
            {
                edgeBias[x] = bias is null || x >= columns ? 0 : bias[j + x];
            }

            for (int i = 0; i < m; i += TileRows)
            {
                int rows = Math.Min(TileRows, m - i);
                bool whole = columns == width && rows == TileRows;
                float* into = whole ? c + (i * stride) + j : edge;
                nint apart = whole ? stride : Wide;
                float* left = a.Start + (i * a.Row);
                if (!Use512)
                {
                    for (int x = 0; x < width; x += Narrow)
                    {
                        Tile256(left, a.Row, a.Column, panel + x, width, k, into + x, apart, edgeBias + x);
                        Tile256(left + (4 * a.Row), a.Row, a.Column, panel + x, width, k, into + (4 * apart) + x, apart, edgeBias + x);
                    }
                }
                else if (width == Wide)
                {
                    Tile512(left, a.Row, a.Column, panel, k, into, apart, edgeBias);
                }
                else
                {
                    Tile512Narrow(left, a.Row, a.Column, panel, k, into, apart, edgeBias);
                }

                for (int y = 0; !whole && y < rows; y++)
                {
                    new ReadOnlySpan<float>(edge + (y * Wide), columns).CopyTo(new Span<float>(c + ((i + y) * stride) + j, columns));
                }
            }
        }
    }

    // [k, columns] to [k, width], zeros beyond the columns.
    private static void Pack(View b, float* panel, int columns, int width, int k)
    {
        if (b.Column == 1)
        {
            for (int p = 0; p < k; p++, panel += width)
            {
                new ReadOnlySpan<float>(b.Start + (p * b.Row), columns).CopyTo(new Span<float>(panel, columns));
                new Span<float>(panel + columns, width - columns).Clear();
            }

            return;
        }

        // A transposed matrix: read 16 numbers of a row before going to the next, which is where the cache lines lie.
        new Span<float>(panel, k * width).Clear();
        for (int block = 0; block < k; block += 16)
        {
            int end = Math.Min(block + 16, k);
            for (int x = 0; x < columns; x++)
            {
                float* from = b.Start + (x * b.Column);
                for (int p = block; p < end; p++)
                {
                    panel[(p * width) + x] = from[p * b.Row];
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile512(float* a, nint row, nint step, float* b, int k, float* c, nint stride, float* bias)
    {
        Vector512<float> c00 = Vector512.LoadAligned(bias), c01 = Vector512.LoadAligned(bias + 16);
        Vector512<float> c10 = c00, c11 = c01, c20 = c00, c21 = c01, c30 = c00, c31 = c01;
        Vector512<float> c40 = c00, c41 = c01, c50 = c00, c51 = c01, c60 = c00, c61 = c01, c70 = c00, c71 = c01;
        float* a4 = a + (4 * row);
        nint row2 = 2 * row, row3 = 3 * row;
        for (; k > 0; k--, a += step, a4 += step, b += Wide)
        {
            Vector512<float> b0 = Vector512.LoadAligned(b), b1 = Vector512.LoadAligned(b + 16);
            var x = Vector512.Create(a[0]);
            c00 = Vector512.FusedMultiplyAdd(x, b0, c00);
            c01 = Vector512.FusedMultiplyAdd(x, b1, c01);
            x = Vector512.Create(a[row]);
            c10 = Vector512.FusedMultiplyAdd(x, b0, c10);
            c11 = Vector512.FusedMultiplyAdd(x, b1, c11);
            x = Vector512.Create(a[row2]);
            c20 = Vector512.FusedMultiplyAdd(x, b0, c20);
            c21 = Vector512.FusedMultiplyAdd(x, b1, c21);
            x = Vector512.Create(a[row3]);
            c30 = Vector512.FusedMultiplyAdd(x, b0, c30);
            c31 = Vector512.FusedMultiplyAdd(x, b1, c31);
            x = Vector512.Create(a4[0]);
            c40 = Vector512.FusedMultiplyAdd(x, b0, c40);
            c41 = Vector512.FusedMultiplyAdd(x, b1, c41);
            x = Vector512.Create(a4[row]);
            c50 = Vector512.FusedMultiplyAdd(x, b0, c50);
            c51 = Vector512.FusedMultiplyAdd(x, b1, c51);
            x = Vector512.Create(a4[row2]);
            c60 = Vector512.FusedMultiplyAdd(x, b0, c60);
            c61 = Vector512.FusedMultiplyAdd(x, b1, c61);
            x = Vector512.Create(a4[row3]);
            c70 = Vector512.FusedMultiplyAdd(x, b0, c70);
            c71 = Vector512.FusedMultiplyAdd(x, b1, c71);
        }

        Store(c, c00, c01);
        Store(c + stride, c10, c11);
        Store(c + (2 * stride), c20, c21);
        Store(c + (3 * stride), c30, c31);
        Store(c + (4 * stride), c40, c41);
        Store(c + (5 * stride), c50, c51);
        Store(c + (6 * stride), c60, c61);
        Store(c + (7 * stride), c70, c71);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(float* c, Vector512<float> left, Vector512<float> right)
    {
        left.Store(c);
        right.Store(c + 16);
    }

    // The last 16 columns or fewer: heads of networks.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile512Narrow(float* a, nint row, nint step, float* b, int k, float* c, nint stride, float* bias)
    {
        Vector512<float> c0 = Vector512.LoadAligned(bias), c1 = c0, c2 = c0, c3 = c0, c4 = c0, c5 = c0, c6 = c0, c7 = c0;
        float* a4 = a + (4 * row);
        nint row2 = 2 * row, row3 = 3 * row;
        for (; k > 0; k--, a += step, a4 += step, b += Narrow)
        {
            var b0 = Vector512.LoadAligned(b);
            c0 = Vector512.FusedMultiplyAdd(Vector512.Create(a[0]), b0, c0);
            c1 = Vector512.FusedMultiplyAdd(Vector512.Create(a[row]), b0, c1);
            c2 = Vector512.FusedMultiplyAdd(Vector512.Create(a[row2]), b0, c2);
            c3 = Vector512.FusedMultiplyAdd(Vector512.Create(a[row3]), b0, c3);
            c4 = Vector512.FusedMultiplyAdd(Vector512.Create(a4[0]), b0, c4);
            c5 = Vector512.FusedMultiplyAdd(Vector512.Create(a4[row]), b0, c5);
            c6 = Vector512.FusedMultiplyAdd(Vector512.Create(a4[row2]), b0, c6);
            c7 = Vector512.FusedMultiplyAdd(Vector512.Create(a4[row3]), b0, c7);
        }

        c0.Store(c);
        c1.Store(c + stride);
        c2.Store(c + (2 * stride));
        c3.Store(c + (3 * stride));
        c4.Store(c + (4 * stride));
        c5.Store(c + (5 * stride));
        c6.Store(c + (6 * stride));
        c7.Store(c + (7 * stride));
    }

    // Four rows, sixteen columns of a panel: what fits into sixteen 256-bit registers.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile256(float* a, nint row, nint step, float* b, int width, int k, float* c, nint stride, float* bias)
    {
        Vector256<float> c00 = Vector256.LoadAligned(bias), c01 = Vector256.LoadAligned(bias + 8);
        Vector256<float> c10 = c00, c11 = c01, c20 = c00, c21 = c01, c30 = c00, c31 = c01;
        nint row2 = 2 * row, row3 = 3 * row;
        for (; k > 0; k--, a += step, b += width)
        {
            Vector256<float> b0 = Vector256.LoadAligned(b), b1 = Vector256.LoadAligned(b + 8);
            var x = Vector256.Create(a[0]);
            c00 = Vector256.FusedMultiplyAdd(x, b0, c00);
            c01 = Vector256.FusedMultiplyAdd(x, b1, c01);
            x = Vector256.Create(a[row]);
            c10 = Vector256.FusedMultiplyAdd(x, b0, c10);
            c11 = Vector256.FusedMultiplyAdd(x, b1, c11);
            x = Vector256.Create(a[row2]);
            c20 = Vector256.FusedMultiplyAdd(x, b0, c20);
            c21 = Vector256.FusedMultiplyAdd(x, b1, c21);
            x = Vector256.Create(a[row3]);
            c30 = Vector256.FusedMultiplyAdd(x, b0, c30);
            c31 = Vector256.FusedMultiplyAdd(x, b1, c31);
        }

        Store(c, c00, c01);
        Store(c + stride, c10, c11);
        Store(c + (2 * stride), c20, c21);
        Store(c + (3 * stride), c30, c31);

        static void Store(float* c, Vector256<float> left, Vector256<float> right)
        {
            left.Store(c);
            right.Store(c + 8);
        }
    }
}
