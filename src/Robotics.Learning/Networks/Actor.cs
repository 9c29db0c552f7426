using Robotics.Learning.Data;
using Robotics.Learning.Dense;
using Robotics.Numerics;

namespace Robotics.Learning.Networks;

/// <summary>How the numbers that an actor's network gives become an action.</summary>
internal enum ActorHead
{
    /// <summary>μ and log σ; a = tanh(μ + σε). SAC and its kin.</summary>
    TanhGaussian,

    /// <summary>μ, with a σ that does not depend on the state; a = μ + σε. PPO and its kin.</summary>
    Gaussian,

    /// <summary>μ, with a σ that does not depend on the state; a = tanh(μ) + σε. IQL.</summary>
    TanhMean,

    /// <summary>a = tanh(μ), nothing drawn. TD3 and behaviour cloning.</summary>
    Tanh,

    /// <summary>A mixture of Gaussians whose σ depend on the state; a = tanh(μ) + σε of one of them. Cloning by likelihood.</summary>
    Mixture,

    /// <summary>A velocity that carries noise to φ, with a σ that does not depend on the state; a = φ + σε. PolicyFlow.</summary>
    Flow,
}

/// <summary>A policy of one step: observation to action, deterministic or drawn.</summary>
/// <remarks>Sees observations through the learner's normaliser; actions are in [-1, 1] (a Gaussian's draw may lie outside, and is
/// clamped by whoever takes it). Not thread-safe: the learner's thread owns it.</remarks>
public sealed class Actor : IActor
{
    private MlpPass _pass;
    private Matrix? _points; // of a flow
    private int _capacity;

    internal Actor(Mlp network, ActorHead head, RunningNormalizer normalizer, int actionSize, double deviationOffset = 0, VelocityField? field = null)
    {
        (Network, Head, Normalizer, ActionSize, DeviationOffset, Field) = (network, head, normalizer, actionSize, deviationOffset, field);
        Mixture = head == ActorHead.Mixture ? new(GaussianMixture.ComponentsOf(network.Spec.Outputs, actionSize), actionSize) : null;
        _pass = new MlpPass(network.Spec, _capacity = 16);
    }

    /// <inheritdoc/>
    public int ObservationSize => Normalizer.Size;

    /// <inheritdoc/>
    public int ActionSize { get; }

    /// <summary>What the network sees observations through.</summary>
    public RunningNormalizer Normalizer { get; }

    /// <summary>True: it can also be drawn from.</summary>
    public bool Stochastic => Head != ActorHead.Tanh;

    internal Mlp Network { get; }

    internal ActorHead Head { get; }

    internal double DeviationOffset { get; }

    /// <summary>How the numbers of a <see cref="ActorHead.Mixture"/> are read; null for every other head.</summary>
    internal GaussianMixture? Mixture { get; }

    /// <summary>What the network of a <see cref="ActorHead.Flow"/> means; null for every other head.</summary>
    internal VelocityField? Field { get; }

    /// <summary>False: a weight is NaN or infinite.</summary>
    public bool IsFinite()
    {
        foreach (float value in Network.Values)
        {
            if (!float.IsFinite(value))
            {
                return false;
            }
        }

        return true;
    }

    /// <inheritdoc/>
    public void Act(ReadOnlySpan<float> observations, Span<float> actions, SeededRandom? random)
    {
        int rows = observations.Length / ObservationSize;
        if (rows > _capacity)
        {
            _pass = new MlpPass(Network.Spec, _capacity = rows);
        }

        for (int i = 0; i < rows; i++)
        {
            Normalizer.Apply(observations.Slice(i * ObservationSize, ObservationSize), _pass.Input[i][..ObservationSize]);
        }

        if (Field is { } field)
        {
            Carry(field, rows, actions, random);
            return;
        }

        Network.Forward(_pass, rows);
        for (int i = 0, at = 0; i < rows; i++)
        {
            Span<float> head = _pass.Output[i];
            int m = Mixture?.Choose(head, random) ?? 0;
            for (int j = 0; j < ActionSize; j++, at++)
            {
                float noise = random is null || !Stochastic ? 0 : (float)random.NextGaussian();
                actions[at] = Head switch
                {
                    ActorHead.TanhGaussian => MathF.Tanh(head[j] + (noise == 0 ? 0 : noise * MathF.Exp(TanhGaussian.LogDeviation(head[ActionSize + j], DeviationOffset)))),
                    ActorHead.Gaussian => head[j] + (noise * MathF.Exp(Network.Free()[j])),
                    ActorHead.Mixture => Mixture!.Mean(head, m, j) + (noise * MathF.Exp(Mixture.LogDeviation(head, m, j))),
                    ActorHead.TanhMean => MathF.Tanh(head[j]) + (noise * MathF.Exp(Network.Free()[j])),
                    _ => MathF.Tanh(head[j]),
                };
            }
        }
    }

    // Noise to actions; the deterministic action is where the middle of the noise goes.
    private void Carry(VelocityField field, int rows, Span<float> actions, SeededRandom? random)
    {
        _points = _points?.Rows == _capacity ? _points : new Matrix(_capacity, ActionSize);
        for (int i = 0; i < rows; i++)
        {
            _points[i].Clear();
            random?.FillGaussian(_points[i]);
        }

        field.Integrate(_pass, rows, _points);
        for (int i = 0, at = 0; i < rows; i++)
        {
            for (int j = 0; j < ActionSize; j++, at++)
            {
                actions[at] = _points[i][j] + (random is null ? 0 : (float)random.NextGaussian() * field.Deviation(j));
            }
        }
    }
}
