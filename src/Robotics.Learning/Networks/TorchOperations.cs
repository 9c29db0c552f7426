using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Robotics.Learning.Networks;

/// <summary>Computes with TorchSharp; differentiable by its autograd.</summary>
/// <remarks>Every call makes a tensor: run inside a dispose scope.</remarks>
/// <param name="weights">The tensor of each weight.</param>
public sealed class TorchOperations(Func<WeightSpec, Tensor> weights) : IOperations<Tensor>
{
    /// <inheritdoc/>
    public IReadOnlyList<long> Shape(Tensor x) => x.shape;

    /// <inheritdoc/>
    public Tensor Weight(WeightSpec spec) => weights(spec);

    /// <inheritdoc/>
    public Tensor Constant(float[] values, params long[] shape) => tensor(values, shape);

    /// <inheritdoc/>
    public Tensor Linear(Tensor x, Tensor weight, Tensor bias) =>
        x.dim() == 2 ? addmm(bias, x, weight, 1, 1) : matmul(x, weight).Gather(bias);

    /// <inheritdoc/>
    public Tensor MatMul(Tensor a, Tensor b) => matmul(a, b);

    /// <inheritdoc/>
    public Tensor Add(Tensor a, Tensor b) => a.Plus(b);

    /// <inheritdoc/>
    public Tensor Mul(Tensor a, Tensor b) => a * b;

    /// <inheritdoc/>
    public Tensor Scale(Tensor x, double factor) => x.Times(factor);

    /// <inheritdoc/>
    public Tensor Shift(Tensor x, double offset) => x.Plus(offset);

    /// <inheritdoc/>
    public Tensor Relu(Tensor x) => F.relu(x);

    /// <inheritdoc/>
    public Tensor Positive(Tensor x) => F.relu(x).sign();

    /// <inheritdoc/>
    public Tensor Sigmoid(Tensor x) => x.sigmoid();

    /// <inheritdoc/>
    public Tensor Tanh(Tensor x) => x.tanh();

    /// <inheritdoc/>
    public Tensor Softplus(Tensor x) => F.softplus(x, 1, 20);

    /// <inheritdoc/>
    public Tensor Erf(Tensor x) => x.erf();

    /// <inheritdoc/>
    public Tensor Exp(Tensor x) => x.exp();

    /// <inheritdoc/>
    public Tensor Reciprocal(Tensor x) => x.reciprocal();

    /// <inheritdoc/>
    public Tensor Sin(Tensor x) => x.sin();

    /// <inheritdoc/>
    public Tensor Cos(Tensor x) => x.cos();

    /// <inheritdoc/>
    public Tensor Silu(Tensor x) => F.silu(x);

    /// <inheritdoc/>
    public Tensor Mish(Tensor x) => F.mish(x);

    /// <inheritdoc/>
    public Tensor Gelu(Tensor x) => F.gelu(x);

    /// <inheritdoc/>
    public (Tensor Value, Tensor InverseDeviation) Normalize(Tensor x, double epsilon) =>
        (F.layer_norm(x, [x.shape[^1]], null, null, epsilon), x.var([-1L], unbiased: false, keepdim: true).Plus(epsilon).rsqrt());

    /// <inheritdoc/>
    public Tensor LayerNorm(Tensor x, Tensor gain, Tensor bias, double epsilon = 1e-5) =>
        F.layer_norm(x, [x.shape[^1]], gain, bias, epsilon);

    /// <inheritdoc/>
    public Tensor GroupNorm(Tensor x, int groups, Tensor gain, Tensor bias, double epsilon = 1e-5) =>
        F.group_norm(x, groups, gain, bias, epsilon);

    /// <inheritdoc/>
    public Tensor Softmax(Tensor x) => x.softmax(-1);

    /// <inheritdoc/>
    public Tensor Mean(Tensor x) => x.mean([-1L], keepdim: true);

    /// <inheritdoc/>
    public Tensor Transpose(Tensor x, params int[] order) => x.permute([.. order.Select(axis => (long)axis)]);

    /// <inheritdoc/>
    public Tensor Reshape(Tensor x, params long[] rest) => x.reshape([-1, .. rest]);

    /// <inheritdoc/>
    public Tensor Concat(int axis, Tensor first, Tensor second) => cat([first, second], axis);

    /// <inheritdoc/>
    public Tensor Slice(Tensor x, int axis, long start, long length) => x.narrow(axis, start, length);

    /// <inheritdoc/>
    public Tensor Pad(Tensor x, int axis, long before, long after)
    {
        // libtorch lists pads from the last axis backwards.
        var pads = new long[2 * (x.dim() - axis)];
        (pads[^2], pads[^1]) = (before, after);
        return F.pad(x, pads);
    }

    /// <inheritdoc/>
    public Tensor Conv1d(Tensor x, Tensor weight, Tensor? bias, int stride, int padding) =>
        F.conv1d(x, weight, bias, stride, padding);

    /// <inheritdoc/>
    public Tensor ConvTranspose1d(Tensor x, Tensor weight, Tensor? bias, int stride, int padding, int outputPadding) =>
        F.conv_transpose1d(x, weight, bias, stride, padding, outputPadding);
}
