using Robotics.Numerics;
using Robotics.Packages;

namespace Robotics.Policies.Sampling;

/// <summary>Denoises with <see cref="DiffusionSampler"/>; a table for every number of calls that may fit.</summary>
/// <remarks>Shortened plans use trailing timesteps, which begin at pure noise whatever their number.</remarks>
internal sealed class DenoisingSampler : ChunkSampler
{
    private const int DenseTables = 16;

    private readonly List<DiffusionSampler> _tables = []; // by calls, ascending; the last is the manifest's own
    private readonly DiffusionSampler? _warmTable;
    private readonly ScoreForm _form;
    private DiffusionSampler _table;
    private int _step;

    public DenoisingSampler(IReadOnlyList<StepNetwork> networks, PolicyManifest manifest, int actionLength, TimeProvider clock)
        : base(networks, manifest, actionLength, clock)
    {
        var spec = manifest.Sampler!.Diffusion!;
        var schedule = Schedule(spec);
        var options = Options(spec);
        _form = NoiseLevel.FormOf(spec.Prediction);
        for (int steps = 1; steps < spec.Steps; steps += steps < DenseTables ? 1 : Math.Max(1, steps / 4))
        {
            _tables.Add(new(schedule, options with { Steps = steps, Spacing = GridSpacing.Trailing }));
        }

        _table = new(schedule, options);
        _tables.Add(_table);
        if (manifest.Sampler.WarmStart is { } warm)
        {
            int top = (int)Math.Round(warm.From * schedule.Steps, MidpointRounding.ToEven);
            int steps = Math.Clamp(warm.Steps, 1, Math.Max(top, 1));
            _warmTable = new(schedule, options, [.. Enumerable.Range(0, steps).Select(i => top * (steps - i) / steps)]);
        }
    }

    public override int MostCalls => _tables[^1].Steps;

    protected override ScoreForm Form => _form;

    protected override double Clip => _table.Clip;

    /// <summary>The schedule by name or by its betas.</summary>
    public static NoiseSchedule Schedule(DiffusionSpec spec) =>
        spec.Betas is { } betas ? NoiseSchedule.FromBetas([.. betas]) : NoiseSchedule.SquaredCosine(spec.TrainSteps);

    /// <summary>The manifest's words as the sampler takes them.</summary>
    public static DiffusionOptions Options(DiffusionSpec spec) => new()
    {
        Solver = spec.Solver,
        Steps = spec.Steps,
        Spacing = spec.Spacing,
        Prediction = spec.Prediction,
        Clip = spec.Clip > 0 ? spec.Clip : null,
        Eta = spec.Eta,
        FinalAlphaBar = spec.FinalAlpha,
    };

    protected override void Begin(int fit, bool warm)
    {
        _step = 0;
        if (warm && _warmTable is not null)
        {
            _table = _warmTable;
            Recall();
            _table.Start(Plans, Noise, Sample);
            return;
        }

        int at = _tables.Count - 1;
        while (at > 0 && _tables[at].Steps > fit)
        {
            at--;
        }

        _table = _tables[at];
        Noise.CopyTo(Sample);
    }

    protected override bool Step()
    {
        var row = _table.Coefficients(_step);
        bool draws = _table.DrawsNoise(_step);
        if (draws)
        {
            Draw();
        }

        Ask(new(_table.Timesteps[_step], new(row.RootAlphaBar, row.RootNoise), row, _step == 0, draws ? Noise : default));
        _table.Step(_step, Sample, Network.Output, Noise, Plans);
        return ++_step < _table.Steps;
    }
}
