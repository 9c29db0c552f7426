using System.Text.Json;
using Robotics.Learning.Networks;
using static TorchSharp.torch;

namespace Robotics.Learning.Imitation;

/// <summary>How an energy is trained by walking down it.</summary>
public sealed record UnrolledEnergyOptions
{
    /// <summary>Steps of the walk, 1 to 32.</summary>
    public int Steps { get; init; } = 2;

    /// <summary>Up to so many steps more, drawn anew for each batch; 0 to 32.</summary>
    public int ExtraSteps { get; init; }

    /// <summary>Share of the last move that is kept, 0 to below 1; the sampler uses the same.</summary>
    public double Momentum { get; init; }

    /// <summary>Noise added before the first step, falling along half a cosine to <see cref="LastNoise"/>; 0 to 1.</summary>
    public double FirstNoise { get; init; }

    /// <summary>Noise added before the last step, 0 to 1.</summary>
    public double LastNoise { get; init; }

    /// <summary>r: each chunk's step size is multiplied by a number drawn from 1/r to r; 1 (not at all) to 10.</summary>
    public double StepJitter { get; init; } = 1;

    /// <summary>Multiplies the gradient; above 0.</summary>
    public double StepSize { get; init; } = 1;

    /// <summary>Only the last step carries a loss ("truncated"); otherwise the mean over all, which asks the first step alone to
    /// reach the demonstration.</summary>
    public bool LastStepOnly { get; init; } = true;

    /// <summary>A step's start is a constant: the loss does not reach back through earlier steps.</summary>
    public bool Detach { get; init; } = true;

    /// <summary>Returns this record, or reports everything wrong with it at once.</summary>
    /// <param name="source">Where the values came from: a file path or "code".</param>
    /// <exception cref="ConfigException">One or more values are out of range.</exception>
    public UnrolledEnergyOptions Checked(string source)
    {
        var check = new ConfigCheck(source);
        check.Range(Steps, 1, 32, "steps");
        check.Range(ExtraSteps, 0, 32, "extra_steps");
        check.That(Momentum is >= 0 and < 1, "momentum", FormattableString.Invariant($"is {Momentum}, expected 0 to below 1"));
        check.Range(FirstNoise, 0, 1, "first_noise");
        check.Range(LastNoise, 0, 1, "last_noise");
        check.Range(StepJitter, 1, 10, "step_jitter");
        check.That(StepSize > 0 && double.IsFinite(StepSize), "step_size", FormattableString.Invariant($"is {StepSize}, expected above 0"));
        check.Throw();
        return this;
    }
}

/// <summary>The energy-based transformer's published objective: start from noise, take gradient steps on the energy, and ask the
/// result to be the demonstration.</summary>
/// <remarks>
/// Source: Gladstone et al. 2025, "Energy-Based Transformers are Scalable Learners and Thinkers" (arXiv:2507.02092); momentum,
/// falling noise, jitter and a random number of steps as in EBT-Policy's code.
/// Differs from both: the step size is not learned, since the energy's own scale is free and stands for it; no factor exp(E) on the
/// step and no RMS norm of the chunk over the batch, which would make a result depend on its neighbours; no look-ahead.
/// What it cannot do: the start knows nothing of the answer, so the optimum is the conditional mean; where demonstrations take two
/// ways round an obstacle, it drives into it. Kept as the honest comparison to <see cref="EquilibriumMatching"/>.
/// </remarks>
public sealed class UnrolledEnergy : IImitation
{
    private readonly UnrolledEnergyOptions _options;

    /// <summary>Takes the network over.</summary>
    /// <param name="network">Puts out an energy.</param>
    /// <param name="options">The walk.</param>
    /// <exception cref="ConfigException">The network does not fit, or an option is out of range.</exception>
    public UnrolledEnergy(Network network, UnrolledEnergyOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        Network = Masked.Expect(network, NetworkOutput.Energy, TimeSignal.None, nameof(UnrolledEnergy));
        _options = options.Checked(nameof(UnrolledEnergy));
    }

    /// <inheritdoc/>
    public string Name => "unrolled_energy" + JsonSerializer.Serialize(_options);

    /// <inheritdoc/>
    public Network Network { get; }

    /// <inheritdoc/>
    public Tensor Loss(Tensor condition, Tensor chunk, Tensor valid, Generator random)
    {
        ArgumentNullException.ThrowIfNull(chunk);
        using var scope = NewDisposeScope();
        long batch = chunk.shape[0];
        long steps = _options.Steps + randint(_options.ExtraSteps + 1, [1], dtype: ScalarType.Int64, generator: random).item<long>();
        double r = _options.StepJitter;
        var size = rand([batch, 1, 1], generator: random).Times(r - (1 / r)).Plus(1 / r).Times(_options.StepSize);
        var x = randn(chunk.shape, generator: random);                                             // [B, H, Da]
        var velocity = zeros_like(x);                                                              // [B, H, Da]
        var loss = zeros([]);
        for (long i = 0; i < steps; i++)
        {
            bool counts = i == steps - 1 || !_options.LastStepOnly;
            if (_options.Detach)
            {
                (x, velocity) = (x.detach(), velocity.detach());
            }

            double fall = 0.5 * (1 + Math.Cos(Math.PI * i / Math.Max(steps - 1, 1)));
            double sigma = _options.LastNoise + ((_options.FirstNoise - _options.LastNoise) * fall);
            x = sigma > 0 ? x.Plus(randn(chunk.shape, generator: random).Times(sigma)) : x;
            var (_, gradient) = Network.EnergyGradient(x, condition, keepGraph: counts || !_options.Detach);
            velocity = velocity.Times(_options.Momentum).Minus(size * gradient);
            x = x.Plus(velocity);
            loss = counts ? loss.Plus(Masked.MeanSquare(x.Minus(chunk), valid)) : loss;
        }

        return (_options.LastStepOnly ? loss : loss.Times(1.0 / steps)).MoveToOuterDisposeScope();
    }
}
