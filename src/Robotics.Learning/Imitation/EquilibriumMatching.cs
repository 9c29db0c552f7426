using Robotics.Learning.Networks;
using static TorchSharp.torch;

namespace Robotics.Learning.Imitation;

/// <summary>Equilibrium matching: learns an energy whose slope points from noise to demonstrations and vanishes on them, so that
/// walking downhill stops by itself.</summary>
/// <remarks>
/// Source: the idea of Wang and Du 2025, "Equilibrium Matching", with an explicit scalar energy: L = ‖∇E(x) - c(γ)·(n - a)‖² at
/// x = γ·a + (1-γ)·n, c(γ) = 4·min(1, (1-γ)/0.2). No unrolling: one double backward per sample.
/// A network whose last layer says the action (<see cref="NetworkHead.Action"/>) has an energy of half the squared distance to it, whose
/// slope x - a falls in a straight line: c(γ) = 1-γ (the paper's linear decay), and a step of size η goes the share η of the way.
/// Padded rows carry no loss, but they take part in the energy.
/// </remarks>
public sealed class EquilibriumMatching : IImitation
{
    private const float Slope = 4, Flat = 0.2f;

    /// <summary>Takes the network over.</summary>
    /// <param name="network">Puts out an energy.</param>
    /// <exception cref="ConfigException">The network does not fit.</exception>
    public EquilibriumMatching(Network network)
    {
        Network = Masked.Expect(network, NetworkOutput.Energy, TimeSignal.None, nameof(EquilibriumMatching));
    }

    /// <inheritdoc/>
    public string Name => "equilibrium_matching";

    /// <inheritdoc/>
    public Network Network { get; }

    /// <inheritdoc/>
    public Tensor Loss(Tensor condition, Tensor chunk, Tensor valid, Generator random)
    {
        ArgumentNullException.ThrowIfNull(chunk);
        using var scope = NewDisposeScope();
        var gamma = rand([chunk.shape[0], 1, 1], generator: random);                  // [B, 1, 1]
        var noise = randn(chunk.shape, generator: random);                            // [B, H, Da]
        var rest = gamma.OneMinus();                                                  // [B, 1, 1], share of noise
        var point = (gamma * chunk).Plus(rest * noise);                               // [B, H, Da]
        var steepness = Network.Spec.Head == NetworkHead.Action ? rest : rest.Times(1.0 / Flat).AtMost(1).Times(Slope); // [B, 1, 1]
        var (_, gradient) = Network.EnergyGradient(point, condition, keepGraph: true);
        var error = gradient.Minus(steepness * noise.Minus(chunk));                   // [B, H, Da]
        return Masked.MeanSquare(error, valid).MoveToOuterDisposeScope();
    }
}
