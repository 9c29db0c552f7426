using System.CommandLine;
using Robotics.Host;
using Robotics.Host.Commands;

var root = new RootCommand("""
    Runs learned policies on robots, on time, and holds still when they are wrong.

    Exit codes: 0 done as asked; 1 the run failed or ended in a hold; 2 something that you wrote is wrong (nothing moved);
    3 emergency stop; 130 interrupted before anything was running.

    Examples:
      robotics demo                                       a committed policy pushes the T: embedded broker, scene, report
      robotics run models/my-policy --robot robot.json    your policy on your robot's simulator
      robotics run models/my-policy --robot mqtt:arm-a --broker mqtts://broker:8883
      robotics check models/my-policy --robot robot.json  what each observation element is, and what is wrong
    """)
{
    DemoCommand.Create(),
    RunCommand.Create(),
    SimRobotCommand.Create(),
    BridgeCommand.Create(),
    DeviceCommand.Create(),
    BrokerCommand.Create(),
    ControlCommand.Create(),
    CheckCommand.Create(),
    ReplayCommand.Create(),
    ReportCommand.Create(),
    DoctorCommand.Create(),
    CompletionCommand.Create(),
};

LongHelp.Install(root);
var parsed = root.Parse(args);
if (parsed.Errors.Count > 0)
{
    return ExitCode.WrongUsage(parsed);
}

// Ctrl-C stops the robot first: commands get a token and this long to bring everything to rest.
return await parsed.InvokeAsync(new InvocationConfiguration
{
    EnableDefaultExceptionHandler = false,
    ProcessTerminationTimeout = TimeSpan.FromSeconds(10),
}).ConfigureAwait(false);
