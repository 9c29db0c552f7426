using Robotics.Numerics;
using Robotics.Packages;
using Robotics.Policies.Onnx;

namespace Robotics.Policies.Steering;

/// <summary>The value of an action chunk in a situation, as a package of kind <see cref="PolicyKind.Critic"/> says it.</summary>
/// <remarks>It has a normaliser of its own: chunks go in as policies give them, in physical units. Allocation-free after load. Not
/// thread-safe: it belongs to one policy.</remarks>
public sealed class Critic : IDisposable
{
    private const int Primings = 3;

    private readonly OnnxNetworks _networks;
    private readonly int[] _batches;     // largest first
    private readonly float[] _actions;   // [K, Ra, Da], normalised
    private readonly float[] _values;    // [E, K]
    private readonly float[] _gradient;  // [K, Ra, Da]
    private readonly float[] _unit;      // [Ra, Da], physical size of one normalised unit
    private readonly RunningCost[] _costs;
    private int _batch;                  // of the last call

    private Critic(OnnxNetworks networks, int[] batches)
    {
        (_networks, _batches) = (networks, batches);
        var judge = networks.Wirings[0].Judge!;
        _actions = new float[judge.Action!.Length];
        _values = new float[judge.Value!.Length];
        _gradient = new float[judge.Gradient?.Length ?? 0];
        _costs = [.. batches.Select(_ => new RunningCost())];
        Members = judge.Value.Length / judge.Candidates;
        _unit = Units(networks.Wirings[0].Denormalizer, Width);
    }

    /// <summary>Observation that it reads, rows and elements that it judges.</summary>
    public PolicySpec Spec => _networks.Spec;

    /// <summary>E, members of the ensemble.</summary>
    public int Members { get; }

    /// <summary>Whether <see cref="Gradient"/> can be asked for.</summary>
    public bool HasGradient => _gradient.Length > 0;

    /// <summary>The networks, for people.</summary>
    public IReadOnlyList<GraphDescription> Graphs => _networks.Graphs;

    /// <summary>Which execution provider serves.</summary>
    public ProviderChoice Provider => _networks.Provider;

    /// <summary>Most chunks of one score.</summary>
    internal int Most => _batches[0];

    /// <summary>Network calls of one score.</summary>
    public int Calls => _networks.Wirings[0].Calls.Count;

    private int Width => Spec.Rows * Spec.ActionLength;

    /// <summary>Loads a critic for one chunk at a time, or for up to so many.</summary>
    /// <param name="package">Of kind critic.</param>
    /// <param name="options">Providers.</param>
    /// <param name="candidates">Most chunks of one score, 1 to 256.</param>
    /// <exception cref="ConfigException">Not a critic, or everything about the package that does not fit its graphs.</exception>
    public static Critic Load(PolicyPackage package, OnnxOptions options, int candidates = 1)
    {
        ArgumentNullException.ThrowIfNull(package);
        ArgumentNullException.ThrowIfNull(options);
        if (package.Manifest.Kind != PolicyKind.Critic)
        {
            throw new ConfigException(package.Manifest.Origin, [$"is of kind '{package.Manifest.Kind.ToString().ToLowerInvariant()}', expected 'critic'"]);
        }

        int[] batches = Ladder.Of(candidates);
        var critic = new Critic(OnnxNetworks.Open(package.Manifest, package.Read, options, batches), batches);
        try
        {
            float[] observation = new float[critic.Spec.ObservationLength], chunks = new float[candidates * critic.Width];
            foreach (int batch in batches)
            {
                for (int i = 0; i < Primings; i++)
                {
                    var before = MonotonicTime.Now(options.Clock);
                    critic.Score(observation, chunks, critic.Width, batch);
                    critic.Count(MonotonicTime.Now(options.Clock).NanosecondsSince(before));
                }
            }

            return critic;
        }
        catch (Microsoft.ML.OnnxRuntime.OnnxRuntimeException error)
        {
            critic.Dispose();
            throw new ConfigException(package.Manifest.Origin, [$"models: the first call fails: {Ort.OneLine(error)}"]);
        }
    }

    /// <summary>Scores chunks of one situation in one batch.</summary>
    /// <param name="observation">[Do], physical; non-finite values give non-finite scores.</param>
    /// <param name="chunks">[count, stride], physical, each with its first judged row in front.</param>
    /// <param name="stride">Elements from one chunk to the next.</param>
    /// <param name="count">1 to the number it was loaded for.</param>
    /// <exception cref="Microsoft.ML.OnnxRuntime.OnnxRuntimeException">A graph failed.</exception>
    internal void Score(ReadOnlySpan<float> observation, ReadOnlySpan<float> chunks, int stride, int count)
    {
        _batch = _batches.Length - 1;
        while (_batches[_batch] < count)
        {
            _batch--;
        }

        var wiring = _networks.Wirings[_batch];
        int width = Width;
        for (int k = 0; k < _batches[_batch]; k++)
        {
            var into = _actions.AsSpan(k * width, width);
            var chunk = chunks.Slice(Math.Min(k, count - 1) * stride, width); // places without a candidate judge the last one again
            if (wiring.Denormalizer is { } normalizer)
            {
                normalizer.Normalize(chunk, into);
            }
            else
            {
                chunk.CopyTo(into);
            }
        }

        _networks.Feed(_batch, observation);
        wiring.Judge!.Action!.Write(_actions.AsSpan(0, _batches[_batch] * width));
        for (int m = 0; m < wiring.Calls.Count; m++)
        {
            if (m == wiring.Calls.Count - 1)
            {
                _networks.Spread(_batch);
            }

            wiring.Calls[m].Run();
        }

        wiring.Judge.Value!.Read(_values.AsSpan(0, wiring.Judge.Value.Length));
        wiring.Judge.Gradient?.Read(_gradient.AsSpan(0, wiring.Judge.Gradient.Length));
    }

    /// <summary>The ensemble's word on chunk <paramref name="k"/> of the last score.</summary>
    /// <param name="k">0 to below the count.</param>
    /// <param name="lowest">The lowest member's; otherwise the mean.</param>
    internal double Value(int k, bool lowest)
    {
        double sum = 0, low = double.PositiveInfinity;
        for (int e = 0; e < Members; e++)
        {
            double q = _values[(e * _batches[_batch]) + k];
            sum += q;
            low = double.IsNaN(q) || q < low ? q : low;
        }

        return !lowest || double.IsNaN(sum) ? sum / Members : low;
    }

    /// <summary>Standard deviation of the ensemble on chunk <paramref name="k"/> of the last score.</summary>
    internal double Deviation(int k)
    {
        double mean = Value(k, lowest: false), sum = 0;
        for (int e = 0; e < Members; e++)
        {
            double d = _values[(e * _batches[_batch]) + k] - mean;
            sum += d * d;
        }

        return Math.Sqrt(sum / Members);
    }

    /// <summary>[Ra, Da], gradient at the first chunk of the last score, per physical unit of the action.</summary>
    internal void Gradient(Span<float> into)
    {
        for (int j = 0; j < into.Length; j++)
        {
            into[j] = _gradient[j] / _unit[j];
        }
    }

    /// <summary>Times scores of as many chunks as it was loaded for, all zero.</summary>
    internal PolicyCost Measure(int calls)
    {
        float[] observation = new float[Spec.ObservationLength], chunks = new float[Most * Width];
        return PolicyCost.Measure(() => Score(observation, chunks, Width, Most), calls);
    }

    /// <summary>What the network calls of a score of so many chunks take by themselves.</summary>
    internal TimeSpan MeasureNetworks(int count, int calls)
    {
        int at = _batches.Length - 1;
        while (at > 0 && _batches[at] < count)
        {
            at--;
        }

        var running = _networks.Wirings[at].Calls;
        return PolicyCost.Measure(() => running.ForEach(call => call.Run()), calls).Median;
    }

    /// <summary>Tells what the last score took.</summary>
    internal void Count(long nanoseconds) => _costs[_batch].Count(nanoseconds);

    /// <summary>What a score of so many chunks is expected to take, ns.</summary>
    internal long CostNs(int count)
    {
        int at = _batches.Length - 1;
        while (at > 0 && _batches[at] < count)
        {
            at--;
        }

        return _costs[at].Nanoseconds;
    }

    /// <summary>Physical size of one normalised unit of each element; 1 without a normaliser.</summary>
    internal static float[] Units(Normalizer? normalizer, int length)
    {
        float[] unit = [.. Enumerable.Repeat(1f, length)], zero = new float[length];
        normalizer?.Denormalize(unit, unit);
        normalizer?.Denormalize(zero, zero);
        return [.. unit.Zip(zero, (one, nil) => one - nil)];
    }

    /// <inheritdoc/>
    public void Dispose() => _networks.Dispose();
}

/// <summary>What the wiring found of a critic's last network.</summary>
internal sealed class CriticTensors
{
    /// <summary>K, the batch.</summary>
    public int Candidates { get; init; } = 1;

    /// <summary>[K, Ra, Da] or [K, Da].</summary>
    public OnnxTensor? Action { get; set; }

    /// <summary>[E, K] or [K].</summary>
    public OnnxTensor? Value { get; set; }

    /// <summary>For messages.</summary>
    public string ValueAt { get; set; } = "";

    /// <summary>Like <see cref="Action"/>; null when there is none.</summary>
    public OnnxTensor? Gradient { get; set; }

    /// <summary>For messages.</summary>
    public string GradientAt { get; set; } = "";
}

/// <summary>Batch sizes between which a deadline chooses.</summary>
internal static class Ladder
{
    /// <summary>K, then its halves down to 1.</summary>
    public static int[] Of(int candidates)
    {
        var sizes = new List<int>();
        for (int k = Math.Max(candidates, 1); k >= 1; k /= 2)
        {
            sizes.Add(k);
        }

        return [.. sizes];
    }
}

/// <summary>Expected duration of something that happens again and again: a mean over the last few, in which one counts at most eight
/// times what was expected.</summary>
internal sealed class RunningCost
{
    private const int Memory = 8;
    private const int Worst = 8;

    /// <summary>0 before the first.</summary>
    public long Nanoseconds { get; private set; }

    /// <summary>One more.</summary>
    public void Count(long took) => Nanoseconds = Nanoseconds == 0 ? took : Nanoseconds + ((Math.Min(took, Worst * Nanoseconds) - Nanoseconds) / Memory);

    /// <summary>It was not tried for want of time: or one slow stretch would stop it for good.</summary>
    public void Forget() => Nanoseconds -= Nanoseconds / (8 * Memory);
}
