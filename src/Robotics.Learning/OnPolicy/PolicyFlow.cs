using Robotics.Learning.Data;
using Robotics.Learning.Dense;
using Robotics.Learning.Networks;
using Robotics.Numerics;

namespace Robotics.Learning.OnPolicy;

/// <summary>Settings of <see cref="PolicyFlow"/>.</summary>
public sealed record PolicyFlowOptions : OnPolicyOptions
{
    /// <summary>The card's: the rate follows the KL divergence, and an update ends where ln ρ outgrows what its estimate is good for.</summary>
    public PolicyFlowOptions() => (AdaptTo, MostLogRatio) = (0.01, 0.2);

    /// <summary>Euler steps from noise to action, a network call each; 1 to 64. The same when collecting and when deployed.</summary>
    public int IntegrationSteps { get; init; } = 10;

    /// <summary>Weight of the Brownian regulariser, 0 or more: it spreads the flow, so that what was found is not left again at once.</summary>
    public double BrownianWeight { get; init; } = 0.01;

    /// <summary>Least σ of the noise added at the flow's end, above 0. The ratio's estimate is worthless where it is small.</summary>
    public double LowestDeviation { get; init; } = 0.1;

    /// <summary>Greatest σ, above the least.</summary>
    public double HighestDeviation { get; init; } = 1;

    /// <summary>σ at first, between the two.</summary>
    public double InitialDeviation { get; init; } = 0.5;

    /// <inheritdoc/>
    public override PolicyFlowOptions Checked(string source)
    {
        var check = new ConfigCheck(source);
        Check(check);
        check.Range(IntegrationSteps, 1, 64, "integration_steps");
        check.That(BrownianWeight >= 0, "brownian_weight", FormattableString.Invariant($"is {BrownianWeight}, expected 0 or more"));
        check.That(LowestDeviation > 0, "lowest_deviation", FormattableString.Invariant($"is {LowestDeviation}, expected above 0"));
        check.That(
            LowestDeviation < InitialDeviation && InitialDeviation < HighestDeviation, "initial_deviation",
            FormattableString.Invariant($"is {InitialDeviation}, expected between lowest_deviation {LowestDeviation} and highest_deviation {HighestDeviation}"));
        check.Throw();
        return this;
    }
}

/// <summary>PPO for a policy that carries noise to an action along a learned velocity field, and so may prefer several actions at once.</summary>
/// <remarks>
/// The action is a = φ(z | s) + n with z ~ N(0, 1) and n ~ N(0, σ²). A change of the field moves φ by about ∫δv dt, so that
/// ρ = N(n - δv; 0, σ²)/N(n; 0, σ̂²) with δv = v - v̂ at one point x_t = (1 - t)z + tφ̂ of the straight path, t drawn anew each time.
/// Nothing is differentiated through the integration. Brownian regulariser: ‖(1 - t)v - (x_t - t v̂)‖², v̂ being the old field.
/// <para>Source: "PolicyFlow: Policy Optimization with Continuous Normalizing Flow in Reinforcement Learning" (no code was published;
/// its equation 16 carries a hat too many, the listing is followed). Differs: v and σ are bounded smoothly; advantages are normalised per
/// minibatch, as in <see cref="Ppo"/>; deterministic actions start from z = 0.</para>
/// </remarks>
public sealed class PolicyFlow : OnPolicyLearner
{
    /// <summary>Prepares to learn.</summary>
    /// <param name="environment">Where it acts; borrowed.</param>
    /// <param name="options">Settings.</param>
    /// <exception cref="ConfigException">An option is out of range.</exception>
    public PolicyFlow(IVectorEnvironment environment, PolicyFlowOptions options)
        : base("policy-flow", environment, options, Flow, given => new ClippedSurrogate(given.Bound))
    {
    }

    private static FlowPolicy Flow(IVectorEnvironment environment, OnPolicyOptions options, int capacity, RunningNormalizer normalizer, SeededRandom random) =>
        new(environment.ObservationSize, environment.ActionSize, (PolicyFlowOptions)options, capacity, normalizer, random);
}

/// <summary>A flow and the noise at its end. A trace is z, φ̂ and n.</summary>
internal sealed class FlowPolicy : IDrawnPolicy
{
    private static readonly double s_halfLogTwoPiE = 0.5 * Math.Log(2 * Math.PI * Math.E);

    private readonly PolicyFlowOptions _options;
    private readonly VelocityField _field;
    private readonly MlpPass _pass;
    private readonly MlpPass _before; // of v̂
    private readonly Matrix _points;
    private readonly double[] _times;
    private readonly int _actionSize;

    public FlowPolicy(int observationSize, int actionSize, PolicyFlowOptions options, int capacity, RunningNormalizer normalizer, SeededRandom random)
    {
        (_actionSize, _options) = (actionSize, options);
        var spec = VelocityField.Spec(observationSize, actionSize, options.Hidden);
        Network = new Mlp(spec, 1, random, target: true);
        Network.MakeOrthogonal(random, head: 0.01);
        _field = new VelocityField(Network, observationSize, actionSize, options.IntegrationSteps, options.LowestDeviation, options.HighestDeviation);
        Network.Free().Fill(_field.Raw(options.InitialDeviation));
        Network.CatchUp();
        (_pass, _before) = (new MlpPass(spec, capacity), new MlpPass(spec, capacity));
        _points = new Matrix(capacity, actionSize);
        _times = new double[capacity];
        Actor = new Actor(Network, ActorHead.Flow, normalizer, actionSize, field: _field);
    }

    public Actor Actor { get; }

    public Mlp Network { get; }

    public int TraceSize => 3 * _actionSize;

    public double Entropy => Enumerable.Range(0, _actionSize).Sum(j => s_halfLogTwoPiE + Math.Log(_field.Deviation(j)));

    public void Draw(Matrix observations, int first, int count, SeededRandom random, Span<float> actions, Matrix traces)
    {
        for (int i = 0; i < count; i++)
        {
            observations[first + i].CopyTo(_pass.Input[i]);
            random.FillGaussian(traces[first + i][.._actionSize]);
            traces[first + i][.._actionSize].CopyTo(_points[i]);
        }

        _field.Integrate(_pass, count, _points);
        for (int i = 0; i < count; i++)
        {
            Span<float> trace = traces[first + i], end = trace.Slice(_actionSize, _actionSize), noise = trace[(2 * _actionSize)..];
            _points[i].CopyTo(end);
            for (int j = 0; j < _actionSize; j++)
            {
                noise[j] = (float)random.NextGaussian() * _field.Deviation(j);
                actions[(i * _actionSize) + j] = end[j] + noise[j];
            }
        }
    }

    public void Freeze() => Network.CatchUp();

    public void LogRatios(Matrix observations, Matrix traces, int rows, SeededRandom random, Span<float> logRatios)
    {
        for (int i = 0; i < rows; i++)
        {
            double t = _times[i] = random.NextDouble();
            Span<float> point = _points[i], trace = traces[i];
            for (int j = 0; j < _actionSize; j++)
            {
                point[j] = (float)(((1 - t) * trace[j]) + (t * trace[_actionSize + j]));
            }

            observations[i].CopyTo(_pass.Input[i]);
            _field.Place(_pass.Input[i], point, t);
            _pass.Input[i].CopyTo(_before.Input[i]);
        }

        Network.Forward(_pass, rows);
        Network.Forward(_before, rows, weights: Weights.Target);
        for (int i = 0; i < rows; i++)
        {
            Span<float> raw = _pass.Output[i], old = _before.Output[i], noise = traces[i][(2 * _actionSize)..];
            float sum = 0;
            for (int j = 0; j < _actionSize; j++)
            {
                float sigma = _field.Deviation(j), sigmaBefore = _field.Deviation(j, Weights.Target);
                float left = (noise[j] - (VelocityField.Velocity(raw[j]) - VelocityField.Velocity(old[j]))) / sigma, was = noise[j] / sigmaBefore;
                sum += (0.5f * ((was * was) - (left * left))) - MathF.Log(sigma) + MathF.Log(sigmaBefore);
            }

            logRatios[i] = sum;
        }
    }

    public void Backward(Matrix traces, int rows, ReadOnlySpan<float> slopes, double entropyWeight)
    {
        Span<float> free = Network.FreeGradient();
        free.Clear();
        for (int j = 0; j < _actionSize; j++)
        {
            float sigma = _field.Deviation(j), precision = 1 / (sigma * sigma), sum = -(float)entropyWeight / sigma;
            for (int i = 0; i < rows; i++)
            {
                float v = VelocityField.Velocity(_pass.Output[i][j]), before = VelocityField.Velocity(_before.Output[i][j]);
                float t = (float)_times[i], left = traces[i][(2 * _actionSize) + j] - (v - before);
                float eta = ((1 - t) * v) - (_points[i][j] - (t * before));
                float slope = (slopes[i] * left * precision) + ((float)(2 * _options.BrownianWeight / rows) * eta * (1 - t));
                _pass.OutputGradient[i][j] = slope * VelocityField.Slope(v);
                sum += slopes[i] * ((left * left * precision) - 1) / sigma;
            }

            free[j] = sum * _field.DeviationSlope(sigma);
        }

        Network.Backward(_pass, rows);
    }
}
