namespace Robotics.Numerics;

/// <summary>What a denoising network predicts, with x = √ᾱ·a + √(1-ᾱ)·n.</summary>
public enum Prediction
{
    /// <summary>The noise n.</summary>
    Epsilon,

    /// <summary>The clean action a.</summary>
    Sample,

    /// <summary>√ᾱ·n - √(1-ᾱ)·a.</summary>
    Velocity,
}

/// <summary>How a denoising step is taken.</summary>
public enum DiffusionSolver
{
    /// <summary>Ancestral sampling with the small variance; one noise per step. Ho et al. 2020 (arXiv:2006.11239).</summary>
    Ddpm,

    /// <summary>Implicit steps; deterministic when eta is 0. Song et al. 2021 (arXiv:2010.02502).</summary>
    Ddim,

    /// <summary>DPM-Solver++(2M), first order on the first and the last step. Lu et al. 2022 (arXiv:2211.01095).</summary>
    DpmSolver,
}

/// <summary>How a diffusion policy turns noise into an action chunk.</summary>
public sealed record DiffusionOptions
{
    /// <summary>Solver.</summary>
    public DiffusionSolver Solver { get; init; } = DiffusionSolver.Ddim;

    /// <summary>S, one network call each; 1 to T.</summary>
    public int Steps { get; init; } = 10;

    /// <summary>Which timesteps are visited.</summary>
    public GridSpacing Spacing { get; init; } = GridSpacing.Leading;

    /// <summary>What the network predicts.</summary>
    public Prediction Prediction { get; init; } = Prediction.Epsilon;

    /// <summary>The estimate of the clean action is clipped to ± this, above 0; null: not clipped.</summary>
    public double? Clip { get; init; } = 1;

    /// <summary>Share of ancestral noise in a DDIM step, 0 (none) to 1 (as much as DDPM).</summary>
    public double Eta { get; init; }

    /// <summary>ᾱ after the last step, above 0 and at most 1.</summary>
    public double FinalAlphaBar { get; init; } = 1;

    /// <summary>The noise estimate is taken again from the clipped action instead of from the raw network output.</summary>
    public bool UseClippedOutput { get; init; }

    /// <summary>Returns this record, or reports everything wrong with it at once.</summary>
    /// <param name="source">Where the values came from: a file path or "code".</param>
    /// <param name="trainSteps">T of the schedule.</param>
    /// <exception cref="ConfigException">One or more values are out of range.</exception>
    public DiffusionOptions Checked(string source, int trainSteps)
    {
        var check = new ConfigCheck(source);
        check.Range(Steps, 1, trainSteps, "steps");
        check.Range(Eta, 0, 1, "eta");
        check.That(Clip is not { } clip || (clip > 0 && double.IsFinite(clip)), "clip", $"is {Clip}, expected above 0, or null");
        check.That(
            FinalAlphaBar is > 0 and <= 1, "final_alpha", FormattableString.Invariant($"is {FinalAlphaBar}, expected above 0, up to 1"));
        check.That(
            Eta == 0 || Solver == DiffusionSolver.Ddim, "eta", FormattableString.Invariant($"is {Eta}, but only DDIM has one; {Solver} is chosen"));
        check.Throw();
        return this;
    }
}

/// <summary>Denoises an action chunk one network call at a time, so that a caller with a deadline can stop after any of them.</summary>
/// <remarks>
/// Every solver is the same line over a table of coefficients:
/// <c>x' = X·x + Clean·x̂0 + Noise estimate·ε̂ + Previous·x̂0(previous step) + Draw·ξ</c>, where x̂0 and ε̂ are linear in x and in the
/// network's output. The table is computed in float64 when the sampler is made; a step allocates nothing.
/// Immutable: threads may share one, each with its own buffers. Non-finite input gives non-finite output, never a clipped
/// number.
/// <para>Differs from diffusers on uneven grids: a step goes to the next timestep of the grid, not to t - ⌊T/S⌋.</para>
/// </remarks>
public sealed class DiffusionSampler
{
    private readonly DenoisingStep[] _rows;
    private readonly int[] _timesteps;

    /// <summary>Builds the table for the grid that the options name.</summary>
    /// <exception cref="ConfigException">An option is out of range.</exception>
    public DiffusionSampler(NoiseSchedule schedule, DiffusionOptions options)
        : this(schedule, options, Grid(schedule, options))
    {
    }

    /// <summary>Builds the table for an explicit grid, for example the short one of a warm start (30, 10).</summary>
    /// <param name="schedule">The schedule the network was trained with.</param>
    /// <param name="options">Solver and prediction; <see cref="DiffusionOptions.Steps"/> and spacing are ignored.</param>
    /// <param name="timesteps">Strictly descending, each 0 to T - 1.</param>
    /// <exception cref="ConfigException">An option is out of range.</exception>
    /// <exception cref="ArgumentException">The grid is empty, not descending, or outside the schedule.</exception>
    public DiffusionSampler(NoiseSchedule schedule, DiffusionOptions options, ReadOnlySpan<int> timesteps)
    {
        ArgumentNullException.ThrowIfNull(schedule);
        ArgumentNullException.ThrowIfNull(options);
        options = (options with { Steps = Math.Clamp(timesteps.Length, 1, schedule.Steps) }).Checked("sampler", schedule.Steps);
        CheckGrid(schedule, timesteps);
        _timesteps = timesteps.ToArray();
        Clip = options.Clip ?? double.PositiveInfinity;
        UsesClippedOutput = options.UseClippedOutput;
        _rows = new DenoisingStep[timesteps.Length];
        for (int i = 0; i < timesteps.Length; i++)
        {
            bool last = i == timesteps.Length - 1;
            double now = schedule.AlphaBars[timesteps[i]];
            double next = last ? options.FinalAlphaBar : schedule.AlphaBars[timesteps[i + 1]];
            double? before = i == 0 || last ? null : schedule.AlphaBars[timesteps[i - 1]];
            var estimates = Estimates(options.Prediction, now);
            _rows[i] = options.Solver switch
            {
                DiffusionSolver.Ddpm => Ddpm(estimates, now, next, last),
                DiffusionSolver.Ddim => Ddim(estimates, now, next, options.Eta),
                DiffusionSolver.DpmSolver => DpmSolver(estimates, now, next, before),
                _ => throw new ArgumentException($"Solver {options.Solver} is unknown.", nameof(options)),
            };
        }
    }

    /// <summary>S, network calls of a whole run.</summary>
    public int Steps => _rows.Length;

    /// <summary>[S], the timestep to give the network at each call, noisiest first.</summary>
    public ReadOnlySpan<int> Timesteps => _timesteps;

    /// <summary>The estimate of the clean action is clipped to ± this; infinity: not clipped.</summary>
    public double Clip { get; }

    /// <summary>The noise estimate is taken from the clipped action.</summary>
    public bool UsesClippedOutput { get; }

    /// <summary>The numbers of a step, for those who write it into a graph.</summary>
    public DenoisingStep Coefficients(int step) => _rows[step];

    /// <summary>Whether step <paramref name="step"/> reads its noise.</summary>
    public bool DrawsNoise(int step) => _rows[step].Draw != 0;

    /// <summary>Puts a known chunk at the noise level of the first step: a warm start.</summary>
    /// <param name="chunk">[H·Da], normalised.</param>
    /// <param name="noise">[H·Da], N(0, 1).</param>
    /// <param name="sample">[H·Da], receives the start; may be either input.</param>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public void Start(ReadOnlySpan<float> chunk, ReadOnlySpan<float> noise, Span<float> sample)
    {
        SamplerBuffers.Check(sample.Length, chunk.Length, noise.Length);
        double signal = _rows[0].RootAlphaBar;
        double spread = _rows[0].RootNoise;
        for (int j = 0; j < sample.Length; j++)
        {
            sample[j] = (float)((signal * chunk[j]) + (spread * noise[j]));
        }
    }

    /// <summary>Moves the sample one step towards the action. Allocation-free.</summary>
    /// <param name="step">0 to S - 1, in order.</param>
    /// <param name="sample">[n], x at <c>Timesteps[step]</c>; replaced by x at the next one. Any number of chunks in a row.</param>
    /// <param name="output">[n], what the network said about it.</param>
    /// <param name="noise">[n], N(0, 1); may be empty when <see cref="DrawsNoise"/> says so.</param>
    /// <param name="clean">[n], this step's estimate of the action: the plan to use when time is up. After the last step it
    /// equals the sample. On entry it must hold the previous step's estimate (DPM-Solver reads it).</param>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public void Step(int step, Span<float> sample, ReadOnlySpan<float> output, ReadOnlySpan<float> noise, Span<float> clean)
    {
        ref readonly var row = ref _rows[step];
        bool draws = row.Draw != 0;
        SamplerBuffers.Check(sample.Length, output.Length, clean.Length);
        SamplerBuffers.Check(sample.Length, draws ? noise.Length : sample.Length, sample.Length);
        bool last = step == _rows.Length - 1;
        for (int j = 0; j < sample.Length; j++)
        {
            double x = sample[j];
            double o = output[j];
            double action = Math.Clamp((row.CleanX * x) + (row.CleanOutput * o), -Clip, Clip);
            double epsilon = UsesClippedOutput
                ? (x - (row.RootAlphaBar * action)) / row.RootNoise
                : (row.NoiseX * x) + (row.NoiseOutput * o);
            double moved = (row.X * x) + (row.Clean * action) + (row.Epsilon * epsilon);

            // Skipped rather than multiplied by 0: at the first step clean holds whatever the last plan left there.
            moved += row.Previous != 0 ? row.Previous * clean[j] : 0;
            moved += draws ? row.Draw * noise[j] : 0;
            sample[j] = (float)moved;
            clean[j] = last ? (float)moved : (float)action;
        }
    }

    private static int[] Grid(NoiseSchedule schedule, DiffusionOptions options)
    {
        ArgumentNullException.ThrowIfNull(schedule);
        ArgumentNullException.ThrowIfNull(options);
        options.Checked("sampler", schedule.Steps);
        return schedule.Grid(options.Spacing, options.Steps);
    }

    private static void CheckGrid(NoiseSchedule schedule, ReadOnlySpan<int> timesteps)
    {
        if (timesteps.IsEmpty)
        {
            throw new ArgumentException("The grid is empty; it names at least one timestep.", nameof(timesteps));
        }

        for (int i = 0; i < timesteps.Length; i++)
        {
            if (timesteps[i] < 0 || timesteps[i] >= schedule.Steps || (i > 0 && timesteps[i] >= timesteps[i - 1]))
            {
                throw new ArgumentException(
                    $"timesteps[{i}] is {timesteps[i]}; expected descending values from {schedule.Steps - 1} to 0.", nameof(timesteps));
            }
        }
    }

    // x̂0 and ε̂ as linear functions of x and of the network's output.
    private static DenoisingStep Estimates(Prediction prediction, double alphaBar)
    {
        double a = Math.Sqrt(alphaBar);
        double s = Math.Sqrt(1 - alphaBar);
        var here = new DenoisingStep { RootAlphaBar = a, RootNoise = s };
        return prediction switch
        {
            Prediction.Epsilon => here with { CleanX = 1 / a, CleanOutput = -s / a, NoiseOutput = 1 },
            Prediction.Sample => here with { CleanOutput = 1, NoiseX = 1 / s, NoiseOutput = -a / s },
            Prediction.Velocity => here with { CleanX = a, CleanOutput = -s, NoiseX = s, NoiseOutput = a },
            _ => throw new ArgumentException($"Prediction {prediction} is unknown.", nameof(prediction)),
        };
    }

    // alpha is ᾱ_t/ᾱ_next, so that a step over several timesteps counts as one large one.
    private static DenoisingStep Ddpm(DenoisingStep estimates, double now, double next, bool last)
    {
        double alpha = now / next;
        double variance = Math.Max((1 - next) / (1 - now) * (1 - alpha), 1e-20);
        return estimates with
        {
            Clean = Math.Sqrt(next) * (1 - alpha) / (1 - now),
            X = Math.Sqrt(alpha) * (1 - next) / (1 - now),
            Draw = last ? 0 : Math.Sqrt(variance),
        };
    }

    private static DenoisingStep Ddim(DenoisingStep estimates, double now, double next, double eta)
    {
        double variance = eta * eta * (1 - next) / (1 - now) * (1 - (now / next));
        return estimates with
        {
            Clean = Math.Sqrt(next),
            Epsilon = Math.Sqrt(Math.Max(1 - next - variance, 0)),
            Draw = Math.Sqrt(variance),
        };
    }

    // e^(-h) is written as a ratio of α and σ, so that a last step to σ = 0 needs no infinity.
    private static DenoisingStep DpmSolver(DenoisingStep estimates, double now, double next, double? before)
    {
        double shrink = Math.Sqrt(now / next * ((1 - next) / (1 - now)));
        double towards = Math.Sqrt(next) * (1 - shrink);
        double second = before is { } earlier
            ? (HalfLogSnr(next) - HalfLogSnr(now)) / (2 * (HalfLogSnr(now) - HalfLogSnr(earlier)))
            : 0;
        return estimates with
        {
            X = Math.Sqrt((1 - next) / (1 - now)),
            Clean = towards * (1 + second),
            Previous = -towards * second,
        };

        static double HalfLogSnr(double alphaBar) => 0.5 * Math.Log(alphaBar / (1 - alphaBar));
    }
}

/// <summary>One denoising step as numbers: everything a step does is linear in these, but for the clip.</summary>
/// <remarks>
/// x̂0 = clip(CleanX·x + CleanOutput·o); ε̂ = NoiseX·x + NoiseOutput·o, or (x - RootAlphaBar·x̂0)/RootNoise where the clipped action
/// is to be used; x' = X·x + Clean·x̂0 + Epsilon·ε̂ + Previous·x̂0(previous step) + Draw·ξ.
/// </remarks>
public readonly record struct DenoisingStep
{
    /// <summary>Share of x in x̂0.</summary>
    public double CleanX { get; init; }

    /// <summary>Share of the network's output in x̂0.</summary>
    public double CleanOutput { get; init; }

    /// <summary>Share of x in ε̂.</summary>
    public double NoiseX { get; init; }

    /// <summary>Share of the network's output in ε̂.</summary>
    public double NoiseOutput { get; init; }

    /// <summary>√ᾱ here.</summary>
    public double RootAlphaBar { get; init; }

    /// <summary>√(1-ᾱ) here.</summary>
    public double RootNoise { get; init; }

    /// <summary>Share of x in the moved sample.</summary>
    public double X { get; init; }

    /// <summary>Share of x̂0.</summary>
    public double Clean { get; init; }

    /// <summary>Share of ε̂.</summary>
    public double Epsilon { get; init; }

    /// <summary>Share of the previous step's x̂0; 0 on the first step.</summary>
    public double Previous { get; init; }

    /// <summary>Standard deviation of the fresh noise.</summary>
    public double Draw { get; init; }
}

/// <summary>The length check that every sampler makes at its door.</summary>
internal static class SamplerBuffers
{
    public static void Check(int sample, int first, int second)
    {
        if (first != sample || second != sample)
        {
            Throw(sample, first, second);
        }
    }

    private static void Throw(int sample, int first, int second) =>
        throw new ArgumentException($"The sample has {sample} elements, the buffers that go with it have {first} and {second}.");
}
