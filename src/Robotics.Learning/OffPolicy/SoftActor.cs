using Robotics.Learning.Data;
using Robotics.Learning.Dense;
using Robotics.Learning.Networks;
using Robotics.Numerics;

namespace Robotics.Learning.OffPolicy;

/// <summary>A squashed Gaussian actor and its temperature: what SAC, RLPD and H2O share.</summary>
internal sealed class SoftActor
{
    private readonly Mlp _network;
    private readonly MlpPass _pass;
    private readonly TanhGaussian _head;
    private readonly Mlp _temperature; // no layer of it is used: one free number, with Adam's memory
    private readonly int _actionSize;

    /// <param name="observationSize">Do.</param>
    /// <param name="actionSize">Da; the entropy it is held at is -Da.</param>
    /// <param name="hidden">Widths of the hidden layers.</param>
    /// <param name="capacity">Most rows at a time.</param>
    /// <param name="random">Draws the weights.</param>
    /// <param name="deviationOffset">Added to the network's log σ.</param>
    /// <param name="normalizer">What the learner sees observations through; null: as they are.</param>
    public SoftActor(int observationSize, int actionSize, IReadOnlyList<int> hidden, int capacity, SeededRandom random, double deviationOffset = 0, RunningNormalizer? normalizer = null)
    {
        _actionSize = actionSize;
        var spec = new MlpSpec(observationSize, hidden, 2 * actionSize);
        _network = new Mlp(spec, 1, random);
        _pass = new MlpPass(spec, capacity);
        _head = new TanhGaussian(actionSize, capacity, deviationOffset);
        _temperature = new Mlp(new MlpSpec(0, [], 0, Free: 1), 1, random); // log α = 0
        Actions = new Matrix(capacity, actionSize);
        LogProbability = new float[capacity];
        Actor = new Actor(_network, ActorHead.TanhGaussian, normalizer ?? new RunningNormalizer(observationSize), actionSize, deviationOffset);
    }

    /// <summary>The policy.</summary>
    public Actor Actor { get; }

    /// <summary>α.</summary>
    public float Alpha => MathF.Exp(_temperature.Free()[0]);

    /// <summary>[rows, Da] of the last draw.</summary>
    public Matrix Actions { get; }

    /// <summary>[rows] log π of the last draw.</summary>
    public float[] LogProbability { get; }

    /// <summary>Draws an action for each observation.</summary>
    public void Sample(Matrix observations, int rows, SeededRandom random)
    {
        for (int i = 0; i < rows; i++)
        {
            observations[i].CopyTo(_pass.Input[i]);
        }

        _network.Forward(_pass, rows);
        _head.Sample(_pass.Output, rows, random, Actions, 0, LogProbability);
    }

    /// <summary>Minimises the mean of α log π(a|s) - Q(s, a) over the last draw, and moves α towards the entropy -Da.</summary>
    /// <param name="rows">Of the last draw.</param>
    /// <param name="actionGradient">-∂Q/∂a, already divided by the rows.</param>
    /// <param name="rate">Learning rate of both.</param>
    /// <returns>The entropy, -mean log π.</returns>
    public double Improve(int rows, Matrix actionGradient, double rate)
    {
        _head.Backward(_pass.Output, rows, actionGradient, 0, Alpha / rows, _pass.OutputGradient);
        _network.Backward(_pass, rows);
        _network.Step(rate);
        double mean = 0;
        for (int i = 0; i < rows; i++)
        {
            mean += LogProbability[i] / (double)rows;
        }

        _temperature.FreeGradient()[0] = (float)(-Alpha * (mean - _actionSize));
        _temperature.Step(rate);
        return -mean;
    }

    public void Write(BinaryWriter writer)
    {
        _network.Write(writer);
        _temperature.Write(writer);
    }

    public void Read(BinaryReader reader)
    {
        _network.Read(reader);
        _temperature.Read(reader);
    }
}
