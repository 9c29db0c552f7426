using System.CommandLine;
using System.Globalization;
using Robotics.Fleet;
using Robotics.Host.Running;

namespace Robotics.Host.Commands;

/// <summary><c>robotics control</c>: an operator's word to a running robot or controller, over the broker.</summary>
internal static class ControlCommand
{
    public static Command Create()
    {
        var robot = new Argument<string>("robot") { Description = "the robot's name on the broker" };
        var what = new Argument<string>("what")
        {
            Description = "estop, clear: the robot itself; hold, resume, stop, set, route: the controller that drives it",
        };
        what.AcceptOnlyFromAmong("estop", "clear", "hold", "resume", "stop", "set", "route");
        var values = new Argument<string[]>("values") { Description = "for set: vx=1.0 yaw_rate=0.2; for route: a file, a row of targets a line", Arity = ArgumentArity.ZeroOrMore };
        var command = new Command("control", """
            Stops, holds, resumes or steers a robot from another terminal.

            estop latches on the robot until somebody clears it; after clear it holds until resumed.

            Examples:
              robotics control go1 estop
              robotics control go1 set vx=0.5
              robotics control arm route over-the-box.ndjson
            """)
        { robot, what, values };
        var broker = new BrokerFlags(command);
        command.SetGuardedAction(async (parsed, cancellation) =>
        {
            string name = parsed.GetRequiredValue(robot);
            string word = parsed.GetRequiredValue(what);
            var at = broker.ReadOrLocal(parsed);
            if (word is "estop" or "clear")
            {
                var reply = await OperatorClient.AskRobotAsync(at, name, word, cancellation).ConfigureAwait(false);
                Console.WriteLine(reply.Text.Length > 0 ? reply.Text : $"{name}: {word} done");
                return reply.Ok ? ExitCode.Done : ExitCode.Failed;
            }

            if (word == "route")
            {
                string text = await File.ReadAllTextAsync(parsed.GetValue(values) is [var file] ? file : throw new ConfigException("command line", ["'route' needs one file"]), cancellation).ConfigureAwait(false);
                await OperatorClient.TellControllerAsync(at, name, new OperatorRequest(word, Route: text), cancellation).ConfigureAwait(false);
                return ExitCode.Done;
            }

            var settings = new Dictionary<string, float>();
            foreach (string setting in parsed.GetValue(values) ?? [])
            {
                string[] parts = setting.Split('=', 2);
                settings[parts[0]] = parts.Length == 2 && float.TryParse(parts[1], NumberStyles.Float, CultureInfo.InvariantCulture, out float value) && float.IsFinite(value)
                    ? value
                    : throw new ConfigException("command line", [$"'{setting}' is not NAME=NUMBER"]);
            }

            await OperatorClient.TellControllerAsync(at, name, new OperatorRequest(word == "set" ? "command" : word, settings), cancellation).ConfigureAwait(false);
            return ExitCode.Done;
        });
        return command;
    }
}
