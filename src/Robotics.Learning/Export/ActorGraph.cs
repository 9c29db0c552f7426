using Robotics.Learning.Dense;
using Robotics.Learning.Networks;
using Robotics.Packages;

namespace Robotics.Learning.Export;

/// <summary>Writes actors and critics of reinforcement learning as ONNX files.</summary>
/// <remarks>Inputs and outputs, all float32, batch free; observations normalised as the manifest beside the file says:
/// <list type="bullet">
/// <item>deterministic actor: <c>observation</c> [B, Do] to <c>action</c> [B, Da], and <c>log_std</c> [B, Da] where the action is the mean
/// of a Gaussian; of a mixture both are [B, M, 1, Da], beside <c>log_weight</c> [B, M];</item>
/// <item>drawn actor: <c>observation</c> and <c>noise</c> [B, 1, Da], standard normal, to <c>action</c> [B, 1, Da];</item>
/// <item>critic: <c>observation</c> and <c>action</c> [B, Da] to <c>q</c> [E, B] and <c>gradient</c> [B, Da], of the ensemble's mean.</item>
/// </list></remarks>
internal static class ActorGraph
{
    /// <summary>The actor's graph.</summary>
    /// <param name="actor">With its weights.</param>
    /// <param name="drawn">See above.</param>
    /// <param name="normalized">True: the observation comes normalised; false: the graph does it.</param>
    public static byte[] Write(Actor actor, bool drawn, bool normalized)
    {
        var graph = new DenseGraph(actor.Network);
        var ops = new OnnxOperations(weight => graph.Values(weight.Name)!);
        int size = actor.ActionSize;
        var given = ops.Input("observation", actor.ObservationSize);
        var observation = normalized ? given : Normalize(ops, given, actor.Normalizer.Spec());
        if (actor.Field is { } field)
        {
            ops.Output("action", Carry(ops, graph, field, observation, size));
            return ops.ToBytes("actor", new Dictionary<string, string>());
        }

        var head = graph.Forward(ops, observation);
        if (actor.Mixture is { } mixture)
        {
            int each = mixture.Components * size;
            ops.Output("action", ops.Reshape(ops.Tanh(ops.Slice(head, 1, 0, each)), mixture.Components, 1, size));
            ops.Output("log_std", ops.Reshape(
                Between(ops, ops.Slice(head, 1, each, each), GaussianMixture.LeastLog, GaussianMixture.GreatestLog), mixture.Components, 1, size));
            if (mixture.Components > 1)
            {
                ops.Output("log_weight", ops.Slice(head, 1, 2 * each, mixture.Components));
            }

            return ops.ToBytes("actor", new Dictionary<string, string>());
        }

        bool state = actor.Head == ActorHead.TanhGaussian;
        var mean = state ? ops.Slice(head, 1, 0, size) : head;
        OnnxValue? deviation = state ? Between(ops, ops.Shift(ops.Slice(head, 1, size, size), actor.DeviationOffset), TanhGaussian.Low, TanhGaussian.High)
            : actor.Stochastic ? ops.Constant([.. actor.Network.Free()], size) : null;
        if (drawn)
        {
            var noise = ops.Reshape(ops.Input("noise", 1, size), size);
            var push = ops.Mul(noise, ops.Exp(deviation!));
            var action = actor.Head == ActorHead.TanhMean ? ops.Add(ops.Tanh(mean), push) : ops.Add(mean, push);
            ops.Output("action", ops.Reshape(state ? ops.Tanh(action) : action, 1, size));
        }
        else
        {
            ops.Output("action", actor.Head == ActorHead.Gaussian ? mean : ops.Tanh(mean));
            if (HasDeviation(actor))
            {
                ops.Output("log_std", ops.Add(ops.Scale(mean, 0), deviation!)); // one per row
            }
        }

        return ops.ToBytes("actor", new Dictionary<string, string>());
    }

    /// <summary>True: the deterministic action is the mean of a Gaussian over actions (a squashed one is not).</summary>
    public static bool HasDeviation(Actor actor) => actor.Head is ActorHead.Gaussian or ActorHead.TanhMean or ActorHead.Mixture;

    // Clip is symmetric: as far to either side of the middle.
    private static OnnxValue Between(OnnxOperations ops, OnnxValue x, double low, double high)
    {
        double middle = (low + high) / 2;
        return ops.Shift(ops.Clip(ops.Shift(x, -middle), high - middle), middle);
    }

    // The middle of the noise, zero, carried to its action: every step of the integration is in the graph.
    private static OnnxValue Carry(OnnxOperations ops, DenseGraph graph, VelocityField field, OnnxValue observation, int size)
    {
        var nothing = ops.Scale(ops.Slice(observation, 1, 0, 1), 0); // [B, 1]: one per row
        var point = ops.Mul(nothing, ops.Constant(new float[size], size));
        for (int k = 0; k < field.Steps; k++)
        {
            float[] features = VelocityField.Features((double)k / field.Steps);
            var input = ops.Concat(1, ops.Concat(1, observation, point), ops.Add(nothing, ops.Constant(features, features.Length)));
            var velocity = ops.Scale(ops.Tanh(ops.Scale(graph.Forward(ops, input), 1 / VelocityField.Bound)), VelocityField.Bound);
            point = ops.Add(point, ops.Scale(velocity, 1.0 / field.Steps));
        }

        return point;
    }

    private static OnnxValue Normalize(OnnxOperations ops, OnnxValue x, NormalizationSpec? spec)
    {
        if (spec is null)
        {
            return x;
        }

        float[] minus = [.. spec.Mean!.Select(mean => -mean)], inverse = [.. spec.Std!.Select(deviation => 1 / (deviation + spec.Epsilon))];
        var normal = ops.Mul(ops.Add(x, ops.Constant(minus, minus.Length)), ops.Constant(inverse, inverse.Length));
        return spec.Clip is { } clip ? ops.Clip(normal, clip) : normal;
    }

    /// <summary>The critics' graph.</summary>
    /// <param name="critic">The ensemble.</param>
    /// <param name="rows">Rows of a chunk that its action is made of: with more than one, <c>action</c> and <c>gradient</c> are
    /// [B, rows, Da].</param>
    public static byte[] Write(Critic critic, int rows = 1)
    {
        var network = critic.Network;
        DenseGraph[] graphs = [.. Enumerable.Range(0, network.Copies).Select(copy => new DenseGraph(network, copy))];
        var ops = new OnnxOperations(weight => graphs.Select(graph => graph.Values(weight.Name)).First(values => values is not null)!);
        var tape = new Tape<OnnxValue>(ops);
        var action = tape.Variable(rows == 1 ? ops.Input("action", critic.ActionSize) : ops.Input("action", rows, critic.ActionSize / rows));
        var input = tape.Concat(1, tape.Fixed(ops.Input("observation", critic.ObservationSize)), rows == 1 ? action : tape.Reshape(action, critic.ActionSize));
        TapeValue<OnnxValue>? all = null;
        foreach (var graph in graphs)
        {
            var q = graph.Forward(tape, input);
            all = all is null ? q : tape.Concat(1, all, q);
        }

        ops.Output("q", ops.Transpose(all!.Value, 1, 0));
        ops.Output("gradient", tape.Gradient(tape.Mean(all), action));
        return ops.ToBytes("critic", new Dictionary<string, string>());
    }
}
