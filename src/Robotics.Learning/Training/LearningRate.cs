namespace Robotics.Learning.Training;

/// <summary>Learning rate over a run: up in a straight line, then down along half a cosine.</summary>
public static class LearningRate
{
    /// <summary>The factor on the peak rate at a step.</summary>
    /// <param name="step">0 to <paramref name="steps"/> - 1.</param>
    /// <param name="warmUp">Steps until the peak; below <paramref name="steps"/>.</param>
    /// <param name="steps">Steps of the run.</param>
    /// <returns>0 to 1; 0 at step 0 when there is a warm-up.</returns>
    public static double Factor(long step, long warmUp, long steps) => step < warmUp
        ? (double)step / warmUp
        : 0.5 * (1 + Math.Cos(Math.PI * Math.Min((double)(step - warmUp) / Math.Max(steps - warmUp, 1), 1)));
}

/// <summary>How much of an averaged weight is kept at each update: little at first, so that the average forgets where it began.</summary>
/// <remarks>Source: <c>ema_model.py</c> of Diffusion Policy, after Karras; power 0.75 reaches 0.999 at ten thousand updates.</remarks>
public static class AverageDecay
{
    /// <summary>The decay of update <paramref name="update"/>.</summary>
    /// <param name="update">Counts from 0.</param>
    /// <param name="power">How fast the memory grows; above 0.</param>
    /// <param name="most">Largest decay.</param>
    public static double At(long update, double power = 0.75, double most = 0.9999) =>
        update <= 1 ? 0 : Math.Min(most, 1 - Math.Pow(update, -power));
}
