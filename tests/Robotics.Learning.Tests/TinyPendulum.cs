using Robotics.Numerics;

namespace Robotics.Learning.Tests;

/// <summary>The classic pendulum (OpenAI Gym's Pendulum-v1: g 10, l 1, m 1, 2 N·m, 50 ms, 200 steps), small enough to read.</summary>
internal sealed class TinyPendulum(int count, int limit = 200) : IVectorEnvironment
{
    private readonly SeededRandom[] _random = [.. Enumerable.Range(0, count).Select(_ => new SeededRandom(0))];
    private readonly double[] _angle = new double[count];
    private readonly double[] _speed = new double[count];
    private readonly int[] _time = new int[count];

    public string Name => "tiny-pendulum";

    public int Count => count;

    public int ObservationSize => 3;

    public int ActionSize => 1;

    /// <summary>From this step on, rewards are NaN.</summary>
    public long BreaksAt { get; init; } = long.MaxValue;

    public long Steps { get; private set; }

    public void Reset(ulong seed, Span<float> observations)
    {
        for (int i = 0; i < count; i++)
        {
            _random[i].Reset(seed + (7919 * (ulong)i));
            Start(i);
            Observe(i, observations.Slice(3 * i, 3));
        }
    }

    public void Step(ReadOnlySpan<float> actions, VectorStep step)
    {
        for (int i = 0; i < count; i++)
        {
            double torque = 2 * Math.Clamp(actions[i], -1, 1), angle = Math.IEEERemainder(_angle[i], 2 * Math.PI);
            step.Rewards[i] = Steps >= BreaksAt ? float.NaN : (float)-((angle * angle) + (0.1 * _speed[i] * _speed[i]) + (0.001 * torque * torque));
            _speed[i] = Math.Clamp(_speed[i] + (0.05 * ((15 * Math.Sin(_angle[i])) + (3 * torque))), -8, 8);
            _angle[i] += 0.05 * _speed[i];
            Observe(i, step.Reached.AsSpan(3 * i, 3));
            step.Truncated[i] = ++_time[i] == limit;
            if (step.Truncated[i])
            {
                Start(i);
            }

            Observe(i, step.Observations.AsSpan(3 * i, 3));
        }

        Steps++;
    }

    public void Dispose()
    {
    }

    private void Start(int i) => (_angle[i], _speed[i], _time[i]) = (_random[i].NextDouble(-Math.PI, Math.PI), _random[i].NextDouble(-1, 1), 0);

    private void Observe(int i, Span<float> into) => (into[0], into[1], into[2]) = ((float)Math.Cos(_angle[i]), (float)Math.Sin(_angle[i]), (float)_speed[i]);
}
