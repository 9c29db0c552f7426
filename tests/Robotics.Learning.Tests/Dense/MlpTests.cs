using Robotics.Learning.Dense;
using Robotics.Numerics;
using static TorchSharp.torch;

namespace Robotics.Learning.Tests.Dense;

/// <summary>The hand-written network against libtorch's autograd, on both register widths.</summary>
public sealed class MlpTests : IDisposable
{
    private readonly bool _wide = Gemm.Use512;

    public static TheoryData<int, int, int> Sizes => new()
    {
        { 1, 1, 1 },        // one tile, nearly all of it edge
        { 8, 32, 16 },      // exactly one tile
        { 13, 33, 5 },      // a second panel of one column
        { 64, 48, 23 },     // a wide and a narrow panel
        { 50, 300, 256 },
    };

    [Theory]
    [MemberData(nameof(Sizes))]
    public unsafe void Multiply_OfEveryLayout_IsTheSumOfProducts(int m, int n, int k)
    {
        float[] a = Graphs.Normal(1, m * k), b = Graphs.Normal(2, k * n), bias = Graphs.Normal(3, n);
        foreach (bool wide in new[] { _wide, false })
        {
            Gemm.Use512 = wide;
            Matrix left = new(m, k), right = new(k, n), turnedLeft = new(k, m), turnedRight = new(n, k), c = new(m, n);
            left.Fill(a);
            right.Fill(b);
            Turn(left, turnedLeft);
            Turn(right, turnedRight);
            fixed (float* offset = bias)
            {
                Gemm.Multiply(View.Of(left), View.Of(right), c.Pointer, c.Stride, m, n, k, offset);
            }

            Check((i, j) => c[i][j], j => bias[j]);
            Gemm.Multiply(View.Of(turnedLeft).Transposed, View.Of(right), c.Pointer, c.Stride, m, n, k);
            Check((i, j) => c[i][j], _ => 0);
            Gemm.Multiply(View.Of(left), View.Of(turnedRight).Transposed, c.Pointer, c.Stride, m, n, k);
            Check((i, j) => c[i][j], _ => 0);
        }

        void Check(Func<int, int, float> actual, Func<int, float> offset)
        {
            for (int i = 0; i < m; i++)
            {
                for (int j = 0; j < n; j++)
                {
                    double expected = offset(j) + Enumerable.Range(0, k).Sum(p => (double)a[(i * k) + p] * b[(p * n) + j]);
                    Assert.Equal(expected, actual(i, j), 1e-4);
                }
            }
        }

        static void Turn(Matrix from, Matrix into)
        {
            for (int i = 0; i < from.Rows; i++)
            {
                for (int j = 0; j < from.Columns; j++)
                {
                    into[j][i] = from[i][j];
                }
            }
        }
    }

    [Theory]
    [InlineData("relu", false)]
    [InlineData("tanh", false)]
    [InlineData("relu", true)]
    public void Backward_MatchesAutograd(string activation, bool norm)
    {
        const int rows = 37;
        var spec = new MlpSpec(11, [64, 48], 3, activation == "relu" ? HiddenActivation.Relu : HiddenActivation.Tanh, norm);
        float[] input = Graphs.Normal(4, rows * 11), weight = Graphs.Normal(5, rows * 3);
        foreach (bool wide in new[] { _wide, false })
        {
            Gemm.Use512 = wide;
            var mlp = new Mlp(spec, copies: 2, new SeededRandom(6));
            Graphs.Normal(7, mlp.Values.Length, 0.05).Select((x, i) => (x, i)).ToList().ForEach(p => mlp.Values[p.i] += p.x); // gains away from 1
            var pass = new MlpPass(spec, 40);
            pass.Input.Fill(input);
            mlp.Forward(pass, rows, copy: 1);
            pass.OutputGradient.Fill(weight);
            mlp.Backward(pass, rows, copy: 1, inputs: true);

            using var scope = NewDisposeScope();
            var flat = tensor(mlp.Values[spec.Count..].ToArray()).requires_grad_();
            var x = tensor(input, rows, 11).requires_grad_();
            var y = Reference(spec, flat, x);
            (y * tensor(weight, rows, 3)).sum().backward();
            Close(Graphs.Floats(y), Rows(pass.Output, rows));
            Close(Graphs.Floats(x.grad!), Rows(pass.InputGradient, rows));
            Close(Graphs.Floats(flat.grad!), mlp.Gradient[spec.Count..].ToArray());
            Assert.All(mlp.Gradient[..spec.Count].ToArray(), g => Assert.Equal(0, g)); // the other copy is left alone
        }
    }

    [Fact]
    public void Step_MatchesTorchsAdamAndPolyak()
    {
        var spec = new MlpSpec(5, [7], 2);
        var mlp = new Mlp(spec, 1, new SeededRandom(1), target: true);
        using var scope = NewDisposeScope();
        var theirs = new TorchSharp.Modules.Parameter(tensor(mlp.Values.ToArray()));
        var slow = tensor(mlp.Values.ToArray());
        using var adam = optim.Adam([theirs], 1e-3);
        for (int i = 0; i < 20; i++)
        {
            float[] gradient = Graphs.Normal((ulong)i, spec.Count);
            gradient.CopyTo(mlp.Gradient);
            mlp.Step(1e-3, follow: 0.1);
            theirs.grad = tensor(gradient);
            adam.step();
            using var _ = no_grad();
            slow.mul_(0.9).add_(theirs * 0.1);
        }

        Close(Graphs.Floats(theirs), mlp.Values.ToArray());
        var pass = new MlpPass(spec, 3);
        pass.Input.Fill(Graphs.Normal(9, 15));
        mlp.Forward(pass, 3, weights: Weights.Target);
        Close(Graphs.Floats(Reference(spec, slow, tensor(Graphs.Normal(9, 15), 3, 5))), Rows(pass.Output, 3));
    }

    [Theory]
    [InlineData(4, 9)]
    [InlineData(9, 4)]
    [InlineData(16, 16)]
    public void Orthogonal_HasOrthonormalShorterSide(int rows, int columns)
    {
        float[] values = new float[rows * columns];
        Orthogonal.Fill(values, rows, columns, 2, new SeededRandom(3));
        using var scope = NewDisposeScope();
        var m = tensor(values, rows, columns);
        var product = rows <= columns ? m.matmul(m.t()) : m.t().matmul(m);
        Assert.InRange((product - (4 * eye(Math.Min(rows, columns)))).abs().max().item<float>(), 0, 1e-5f);
    }

    [Fact]
    public void Write_ThenRead_GoesOnWithTheSameBytes()
    {
        var spec = new MlpSpec(3, [8], 1, Free: 2);
        Mlp one = new(spec, 2, new SeededRandom(1), target: true), two = new(spec, 2, new SeededRandom(2), target: true);
        Train(one, 5);
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream);
        one.Write(writer);
        stream.Position = 0;
        two.Read(new BinaryReader(stream));
        Train(one, 5);
        Train(two, 5);
        Assert.Equal(one.Values.ToArray(), two.Values.ToArray());

        static void Train(Mlp mlp, int steps)
        {
            for (int i = 0; i < steps; i++)
            {
                Graphs.Normal((ulong)i, mlp.Gradient.Length).CopyTo(mlp.Gradient);
                mlp.Step(1e-2, 0.01);
            }
        }
    }

    public void Dispose() => Gemm.Use512 = _wide;

    private static Tensor Reference(MlpSpec spec, Tensor flat, Tensor x)
    {
        for (int l = 0; l < spec.Layers; l++)
        {
            long at = spec.Start(l), size = spec.In(l) * spec.Out(l), to = spec.Out(l);
            x = x.matmul(flat.narrow(0, at, size).reshape(spec.In(l), to)) + flat.narrow(0, at + size, to);
            x = spec.Normed(l) ? nn.functional.layer_norm(x, [to], flat.narrow(0, at + size + to, to), flat.narrow(0, at + size + (2 * to), to)) : x;
            x = l == spec.Layers - 1 ? x : spec.Activation == HiddenActivation.Relu ? x.relu() : x.tanh();
        }

        return x;
    }

    private static float[] Rows(Matrix matrix, int rows) => [.. Enumerable.Range(0, rows).SelectMany(i => matrix[i].ToArray())];

    private static void Close(float[] expected, float[] actual) =>
        Assert.InRange(Graphs.Difference(expected, actual), 0, 1e-5 * Math.Max(1, expected.Max(Math.Abs)));
}
