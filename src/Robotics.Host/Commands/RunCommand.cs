using System.CommandLine;
using System.Globalization;
using Robotics.Host.Running;

namespace Robotics.Host.Commands;

/// <summary><c>robotics run</c>: a policy drives a robot.</summary>
internal static class RunCommand
{
    private static readonly TimeSpan s_demoDuration = TimeSpan.FromSeconds(30);

    public static Command Create()
    {
        var policy = new Argument<string?>("policy") { Description = PolicyChoice.Help + " (default: that, for 30 s)", Arity = ArgumentArity.ZeroOrOne };
        var robot = new Option<string>("--robot", "-r") { Description = RobotChoice.Help, HelpName = "ROBOT", DefaultValueFactory = _ => "sim:push-t" };
        var gap = new Option<string?>("--gap") { Description = RobotChoice.GapHelp, HelpName = "LIST" };
        var duration = new Option<double?>("--duration", "-d") { Description = "seconds from the first action to the end; default: until stopped", HelpName = "S" };
        var command = new Option<string[]>("--command", "-c")
        {
            Description = "operator command, for example vx=1.0; repeat or separate with commas",
            HelpName = "NAME=VALUE",
            AllowMultipleArgumentsPerToken = true,
        };
        var route = new Option<string?>("--route") { Description = "route file for a policy that follows one, a row of targets a line; default: the manifest's, or the task's own planner", HelpName = "FILE" };
        var seed = new Option<ulong>("--seed") { Description = "draws everything random; 0 is the nominal start of a simulator", HelpName = "N" };
        var record = new Option<string?>("--record") { Description = "record file (MCAP); default runs/TIME-ROBOT.mcap", HelpName = "FILE" };
        var noRecord = new Option<bool>("--no-record") { Description = "write no record and no report" };
        var report = new Option<string?>("--report") { Description = "report page; default beside the record", HelpName = "FILE" };
        var providers = new Option<string?>("--providers") { Description = "execution providers in order, for example cuda,cpu", HelpName = "LIST" };
        var direct = new Option<bool>("--direct") { Description = "drive a simulated robot in this process, without MQTT" };
        var lockStep = new Option<bool>("--lock-step") { Description = "simulated time, as fast as possible, same bytes every time; needs --duration, implies --direct" };
        var exitOnHold = new Option<bool>("--exit-on-hold") { Description = "end (code 1) at the first hold instead of waiting for a person" };
        var ordinary = new Option<bool>("--no-real-time") { Description = "ask the system for no real-time scheduling" };
        var json = new Option<bool>("--json") { Description = "one JSON object a line instead of text" };
        var run = new Command("run", """
            Drives a robot with a policy: on time, holding still when anything is wrong, recording everything.

            A simulated robot is started here with an embedded broker (or on --broker); mqtt:NAME is a robot that is already there.
            While it runs: space holds, r resumes, e is the emergency stop, q quits. Ctrl-C stops the robot first.

            Examples:
              robotics run
              robotics run my-policy --robot robot.json --command vx=1.0 --duration 5
              robotics run my-policy --robot mqtt:go1 --broker mqtt://10.0.0.5 --json
            """)
        { policy, robot, gap, duration, command, route, seed, record, noRecord, report, providers, direct, lockStep, exitOnHold, ordinary, json };
        var broker = new BrokerFlags(run);
        run.SetGuardedAction((parsed, cancellation) =>
        {
            var choice = RobotChoice.Parse(parsed.GetRequiredValue(robot), parsed.GetValue(gap));
            bool recorded = !parsed.GetValue(noRecord);
            string? file = recorded ? parsed.GetValue(record) ?? DefaultRecord(choice) : null;
            var request = new RunRequest
            {
                Policy = parsed.GetValue(policy) ?? PolicyChoice.BuiltIn,
                Robot = choice,
                Broker = broker.Read(parsed),
                Duration = Seconds(parsed.GetValue(duration)) ?? (parsed.GetValue(policy) is null ? s_demoDuration : null),
                Seed = parsed.GetValue(seed),
                Command = [.. (parsed.GetValue(command) ?? []).SelectMany(text => text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))],
                Route = parsed.GetValue(route),
                Providers = parsed.GetValue(providers)?.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries),
                Record = file,
                Report = file is null ? null : parsed.GetValue(report) ?? Path.ChangeExtension(file, ".html"),
                Direct = parsed.GetValue(direct),
                LockStep = parsed.GetValue(lockStep),
                ExitOnHold = parsed.GetValue(exitOnHold),
                RealTime = !parsed.GetValue(ordinary),
                Json = parsed.GetValue(json),
            };
            if (request.LockStep && !choice.IsSimulated)
            {
                throw new ConfigException("command line", ["--lock-step needs a simulated robot, --robot names one on MQTT"]);
            }

            return new RunSession(request).RunAsync(cancellation);
        });
        return run;
    }

    private static TimeSpan? Seconds(double? seconds) => seconds switch
    {
        null => null,
        > 0 and < 1e7 => TimeSpan.FromSeconds(seconds.Value),
        _ => throw new ConfigException("command line", [string.Create(CultureInfo.InvariantCulture, $"--duration is {seconds}, expected more than 0 seconds")]),
    };

    private static string DefaultRecord(RobotChoice robot)
    {
        string time = TimeProvider.System.GetUtcNow().ToString("yyyyMMdd-HHmmss-fff", CultureInfo.InvariantCulture);
        return Path.Combine("runs", $"{time}-{robot.Name}.mcap");
    }
}
