using Robotics.Learning.Data;
using Robotics.Learning.Imitation;
using static TorchSharp.torch;

namespace Robotics.Lab;

/// <summary>The loss on episodes that were not trained on.</summary>
internal static class Validation
{
    private const int Batch = 256;

    /// <summary>Of the weights as they stand, over every window once, with draws of its own.</summary>
    public static double Loss(IImitation method, ChunkSet tests)
    {
        using var random = new Generator(12345);
        double sum = 0;
        for (int from = 0; from < tests.Count; from += Batch)
        {
            using var scope = NewDisposeScope();
            int n = Math.Min(Batch, tests.Count - from), chunk = tests.Horizon * tests.ActionSize;
            var loss = method.Loss(
                tensor(tests.Conditions[(from * tests.ConditionSize)..((from + n) * tests.ConditionSize)], n, tests.ConditionSize),
                tensor(tests.Chunks[(from * chunk)..((from + n) * chunk)], n, tests.Horizon, tests.ActionSize),
                tensor(tests.Valid[(from * tests.Horizon)..((from + n) * tests.Horizon)], n, tests.Horizon),
                random);
            sum += n * loss.item<float>();
        }

        return sum / tests.Count;
    }
}
