using System.Numerics;
using System.Runtime.InteropServices;
using Robotics.Numerics;

namespace Robotics.Learning.Dense;

/// <summary>Which numbers of a network a pass uses.</summary>
internal enum Weights
{
    /// <summary>Those that are trained.</summary>
    Trained,

    /// <summary>Their slow copy.</summary>
    Target,
}

/// <summary>One or several fully connected networks of the same sizes (an ensemble), trained by hand-written gradients.</summary>
/// <remarks>
/// All numbers of all copies lie in one flat buffer, gradients and both of Adam's memories in three more, and the slow copy in a
/// fifth, so that an optimiser step is one walk over memory. The way back overwrites gradients, it does not add to them.
/// Checked against autograd in the tests. Not thread-safe.
/// <para>Source: Kingma and Ba 2015 (arXiv:1412.6980) for Adam, with PyTorch's order of operations.</para>
/// </remarks>
internal sealed unsafe class Mlp
{
    private readonly AlignedArray _values;
    private readonly AlignedArray _gradient;
    private readonly AlignedArray _first;
    private readonly AlignedArray _second;
    private readonly AlignedArray? _target;
    private long _steps;

    /// <summary>Draws the numbers as PyTorch does: uniform in ± 1/√in. Norms start as ones and zeros, free numbers at zero.</summary>
    /// <param name="spec">Sizes.</param>
    /// <param name="copies">Networks in the ensemble.</param>
    /// <param name="random">Draws.</param>
    /// <param name="target">True: a slow copy is kept, equal at first.</param>
    public Mlp(MlpSpec spec, int copies, SeededRandom random, bool target = false)
    {
        (Spec, Copies) = (spec, copies);
        int all = copies * spec.Count;
        (_values, _gradient, _first, _second) = (new(all), new(all), new(all), new(all));
        for (int copy = 0; copy < copies; copy++)
        {
            for (int l = 0; l < spec.Layers; l++)
            {
                float bound = 1 / MathF.Sqrt(spec.In(l));
                foreach (ref float value in Layer(_values, copy, l, 0, spec.In(l) + 1))
                {
                    value = (float)random.NextDouble(-bound, bound);
                }

                if (spec.Normed(l))
                {
                    Layer(_values, copy, l, spec.In(l) + 1, 1).Fill(1);
                }
            }
        }

        if (target)
        {
            _target = new(all);
            _values.Span.CopyTo(_target.Span);
        }
    }

    /// <summary>Sizes.</summary>
    public MlpSpec Spec { get; }

    /// <summary>Networks in the ensemble.</summary>
    public int Copies { get; }

    /// <summary>[Copies, Spec.Count], all numbers.</summary>
    public Span<float> Values => _values.Span;

    /// <summary>[Copies, Spec.Count], of the last way back.</summary>
    public Span<float> Gradient => _gradient.Span;

    /// <summary>[Free] of one copy.</summary>
    public Span<float> Free(int copy = 0, Weights weights = Weights.Trained) =>
        (weights == Weights.Trained ? _values : _target!).Span.Slice(((copy + 1) * Spec.Count) - Spec.Free, Spec.Free);

    /// <summary>[Free] of one copy: whoever uses them writes their gradient.</summary>
    public Span<float> FreeGradient(int copy = 0) => Gradient.Slice(((copy + 1) * Spec.Count) - Spec.Free, Spec.Free);

    /// <summary>[in, out] of one layer, and its bias.</summary>
    public (float[] Weight, float[] Bias) LayerValues(int copy, int layer) =>
        ([.. Layer(_values, copy, layer, 0, Spec.In(layer))], [.. Layer(_values, copy, layer, Spec.In(layer), 1)]);

    /// <summary>Gain and bias of a layer's norm.</summary>
    public (float[] Gain, float[] Bias) NormValues(int copy, int layer) =>
        ([.. Layer(_values, copy, layer, Spec.In(layer) + 1, 1)], [.. Layer(_values, copy, layer, Spec.In(layer) + 2, 1)]);

    /// <summary>Replaces one layer's weights by an orthogonal matrix times a gain, and its bias by zeros, in every copy.</summary>
    public void MakeOrthogonal(int layer, double gain, SeededRandom random)
    {
        for (int copy = 0; copy < Copies; copy++)
        {
            var weights = Layer(_values, copy, layer, 0, Spec.In(layer));
            Orthogonal.Fill(weights, Spec.In(layer), Spec.Out(layer), gain, random);
            Layer(_values, copy, layer, Spec.In(layer), 1).Clear();
        }

        if (_target is not null)
        {
            CatchUp();
        }
    }

    /// <summary>Orthogonal layers throughout: hidden ones times √2, the last times <paramref name="head"/>, biases zero.</summary>
    public void MakeOrthogonal(SeededRandom random, double head)
    {
        for (int l = 0; l < Spec.Layers; l++)
        {
            MakeOrthogonal(l, l == Spec.Layers - 1 ? head : Math.Sqrt(2), random);
        }
    }

    /// <summary>The slow copy becomes what the trained numbers are now.</summary>
    public void CatchUp() => _values.Span.CopyTo(_target!.Span);

    /// <summary>From <see cref="MlpPass.Input"/> to <see cref="MlpPass.Output"/>.</summary>
    public void Forward(MlpPass pass, int rows, int copy = 0, Weights weights = Weights.Trained)
    {
        var source = weights == Weights.Trained ? _values : _target!;
        for (int l = 0; l < Spec.Layers; l++)
        {
            Matrix x = pass.Values[l], y = pass.Values[l + 1];
            float* at = Pointer(source, copy, l);
            Gemm.Multiply(View.Of(x), new View(at, Spec.Out(l), 1), y.Pointer, y.Stride, rows, Spec.Out(l), Spec.In(l), at + ((nint)Spec.In(l) * Spec.Out(l)));
            if (Spec.Normed(l))
            {
                Elementwise.Normalize(y, rows, Layer(source, copy, l, Spec.In(l) + 1, 1), Layer(source, copy, l, Spec.In(l) + 2, 1), pass.Normal[l]!, pass.Inverse[l]);
            }

            if (l < Spec.Layers - 1)
            {
                Elementwise.Activate(Spec.Activation, y, rows);
            }
        }

        GC.KeepAlive(source);
    }

    /// <summary>From <see cref="MlpPass.OutputGradient"/> back through the trained numbers.</summary>
    /// <param name="pass">What the way forward left.</param>
    /// <param name="rows">As on the way forward.</param>
    /// <param name="copy">As on the way forward.</param>
    /// <param name="weights">True: write this copy's part of <see cref="Gradient"/> (free numbers excepted).</param>
    /// <param name="inputs">True: write <see cref="MlpPass.InputGradient"/>.</param>
    public void Backward(MlpPass pass, int rows, int copy = 0, bool weights = true, bool inputs = false)
    {
        for (int l = Spec.Layers - 1; l >= 0; l--)
        {
            Matrix x = pass.Values[l], g = pass.Gradients[l + 1];
            int from = Spec.In(l), to = Spec.Out(l);
            if (l < Spec.Layers - 1)
            {
                Elementwise.Deactivate(Spec.Activation, pass.Values[l + 1], g, rows);
            }

            if (Spec.Normed(l))
            {
                Elementwise.Denormalize(
                    g, rows, Layer(_values, copy, l, from + 1, 1), pass.Normal[l]!, pass.Inverse[l], Layer(_gradient, copy, l, from + 1, 1), Layer(_gradient, copy, l, from + 2, 1));
            }

            if (weights)
            {
                Gemm.Multiply(View.Of(x).Transposed, View.Of(g), Pointer(_gradient, copy, l), to, from, to, rows);
                Elementwise.ColumnSums(g, rows, Layer(_gradient, copy, l, from, 1));
            }

            if (l > 0 || inputs)
            {
                var back = pass.Gradients[l];
                Gemm.Multiply(View.Of(g), new View(Pointer(_values, copy, l), 1, to), back.Pointer, back.Stride, rows, from, to);
            }
        }

        GC.KeepAlive(this);
    }

    /// <summary>Sum of squared gradients: for clipping over several networks.</summary>
    public double SquaredNorm()
    {
        double sum = 0;
        foreach (float g in Gradient)
        {
            sum += (double)g * g;
        }

        return sum;
    }

    /// <summary>One step of Adam, and of the slow copy behind it.</summary>
    /// <param name="rate">Learning rate.</param>
    /// <param name="follow">Share of the way that the slow copy goes towards the new numbers.</param>
    /// <param name="scale">Multiplies the gradient first (clipping).</param>
    /// <param name="epsilon">Adam's.</param>
    public void Step(double rate, double follow = 0, double scale = 1, double epsilon = 1e-8)
    {
        const float keep1 = 0.9f, keep2 = 0.999f;
        _steps++;
        float size = (float)(rate / (1 - Math.Pow(0.9, _steps))), root = (float)(1 / Math.Sqrt(1 - Math.Pow(0.999, _steps)));
        Vector<float> k1 = new(keep1), n1 = new(1 - keep1), k2 = new(keep2), n2 = new(1 - keep2);
        Vector<float> step = new(size), unbias = new(root), eps = new((float)epsilon), grow = new((float)scale), tau = new((float)follow);
        float* p = _values.Pointer, g = _gradient.Pointer, m = _first.Pointer, v = _second.Pointer, t = _target is null ? null : _target.Pointer;
        for (int i = 0; i < _values.Length; i += Vector<float>.Count)
        {
            // The last vector may reach past the end: the buffers have a line to spare there.
            var slope = Vector.Load(g + i) * grow;
            var first = (Vector.Load(m + i) * k1) + (slope * n1);
            var second = (Vector.Load(v + i) * k2) + (slope * slope * n2);
            var value = Vector.Load(p + i) - (step * first / ((Vector.SquareRoot(second) * unbias) + eps));
            first.Store(m + i);
            second.Store(v + i);
            value.Store(p + i);
            if (t is not null)
            {
                var slow = Vector.Load(t + i);
                (slow + (tau * (value - slow))).Store(t + i);
            }
        }

        GC.KeepAlive(this);
    }

    /// <summary>Everything that training goes on from.</summary>
    public void Write(BinaryWriter writer)
    {
        writer.Write(_steps);
        foreach (var part in Parts())
        {
            writer.Write(MemoryMarshal.AsBytes(part.Span));
        }
    }

    /// <summary>What <see cref="Write"/> wrote.</summary>
    /// <exception cref="EndOfStreamException">There is less of it.</exception>
    public void Read(BinaryReader reader)
    {
        _steps = reader.ReadInt64();
        foreach (var part in Parts())
        {
            reader.BaseStream.ReadExactly(MemoryMarshal.AsBytes(part.Span));
        }
    }

    private AlignedArray[] Parts() => _target is null ? [_values, _first, _second] : [_values, _first, _second, _target];

    // A layer's rows of length out: weights [in, out], bias, gain and bias of the norm.
    private Span<float> Layer(AlignedArray source, int copy, int layer, int row, int rows) =>
        source.Span.Slice((copy * Spec.Count) + Spec.Start(layer) + (row * Spec.Out(layer)), rows * Spec.Out(layer));

    private float* Pointer(AlignedArray source, int copy, int layer) => source.Pointer + ((nint)copy * Spec.Count) + Spec.Start(layer);
}
