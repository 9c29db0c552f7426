namespace Robotics.Numerics;

/// <summary>How a generative network says where a noisy chunk should go. All four say the same, given the noise level.</summary>
public enum ScoreForm
{
    /// <summary>The noise n; the score is -n / (share of noise).</summary>
    Noise,

    /// <summary>The action a.</summary>
    Action,

    /// <summary>√ᾱ·n - √(1-ᾱ)·a, of diffusion.</summary>
    DiffusionVelocity,

    /// <summary>a - n, of flows.</summary>
    FlowVelocity,
}

/// <summary>Where a noisy chunk stands between noise and action: x = <paramref name="Signal"/>·a + <paramref name="Noise"/>·n.</summary>
/// <remarks>
/// The common ground of every family with Gaussian noise: diffusion has Signal² + Noise² = 1, a flow Signal + Noise = 1, an EDM
/// denoiser Signal = 1. Points of two families are the same point when Signal/Noise agrees: they differ by a factor only.
/// In one level every <see cref="ScoreForm"/> is a linear function of x and of every other form, so that a mean of scores, of
/// noises, of actions or of velocities is one and the same mean.
/// </remarks>
/// <param name="Signal">Share of the action, 0 or above.</param>
/// <param name="Noise">Share of the noise, above 0.</param>
public readonly record struct NoiseLevel(double Signal, double Noise)
{
    /// <summary>s of the flow point that is this one but for a factor: 0 is noise, 1 the action.</summary>
    public double FlowTime => Signal / (Signal + Noise);

    /// <summary>c: x times this is the flow point.</summary>
    public double ToFlow => 1 / (Signal + Noise);

    /// <summary>The level of a diffusion step.</summary>
    /// <param name="alphaBar">ᾱ, 0 to below 1.</param>
    public static NoiseLevel OfDiffusion(double alphaBar) => new(Math.Sqrt(alphaBar), Math.Sqrt(1 - alphaBar));

    /// <summary>The level of a flow at time s.</summary>
    /// <param name="s">House time, 0 (noise) to below 1.</param>
    public static NoiseLevel OfFlow(double s) => new(s, 1 - s);

    /// <summary>The form that a denoiser's prediction is.</summary>
    public static ScoreForm FormOf(Prediction prediction) => prediction switch
    {
        Prediction.Epsilon => ScoreForm.Noise,
        Prediction.Sample => ScoreForm.Action,
        _ => ScoreForm.DiffusionVelocity,
    };

    /// <summary>The action that an output means: <c>X·x + Output·output</c>. Grows without bound for <see cref="ScoreForm.Noise"/> as
    /// Signal goes to 0: pure noise says nothing of the action.</summary>
    public LinearForm ActionFrom(ScoreForm form) => form switch
    {
        ScoreForm.Noise => new(1 / Signal, -Noise / Signal),
        ScoreForm.Action => new(0, 1),
        ScoreForm.DiffusionVelocity => new(Signal / ((Signal * Signal) + (Noise * Noise)), -Noise / ((Signal * Signal) + (Noise * Noise))),
        _ => new(1 / (Signal + Noise), Noise / (Signal + Noise)),
    };

    /// <summary>The output that an action means: <c>X·x + Output·action</c>.</summary>
    public LinearForm OutputOf(ScoreForm form) => form switch
    {
        ScoreForm.Noise => new(1 / Noise, -Signal / Noise),
        ScoreForm.Action => new(0, 1),
        ScoreForm.DiffusionVelocity => new(Signal / Noise, -((Signal * Signal) + (Noise * Noise)) / Noise),
        _ => new(-1 / Noise, (Signal + Noise) / Noise),
    };
}

/// <summary>A linear function of a noisy chunk x and of something said about it.</summary>
/// <param name="X">Share of x.</param>
/// <param name="Output">Share of what was said.</param>
public readonly record struct LinearForm(double X, double Output)
{
    /// <summary>The value at one element.</summary>
    public double At(double x, double output) => (X * x) + (Output * output);
}
