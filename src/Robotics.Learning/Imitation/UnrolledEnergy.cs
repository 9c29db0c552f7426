using Robotics.Learning.Networks;
using static TorchSharp.torch;

namespace Robotics.Learning.Imitation;

/// <summary>How an energy is trained by walking down it.</summary>
public sealed record UnrolledEnergyOptions
{
    /// <summary>Steps of the walk, 1 to 32.</summary>
    public int Steps { get; init; } = 2;

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
        check.That(StepSize > 0 && double.IsFinite(StepSize), "step_size", FormattableString.Invariant($"is {StepSize}, expected above 0"));
        check.Throw();
        return this;
    }
}

/// <summary>The energy-based transformer's published objective: start from noise, take gradient steps on the energy, and ask the
/// result to be the demonstration.</summary>
/// <remarks>
/// Source: Gladstone et al. 2025, "Energy-Based Transformers are Scalable Learners and Thinkers" (arXiv:2507.02092).
/// Differs from the paper: the step size is not learned, since the energy's own scale is free and stands for it.
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
    public string Name => FormattableString.Invariant(
        $"unrolled_energy({_options.Steps},{_options.StepSize},{(_options.LastStepOnly ? "last" : "all")},{(_options.Detach ? "detached" : "through")})");

    /// <inheritdoc/>
    public Network Network { get; }

    /// <inheritdoc/>
    public Tensor Loss(Tensor condition, Tensor chunk, Tensor valid, Generator random)
    {
        ArgumentNullException.ThrowIfNull(chunk);
        using var scope = NewDisposeScope();
        var x = randn(chunk.shape, generator: random);                                           // [B, H, Da]
        var loss = zeros([]);
        for (int i = 0; i < _options.Steps; i++)
        {
            bool last = i == _options.Steps - 1;
            bool counts = last || !_options.LastStepOnly;
            if (_options.Detach)
            {
                x = x.detach();
            }

            var (_, gradient) = Network.EnergyGradient(x, condition, keepGraph: counts || !_options.Detach);
            x = x - ((float)_options.StepSize * gradient);                                       // [B, H, Da]
            loss = counts ? loss + Masked.MeanSquare(x - chunk, valid) : loss;
        }

        return (_options.LastStepOnly ? loss : loss / _options.Steps).MoveToOuterDisposeScope();
    }
}
