using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Robotics.Numerics;

/// <summary>Where on the training timesteps a sampler of fewer steps stops. Trainer, exporter and runtime must agree.</summary>
public enum GridSpacing
{
    /// <summary>i·⌊T/S⌋, descending: ends at 0, starts below T - 1 (T = 100, S = 8 starts at 84).</summary>
    Leading,

    /// <summary>round(T, T - T/S, …) - 1: starts at T - 1, ends above 0.</summary>
    Trailing,

    /// <summary>round(linspace(0, T - 1, S)), descending: both ends.</summary>
    Linspace,
}

/// <summary>How much noise a variance-preserving diffusion holds at each of its T steps: x_t = √ᾱ_t·a + √(1-ᾱ_t)·n, where
/// t = 0 is almost clean and t = T - 1 almost pure noise.</summary>
/// <remarks>
/// Computed and kept in float64; immutable, so any thread may read it. The trainer and the runtime share this class, which is
/// the only place that knows a schedule's formula.
/// <para>Source: Nichol and Dhariwal 2021 (arXiv:2102.09672), named <c>squaredcos_cap_v2</c> in diffusers; grids as in
/// diffusers, rounding half to even as NumPy does.</para>
/// </remarks>
public sealed class NoiseSchedule
{
    private readonly double[] _betas;      // [T]
    private readonly double[] _alphaBars;  // [T]

    private NoiseSchedule(double[] betas)
    {
        _betas = betas;
        _alphaBars = new double[betas.Length];
        double product = 1;
        for (int t = 0; t < betas.Length; t++)
        {
            product *= 1 - betas[t];
            _alphaBars[t] = product;
        }
    }

    /// <summary>T, the number of training steps.</summary>
    public int Steps => _betas.Length;

    /// <summary>[T], β_t: the share of variance that step t replaces by noise.</summary>
    public ReadOnlySpan<double> Betas => _betas;

    /// <summary>[T], ᾱ_t = Π(1 - β): the share of the action's variance left at t.</summary>
    public ReadOnlySpan<double> AlphaBars => _alphaBars;

    /// <summary>The squared cosine, β_i = min(1 - f((i+1)/T)/f(i/T), 0.999) with f(u) = cos²((u + 0.008)/1.008·π/2).</summary>
    /// <param name="steps">T, at least 2.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="steps"/> is below 2.</exception>
    public static NoiseSchedule SquaredCosine(int steps)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(steps, 2);
        var betas = new double[steps];
        for (int i = 0; i < steps; i++)
        {
            betas[i] = Math.Min(1 - (Remaining((i + 1.0) / steps) / Remaining((double)i / steps)), 0.999);
        }

        return new NoiseSchedule(betas);

        static double Remaining(double u) => Math.Pow(Math.Cos((u + 0.008) / 1.008 * Math.PI / 2), 2);
    }

    /// <summary>A schedule written out in a package.</summary>
    /// <param name="betas">[T], each above 0 and below 1; at least two.</param>
    /// <exception cref="ArgumentException">A beta is not between 0 and 1, or there are fewer than two.</exception>
    public static NoiseSchedule FromBetas(ReadOnlySpan<double> betas)
    {
        if (betas.Length < 2)
        {
            throw new ArgumentException($"A noise schedule has at least 2 betas; this one has {betas.Length}.", nameof(betas));
        }

        for (int t = 0; t < betas.Length; t++)
        {
            if (!(betas[t] > 0 && betas[t] < 1))
            {
                throw new ArgumentException(
                    FormattableString.Invariant($"betas[{t}] is {betas[t]}, expected above 0 and below 1."), nameof(betas));
            }
        }

        return new NoiseSchedule(betas.ToArray());
    }

    /// <summary>SHA-256 of the betas as little-endian float32, 64 lower-case hex digits: what a package stores so that a
    /// schedule rebuilt from its name can be recognised.</summary>
    public string BetasSha256()
    {
        var bytes = new byte[_betas.Length * sizeof(float)];
        for (int t = 0; t < _betas.Length; t++)
        {
            BinaryPrimitives.WriteSingleLittleEndian(bytes.AsSpan(t * sizeof(float)), (float)_betas[t]);
        }

        return Convert.ToHexStringLower(SHA256.HashData(bytes));
    }

    /// <summary>The training timesteps that a sampler of S steps visits, noisiest first.</summary>
    /// <param name="spacing">How they are spread.</param>
    /// <param name="steps">S, 1 to T.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="steps"/> is not 1 to T, or the spacing is unknown.</exception>
    public int[] Grid(GridSpacing spacing, int steps)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(steps, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(steps, Steps);
        var grid = new int[steps];
        for (int i = 0; i < steps; i++)
        {
            grid[i] = spacing switch
            {
                GridSpacing.Leading => (steps - 1 - i) * (Steps / steps),
                GridSpacing.Trailing => (int)Math.Round(Steps - (i * ((double)Steps / steps)), MidpointRounding.ToEven) - 1,
                GridSpacing.Linspace => steps == 1
                    ? 0
                    : (int)Math.Round((steps - 1 - i) * ((Steps - 1.0) / (steps - 1)), MidpointRounding.ToEven),
                _ => throw new ArgumentOutOfRangeException(nameof(spacing), spacing, "Leading, Trailing or Linspace."),
            };
        }

        return grid;
    }
}
