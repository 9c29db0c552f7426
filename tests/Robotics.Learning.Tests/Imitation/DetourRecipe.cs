using Robotics.Learning.Data;
using Robotics.Learning.Imitation;
using Robotics.Learning.Networks;
using Robotics.Learning.Training;
using Robotics.Numerics;
using Robotics.Sim.Tasks;

namespace Robotics.Learning.Tests.Imitation;

/// <summary>How networks are trained and scored on Detour: the tests and the <c>detour-cards</c> benchmark share it.</summary>
/// <remarks>A training takes seconds on one thread; the policy cards' own took ten times as many samples.</remarks>
internal static class DetourRecipe
{
    public const int Tries = 1000;
    public const int Width = Detour.Rows * Detour.ActionSize;

    private const int Demonstrations = 4000;

    public static NoiseSchedule Schedule { get; } = NoiseSchedule.SquaredCosine(100);

    /// <summary>[1000, 2], none of them demonstrated.</summary>
    public static float[] Fresh { get; } = Observations(Tries, seed: 99);

    public static float[] Observations(int count, ulong seed)
    {
        var random = new SeededRandom(seed);
        var all = new float[2 * count];
        for (int i = 0; i < count; i++)
        {
            Detour.Observe(random, all.AsSpan(2 * i, 2));
        }

        return all;
    }

    /// <summary>The network that puts out a chunk; with an energy's time it has none.</summary>
    public static Network Mlp(TimeSignal time, ulong seed = 1) => new(
        new ResidualMlp
        {
            Horizon = Detour.Rows, ActionSize = Detour.ActionSize, ConditionSize = Detour.ObservationSize, Time = time, TimeScale = time == TimeSignal.Continuous ? 100 : 1,
        },
        seed);

    public static Network Energy(ulong seed = 1) => new(
        new ResidualMlp
        {
            Horizon = Detour.Rows, ActionSize = Detour.ActionSize, ConditionSize = Detour.ObservationSize, Width = 160, Residual = false,
            Activation = Activation.Silu, Time = TimeSignal.None, Output = NetworkOutput.Energy, OutputGain = 10,
        },
        seed);

    public static Network LeastSquares(ulong seed = 1) => Train(new LeastSquares(Mlp(TimeSignal.None, seed)), 600, seed: seed);

    public static Network Diffusion(ulong seed = 1)
    {
        using var method = new Diffusion(Mlp(TimeSignal.Timestep, seed), Schedule, Prediction.Sample);
        return Train(method, 1500, seed: seed);
    }

    public static Network Flow(FlowTime times, ulong seed = 1) => Train(new FlowMatching(Mlp(TimeSignal.Continuous, seed), times), 2000, seed: seed);

    public static Network EquilibriumMatching(ulong seed = 1) => Train(new EquilibriumMatching(Energy(seed)), 3500, 5e-4, seed: seed);

    /// <param name="side">The only side demonstrated; null: both.</param>
    public static Network Unrolled(int? side, ulong seed = 1) => Train(new UnrolledEnergy(Energy(seed), new()), 800, 5e-4, side, seed);

    /// <summary>Shares of chunks, one per fresh observation, that are valid and that pass on the right.</summary>
    public static (double Valid, double Right) Score(float[] chunks)
    {
        int valid = 0, right = 0;
        for (int i = 0; i < Tries; i++)
        {
            valid += Detour.IsValid(Observation(i), Chunk(chunks, i)) ? 1 : 0;
            right += Side(chunks, i) > 0 ? 1 : 0;
        }

        return (valid / (double)Tries, right / (double)Tries);
    }

    /// <summary>Share of chunks that pass on the side of another set's chunk.</summary>
    public static double SameSide(float[] chunks, float[] others) =>
        Enumerable.Range(0, Tries).Count(i => Side(chunks, i) == Side(others, i)) / (double)Tries;

    private static int Side(float[] chunks, int i) => Detour.Side(Observation(i), Chunk(chunks, i));

    private static ReadOnlySpan<float> Observation(int i) => Fresh.AsSpan(2 * i, 2);

    private static ReadOnlySpan<float> Chunk(float[] chunks, int i) => chunks.AsSpan(Width * i, Width);

    private static Network Train(IImitation method, long steps, double rate = 2e-3, int? side = null, ulong seed = 1)
    {
        var random = new SeededRandom(seed);
        float[] observations = new float[2 * Demonstrations], chunks = new float[Width * Demonstrations];
        for (int i = 0; i < Demonstrations; i++)
        {
            var observation = observations.AsSpan(2 * i, 2);
            Detour.Observe(random, observation);
            Detour.Demonstrate(random, observation, chunks.AsSpan(Width * i, Width), side);
        }

        var data = new ChunkSet(observations, chunks, null, Detour.ObservationSize, Detour.Rows, Detour.ActionSize, "detour");
        var options = new TrainingOptions { Steps = steps, Batch = 128, LearningRate = rate, LogEvery = 100, CheckpointEvery = 100, Seed = seed };
        using (method.Network)
        {
            using var trainer = new Trainer(method, data, options, folder: null);
            trainer.Run();
            return trainer.Averaged();
        }
    }
}
