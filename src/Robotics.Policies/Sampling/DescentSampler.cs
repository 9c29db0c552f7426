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

    public DescentSampler(StepNetwork network, PolicyManifest manifest, int actionLength, TimeProvider clock)
        : base(network, manifest, actionLength, clock)
    {
        var spec = manifest.Sampler!.Energy!;
        _descent = new(new() { StepSize = spec.StepSize, Momentum = spec.Momentum, Tolerance = spec.Tolerance, MaxSteps = spec.MaxSteps });
        _warm = manifest.Sampler.WarmStart;
        _velocity = new float[network.Length];
        _settled = new bool[network.Candidates];
    }

    public override int MostCalls => _descent.MaxSteps;

    protected override void Begin(int fit, bool warm)
    {
        _call = 0;
        _most = warm ? Math.Min(_warm!.Steps, MostCalls) : MostCalls;
        Array.Clear(_velocity);
        Array.Clear(_settled);
        if (!warm)
        {
            Noise.CopyTo(Sample, 0);
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
        Network.Call(Sample, 0);
        bool moving = false;
        for (int k = 0; k < _settled.Length; k++)
        {
            int at = k * Network.Width;
            _settled[k] = _settled[k]
                || _descent.Step(Sample.AsSpan(at, Network.Width), Network.Output.AsSpan(at, Network.Width), _velocity.AsSpan(at, Network.Width));
            moving |= !_settled[k];
        }

        return ++_call < _most && moving;
    }

    protected override int Choose(bool warm)
    {
        Sample.CopyTo(Plans, 0);
        int lowest = 0;
        for (int k = 1; k < Network.Candidates; k++)
        {
            lowest = Network.Energies[k] < Network.Energies[lowest] ? k : lowest;
        }

        Energy = Network.Energies[lowest];
        return lowest;
    }
}
