using Microsoft.ML.OnnxRuntime;
using Robotics.Learning.Networks;
using Robotics.Numerics;
using static TorchSharp.torch;

namespace Robotics.Learning.Tests;

/// <summary>Runs exported graphs and compares numbers.</summary>
internal static class Graphs
{
    public static Dictionary<string, float[]> Run(byte[] model, params (string Name, Array Values, long[] Shape)[] inputs)
    {
        using var options = new SessionOptions { IntraOpNumThreads = 1 };
        using var session = new InferenceSession(model, options);
        var feeds = inputs.ToDictionary(i => i.Name, i => i.Values is float[] real
            ? OrtValue.CreateTensorValueFromMemory(real, i.Shape)
            : OrtValue.CreateTensorValueFromMemory((long[])i.Values, i.Shape));
        using var run = new RunOptions();
        using var results = session.Run(run, feeds, session.OutputNames);
        var found = session.OutputNames.Zip(results, (name, value) => (name, value.GetTensorDataAsSpan<float>().ToArray())).ToDictionary();
        foreach (var feed in feeds.Values)
        {
            feed.Dispose();
        }

        return found;
    }

    public static float[] Normal(ulong seed, long count, double scale = 1)
    {
        var noise = new float[count];
        new SeededRandom(seed).FillGaussian(noise);
        return [.. noise.Select(x => (float)(x * scale))];
    }

    /// <summary>Weights that nothing hides behind: gains away from 1, biases away from 0.</summary>
    public static float[] Weights(WeightSpec spec)
    {
        ulong seed = spec.Name.Aggregate(17UL, (h, c) => (h * 31) + c);
        float offset = spec.Name.EndsWith("gain", StringComparison.Ordinal) ? 1 : 0;
        return [.. Normal(seed, spec.Count, 0.3).Select(x => x + offset)];
    }

    public static float[] Floats(Tensor x) => [.. x.detach().contiguous().data<float>()];

    public static double Difference(float[] a, float[] b)
    {
        double worst = a.Length == b.Length ? 0 : throw new ArgumentException($"{a.Length} numbers and {b.Length} of them are compared.");
        for (int i = 0; i < a.Length; i++)
        {
            if (!float.IsFinite(a[i]) || !float.IsFinite(b[i]))
            {
                throw new ArithmeticException($"element {i}: {a[i]} and {b[i]}");
            }

            worst = Math.Max(worst, Math.Abs((double)a[i] - b[i]));
        }

        return worst;
    }
}
