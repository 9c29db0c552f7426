using Robotics.Learning.Data;
using Robotics.Learning.Dense;
using Robotics.Learning.OnPolicy;
using Robotics.Numerics;
using static TorchSharp.torch;

namespace Robotics.Learning.Tests.OnPolicy;

/// <summary>The hand-written gradients of both policies under both surrogates against libtorch's autograd.</summary>
public sealed class GradientTests
{
    private const int Rows = 40, Do = 3, Da = 2;
    private const double Entropy = 0.02, Brownian = 0.05;

    private static readonly float[] s_observations = Graphs.Normal(1, Rows * Do), s_advantages = Graphs.Normal(2, Rows);

    [Theory]
    [InlineData("clip")]
    [InlineData("parabola")]
    public void Backward_OfTheGaussian_MatchesAutograd(string surrogate)
    {
        var policy = new GaussianPolicy(Do, Da, [16, 8], Rows, new RunningNormalizer(Do), new SeededRandom(3));
        var (observations, traces) = Drawn(policy, new SeededRandom(4));
        Shift(policy.Network); // ratios away from 1, on both sides of the bound
        var ratios = Gradient(policy, observations, traces, surrogate);

        using var scope = NewDisposeScope();
        var flat = tensor(policy.Network.Values.ToArray()).requires_grad_();
        var mean = Forward(policy.Network.Spec, flat, tensor(s_observations, Rows, Do));
        var log = flat[TensorIndex.Slice(flat.shape[0] - Da, flat.shape[0])];
        var trace = tensor(Flat(traces), Rows, Da + 1);
        var z = (trace[.., ..Da] - mean) / log.exp();
        var logRatio = ((-0.5 * z * z) - log - (0.5 * Math.Log(2 * Math.PI))).sum(1) - trace[.., Da];
        (Loss(surrogate, logRatio) - (Entropy * log.sum())).backward();
        Close(Graphs.Floats(logRatio), ratios);
        Close(Graphs.Floats(flat.grad!), policy.Network.Gradient.ToArray());
    }

    [Theory]
    [InlineData("clip")]
    [InlineData("parabola")]
    public void Backward_OfTheFlow_MatchesAutograd(string surrogate)
    {
        var policy = new FlowPolicy(
            Do, Da, new PolicyFlowOptions { Hidden = [16, 8], BrownianWeight = Brownian }, Rows, new RunningNormalizer(Do), new SeededRandom(3));
        Shift(policy.Network);
        policy.Freeze();
        var (observations, traces) = Drawn(policy, new SeededRandom(4));
        float[] before = policy.Network.Values.ToArray();
        Shift(policy.Network);
        var ratios = Gradient(policy, observations, traces, surrogate);

        using var scope = NewDisposeScope();
        var random = new SeededRandom(5);
        var t = tensor([.. Enumerable.Range(0, Rows).Select(_ => (float)random.NextDouble())], Rows, 1);
        var flat = tensor(policy.Network.Values.ToArray()).requires_grad_();
        Tensor old = tensor(before), trace = tensor(Flat(traces), Rows, 3 * Da), noise = trace[.., (2 * Da)..];
        var point = ((1 - t) * trace[.., ..Da]) + (t * trace[.., Da..(2 * Da)]);
        var turns = t * tensor(new float[] { 1, 2, 4, 8 });
        var input = cat([tensor(s_observations, Rows, Do), point, turns.sin(), turns.cos()], 1);
        Tensor v = 4 * (Forward(policy.Network.Spec, flat, input) / 4).tanh(), vOld = 4 * (Forward(policy.Network.Spec, old, input) / 4).tanh();
        Tensor sigma = Sigma(flat), sigmaOld = Sigma(old), left = noise - (v - vOld);
        var logRatio = ((-left * left / (2 * sigma * sigma)) + (noise * noise / (2 * sigmaOld * sigmaOld)) - sigma.log() + sigmaOld.log()).sum(1);
        var eta = ((1 - t) * v) - (point - (t * vOld));
        (Loss(surrogate, logRatio) + (Brownian * eta.square().sum(1).mean()) - (Entropy * sigma.log().sum())).backward();
        Close(Graphs.Floats(logRatio), ratios);
        Close(Graphs.Floats(flat.grad!), policy.Network.Gradient.ToArray());

        static Tensor Sigma(Tensor values) => 0.1 + (0.9 * values[TensorIndex.Slice(values.shape[0] - Da, values.shape[0])].sigmoid());
    }

    private static (Matrix Observations, Matrix Traces) Drawn(IDrawnPolicy policy, SeededRandom random)
    {
        Matrix observations = new(Rows, Do), traces = new(Rows, policy.TraceSize);
        observations.Fill(s_observations);
        policy.Draw(observations, 0, Rows, random, new float[Rows * Da], traces);
        return (observations, traces);
    }

    // ln ρ; the gradient is left in the network.
    private static float[] Gradient(IDrawnPolicy policy, Matrix observations, Matrix traces, string surrogate)
    {
        ISurrogate loss = surrogate == "clip" ? new ClippedSurrogate(0.2) : new ParabolicSurrogate(0.2);
        float[] logRatios = new float[Rows];
        policy.LogRatios(observations, traces, Rows, new SeededRandom(5), logRatios);
        policy.Backward(traces, Rows, [.. logRatios.Select((log, i) => MathF.Exp(log) * loss.Loss(MathF.Exp(log), s_advantages[i]).Slope / Rows)], Entropy);
        Assert.Contains(logRatios, log => Math.Abs(Math.Exp(log) - 1) > 0.2);
        Assert.Contains(logRatios, log => Math.Abs(Math.Exp(log) - 1) < 0.2);
        return logRatios;
    }

    private static Tensor Loss(string surrogate, Tensor logRatio)
    {
        Tensor ratio = logRatio.exp(), a = tensor(s_advantages);
        return surrogate == "clip" ? -min(ratio * a, ratio.clamp(0.8, 1.2) * a).mean() : -((ratio * a) - (a.abs() / 0.4 * (ratio - 1).square())).mean();

        static Tensor min(Tensor x, Tensor y) => minimum(x, y);
    }

    private static Tensor Forward(MlpSpec spec, Tensor flat, Tensor x)
    {
        for (int l = 0; l < spec.Layers; l++)
        {
            int at = spec.Start(l), from = spec.In(l), to = spec.Out(l), bias = at + (from * to);
            x = x.matmul(flat[TensorIndex.Slice(at, bias)].reshape(from, to)) + flat[TensorIndex.Slice(bias, bias + to)];
            x = l < spec.Layers - 1 ? x.tanh() : x;
        }

        return x;
    }

    private static void Shift(Mlp network)
    {
        float[] by = Graphs.Normal(9, network.Values.Length, 0.06);
        for (int i = 0; i < by.Length; i++)
        {
            network.Values[i] += by[i];
        }
    }

    private static float[] Flat(Matrix matrix) => [.. Enumerable.Range(0, matrix.Rows).SelectMany(i => matrix[i].ToArray())];

    private static void Close(float[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        Assert.All(expected.Zip(actual), pair => Assert.Equal(pair.First, pair.Second, 2e-5 * Math.Max(1, Math.Abs(pair.First))));
    }
}
