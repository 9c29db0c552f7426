using Robotics.Numerics;

namespace Robotics.Packages;

/// <summary>How the runtime turns noise into an action chunk with a package's step network: exactly one of
/// <see cref="Diffusion"/>, <see cref="Flow"/> and <see cref="Energy"/>, the one that <see cref="PolicyManifest.Kind"/> asks for; a joint
/// model takes <see cref="Flow"/> and <see cref="Joint"/>.</summary>
public sealed record SamplerSpec
{
    /// <summary>Tp: rows of the network's chunk, 1 to 1024. <see cref="ActionSpec.FirstRow"/> + <see cref="ActionSpec.Rows"/> of them
    /// fit inside.</summary>
    public required int Horizon { get; init; }

    /// <summary>For <see cref="PolicyKind.Denoiser"/>.</summary>
    public DiffusionSpec? Diffusion { get; init; }

    /// <summary>For <see cref="PolicyKind.Velocity"/>, and the chunks of <see cref="PolicyKind.Joint"/>.</summary>
    public FlowSpec? Flow { get; init; }

    /// <summary>For <see cref="PolicyKind.Energy"/>.</summary>
    public EnergySpec? Energy { get; init; }

    /// <summary>For <see cref="PolicyKind.Joint"/>.</summary>
    public JointModelSpec? Joint { get; init; }

    /// <summary>K: chunks sampled side by side in one batch, 1 to 256. An energy policy executes the lowest, a joint one what
    /// <see cref="JointModelSpec.Selection"/> says, the others the first (or the nearest to the running chunk after a warm start).</summary>
    public int Candidates { get; init; } = 1;

    /// <summary>Fewest network calls that make a plan, 1 or more: with time for fewer the plan is late.</summary>
    public int MinCalls { get; init; } = 1;

    /// <summary>Starting from the previous chunk; null: always from noise.</summary>
    public WarmStartSpec? WarmStart { get; init; }

    /// <summary>Planning on from the chunk in execution (real-time chunking); null: each chunk stands alone. For diffusion and flow.</summary>
    public InpaintSpec? Inpaint { get; init; }
}

/// <summary>A denoising sampler; the network predicts from x_t = √ᾱ·a + √(1-ᾱ)·n and an integer timestep.</summary>
public sealed record DiffusionSpec
{
    /// <summary><c>squaredcos_cap_v2</c>, or <c>betas</c> for the list in <see cref="Betas"/>.</summary>
    public string Schedule { get; init; } = "squaredcos_cap_v2";

    /// <summary>T the network was trained with, 1 to 10000.</summary>
    public int TrainSteps { get; init; } = 100;

    /// <summary>[T], for the schedule <c>betas</c>; null otherwise.</summary>
    public IReadOnlyList<double>? Betas { get; init; }

    /// <summary>SHA-256 of the betas the trainer used, see <see cref="NoiseSchedule.BetasSha256"/>; null: not checked.</summary>
    public string? BetasSha256 { get; init; }

    /// <summary>What the network predicts: <c>epsilon</c>, <c>sample</c> or <c>velocity</c>.</summary>
    public Prediction Prediction { get; init; } = Prediction.Epsilon;

    /// <summary><c>ddpm</c>, <c>ddim</c> or <c>dpm_solver</c> (DPM-Solver++ 2M).</summary>
    public DiffusionSolver Solver { get; init; } = DiffusionSolver.Ddim;

    /// <summary>S, network calls of a plan, 1 to T.</summary>
    public int Steps { get; init; } = 10;

    /// <summary><c>leading</c>, <c>trailing</c> or <c>linspace</c>.</summary>
    public GridSpacing Spacing { get; init; } = GridSpacing.Leading;

    /// <summary>Clip of the clean estimate, above 0; 0: not clipped.</summary>
    public double Clip { get; init; } = 1;

    /// <summary>DDIM's share of ancestral noise, 0 to 1.</summary>
    public double Eta { get; init; }

    /// <summary>ᾱ after the last step, above 0 and at most 1.</summary>
    public double FinalAlpha { get; init; } = 1;
}

/// <summary>A flow sampler: a velocity integrated from noise to the action.</summary>
public sealed record FlowSpec
{
    /// <summary><c>euler</c>, <c>midpoint</c> or <c>heun</c>.</summary>
    public FlowSolver Solver { get; init; } = FlowSolver.Euler;

    /// <summary>Integration steps, 1 to 1000; midpoint and Heun make two calls each.</summary>
    public int Steps { get; init; } = 10;

    /// <summary>The network's own time at the action: 1 (velocity = a - n), or 0 (openpi, LeRobot: velocity = n - a).</summary>
    public int DataAt { get; init; } = 1;

    /// <summary>Multiplies the time that the graph is given; above 0.</summary>
    public double TimeScale { get; init; } = 1;
}

/// <summary>Descent on a learned energy.</summary>
public sealed record EnergySpec
{
    /// <summary>Multiplies the gradient; above 0.</summary>
    public double StepSize { get; init; } = 0.06;

    /// <summary>Share of the last move that is kept, 0 to below 1.</summary>
    public double Momentum { get; init; } = 0.35;

    /// <summary>A chunk whose gradient's root mean square is below this has settled; 0: every step is taken.</summary>
    public double Tolerance { get; init; }

    /// <summary>Most network calls of a plan, 1 to 1000.</summary>
    public int MaxSteps { get; init; } = 10;
}

/// <summary>Starts a plan from the previous chunk, moved on by the rows executed since and noised part of the way.</summary>
public sealed record WarmStartSpec
{
    /// <summary>Noise put back: 0 to below 1, as a share of the way to pure noise (timestep/T; 1 - s; for an energy the weight of
    /// the noise).</summary>
    public double From { get; init; } = 0.3;

    /// <summary>Steps for the rest of the way, 1 or more; the solver is the sampler's own.</summary>
    public int Steps { get; init; } = 2;

    /// <summary>Every so many plans start from noise again, against drift; 0: only after a reset.</summary>
    public int RefreshEvery { get; init; } = 10;
}

/// <summary>Pulls every step towards the chunk in execution: fully on the rows that will have been executed, less and less on the rest.</summary>
/// <remarks>Source: Black et al. 2025 (arXiv:2506.07339), with the Jacobian taken as the identity, which needs no gradient.</remarks>
public sealed record InpaintSpec
{
    /// <summary>β, largest gain; above 0.</summary>
    public double Gain { get; init; } = 5;

    /// <summary>Rows at the end of a chunk that are not pulled, at least; 0 or above. The rows that the running chunk does not reach are
    /// free anyway.</summary>
    public int FreeRows { get; init; }

    /// <summary>How the pull fades after the executed rows.</summary>
    public GuidanceDecay Decay { get; init; } = GuidanceDecay.Exponential;
}
