using Robotics.Learning.Dense;
using Robotics.Learning.Networks;
using Robotics.Numerics;

namespace Robotics.Learning.OnPolicy;

/// <summary>A policy that remembers how it drew an action, and can say later how much likelier it has become to draw it again.</summary>
internal interface IDrawnPolicy
{
    /// <summary>As evaluation sees it.</summary>
    Actor Actor { get; }

    /// <summary>Its weights.</summary>
    Mlp Network { get; }

    /// <summary>Numbers that a draw leaves behind.</summary>
    int TraceSize { get; }

    /// <summary>Of what it draws, nats; of the noise that it adds where more is not known in closed form.</summary>
    double Entropy { get; }

    /// <summary>Draws an action per row; not clipped.</summary>
    /// <param name="observations">Normalised; rows <paramref name="first"/> and on are answered.</param>
    /// <param name="first">The first row.</param>
    /// <param name="count">How many.</param>
    /// <param name="random">Draws.</param>
    /// <param name="actions">[count, Da].</param>
    /// <param name="traces">Receives the draws' traces in the same rows.</param>
    void Draw(Matrix observations, int first, int count, SeededRandom random, Span<float> actions, Matrix traces);

    /// <summary>The policy as it stands is the one that the draws came from: called before an update.</summary>
    void Freeze();

    /// <summary>ln ρ, new probability over old, of traced draws.</summary>
    /// <param name="observations">[rows, Do], normalised.</param>
    /// <param name="traces">[rows, <see cref="TraceSize"/>].</param>
    /// <param name="rows">How many.</param>
    /// <param name="random">For an estimate that draws.</param>
    /// <param name="logRatios">[rows].</param>
    void LogRatios(Matrix observations, Matrix traces, int rows, SeededRandom random, Span<float> logRatios);

    /// <summary>Leaves the gradient of the loss in <see cref="Network"/>, after <see cref="LogRatios"/> of the same rows.</summary>
    /// <param name="traces">As before.</param>
    /// <param name="rows">As before.</param>
    /// <param name="slopes">[rows] ∂L/∂ ln ρ.</param>
    /// <param name="entropyWeight">The loss falls by so much times the entropy.</param>
    void Backward(Matrix traces, int rows, ReadOnlySpan<float> slopes, double entropyWeight);
}

/// <summary>What an on-policy method maximises in place of the return.</summary>
internal interface ISurrogate
{
    /// <summary>The loss of one draw.</summary>
    /// <param name="ratio">ρ.</param>
    /// <param name="advantage">A.</param>
    /// <returns>The loss and its derivative by ρ.</returns>
    (float Loss, float Slope) Loss(float ratio, float advantage);
}
