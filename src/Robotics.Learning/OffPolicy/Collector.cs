using Robotics.Learning.Data;
using Robotics.Numerics;

namespace Robotics.Learning.OffPolicy;

/// <summary>Steps environments and keeps what came of it as transitions over n steps.</summary>
/// <remarks>
/// Reward and discount are R = Σ γ^k r and γ^n, cut short where an episode ends: 0 where the task ended, γ^k where only time ran out, and
/// then s' is the observation that the episode really reached, not the first one of the next.
/// </remarks>
internal sealed class Collector
{
    private readonly IVectorEnvironment _environment;
    private readonly ReplayBuffer _buffer;
    private readonly int _steps;
    private readonly double _gamma;
    private readonly VectorStep _step;
    private readonly float[] _before;
    private readonly float[] _actions;
    private readonly Queue<(float[] Observation, float[] Action, float Reward)>[] _pending;
    private readonly double[] _returns;
    private double _sum;
    private int _episodes;

    public Collector(IVectorEnvironment environment, ReplayBuffer buffer, int steps, double gamma)
    {
        (_environment, _buffer, _steps, _gamma) = (environment, buffer, steps, gamma);
        _step = new VectorStep(environment.Count, environment.ObservationSize);
        _before = new float[environment.Count * environment.ObservationSize];
        _actions = new float[environment.Count * environment.ActionSize];
        _pending = [.. Enumerable.Range(0, environment.Count).Select(_ => new Queue<(float[], float[], float)>())];
        _returns = new double[environment.Count];
    }

    /// <summary>[N, Do]: what is acted on next.</summary>
    public ReadOnlySpan<float> Observations => _step.Observations;

    /// <summary>[N, Da]: fill before <see cref="Step"/>.</summary>
    public Span<float> Actions => _actions;

    /// <summary>Starts every environment anew; half-finished episodes count as cut off by time.</summary>
    public void Begin(ulong seed)
    {
        for (int i = 0; i < _pending.Length; i++)
        {
            Flush(i, Row(_step.Reached, i), terminated: false);
            _returns[i] = 0;
        }

        _environment.Reset(seed, _step.Observations);
    }

    /// <summary>Uniform actions in [-1, 1].</summary>
    public void Explore(SeededRandom random)
    {
        for (int i = 0; i < _actions.Length; i++)
        {
            _actions[i] = (float)random.NextDouble(-1, 1);
        }
    }

    /// <summary>One step of every environment.</summary>
    /// <exception cref="InvalidOperationException">An environment gave a reward or an observation that is no number.</exception>
    public void Step()
    {
        int size = _environment.ObservationSize;
        _step.Observations.CopyTo(_before);
        _environment.Step(_actions, _step);
        Finite.Check(_environment.Name, _step, size);
        for (int i = 0; i < _pending.Length; i++)
        {
            var queue = _pending[i];
            queue.Enqueue(([.. Row(_before, i)], [.. _actions.AsSpan(i * _environment.ActionSize, _environment.ActionSize)], _step.Rewards[i]));
            _returns[i] += _step.Rewards[i];
            if (_step.Terminated[i] || _step.Truncated[i])
            {
                Flush(i, Row(_step.Reached, i), _step.Terminated[i]);
                (_sum, _episodes, _returns[i]) = (_sum + _returns[i], _episodes + 1, 0);
            }
            else if (queue.Count == _steps)
            {
                Emit(queue, Row(_step.Reached, i), terminated: false);
            }
        }
    }

    /// <summary>Mean return of the episodes that ended since the last call (NaN: none), and how many.</summary>
    public (double Return, int Episodes) TakeReturns()
    {
        var taken = (_episodes == 0 ? double.NaN : _sum / _episodes, _episodes);
        (_sum, _episodes) = (0, 0);
        return taken;
    }

    private void Flush(int i, ReadOnlySpan<float> reached, bool terminated)
    {
        while (_pending[i].Count > 0)
        {
            Emit(_pending[i], reached, terminated);
        }
    }

    // The oldest entry, with everything that was earned since.
    private void Emit(Queue<(float[] Observation, float[] Action, float Reward)> queue, ReadOnlySpan<float> reached, bool terminated)
    {
        double sum = 0, weight = 1;
        foreach (var entry in queue)
        {
            sum += weight * entry.Reward;
            weight *= _gamma;
        }

        var (observation, action, _) = queue.Dequeue();
        _buffer.Add(observation, action, (float)sum, reached, terminated ? 0 : (float)weight);
    }

    private ReadOnlySpan<float> Row(float[] rows, int i) => rows.AsSpan(i * _environment.ObservationSize, _environment.ObservationSize);
}

/// <summary>An environment that gives numbers is the least that learning asks for.</summary>
internal static class Finite
{
    /// <exception cref="InvalidOperationException">A reward or an observation is NaN or infinite.</exception>
    public static void Check(string name, VectorStep step, int observationSize)
    {
        int reward = Array.FindIndex(step.Rewards, r => !float.IsFinite(r)), element = Array.FindIndex(step.Reached, x => !float.IsFinite(x));
        if (reward >= 0 || element >= 0)
        {
            string what = reward >= 0 ? $"a reward of {step.Rewards[reward]} in environment {reward}"
                : $"{step.Reached[element]} as observation element {element % observationSize} in environment {element / observationSize}";
            throw new InvalidOperationException(FormattableString.Invariant(
                $"Task '{name}' gave {what}: nothing can be learned from it. The last checkpoint is from before; look at the task's reward and its simulation."));
        }
    }
}
