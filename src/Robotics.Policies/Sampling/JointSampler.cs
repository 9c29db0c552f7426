using Robotics.Numerics;
using Robotics.Packages;
using Robotics.Policies.Onnx;
using Robotics.Policies.Steering;

namespace Robotics.Policies.Sampling;

/// <summary>Draws chunks from a joint model, lets it imagine what each leads to and say what that is worth, and executes the best.</summary>
/// <remarks>
/// The chunks are <see cref="VelocitySampler"/>'s, with their futures and values denoised beside them. Then, for
/// <see cref="JointSelection.Planned"/>, two stages of one batch each: futures of every chunk, values of every future; a chunk counts
/// what its values are in the mean. Before each stage, and between its calls, the clock says whether all that is left to do fits before
/// the deadline; if not, nothing is chosen and the first chunk is executed. A chunk that is not finite, or whose futures or values are
/// not, is never chosen; when all are, there is no plan. Futures and values have draws of their own, so that the chunks are those of
/// the bare policy. Allocation-free after construction. Not thread-safe.
/// <para>Source: "Cosmos Policy" (NVlabs/cosmos-policy): best of N with three futures of five values each.</para>
/// </remarks>
internal sealed class JointSampler : VelocitySampler
{
    private const ulong Stream = 0xA0761D6478BD642F; // futures and values have draws of their own

    private readonly JointModelSpec _joint;
    private readonly Stage[] _stages;      // futures, values; none: nothing to choose by but the chunk itself
    private readonly SeededRandom _random = new(Stream);
    private readonly double[] _values;     // [N], NaN: not to be chosen
    private readonly int _chunk;           // Tp·Da
    private bool _judged;                  // in this plan

    public JointSampler(IReadOnlyList<StepNetwork> networks, IReadOnlyList<JointStep> stages, PolicyManifest manifest, int actionLength, TimeProvider clock)
        : base(networks, manifest, actionLength, clock)
    {
        _joint = manifest.Sampler!.Joint!;
        _chunk = manifest.Sampler.Horizon * actionLength;
        _values = new double[networks[0].Candidates];
        _stages = stages.Count == 0 ? []
            : [new(stages[0], _joint.FutureSteps, _chunk), new(stages[1], _joint.ValueSteps, _chunk + _joint.Future)];
    }

    public override int JudgingCalls => _stages.Sum(stage => stage.Table.Calls);

    /// <summary>Mean value of candidate <paramref name="k"/> in the last plan; NaN when it was not judged, or not to be chosen.</summary>
    public double Value(int k) => _judged ? _values[k] : double.NaN;

    public override void Reset(ulong seed)
    {
        base.Reset(seed);
        _random.Reset(seed ^ Stream);
    }

    public override void Prime()
    {
        base.Prime();
        foreach (var stage in _stages)
        {
            for (int i = 0; i < PrimingCalls; i++)
            {
                Call(stage, 0, MonotonicTime.Now(Clock));
            }
        }
    }

    public override int Choose()
    {
        if (!_judged)
        {
            return 0;
        }

        int best = -1;
        for (int k = 0; k < Network.Candidates; k++)
        {
            if (double.IsFinite(_values[k]) && (best < 0 || _values[k] > _values[best]))
            {
                best = k;
            }
        }

        return best;
    }

    protected override int Judge(MonotonicTime deadline, MonotonicTime now, ReadOnlySpan<float> start)
    {
        _judged = false;
        int count = Network.Candidates, calls = 0;
        if (count == 1 || _joint.Selection == JointSelection.Single)
        {
            return 0;
        }

        if (_joint.Selection == JointSelection.Planned)
        {
            if (_stages.Length == 0 || !Run(0, deadline, start, ref now, ref calls) || !Run(1, deadline, start, ref now, ref calls))
            {
                return calls;
            }

            for (int k = 0; k < count; k++)
            {
                Weigh(k);
            }
        }

        for (int k = 0; k < count; k++)
        {
            var z = Plans.Slice(k * Network.Width, Network.Width);
            _values[k] = OnnxTensor.AllFinite(z) ? Mean(z[(_chunk + _joint.Future)..]) : double.NaN;
        }

        _judged = true;
        return calls;
    }

    // One stage, unless it and those after it do not fit any more.
    private bool Run(int at, MonotonicTime deadline, ReadOnlySpan<float> start, ref MonotonicTime now, ref int calls)
    {
        var stage = _stages[at];
        if (!Fits(at, 0, deadline, now))
        {
            Array.ForEach(_stages, each => each.Cost.Forget());
            return false;
        }

        Fill(at, start);
        for (int call = 0; call < stage.Table.Calls; call++)
        {
            if (call > 0 && !Fits(at, call, deadline, now))
            {
                return false;
            }

            now = Call(stage, call, now);
            calls++;
        }

        return true;
    }

    private bool Fits(int at, int call, MonotonicTime deadline, MonotonicTime now)
    {
        long needed = 0;
        for (int later = at; later < _stages.Length; later++)
        {
            needed += (_stages[later].Table.Calls - (later == at ? call : 0)) * _stages[later].Cost.Nanoseconds;
        }

        // A call in hand, as everywhere: the next one may take longer than those before.
        return Left(deadline, now) > needed + _stages[at].Cost.Nanoseconds;
    }

    private MonotonicTime Call(Stage stage, int call, MonotonicTime before)
    {
        double s = stage.Table.Time(call);
        stage.Network.Call(stage.Sample, new(s, NoiseLevel.OfFlow(s), default, call == 0));
        int width = stage.Network.Width, open = width - stage.Open;
        for (int row = stage.Open; row < stage.Sample.Length; row += width)
        {
            stage.Table.Step(call, stage.Sample.AsSpan(row, open), stage.Network.Output.AsSpan(row, open), stage.Anchor.AsSpan(0, open), stage.Clean.AsSpan(row, open));
        }

        var now = MonotonicTime.Now(Clock);
        stage.Cost.Count(now.NanosecondsSince(before));
        return now;
    }

    // What is given of each row, from the row of the stage before that it goes on from; noise in the rest.
    private void Fill(int at, ReadOnlySpan<float> start)
    {
        var stage = _stages[at];
        ReadOnlySpan<float> before = at == 0 ? Plans : _stages[at - 1].Clean;
        int width = stage.Network.Width, copies = stage.Network.Candidates / (before.Length / width);
        for (int row = 0; row < stage.Network.Candidates; row++)
        {
            var given = before.Slice(row / copies * width, stage.Open);
            var open = stage.Sample.AsSpan((row * width) + stage.Open, width - stage.Open);
            given.CopyTo(stage.Given.AsSpan(row * width));
            given.CopyTo(stage.Clean.AsSpan(row * width));
            if (start.IsEmpty)
            {
                _random.FillGaussian(open);
            }
            else
            {
                start[stage.Open..].CopyTo(open);
            }
        }

        stage.Network.Give(stage.Given, at + 1);
    }

    // Future and value of a candidate, as the stages found them: its first future and the mean of all its values.
    private void Weigh(int k)
    {
        var stage = _stages[1];
        int width = Network.Width, value = _chunk + _joint.Future, each = _joint.Futures * _joint.Values;
        double sum = 0;
        bool finite = true;
        for (int row = k * each; row < (k + 1) * each; row++)
        {
            var z = stage.Clean.AsSpan(row * width, width);
            finite &= OnnxTensor.AllFinite(z);
            sum += Mean(z[value..]);
        }

        var plan = Plans.Slice(k * width, width);
        stage.Clean.AsSpan((k * each * width) + _chunk, _joint.Future).CopyTo(plan[_chunk..]);
        plan[value..].Fill(finite ? (float)(sum / each) : float.NaN);
    }

    private static double Mean(ReadOnlySpan<float> value)
    {
        double sum = 0;
        foreach (float element in value)
        {
            sum += element;
        }

        return sum / value.Length;
    }

    // One batch of the model with some blocks given: futures or values.
    private sealed class Stage(JointStep network, int steps, int open)
    {
        public JointStep Network { get; } = network;

        public FlowSampler Table { get; } = new(FlowSolver.Euler, steps);

        public int Open { get; } = open; // first element of z that is not given

        public RunningCost Cost { get; } = new();

        public float[] Given { get; } = new float[network.Length];

        public float[] Sample { get; } = new float[network.Length];

        public float[] Clean { get; } = new float[network.Length];

        public float[] Anchor { get; } = new float[network.Width];
    }
}
