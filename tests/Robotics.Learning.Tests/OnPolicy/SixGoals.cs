namespace Robotics.Learning.Tests.OnPolicy;

/// <summary>The policy cards' bandit: one action per episode, six equal goals on a circle of radius 1.5, reward exp(-d²/0.125) of the
/// nearest. Actions are not clamped here.</summary>
internal sealed class SixGoals(int count) : IVectorEnvironment
{
    public string Name => "six-goals";

    public int Count => count;

    public int ObservationSize => 1;

    public int ActionSize => 2;

    /// <summary>The reward of an action.</summary>
    public static float Reward(double x, double y)
    {
        double angle = Math.Round(Math.Atan2(y, x) / (Math.Tau / 6)) * (Math.Tau / 6), dx = x - (1.5 * Math.Cos(angle)), dy = y - (1.5 * Math.Sin(angle));
        return (float)Math.Exp(-((dx * dx) + (dy * dy)) / 0.125);
    }

    public void Reset(ulong seed, Span<float> observations) => observations.Clear();

    public void Step(ReadOnlySpan<float> actions, VectorStep step)
    {
        for (int i = 0; i < count; i++)
        {
            step.Rewards[i] = Reward(actions[2 * i], actions[(2 * i) + 1]);
            step.Terminated[i] = true;
        }
    }

    public void Dispose()
    {
    }
}
