using Robotics.Numerics;
using Robotics.Packages;
using Robotics.Policies.Sampling;
using Robotics.Policies.Steering;

namespace Robotics.Policies.Onnx;

/// <summary>A slice of the observation vector on its way into one network input, once per candidate.</summary>
/// <param name="Tensor">[K·Length].</param>
/// <param name="Offset">In the observation vector.</param>
/// <param name="Length">Of the slice.</param>
/// <param name="Normalizer">Null: none.</param>
/// <param name="Scratch">[K·Length].</param>
internal sealed record Feed(OnnxTensor Tensor, int Offset, int Length, Normalizer? Normalizer, float[] Scratch)
{
    /// <summary>Writes the input; false when a value has no finite form there.</summary>
    public bool Write(ReadOnlySpan<float> observation)
    {
        var slice = observation.Slice(Offset, Length);
        if (Normalizer is null && Scratch.Length == Length)
        {
            Tensor.Write(slice);
            return Tensor.IsFinite;
        }

        for (int at = 0; at < Scratch.Length; at += Length)
        {
            if (Normalizer is null)
            {
                slice.CopyTo(Scratch.AsSpan(at));
            }
            else
            {
                Normalizer.Normalize(slice, Scratch.AsSpan(at, Length));
            }
        }

        Tensor.Write(Scratch);
        return Tensor.IsFinite;
    }
}

/// <summary>An encoder's output on its way into the step network, once per candidate.</summary>
internal sealed record Spread(OnnxTensor From, OnnxTensor To, float[] Scratch)
{
    /// <summary>Copies it K times.</summary>
    public void Apply()
    {
        for (int at = 0; at < Scratch.Length; at += From.Length)
        {
            From.Read(Scratch.AsSpan(at, From.Length));
        }

        To.Write(Scratch);
    }
}

/// <summary>A recurrent state: what the last accepted plan left, and what the running one proposes.</summary>
internal sealed record StateLink(OnnxTensor Next, OnnxTensor[] Current, double Reset);

/// <summary>Every tensor of a policy, matched between the manifest and its graphs; or everything that does not match, at once.</summary>
internal sealed class Wiring : IDisposable
{
    private readonly ConfigCheck _check;
    private readonly List<OnnxTensor> _tensors = [];
    private readonly List<(int Group, OnnxTensor Tensor, int Length, string At)> _fed = [];
    private readonly Dictionary<string, (OnnxTensor Tensor, string At)> _values = [];
    private readonly Dictionary<string, (OnnxTensor Tensor, string At)> _next = [];
    private readonly Dictionary<string, List<(OnnxTensor Tensor, string At)>> _current = [];
    private readonly Dictionary<string, string> _stepAt = [];
    private string _actionAt = "";
    private int _batch = 1; // of the model that is being wired

    /// <summary>Matches <paramref name="manifest"/> with its opened <paramref name="models"/>.</summary>
    /// <param name="manifest">What is meant.</param>
    /// <param name="models">What was found.</param>
    /// <param name="bind">Bind tensors once, or hand them over on every call.</param>
    /// <param name="candidates">K, batch of the last model when it is a step network or a critic.</param>
    /// <exception cref="ConfigException">Names, shapes, types or wires that disagree.</exception>
    public Wiring(PolicyManifest manifest, IReadOnlyList<OnnxModel> models, bool bind, int candidates)
    {
        _check = new ConfigCheck(manifest.Origin);
        try
        {
            bool judged = manifest.Kind == PolicyKind.Critic;
            bool sampled = manifest.Kind != PolicyKind.Direct && !judged;
            Step = sampled ? new() { Candidates = candidates } : null;
            Judge = judged ? new() { Candidates = candidates } : null;
            foreach (var model in models)
            {
                _batch = (sampled || judged) && model == models[^1] ? candidates : 1;
                Wire(manifest, model, bind);
            }

            if (Step is not null)
            {
                CheckStep(manifest, models[^1].Path);
            }

            if (Judge is not null)
            {
                CheckJudge(models[^1].Path);
            }

            Spec = new(manifest.Name, Groups(manifest), manifest.Action.Rows, Chunk(manifest), TimeSpan.FromMilliseconds(manifest.Action.RowPeriodMs ?? manifest.Timing.PeriodMs));
            States = Link(manifest);
            _check.Throw();
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Shapes and rate.</summary>
    public PolicySpec Spec { get; }

    /// <summary>Observation slices and where they go.</summary>
    public List<Feed> Feeds { get; } = [];

    /// <summary>Recurrent states.</summary>
    public IReadOnlyList<StateLink> States { get; }

    /// <summary>The network's action output, [Tp, Da], of a mixture [M, Tp, Da]; null when a sampler makes the action.</summary>
    public OnnxTensor? Action { get; private set; }

    /// <summary>The step network's tensors; null for direct policies.</summary>
    public StepTensors? Step { get; }

    /// <summary>[Tp, Da] of a joint model's z; null for others.</summary>
    private long[]? JointChunk { get; set; }

    /// <summary>A critic's tensors; null for policies.</summary>
    public CriticTensors? Judge { get; }

    /// <summary>Like <see cref="Action"/>: logarithm of a Gaussian policy's deviation, normalised; null when the action is all it gives.</summary>
    public OnnxTensor? LogStd { get; private set; }

    /// <summary>[M], logarithms of a mixture's weights up to a constant; null when the policy is no mixture.</summary>
    public OnnxTensor? LogWeight { get; private set; }

    /// <summary>The networks in running order, with these tensors.</summary>
    public List<OnnxCall> Calls { get; } = [];

    /// <summary>Encoder outputs that the step network takes once per candidate.</summary>
    public List<Spread> Spreads { get; } = [];

    /// <summary>De-normalisation of action rows.</summary>
    public Normalizer? Denormalizer { get; private set; }

    /// <inheritdoc/>
    public void Dispose()
    {
        Calls.ForEach(call => call.Dispose());
        _tensors.ForEach(tensor => tensor.Dispose());
    }

    private void Wire(PolicyManifest manifest, OnnxModel model, bool bind)
    {
        var symbols = new Dictionary<string, long>();
        foreach (var input in model.Inputs)
        {
            // What the graph calls its first free dimension is its batch, wherever else the name stands.
            if (input.Shape is [-1, ..] && model.Symbols(input.Name) is [{ Length: > 0 } batch, ..])
            {
                symbols[batch] = _batch;
            }
        }

        var inputs = new Dictionary<string, OnnxTensor>();
        for (int i = 0; i < model.Spec.Inputs.Count; i++)
        {
            var spec = model.Spec.Inputs[i];
            string path = $"{model.Path}.inputs[{i}]";
            if (Find(model.Inputs, spec.Name, path, "input") is not { } graph
                || Shape(model, graph, spec.Shape, spec.Dtype, symbols, path, "input") is not { } shape)
            {
                continue;
            }

            if (Source(manifest, spec, path, graph, shape) is { } tensor && !inputs.TryAdd(spec.Name, tensor))
            {
                _check.Add($"{path}.name", $"'{spec.Name}' stands in {model.Path}.inputs twice");
            }
        }

        foreach (var graph in model.Inputs)
        {
            _check.That(
                model.Spec.Inputs.Any(input => input.Name == graph.Name),
                $"{model.Path}.inputs",
                $"has no entry for input {graph} of {model.Spec.File}; say where it comes from");
        }

        var outputs = new Dictionary<string, OnnxTensor>();
        for (int i = 0; i < model.Spec.Outputs.Count; i++)
        {
            var spec = model.Spec.Outputs[i];
            string path = $"{model.Path}.outputs[{i}]";
            if (Find(model.Outputs, spec.Name, path, "output") is not { } graph
                || Shape(model, graph, spec.Shape, spec.Dtype, symbols, path, "output") is not { } shape)
            {
                continue;
            }

            if (!outputs.TryGetValue(spec.Name, out var tensor))
            {
                outputs[spec.Name] = tensor = Keep(new OnnxTensor(graph.Dtype, shape));
            }

            Target(manifest, spec, path, graph, tensor);
        }

        if (_check.Ok)
        {
            Calls.Add(model.Wire([.. inputs.Select(pair => (pair.Key, pair.Value))], [.. outputs.Select(pair => (pair.Key, pair.Value))], bind));
        }
    }

    private OnnxTensor? Source(PolicyManifest manifest, ModelInput spec, string path, GraphTensor graph, long[] shape)
    {
        string at = $"{path} '{spec.Name}' {graph.Dtype}[{string.Join(',', shape)}]";
        switch (spec.From.Split(':', 2))
        {
            case ["observation", var name]:
                int group = manifest.Observations.ToList().FindIndex(candidate => candidate.Name == name);
                if (group < 0)
                {
                    _check.Add($"{path}.from", $"names observation group '{name}'; 'observations' has {List(manifest.Observations.Select(o => o.Name))}");
                    return null;
                }

                var fed = Keep(new OnnxTensor(graph.Dtype, shape));
                _check.That(fed.Length % _batch == 0, path, $"has {fed.Length} elements, which are not {_batch} candidates' worth");
                _fed.Add((group, fed, fed.Length / _batch, at));
                return fed;
            case ["state", var name]:
                if (!Known(manifest, name, $"{path}.from"))
                {
                    return null;
                }

                var current = Keep(new OnnxTensor(graph.Dtype, shape));
                if (!_current.TryGetValue(name, out var readers))
                {
                    _current[name] = readers = [];
                }

                readers.Add((current, at));
                return current;
            case ["value", var name]:
                if (!_values.TryGetValue(name, out var value))
                {
                    _check.Add($"{path}.from", $"names value '{name}'; earlier models give {List(_values.Keys)}");
                    return null;
                }

                if (_batch > 1 && value.Tensor.Length * _batch == OnnxTensor.Count(shape))
                {
                    var each = Keep(new OnnxTensor(graph.Dtype, shape));
                    Spreads.Add(new(value.Tensor, each, new float[each.Length]));
                    return each;
                }

                if (value.Tensor.Dtype != graph.Dtype || value.Tensor.Length != OnnxTensor.Count(shape))
                {
                    _check.Add("", $"{at} does not fit what it comes from, {value.At}");
                    return null;
                }

                return Keep(value.Tensor.Reshaped(shape));
            case ["sample" or "time" or "noise" or "given" or "flags"] when Step is not null:
                var own = Keep(new OnnxTensor(graph.Dtype, shape));
                if (!_stepAt.TryAdd(spec.From, at))
                {
                    _check.Add($"{path}.from", $"is '{spec.From}', and so is {_stepAt[spec.From]}");
                }
                else
                {
                    _ = spec.From switch
                    {
                        "time" => Step.Time = own,
                        "given" => Step.Given = own,
                        "flags" => Step.Flags = own,
                        _ => Step.Input = own,
                    };
                }

                return own;
            case ["action"] when Judge is not null:
                var judged = Keep(new OnnxTensor(graph.Dtype, shape));
                _check.That(Judge.Action is null, $"{path}.from", $"is 'action', and so is {_actionAt}");
                (Judge.Action, _actionAt) = (judged, at);
                return judged;
            case ["constant"]:
                _check.That(spec.Value is not null, $"{path}.value", "is missing; 'constant' needs it");
                var constant = Keep(new OnnxTensor(graph.Dtype, shape));
                constant.Fill(spec.Value ?? 0);
                return constant;
            default:
                _check.Add($"{path}.from", $"is '{spec.From}'; expected observation:GROUP, state:NAME, value:NAME or constant, and in a sampled policy's last model sample, time or noise{(Judge is null ? "" : ", in a critic action")}");
                return null;
        }
    }

    private void Target(PolicyManifest manifest, ModelOutput spec, string path, GraphTensor graph, OnnxTensor tensor)
    {
        string at = $"{path} '{spec.Name}' {graph.Dtype}[{string.Join(',', tensor.Shape)}]";
        switch (spec.To.Split(':', 2))
        {
            case ["action"] when Judge is null:
                _check.That(Action is null, $"{path}.to", $"is 'action', and so is {_actionAt}");
                (Action, _actionAt) = (tensor, at);
                break;
            case ["prediction" or "gradient"] when Step is not null:
                _check.That(_stepAt.TryAdd("output", at), $"{path}.to", $"is '{spec.To}', and so is {_stepAt.GetValueOrDefault("output")}");
                Step.Output = tensor;
                break;
            case ["energy"] when Step is not null:
                Step.Energy = tensor;
                break;
            case ["log_std"] when Step is null && Judge is null:
                LogStd = tensor;
                break;
            case ["log_weight"] when Step is null && Judge is null:
                LogWeight = tensor;
                break;
            case ["q"] when Judge is not null:
                (Judge.Value, Judge.ValueAt) = (tensor, at);
                break;
            case ["gradient"] when Judge is not null:
                (Judge.Gradient, Judge.GradientAt) = (tensor, at);
                break;
            case ["state", var name]:
                if (Known(manifest, name, $"{path}.to") && !_next.TryAdd(name, (tensor, at)))
                {
                    _check.Add($"{path}.to", $"is 'state:{name}', and so is {_next[name].At}");
                }

                break;
            case ["value", var name]:
                if (!_values.TryAdd(name, (tensor, at)))
                {
                    _check.Add($"{path}.to", $"is 'value:{name}', and so is {_values[name].At}");
                }

                break;
            default:
                _check.Add($"{path}.to", $"is '{spec.To}'; expected action, state:NAME or value:NAME, and in a sampled policy's last model prediction, energy or gradient");
                break;
        }
    }

    // What a sampler needs of the last model, and whether the graph and 'sampler' speak of the same thing.
    private void CheckStep(PolicyManifest manifest, string path)
    {
        var step = Step!;
        bool unrolled = manifest.Kind == PolicyKind.Unrolled;
        string wanted = unrolled ? "noise" : "sample";
        if (step.Input is null || !_stepAt.TryGetValue(wanted, out string? at))
        {
            _check.That(!_check.Ok, $"{path}.inputs", $"has none from '{wanted}', which kind '{Word(manifest.Kind)}' needs");
            return;
        }

        int horizon = manifest.Sampler!.Horizon;
        if (manifest.Sampler.Joint is { } joint)
        {
            CheckJoint(joint, horizon, at);
        }
        else
        {
            bool fits = step.Input.Shape is [var batch, var rows, _] && batch == step.Candidates && rows == horizon;
            _check.That(fits, "", $"{at} is not [K, Tp, Da] with K {step.Candidates} (sampler.candidates) and Tp {horizon} (sampler.horizon)");
        }

        if (unrolled)
        {
            return;
        }

        string output = manifest.Kind == PolicyKind.Energy ? "gradient" : "prediction";
        if (step.Output is null)
        {
            _check.That(!_check.Ok, $"{path}.outputs", $"has none to '{output}', which kind '{Word(manifest.Kind)}' needs");
        }
        else
        {
            _check.That(step.Output.Shape.AsSpan().SequenceEqual(step.Input.Shape), "", $"{_stepAt["output"]} has another shape than {at}; both are {(manifest.Kind == PolicyKind.Joint ? "[K, Z]" : "[K, Tp, Da]")}");
        }

        bool timed = manifest.Kind != PolicyKind.Energy;
        _check.That(timed == step.Time is not null, $"{path}.inputs", timed ? $"has none from 'time', which kind '{Word(manifest.Kind)}' needs" : "has one from 'time'; an energy has no time");
        if (step.Time is { } time)
        {
            _check.That(time.Length == 1 || time.Length == step.Candidates, "", $"{_stepAt["time"]} is neither a scalar, [1] nor [K] with K {step.Candidates}");
            _check.That(manifest.Kind is not (PolicyKind.Velocity or PolicyKind.Joint) || time.Dtype != "int64", "", $"{_stepAt["time"]} counts steps; a velocity's time is a real number from 0 to 1");
        }

        _check.That(step.Energy is null || step.Energy.Length == step.Candidates, $"{path}.outputs", $"gives {step.Energy?.Length} energies for {step.Candidates} candidates");

        static string Word(PolicyKind kind) => kind.ToString().ToLowerInvariant();
    }

    // z holds Tp rows of the chunk, the future and the value; what is given is as large, and three flags say which of them are.
    private void CheckJoint(JointModelSpec joint, int horizon, string at)
    {
        var step = Step!;
        int size = step.Input!.Length / step.Candidates, chunk = size - joint.Future - joint.Value;
        _check.That(
            step.Input.Shape.Length == 2 && chunk > 0 && chunk % horizon == 0, "",
            $"{at} is not [K, Z] with Z = Tp·Da + future + value: of {size} elements, sampler.joint takes {joint.Future} + {joint.Value}, which leaves {chunk} for a chunk of {horizon} rows (sampler.horizon)");
        _check.That(step.Given is null || step.Given.Shape.AsSpan().SequenceEqual(step.Input.Shape), "", $"{_stepAt.GetValueOrDefault("given")} has another shape than {at}; both are [K, Z]");
        _check.That(step.Flags is null || step.Flags.Shape is [_, 3], "", $"{_stepAt.GetValueOrDefault("flags")} is not [K, 3]: chunk, future and value given");
        JointChunk = [horizon, chunk / horizon];
    }

    private void CheckJudge(string path)
    {
        var judge = Judge!;
        if (judge.Action is null || judge.Value is null)
        {
            _check.That(!_check.Ok, path, "has no input from 'action' or no output to 'q', which a critic needs");
            return;
        }

        _check.That(judge.Action.Shape.Length is 2 or 3 && judge.Action.Shape[0] == judge.Candidates, "", $"{_actionAt} is neither [B, Da] nor [B, Ta, Da] with B {judge.Candidates}");
        _check.That(judge.Value.Length % judge.Candidates == 0 && judge.Value.Shape is [var only] ? only == judge.Candidates : judge.Value.Shape is [_, var each] && each == judge.Candidates,
            "", $"{judge.ValueAt} is neither [B] nor [E, B] with B {judge.Candidates}");
        _check.That(judge.Gradient is null || judge.Gradient.Shape.AsSpan().SequenceEqual(judge.Action.Shape), "", $"{judge.GradientAt} has another shape than {_actionAt}");
    }

    private List<ObservationSlice> Groups(PolicyManifest manifest)
    {
        var slices = new List<ObservationSlice>();
        int offset = 0;
        for (int g = 0; g < manifest.Observations.Count; g++)
        {
            var group = manifest.Observations[g];
            var inputs = _fed.Where(fed => fed.Group == g).ToArray();
            if (inputs.Length == 0)
            {
                _check.That(!_check.Ok, $"observations[{g}]", $"('{group.Name}') feeds no input; wire it with from 'observation:{group.Name}' or remove it");
                continue;
            }

            int length = inputs[0].Length;
            bool framed = group.History?.Layout != "term" && group.Terms.All(term => term.History is null);
            int frames = framed ? group.History?.Length ?? 1 : 1;
            _check.That(length % frames == 0, $"observations[{g}].history.length", $"is {frames}, but {inputs[0].At} takes {length} elements, which are not as many equal frames");
            var normalizer = Normalizer(group.Normalization, length, frames, $"observations[{g}].normalization");
            foreach ((_, var tensor, int each, string at) in inputs)
            {
                _check.That(each == length, "", $"{at} takes {each} elements of group '{group.Name}', {inputs[0].At} takes {length}; both read the same group");
                Feeds.Add(new(tensor, offset, length, normalizer, new float[tensor.Length]));
            }

            slices.Add(new(group.Name, offset, length));
            offset += length;
        }

        return slices;
    }

    /// <summary>Da, after checking the action output's shape.</summary>
    private int Chunk(PolicyManifest manifest)
    {
        bool judged = Judge is not null, stepped = judged || manifest.Kind is not (PolicyKind.Direct or PolicyKind.Unrolled);
        if ((judged ? Judge!.Action : stepped ? Step!.Input : Action) is not { } chunk)
        {
            _check.That(!_check.Ok, "models", stepped ? "has no last model with an input from 'sample'" : "has no output with to 'action'");
            return 0;
        }

        _actionAt = stepped && !judged ? _stepAt.GetValueOrDefault("sample", "") : _actionAt;
        long[] shape = JointChunk ?? (stepped ? chunk.Shape[1..] : chunk.Shape);
        int width = shape.Length == 0 ? 1 : (int)shape[^1];
        int rows = width == 0 ? 0 : OnnxTensor.Count(shape) / width;
        var action = manifest.Action;
        int components = LogWeight?.Length ?? 1;
        _check.That(
            shape.SkipLast(2).Aggregate(1L, (product, d) => product * d) == components, "",
            $"{_actionAt} is not [.., Tp, Da]: dimensions before the last two must be {components}{(LogWeight is null ? "" : ", as many as the output to 'log_weight' has")}");
        rows /= components;
        _check.That(action.Joints is null || action.Joints.Count == width, "action.joints", $"names {action.Joints?.Count} joints; {_actionAt} gives {width} per row");
        _check.That(action.Rows >= 1, "action.rows", $"is {action.Rows}, expected at least 1");
        _check.That(
            action.FirstRow >= 0 && action.FirstRow + action.Rows <= rows,
            "action.rows",
            $"asks for rows {action.FirstRow} to {action.FirstRow + action.Rows - 1} (first_row {action.FirstRow}, rows {action.Rows}); {_actionAt} gives rows 0 to {rows - 1}");
        _check.That(LogStd is null || LogStd.Shape.AsSpan().SequenceEqual(chunk.Shape), "", $"the output to 'log_std' has another shape than {_actionAt}");
        Denormalizer = action.Rows < 1 ? null : Normalizer(action.Normalization, action.Rows * width, action.Rows, "action.normalization");
        return width;
    }

    /// <summary>For a vector of so many frames; its statistics are given once, per frame element, or per element.</summary>
    private Normalizer? Normalizer(NormalizationSpec? spec, int length, int frames, string path)
    {
        if (spec is null)
        {
            return null;
        }

        // A list that divides the vector without being one frame of it would repeat in the wrong places.
        foreach (var list in (IReadOnlyList<float>?[])[spec.Mean, spec.Std, spec.Min, spec.Max])
        {
            if (list is { Count: > 1 } && list.Count != length && list.Count * frames != length)
            {
                _check.Add(path, $"has {list.Count} numbers; expected 1, {length / frames} (one frame) or {length} (all)");
                return null;
            }
        }

        if (Numerics.Normalizer.Mismatch(spec, length) is { } mismatch)
        {
            _check.Add(path, mismatch);
            return null;
        }

        return new(spec, length);
    }

    private List<StateLink> Link(PolicyManifest manifest)
    {
        var links = new List<StateLink>();
        foreach ((string name, var state) in manifest.States)
        {
            var readers = _current.GetValueOrDefault(name) ?? [];
            if (!_next.TryGetValue(name, out var next) || readers.Count == 0)
            {
                _check.That(!_check.Ok, $"states.{name}", readers.Count == 0 ? $"is read by no input; wire one with from 'state:{name}'" : $"is written by no output; wire one with to 'state:{name}'");
                continue;
            }

            foreach ((var tensor, string at) in readers)
            {
                _check.That(tensor.Dtype == next.Tensor.Dtype && tensor.Length == next.Tensor.Length, "", $"{at} does not fit what it comes from, {next.At}");
            }

            links.Add(new(next.Tensor, [.. readers.Select(reader => reader.Tensor)], state.Reset));
        }

        return links;
    }

    private GraphTensor? Find(IReadOnlyList<GraphTensor> tensors, string name, string path, string what)
    {
        var found = tensors.FirstOrDefault(tensor => tensor.Name == name);
        if (found is null)
        {
            _check.Add($"{path}.name", $"is '{name}'; the graph's {what}s are {List(tensors.Select(tensor => tensor.ToString()))}");
        }
        else if (found.Dtype is not ("float32" or "float16" or "int64"))
        {
            _check.Add(path, $"names {what} {found}; only float32, float16 and int64 are wired. Export it with a Cast inside the graph");
            return null;
        }

        return found;
    }

    /// <summary>The shape with every dimension fixed; null after reporting why not.</summary>
    private long[]? Shape(OnnxModel model, GraphTensor graph, IReadOnlyList<long>? wanted, string? dtype, Dictionary<string, long> symbols, string path, string what)
    {
        if (dtype is not null && dtype != graph.Dtype)
        {
            _check.Add($"{path}.dtype", $"is {dtype}; the graph's {what} is {graph}");
            return null;
        }

        // Rank 0 also stands for "the graph does not say" on outputs: then the manifest's word is taken, and the first call tests it.
        bool unsaid = graph.Shape.Count == 0 && what == "output";
        long[] shape = unsaid && wanted is not null ? [.. wanted] : [.. graph.Shape];
        if (wanted is not null && (wanted.Count != shape.Length || wanted.Where((d, i) => d != shape[i] && d != -1 && shape[i] != -1).Any()))
        {
            _check.Add($"{path}.shape", $"is [{string.Join(',', wanted)}]; the graph's {what} is {graph}");
            return null;
        }

        string[] names = model.Symbols(graph.Name);
        for (int i = 0; i < shape.Length; i++)
        {
            if (shape[i] >= 0)
            {
                continue;
            }

            string symbol = i < names.Length ? names[i] : "";
            shape[i] = wanted is not null && wanted[i] >= 0 ? wanted[i]
                : symbols.TryGetValue(symbol, out long known) ? known
                : i == 0 ? _batch
                : -1;
            if (shape[i] < 0)
            {
                _check.Add($"{path}.shape", $"must fix dimension {i}{(symbol.Length > 0 ? $" ('{symbol}')" : "")}: the graph's {what} is {graph}, and only a batch may stay free");
                return null;
            }

            if (symbol.Length > 0)
            {
                symbols[symbol] = shape[i];
            }
        }

        return shape;
    }

    private bool Known(PolicyManifest manifest, string state, string path)
    {
        bool known = manifest.States.ContainsKey(state);
        _check.That(known, path, $"names state '{state}'; 'states' has {List(manifest.States.Keys)}");
        return known;
    }

    private OnnxTensor Keep(OnnxTensor tensor)
    {
        _tensors.Add(tensor);
        return tensor;
    }

    private static string List(IEnumerable<string> names) => string.Join(", ", names) is { Length: > 0 } list ? list : "none";
}
