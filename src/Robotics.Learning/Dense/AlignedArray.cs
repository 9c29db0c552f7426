using System.Runtime.CompilerServices;

namespace Robotics.Learning.Dense;

/// <summary>float32 numbers that begin on a 64-byte line and never move, so that vector code may hold pointers to them.</summary>
/// <remarks>Whoever keeps a pointer keeps the array: the memory goes back with it.</remarks>
internal sealed unsafe class AlignedArray
{
    private const int Line = 64;

    private readonly float[] _memory; // pinned: its address is fixed

    /// <summary>Zeros, with a line to spare behind the last.</summary>
    public AlignedArray(int length)
    {
        _memory = GC.AllocateArray<float>(length + (2 * Line / sizeof(float)), pinned: true);
        nint start = (nint)Unsafe.AsPointer(ref _memory[0]);
        Pointer = (float*)((start + Line - 1) & ~(nint)(Line - 1));
        Length = length;
    }

    /// <summary>The first number.</summary>
    public float* Pointer { get; }

    /// <summary>How many.</summary>
    public int Length { get; }

    /// <summary>All of them.</summary>
    public Span<float> Span => new(Pointer, Length);
}

/// <summary>A batch of rows. Rows lie an odd number of cache lines apart, so that a walk down a column does not fall into the same few
/// cache sets, and there is room for whole tiles below the last row.</summary>
internal sealed unsafe class Matrix
{
    private readonly AlignedArray _values;

    /// <summary>Zeros.</summary>
    public Matrix(int rows, int columns)
    {
        const int line = 16;
        int lines = (columns + line - 1) / line;
        (Rows, Columns, Stride) = (rows, columns, line * (lines | 1));
        _values = new AlignedArray((rows + Gemm.TileRows - 1) / Gemm.TileRows * Gemm.TileRows * Stride);
    }

    /// <summary>Most rows that are used.</summary>
    public int Rows { get; }

    /// <summary>Numbers of a row that are used.</summary>
    public int Columns { get; }

    /// <summary>Numbers from one row to the next.</summary>
    public int Stride { get; }

    /// <summary>The first number.</summary>
    public float* Pointer => _values.Pointer;

    /// <summary>One row, without its padding.</summary>
    public Span<float> this[int row] => new(_values.Pointer + ((nint)row * Stride), Columns);

    /// <summary>Rows end to end, without padding: how they are kept outside.</summary>
    public void Fill(ReadOnlySpan<float> rows)
    {
        for (int i = 0; i * Columns < rows.Length; i++)
        {
            rows.Slice(i * Columns, Columns).CopyTo(this[i]);
        }
    }
}
