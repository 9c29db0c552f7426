using Robotics.Learning.Networks;
using Robotics.Numerics;

namespace Robotics.Learning.Export;

/// <summary>Writes a whole policy, sampler and all, as one ONNX file, for people who have ONNX Runtime and nothing else.</summary>
/// <remarks>
/// Inputs <c>noise</c> [B, H, Da], N(0, 1), and <c>cond</c> [B, C]; output <c>chunk</c> [B, H, Da]; all float32 and normalised. Every
/// step is written out, the weights once. The steps are computed in float32, where the stepped samplers use float64: with epsilon
/// prediction, a grid that starts at t = T - 1 divides by √ᾱ = 5e-4 and loses four digits in its first step.
/// It cannot stop early, warm-start or be guided; the robot's runtime uses <see cref="StepGraph"/>.
/// </remarks>
public static class SamplerGraph
{
    /// <summary>Writes a diffusion policy.</summary>
    /// <param name="spec">A denoiser.</param>
    /// <param name="values">Elements of each weight.</param>
    /// <param name="sampler">A solver that draws no noise on its way.</param>
    /// <param name="metadata">Key-value pairs that travel in the file; null: none.</param>
    /// <exception cref="NotSupportedException">The network is no denoiser, or the solver draws noise.</exception>
    public static byte[] Write(
        NetworkSpec spec, Func<WeightSpec, float[]> values, DiffusionSampler sampler, IReadOnlyDictionary<string, string>? metadata = null)
    {
        ArgumentNullException.ThrowIfNull(sampler);
        var graph = new Graph(spec, values, "denoiser", nameof(DiffusionSampler));
        if (Enumerable.Range(0, sampler.Steps).Any(sampler.DrawsNoise))
        {
            throw new NotSupportedException(
                "This sampler draws noise at every step, and a graph draws none. Export with DDIM at eta 0 or with DPM-Solver.");
        }

        var ops = graph.Ops;
        var x = graph.Noise;
        OnnxValue? previous = null;
        for (int i = 0; i < sampler.Steps; i++)
        {
            var row = sampler.Coefficients(i);
            var output = graph.Ask(x, sampler.Timesteps[i]);
            var clean = Mix(ops, (row.CleanX, x), (row.CleanOutput, output));
            clean = double.IsFinite(sampler.Clip) ? ops.Clip(clean, sampler.Clip) : clean;
            var epsilon = sampler.UsesClippedOutput
                ? Mix(ops, (1 / row.RootNoise, x), (-row.RootAlphaBar / row.RootNoise, clean))
                : Mix(ops, (row.NoiseX, x), (row.NoiseOutput, output));
            x = Mix(ops, (row.X, x), (row.Clean, clean), (row.Epsilon, epsilon), (row.Previous, previous));
            previous = clean;
        }

        return graph.Finish(x, metadata);
    }

    /// <summary>Writes a flow policy.</summary>
    /// <param name="spec">A velocity.</param>
    /// <param name="values">Elements of each weight.</param>
    /// <param name="sampler">From noise, not a warm start.</param>
    /// <param name="metadata">Key-value pairs that travel in the file; null: none.</param>
    /// <exception cref="NotSupportedException">The network is no velocity, or the sampler starts late.</exception>
    public static byte[] Write(
        NetworkSpec spec, Func<WeightSpec, float[]> values, FlowSampler sampler, IReadOnlyDictionary<string, string>? metadata = null)
    {
        ArgumentNullException.ThrowIfNull(sampler);
        var graph = new Graph(spec, values, "velocity", nameof(FlowSampler));
        if (sampler.Begin != 0)
        {
            throw new NotSupportedException("This sampler is a warm start; a graph of its own starts from noise. Export with start 0.");
        }

        var ops = graph.Ops;
        double h = sampler.StepLength;
        OnnxValue x = graph.Noise, anchor = x;
        for (int call = 0; call < sampler.Calls; call++)
        {
            var velocity = graph.Ask(x, sampler.Time(call));
            bool first = sampler.Solver == FlowSolver.Euler || call % 2 == 0;
            if (first)
            {
                anchor = x;
                x = Mix(ops, (1, x), (sampler.Solver == FlowSolver.Midpoint ? h / 2 : h, velocity));
            }
            else
            {
                x = sampler.Solver == FlowSolver.Midpoint
                    ? Mix(ops, (1, anchor), (h, velocity))
                    : Mix(ops, (0.5, anchor), (0.5, x), (0.5 * h, velocity));
            }
        }

        return graph.Finish(x, metadata);
    }

    /// <summary>Writes an energy policy.</summary>
    /// <param name="spec">An energy.</param>
    /// <param name="values">Elements of each weight.</param>
    /// <param name="descent">With tolerance 0: every step is taken.</param>
    /// <param name="metadata">Key-value pairs that travel in the file; null: none.</param>
    /// <exception cref="NotSupportedException">The network is no energy, or the descent stops early.</exception>
    public static byte[] Write(
        NetworkSpec spec, Func<WeightSpec, float[]> values, EnergyDescent descent, IReadOnlyDictionary<string, string>? metadata = null)
    {
        ArgumentNullException.ThrowIfNull(descent);
        var graph = new Graph(spec, values, "energy", nameof(EnergyDescent));
        if (descent.Options.Tolerance > 0)
        {
            throw new NotSupportedException(
                FormattableString.Invariant($"This descent stops where the gradient is below {descent.Options.Tolerance}, and a graph cannot stop. ")
                + "Export with tolerance 0.");
        }

        var ops = graph.Ops;
        var x = graph.Noise;
        OnnxValue? move = null;
        for (int i = 0; i < descent.MaxSteps; i++)
        {
            move = Mix(ops, (descent.Options.Momentum, move), (-descent.Options.StepSize, graph.Slope(x)));
            x = ops.Add(x, move);
        }

        return graph.Finish(x, metadata);
    }

    // Terms that are absent or multiplied by 0 leave no node.
    private static OnnxValue Mix(OnnxOperations ops, params ReadOnlySpan<(double Factor, OnnxValue? Value)> terms)
    {
        OnnxValue? sum = null;
        foreach (var (factor, value) in terms)
        {
            if (factor != 0 && value is not null)
            {
                var term = factor == 1 ? value : ops.Scale(value, factor);
                sum = sum is null ? term : ops.Add(sum, term);
            }
        }

        return sum ?? ops.Scale(terms[0].Value!, 0);
    }

    private sealed class Graph
    {
        private readonly NetworkSpec _spec;
        private readonly OnnxValue _condition;

        public Graph(NetworkSpec spec, Func<WeightSpec, float[]> values, string kind, string sampler)
        {
            string found = StepGraph.Kind(spec);
            if (found != kind)
            {
                throw new NotSupportedException($"{sampler} runs networks of kind {kind}; this one is of kind {found}. Choose the sampler of its family.");
            }

            _spec = spec.Checked("network");
            Ops = new OnnxOperations(values);
            Noise = Ops.Input("noise", spec.Horizon, spec.ActionSize);
            _condition = Ops.Input("cond", spec.ConditionSize);
        }

        public OnnxOperations Ops { get; }

        public OnnxValue Noise { get; }

        // A time for each row of the batch, whose size only a value of the batch knows.
        public OnnxValue Ask(OnnxValue x, double time)
        {
            var zero = Ops.Scale(Ops.Mean(Ops.Reshape(x, (long)_spec.Horizon * _spec.ActionSize)), 0);
            return _spec.Forward(Ops, x, Ops.Reshape(Ops.Shift(zero, time)), _condition);
        }

        public OnnxValue Slope(OnnxValue x)
        {
            var tape = new Tape<OnnxValue>(Ops);
            var point = tape.Variable(x);
            return tape.Gradient(_spec.Forward(tape, point, null, tape.Fixed(_condition)), point);
        }

        public byte[] Finish(OnnxValue chunk, IReadOnlyDictionary<string, string>? metadata)
        {
            Ops.Output("chunk", chunk);
            return Ops.ToBytes("policy", metadata ?? new Dictionary<string, string>());
        }
    }
}
