using System.CommandLine;
using Robotics.Host;
using Robotics.Lab.Reinforcement;
using Robotics.Learning.Export;
using Robotics.Learning.Training;
using Robotics.Numerics;
using Robotics.Packages;
using Robotics.Sim;

namespace Robotics.Lab.Commands;

/// <summary><c>robotics-lab export</c>: a run's weights as a package with another sampler, or as one graph.</summary>
internal static class ExportCommand
{
    public static Command Create()
    {
        var run = new Option<DirectoryInfo>("--run") { Description = "folder of a 'robotics-lab train' run", Required = true };
        var package = new Option<DirectoryInfo?>("--package") { Description = "folder to write a package to" };
        var graph = new Option<FileInfo?>("--single-graph") { Description = "ONNX file with the sampler inside: noise and cond in, chunk out, all normalised" };
        var name = new Option<string?>("--name") { Description = "of the policy; TASK-METHOD when left out" };
        var calls = new Option<int?>("--calls") { Description = "network calls per plan; the method's usual ones when left out" };
        var tolerance = new Option<double?>("--tolerance") { Description = "an energy's settling gradient" };
        var candidates = new Option<int?>("--candidates") { Description = "K, chunks sampled side by side, 1 to 256; an energy executes the lowest" };
        var drawn = new Option<bool>("--drawn") { Description = "of a reinforcement run: a policy that draws its actions as the learner did" };
        var selection = new Option<JointSelection?>("--selection") { Description = "of a joint model: planned (by values of imagined futures), joint (by the value beside the chunk) or single" };
        var executed = new Option<int?>("--executed") { Description = "Ta, rows executed of each chunk" };
        var command = new Command("export", """
            Writes the weights of a run as a policy package, or as one self-contained ONNX graph for programs that have ONNX Runtime and
            nothing else.

            Examples:
              robotics-lab export --run runs/push-t-diffusion --package models/push-t-diffusion --executed 4
              robotics-lab export --run runs/push-t-diffusion --single-graph policy.onnx
              robotics-lab export --run runs/runner-sac --package models/runner-sac --drawn
            """)
        { run, package, graph, name, calls, tolerance, candidates, selection, executed, drawn };
        command.SetGuardedAction((parsed, _) =>
        {
            string folder = parsed.GetValue(run)!.FullName;
            if (parsed.GetValue(package) is null && parsed.GetValue(graph) is null)
            {
                throw new ConfigException("export writes --package, --single-graph or both; neither was given.");
            }

            if (ReinforcementConfig.IsIn(folder))
            {
                Option? foreign = ((Option[])[calls, tolerance, candidates, selection, executed]).FirstOrDefault(option => parsed.GetResult(option) is { Implicit: false });
                return foreign is null
                    ? Task.FromResult(Actor(ReinforcementConfig.Load(folder), folder, parsed.GetValue(package)?.FullName, parsed.GetValue(graph)?.FullName, parsed.GetValue(name), parsed.GetValue(drawn)))
                    : throw new ConfigException("command line", [$"{foreign.Name} is for demonstrations; '{folder}' is a reinforcement run, whose policy has one call and one row"]);
            }

            var config = TrainingConfig.Load(folder);
            var task = LabTask.Named(config.Task);
            var sampler = parsed.GetValue(calls) is { } n ? Evaluation.WithCalls(config.Sampler, n) : config.Sampler;
            if (parsed.GetValue(tolerance) is { } t)
            {
                sampler = sampler with { Energy = (sampler.Energy ?? throw new ConfigException($"--tolerance is for energies; {folder} trained {config.Method}.")) with { Tolerance = t } };
            }

            if (parsed.GetValue(selection) is { } chosen)
            {
                sampler = sampler with { Joint = (sampler.Joint ?? throw new ConfigException($"--selection is for joint models; {folder} trained {config.Method}.")) with { Selection = chosen } };
            }

            var check = new ConfigCheck("command line");
            check.Range(parsed.GetValue(candidates) ?? 1, 1, 256, "--candidates");
            check.Throw();
            sampler = sampler with { Candidates = parsed.GetValue(candidates) ?? sampler.Candidates };
            config = config with { Sampler = sampler, Executed = parsed.GetValue(executed) ?? config.Executed };
            config.CheckExport(Path.Combine(folder, "config.json"));
            int frame = config.Network.ObservationSize / config.ObservationSteps;
            using var average = Trainer.Average(Path.Combine(folder, "checkpoint.bin"), config.Network);
            string policy = parsed.GetValue(name) ?? $"{task.Name}-{config.Method}";
            if (parsed.GetValue(package) is { } to)
            {
                TrainCommand.Pack(to.FullName, config, task, config.Wiring ?? task.Wiring, average, policy, RunSummary.Load(folder));
                Console.WriteLine($"{to}: package '{policy}'");
            }

            if (parsed.GetValue(graph) is { } file)
            {
                File.WriteAllBytes(file.FullName, TrainingConfig.Exported(folder, () => Single(average, sampler)));
                Console.WriteLine($"{file}: noise [B, {config.Network.Horizon}, {config.Network.ActionSize}] and cond [B, {config.Network.ConditionSize}] to chunk, normalised ({frame} elements per frame)");
            }

            return Task.FromResult(ExitCode.Done);
        });
        return command;
    }

    private static int Actor(ReinforcementConfig config, string folder, string? package, string? graph, string? name, bool drawn)
    {
        var task = config.Data.Count > 0 || package is not null ? LearningTasks.Named(config.Task) : null;
        var records = config.Data.Count > 0 ? RecordedTransitions.Read(config.Data, task!, allowTruncated: true) : null;
        using var environment = config.Open(config.Gap, 1, "gap");
        using var learner = ReinforcementRun.Load(config, records, folder, environment);
        if (package is not null)
        {
            ReinforcementRun.Pack(config, learner, environment, folder, package, name ?? $"{config.Task}-{config.Method}", drawn);
            Console.WriteLine($"{package}: package after {learner.Steps} steps{(drawn ? ", drawing its actions" : "")}");
        }

        if (graph is not null)
        {
            File.WriteAllBytes(graph, ActorWriter.Graph(learner.Actor, drawn));
            Console.WriteLine($"{graph}: observation [B, {learner.Actor.ObservationSize}]{(drawn ? $" and noise [B, 1, {learner.Actor.ActionSize}]" : "")} to action, physical observations, actions in [-1, 1]");
        }

        return ExitCode.Done;
    }

    private static byte[] Single(Learning.Networks.Network network, SamplerSpec sampler) => sampler switch
    {
        { Diffusion: { } d } => SamplerGraph.Write(network.Spec, network.Values, new DiffusionSampler(NoiseSchedule.SquaredCosine(d.TrainSteps),
            new() { Solver = d.Solver, Steps = d.Steps, Spacing = d.Spacing, Prediction = d.Prediction, Clip = d.Clip > 0 ? d.Clip : null, FinalAlphaBar = d.FinalAlpha })),
        { Joint: not null } => throw new NotSupportedException("A joint model chooses between its chunks, which one graph with the sampler inside does not. Write --package."),
        { Flow: { } f } => SamplerGraph.Write(network.Spec, network.Values, new FlowSampler(f.Solver, f.Steps)),
        { Energy: { } e } => SamplerGraph.Write(network.Spec, network.Values, new EnergyDescent(new() { StepSize = e.StepSize, Momentum = e.Momentum, MaxSteps = e.MaxSteps })),
        _ => throw new ConfigException("The sampler names neither diffusion, flow nor energy."),
    };
}
