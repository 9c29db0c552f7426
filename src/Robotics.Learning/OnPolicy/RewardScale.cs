namespace Robotics.Learning.OnPolicy;

/// <summary>Divides rewards by the running deviation of the discounted return, so that one learning rate fits tasks of any unit.</summary>
/// <remarks>Source: <c>NormalizeReward</c> of Gymnasium, as CleanRL's PPO uses it: not centred, clipped to ±10.</remarks>
/// <param name="count">Environments.</param>
/// <param name="gamma">Discount per step.</param>
internal sealed class RewardScale(int count, double gamma)
{
    private const double Epsilon = 1e-8, Clip = 10;

    private readonly double[] _returns = new double[count];
    private double _count;
    private double _mean;
    private double _squares;

    /// <summary>Episodes start anew.</summary>
    public void Begin() => Array.Clear(_returns);

    /// <summary>Takes in one environment's reward.</summary>
    /// <param name="environment">Which.</param>
    /// <param name="reward">As the task gave it.</param>
    /// <param name="ended">The episode ended with it.</param>
    /// <returns>The scaled reward.</returns>
    public float Take(int environment, float reward, bool ended)
    {
        double sum = (_returns[environment] * gamma) + reward;
        _returns[environment] = ended ? 0 : sum;
        _count++;
        double before = sum - _mean;
        _mean += before / _count;
        _squares += before * (sum - _mean);

        // One return alone has no deviation: until there is one, rewards stay as they are.
        double variance = _count < 2 || _squares == 0 ? 1 : _squares / _count;
        return (float)Math.Clamp(reward / Math.Sqrt(variance + Epsilon), -Clip, Clip);
    }

    public void Write(BinaryWriter writer)
    {
        writer.Write(_count);
        writer.Write(_mean);
        writer.Write(_squares);
    }

    public void Read(BinaryReader reader) => (_count, _mean, _squares) = (reader.ReadDouble(), reader.ReadDouble(), reader.ReadDouble());
}
