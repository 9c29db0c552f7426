using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Robotics.Control;
using Robotics.Fleet;
using Robotics.Host.Running;
using Robotics.Observations;
using Robotics.Packages;
using Robotics.Policies.Onnx;
using Robotics.Policies.Steering;
using Robotics.Routes;

namespace Robotics.Host.Commands;

/// <summary><c>robotics check</c>: can this policy run, what is each observation element, what is wrong.</summary>
internal static class CheckCommand
{
    private const int CostCalls = 200;

    public static Command Create()
    {
        var policy = new Argument<string>("policy") { Description = PolicyChoice.Help };
        var robot = new Option<string?>("--robot", "-r") { Description = RobotChoice.Help, HelpName = "ROBOT" };
        var providers = new Option<string?>("--providers") { Description = "execution providers in order", HelpName = "LIST" };
        var schema = new Option<string?>("--schema") { Description = "print the JSON schema of 'policy' or 'robot' files, or of a line of a 'route' file, and end", HelpName = "WHICH" };
        schema.AcceptOnlyFromAmong("policy", "robot", "route");
        var json = new Option<bool>("--json") { Description = "one JSON object instead of text" };
        policy.Arity = ArgumentArity.ZeroOrOne;
        var command = new Command("check", """
            Says whether a policy can run (code 0) or everything that is wrong with it (code 2): package, hashes, network, wiring.
            With a robot: what each observation element is, what each action drives, and what one plan costs on this machine. Of a
            steered package: the tree of what runs, and what each part of it costs.

            Examples:
              robotics check my-policy --robot robot.json
              robotics check --schema policy > policy.schema.json
            """)
        { policy, robot, providers, schema, json };
        var broker = new BrokerFlags(command);
        command.SetGuardedAction(async (parsed, cancellation) =>
        {
            if (parsed.GetValue(schema) is { } which)
            {
                Console.WriteLine(which switch { "policy" => PolicyPackage.SchemaText, "robot" => RobotFile.SchemaText, _ => RouteText.SchemaText });
                return ExitCode.Done;
            }

            string name = parsed.GetValue(policy) ?? throw new ConfigException("command line", ["check needs a policy; see 'robotics check --help'"]);
            using var choice = PolicyChoice.Load(name, parsed.GetValue(providers)?.Split(','), TimeProvider.System);
            var described = parsed.GetValue(robot) is { } text
                ? await Describe(RobotChoice.Parse(text), broker.ReadOrLocal(parsed), cancellation).ConfigureAwait(false)
                : null;
            var check = described is null ? null : PolicyCheck.Run(choice.Manifest, described);
            var problems = check?.Problems.ToList() ?? [];
            ControlTiming? timing = null;
            if (described is not null)
            {
                try
                {
                    timing = ControlTiming.From(choice.Manifest, described);
                    if (problems.Count == 0)
                    {
                        var fit = new ConfigCheck(choice.Manifest.Origin);
                        ControlLoop.Fit(choice.Manifest, choice.Policy.Spec, new ObservationAssembler(choice.Manifest, described), new ActionMap(choice.Manifest, described), fit);
                        problems.AddRange(fit.Problems);
                    }
                }
                catch (ConfigException wrong)
                {
                    problems.AddRange(wrong.Problems.Except(problems));
                }
            }

            if (choice is { Manifest.Route: { } followed, RouteText: { } rows })
            {
                try
                {
                    RouteText.Read(rows, followed.File!, followed);
                }
                catch (ConfigException wrong)
                {
                    problems.AddRange(wrong.Problems.Select(problem => $"{followed.File}: {problem}"));
                }
            }

            var cost = choice.Tree?.Measure(CostCalls);
            Console.WriteLine(parsed.GetValue(json)
                ? Json(choice, described, check, problems, timing, cost)
                : Text(choice, described, check, problems, timing, cost));
            return problems.Count == 0 ? ExitCode.Done : ExitCode.BadInput;
        });
        return command;
    }

    private static async Task<RobotSpec> Describe(RobotChoice choice, BrokerOptions broker, CancellationToken cancellation)
    {
        if (choice.MqttName is not { } name)
        {
            return choice.Describe();
        }

        using var robot = await MqttRobot.ConnectAsync(broker, name, new MqttRobotOptions(), TimeProvider.System, cancellation).ConfigureAwait(false);
        return robot.Spec;
    }

    private static string Text(PolicyChoice choice, RobotSpec? robot, PolicyCheck? check, List<string> problems, ControlTiming? timing, PolicyCost? cost)
    {
        var to = new StringBuilder();
        var manifest = choice.Manifest;
        to.AppendLine($"policy    {manifest.Name}  ({manifest.Origin})");
        if (manifest.Description.Length > 0)
        {
            to.AppendLine($"          {manifest.Description}");
        }

        foreach (var graph in choice.Tree?.Graphs ?? [])
        {
            to.AppendLine($"network   {graph.File}  {string.Join(", ", graph.Inputs)} -> {string.Join(", ", graph.Outputs)}");
        }

        to.AppendLine($"provider  {choice.Serves}");
        to.AppendLine(Invariant($"shape     {choice.Policy.Spec.ObservationLength} observation elements -> {choice.Policy.Spec.Rows} rows of {choice.Policy.Spec.ActionLength} actions"));
        foreach (var command in manifest.Commands)
        {
            to.AppendLine("command   " + string.Join(", ", command.Elements.Select((element, i) => Invariant($"{element} {command.Lower[i]} to {command.Upper[i]}, default {command.Default[i]}"))));
        }

        if (manifest.Route is { } route)
        {
            RouteLines.Write(to, route, choice.RouteText, robot, problems.Count == 0 && robot is not null && RouteRehearsal.IsPossible(manifest, robot));
        }

        if (cost is not null)
        {
            to.AppendLine(Invariant($"cost      one plan {cost.Median.TotalMicroseconds:F0} us median, {cost.P99.TotalMicroseconds:F0} us p99 ({cost.Calls} calls back to back; paced calls take longer)"));
        }

        if (choice.Tree is { Parts.Count: > 0 } tree)
        {
            to.AppendLine($"tree      {choice.Sha256}");
            Tree(to, tree, "          ", "          ");
        }

        if (timing is not null)
        {
            to.AppendLine(Invariant($"timing    every {timing.Period.TotalMilliseconds} ms, sent {timing.ActAfter.TotalMilliseconds} ms later; observations up to {timing.MaxObservationAge.TotalMilliseconds} ms, actions up to {timing.MaxActionAge.TotalMilliseconds} ms old"));
        }

        if (robot is not null && check is not null)
        {
            to.AppendLine($"robot     {robot.Name}  ({robot.Origin}), {robot.Joints.Count} joints");
            if (check.Elements.Count > 0)
            {
                to.AppendLine().AppendLine("index  group         term               element                unit     scale  age");
                foreach (var element in check.Elements)
                {
                    to.AppendLine(Invariant($"{element.Index,5}  {element.Group,-12}  {element.Term,-17}  {element.Element,-21}  {element.Unit,-7}  {element.Scale,5:G4}  {element.Age,3}"));
                }
            }

            to.AppendLine().AppendLine("action  joint                  target    range");
            var names = manifest.Action.Joints ?? robot.JointNames();
            var kinds = manifest.Action.Kind;
            for (int i = 0; i < names.Count; i++)
            {
                var joint = robot.Joints.FirstOrDefault(joint => joint.Name == names[i]);
                string range = joint is null ? "not on this robot" : Invariant($"{joint.Lower} to {joint.Upper} {joint.Unit}");
                to.AppendLine($"{i,6}  {names[i],-21}  {Episodes.Words.Of(kinds[kinds.Count == 1 ? 0 : i]),-8}  {range}");
            }
        }

        to.AppendLine();
        foreach (string note in check?.Notes ?? [])
        {
            to.AppendLine("note: " + note);
        }

        foreach (string problem in problems)
        {
            to.AppendLine("WRONG: " + problem);
        }

        to.Append(problems.Count > 0 ? $"It cannot run: {problems.Count} problem{(problems.Count == 1 ? "" : "s")}."
            : robot is null ? "The package is whole. Name a robot with --robot to check the wiring." : "It can run.");
        return to.ToString();
    }

    private static string Json(PolicyChoice choice, RobotSpec? robot, PolicyCheck? check, List<string> problems, ControlTiming? timing, PolicyCost? cost) => JsonText.Object(writer =>
    {
        writer.WriteBoolean("ok", problems.Count == 0);
        writer.WriteString("policy", choice.Manifest.Name);
        writer.WriteString("robot", robot?.Name);
        writer.WriteString("provider", choice.Serves);
        writer.WriteNumber("observation_length", choice.Policy.Spec.ObservationLength);
        writer.WriteNumber("rows", choice.Policy.Spec.Rows);
        writer.WriteNumber("action_length", choice.Policy.Spec.ActionLength);
        if (cost is not null)
        {
            writer.WriteNumber("plan_median_us", cost.Median.TotalMicroseconds);
            writer.WriteNumber("plan_p99_us", cost.P99.TotalMicroseconds);
        }

        if (choice.Tree is { Parts.Count: > 0 } tree)
        {
            writer.WriteStartObject("tree");
            Tree(writer, tree);
            writer.WriteEndObject();
        }

        if (timing is not null)
        {
            writer.WriteNumber("period_ms", timing.Period.TotalMilliseconds);
        }

        writer.WriteStrings("problems", problems);
        writer.WriteStrings("notes", check?.Notes ?? []);
        writer.WriteStartArray("observation");
        foreach (var element in check?.Elements ?? [])
        {
            Element(writer, element);
        }

        writer.WriteEndArray();
    });

    // What runs, from the outside in, each with its cost when it runs alone.
    private static void Tree(StringBuilder to, PolicyTree node, string first, string rest)
    {
        var cost = node.Measure(CostCalls);
        to.AppendLine(Invariant($"{first}{node.Name}: {node.What}; up to {node.MostCalls} calls, {cost.Median.TotalMicroseconds:F0} us ({node.MeasureNetworks(CostCalls).TotalMicroseconds:F0} us of it networks)"));
        for (int i = 0; i < node.Parts.Count; i++)
        {
            bool last = i == node.Parts.Count - 1;
            Tree(to, node.Parts[i], rest + (last ? "└─ " : "├─ "), rest + (last ? "   " : "│  "));
        }
    }

    private static void Tree(Utf8JsonWriter writer, PolicyTree node)
    {
        writer.WriteString("name", node.Name);
        writer.WriteString("what", node.What);
        writer.WriteNumber("most_calls", node.MostCalls);
        writer.WriteNumber("plan_median_us", node.Measure(CostCalls).Median.TotalMicroseconds);
        writer.WriteNumber("networks_us", node.MeasureNetworks(CostCalls).TotalMicroseconds);
        writer.WriteStartArray("parts");
        foreach (var part in node.Parts)
        {
            writer.WriteStartObject();
            Tree(writer, part);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    private static void Element(Utf8JsonWriter writer, ObservationElement element)
    {
        writer.WriteStartObject();
        writer.WriteNumber("index", element.Index);
        writer.WriteString("group", element.Group);
        writer.WriteString("term", element.Term);
        writer.WriteString("element", element.Element);
        writer.WriteString("unit", element.Unit);
        writer.WriteNumber("scale", element.Scale);
        writer.WriteNumber("age", element.Age);
        writer.WriteEndObject();
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
