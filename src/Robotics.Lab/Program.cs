using System.CommandLine;
using System.Globalization;
using Robotics.Host;
using Robotics.Lab.Commands;

ExitCode.Program = "robotics-lab";
CultureInfo.DefaultThreadCurrentCulture = CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
var root = new RootCommand("""
    Trains policies: on demonstrations, in a simulator, on records of a robot; and measures what came of it.

    Exit codes: 0 done as asked; 1 it failed on the way; 2 something that you wrote is wrong (nothing was changed); 130 interrupted.

    Examples:
      robotics-lab collect --task push-t --episodes 2000 --noise 0.015 --out data/push-t
      robotics-lab dataset inspect data/push-t --picture data/push-t.svg
      robotics-lab train diffusion --data data/push-t --run runs/push-t-diffusion
      robotics-lab eval --policy runs/push-t-diffusion/package --episodes 100
      robotics-lab export --run runs/push-t-diffusion --single-graph policy.onnx
      robotics-lab train sac --task runner --run runs/runner-sac
      robotics-lab loop runs/runner-sac/package --task runner --gap gravity=2 --run runs/loop
      robotics-lab compose --parents models/push-t-diffusion models/push-t-flow --search --out models/push-t-both
    """)
{
    CollectCommand.Create(),
    DatasetCommand.Create(),
    TrainCommand.Create(),
    EvalCommand.Create(),
    ExportCommand.Create(),
    CompareCommand.Create(),
    JudgeCommand.Create(),
    LoopCommand.Create(),
    ComposeCommand.Create(),
};

LongHelp.Install(root);
var parsed = root.Parse(args);
if (parsed.Errors.Count > 0)
{
    return ExitCode.WrongUsage(parsed);
}

return await parsed.InvokeAsync(new InvocationConfiguration
{
    EnableDefaultExceptionHandler = false,
    ProcessTerminationTimeout = TimeSpan.FromSeconds(10),
}).ConfigureAwait(false);
