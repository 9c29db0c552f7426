using Robotics.Packages;

namespace Robotics.Learning.Data;

/// <summary>Mean and deviation of observations, gathered while learning; what the learner saw them through travels in the package.</summary>
/// <remarks>
/// Statistics in float64, batch by batch (Chan et al. 1979); applied in float32 exactly as <see cref="Numerics.Normalizer"/> does on the
/// robot. An element that never moves has deviation 1.
/// </remarks>
public sealed class RunningNormalizer
{
    private const float Epsilon = 1e-8f;

    private readonly double[] _mean;
    private readonly double[] _squares;
    private readonly float[] _center;
    private readonly float[] _spread;
    private double _count;

    /// <summary>Starts as identity.</summary>
    /// <param name="size">Elements of an observation.</param>
    /// <param name="clip">Symmetric clip of what comes out; null: none.</param>
    public RunningNormalizer(int size, float? clip = null)
    {
        (_mean, _squares, _center, _spread, Clip) = (new double[size], new double[size], new float[size], new float[size], clip);
        Array.Fill(_spread, 1);
    }

    /// <summary>Elements of an observation.</summary>
    public int Size => _mean.Length;

    /// <summary>Symmetric clip of what comes out; null: none.</summary>
    public float? Clip { get; }

    /// <summary>Takes in observations.</summary>
    /// <param name="rows">[N, size], finite.</param>
    public void Update(ReadOnlySpan<float> rows)
    {
        int size = _mean.Length;
        for (int at = 0; at < rows.Length; at += size)
        {
            _count++;
            for (int j = 0; j < size; j++)
            {
                double before = rows[at + j] - _mean[j];
                _mean[j] += before / _count;
                _squares[j] += before * (rows[at + j] - _mean[j]);
            }
        }

        for (int j = 0; j < size; j++)
        {
            double deviation = Math.Sqrt(_squares[j] / Math.Max(1, _count));
            (_center[j], _spread[j]) = ((float)_mean[j], (deviation < 1e-6 ? 1f : (float)deviation) + Epsilon);
        }
    }

    /// <summary>One observation as the network sees it.</summary>
    /// <param name="observation">[size].</param>
    /// <param name="into">[size].</param>
    public void Apply(ReadOnlySpan<float> observation, Span<float> into)
    {
        float clip = Clip ?? float.PositiveInfinity;
        for (int j = 0; j < observation.Length; j++)
        {
            float value = (observation[j] - _center[j]) / _spread[j];
            into[j] = value < -clip ? -clip : value > clip ? clip : value;
        }
    }

    /// <summary>Both observations of rows [from, from + count) of a batch, in place.</summary>
    internal void Apply(Batch batch, int from, int count)
    {
        for (int i = from; i < from + count; i++)
        {
            Apply(batch.Observations[i], batch.Observations[i]);
            Apply(batch.Next[i], batch.Next[i]);
        }
    }

    /// <summary>As it stands in a package; null while it is identity.</summary>
    public NormalizationSpec? Spec() => _count == 0 && Clip is null
        ? null
        : new NormalizationSpec { Mode = "mean_std", Mean = [.. _center], Std = [.. _spread.Select(s => s - Epsilon)], Epsilon = Epsilon, Clip = Clip };

    internal void Write(BinaryWriter writer)
    {
        writer.Write(_count);
        for (int j = 0; j < _mean.Length; j++)
        {
            writer.Write(_mean[j]);
            writer.Write(_squares[j]);
        }
    }

    internal void Read(BinaryReader reader)
    {
        _count = reader.ReadDouble();
        for (int j = 0; j < _mean.Length; j++)
        {
            (_mean[j], _squares[j]) = (reader.ReadDouble(), reader.ReadDouble());
        }

        if (_count > 0)
        {
            Update([]);
        }
    }
}
