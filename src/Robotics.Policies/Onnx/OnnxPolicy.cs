using Microsoft.ML.OnnxRuntime;
using Robotics.Numerics;
using Robotics.Packages;
using Robotics.Policies.Sampling;

namespace Robotics.Policies.Onnx;

/// <summary>A policy that is a package of networks: observations in, one action chunk out, by one pass through them or by a sampler
/// that calls the last one again and again (<see cref="PolicyManifest.Kind"/>). Several packages whose scores are mixed are one, too.</summary>
/// <remarks>
/// Every buffer is allocated at load and <see cref="Plan"/> allocates nothing on cpu (about 300 bytes a call elsewhere, see
/// <see cref="OnnxOptions.Bind"/>). Recurrent states advance only with a plan that was accepted: after Late, NotFinite, Refused or
/// Fault the next call starts from the state of the last Planned one.
/// Not thread-safe: the inference thread that owns it is its only caller.
/// </remarks>
public sealed class OnnxPolicy : IContinuingPolicy
{
    private const int WarmUps = 3; // the first calls fault pages in and settle ONNX Runtime's arena

    private static readonly MonotonicTime Whenever = new(long.MaxValue);

    private readonly OnnxNetworks[] _networks; // one, or one per parent of a composition
    private readonly ObservationView[] _views; // what each of them reads
    private readonly OnnxNetworks _driver;     // whose action counts
    private readonly Wiring _wiring;           // the driver's, with the largest batch
    private readonly TimeProvider _clock;
    private readonly StateLink[] _states;
    private readonly SeededRandom? _seeded;  // noise of an unrolled graph
    private readonly OnnxTensor? _unrolled;  // where it goes
    private readonly float[] _noise = [];    // [Tp, Da]
    private readonly int _observationLength; // Do
    private readonly int _first;             // first executed element of the network's output
    private readonly ChunkSampler? _sampler; // null for one pass
    private readonly float[] _raw;           // [Tp, Da], of a joint model [Z], as the network or the sampler gave it
    private readonly float[] _components;    // [M, Tp, Da], of a mixture
    private readonly float[] _logWeights;    // [M]
    private readonly float[] _chunk;         // [Ta, Da], de-normalised, until the plan is accepted
    private readonly (int Rows, int Calls, Action Run)[] _stages; // of a joint model that plans
    private bool _disposed;

    /// <summary>Takes the networks over.</summary>
    /// <param name="spec">Shapes of the whole.</param>
    /// <param name="networks">One package's, or each parent's.</param>
    /// <param name="views">What each of them reads of an observation.</param>
    /// <param name="driver">Of which sampler and action count.</param>
    /// <param name="steps">What the sampler calls, per batch; empty: no sampler.</param>
    /// <param name="clock">Deadlines are compared with it.</param>
    internal OnnxPolicy(PolicySpec spec, IReadOnlyList<OnnxNetworks> networks, IReadOnlyList<ObservationView> views, OnnxNetworks driver, IReadOnlyList<StepNetwork> steps, TimeProvider clock)
    {
        (Spec, _driver, _clock) = (spec, driver, clock);
        _networks = [.. networks];
        _views = [.. views];
        _wiring = driver.Wirings[0];
        _states = [.. _wiring.States];
        Graphs = [.. networks.SelectMany(each => each.Graphs)];
        _observationLength = spec.ObservationLength;
        _first = driver.Manifest.Action.FirstRow * spec.ActionLength;
        _logWeights = new float[_wiring.LogWeight?.Length ?? 1];
        _raw = new float[_wiring.Action?.Length / _logWeights.Length ?? (_wiring.Step!.Input!.Length / _wiring.Step.Candidates)];
        _components = new float[_logWeights.Length > 1 ? _wiring.Action!.Length : 0];
        if (_wiring.Step is { } step)
        {
            _seeded = new(0);
            _noise = new float[_raw.Length];
            _unrolled = driver.Manifest.Kind == PolicyKind.Unrolled ? step.Input : null;
        }

        if (steps.Count > 0)
        {
            _sampler = ChunkSampler.Make(driver.Manifest, steps, driver.Stages(), spec.ActionLength, clock);
        }

        _chunk = new float[spec.Rows * spec.ActionLength];
        var joint = driver.Manifest.Sampler?.Joint;
        _stages = [.. driver.StageCalls().Zip((int[])[joint?.FutureSteps ?? 0, joint?.ValueSteps ?? 0], (stage, calls) => (stage.Rows, calls, stage.Run))];
    }

    /// <inheritdoc/>
    public PolicySpec Spec { get; }

    /// <inheritdoc/>
    public string? LastFault { get; private set; }

    /// <summary>Which execution provider serves, and why others do not.</summary>
    public ProviderChoice Provider => _driver.Provider;

    /// <summary>The networks as they were found, in the order they run.</summary>
    public IReadOnlyList<GraphDescription> Graphs { get; }

    /// <summary>Most network calls that one plan makes when there is time; a deadline may leave fewer.</summary>
    public int MostCalls => _networks.Sum(each => each.Encoders) + (_networks.Length * (_sampler?.MostCalls ?? 0)) + (_sampler?.JudgingCalls ?? 0);

    /// <summary>Batches that a plan may have, largest first; 1 without a sampler.</summary>
    internal IReadOnlyList<int> Batches => _sampler?.Batches ?? [1];

    /// <summary>Whether a sampler runs outside the graph, and so several candidates in one batch.</summary>
    internal bool IsSampled => _sampler is not null;

    /// <summary>Whether a plan has an energy.</summary>
    internal bool HasEnergy => _sampler is not null && _wiring.Step?.Energy is not null;

    /// <summary>Whether every plan draws.</summary>
    internal bool Draws => _wiring.Step is not null;

    /// <summary>[M, Tp, Da] or null: see <see cref="Wiring.LogStd"/>.</summary>
    internal OnnxTensor? LogStd => _wiring.LogStd;

    /// <summary>M; 1 when the policy is no mixture.</summary>
    internal int Components => _logWeights.Length;

    /// <summary>[M], of the last plan, up to a constant.</summary>
    internal ReadOnlySpan<float> LogWeights => _logWeights;

    /// <summary>The component of the last plan that was executed: the heaviest.</summary>
    internal int Heaviest { get; private set; }

    /// <summary>What turns an executed chunk into physical units; null when nothing does.</summary>
    internal Normalizer? Denormalizer => _wiring.Denormalizer;

    /// <summary>Its networks; of a composition the driver's.</summary>
    internal OnnxNetworks Networks => _driver;

    /// <summary>Loads a policy from its package, warms it up and checks its golden vectors.</summary>
    /// <exception cref="ConfigException">Everything about the package that does not fit its graphs.</exception>
    public static OnnxPolicy Load(PolicyPackage package, OnnxOptions options)
    {
        ArgumentNullException.ThrowIfNull(package);
        return Load(package.Manifest, package.Read, options);
    }

    /// <summary>Loads a policy from a manifest and the contents of its files, warms it up and checks its golden vectors.</summary>
    /// <param name="manifest">The description; not a steered one, which <see cref="Steering.PolicyTree"/> loads.</param>
    /// <param name="read">Contents of a file that the manifest lists; called at load only.</param>
    /// <param name="options">Providers and clock.</param>
    /// <exception cref="ConfigException">Everything about the manifest that does not fit its graphs.</exception>
    public static OnnxPolicy Load(PolicyManifest manifest, Func<string, ReadOnlyMemory<byte>> read, OnnxOptions options)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        return Load(manifest, read, options, OnnxNetworks.Batches(manifest));
    }

    /// <summary>The same with batches of its own, largest first.</summary>
    internal static OnnxPolicy Load(PolicyManifest manifest, Func<string, ReadOnlyMemory<byte>> read, OnnxOptions options, IReadOnlyList<int> batches)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        ArgumentNullException.ThrowIfNull(read);
        ArgumentNullException.ThrowIfNull(options);
        if (manifest.Kind is PolicyKind.Steered or PolicyKind.Critic)
        {
            throw new ConfigException(manifest.Origin, [manifest.Kind == PolicyKind.Critic
                ? "is of kind 'critic', which judges actions and makes none; name it in the steering of another package"
                : "is of kind 'steered', which has no networks of its own; load it as a tree of packages"]);
        }

        var networks = OnnxNetworks.Open(manifest, read, options, batches);
        try
        {
            bool sampled = networks.Encoders < manifest.Models.Count;
            var policy = new OnnxPolicy(networks.Spec, [networks], [ObservationView.Whole], networks, sampled ? networks.Steps() : [], options.Clock);
            policy.WarmUp(manifest.Origin);
            if (manifest.Golden is { } golden)
            {
                policy.Verify(golden, manifest.Origin, read(golden.File).Span);
            }

            return policy;
        }
        catch
        {
            networks.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Reset(ulong seed)
    {
        _seeded?.Reset(seed);
        _sampler?.Reset(seed);
        foreach (var state in _states)
        {
            foreach (var current in state.Current)
            {
                current.Fill(state.Reset);
            }
        }
    }

    /// <inheritdoc/>
    public void Continue(ChunkInExecution running) => _sampler?.Continue(running);

    /// <inheritdoc/>
    /// <remarks>Refused: the observation is not finite, before or after normalisation.</remarks>
    public PlanResult Plan(ReadOnlySpan<float> observation, MonotonicTime deadline, Span<float> chunk) => PlanFrom(observation, deadline, [], chunk);

    /// <summary>Plans every candidate without choosing; <see cref="Take"/> tells which one will be executed.</summary>
    /// <param name="observation">[Do], as for <see cref="Plan"/>.</param>
    /// <param name="deadline">As for <see cref="Plan"/>.</param>
    /// <param name="reserveNs">Time the caller needs afterwards, for each of <see cref="Batches"/>.</param>
    /// <param name="chunks">[K, Ta, Da] for the largest K; the first <paramref name="count"/> are written. They may hold NaN.</param>
    /// <param name="count">Candidates there are.</param>
    internal PlanResult Propose(ReadOnlySpan<float> observation, MonotonicTime deadline, ReadOnlySpan<long> reserveNs, Span<float> chunks, out int count)
    {
        count = 0;
        var result = Sample(observation, deadline, [], reserveNs);
        if (result.Status != PlanStatus.Planned)
        {
            return result;
        }

        count = _sampler?.Candidates ?? 1;
        for (int k = 0; k < count; k++)
        {
            Finish(k);
            _chunk.CopyTo(chunks[(k * _chunk.Length)..]);
        }

        return result;
    }

    /// <summary>Candidate <paramref name="k"/> of the last <see cref="Propose"/> will be executed.</summary>
    /// <returns>Its energy; NaN when it has none.</returns>
    internal float Take(int k)
    {
        _sampler?.Keep(k);
        Advance();
        return _sampler?.Energy(k) ?? float.NaN;
    }

    /// <summary>What the network calls of one whole plan take by themselves: the same calls in the same order, nothing between them.</summary>
    internal TimeSpan MeasureNetworks(int calls) => PolicyCost.Measure(RunNetworks, calls).Median;

    private void RunNetworks()
    {
        foreach (var networks in _networks)
        {
            for (int m = 0; m < networks.Encoders; m++)
            {
                networks.Wirings[0].Calls[m].Run();
            }
        }

        for (int step = 0; step < (_sampler?.MostCalls ?? 0); step++)
        {
            foreach (var networks in _networks)
            {
                networks.Wirings[0].Calls[^1].Run();
            }
        }

        foreach (var (_, calls, run) in Stages())
        {
            for (int call = 0; call < calls; call++)
            {
                run();
            }
        }
    }

    /// <summary>Of a joint model that plans: rows of each stage, its calls, and one of them.</summary>
    internal IReadOnlyList<(int Rows, int Calls, Action Run)> Stages() => _stages;

    /// <summary>The candidate of the last <see cref="Propose"/> that <see cref="Plan"/> would have executed.</summary>
    internal int Preferred() => _sampler?.Choose() ?? 0;

    /// <summary>No candidate of the last <see cref="Propose"/> will be executed; the next plan starts from noise.</summary>
    internal void Drop() => _sampler?.Forget();

    private PlanResult PlanFrom(ReadOnlySpan<float> observation, MonotonicTime deadline, ReadOnlySpan<float> noise, Span<float> chunk)
    {
        if (chunk.Length != _chunk.Length)
        {
            ThrowLength(observation.Length, chunk.Length);
        }

        var result = Sample(observation, deadline, noise, []);
        if (result.Status != PlanStatus.Planned)
        {
            return result;
        }

        int chosen = _sampler?.Choose() ?? 0;
        if (chosen < 0 || !Finish(chosen))
        {
            _sampler?.Forget();
            return result with { Status = PlanStatus.NotFinite };
        }

        if (MonotonicTime.Now(_clock) > deadline)
        {
            return result with { Status = PlanStatus.Late };
        }

        _chunk.CopyTo(chunk);
        return result with { Energy = Take(chosen) };
    }

    /// <summary>Runs the networks; what they found stays in the sampler or in the action tensor.</summary>
    private PlanResult Sample(ReadOnlySpan<float> observation, MonotonicTime deadline, ReadOnlySpan<float> noise, ReadOnlySpan<long> reserveNs)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (observation.Length != _observationLength)
        {
            ThrowLength(observation.Length, _chunk.Length);
        }

        int rung = _sampler?.Fit(deadline, reserveNs) ?? 0;
        for (int i = 0; i < _networks.Length; i++)
        {
            if (!_networks[i].Feed(rung, _views[i].Of(observation)))
            {
                return new(PlanStatus.Refused, 0);
            }
        }

        int calls = 0;
        string file = "";
        try
        {
            Draw(noise);
            foreach (var networks in _networks)
            {
                var running = networks.Wirings[rung].Calls;
                for (int m = 0; m < networks.Encoders; m++)
                {
                    if (MonotonicTime.Now(_clock) > deadline)
                    {
                        return new(PlanStatus.Late, calls);
                    }

                    file = running[m].Model.Spec.File;
                    running[m].Run();
                    calls++;
                }

                networks.Spread(rung);
            }

            if (_sampler is null)
            {
                return new(PlanStatus.Planned, calls);
            }

            file = _wiring.Calls[^1].Model.Spec.File;
            bool planned = _sampler.Run(deadline, noise);
            return new(planned ? PlanStatus.Planned : PlanStatus.Late, calls + (_networks.Length * _sampler.Calls));
        }
        catch (OnnxRuntimeException error)
        {
            LastFault = $"{file}: {Ort.OneLine(error)}";
            return new(PlanStatus.Fault, calls);
        }
    }

    /// <summary>Times plans of an all-zero observation, back to back, and resets.</summary>
    /// <param name="calls">1 to 1,000,000.</param>
    public PolicyCost Measure(int calls) => PolicyCost.Measure(this, calls);

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            Array.ForEach(_networks, each => each.Dispose());
        }
    }

    // The noise of an unrolled graph: drawn, or the golden row's.
    private void Draw(ReadOnlySpan<float> noise)
    {
        if (_unrolled is null)
        {
            return;
        }

        if (noise.IsEmpty)
        {
            _seeded!.FillGaussian(_noise);
        }
        else
        {
            noise.CopyTo(_noise);
        }

        _unrolled.Write(_noise);
    }

    /// <summary>Reads candidate <paramref name="k"/> into <see cref="_chunk"/>; false when it or a state is not finite.</summary>
    private bool Finish(int k)
    {
        if (_sampler is not null)
        {
            _sampler.Plan(k).CopyTo(_raw);
        }
        else if (_components.Length == 0)
        {
            _wiring.Action!.Read(_raw);
        }
        else
        {
            _wiring.Action!.Read(_components);
            _wiring.LogWeight!.Read(_logWeights);
            Heaviest = 0;
            for (int m = 1; m < _logWeights.Length; m++)
            {
                Heaviest = _logWeights[m] > _logWeights[Heaviest] ? m : Heaviest;
            }

            _components.AsSpan(Heaviest * _raw.Length, _raw.Length).CopyTo(_raw);
        }

        Physical(_raw, _chunk);
        bool finite = OnnxTensor.AllFinite(_raw) && OnnxTensor.AllFinite(_chunk) && OnnxTensor.AllFinite(_components) && !_logWeights.AsSpan().Contains(float.NaN);
        foreach (var state in _states)
        {
            finite = finite && state.Next.IsFinite;
        }

        return finite;
    }

    /// <summary>The executed rows of component <paramref name="m"/> of the last plan, physical.</summary>
    internal void Component(int m, Span<float> chunk) => Physical(_components.Length == 0 ? _raw : _components.AsSpan(m * _raw.Length, _raw.Length), chunk);

    private void Physical(ReadOnlySpan<float> raw, Span<float> chunk)
    {
        raw.Slice(_first, chunk.Length).CopyTo(chunk);
        _wiring.Denormalizer?.Denormalize(chunk, chunk);
    }

    private void Advance()
    {
        foreach (var state in _states)
        {
            foreach (var current in state.Current)
            {
                current.CopyFrom(state.Next);
            }
        }
    }

    /// <summary>The first plans, and the first calls with every batch.</summary>
    /// <exception cref="ConfigException">The first call fails.</exception>
    internal void WarmUp(string origin)
    {
        Reset(0);
        float[] observation = new float[_observationLength];
        float[] chunk = new float[_chunk.Length];
        try
        {
            _sampler?.Prime();
        }
        catch (OnnxRuntimeException error)
        {
            throw new ConfigException(origin, [$"models: the first call fails: {Ort.OneLine(error)}"]);
        }

        for (int i = 0; i < WarmUps; i++)
        {
            if (Plan(observation, Whenever, chunk).Status == PlanStatus.Fault)
            {
                throw new ConfigException(origin, [$"models: the first call fails in {LastFault}"]);
            }
        }

        Reset(0);
    }

    private void Verify(GoldenSpec golden, string origin, ReadOnlySpan<byte> file)
    {
        var rows = GoldenRow.Read(file, golden.File, _observationLength, _raw.Length, noise: _wiring.Step is not null);
        float[] chunk = new float[_chunk.Length];
        double worst = -1;
        string where = "";
        foreach (var row in rows)
        {
            if (_wiring.Step is not null)
            {
                Reset(0); // sampled rows stand alone; the draws of a stochastic solver begin anew
            }

            var result = PlanFrom(row.Observation, Whenever, row.Noise, chunk);
            if (result.Status != PlanStatus.Planned)
            {
                throw new ConfigException(origin, [$"golden.file {golden.File} line {row.Line}: the policy answers {result.Status} where the file has an action"]);
            }

            for (int i = 0; i < _raw.Length; i++)
            {
                double difference = Math.Abs((double)_raw[i] - row.Action[i]);
                if (double.IsNaN(difference) || difference > worst)
                {
                    worst = double.IsNaN(difference) ? double.PositiveInfinity : difference;
                    where = FormattableString.Invariant($"line {row.Line}, action element {i}: the network gives {_raw[i]}, the file {row.Action[i]}");
                }
            }
        }

        Reset(0);
        if (worst > golden.Tolerance)
        {
            throw new ConfigException(origin, [FormattableString.Invariant($"golden.file {golden.File} differs by up to {worst:G3}, tolerance {golden.Tolerance:G3} ({where}). The network is not the one these vectors were made with, or its inputs are wired differently")]);
        }
    }

    private void ThrowLength(int observation, int chunk) => throw new ArgumentException(
        $"Policy '{Spec.Name}' takes an observation of {_observationLength} and a chunk of {_chunk.Length} floats ({Spec.Rows} x {Spec.ActionLength}); got {observation} and {chunk}.");
}
