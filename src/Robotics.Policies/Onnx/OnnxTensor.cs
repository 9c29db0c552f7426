using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;

namespace Robotics.Policies.Onnx;

/// <summary>An array that lives as long as the policy, and ONNX Runtime's view of it. Floats outside, the graph's type inside.</summary>
internal sealed class OnnxTensor : IDisposable
{
    private readonly float[] _floats = [];
    private readonly Float16[] _halves = []; // ONNX Runtime's name for the bits of System.Half
    private readonly long[] _longs = [];

    /// <summary>Allocates zeros.</summary>
    /// <param name="dtype"><c>float32</c>, <c>float16</c> or <c>int64</c>.</param>
    /// <param name="shape">All dimensions fixed.</param>
    public OnnxTensor(string dtype, long[] shape)
        : this(dtype, shape, Count(shape), null)
    {
    }

    private OnnxTensor(string dtype, long[] shape, int length, OnnxTensor? shared)
    {
        (Dtype, Shape, Length) = (dtype, shape, length);
        switch (dtype)
        {
            case "float32":
                _floats = shared?._floats ?? GC.AllocateArray<float>(length, pinned: true);
                Value = OrtValue.CreateTensorValueFromMemory(_floats, shape);
                break;
            case "float16":
                _halves = shared?._halves ?? GC.AllocateArray<Float16>(length, pinned: true);
                Value = OrtValue.CreateTensorValueFromMemory(_halves, shape);
                break;
            case "int64":
                _longs = shared?._longs ?? GC.AllocateArray<long>(length, pinned: true);
                Value = OrtValue.CreateTensorValueFromMemory(_longs, shape);
                break;
            default:
                throw new ArgumentException($"{dtype} has no tensor", nameof(dtype));
        }
    }

    /// <summary>Element type.</summary>
    public string Dtype { get; }

    /// <summary>Dimensions, all fixed.</summary>
    public long[] Shape { get; }

    /// <summary>Number of elements.</summary>
    public int Length { get; }

    /// <summary>The runtime's view.</summary>
    public OrtValue Value { get; }

    /// <summary>False when any element is NaN or infinite.</summary>
    public bool IsFinite => AllFinite(_floats) && AllFinite(Halves);

    private Span<Half> Halves => MemoryMarshal.Cast<Float16, Half>(_halves.AsSpan());

    /// <summary>Product of the dimensions.</summary>
    public static int Count(ReadOnlySpan<long> shape)
    {
        long count = 1;
        foreach (long dimension in shape)
        {
            count = checked(count * dimension);
        }

        return checked((int)count);
    }

    /// <summary>False when any value is NaN or infinite.</summary>
    public static bool AllFinite(ReadOnlySpan<float> values)
    {
        foreach (float value in values)
        {
            if (!float.IsFinite(value))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>The same elements seen with another shape of the same size.</summary>
    public OnnxTensor Reshaped(long[] shape) => new(Dtype, shape, Length, this);

    /// <summary>Sets every element from floats; int64 rounds to nearest, float16 beyond its range becomes infinite.</summary>
    public void Write(ReadOnlySpan<float> values)
    {
        switch (Dtype)
        {
            case "float32":
                values.CopyTo(_floats);
                break;
            case "float16":
                var halves = Halves;
                for (int i = 0; i < halves.Length; i++)
                {
                    halves[i] = (Half)values[i];
                }

                break;
            default:
                for (int i = 0; i < _longs.Length; i++)
                {
                    _longs[i] = (long)MathF.Round(values[i]);
                }

                break;
        }
    }

    /// <summary>Every element as a float.</summary>
    public void Read(Span<float> values)
    {
        switch (Dtype)
        {
            case "float32":
                _floats.CopyTo(values);
                break;
            case "float16":
                var halves = Halves;
                for (int i = 0; i < halves.Length; i++)
                {
                    values[i] = (float)halves[i];
                }

                break;
            default:
                for (int i = 0; i < _longs.Length; i++)
                {
                    values[i] = _longs[i];
                }

                break;
        }
    }

    /// <summary>Sets every element to one value.</summary>
    public void Fill(double value)
    {
        _floats.AsSpan().Fill((float)value);
        Halves.Fill((Half)value);
        _longs.AsSpan().Fill((long)Math.Round(value));
    }

    /// <summary>Copies elements of the same type and number.</summary>
    public void CopyFrom(OnnxTensor other)
    {
        other._floats.CopyTo(_floats, 0);
        other._halves.CopyTo(_halves, 0);
        other._longs.CopyTo(_longs, 0);
    }

    /// <inheritdoc/>
    public void Dispose() => Value.Dispose();

    private static bool AllFinite(ReadOnlySpan<Half> values)
    {
        foreach (Half value in values)
        {
            if (!Half.IsFinite(value))
            {
                return false;
            }
        }

        return true;
    }
}
