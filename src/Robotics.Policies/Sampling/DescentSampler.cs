using Robotics.Numerics;
using Robotics.Packages;

namespace Robotics.Policies.Sampling;

/// <summary>Descends a learned energy with <see cref="EnergyDescent"/>. Each candidate stops when its own gradient has settled;
/// the one with the lowest energy is executed.</summary>
internal sealed class DescentSampler : ChunkSampler
{
    private readonly EnergyDescent _descent;
    private readonly WarmStartSpec? _warm;
    private readonly float[] _velocity;
    private readonly bool[] _settled;
    private int _most;
    private int _call;

    public DescentSampler(IReadOnlyList<StepNetwork> networks, PolicyManifest manifest, int actionLength, TimeProvider clock)
        : base(networks, manifest, actionLength, clock)
    {
        var spec = manifest.Sampler!.Energy!;
        _descent = new(new() { StepSize = spec.StepSize, Momentum = spec.Momentum, Tolerance = spec.Tolerance, MaxSteps = spec.MaxSteps });
        _warm = manifest.Sampler.WarmStart;
        _velocity = new float[networks[0].Length];
        _settled = new bool[networks[0].Candidates];
    }

    public override int MostCalls => _descent.MaxSteps;

    protected override ScoreForm Form => throw new NotSupportedException("An energy has no noise level."); // the manifest's check keeps 'inpaint' away

    protected override void Begin(int fit, bool warm)
    {
        _call = 0;
        _most = warm ? Math.Min(_warm!.Steps, MostCalls) : MostCalls;
        Array.Clear(_velocity);
        Array.Clear(_settled);
        if (!warm)
        {
            Noise.CopyTo(Sample);
            return;
        }

        Recall();
        float noise = (float)_warm!.From;
        for (int j = 0; j < Sample.Length; j++)
        {
            Sample[j] = ((1 - noise) * Plans[j]) + (noise * Noise[j]);
        }
    }

    protected override bool Step()
    {
        Ask(default);
        bool moving = false;
        for (int k = 0; k < Network.Candidates; k++)
        {
            int at = k * Network.Width;
            _settled[k] = _settled[k]
                || _descent.Step(Sample.Slice(at, Network.Width), Network.Output.AsSpan(at, Network.Width), _velocity.AsSpan(at, Network.Width));
            moving |= !_settled[k];
        }

        Sample.CopyTo(Plans);
        return ++_call < _most && moving;
    }

    public override int Choose()
    {
        int lowest = 0;
        for (int k = 1; k < Network.Candidates; k++)
        {
            lowest = Network.Energies[k] < Network.Energies[lowest] ? k : lowest;
        }

        return lowest;
    }
}
