using System.Numerics;
using System.Runtime.Intrinsics;

namespace Robotics.Learning.Dense;

/// <summary>What happens to a batch between two matrix products. Rows are worked on up to their padding, which nobody reads.</summary>
internal static unsafe class Elementwise
{
    private const float Epsilon = 1e-5f; // of the layer norm, as in PyTorch

    /// <summary>x becomes its activation.</summary>
    public static void Activate(HiddenActivation activation, Matrix x, int rows)
    {
        float* at = x.Pointer, end = at + ((nint)rows * x.Stride);
        if (activation == HiddenActivation.Relu)
        {
            for (; at < end; at += Vector<float>.Count)
            {
                Vector.Max(Vector.Load(at), Vector<float>.Zero).Store(at);
            }

            return;
        }

        // tanh x = 1 - 2/(1 + e^2x), beyond ±9 it is ±1 in float32.
        for (; at < end; at += Vector256<float>.Count)
        {
            var clamped = Vector256.Min(Vector256.Max(Vector256.Load(at), Vector256.Create(-9f)), Vector256.Create(9f));
            var e = Vector256.Exp(clamped + clamped);
            ((e - Vector256<float>.One) / (e + Vector256<float>.One)).Store(at);
        }
    }

    /// <summary>The gradient of an activation's output becomes that of its input.</summary>
    /// <param name="activation">Which.</param>
    /// <param name="output">What the activation gave.</param>
    /// <param name="gradient">In place.</param>
    /// <param name="rows">Of both.</param>
    public static void Deactivate(HiddenActivation activation, Matrix output, Matrix gradient, int rows)
    {
        float* y = output.Pointer, g = gradient.Pointer, end = g + ((nint)rows * gradient.Stride);
        for (; g < end; g += Vector<float>.Count, y += Vector<float>.Count)
        {
            var value = Vector.Load(y);
            var slope = Vector.Load(g);
            (activation == HiddenActivation.Relu
                ? Vector.ConditionalSelect(Vector.GreaterThan(value, Vector<float>.Zero), slope, Vector<float>.Zero)
                : slope * (Vector<float>.One - (value * value))).Store(g);
        }
    }

    /// <summary>Sums of every column.</summary>
    public static void ColumnSums(Matrix x, int rows, Span<float> sums)
    {
        sums.Clear();
        for (int i = 0; i < rows; i++)
        {
            AddTo(x[i], sums);
        }
    }

    /// <summary>x becomes gain·x̂ + bias with x̂ = (x - mean)/√(variance + epsilon) of its row.</summary>
    public static void Normalize(Matrix x, int rows, ReadOnlySpan<float> gain, ReadOnlySpan<float> bias, Matrix normal, Span<float> inverse)
    {
        for (int i = 0; i < rows; i++)
        {
            Span<float> row = x[i], hat = normal[i];
            float mean = Sum(row) / row.Length;
            for (int j = 0; j < row.Length; j++)
            {
                hat[j] = row[j] - mean;
            }

            inverse[i] = 1 / MathF.Sqrt((Dot(hat, hat) / row.Length) + Epsilon);
            for (int j = 0; j < row.Length; j++)
            {
                hat[j] *= inverse[i];
                row[j] = (gain[j] * hat[j]) + bias[j];
            }
        }
    }

    /// <summary>The gradient of a norm's output becomes that of its input; gain and bias get theirs.</summary>
    public static void Denormalize(Matrix gradient, int rows, ReadOnlySpan<float> gain, Matrix normal, ReadOnlySpan<float> inverse, Span<float> gainGradient, Span<float> biasGradient)
    {
        gainGradient.Clear();
        biasGradient.Clear();
        for (int i = 0; i < rows; i++)
        {
            Span<float> g = gradient[i], hat = normal[i];
            for (int j = 0; j < g.Length; j++)
            {
                gainGradient[j] += g[j] * hat[j];
                biasGradient[j] += g[j];
                g[j] *= gain[j];
            }

            float mean = Sum(g) / g.Length, along = Dot(g, hat) / g.Length;
            for (int j = 0; j < g.Length; j++)
            {
                g[j] = inverse[i] * (g[j] - mean - (hat[j] * along));
            }
        }
    }

    /// <summary>Σ x·y.</summary>
    public static float Dot(ReadOnlySpan<float> x, ReadOnlySpan<float> y)
    {
        var sum = Vector<float>.Zero;
        int i = 0;
        for (; i <= x.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            sum += new Vector<float>(x[i..]) * new Vector<float>(y[i..]);
        }

        float total = Vector.Sum(sum);
        for (; i < x.Length; i++)
        {
            total += x[i] * y[i];
        }

        return total;
    }

    private static float Sum(ReadOnlySpan<float> x)
    {
        var sum = Vector<float>.Zero;
        int i = 0;
        for (; i <= x.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            sum += new Vector<float>(x[i..]);
        }

        float total = Vector.Sum(sum);
        for (; i < x.Length; i++)
        {
            total += x[i];
        }

        return total;
    }

    private static void AddTo(ReadOnlySpan<float> x, Span<float> sums)
    {
        int j = 0;
        for (; j <= x.Length - Vector<float>.Count; j += Vector<float>.Count)
        {
            (new Vector<float>(sums[j..]) + new Vector<float>(x[j..])).CopyTo(sums[j..]);
        }

        for (; j < x.Length; j++)
        {
            sums[j] += x[j];
        }
    }
}
