using Robotics.Learning.Dense;

namespace Robotics.Learning.OnPolicy;

/// <summary>What N environments gave in T steps; row t·N + i is step t of environment i. Filled again for every update.</summary>
internal sealed class Experience(int rows, int observationSize, int traceSize)
{
    /// <summary>T·N.</summary>
    public int Rows => rows;

    /// <summary>[T·N, Do] as the policy saw it when it acted.</summary>
    public Matrix Observations { get; } = new(rows, observationSize);

    /// <summary>[T·N, Do] where the step led to, as the policy would have seen it then; also where the episode ended there.</summary>
    public Matrix Reached { get; } = new(rows, observationSize);

    /// <summary>[T·N, trace] of the policy's draws.</summary>
    public Matrix Traces { get; } = new(rows, traceSize);

    /// <summary>[T·N], scaled.</summary>
    public float[] Rewards { get; } = new float[rows];

    /// <summary>[T·N]: the task ended.</summary>
    public bool[] Terminated { get; } = new bool[rows];

    /// <summary>[T·N]: the episode ended, by the task or by time.</summary>
    public bool[] Ended { get; } = new bool[rows];

    /// <summary>[T·N] V(s), see <see cref="Advantage"/>.</summary>
    public float[] Values { get; } = new float[rows];

    /// <summary>[T·N] V(s').</summary>
    public float[] Next { get; } = new float[rows];

    /// <summary>[T·N] A.</summary>
    public float[] Advantages { get; } = new float[rows];

    /// <summary>[T·N] A + V(s).</summary>
    public float[] Returns { get; } = new float[rows];
}
