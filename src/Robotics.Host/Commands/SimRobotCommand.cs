using System.CommandLine;
using Robotics.Fleet;
using Robotics.Host.Running;
using Robotics.Packages;
using Robotics.Sim;
using Robotics.Sim.Mujoco;

namespace Robotics.Host.Commands;

/// <summary><c>robotics sim-robot</c>: a simulated robot in its own process, on MQTT like a real one.</summary>
internal static class SimRobotCommand
{
    public static Command Create()
    {
        var robot = new Argument<string>("robot") { Description = "sim:push-t, sim:TASK (a learning task) or a robot.json with a simulator", DefaultValueFactory = _ => "sim:push-t" };
        var gap = new Option<string?>("--gap") { Description = RobotChoice.GapHelp, HelpName = "LIST" };
        var seed = new Option<ulong>("--seed") { Description = "start of the episode; 0 is the nominal one", HelpName = "N" };
        var duration = new Option<double?>("--duration", "-d") { Description = "seconds; default: until stopped", HelpName = "S" };
        var stateDelay = new Option<double>("--state-delay") { Description = "delays every state frame, ms; for link tests", HelpName = "MS" };
        var commandDelay = new Option<double>("--command-delay") { Description = "delays every command frame, ms; for link tests", HelpName = "MS" };
        var delayAfter = new Option<double>("--delay-after") { Description = "seconds until the delays begin", HelpName = "S" };
        var ramp = new Option<double>("--delay-ramp") { Description = "seconds over which the delays grow to their full length", HelpName = "S" };
        var drop = new Option<double>("--drop") { Description = "share of frames lost in both directions, 0 to 1; for link tests", HelpName = "P" };
        var json = new Option<bool>("--json") { Description = "one JSON object a line instead of text" };
        var command = new Command("sim-robot", """
            Plays a robot in a simulator and exposes it on MQTT exactly like a real one, with its own gate and dead-man timer.

            Example:
              robotics broker &
              robotics sim-robot robot.json &
              robotics run my-policy --robot mqtt:my-robot
              robotics sim-robot sim:runner --gap gravity=2
            """)
        { robot, gap, seed, duration, stateDelay, commandDelay, delayAfter, ramp, drop, json };
        var broker = new BrokerFlags(command);
        command.SetGuardedAction(async (parsed, cancellation) =>
        {
            var choice = RobotChoice.Parse(parsed.GetRequiredValue(robot), parsed.GetValue(gap));
            if (!choice.IsSimulated)
            {
                throw new ConfigException("command line", ["sim-robot plays sim:push-t, sim:TASK or a robot.json, not a robot that is on MQTT already"]);
            }

            var fault = new LinkFault
            {
                StateDelay = TimeSpan.FromMilliseconds(parsed.GetValue(stateDelay)),
                CommandDelay = TimeSpan.FromMilliseconds(parsed.GetValue(commandDelay)),
                After = TimeSpan.FromSeconds(parsed.GetValue(delayAfter)),
                Ramp = TimeSpan.FromSeconds(parsed.GetValue(ramp)),
                DropRate = parsed.GetValue(drop),
            };
            bool asJson = parsed.GetValue(json);
            var at = broker.ReadOrLocal(parsed);
            ProcessPriority.Raise();
            using var simulated = new SimulatedRobot(choice.Simulate(), parsed.GetValue(seed));
            var options = new RobotServerOptions
            {
                Fault = fault == new LinkFault { After = fault.After, Ramp = fault.Ramp } ? null : fault,
                ClearEmergencyStop = simulated.ClearEmergencyStop,
            };
            simulated.StartRealTime();
            await using var server = new RobotServer(simulated, RobotFile.Write(simulated.Spec), at, options);
            return await RobotOnBroker.ServeAsync(server, at, asJson, parsed.GetValue(duration), _ =>
            {
                // A simulator that broke inside native code never returns from its step; its own words are kept here.
                if (simulated.Fault is { } diverged)
                {
                    throw new SimulationDivergedException($"robot '{simulated.Spec.Name}' stopped: {diverged}");
                }

                if (MujocoLibrary.Fault is { } broken)
                {
                    throw new SimulationDivergedException($"robot '{simulated.Spec.Name}' stopped: MuJoCo said: {broken}");
                }
            }, cancellation).ConfigureAwait(false);
        });
        return command;
    }
}
