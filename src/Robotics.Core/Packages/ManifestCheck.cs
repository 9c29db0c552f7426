using System.Globalization;
using Robotics.Numerics;

namespace Robotics.Packages;

/// <summary>What the schema cannot say about a manifest: names that refer to nothing, lengths, ranges, fields a term never reads.</summary>
internal static class ManifestCheck
{
    private static readonly string[] Shared = ["clip_raw", "offset", "scale", "clip", "history"];

    // Fields that each kind of term reads, beside those all of them read. A field outside this list would be ignored in
    // silence, which is how a policy gets deployed wrongly: it is an error.
    private static readonly Dictionary<string, string[]> FieldsOf = new()
    {
        ["joint_position"] = ["joints", "relative_to"],
        ["joint_velocity"] = ["joints"],
        ["joint_effort"] = ["joints"],
        ["signal"] = ["signal", "select"],
        ["angular_velocity"] = ["signal", "reference", "frame", "select"],
        ["linear_velocity"] = ["signal", "reference", "frame", "select"],
        ["orientation"] = ["signal", "layout", "positive_w", "reference_quaternion", "select"],
        ["projected_gravity"] = ["signal", "select"],
        ["orientation_difference"] = ["signal", "reference", "layout", "positive_w", "select"],
        ["command"] = ["command", "select"],
        ["previous_action"] = ["source", "select"],
        ["phase"] = ["frequency", "command", "phase_offsets", "output", "select"],
        ["clock"] = [],
        ["route_target"] = ["select"],
        ["route_next"] = ["select"],
        ["route_verb"] = ["select"],
        ["constant"] = ["values", "select"],
    };

    public static void Run(PolicyManifest policy, ConfigCheck check)
    {
        Unique("files", policy.Files.Select(file => file.Path), check);
        check.That((policy.Kind == PolicyKind.Steered) == policy.Steering is not null, "steering",
            policy.Steering is null ? "is missing; kind 'steered' needs it" : $"is given, which belongs to kind 'steered'; the kind is '{Word(policy.Kind)}'");
        if (policy.Steering is { } steering)
        {
            SteeringCheck.Run(steering, policy.Files, check);
        }
        else
        {
            Models(policy, check);
        }

        Commands(policy, check);
        if (policy.Route is { } route)
        {
            Routes.RouteSpecCheck.Run(route, policy.Files, check);
        }

        Unique("observations", policy.Observations.Select(group => group.Name), check);
        for (int g = 0; g < policy.Observations.Count; g++)
        {
            Group(policy, policy.Observations[g], $"observations[{g}]", check);
        }

        Action(policy.Action, policy.Timing, check);
        Sampler(policy, check);
        double act = policy.Timing.ActAfterMs ?? 0;
        check.That(act < policy.Timing.PeriodMs, "timing.act_after_ms", Text($"is {act}, expected less than timing.period_ms {policy.Timing.PeriodMs}"));
        if (policy.Golden is { } golden)
        {
            check.That(policy.Files.Any(file => file.Path == golden.File), "golden.file", $"is '{golden.File}', which 'files' does not list");
        }
    }

    private static void Models(PolicyManifest policy, ConfigCheck check)
    {
        var values = new HashSet<string>();
        var read = new HashSet<string>();
        var written = new Dictionary<string, string>();
        for (int m = 0; m < policy.Models.Count; m++)
        {
            var model = policy.Models[m];
            check.That(policy.Files.Any(file => file.Path == model.File), $"models[{m}].file", $"is '{model.File}', which 'files' does not list");
            Unique($"models[{m}].inputs", model.Inputs.Select(input => input.Name), check);
            Unique($"models[{m}].outputs", model.Outputs.Select(output => output.Name), check);
            for (int i = 0; i < model.Inputs.Count; i++)
            {
                var input = model.Inputs[i];
                string path = $"models[{m}].inputs[{i}].from";
                string kind = input.From.Split(':')[0];
                string name = input.From[Math.Min(input.From.Length, kind.Length + 1)..];
                read.Add(input.From);
                switch (kind)
                {
                    case "observation":
                        Known(path, input.From, name, "observation groups", [.. policy.Observations.Select(group => group.Name)], check);
                        break;
                    case "state":
                        Known(path, input.From, name, "states", [.. policy.States.Keys], check);
                        break;
                    case "value":
                        Known(path, input.From, name, "values of earlier models", [.. values], check);
                        break;
                }

                check.That(kind == "constant" == input.Value is not null, $"models[{m}].inputs[{i}]",
                    kind == "constant" ? "is constant and has no 'value'" : $"has a 'value' and takes '{input.From}'; only constant inputs have one");
            }

            for (int o = 0; o < model.Outputs.Count; o++)
            {
                string to = model.Outputs[o].To;
                string path = $"models[{m}].outputs[{o}].to";
                if (to.StartsWith("state:", StringComparison.Ordinal))
                {
                    Known(path, to, to["state:".Length..], "states", [.. policy.States.Keys], check);
                }

                check.That(written.TryAdd(to, path), path, $"is '{to}', as {written[to]} already is");
            }

            values.UnionWith(model.Outputs.Where(output => output.To.StartsWith("value:", StringComparison.Ordinal)).Select(output => output.To["value:".Length..]));
        }

        string wanted = policy.Kind switch
        {
            PolicyKind.Denoiser or PolicyKind.Velocity or PolicyKind.Joint => "prediction",
            PolicyKind.Energy => "gradient",
            PolicyKind.Critic => "q",
            _ => "action",
        };
        check.That(written.ContainsKey(wanted), "models", $"has no output that goes to '{wanted}', which kind '{Word(policy.Kind)}' needs");
        check.That(policy.Kind != PolicyKind.Critic || read.Contains("action"), "models", "has no input from 'action', which kind 'critic' needs");
        foreach (string input in (string[])["given", "flags"])
        {
            check.That(read.Contains(input) == (policy.Kind == PolicyKind.Joint), "models", policy.Kind == PolicyKind.Joint
                ? $"has no input from '{input}', which kind 'joint' needs" : $"has an input from '{input}', which only kind 'joint' has; the kind is '{Word(policy.Kind)}'");
        }

        check.That(policy.Kind == PolicyKind.Direct || policy.States.Count == 0, "states", $"are for kind 'direct' only, the kind is '{Word(policy.Kind)}'");
        foreach (string state in policy.States.Keys)
        {
            check.That(read.Contains($"state:{state}"), $"states.{state}", $"is read by no model input ('from': 'state:{state}')");
            check.That(written.ContainsKey($"state:{state}"), $"states.{state}", $"is written by no model output ('to': 'state:{state}')");
        }

        for (int g = 0; g < policy.Observations.Count; g++)
        {
            string name = policy.Observations[g].Name;
            check.That(read.Contains($"observation:{name}"), $"observations[{g}]", $"'{name}' is read by no model input ('from': 'observation:{name}')");
        }
    }

    // The sampler and the kind speak of the same family, and its numbers fit each other and the chunk.
    private static void Sampler(PolicyManifest policy, ConfigCheck check)
    {
        bool none = policy.Kind is PolicyKind.Direct or PolicyKind.Steered or PolicyKind.Critic;
        if (none || policy.Sampler is not { } sampler)
        {
            check.That(none == policy.Sampler is null, "sampler", policy.Sampler is null
                ? $"is missing; kind '{Word(policy.Kind)}' needs it" : $"is given, but kind '{Word(policy.Kind)}' has no sampler; remove it or change 'kind'");
            return;
        }

        Family("diffusion", sampler.Diffusion is not null, PolicyKind.Denoiser);
        Family("flow", sampler.Flow is not null, policy.Kind == PolicyKind.Joint ? PolicyKind.Joint : PolicyKind.Velocity);
        Family("energy", sampler.Energy is not null, PolicyKind.Energy);
        Family("joint", sampler.Joint is not null, PolicyKind.Joint);

        // The golden vectors are normalised, so they would not notice.
        check.That(policy.Action.Normalization is not null, "action.normalization", $"is missing; kind '{Word(policy.Kind)}' samples in normalised units. Where those are the action's own, say so: mode 'mean_std', mean 0, std 1");
        int last = policy.Action.FirstRow + policy.Action.Rows;
        check.That(last <= sampler.Horizon, "sampler.horizon", $"is {sampler.Horizon}; action.first_row {policy.Action.FirstRow} and action.rows {policy.Action.Rows} reach row {last}");
        check.That(policy.Kind != PolicyKind.Unrolled || sampler is { Candidates: 1, WarmStart: null, Inpaint: null }, "sampler", "of kind 'unrolled' is inside the graph: candidates, warm_start and inpaint have no effect, remove them");
        check.That(policy.Kind != PolicyKind.Energy || sampler.Inpaint is null, "sampler.inpaint", "is given, which kind 'energy' has no noise level for; use warm_start");
        if (sampler.Joint is { } joint)
        {
            Joint(joint, policy, sampler, check);
        }

        if (sampler.Diffusion is not { } diffusion)
        {
            return;
        }

        check.That((diffusion.Schedule == "betas") == diffusion.Betas is not null, "sampler.diffusion.betas", diffusion.Betas is null
            ? "is missing; schedule 'betas' needs it" : $"is given, but the schedule is '{diffusion.Schedule}'");
        check.That(diffusion.Betas is null || diffusion.Betas.Count == diffusion.TrainSteps, "sampler.diffusion.betas", $"has {diffusion.Betas?.Count} numbers, train_steps is {diffusion.TrainSteps}");
        check.That(diffusion.Betas is null || diffusion.Betas.All(beta => beta is > 0 and < 1), "sampler.diffusion.betas", "are not all between 0 and 1");
        check.That(diffusion.Steps <= diffusion.TrainSteps, "sampler.diffusion.steps", $"is {diffusion.Steps}, above train_steps {diffusion.TrainSteps}");
        check.That(diffusion.Eta == 0 || diffusion.Solver == DiffusionSolver.Ddim, "sampler.diffusion.eta", Text($"is {diffusion.Eta}; only solver 'ddim' has one"));
        if (diffusion.BetasSha256 is { } hash && check.Ok)
        {
            var schedule = diffusion.Betas is { } betas ? NoiseSchedule.FromBetas([.. betas]) : NoiseSchedule.SquaredCosine(diffusion.TrainSteps);
            string rebuilt = schedule.BetasSha256();
            check.That(hash == rebuilt, "sampler.diffusion.betas_sha256", $"is {hash}; '{diffusion.Schedule}' with train_steps {diffusion.TrainSteps} gives {rebuilt}. The network was trained with another schedule");
        }

        void Family(string name, bool given, PolicyKind kind) => check.That(
            given == (policy.Kind == kind), $"sampler.{name}", given ? $"is given, which belongs to kind '{Word(kind)}'; the kind is '{Word(policy.Kind)}'" : $"is missing; kind '{Word(kind)}' needs it");
    }

    private static void Joint(JointModelSpec joint, PolicyManifest policy, SamplerSpec sampler, ConfigCheck check)
    {
        const int mostRows = 16384;
        check.That(policy.Models.Count == 1, "models", $"has {policy.Models.Count} networks; kind 'joint' is one graph that is policy, world model and value function. Put an encoder inside it");
        check.That(sampler is { WarmStart: null, Inpaint: null }, "sampler", "of kind 'joint' draws every chunk anew: warm_start and inpaint have no effect, remove them");
        long rows = (long)sampler.Candidates * joint.Futures * joint.Values;
        check.That(joint.Selection != JointSelection.Planned || rows <= mostRows, "sampler.joint", $"asks for {rows} values in one batch (sampler.candidates {sampler.Candidates} x futures {joint.Futures} x values {joint.Values}), expected up to {mostRows}");
        check.That(joint.Outcome is null || joint.Outcome.Count == joint.Future, "sampler.joint.outcome", $"names {joint.Outcome?.Count} observation elements, sampler.joint.future is {joint.Future}");
        Normalization(joint.Normalization, "sampler.joint.normalization", check);
        if (joint.Normalization is { } normalization && Numerics.Normalizer.Mismatch(normalization, joint.Future) is { } mismatch)
        {
            check.Add("sampler.joint.normalization", mismatch);
        }
    }

    private static string Word(PolicyKind kind) => kind.ToString().ToLowerInvariant();

    private static void Commands(PolicyManifest policy, ConfigCheck check)
    {
        Unique("commands", policy.Commands.Select(command => command.Name), check);
        var owners = new Dictionary<string, string>();
        for (int c = 0; c < policy.Commands.Count; c++)
        {
            var command = policy.Commands[c];
            string path = $"commands[{c}]";
            int count = command.Elements.Count;
            for (int e = 0; e < count; e++)
            {
                check.That(owners.TryAdd(command.Elements[e], $"{path}.elements[{e}]"), $"{path}.elements[{e}]",
                    $"is '{command.Elements[e]}', as {owners[command.Elements[e]]} already is");
            }

            check.That(command.Units.Count == 0 || command.Units.Count == count, $"{path}.units", $"has {command.Units.Count} entries, 'elements' has {count}");
            bool fits = Length(command.Lower, count, $"{path}.lower", check) & Length(command.Upper, count, $"{path}.upper", check)
                & Length(command.Default, count, $"{path}.default", check);
            for (int e = 0; fits && e < count; e++)
            {
                float lower = At(command.Lower, e);
                float upper = At(command.Upper, e);
                float value = At(command.Default, e);
                check.That(lower <= upper, path, Text($"'{command.Elements[e]}' has lower {lower} above upper {upper}"));
                check.That(lower > upper || (value >= lower && value <= upper), path, Text($"'{command.Elements[e]}' has default {value}, expected {lower} to {upper}"));
            }
        }
    }

    private static void Group(PolicyManifest policy, ObservationGroup group, string path, ConfigCheck check)
    {
        Unique($"{path}.terms", group.Terms.Select(term => term.Name), check);
        Pairs(group.Clip, null, $"{path}.clip", check);
        Normalization(group.Normalization, $"{path}.normalization", check);
        for (int t = 0; t < group.Terms.Count; t++)
        {
            var term = group.Terms[t];
            string at = $"{path}.terms[{t}]";
            check.That(term.History is null || group.History is null || group.History.Layout == "term", $"{at}.history",
                "stands inside a group whose history keeps whole frames; give only one of them, or set the group's history.layout to 'term'");
            check.That(term.History?.Layout is null or "frame", $"{at}.history.layout", "says 'term', which only a group's history can");
            Term(policy, term, at, check);
        }
    }

    private static void Term(PolicyManifest policy, ObservationTerm term, string path, ConfigCheck check)
    {
        if (!FieldsOf.TryGetValue(term.Kind, out string[]? fields))
        {
            check.Add($"{path}.kind", $"is '{term.Kind}', expected one of {string.Join(", ", FieldsOf.Keys)}"); // built in code, past the schema
            return;
        }

        foreach (string field in Given(term).Where(field => !fields.Contains(field)))
        {
            check.Add($"{path}.{field}", $"is given, a {term.Kind} term does not read it; it reads {string.Join(", ", fields.Concat(Shared))}");
        }

        Pairs(term.Clip, null, $"{path}.clip", check);
        Pairs(term.ClipRaw, null, $"{path}.clip_raw", check);
        check.That(term.PositiveW is null || term.Layout is null or "wxyz" or "xyzw", $"{path}.positive_w", $"is given, which only a quaternion has; layout is {term.Layout}");
        check.That(term.ReferenceQuaternion is null || term.ReferenceQuaternion.Any(part => part != 0), $"{path}.reference_quaternion", "is all zeros, which is no orientation");
        Unique($"{path}.joints", term.Joints ?? [], check, "");
        switch (term.Kind)
        {
            case "signal":
                check.That(term.Signal is not null, path, "has no 'signal', which a signal term needs");
                break;
            case "route_target" or "route_next" or "route_verb":
                check.That(policy.Route is not null, path, $"is a {term.Kind} term, which needs a 'route' section that says where the robot is");
                break;
            case "constant":
                check.That(term.Values is not null, path, "has no 'values', which a constant term needs");
                break;
            case "command" when term.Command is null:
                check.Add(path, "has no 'command', which a command term needs");
                break;
            case "command":
                Known($"{path}.command", term.Command, term.Command, "commands", [.. policy.Commands.Select(command => command.Name)], check);
                break;
            case "orientation_difference":
                check.That(term.Reference is not null, path, "has no 'reference', the signal it starts from");
                break;
            case "phase":
                check.That(term.Frequency is null != (term.Command is null), path, "needs either 'frequency' (Hz) or 'command' (COMMAND.ELEMENT), one of them");
                if (term.Command is { } element)
                {
                    Known($"{path}.command", element, element, "command elements", [.. policy.Commands.SelectMany(command => command.Elements.Select(name => $"{command.Name}.{name}"))], check);
                }

                break;
        }
    }

    private static void Action(ActionSpec action, TimingSpec timing, ConfigCheck check)
    {
        int? count = action.Joints?.Count;
        Unique("action.joints", action.Joints ?? [], check, "");
        if (count is { } elements)
        {
            check.That(action.Kind.Count == 1 || action.Kind.Count == elements, "action.kind", $"has {action.Kind.Count} entries, expected 1 or {elements} (action.joints)");
            Length(action.Scale, elements, "action.scale", check);
            Length(action.Offset, elements, "action.offset", check);
            Length(action.Servo?.Stiffness, elements, "action.servo.stiffness", check);
            Length(action.Servo?.Damping, elements, "action.servo.damping", check);
            Length(action.Servo?.EffortLimit, elements, "action.servo.effort_limit", check);
        }

        Pairs(action.Clip, count, "action.clip", check);
        Pairs(action.ClipRaw, count, "action.clip_raw", check);
        Normalization(action.Normalization, "action.normalization", check);
        check.That(action.Mode == "absolute" || action.RelativeTo is null, "action.relative_to",
            $"is given and action.mode is {action.Mode}; the default pose belongs to absolute targets only");
        check.That(action.Mode != "delta" || action.Kind.All(kind => kind == TargetKind.Position), "action.mode", "is delta, which only position targets can be");
        check.That(action.Ensemble is null || action.Rows > 1, "action.ensemble", $"is given, but action.rows is {action.Rows}: plans of one row never overlap");
        check.That(action.Ensemble is null || action.Mode == "absolute", "action.ensemble", $"is given and action.mode is {action.Mode}; only absolute targets of different plans can be averaged");
        if (action.RowPeriodMs is { } row)
        {
            double ratio = row / timing.PeriodMs;
            check.That(ratio >= 0.999 && Math.Abs(ratio - Math.Round(ratio)) < 1e-6 * Math.Max(1, ratio), "action.row_period_ms",
                Text($"is {row}, expected a multiple of timing.period_ms {timing.PeriodMs}"));
        }
    }

    private static void Normalization(NormalizationSpec? spec, string path, ConfigCheck check)
    {
        if (spec is null)
        {
            return;
        }

        bool standard = spec.Mode == "mean_std";
        var (first, second) = standard ? (spec.Mean, spec.Std) : (spec.Min, spec.Max);
        string names = standard ? "'mean' and 'std'" : "'min' and 'max'";
        if (first is null || second is null)
        {
            string missing = first is null && second is null ? "both are" : $"'{(first is null, standard) switch { (true, true) => "mean", (true, false) => "min", (false, true) => "std", _ => "max" }}' is";
            check.Add(path, $"is {spec.Mode} and needs {names}; {missing} missing");
            return;
        }

        check.That((standard ? spec.Min ?? spec.Max : spec.Mean ?? spec.Std) is null, path, $"is {spec.Mode} and reads {names} only");
        check.That(first.Count == second.Count || first.Count == 1 || second.Count == 1, path, $"has {first.Count} and {second.Count} numbers in {names}");
        for (int i = 0; !standard && i < Math.Max(first.Count, second.Count) && (first.Count == second.Count || first.Count == 1 || second.Count == 1); i++)
        {
            check.That(At(first, i) <= At(second, i), path, Text($"has min {At(first, i)} above max {At(second, i)} at element {i}"));
        }
    }

    private static IEnumerable<string> Given(ObservationTerm term)
    {
        (string Name, object? Value)[] fields =
        [
            ("signal", term.Signal), ("reference", term.Reference), ("joints", term.Joints), ("relative_to", term.RelativeTo), ("select", term.Select),
            ("frame", term.Frame), ("layout", term.Layout), ("positive_w", term.PositiveW), ("reference_quaternion", term.ReferenceQuaternion),
            ("command", term.Command), ("source", term.Source), ("frequency", term.Frequency), ("phase_offsets", term.PhaseOffsets),
            ("output", term.Output), ("values", term.Values),
        ];
        return fields.Where(field => field.Value is not null).Select(field => field.Name);
    }

    private static void Known(string path, string given, string name, string what, string[] known, ConfigCheck check) => check.That(known.Contains(name), path,
        $"is '{given}', the manifest's {what} are: {(known.Length == 0 ? "none" : string.Join(", ", known))}"
        + (Json.JsonSchema.Nearest(name, known) is { } near ? $"; did you mean '{near}'?" : ""));

    private static void Unique(string path, IEnumerable<string> names, ConfigCheck check, string member = ".name")
    {
        member = path == "files" ? ".path" : member;
        var first = new Dictionary<string, int>();
        int i = 0;
        foreach (string name in names)
        {
            check.That(first.TryAdd(name, i), $"{path}[{i}]{member}", $"is '{name}', as {path}[{first[name]}]{member} already is");
            i++;
        }
    }

    private static bool Length(IReadOnlyList<float>? list, int expected, string path, ConfigCheck check)
    {
        bool fits = list is null || list.Count == 1 || list.Count == expected;
        check.That(fits, path, $"has {list?.Count} numbers, expected 1 or {expected}");
        return fits;
    }

    private static void Pairs(IReadOnlyList<float>? list, int? elements, string path, ConfigCheck check)
    {
        if (list is null)
        {
            return;
        }

        bool fits = list.Count % 2 == 0 && (list.Count == 2 || elements is null || list.Count == 2 * elements);
        check.That(fits, path, $"has {list.Count} numbers, expected [low, high]" + (elements is null ? " or one such pair per element" : $" or {elements} such pairs"));
        for (int i = 0; fits && i < list.Count; i += 2)
        {
            check.That(list[i] < list[i + 1], path, Text($"has low {list[i]} and high {list[i + 1]}, expected low below high"));
        }
    }

    private static float At(IReadOnlyList<float> list, int i) => list[list.Count == 1 ? 0 : i];

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
