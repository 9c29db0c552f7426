using Robotics.Numerics;
using Robotics.Packages;

namespace Robotics.Policies.Sampling;

/// <summary>Integrates a velocity with <see cref="FlowSampler"/>; a table for every number of steps that may fit.</summary>
internal class VelocitySampler : ChunkSampler
{
    private readonly List<FlowSampler> _tables = []; // by calls, ascending; the last is the manifest's own
    private readonly FlowSampler? _warmTable;
    private readonly float[] _anchor;
    private FlowSampler _table;
    private int _call;

    public VelocitySampler(IReadOnlyList<StepNetwork> networks, PolicyManifest manifest, int actionLength, TimeProvider clock)
        : base(networks, manifest, actionLength, clock)
    {
        var spec = manifest.Sampler!.Flow!;
        _anchor = new float[networks[0].Length];
        if (spec.Solver == FlowSolver.Midpoint)
        {
            _tables.Add(new(FlowSolver.Euler, 1)); // the only solver that fits into one call
        }

        for (int steps = 1; steps < spec.Steps; steps++)
        {
            _tables.Add(new(spec.Solver, steps));
        }

        _table = new(spec.Solver, spec.Steps);
        _tables.Add(_table);
        if (manifest.Sampler.WarmStart is { } warm)
        {
            _warmTable = new(spec.Solver, warm.Steps, 1 - Math.Max(warm.From, 1e-3));
        }
    }

    public override int MostCalls => _tables[^1].Calls;

    protected override ScoreForm Form => ScoreForm.FlowVelocity;

    protected override void Begin(int fit, bool warm)
    {
        _call = 0;
        if (warm && _warmTable is not null)
        {
            _table = _warmTable;
            Recall();
            _table.Start(Plans, Noise, Sample);
            return;
        }

        int at = _tables.Count - 1;
        while (at > 0 && _tables[at].Calls > fit)
        {
            at--;
        }

        _table = _tables[at];
        Noise.CopyTo(Sample);
    }

    protected override bool Step()
    {
        double s = _table.Time(_call);
        Ask(new(s, NoiseLevel.OfFlow(s), default, _call == 0));
        _table.Step(_call, Sample, Network.Output, _anchor.AsSpan(0, Network.Length), Plans);
        return ++_call < _table.Calls;
    }
}
