using Microsoft.ML.OnnxRuntime;
using Robotics.Numerics;
using Robotics.Packages;
using Robotics.Policies.Sampling;

namespace Robotics.Policies.Onnx;

/// <summary>A policy that is a package of networks: observations in, one action chunk out, by one pass through them or by a sampler
/// that calls the last one again and again (<see cref="PolicyManifest.Kind"/>).</summary>
/// <remarks>
/// Every buffer is allocated at load and <see cref="Plan"/> allocates nothing on cpu (about 300 bytes a call elsewhere, see
/// <see cref="OnnxOptions.Bind"/>). Recurrent states advance only with a plan that was accepted: after Late, NotFinite, Refused or
/// Fault the next call starts from the state of the last Planned one.
/// Not thread-safe: the inference thread that owns it is its only caller.
/// </remarks>
public sealed class OnnxPolicy : IPolicy
{
    private const int WarmUps = 3; // the first calls fault pages in and settle ONNX Runtime's arena

    private static readonly MonotonicTime Whenever = new(long.MaxValue);

    private readonly OnnxModel[] _models;
    private readonly Wiring _wiring;
    private readonly TimeProvider _clock;
    private readonly Feed[] _feeds;
    private readonly StateLink[] _states;
    private readonly int _encoders;          // models that run once per plan
    private readonly SeededRandom? _seeded;  // noise of an unrolled graph
    private readonly OnnxTensor? _unrolled;  // where it goes
    private readonly float[] _noise = [];    // [Tp, Da]
    private readonly int _observationLength; // Do
    private readonly int _first;             // first executed element of the network's output
    private readonly ChunkSampler? _sampler; // null for one pass
    private readonly float[] _raw;           // [Tp, Da], as the network or the sampler gave it
    private readonly float[] _chunk;         // [Ta, Da], de-normalised, until the plan is accepted
    private bool _disposed;

    private OnnxPolicy(PolicyManifest manifest, List<OnnxModel> models, Wiring wiring, ProviderChoice provider, TimeProvider clock)
    {
        (_models, _wiring, _clock, Provider) = ([.. models], wiring, clock, provider);
        _feeds = [.. wiring.Feeds];
        _states = [.. wiring.States];
        Graphs = [.. models.Select(model => model.Description)];
        _observationLength = Spec.ObservationLength;
        _first = manifest.Action.FirstRow * Spec.ActionLength;
        _encoders = _models.Length;
        _raw = new float[wiring.Action?.Length ?? (wiring.Step!.Input!.Length / wiring.Step.Candidates)];
        if (wiring.Step is { } step)
        {
            _seeded = new(0);
            _noise = new float[_raw.Length];
            _unrolled = manifest.Kind == PolicyKind.Unrolled ? step.Input : null;
        }

        if (wiring.Step is not null && _unrolled is null)
        {
            _encoders--;
            _sampler = ChunkSampler.Make(manifest, new StepNetwork(_models[^1], wiring.Step), Spec.ActionLength, clock);
        }

        _chunk = new float[Spec.Rows * Spec.ActionLength];
    }

    /// <inheritdoc/>
    public PolicySpec Spec => _wiring.Spec;

    /// <inheritdoc/>
    public string? LastFault { get; private set; }

    /// <summary>Which execution provider serves, and why others do not.</summary>
    public ProviderChoice Provider { get; }

    /// <summary>The networks as they were found, in the order they run.</summary>
    public IReadOnlyList<GraphDescription> Graphs { get; }

    /// <summary>Loads a policy from its package, warms it up and checks its golden vectors.</summary>
    /// <exception cref="ConfigException">Everything about the package that does not fit its graphs.</exception>
    public static OnnxPolicy Load(PolicyPackage package, OnnxOptions options)
    {
        ArgumentNullException.ThrowIfNull(package);
        return Load(package.Manifest, package.Read, options);
    }

    /// <summary>Loads a policy from a manifest and the contents of its files, warms it up and checks its golden vectors.</summary>
    /// <param name="manifest">The description.</param>
    /// <param name="read">Contents of a file that the manifest lists; called at load only.</param>
    /// <param name="options">Providers and clock.</param>
    /// <exception cref="ConfigException">Everything about the manifest that does not fit its graphs.</exception>
    public static OnnxPolicy Load(PolicyManifest manifest, Func<string, ReadOnlyMemory<byte>> read, OnnxOptions options)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        ArgumentNullException.ThrowIfNull(read);
        ArgumentNullException.ThrowIfNull(options);
        var order = ProviderOrder.Resolve(options.Providers, Environment.GetEnvironmentVariable(ProviderOrder.Variable), manifest.Providers, manifest.Origin);
        var (models, provider) = OnnxSessions.Open(manifest, read, order);
        Wiring? wiring = null;
        try
        {
            wiring = new Wiring(manifest, models, options.Bind ?? provider.Serving == "cpu");
            var policy = new OnnxPolicy(manifest, models, wiring, provider, options.Clock);
            policy.WarmUp(manifest);
            if (manifest.Golden is { } golden)
            {
                policy.Verify(golden, manifest.Origin, read(golden.File).Span);
            }

            return policy;
        }
        catch
        {
            models.ForEach(model => model.Dispose());
            wiring?.Dispose();
            throw;
        }
    }

    /// <summary>Most network calls that one plan makes when there is time; a deadline may leave fewer.</summary>
    public int MostCalls => _encoders + (_sampler?.MostCalls ?? 0);

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
    /// <remarks>Refused: the observation is not finite, before or after normalisation.</remarks>
    public PlanResult Plan(ReadOnlySpan<float> observation, MonotonicTime deadline, Span<float> chunk) => PlanFrom(observation, deadline, [], chunk);

    private PlanResult PlanFrom(ReadOnlySpan<float> observation, MonotonicTime deadline, ReadOnlySpan<float> noise, Span<float> chunk)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (observation.Length != _observationLength || chunk.Length != _chunk.Length)
        {
            ThrowLength(observation.Length, chunk.Length);
        }

        if (!Feed(observation))
        {
            return new(PlanStatus.Refused, 0);
        }

        int calls = 0;
        try
        {
            Draw(noise);
            while (calls < _encoders)
            {
                if (MonotonicTime.Now(_clock) > deadline)
                {
                    return new(PlanStatus.Late, calls);
                }

                _models[calls++].Run();
            }

            if (_sampler is not null)
            {
                foreach (var spread in _wiring.Spreads)
                {
                    spread.Apply();
                }

                bool planned = _sampler.Run(deadline, noise, _raw);
                calls += _sampler.Calls;
                if (!planned)
                {
                    return new(PlanStatus.Late, calls);
                }
            }
        }
        catch (OnnxRuntimeException error)
        {
            LastFault = $"{_models[Math.Clamp(calls - 1, 0, _models.Length - 1)].Spec.File}: {Ort.OneLine(error)}";
            return new(PlanStatus.Fault, calls);
        }

        if (!Finish())
        {
            _sampler?.Forget();
            return new(PlanStatus.NotFinite, calls);
        }

        if (MonotonicTime.Now(_clock) > deadline)
        {
            return new(PlanStatus.Late, calls);
        }

        _chunk.CopyTo(chunk);
        foreach (var state in _states)
        {
            foreach (var current in state.Current)
            {
                current.CopyFrom(state.Next);
            }
        }

        return new(PlanStatus.Planned, calls, _sampler?.Energy ?? float.NaN);
    }

    /// <summary>Times plans of an all-zero observation, back to back, and resets.</summary>
    /// <param name="calls">1 to 1,000,000.</param>
    public PolicyCost Measure(int calls)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(calls, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(calls, 1_000_000);
        float[] observation = new float[_observationLength];
        float[] chunk = new float[_chunk.Length];
        long[] nanoseconds = new long[calls];
        for (int i = 0; i < calls; i++)
        {
            var start = MonotonicTime.SystemNow();
            Plan(observation, Whenever, chunk);
            nanoseconds[i] = MonotonicTime.SystemNow().NanosecondsSince(start);
        }

        Reset(0);
        Array.Sort(nanoseconds);
        return new(calls, At(0.5), At(0.99), At(1));

        TimeSpan At(double fraction) => TimeSpan.FromTicks(nanoseconds[Math.Clamp((int)Math.Ceiling(fraction * calls) - 1, 0, calls - 1)] / 100);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            Array.ForEach(_models, model => model.Dispose());
            _wiring.Dispose();
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

    private bool Feed(ReadOnlySpan<float> observation)
    {
        // An int64 input would turn NaN into 0, so the vector is looked at before it is converted.
        bool finite = OnnxTensor.AllFinite(observation);
        foreach (var feed in _feeds)
        {
            finite = finite && feed.Write(observation);
        }

        return finite;
    }

    /// <summary>Reads the output into <see cref="_chunk"/>; false when it or a state is not finite.</summary>
    private bool Finish()
    {
        _wiring.Action?.Read(_raw);
        _raw.AsSpan(_first, _chunk.Length).CopyTo(_chunk);
        _wiring.Denormalizer?.Denormalize(_chunk, _chunk);
        bool finite = OnnxTensor.AllFinite(_raw) && OnnxTensor.AllFinite(_chunk);
        foreach (var state in _states)
        {
            finite = finite && state.Next.IsFinite;
        }

        return finite;
    }

    private void WarmUp(PolicyManifest manifest)
    {
        Reset(0);
        float[] observation = new float[_observationLength];
        float[] chunk = new float[_chunk.Length];
        for (int i = 0; i < WarmUps; i++)
        {
            if (Plan(observation, Whenever, chunk).Status == PlanStatus.Fault)
            {
                throw new ConfigException(manifest.Origin, [$"models: the first call fails in {LastFault}"]);
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
