using Robotics.Learning.Export;
using Robotics.Learning.Networks;
using static TorchSharp.torch;

namespace Robotics.Learning.Tests.Export;

/// <summary>Every word of the vocabulary, in its three interpretations: TorchSharp forward and autograd are the reference for the
/// tape's rule and for what ONNX Runtime makes of the exported nodes.</summary>
public sealed class OperationTests
{
    private const int B = 3, C = 4, L = 6;

    public static TheoryData<string> All =>
    [
        "linear2", "linear3", "matmul left", "matmul right", "matmul both", "add", "mul", "mul twice", "scale", "shift", "relu", "sigmoid",
        "tanh", "softplus", "erf", "exp", "reciprocal", "sin", "cos", "silu", "mish", "gelu", "normalize", "layer norm", "group norm", "softmax",
        "mean", "transpose", "reshape", "concat", "slice", "pad", "conv", "conv stride", "conv stride odd", "conv transpose", "film",
    ];

    [Theory]
    [MemberData(nameof(All))]
    public void Operation_InEveryInterpretation_Agrees(string name)
    {
        float[] values = Graphs.Normal(1, B * C * L), other = Graphs.Normal(2, B * C * L);
        using var scope = NewDisposeScope();
        var torch = new TorchOperations(spec => tensor(Graphs.Weights(spec), [.. spec.Shape]));

        var x = tensor(values, B, C, L).requires_grad_();
        var fixedInput = tensor(other, B, C, L);
        var y = Apply(name, torch, x, fixedInput);
        var weighted = Score(torch, y);
        float[] gradient = Graphs.Floats(autograd.grad([weighted.sum()], [x])[0]);
        Assert.True(gradient.Max(Math.Abs) > 1e-3, "the gradient is too small for this test to see anything");

        var tape = new Tape<Tensor>(torch);
        var variable = tape.Variable(x.detach());
        var score = Score(tape, Apply(name, tape, variable, tape.Fixed(fixedInput)));
        Assert.InRange(Graphs.Difference(gradient, Graphs.Floats(tape.Gradient(score, variable))), 0, 1e-6);

        var onnx = new OnnxOperations(Graphs.Weights);
        var graphTape = new Tape<OnnxValue>(onnx);
        var sample = graphTape.Variable(onnx.Input("x", C, L));
        var result = Apply(name, graphTape, sample, graphTape.Fixed(onnx.Input("other", C, L)));
        onnx.Output("y", result.Value);
        onnx.Output("g", graphTape.Gradient(Score(graphTape, result), sample));
        var found = Graphs.Run(
            onnx.ToBytes("test", new Dictionary<string, string>()), ("x", values, [B, C, L]), ("other", other, [B, C, L]));
        Assert.InRange(Graphs.Difference(Graphs.Floats(y), found["y"]), 0, 2e-6);
        Assert.InRange(Graphs.Difference(gradient, found["g"]), 0, 1e-6);

        // The plain path, which has its own nodes for norms.
        var plain = new OnnxOperations(Graphs.Weights);
        plain.Output("y", Apply(name, plain, plain.Input("x", C, L), plain.Input("other", C, L)));
        found = Graphs.Run(
            plain.ToBytes("test", new Dictionary<string, string>()), ("x", values, [B, C, L]), ("other", other, [B, C, L]));
        Assert.InRange(Graphs.Difference(Graphs.Floats(y), found["y"]), 0, 2e-6);
    }

    [Fact]
    public void Mul_OfAnActiveOperandThatIsBroadcast_SaysThatThereIsNoRule()
    {
        var onnx = new OnnxOperations(Graphs.Weights);
        var tape = new Tape<OnnxValue>(onnx);
        var x = tape.Variable(onnx.Input("x", C, L));
        var error = Assert.Throws<NotSupportedException>(() => tape.Mul(tape.Mean(x), x));
        Assert.Equal(
            "Mul has no gradient rule for this use: an operand that depends on the input is broadcast. Write the network so that "
            + "only activations depend on the action.",
            error.Message);
    }

    [Fact]
    public void Gradient_OfSomethingElse_Throws()
    {
        var onnx = new OnnxOperations(Graphs.Weights);
        var tape = new Tape<OnnxValue>(onnx);
        var x = tape.Variable(onnx.Input("x", 2));
        var y = tape.Mean(tape.Fixed(onnx.Input("y", 2)));
        Assert.Throws<InvalidOperationException>(() => tape.Gradient(y, x));
    }

    [Fact]
    public void Weight_AskedForTwice_Throws()
    {
        var onnx = new OnnxOperations(null);
        onnx.Weight(new WeightSpec("w", [1], WeightDraw.Constant, 0));
        Assert.Throws<InvalidOperationException>(() => onnx.Weight(new WeightSpec("w", [1], WeightDraw.Constant, 0)));
    }

    // x, other: [B, C, L].
    private static T Apply<T>(string name, IOperations<T> ops, T x, T other)
        where T : class
    {
        T W(string weight, params long[] shape) => ops.Weight(new WeightSpec(weight, shape, WeightDraw.Normal, 1));
        T Flat(T value) => ops.Reshape(value, C * L);
        return name switch
        {
            "linear2" => ops.Linear(Flat(x), W("w", C * L, 5), W("b", 5)),
            "linear3" => ops.Linear(x, W("w", L, 5), W("b", 5)),
            "matmul left" => ops.MatMul(x, ops.Transpose(other, 0, 2, 1)),
            "matmul right" => ops.MatMul(ops.Transpose(other, 0, 2, 1), x),
            "matmul both" => ops.MatMul(x, ops.Transpose(x, 0, 2, 1)),
            "add" => ops.Add(ops.Add(x, other), W("b", L)),
            "mul" => ops.Mul(ops.Mul(x, other), W("b", L)),
            "mul twice" => ops.Mul(x, ops.Mul(x, x)),
            "scale" => ops.Scale(x, -1.7),
            "shift" => ops.Mul(x, ops.Shift(x, 0.4)),
            "relu" => ops.Relu(x),
            "sigmoid" => ops.Sigmoid(x),
            "tanh" => ops.Tanh(x),
            "softplus" => ops.Softplus(x),
            "erf" => ops.Erf(x),
            "exp" => ops.Exp(x),
            "reciprocal" => ops.Reciprocal(ops.Shift(ops.Mul(x, x), 0.5)),
            "sin" => ops.Sin(x),
            "cos" => ops.Cos(x),
            "silu" => ops.Silu(x),
            "mish" => ops.Mish(x),
            "gelu" => ops.Gelu(x),
            "normalize" => ops.Normalize(x, 1e-5).Value,
            "layer norm" => ops.LayerNorm(x, W("gain", L), W("b", L)),
            "group norm" => ops.GroupNorm(x, 2, W("gain", C), W("b", C)),
            "softmax" => ops.Softmax(x),
            "mean" => ops.Mean(ops.Mul(x, x)),
            "transpose" => ops.Transpose(x, 0, 2, 1),
            "reshape" => ops.Reshape(x, 2, C * L / 2),
            "concat" => ops.Concat(1, ops.Mul(x, x), ops.Concat(1, other, x)),
            "slice" => ops.Slice(x, 2, 1, 3),
            "pad" => ops.Pad(x, 1, 2, 1),
            "conv" => ops.Conv1d(x, W("w", 5, C, 3), W("b", 5), 1, 1),
            "conv stride" => ops.Conv1d(x, W("w", 5, C, 3), W("b", 5), 2, 1),              // 6 to 3: one column is never a centre
            "conv stride odd" => ops.Conv1d(ops.Slice(x, 2, 0, 5), W("w", 5, C, 3), null, 2, 1), // 5 to 3: none is left over
            "conv transpose" => ops.ConvTranspose1d(x, W("w", C, 5, 4), W("b", 5), 2, 1, 0),
            "film" => ops.Add(ops.Mul(x, ops.Slice(other, 2, 0, 1)), ops.Slice(other, 2, 1, 1)),
            _ => throw new ArgumentException(name),
        };
    }

    // A different factor for every element, so that no two gradients can be mixed up.
    private static T Score<T>(IOperations<T> ops, T y)
        where T : class
    {
        long[] rest = [.. ops.Shape(y).Skip(1)];
        long count = rest.Aggregate(1L, (a, b) => a * b);
        float[] factors = [.. Graphs.Normal(9, count).Select(f => f + (0.5f * Math.Sign(f)))];
        return ops.Mean(ops.Reshape(ops.Mul(y, ops.Constant(factors, rest)), count));
    }
}
