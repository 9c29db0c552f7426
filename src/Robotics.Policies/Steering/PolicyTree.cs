using Robotics.Packages;
using Robotics.Policies.Onnx;
using Robotics.Policies.Sampling;

namespace Robotics.Policies.Steering;

/// <summary>A package of any kind, loaded: one policy, and for a steered one the packages inside it as a tree.</summary>
/// <remarks>Owns everything in it. Not thread-safe, like the policy.</remarks>
public sealed class PolicyTree : IDisposable
{
    private readonly Func<int, PolicyCost> _measure;
    private readonly Func<int, TimeSpan> _measureNetworks;

    private PolicyTree(string name, string what, int mostCalls, IPolicy? policy, ProviderChoice provider, IReadOnlyList<GraphDescription> graphs, Func<int, PolicyCost> measure, Func<int, TimeSpan> networks)
    {
        (Name, What, MostCalls) = (name, what, mostCalls);
        Policy = policy!;
        (Provider, Graphs, _measure, _measureNetworks) = (provider, graphs, measure, networks);
    }

    /// <summary>Name of the package.</summary>
    public string Name { get; }

    /// <summary>What it does, in a few words.</summary>
    public string What { get; private set; }

    /// <summary>Most network calls of one plan, everything inside included.</summary>
    public int MostCalls { get; private set; }

    /// <summary>The policy; not to be asked for at a critic.</summary>
    public IPolicy Policy { get; private set; }

    /// <summary>Which execution provider serves.</summary>
    public ProviderChoice Provider { get; }

    /// <summary>The networks as they were found, parts included.</summary>
    public IReadOnlyList<GraphDescription> Graphs { get; private set; }

    /// <summary>Packages inside, in the manifest's order.</summary>
    public IReadOnlyList<PolicyTree> Parts { get; private set; } = [];

    /// <summary>Loads a package of any kind but critic.</summary>
    /// <exception cref="ConfigException">Everything about the packages that does not fit their graphs or each other.</exception>
    public static PolicyTree Load(PolicyPackage package, OnnxOptions options)
    {
        ArgumentNullException.ThrowIfNull(package);
        ArgumentNullException.ThrowIfNull(options);
        return Load(package, options, candidates: null);
    }

    /// <summary>What one plan costs here: measured now, back to back, on an all-zero observation.</summary>
    /// <param name="calls">Plans, 1 to 1,000,000.</param>
    public PolicyCost Measure(int calls) => _measure(calls);

    /// <summary>What the network calls of one plan cost by themselves.</summary>
    /// <param name="calls">Of each network, 1 to 1,000,000.</param>
    public TimeSpan MeasureNetworks(int calls) => _measureNetworks(calls);

    /// <inheritdoc/>
    public void Dispose()
    {
        Policy?.Dispose();
        foreach (var part in Parts)
        {
            part.Policy?.Dispose();
        }
    }

    private static PolicyTree Load(PolicyPackage package, OnnxOptions options, int? candidates) =>
        package.Manifest.Kind == PolicyKind.Steered ? new Builder(package, options, candidates).Build() : Bare(package, options, candidates);

    private static PolicyTree Bare(PolicyPackage package, OnnxOptions options, int? candidates)
    {
        var manifest = package.Manifest;
        bool sampled = manifest.Kind is PolicyKind.Denoiser or PolicyKind.Velocity or PolicyKind.Energy or PolicyKind.Joint;
        if (candidates is not null && manifest.Sampler is { Joint: { } joint } sampler)
        {
            manifest = manifest with { Sampler = sampler with { Joint = joint with { Selection = JointSelection.Single } }, Golden = null }; // who asks for candidates chooses
        }

        var policy = OnnxPolicy.Load(manifest, package.Read, options, sampled && candidates is { } k ? Ladder.Of(k) : OnnxNetworks.Batches(manifest));
        return new(manifest.Name, Words.Of(manifest), policy.MostCalls, policy, policy.Provider, policy.Graphs,
            calls => PolicyCost.Measure(policy, calls), calls => policy.MeasureNetworks(calls))
        {
            Parts = Stages(policy, manifest.Sampler),
        };
    }

    // What a joint model does in one plan, stage by stage, each with its cost.
    private static IReadOnlyList<PolicyTree> Stages(OnnxPolicy policy, SamplerSpec? sampler)
    {
        if (policy.Stages() is not [var futures, var values])
        {
            return [];
        }

        int chunks = policy.Batches[0];
        return
        [
            Stage("chunks", $"policy, {chunks} side by side", policy.MostCalls - futures.Calls - values.Calls, policy.Networks.Wirings[0].Calls[^1].Run),
            Stage("futures", $"world model, {sampler!.Joint!.Futures} of each chunk", futures.Calls, futures.Run),
            Stage("values", $"value function, {sampler.Joint.Values} of each future", values.Calls, values.Run),
        ];

        PolicyTree Stage(string name, string what, int calls, Action run)
        {
            void All()
            {
                for (int call = 0; call < calls; call++)
                {
                    run();
                }
            }

            return new(name, what, calls, null, policy.Provider, [], n => PolicyCost.Measure(All, n), n => PolicyCost.Measure(All, n).Median);
        }
    }

    /// <summary>Puts one steered package together.</summary>
    private sealed class Builder(PolicyPackage package, OnnxOptions options, int? candidates)
    {
        private readonly PolicyManifest _manifest = package.Manifest;
        private readonly SteeringSpec _steering = package.Manifest.Steering!;
        private readonly Dictionary<PackagePart, PolicyTree> _trees = [];
        private readonly Dictionary<PackagePart, Critic> _critics = [];
        private readonly ConfigCheck _check = new(package.Manifest.Origin);

        public PolicyTree Build()
        {
            try
            {
                return Assemble();
            }
            catch
            {
                foreach (var tree in _trees.Values)
                {
                    tree.Dispose();
                }

                foreach (var critic in _critics.Values)
                {
                    critic.Dispose();
                }

                throw;
            }
        }

        private PolicyTree Assemble()
        {
            var spread = _steering.Refuse?.Gates.FirstOrDefault(gate => gate.Signal == GateSignal.Spread);
            int? drawn = _steering.Guide?.Candidates ?? spread?.Candidates ?? (_steering.Improve is null ? candidates : null);
            foreach (var part in package.Parts)
            {
                switch (part.Role)
                {
                    case PackageRole.Critic:
                        _critics[part] = Critic.Load(part.Package, options, part.At == "steering.guide.critic" ? _steering.Guide!.Candidates : 1);
                        break;
                    case PackageRole.Fallback:
                        _trees[part] = Load(part.Package, options, candidates: null);
                        break;
                    default:
                        _trees[part] = Load(part.Package, options, drawn);
                        break;
                }
            }

            var parents = package.Parts.Where(part => part.Role == PackageRole.Parent).ToArray();
            var spec = Whole();
            var words = new List<string>();
            IPolicy policy;
            var view = ObservationView.Whole;
            OnnxPolicy? sampled;
            Func<int, TimeSpan> networks;
            int calls;
            if (_steering.Compose is { } compose)
            {
                var composed = Compose(compose, parents, spec, words);
                (policy, sampled, networks, calls) = (composed, composed, composed.MeasureNetworks, composed.MostCalls);
            }
            else
            {
                policy = _trees[parents[0]].Policy;
                view = ObservationView.Of(policy.Spec, spec, parents[0].Groups);
                (sampled, networks, calls) = (policy as OnnxPolicy, _trees[parents[0]].MeasureNetworks, _trees[parents[0]].MostCalls);
            }

            GuidedPolicy? guided = null;
            if (_steering.Guide is not null || spread is not null)
            {
                (guided, var critic) = Guide(policy, sampled, spread, spec, view, words);
                policy = guided;
                view = ObservationView.Whole;
                if (critic is not null)
                {
                    var below = networks;
                    networks = n => below(n) + critic.MeasureNetworks(_steering.Guide!.Candidates, n);
                    calls += critic.Calls;
                }
            }

            if (_steering.Improve is { } improve)
            {
                var part = package.Part("steering.improve.critic")!;
                var critic = _critics[part];
                _check.That(sampled?.LogStd is not null, "steering.improve", $"needs a Gaussian policy; {parents[0].At} ({parents[0].Package.Manifest.Origin}) has no output that goes to 'log_std'");
                _check.That(critic.HasGradient, "steering.improve.critic", $"({part.Package.Manifest.Origin}) has no output that goes to 'gradient'");
                _check.Throw();
                policy = new ImprovedPolicy(sampled!, critic, improve, options.Clock, spec, view, ObservationView.Of(critic.Spec, spec, part.Groups));
                view = ObservationView.Whole;
                words.Add(FormattableString.Invariant($"improved by critic, trust {improve.Trust:G3}, {improve.Steps} step{(improve.Steps == 1 ? "" : "s")}{(sampled!.Components == 1 ? "" : $", each of {sampled.Components} components")}"));
                var below = networks;
                int scores = (improve.Steps + 1) * sampled!.Components;
                networks = n => below(n) + (scores * critic.MeasureNetworks(1, n));
                calls += scores * critic.Calls;
            }

            if (_steering.Refuse is { } refuse)
            {
                policy = Gated(refuse, policy, sampled, guided, spec, view, words);
                calls += refuse.Gates.Count(gate => gate.Critic is not null);
            }
            else if (!ReferenceEquals(view, ObservationView.Whole) || words.Count == 0)
            {
                policy = new GatedPolicy(policy, [], null, options.Clock, spec, view, ObservationView.Whole); // one parent and nothing to do
            }

            WarmUp(policy);
            var tree = new PolicyTree(_manifest.Name, words.Count > 0 ? string.Join("; ", words) : "one parent as it is", calls, policy,
                _trees[parents[0]].Provider, [.. _trees.Values.SelectMany(part => part.Graphs), .. _critics.Values.SelectMany(critic => critic.Graphs)],
                n => PolicyCost.Measure(policy, n), networks)
            {
                Parts = [.. package.Parts.Select(part => part.Role == PackageRole.Critic ? Of(part, _critics[part]) : _trees[part])],
            };
            return tree;
        }

        // The observation vector of the whole: every group as long as those who read it take it.
        private PolicySpec Whole()
        {
            var slices = new List<ObservationSlice>();
            for (int g = 0, offset = 0; g < _manifest.Observations.Count; g++)
            {
                var readers = package.Parts.Where(part => part.Groups.Contains(g))
                    .Select(part => (part.At, Spec(part).Observation[part.Groups.ToList().IndexOf(g)].Length)).ToArray();
                int length = readers[0].Length;
                foreach (var (at, other) in readers.Where(reader => reader.Length != length))
                {
                    _check.Add($"{at}", $"takes {other} elements of group '{_manifest.Observations[g].Name}', {readers[0].At} takes {length}; both read the same group");
                }

                slices.Add(new(_manifest.Observations[g].Name, offset, length));
                offset += length;
            }

            var parents = package.Parts.Where(part => part.Role == PackageRole.Parent).ToArray();
            var driver = Spec(parents[_steering.DriverIndex]);
            foreach (var part in package.Parts)
            {
                var other = Spec(part);
                _check.That(other.ActionLength == driver.ActionLength, part.At,
                    $"({part.Package.Manifest.Origin}) has {other.ActionLength} action elements, {parents[_steering.DriverIndex].At} {driver.ActionLength}: "
                    + (part.Role == PackageRole.Critic ? "the critic judges other actions than these" : "they drive different robots"));
            }

            _check.Throw();
            return driver with { Name = _manifest.Name, Observation = slices };
        }

        private PolicySpec Spec(PackagePart part) => _critics.TryGetValue(part, out var critic) ? critic.Spec : _trees[part].Policy.Spec;

        private OnnxPolicy Compose(ComposeSpec compose, PackagePart[] parents, PolicySpec spec, List<string> words)
        {
            OnnxNetworks[] networks = [.. parents.Select(part => ((OnnxPolicy)_trees[part].Policy).Networks)];
            int at = _steering.DriverIndex;
            var driver = networks[at];
            var sampler = driver.Manifest.Sampler!;
            bool draws = sampler.Diffusion is { Solver: Numerics.DiffusionSolver.Ddpm } or { Eta: > 0 };
            _check.That(compose.Operator is not (MixOperator.Or or MixOperator.And) || draws, "steering.compose.operator",
                $"is '{compose.Operator.ToString().ToLowerInvariant()}', which follows densities along a path with noise; the driver, {parents[at].At}, samples without. Choose one with solver 'ddpm' or with eta above 0");
            _check.Throw();
            MixedParent[] mixed = [.. networks.Select(each => new MixedParent(each, driver))];
            double clip = sampler.Diffusion is { Clip: > 0 } clipped ? clipped.Clip : double.PositiveInfinity;
            var each = networks.Select(one => one.Steps()).ToArray();
            var steps = Enumerable.Range(0, each[0].Count)
                .Select(rung => (StepNetwork)new MixedStep(mixed, [.. each.Select(one => one[rung])], at, MixedParent.FormOf(driver.Manifest), compose, clip)).ToArray();
            words.Add(Words.Of(compose, at) + (mixed.Max(parent => parent.Uneven) is > 1.05 and var uneven
                ? FormattableString.Invariant($" (normalisers differ by up to {uneven:G3} between elements: noise levels match on average)") : ""));
            var policy = new OnnxPolicy(spec, networks, [.. parents.Select(part => ObservationView.Of(_trees[part].Policy.Spec, spec, part.Groups))], driver, steps, options.Clock);
            policy.WarmUp(_manifest.Origin);
            return policy;
        }

        private (GuidedPolicy Policy, Critic? Critic) Guide(IPolicy policy, OnnxPolicy? sampled, GateSpec? spread, PolicySpec spec, ObservationView view, List<string> words)
        {
            bool fixed_ = policy is ImprovedPolicy || sampled is { Draws: false };
            _check.That(!fixed_, _steering.Guide is null ? "steering.refuse" : "steering.guide", "draws candidates, but the parent gives the same chunk every time; it needs one that samples");
            _check.Throw();
            if (_steering.Guide is not { } guide)
            {
                return (new(policy, null, new GuideSpec { Critic = new() { Package = "" }, Candidates = spread!.Candidates!.Value }, options.Clock, spec, view, ObservationView.Whole), null);
            }

            var part = package.Part("steering.guide.critic")!;
            var critic = _critics[part];
            words.Add(guide.Temperature > 0
                ? FormattableString.Invariant($"drawn from {guide.Candidates} by critic, temperature {guide.Temperature:G3}")
                : $"best of {guide.Candidates} by critic");
            return (new(policy, critic, guide, options.Clock, spec, view, ObservationView.Of(critic.Spec, spec, part.Groups)), critic);
        }

        private GatedPolicy Gated(RefuseSpec refuse, IPolicy policy, OnnxPolicy? sampled, GuidedPolicy? guided, PolicySpec spec, ObservationView view, List<string> words)
        {
            var gates = new List<Gate>();
            for (int g = 0; g < refuse.Gates.Count; g++)
            {
                var gate = refuse.Gates[g];
                string at = $"steering.refuse.gates[{g}]";
                switch (gate.Signal)
                {
                    case GateSignal.Energy:
                        _check.That(sampled is { HasEnergy: true }, at, "looks at the energy, which only a parent of kind 'energy' with an output 'energy' has");
                        gates.Add(new EnergyGate(gate));
                        break;
                    case GateSignal.Spread:
                        _check.That(gate.Scale is null || gate.Scale.Count == 1 || gate.Scale.Count == spec.ActionLength, $"{at}.scale", $"has {gate.Scale?.Count} numbers, expected 1 or {spec.ActionLength}");
                        _check.Throw();
                        gates.Add(new SpreadGate(gate, guided!));
                        break;
                    case GateSignal.Ensemble:
                        var part = package.Part($"{at}.critic") ?? package.Part("steering.guide.critic")!;
                        var critic = _critics[part];
                        _check.That(critic.Members > 1, $"{at}.critic", $"({part.Package.Manifest.Origin}) has one member; an ensemble has two or more");
                        gates.Add(new EnsembleGate(gate, critic, ObservationView.Of(critic.Spec, spec, part.Groups), gate.Critic is null ? guided : null, options.Clock));
                        break;
                    case GateSignal.Innovation:
                        _check.That(!(gate.Rows > spec.Rows), $"{at}.rows", $"is {gate.Rows}, the plan has {spec.Rows}");
                        _check.Throw();
                        gates.Add(new InnovationGate(gate, package.Read(gate.Transitions!).Span, spec, _manifest.Origin));
                        break;
                    default:
                        gates.Add(new DistanceGate(gate, package.Read(gate.Coreset!).Span, spec.ObservationLength, _manifest.Origin));
                        break;
                }
            }

            _check.Throw();
            var fallback = package.Part("steering.refuse.fallback");
            var standIn = fallback is null ? null : _trees[fallback].Policy;
            words.Add("refuses by " + string.Join(", ", refuse.Gates.Select(gate => gate.Signal.ToString().ToLowerInvariant()))
                + (fallback is null ? "" : $", then {fallback.Package.Manifest.Name}"));
            return new(policy, gates, standIn, options.Clock, spec, view, standIn is null ? ObservationView.Whole : ObservationView.Of(standIn.Spec, spec, fallback!.Groups));
        }

        private static void WarmUp(IPolicy policy)
        {
            float[] observation = new float[policy.Spec.ObservationLength], chunk = new float[policy.Spec.Rows * policy.Spec.ActionLength];
            for (int i = 0; i < 3; i++)
            {
                policy.Plan(observation, new(long.MaxValue), chunk);
            }

            policy.Reset(0);
        }

        private static PolicyTree Of(PackagePart part, Critic critic)
        {
            var manifest = part.Package.Manifest;
            return new(manifest.Name, $"critic of {critic.Members}", critic.Calls, null, critic.Provider, critic.Graphs,
                n => critic.Measure(n), n => critic.MeasureNetworks(critic.Most, n));
        }
    }

    /// <summary>A package in a few words.</summary>
    private static class Words
    {
        public static string Of(PolicyManifest manifest) => manifest.Kind.ToString().ToLowerInvariant() + manifest.Sampler switch
        {
            { Joint: { } j, Flow: { } f } => $", {f.Solver.ToString().ToLowerInvariant()} {f.Steps}" + (j.Selection == JointSelection.Single ? "" : $", best of {manifest.Sampler.Candidates} by {(j.Selection == JointSelection.Planned ? "planned" : "joint")} value"),
            { Diffusion: { } d } => $", {d.Solver.ToString().ToLowerInvariant()} {d.Steps}",
            { Flow: { } f } => $", {f.Solver.ToString().ToLowerInvariant()} {f.Steps}",
            { Energy: { } e } => $", up to {e.MaxSteps} steps",
            _ => "",
        };

        public static string Of(ComposeSpec compose, int driver)
        {
            string weights = compose.Weights is { } fixedOnes ? string.Join(" / ", fixedOnes.Select(w => w.ToString("G3", System.Globalization.CultureInfo.InvariantCulture))) : $"scheduled over {compose.Schedule!.Count} noise levels";
            return $"composed ({compose.Operator.ToString().ToLowerInvariant()} {weights}), parent {driver} drives";
        }
    }
}
